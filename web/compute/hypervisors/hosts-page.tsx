// All hosts of the cloud: how full they are, and whether they take new servers.
import { useQuery } from '@tanstack/react-query';
import { Button } from 'antd';
import { useMemo, useState } from 'react';
import { useAction } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import { enableHost, hostsQuery, type Host } from './api.ts';
import { Capacity } from './capacity.tsx';
import type { HostResource } from './claimable.ts';
import { DisableHost } from './disable-host.tsx';
import { HostState, Scheduling } from './host-state.tsx';
import { hostText } from './text.ts';

export function HostsPage() {
  const t = useText(hostText);
  const kit = useText(kitText);
  const query = useQuery(hostsQuery);
  const [disabling, setDisabling] = useState<Host | null>(null);
  const { mutate: enable } = useAction<Host>({
    run: enableHost,
    refresh: [['hosts'], ['services']],
    done: t.enabledDone,
  });
  const columns = useMemo((): Column<Host>[] => {
    const capacity = (key: string, title: string, resource: HostResource, share: (host: Host) => number) => ({
      key,
      title,
      width: 170,
      render: (host: Host) => <Capacity host={host} resource={resource} compact />,
      value: share,
    });
    return [
      {
        key: 'name',
        title: kit.name,
        render: ({ id, hypervisor_hostname: name }) => <ResourceLink to="/hosts" id={id} name={name} />,
        value: ({ hypervisor_hostname: name }) => name,
      },
      {
        key: 'state',
        title: t.state,
        render: (host) => <HostState host={host} />,
        value: ({ state }) => t[state],
        filter: true,
      },
      {
        key: 'scheduling',
        title: t.scheduling,
        render: (host) => (
          <>
            <Scheduling host={host} /> {host.service.disabled_reason}
          </>
        ),
        value: ({ status }) => t[status],
        filter: true,
      },
      {
        key: 'servers',
        title: t.servers,
        render: ({ running_vms: count }) => count,
        value: ({ running_vms: count }) => count,
      },
      capacity('vcpus', t.vcpus, 'VCPU', (host) => host.vcpus_used / Math.max(1, host.vcpus)),
      capacity('memory', t.memory, 'MEMORY_MB', (host) => host.memory_mb_used / Math.max(1, host.memory_mb)),
      capacity('disk', t.disk, 'DISK_GB', (host) => host.local_gb_used / Math.max(1, host.local_gb)),
      {
        key: 'address',
        title: t.address,
        render: ({ host_ip: address }) => address,
        value: ({ host_ip: address }) => address,
        hidden: true,
      },
      { key: 'id', title: kit.id, render: ({ id }) => <Id id={id} />, value: ({ id }) => id, hidden: true },
      {
        key: 'actions',
        title: kit.actions,
        width: 110,
        render: (host) =>
          host.status === 'enabled' ? (
            <Button
              size="small"
              aria-label={`${t.disable}: ${host.hypervisor_hostname}`}
              onClick={() => setDisabling(host)}
            >
              {t.disable}
            </Button>
          ) : (
            <Button
              size="small"
              type="primary"
              aria-label={`${t.enable}: ${host.hypervisor_hostname}`}
              onClick={() => enable(host)}
            >
              {t.enable}
            </Button>
          ),
      },
    ];
  }, [t, kit, enable]);
  return (
    <PageFrame title={t.title}>
      <ResourceTable name="hosts" label={t.title} query={query} columns={columns} rowKey={({ id }) => id} />
      <DisableHost host={disabling} onClose={() => setDisabling(null)} />
    </PageFrame>
  );
}
