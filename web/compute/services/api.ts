// The programs of the cloud, as the three services that know them list them.
import { api } from '../../kit/api.ts';
import { CALM_MS } from '../../kit/live.ts';

type ComputeService = {
  id: string;
  binary: string;
  host: string;
  zone: string;
  status: 'enabled' | 'disabled';
  state: 'up' | 'down';
  updated_at: string | null;
  disabled_reason: string | null;
};
type VolumeService = Omit<ComputeService, 'id'>;
type Agent = {
  id: string;
  agent_type: string;
  host: string;
  availability_zone: string | null;
  admin_state_up: boolean;
  alive: boolean;
  heartbeat_timestamp: string;
};

export type ServiceArea = 'compute' | 'network' | 'storage';
export type ServiceLine = {
  /** The same after every reading. */
  key: string;
  area: ServiceArea;
  name: string;
  host: string;
  zone: string;
  up: boolean;
  enabled: boolean;
  reason: string;
  /** ISO 8601; when it was last heard of. */
  heard: string | null;
  /** How it is taken out of service; null: not on its own. */
  switch: ((enabled: boolean, reason: string) => Promise<unknown>) | null;
};

const computeLine = (one: ComputeService): ServiceLine => ({
  key: `compute ${one.id}`,
  area: 'compute',
  name: one.binary,
  host: one.host,
  zone: one.zone,
  up: one.state === 'up',
  enabled: one.status === 'enabled',
  reason: one.disabled_reason ?? '',
  heard: one.updated_at,
  switch:
    one.binary === 'nova-compute'
      ? (enabled, reason) =>
          api.put(`/compute/v2.1/os-services/${one.id}`, {
            status: enabled ? 'enabled' : 'disabled',
            ...(enabled || reason === '' ? {} : { disabled_reason: reason }),
          })
      : null,
});

const storageLine = (one: VolumeService): ServiceLine => ({
  key: `storage ${one.binary} ${one.host}`,
  area: 'storage',
  name: one.binary,
  host: one.host,
  zone: one.zone,
  up: one.state === 'up',
  enabled: one.status === 'enabled',
  reason: one.disabled_reason ?? '',
  heard: one.updated_at,
  switch:
    one.binary === 'cinder-volume'
      ? (enabled, reason) =>
          api.put(
            `/volume/v3/os-services/${enabled ? 'enable' : reason === '' ? 'disable' : 'disable-log-reason'}`,
            {
              host: one.host,
              binary: one.binary,
              ...(enabled || reason === '' ? {} : { disabled_reason: reason }),
            },
          )
      : null,
});

const networkLine = (one: Agent): ServiceLine => ({
  key: `network ${one.id}`,
  area: 'network',
  name: one.agent_type,
  host: one.host,
  zone: one.availability_zone ?? '',
  up: one.alive,
  enabled: one.admin_state_up,
  reason: '',
  heard: one.heartbeat_timestamp.replace(' ', 'T'),
  // The others serve the guests of their own host.
  switch:
    one.agent_type === 'L3 agent'
      ? (enabled) => api.put(`/network/v2.0/agents/${one.id}`, { agent: { admin_state_up: enabled } })
      : null,
});

export const servicesQuery = {
  queryKey: ['services'],
  queryFn: async (): Promise<ServiceLine[]> => {
    const [compute, storage, network] = await Promise.all([
      api.get<{ services: ComputeService[] }>('/compute/v2.1/os-services'),
      api.get<{ services: VolumeService[] }>('/volume/v3/os-services'),
      api.get<{ agents: Agent[] }>('/network/v2.0/agents'),
    ]);
    return [
      ...compute.services.map(computeLine),
      ...storage.services.map(storageLine),
      ...network.agents.map(networkLine),
    ];
  },
  refetchInterval: CALM_MS,
};
