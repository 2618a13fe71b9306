// The network interfaces of a server: its ports, their addresses, and the floating IPs that lead to them.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Flex, Typography } from 'antd';
import { useMemo, useState } from 'react';
import { ActionButton } from '../../../kit/action-button.tsx';
import { useConfirm } from '../../../kit/action.tsx';
import { useText } from '../../../kit/language.tsx';
import { Id, ResourceLink } from '../../../kit/link.tsx';
import { ResourceTable, type Column } from '../../../kit/resource-table.tsx';
import { StateTag } from '../../../kit/state.tsx';
import type { Server } from '../server.ts';
import {
  detachInterface,
  floatingIpsQuery,
  networksQuery,
  pointFloatingIp,
  portsQuery,
  securityGroupsQuery,
  type FloatingIp,
  type Port,
} from './api.ts';
import { AttachInterfaceDialog } from './attach-interface-dialog.tsx';
import { FloatingIpDialog, type Target } from './floating-ip-dialog.tsx';
import { useWhyNot } from './may-change.ts';
import { partsText } from './parts-text.ts';

const keyOf = ({ id }: Port): string => id;

function FloatingIps({
  port,
  floatingIps,
  why,
  add,
}: {
  port: Port;
  floatingIps: readonly FloatingIp[];
  why: string | null;
  add(target: Target): void;
}) {
  const t = useText(partsText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const drop = (one: FloatingIp): void =>
    confirm({
      title: t.dropFloatingTitle(one.floating_ip_address),
      content: t.dropFloatingWhat,
      okText: t.dropFloating,
      run: async () => {
        await pointFloatingIp(one.id, null).finally(() =>
          queries.invalidateQueries({ queryKey: ['servers'] }),
        );
      },
    });
  const own = floatingIps.filter((one) => one.port_id === port.id);
  const free = port.fixed_ips.find(
    ({ ip_address }) => !ip_address.includes(':') && !own.some((one) => one.fixed_ip_address === ip_address),
  );
  return (
    <Flex vertical align="flex-start">
      {own.map((one) => (
        <Flex key={one.id} gap={4} align="center">
          <Typography.Text copyable={{ text: one.floating_ip_address }}>
            {one.floating_ip_address}
          </Typography.Text>
          <ActionButton why={why} type="link" size="small" onClick={() => drop(one)}>
            {t.dropFloating}
          </ActionButton>
        </Flex>
      ))}
      {free === undefined ? null : (
        <ActionButton
          why={why}
          type="link"
          size="small"
          style={{ paddingInline: 0 }}
          onClick={() => add({ portId: port.id, address: free.ip_address })}
        >
          {t.addFloating}
        </ActionButton>
      )}
    </Flex>
  );
}

export function InterfacesTab({ server }: { server: Server }) {
  const t = useText(partsText);
  const why = useWhyNot(server);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const ports = useQuery(portsQuery(server.id));
  const { data: networks = [] } = useQuery(networksQuery);
  const { data: floatingIps = [] } = useQuery(floatingIpsQuery(server.tenant_id));
  const { data: groups = [] } = useQuery(securityGroupsQuery(server.tenant_id));
  const [attaching, setAttaching] = useState(false);
  const [target, setTarget] = useState<Target | null>(null);
  const columns = useMemo((): readonly Column<Port>[] => {
    const networkOf = (port: Port) => networks.find(({ id }) => id === port.network_id);
    const detach = (port: Port): void =>
      confirm({
        title: t.detachInterfaceTitle(networkOf(port)?.name ?? port.mac_address),
        content: t.detachInterfaceWhat,
        okText: t.detachInterface,
        run: () =>
          detachInterface(server.id, port.id).finally(() =>
            queries.invalidateQueries({ queryKey: ['servers'] }),
          ),
      });
    return [
      {
        key: 'network',
        title: t.network,
        value: (port) => networkOf(port)?.name,
        render: (port) => <ResourceLink to="/networks" name={networkOf(port)?.name} id={port.network_id} />,
      },
      {
        key: 'fixed',
        title: t.fixed,
        value: (port) => port.fixed_ips.map(({ ip_address }) => ip_address).join(' '),
        render: (port) => (
          <Flex vertical>
            {port.fixed_ips.length === 0
              ? t.none
              : port.fixed_ips.map(({ ip_address }) => (
                  <Typography.Text key={ip_address} copyable={{ text: ip_address }}>
                    {ip_address}
                  </Typography.Text>
                ))}
          </Flex>
        ),
      },
      {
        key: 'floating',
        title: t.floating,
        width: 220,
        render: (port) => <FloatingIps port={port} floatingIps={floatingIps} why={why} add={setTarget} />,
      },
      {
        key: 'groups',
        title: t.groups,
        render: (port) =>
          port.port_security_enabled
            ? port.security_groups
                .map((id) => groups.find((group) => group.id === id)?.name ?? id.slice(0, 8))
                .join(', ') || t.none
            : t.noFilter,
      },
      {
        key: 'mac',
        title: t.mac,
        value: ({ mac_address }) => mac_address,
        render: (port) => port.mac_address,
      },
      {
        key: 'state',
        title: t.state,
        width: 110,
        value: ({ status }) => status,
        render: ({ status }) => <StateTag state={status} />,
      },
      { key: 'port', title: t.port, width: 120, render: ({ id }) => <Id id={id} short /> },
      {
        key: 'actions',
        title: t.actions,
        width: 100,
        render: (port) => (
          <ActionButton why={why} size="small" danger onClick={() => detach(port)}>
            {t.detachInterface}
          </ActionButton>
        ),
      },
    ];
  }, [networks, floatingIps, groups, why, t, confirm, queries, server.id]);
  return (
    <>
      <ResourceTable<Port>
        name="server-ports"
        label={t.network}
        query={ports}
        columns={columns}
        rowKey={keyOf}
        toolbar={
          <ActionButton why={why} icon={<PlusOutlined aria-hidden />} onClick={() => setAttaching(true)}>
            {t.attachInterface}
          </ActionButton>
        }
        empty={t.noInterfaces}
      />
      <AttachInterfaceDialog server={server} open={attaching} onClose={() => setAttaching(false)} />
      {target === null ? null : (
        <FloatingIpDialog server={server} target={target} onClose={() => setTarget(null)} />
      )}
    </>
  );
}
