// Hosts: api-ref Compute, "Hypervisors" and "Compute services"; Placement, "Resource provider inventories".
import { all, api, request } from '../../kit/api.ts';
import { CALM_MS } from '../../kit/live.ts';
import type { Inventories } from './claimable.ts';

export type Host = {
  id: string;
  hypervisor_hostname: string;
  state: 'up' | 'down';
  status: 'enabled' | 'disabled';
  host_ip: string;
  hypervisor_type: string;
  hypervisor_version: number;
  service: { id: string; host: string; disabled_reason: string | null };
  vcpus: number;
  vcpus_used: number;
  /** MiB */
  memory_mb: number;
  memory_mb_used: number;
  /** GiB */
  local_gb: number;
  local_gb_used: number;
  running_vms: number;
  cpu_info: { arch: string; model: string };
};

/** For operators. The last microversion that shows capacity beside the hosts. */
export const hostsQuery = {
  queryKey: ['hosts'],
  queryFn: async (): Promise<Host[]> => {
    const response = await request('GET', '/compute/v2.1/os-hypervisors/detail', {
      microversion: 'compute 2.87',
    });
    return ((await response.json()) as { hypervisors: Host[] }).hypervisors;
  },
  refetchInterval: CALM_MS,
};

/** What can be claimed of a host; it hardly ever changes. */
export const inventoryQuery = (hostId: string) => ({
  queryKey: ['host-inventory', hostId],
  queryFn: async () =>
    (await api.get<{ inventories: Inventories }>(`/placement/resource_providers/${hostId}/inventories`))
      .inventories,
  staleTime: 300_000,
});

/** `reason`: what the list of hosts says of it. */
export const disableHost = (host: Host, reason: string): Promise<unknown> =>
  api.put(`/compute/v2.1/os-services/${host.service.id}`, {
    status: 'disabled',
    ...(reason === '' ? {} : { disabled_reason: reason }),
  });
export const enableHost = (host: Host): Promise<unknown> =>
  api.put(`/compute/v2.1/os-services/${host.service.id}`, { status: 'enabled' });

export type HostedServer = {
  id: string;
  name: string;
  status: string;
  tenant_id: string;
  created: string;
  flavor: { vcpus: number; ram: number; disk: number; original_name: string };
};

/** Of all projects. */
export const serversOnQuery = (hostname: string) => ({
  queryKey: ['servers', 'on-host', hostname],
  queryFn: () =>
    all<HostedServer>('/compute/v2.1/servers/detail', 'servers', { all_tenants: true, host: hostname }),
  refetchInterval: CALM_MS,
});
