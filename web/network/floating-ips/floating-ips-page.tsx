// The list of floating IPs, with everything that is done to them.
import {
  DeleteOutlined,
  DisconnectOutlined,
  LinkOutlined,
  PlusOutlined,
  SwapOutlined,
} from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Flex, Typography } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { ChangeButton, RowActions } from '../../kit/change-button.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { networksQuery } from '../networks/api.ts';
import { useProjectColumn, useServerNames } from '../owners.tsx';
import { NetworkState } from '../parts.tsx';
import { portsQuery } from '../ports/api.ts';
import { ownerOf } from '../ports/owner.ts';
import { routersQuery } from '../routers/api.ts';
import { networkText } from '../text.ts';
import { AllocateDialog, AssociateDialog, changedBy, useRefresh } from './allocate.tsx';
import { disassociate, floatingIpsQuery, release, type FloatingIp } from './api.ts';
import { Forwardings } from './forwardings.tsx';
import { floatingIpsText } from './text.ts';

function useServerOf(): (floating: FloatingIp) => { id: string; name: string } | null {
  const ports = useQuery(portsQuery());
  const servers = useServerNames();
  const byPort = new Map(
    (ports.data ?? []).filter((port) => ownerOf(port) === 'server').map((port) => [port.id, port.device_id]),
  );
  return ({ port_id: port }) => {
    const id = port === null ? undefined : byPort.get(port);
    return id === undefined ? null : { id, name: servers.get(id) ?? id.slice(0, 8) };
  };
}

export function FloatingIpsPage() {
  const t = useText(floatingIpsText);
  const general = useText(networkText);
  const { ago, time } = useFormat();
  const confirm = useConfirm();
  const refresh = useRefresh();
  const floatingIps = useQuery(floatingIpsQuery());
  const networks = useQuery(networksQuery());
  const routers = useQuery(routersQuery());
  const serverOf = useServerOf();
  const project = useProjectColumn<FloatingIp>(general.project);
  const [allocating, setAllocating] = useState(false);
  const [associating, setAssociating] = useState<FloatingIp | null>(null);
  const [forwarding, setForwarding] = useState<string | null>(null);
  const networkName = new Map((networks.data ?? []).map(({ id, name }) => [id, name]));
  const routerName = new Map((routers.data ?? []).map(({ id, name }) => [id, name]));
  const opened = floatingIps.data?.find(({ id }) => id === forwarding);

  const actionsOf = (row: FloatingIp) => {
    const ip = row.floating_ip_address;
    return [
      row.port_id === null
        ? {
            key: 'associate',
            label: t.associate,
            icon: <LinkOutlined />,
            why: row.port_forwardings.length > 0 ? t.hasForwardings : null,
            run: () => setAssociating(row),
          }
        : {
            key: 'disassociate',
            label: t.disassociate,
            icon: <DisconnectOutlined />,
            run: () =>
              confirm({
                title: t.disassociateTitle(ip),
                content: t.disassociateText(serverOf(row)?.name ?? row.fixed_ip_address ?? ''),
                okText: t.disassociate,
                run: async () => {
                  await disassociate(row.id);
                  await refresh();
                },
              }),
          },
      {
        key: 'forwardings',
        label: t.forwardings,
        icon: <SwapOutlined />,
        why: row.port_id === null ? null : t.associatedWhole,
        run: () => setForwarding(row.id),
      },
      {
        key: 'release',
        label: t.release,
        icon: <DeleteOutlined />,
        danger: true,
        why: row.port_forwardings.length > 0 ? t.hasForwardings : null,
        run: () =>
          confirm({
            title: t.releaseTitle(ip),
            content: t.releaseText,
            okText: t.release,
            run: async () => {
              await release(row.id);
              await refresh();
            },
          }),
      },
    ];
  };

  const columns: Column<FloatingIp>[] = [
    {
      key: 'address',
      title: general.address,
      value: ({ floating_ip_address: ip }) => ip,
      render: ({ floating_ip_address: ip }) => <Typography.Text copyable>{ip}</Typography.Text>,
    },
    {
      key: 'target',
      title: t.leadsTo,
      value: (row) => `${serverOf(row)?.name ?? ''} ${row.fixed_ip_address ?? ''}`,
      render: (row) => {
        const server = serverOf(row);
        if (row.port_forwardings.length > 0) return t.forwards(row.port_forwardings.length);
        if (row.port_id === null) return <Typography.Text type="secondary">{t.nothing}</Typography.Text>;
        return (
          <Flex gap={6}>
            {server === null ? null : <ResourceLink to="/servers" id={server.id} name={server.name} />}
            {row.fixed_ip_address}
          </Flex>
        );
      },
    },
    {
      key: 'router',
      title: t.viaRouter,
      value: ({ router_id: id }) => (id === null ? '' : routerName.get(id)),
      render: ({ router_id: id }) =>
        id === null ? null : <ResourceLink to="/routers" id={id} name={routerName.get(id)} />,
    },
    {
      key: 'status',
      title: general.state,
      filter: true,
      value: ({ status }) => status,
      render: ({ status }) => <NetworkState status={status} />,
    },
    {
      key: 'pool',
      title: t.pool,
      filter: true,
      value: ({ floating_network_id: id }) => networkName.get(id),
      render: ({ floating_network_id: id }) => (
        <ResourceLink to="/networks" id={id} name={networkName.get(id)} />
      ),
    },
    ...project,
    {
      key: 'description',
      title: general.description,
      hidden: true,
      value: ({ description }) => description,
      render: ({ description }) => description,
    },
    {
      key: 'created',
      title: general.created,
      hidden: true,
      value: ({ created_at: at }) => at,
      render: ({ created_at: at }) => <span title={time(at)}>{ago(at)}</span>,
    },
    {
      key: 'actions',
      title: general.actions,
      width: 120,
      render: (row) => <RowActions of={row.floating_ip_address} actions={actionsOf(row)} />,
    },
  ];
  return (
    <PageFrame
      title={t.title}
      extra={
        <ChangeButton type="primary" icon={<PlusOutlined />} onClick={() => setAllocating(true)}>
          {t.allocate}
        </ChangeButton>
      }
    >
      <ResourceTable
        name="floating-ips"
        label={t.title}
        query={floatingIps}
        columns={columns}
        rowKey={({ id }) => id}
        empty={<Typography.Text type="secondary">{t.first}</Typography.Text>}
        bulk={(rows, clear) => (
          <BulkDelete
            rows={rows}
            clear={clear}
            verb={t.release}
            nameOf={({ floating_ip_address: ip }) => ip}
            remove={({ id }) => release(id)}
            lost={t.releaseText}
            refresh={changedBy}
          />
        )}
      />
      <AllocateDialog open={allocating} onClose={() => setAllocating(false)} />
      <AssociateDialog of={associating} onClose={() => setAssociating(null)} />
      {opened === undefined ? null : <Forwardings of={opened} onClose={() => setForwarding(null)} />}
    </PageFrame>
  );
}
