// The catalog: what this program serves, computed, so that it cannot be wrong, and what operators added, read from the
// database and remembered for a moment. Ids of what is computed are made from the names, so that they are the same on
// every replica and after every start.
import { createHash } from 'node:crypto';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { Scope } from '../../../kernel/policy.ts';
import type { EndpointGroupRow, EndpointRow, RegionRow, ServiceRow } from './table.ts';
import { urlFor } from './urls.ts';

/** `path` is below the public URL and may hold `%(project_id)s`. */
export type CatalogEntry = { type: string; name: string; path: string };

const INTERFACES = ['public', 'internal', 'admin'] as const;
const idFor = (...parts: string[]): string =>
  createHash('sha256').update(parts.join('|')).digest('hex').slice(0, 32);

export type Stored = {
  services: readonly ServiceRow[];
  endpoints: readonly EndpointRow[];
  groups: readonly EndpointGroupRow[];
  projectEndpoints: ReadonlyMap<string, readonly string[]>;
  projectGroups: ReadonlyMap<string, readonly string[]>;
};

export type Catalog = {
  /** Of this program; the stored ones are read by who lists them. */
  builtIn: {
    regions: readonly RegionRow[];
    services: readonly ServiceRow[];
    endpoints: readonly EndpointRow[];
  };
  /** All of both kinds. */
  services(): Promise<readonly ServiceRow[]>;
  endpoints(): Promise<readonly EndpointRow[]>;
  /** As tokens carry it. A URL with a project in it is only for tokens with a project. */
  of(scope: Scope, userId: string): Promise<object[]>;
  /** To be called in every transaction that changes what is stored. */
  changed(tx: Tx): void;
  close(): void;
};

/** How long another process may not have heard of a change, should its wake-up be lost. */
const REMEMBER_MS = 5_000;

function builtInOf(platform: Platform, entries: readonly CatalogEntry[]): Catalog['builtIn'] {
  const plain = { description: '', enabled: 1, extra: '{}' };
  return {
    regions: [{ id: platform.region, description: '', parent_region_id: null, extra: '{}' }],
    services: entries.map(({ type, name }) => ({ ...plain, id: idFor('service', type, name), type, name })),
    endpoints: entries.flatMap(({ type, name, path }) =>
      INTERFACES.map((interfaceName) => ({
        id: idFor('endpoint', type, name, interfaceName),
        service_id: idFor('service', type, name),
        interface: interfaceName,
        region_id: platform.region,
        url: `${platform.publicUrl}${path}`,
        enabled: 1,
        extra: '{}',
      })),
    ),
  };
}

export function fitsGroup(endpoint: EndpointRow, group: Pick<EndpointGroupRow, 'filters'>): boolean {
  const row: Record<string, unknown> = { ...endpoint, enabled: endpoint.enabled === 1 };
  return Object.entries(JSON.parse(group.filters) as object).every(([name, value]) => row[name] === value);
}

const listsOf = <R extends { project_id: string }>(
  rows: readonly R[],
  id: (row: R) => string,
): ReadonlyMap<string, readonly string[]> =>
  new Map(
    [...Map.groupBy(rows, (row) => row.project_id)].map(([projectId, own]) => [projectId, own.map(id)]),
  );

export function createCatalog(platform: Platform, entries: readonly CatalogEntry[]): Catalog {
  const { db, clock } = platform;
  const builtIn = builtInOf(platform, entries);
  let known: { at: number; stored: Promise<Stored> } | null = null;
  const forget = (): void => {
    known = null;
  };
  const stopListening = db.onNotify(forget);
  const read = async (): Promise<Stored> => ({
    services: await db.read.selectFrom('catalog_services').selectAll().orderBy('id').execute(),
    endpoints: await db.read.selectFrom('catalog_endpoints').selectAll().orderBy('id').execute(),
    groups: await db.read.selectFrom('endpoint_groups').selectAll().execute(),
    projectEndpoints: listsOf(
      await db.read.selectFrom('project_endpoints').selectAll().execute(),
      (row) => row.endpoint_id,
    ),
    projectGroups: listsOf(
      await db.read.selectFrom('project_endpoint_groups').selectAll().execute(),
      (row) => row.endpoint_group_id,
    ),
  });
  const stored = (): Promise<Stored> => {
    const now = clock.now();
    if (known === null || Math.abs(now - known.at) >= REMEMBER_MS) {
      const reading = read();
      known = { at: now, stored: reading };
      reading.catch(forget);
    }
    return known.stored;
  };

  /** What a project is limited to; null: it sees all. */
  const chosen = (all: Stored, endpoints: readonly EndpointRow[], scope: Scope): Set<string> | null => {
    if (scope.type !== 'project') return null;
    const own = all.projectEndpoints.get(scope.id) ?? [];
    const groupIds = all.projectGroups.get(scope.id) ?? [];
    if (own.length === 0 && groupIds.length === 0) return null;
    const groups = all.groups.filter((group) => groupIds.includes(group.id));
    const grouped = endpoints.filter((one) => groups.some((group) => fitsGroup(one, group)));
    return new Set([...own, ...grouped.map((one) => one.id)]);
  };

  return {
    builtIn,
    services: async () => [...builtIn.services, ...(await stored()).services],
    endpoints: async () => [...builtIn.endpoints, ...(await stored()).endpoints],
    async of(scope, userId) {
      const all = await stored();
      const endpoints = [...builtIn.endpoints, ...all.endpoints];
      const only = chosen(all, endpoints, scope);
      const byService = Map.groupBy(
        endpoints.filter((one) => one.enabled === 1 && (only === null || only.has(one.id))),
        (one) => one.service_id,
      );
      return [...builtIn.services, ...all.services].flatMap((service) => {
        const found = byService.get(service.id) ?? [];
        const shown = found.flatMap((one) => {
          const url = urlFor(one.url, scope, userId);
          return url === null
            ? []
            : [
                {
                  id: one.id,
                  interface: one.interface,
                  region: one.region_id,
                  region_id: one.region_id,
                  url,
                },
              ];
        });
        if (service.enabled === 0 || (shown.length === 0 && (found.length > 0 || only !== null))) return [];
        return [{ id: service.id, type: service.type, name: service.name, endpoints: shown }];
      });
    },
    changed(tx) {
      tx.afterCommit(() => {
        forget();
        db.notify();
      });
    },
    close: stopListening,
  };
}
