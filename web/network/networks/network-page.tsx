// One network: what it is, its subnets and its ports.
import { DeleteOutlined, EditOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Card, Descriptions, Tabs, type DescriptionsProps } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { ChangeButton } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Pending } from '../../kit/pending.tsx';
import { Problem } from '../../kit/problem.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { ProjectName } from '../../kit/project-input.tsx';
import { AdminState, NetworkState, YesNo } from '../parts.tsx';
import { portsQuery } from '../ports/api.ts';
import { PortsTable } from '../ports/ports-table.tsx';
import { SubnetsTable } from '../subnets/subnets-table.tsx';
import { networkText } from '../text.ts';
import { deleteNetwork, networkQuery, updateNetwork, type Network } from './api.ts';
import {
  NetworkName,
  NetworkOptions,
  networkBody,
  networkValues,
  type NetworkValues,
} from './network-fields.tsx';
import { NetworkKind } from './networks-page.tsx';
import { networksText } from './text.ts';

function Facts({ network }: { network: Network }) {
  const t = useText(networksText);
  const general = useText(networkText);
  const { time } = useFormat();
  const segment = network['provider:segmentation_id'] ?? null;
  const link = network['provider:physical_network'] ?? null;
  const carrier = [
    network['provider:network_type'],
    link,
    segment === null ? null : `${t.segment} ${segment}`,
  ];
  const items: DescriptionsProps['items'] = [
    { key: 'id', label: general.id, children: <Id id={network.id} /> },
    { key: 'kind', label: t.kind, children: <NetworkKind network={network} /> },
    { key: 'admin', label: general.adminState, children: <AdminState up={network.admin_state_up} /> },
    { key: 'project', label: general.project, children: <ProjectName id={network.project_id} /> },
    { key: 'mtu', label: t.mtu, children: network.mtu },
    { key: 'security', label: t.portSecurity, children: <YesNo value={network.port_security_enabled} /> },
    ...(network['provider:network_type'] === undefined
      ? []
      : [
          {
            key: 'provider',
            label: t.provider,
            children: carrier.filter((part) => part !== null).join(' · '),
          },
        ]),
    { key: 'created', label: general.created, children: time(network.created_at) },
    ...(network.description === ''
      ? []
      : [{ key: 'description', label: general.description, children: network.description }]),
  ];
  return (
    <Card size="small">
      <Descriptions items={items} column={{ xs: 1, md: 2, xl: 3 }} size="small" />
    </Card>
  );
}

export function NetworkPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const t = useText(networksText);
  const general = useText(networkText);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const session = useSession();
  const network = useQuery(networkQuery(id));
  const [editing, setEditing] = useState(false);
  const own = network.data?.project_id === session.project?.id || isOperator(session);
  const ports = useQuery({ ...portsQuery({ network_id: id }), enabled: own });
  const crumbs = [{ title: t.title, to: '/networks' }];
  const { data, error } = network;
  if (data === undefined)
    return (
      <PageFrame title={general.network} crumbs={crumbs}>
        <Pending query={network} />
      </PageFrame>
    );
  const name = data.name === '' ? id.slice(0, 8) : data.name;
  const remove = (): void =>
    confirm({
      title: t.deleteTitle(name),
      content: t.deleteText(data.subnets.length),
      okText: general.delete,
      run: async () => {
        await deleteNetwork(id);
        await navigate({ to: '/networks' });
        queries.removeQueries({ queryKey: ['networks', 'one', id] });
        await queries.invalidateQueries({ queryKey: ['networks'] });
      },
    });
  return (
    <PageFrame
      title={name}
      crumbs={crumbs}
      extra={
        <>
          <NetworkState status={data.status} />
          <ChangeButton icon={<EditOutlined />} onClick={() => setEditing(true)}>
            {general.edit}
          </ChangeButton>
          <ChangeButton danger icon={<DeleteOutlined />} onClick={remove}>
            {general.delete}
          </ChangeButton>
        </>
      }
    >
      {error === null ? null : <Problem error={error} retry={() => void network.refetch()} />}
      <Facts network={data} />
      <Tabs
        items={[
          {
            key: 'subnets',
            label: general.subnets,
            children: <SubnetsTable networkId={id} ports={own ? (ports.data ?? []) : null} />,
          },
          { key: 'ports', label: general.ports, children: <PortsTable networkId={id} /> },
        ]}
      />
      <FormDialog<NetworkValues>
        title={t.edit}
        open={editing}
        onClose={() => setEditing(false)}
        initial={networkValues(data)}
        okText={general.save}
        submit={async (values) => {
          await updateNetwork(id, networkBody(values));
          await queries.invalidateQueries({ queryKey: ['networks'] });
        }}
      >
        <NetworkName />
        <NetworkOptions />
      </FormDialog>
    </PageFrame>
  );
}
