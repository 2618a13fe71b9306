// What a router joins: a table of its interfaces, and the dialog that adds one.
import { DisconnectOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Flex, Form, Input, Select } from 'antd';
import { useState } from 'react';
import { api } from '../../kit/api.ts';
import { useConfirm } from '../../kit/action.tsx';
import { ChangeButton, RowActions } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { ResourceLink } from '../../kit/link.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { networksQuery } from '../networks/api.ts';
import { NetworkState } from '../parts.tsx';
import { deletePort, portsQuery, type Port } from '../ports/api.ts';
import { ownerOf } from '../ports/owner.ts';
import { subnetsQuery, type Subnet } from '../subnets/api.ts';
import { networkText } from '../text.ts';
import { addInterface, removeInterface, type Router } from './api.ts';
import { routersText } from './text.ts';

type Values = { subnetId: string; address?: string };

/** With an address of its own choice the router needs a port that has it. */
async function connect(router: Router, subnet: Subnet, address: string): Promise<void> {
  if (address === '') return addInterface(router.id, { subnet_id: subnet.id });
  const { port } = await api.post<{ port: Port }>('/network/v2.0/ports', {
    port: { network_id: subnet.network_id, fixed_ips: [{ subnet_id: subnet.id, ip_address: address }] },
  });
  try {
    await addInterface(router.id, { port_id: port.id });
  } catch (error) {
    await deletePort(port.id);
    throw error;
  }
}

function AddInterface({
  router,
  connected,
  open,
  onClose,
  refresh,
}: {
  router: Router;
  connected: ReadonlySet<string>;
  open: boolean;
  onClose(): void;
  refresh(): Promise<unknown>;
}) {
  const t = useText(routersText);
  const general = useText(networkText);
  const subnets = useQuery(subnetsQuery());
  const networks = useQuery(networksQuery());
  const named = new Map((networks.data ?? []).map((network) => [network.id, network]));
  const choices = (subnets.data ?? []).filter(
    ({ id, network_id: network }) => !connected.has(id) && named.get(network)?.['router:external'] === false,
  );
  return (
    <FormDialog<Values>
      title={t.addInterface}
      open={open}
      onClose={onClose}
      okText={general.add}
      initial={choices[0] === undefined ? {} : { subnetId: choices[0].id }}
      submit={async ({ subnetId, address }) => {
        const subnet = choices.find(({ id }) => id === subnetId);
        if (subnet === undefined) return;
        await connect(router, subnet, address?.trim() ?? '').finally(refresh);
      }}
    >
      <Form.Item name="subnetId" label={general.subnet} rules={[{ required: true }]}>
        <Select
          loading={subnets.isPending}
          notFoundContent={t.noSubnet}
          showSearch={{ optionFilterProp: 'label' }}
          options={choices.map((subnet) => ({
            value: subnet.id,
            label: `${named.get(subnet.network_id)?.name ?? ''} · ${subnet.cidr}`,
          }))}
        />
      </Form.Item>
      <Form.Item
        name="address"
        label={t.addressInside}
        extra={t.addressHint}
        dependencies={['subnetId']}
        rules={[
          ({ getFieldValue }) => ({
            validator: (_, value: string | undefined) =>
              (value ?? '') === '' &&
              choices.find(({ id }) => id === getFieldValue('subnetId'))?.gateway_ip === null
                ? Promise.reject(new Error(t.withoutAddress))
                : Promise.resolve(),
          }),
        ]}
      >
        <Input />
      </Form.Item>
    </FormDialog>
  );
}

export function Interfaces({ router }: { router: Router }) {
  const t = useText(routersText);
  const general = useText(networkText);
  const queries = useQueryClient();
  const confirm = useConfirm();
  const [adding, setAdding] = useState(false);
  const ports = useQuery({
    ...portsQuery({ device_id: router.id }),
    select: (every) => every.filter((port) => ownerOf(port) === 'router'),
  });
  const subnets = useQuery(subnetsQuery());
  const networks = useQuery(networksQuery());
  const cidrs = new Map((subnets.data ?? []).map(({ id, cidr }) => [id, cidr]));
  const names = new Map((networks.data ?? []).map(({ id, name }) => [id, name]));
  const subnetsOf = (port: Port): string =>
    port.fixed_ips.map(({ subnet_id: id }) => cidrs.get(id) ?? id.slice(0, 8)).join(', ');
  const refresh = (): Promise<unknown> =>
    Promise.all(['ports', 'routers'].map((name) => queries.invalidateQueries({ queryKey: [name] })));

  const columns: Column<Port>[] = [
    {
      key: 'network',
      title: general.network,
      value: ({ network_id: id }) => names.get(id),
      render: ({ network_id: id }) => <ResourceLink to="/networks" id={id} name={names.get(id)} />,
    },
    { key: 'subnet', title: general.subnet, value: subnetsOf, render: subnetsOf },
    {
      key: 'address',
      title: t.addressInside,
      value: ({ fixed_ips: ips }) => ips.map(({ ip_address: ip }) => ip).join(' '),
      render: ({ fixed_ips: ips }) => ips.map(({ ip_address: ip }) => ip).join(', '),
    },
    {
      key: 'status',
      title: general.state,
      value: ({ status }) => status,
      render: ({ status }) => <NetworkState status={status} />,
    },
    {
      key: 'actions',
      title: general.actions,
      width: 80,
      render: (port) => (
        <RowActions
          of={subnetsOf(port)}
          actions={[
            {
              key: 'remove',
              label: t.removed,
              icon: <DisconnectOutlined />,
              danger: true,
              run: () =>
                confirm({
                  title: t.removeTitle(`${names.get(port.network_id) ?? ''} ${subnetsOf(port)}`.trim()),
                  content: t.removeText,
                  okText: t.removed,
                  run: async () => {
                    await removeInterface(router.id, port.id);
                    await refresh();
                  },
                }),
            },
          ]}
        />
      ),
    },
  ];
  return (
    <Flex vertical>
      <ResourceTable
        name="router-interfaces"
        label={t.interfaces}
        query={ports}
        columns={columns}
        rowKey={({ id }) => id}
        toolbar={
          <ChangeButton icon={<PlusOutlined />} onClick={() => setAdding(true)}>
            {t.addInterface}
          </ChangeButton>
        }
      />
      <AddInterface
        router={router}
        connected={
          new Set((ports.data ?? []).flatMap((port) => port.fixed_ips.map(({ subnet_id: id }) => id)))
        }
        open={adding}
        onClose={() => setAdding(false)}
        refresh={refresh}
      />
    </Flex>
  );
}
