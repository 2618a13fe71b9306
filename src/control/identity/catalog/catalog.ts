// The catalog is what this program serves: computed, not stored, so that it cannot be wrong. Ids are made
// from the names, so that they are the same on every replica and after every start.
import { createHash } from 'node:crypto';
import type { Platform } from '../../../kernel/platform.ts';
import type { Scope } from '../../../kernel/policy.ts';

/** `path` is below the public URL and may hold `%(project_id)s`. */
export type CatalogEntry = { type: string; name: string; path: string };

export type Endpoint = { id: string; serviceId: string; interface: string; region: string; url: string };

const INTERFACES = ['public', 'internal', 'admin'] as const;
const idFor = (...parts: string[]): string =>
  createHash('sha256').update(parts.join('|')).digest('hex').slice(0, 32);

export const serviceId = (entry: CatalogEntry): string => idFor('service', entry.type, entry.name);

export const endpointsOf = (platform: Platform, entry: CatalogEntry): Endpoint[] =>
  INTERFACES.map((name) => ({
    id: idFor('endpoint', entry.type, entry.name, name),
    serviceId: serviceId(entry),
    interface: name,
    region: platform.region,
    url: `${platform.publicUrl}${entry.path}`,
  }));

/** As tokens carry it. A URL with a project in it is only for tokens with a project. */
export function catalogFor(platform: Platform, entries: readonly CatalogEntry[], scope: Scope): object[] {
  const projectId = scope.type === 'project' ? scope.id : null;
  return entries
    .filter((entry) => projectId !== null || !entry.path.includes('%(project_id)s'))
    .map((entry) => ({
      id: serviceId(entry),
      type: entry.type,
      name: entry.name,
      endpoints: endpointsOf(platform, entry).map((one) => ({
        id: one.id,
        interface: one.interface,
        region: one.region,
        region_id: one.region,
        url: one.url.replaceAll('%(project_id)s', projectId ?? ''),
      })),
    }));
}
