// Names of what events are about: the log keeps ids. One call a kind, and none for what has no names.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api } from '../kit/api.ts';
import { isOperator, useSession } from '../kit/session.ts';
import type { AuditEvent } from './api.ts';

type Named = { id: string; name?: string | null; floating_ip_address?: string };
type Asker = { projectId: string; operator: boolean };
type Lookup = (ids: readonly string[], asker: Asker) => Promise<Named[]>;

/** Neutron picks by any number of ids. */
const ofNetwork =
  (collection: string, name: 'name' | 'floating_ip_address' = 'name'): Lookup =>
  async (id) =>
    (await api.get<Record<string, Named[]>>(`/network/v2.0/${collection}`, { id, fields: ['id', name] }))[
      collection.replaceAll('-', '_')
    ] ?? [];

/** Of the newest: what was changed lately is mostly among them. */
const newest =
  (path: (asker: Asker) => string, key: string, scoped = true): Lookup =>
  async (_, asker) =>
    (
      await api.get<Record<string, Named[]>>(path(asker), {
        limit: 1000,
        ...(scoped && asker.operator ? { all_tenants: true } : {}),
      })
    )[key] ?? [];

const lookups: Readonly<Record<string, Lookup>> = {
  server: newest(() => '/compute/v2.1/servers', 'servers'),
  volume: newest(({ projectId }) => `/volume/v3/${projectId}/volumes`, 'volumes'),
  snapshot: newest(({ projectId }) => `/volume/v3/${projectId}/snapshots`, 'snapshots'),
  flavor: newest(() => '/compute/v2.1/flavors', 'flavors', false),
  image: async (ids) =>
    (await api.get<{ images: Named[] }>('/image/v2/images', { id: `in:${ids.join(',')}` })).images,
  network: ofNetwork('networks'),
  subnet: ofNetwork('subnets'),
  router: ofNetwork('routers'),
  'security-group': ofNetwork('security-groups'),
  'floating-ip': ofNetwork('floatingips', 'floating_ip_address'),
};
const operatorLookups: Readonly<Record<string, Lookup>> = {
  project: newest(() => '/identity/v3/projects', 'projects', false),
  user: newest(() => '/identity/v3/users', 'users', false),
  role: newest(() => '/identity/v3/roles', 'roles', false),
  // Those of users; groups of volumes keep their ids.
  group: newest(() => '/identity/v3/groups', 'groups', false),
};

/** Target id -> name, as far as the targets are still there and may be seen. */
export function useTargetNames(events: readonly AuditEvent[] | undefined): ReadonlyMap<string, string> {
  const session = useSession();
  const asker = { projectId: session.project?.id ?? '', operator: isOperator(session) };
  const targets = useMemo(
    () =>
      [...Map.groupBy(events ?? [], (event) => event.target_type)].map(([kind, of]) => ({
        kind,
        ids: [...new Set(of.map((event) => event.target_id))].toSorted(),
      })),
    [events],
  );
  const { data } = useQuery({
    queryKey: ['target-names', asker, targets],
    staleTime: 60_000,
    placeholderData: (before) => before,
    queryFn: async () => {
      const found = await Promise.all(
        targets.map(({ kind, ids }) => {
          const lookup = lookups[kind] ?? (asker.operator ? operatorLookups[kind] : undefined);
          // A name that cannot be had is no reason to show nothing.
          return lookup === undefined ? [] : lookup(ids, asker).catch((): Named[] => []);
        }),
      );
      return found.flat().flatMap(({ id, name, floating_ip_address: address }): [string, string][] => {
        const known = name ?? address ?? '';
        return known === '' ? [] : [[id, known]];
      });
    },
  });
  return useMemo(() => new Map(data), [data]);
}
