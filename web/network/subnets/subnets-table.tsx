// The subnets of a network.
import { DeleteOutlined, EditOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Flex, Progress, Typography } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { ChangeButton, RowActions } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { freeSubnet, inCidr, poolSize } from '../addresses.ts';
import type { Port } from '../ports/api.ts';
import { networkText } from '../text.ts';
import { createSubnet, deleteSubnet, subnetsQuery, updateSubnet, type Subnet } from './api.ts';
import { createBody, newSubnet, updateBody, valuesOf, type SubnetValues } from './form.ts';
import { SubnetFields } from './subnet-fields.tsx';
import { subnetsText } from './text.ts';

function Usage({ subnet, ports }: { subnet: Subnet; ports: readonly Port[] }) {
  const { number } = useFormat();
  const taken = ports.flatMap((port) =>
    port.fixed_ips.filter(({ subnet_id: id }) => id === subnet.id).map(({ ip_address: ip }) => ip),
  );
  // The gateway has a port, and its address is in no pool.
  const used = taken.filter((ip) => ip !== subnet.gateway_ip && inCidr(ip, subnet.cidr)).length;
  const total = poolSize(subnet.allocation_pools);
  // Nobody sees the end of a /64 coming.
  if (subnet.ip_version === 6) return number(used);
  const percent = total === 0 ? 100 : (used / total) * 100;
  return (
    <Flex vertical style={{ minWidth: 110 }}>
      <Typography.Text style={{ whiteSpace: 'nowrap' }}>
        {number(used)} / {number(total)}
      </Typography.Text>
      <Progress
        percent={percent}
        showInfo={false}
        size="small"
        status={percent > 90 ? 'exception' : 'normal'}
        aria-hidden
      />
    </Flex>
  );
}

/** `ports`: of the network, all; null: the user does not see them all. */
export function SubnetsTable({ networkId, ports }: { networkId: string; ports: readonly Port[] | null }) {
  const t = useText(subnetsText);
  const general = useText(networkText);
  const queries = useQueryClient();
  const confirm = useConfirm();
  const subnets = useQuery(subnetsQuery(networkId));
  const every = useQuery(subnetsQuery());
  const [open, setOpen] = useState<Subnet | 'new' | null>(null);
  const refresh = (): Promise<unknown> =>
    Promise.all(
      ['subnets', 'networks', 'ports'].map((name) => queries.invalidateQueries({ queryKey: [name] })),
    );

  const columns: Column<Subnet>[] = [
    {
      key: 'cidr',
      title: t.cidr,
      value: ({ cidr }) => cidr,
      render: ({ cidr }) => <Typography.Text code>{cidr}</Typography.Text>,
    },
    { key: 'name', title: general.name, value: ({ name }) => name, render: ({ name }) => name },
    {
      key: 'gateway',
      title: t.gateway,
      value: ({ gateway_ip: ip }) => ip,
      render: ({ gateway_ip: ip }) => ip ?? general.none,
    },
    {
      key: 'assignment',
      title: t.assignment,
      render: ({ ip_version: version, enable_dhcp: dhcp, ipv6_address_mode: mode }) =>
        version === 4 ? (dhcp ? t.dhcp : general.none) : t.shortModes[mode ?? 'none'],
    },
    ...(ports === null
      ? []
      : [
          {
            key: 'used',
            title: t.used,
            render: (subnet: Subnet) => <Usage subnet={subnet} ports={ports} />,
          },
        ]),
    {
      key: 'pools',
      title: t.pools,
      hidden: true,
      render: ({ allocation_pools: pools }) => pools.map(({ start, end }) => `${start} – ${end}`).join(', '),
    },
    {
      key: 'dns',
      title: t.dns,
      render: ({ dns_nameservers: dns }) => (dns.length === 0 ? general.none : dns.join(', ')),
    },
    {
      key: 'actions',
      title: general.actions,
      width: 90,
      render: (subnet) => (
        <RowActions
          of={subnet.name === '' ? subnet.cidr : subnet.name}
          actions={[
            { key: 'edit', label: general.edit, icon: <EditOutlined />, run: () => setOpen(subnet) },
            {
              key: 'delete',
              label: general.delete,
              icon: <DeleteOutlined />,
              danger: true,
              run: () =>
                confirm({
                  title: t.deleteTitle(subnet.name === '' ? subnet.cidr : subnet.name),
                  content: t.deleteText,
                  okText: general.delete,
                  run: async () => {
                    await deleteSubnet(subnet.id);
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
    <>
      <ResourceTable
        name="subnets"
        label={general.subnets}
        query={subnets}
        columns={columns}
        rowKey={({ id }) => id}
        toolbar={
          <ChangeButton icon={<PlusOutlined />} onClick={() => setOpen('new')}>
            {t.create}
          </ChangeButton>
        }
      />
      <FormDialog<SubnetValues>
        title={open === null || open === 'new' ? t.create : t.edit(open.name === '' ? open.cidr : open.name)}
        open={open !== null}
        onClose={() => setOpen(null)}
        initial={
          open === null || open === 'new'
            ? newSubnet(freeSubnet((every.data ?? []).map(({ cidr }) => cidr)))
            : valuesOf(open)
        }
        {...(open === null || open === 'new' ? {} : { okText: general.save })}
        submit={async (values) => {
          if (open === 'new') await createSubnet(networkId, createBody(values));
          else if (open !== null) await updateSubnet(open.id, updateBody(values));
          await refresh();
        }}
      >
        <SubnetFields fixed={open !== 'new'} />
      </FormDialog>
    </>
  );
}
