// Reading and setting the quotas of a project: api-ref Compute and Block Storage, "Quota sets"; Networking, "Quotas".
import { api } from '../../kit/api.ts';
import { CALM_MS } from '../../kit/live.ts';
import {
  changedQuotas,
  defaultsOf,
  quotasOf,
  type QuotaGroup,
  type Quotas,
  type QuotaValues,
  type Shown,
} from './quotas.ts';

export async function readQuotas(projectId: string): Promise<Quotas> {
  const [compute, storage, network] = await Promise.all([
    api.get<{ quota_set: Shown }>(`/compute/v2.1/os-quota-sets/${projectId}/detail`),
    api.get<{ quota_set: Shown }>(`/volume/v3/os-quota-sets/${projectId}`, { usage: true }),
    api.get<{ quota: Shown }>(`/network/v2.0/quotas/${projectId}/details`),
  ]);
  return {
    compute: quotasOf('compute', compute.quota_set),
    storage: quotasOf('storage', storage.quota_set),
    network: quotasOf('network', network.quota),
  };
}

export const quotasQuery = (projectId: string) => ({
  queryKey: ['quotas', projectId],
  queryFn: () => readQuotas(projectId),
  refetchInterval: CALM_MS,
});

const places: Readonly<Record<QuotaGroup, { path(id: string): string; body: 'quota_set' | 'quota' }>> = {
  compute: { path: (id) => `/compute/v2.1/os-quota-sets/${id}`, body: 'quota_set' },
  storage: { path: (id) => `/volume/v3/os-quota-sets/${id}`, body: 'quota_set' },
  network: { path: (id) => `/network/v2.0/quotas/${id}`, body: 'quota' },
};

/** Service by service: what one refuses keeps what those before it took. */
export async function setQuotas(projectId: string, quotas: Quotas, wanted: QuotaValues): Promise<void> {
  for (const [group, values] of Object.entries(changedQuotas(quotas, wanted))) {
    const { path, body } = places[group as QuotaGroup];
    await api.put(path(projectId), { [body]: values });
  }
}

export async function resetQuotas(projectId: string): Promise<void> {
  for (const { path } of Object.values(places)) await api.delete(path(projectId));
}

type Limits = Readonly<Record<string, number | string>>;
const COMPUTE_CLASS = '/compute/v2.1/os-quota-class-sets/default';
const STORAGE_CLASS = '/volume/v3/os-quota-class-sets/default';

/** What projects without limits of their own have. `projectId`: any, Neutron asks through one. */
export const defaultQuotasQuery = (projectId: string) => ({
  queryKey: ['quotas', 'defaults', projectId],
  queryFn: async (): Promise<Quotas> => {
    const [compute, storage, network] = await Promise.all([
      api.get<{ quota_class_set: Limits }>(COMPUTE_CLASS),
      api.get<{ quota_class_set: Limits }>(STORAGE_CLASS),
      api.get<{ quota: Limits }>(`/network/v2.0/quotas/${projectId}/default`),
    ]);
    return {
      compute: defaultsOf('compute', compute.quota_class_set),
      storage: defaultsOf('storage', storage.quota_class_set),
      network: defaultsOf('network', network.quota),
    };
  },
});

/** Those of the network are built in. */
export async function setDefaultQuotas(quotas: Quotas, wanted: QuotaValues): Promise<void> {
  const { compute, storage } = changedQuotas(quotas, wanted);
  if (compute !== undefined) await api.put(COMPUTE_CLASS, { quota_class_set: compute });
  if (storage !== undefined) await api.put(STORAGE_CLASS, { quota_class_set: storage });
}
