// The ports of a network.
import { DeleteOutlined, EditOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Flex, Tag, Typography } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { ChangeButton, RowActions } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { ResourceLink, To } from '../../kit/link.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { useSession } from '../../kit/session.ts';
import { toneInk } from '../../kit/state.tsx';
import { useServerNames } from '../owners.tsx';
import { NetworkState } from '../parts.tsx';
import { routersQuery } from '../routers/api.ts';
import { securityGroupsQuery } from '../security-groups/api.ts';
import { networkText } from '../text.ts';
import { createPort, deletePort, portsQuery, updatePort, type Port } from './api.ts';
import { createBody, newPort, updateBody, valuesOf, type PortValues } from './form.ts';
import { ownerOf } from './owner.ts';
import { PortFields } from './port-fields.tsx';
import { portsText } from './text.ts';

const calledOf = (port: Port): string =>
  port.name === '' ? (port.fixed_ips[0]?.ip_address ?? port.id.slice(0, 8)) : port.name;

function useOwnerNames(): (port: Port) => { to: string; name: string } | null {
  const servers = useServerNames();
  const routers = useQuery(routersQuery());
  const routerNames = new Map((routers.data ?? []).map(({ id, name }) => [id, name]));
  return (port) => {
    const kind = ownerOf(port);
    if (kind === 'server') return { to: '/servers', name: servers.get(port.device_id) ?? '' };
    if (kind === 'router' || kind === 'gateway')
      return { to: '/routers', name: routerNames.get(port.device_id) ?? '' };
    return null;
  };
}

export function PortsTable({ networkId }: { networkId: string }) {
  const t = useText(portsText);
  const general = useText(networkText);
  const queries = useQueryClient();
  const confirm = useConfirm();
  const session = useSession();
  const ports = useQuery(portsQuery({ network_id: networkId }));
  const groups = useQuery(securityGroupsQuery());
  const groupNames = new Map((groups.data ?? []).map(({ id, name }) => [id, name]));
  const ownerName = useOwnerNames();
  const [open, setOpen] = useState<Port | 'new' | null>(null);
  const refresh = (): Promise<unknown> => queries.invalidateQueries({ queryKey: ['ports'] });
  const whyNot = (port: Port): string | null =>
    port.device_owner.startsWith('network:') ? t.notYours : null;

  const columns: Column<Port>[] = [
    {
      key: 'name',
      title: general.name,
      value: ({ name, id }) => `${name} ${id}`,
      render: ({ name, id }) =>
        name === '' ? (
          <Typography.Text code>{id.slice(0, 8)}</Typography.Text>
        ) : (
          <span title={id}>{name}</span>
        ),
    },
    {
      key: 'addresses',
      title: general.addresses,
      value: ({ fixed_ips: ips }) => ips.map(({ ip_address: ip }) => ip).join(' '),
      render: ({ fixed_ips: ips }) => (
        <Flex vertical>
          {ips.map(({ ip_address: ip }) => (
            <span key={ip}>{ip}</span>
          ))}
        </Flex>
      ),
    },
    {
      key: 'mac',
      title: t.mac,
      value: ({ mac_address: mac }) => mac,
      render: ({ mac_address: mac }) => (
        <Typography.Text code style={{ whiteSpace: 'nowrap' }}>
          {mac}
        </Typography.Text>
      ),
    },
    {
      key: 'owner',
      title: t.owner,
      filter: true,
      value: (port) => t.owners[ownerOf(port)],
      render: (port) => {
        const known = ownerName(port);
        const kind = t.owners[ownerOf(port)];
        return known === null ? (
          kind
        ) : (
          <>
            {kind} <ResourceLink to={known.to} id={port.device_id} name={known.name} />
          </>
        );
      },
    },
    {
      key: 'status',
      title: general.state,
      filter: true,
      value: ({ status }) => status,
      render: ({ status }) => <NetworkState status={status} />,
    },
    {
      key: 'groups',
      title: t.groups,
      value: ({ security_groups: ids }) => ids.map((id) => groupNames.get(id) ?? '').join(' '),
      render: (port) =>
        port.port_security_enabled ? (
          <Flex gap={6} wrap>
            {port.security_groups.map((id) => (
              <To key={id} to={`/security-groups/${id}`}>
                {groupNames.get(id) ?? id.slice(0, 8)}
              </To>
            ))}
          </Flex>
        ) : port.device_owner.startsWith('network:') ? null : (
          <Tag color="warning" style={{ color: toneInk.warning }}>
            {t.open}
          </Tag>
        ),
    },
    {
      key: 'actions',
      title: general.actions,
      width: 90,
      render: (port) => (
        <RowActions
          of={calledOf(port)}
          actions={[
            {
              key: 'edit',
              label: general.edit,
              icon: <EditOutlined />,
              why: whyNot(port),
              run: () => setOpen(port),
            },
            {
              key: 'delete',
              label: general.delete,
              icon: <DeleteOutlined />,
              danger: true,
              why: whyNot(port),
              run: () =>
                confirm({
                  title: t.deleteTitle(calledOf(port)),
                  content: t.deleteText(
                    ownerOf(port) === 'server' ? (ownerName(port)?.name ?? port.device_id) : '',
                  ),
                  okText: general.delete,
                  run: async () => {
                    await deletePort(port.id);
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
        name="ports"
        label={general.ports}
        query={ports}
        columns={columns}
        rowKey={({ id }) => id}
        toolbar={
          <ChangeButton icon={<PlusOutlined />} onClick={() => setOpen('new')}>
            {t.create}
          </ChangeButton>
        }
        bulk={(rows, clear) => (
          <BulkDelete
            rows={rows}
            clear={clear}
            mayDelete={(port) => whyNot(port) === null}
            nameOf={calledOf}
            remove={({ id }) => deletePort(id)}
            lost={t.deleteManyText}
            refresh={[['ports']]}
          />
        )}
      />
      <FormDialog<PortValues>
        title={open === null || open === 'new' ? t.create : t.edit(calledOf(open))}
        open={open !== null}
        onClose={() => setOpen(null)}
        initial={open === null || open === 'new' ? newPort : valuesOf(open)}
        {...(open === null || open === 'new' ? {} : { okText: general.save })}
        submit={async (values) => {
          if (open === 'new') await createPort(networkId, createBody(values));
          else if (open !== null) await updatePort(open.id, updateBody(values));
          await refresh();
        }}
      >
        <PortFields
          networkId={networkId}
          projectId={open === null || open === 'new' ? session.project?.id : open.project_id}
          fixed={open !== 'new'}
        />
      </FormDialog>
    </>
  );
}
