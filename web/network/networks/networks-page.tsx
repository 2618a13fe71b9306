// The list of networks.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Flex, Progress, Tag, Typography } from 'antd';
import { useState } from 'react';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { ChangeButton } from '../../kit/change-button.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { ipv4Use } from '../addresses.ts';
import { useProjectColumn } from '../owners.tsx';
import { AdminState, NetworkState } from '../parts.tsx';
import { subnetsQuery } from '../subnets/api.ts';
import { networkText } from '../text.ts';
import { availabilityQuery, deleteNetwork, networksQuery, type Availability, type Network } from './api.ts';
import { CreateNetwork } from './create-network.tsx';
import { networksText } from './text.ts';

export const kindOf = (network: Network): 'external' | 'shared' | 'own' =>
  network['router:external'] ? 'external' : network.shared ? 'shared' : 'own';

const KIND_COLOURS = { external: 'blue', shared: 'purple', own: 'default' } as const;

export function NetworkKind({ network }: { network: Network }) {
  const { kinds } = useText(networksText);
  const kind = kindOf(network);
  return <Tag color={KIND_COLOURS[kind]}>{kinds[kind]}</Tag>;
}

function Used({ of }: { of: Availability | undefined }) {
  const t = useText(networksText);
  const { number } = useFormat();
  const use = ipv4Use(of?.subnet_ip_availability ?? []);
  if (use === null || use.total === 0) return null;
  const percent = (use.used / use.total) * 100;
  return (
    <div style={{ minWidth: 120 }}>
      <Typography.Text style={{ whiteSpace: 'nowrap' }}>
        {t.usedOf(number(use.used), number(use.total))}
      </Typography.Text>
      <Progress
        percent={percent}
        showInfo={false}
        size="small"
        status={percent > 90 ? 'exception' : 'normal'}
        aria-hidden
      />
    </div>
  );
}

export function NetworksPage() {
  const t = useText(networksText);
  const general = useText(networkText);
  const { ago, time } = useFormat();
  const session = useSession();
  const operator = isOperator(session);
  const networks = useQuery(networksQuery());
  const subnets = useQuery(subnetsQuery());
  const availability = useQuery({ ...availabilityQuery(), enabled: operator });
  const [creating, setCreating] = useState(false);
  const cidrs = Map.groupBy(subnets.data ?? [], ({ network_id: id }) => id);
  const used = new Map((availability.data ?? []).map((row) => [row.network_id, row]));
  const project = useProjectColumn<Network>(general.project);

  const columns: Column<Network>[] = [
    {
      key: 'name',
      title: general.name,
      value: ({ name }) => name,
      render: ({ name, id }) => <ResourceLink to="/networks" name={name} id={id} />,
    },
    {
      key: 'kind',
      title: t.kind,
      filter: true,
      value: (network) => t.kinds[kindOf(network)],
      render: (network) => <NetworkKind network={network} />,
    },
    {
      key: 'subnets',
      title: general.subnets,
      value: ({ id }) => (cidrs.get(id) ?? []).map(({ cidr }) => cidr).join(' '),
      render: ({ id, subnets: ids }) => {
        const known = cidrs.get(id) ?? [];
        // Those of an external network are not for tenants to see.
        if (known.length === 0) return ids.length === 0 ? general.none : ids.length;
        return (
          <Flex vertical>
            {known.map((subnet) => (
              <span key={subnet.id} title={subnet.name}>
                {subnet.cidr}
              </span>
            ))}
          </Flex>
        );
      },
    },
    ...project,
    {
      key: 'status',
      title: general.state,
      filter: true,
      value: ({ status }) => status,
      render: ({ status }) => <NetworkState status={status} />,
    },
    {
      key: 'admin',
      title: general.adminState,
      value: ({ admin_state_up: up }) => (up ? general.up : general.down),
      filter: true,
      render: ({ admin_state_up: up }) => <AdminState up={up} />,
    },
    ...(operator
      ? [
          {
            key: 'used',
            title: t.used,
            value: ({ id }: Network) => ipv4Use(used.get(id)?.subnet_ip_availability ?? [])?.used,
            render: ({ id }: Network) => <Used of={used.get(id)} />,
          },
        ]
      : []),
    { key: 'mtu', title: t.mtu, value: ({ mtu }) => mtu, render: ({ mtu }) => mtu, width: 90 },
    {
      key: 'created',
      title: general.created,
      hidden: true,
      value: ({ created_at: at }) => at,
      render: ({ created_at: at }) => <span title={time(at)}>{ago(at)}</span>,
    },
  ];

  const create = (
    <ChangeButton type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)}>
      {t.create}
    </ChangeButton>
  );
  return (
    <PageFrame title={t.title} extra={create}>
      <ResourceTable
        name="networks"
        label={t.title}
        query={networks}
        columns={columns}
        rowKey={({ id }) => id}
        empty={<Typography.Text type="secondary">{t.first}</Typography.Text>}
        bulk={(rows, clear) => (
          <BulkDelete
            rows={rows}
            clear={clear}
            nameOf={({ name, id }) => (name === '' ? id : name)}
            remove={({ id }) => deleteNetwork(id)}
            lost={t.deleteTextMany}
            refresh={[['networks'], ['subnets']]}
          />
        )}
      />
      <CreateNetwork open={creating} onClose={() => setCreating(false)} />
    </PageFrame>
  );
}
