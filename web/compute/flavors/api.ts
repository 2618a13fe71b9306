// Flavors as the compute API tells of them, and the calls that change them.
import { queryOptions } from '@tanstack/react-query';
import { all, api } from '../../kit/api.ts';

const FLAVORS = '/compute/v2.1/flavors';

export type Flavor = {
  id: string;
  name: string;
  description: string | null;
  vcpus: number;
  /** MiB. */
  ram: number;
  swap: number;
  /** GiB; 0: as large as the image. */
  disk: number;
  'OS-FLV-EXT-DATA:ephemeral': number;
  'os-flavor-access:is_public': boolean;
  extra_specs: Readonly<Record<string, string>>;
};

/** The smallest first. Operators see also those that are not public. */
export const flavorsQuery = (operator: boolean) =>
  queryOptions({
    queryKey: ['flavors', 'list', operator],
    queryFn: async ({ signal }) =>
      (
        await all<Flavor>(`${FLAVORS}/detail`, 'flavors', operator ? { is_public: 'none' } : {}, signal)
      ).toSorted((a, b) => a.vcpus - b.vcpus || a.ram - b.ram || a.disk - b.disk),
  });

/** Project ids. */
export const accessQuery = (id: string) =>
  queryOptions({
    queryKey: ['flavors', 'access', id],
    queryFn: async ({ signal }) =>
      (
        await api.get<{ flavor_access: { tenant_id: string }[] }>(
          `${FLAVORS}/${encodeURIComponent(id)}/os-flavor-access`,
          {},
          signal,
        )
      ).flavor_access.map((one) => one.tenant_id),
  });

export type NewFlavor = {
  name: string;
  id?: string;
  description?: string;
  vcpus: number;
  ram: number;
  swap: number;
  disk: number;
  is_public: boolean;
};

export const createFlavor = async ({ is_public: isPublic, ...flavor }: NewFlavor): Promise<string> =>
  (
    await api.post<{ flavor: Flavor }>(FLAVORS, {
      flavor: { ...flavor, 'os-flavor-access:is_public': isPublic },
    })
  ).flavor.id;

export const describeFlavor = (id: string, description: string): Promise<void> =>
  api.put(`${FLAVORS}/${encodeURIComponent(id)}`, {
    flavor: { description: description === '' ? null : description },
  });

export const deleteFlavor = (id: string): Promise<void> => api.delete(`${FLAVORS}/${encodeURIComponent(id)}`);

/** Makes them as `after`, with the calls that are needed for it. */
export async function setExtraSpecs(
  id: string,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): Promise<void> {
  const path = `${FLAVORS}/${encodeURIComponent(id)}/os-extra_specs`;
  const changed = Object.entries(after).filter(([key, value]) => before[key] !== value);
  if (changed.length > 0) await api.post(path, { extra_specs: Object.fromEntries(changed) });
  for (const key of Object.keys(before))
    if (!Object.hasOwn(after, key)) await api.delete(`${path}/${encodeURIComponent(key)}`);
}

export const setAccess = (id: string, project: string, allowed: boolean): Promise<void> =>
  api.post(`${FLAVORS}/${encodeURIComponent(id)}/action`, {
    [allowed ? 'addTenantAccess' : 'removeTenantAccess']: { tenant: project },
  });
