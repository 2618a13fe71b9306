// Names for a list of role assignments: one query a kind, not one a line.
import { chunks, type Rows } from '../identity.ts';
import type { Line } from './listing.ts';

type Named = { id: string; name: string; domain_id?: string };
type Kind = 'user' | 'group' | 'project' | 'domain' | 'role';

export type Names = { shown(kind: Kind, id: string): object };

export const onlyIds: Names = { shown: (_, id) => ({ id }) };

async function named(
  rows: Rows,
  table: 'users' | 'groups' | 'projects',
  ids: readonly string[],
): Promise<Map<string, Named>> {
  const out = new Map<string, Named>();
  for (const some of chunks([...new Set(ids)]))
    for (const row of await rows
      .selectFrom(table)
      .select(['id', 'name', 'domain_id'])
      .where('id', 'in', some)
      .execute())
      out.set(row.id, row);
  return out;
}

export async function namesFor(rows: Rows, lines: readonly Line[]): Promise<Names> {
  const actors = (kind: 'user' | 'group'): string[] =>
    lines.filter((line) => line.actor_kind === kind).map((line) => line.actor_id);
  const scopes = lines.filter((line) => line.scope_kind === 'project').map((line) => line.scope_id);
  const all = async (table: 'domains' | 'roles'): Promise<Map<string, Named>> => {
    const found: Named[] =
      table === 'roles'
        ? await rows.selectFrom('roles').select(['id', 'name', 'domain_id']).execute()
        : await rows.selectFrom('domains').select(['id', 'name']).execute();
    return new Map(found.map((row) => [row.id, row]));
  };
  const tables: Record<Kind, ReadonlyMap<string, Named>> = {
    user: await named(rows, 'users', actors('user')),
    group: await named(rows, 'groups', actors('group')),
    project: await named(rows, 'projects', scopes),
    domain: await all('domains'),
    role: await all('roles'),
  };
  return {
    shown(kind, id) {
      const row = tables[kind].get(id);
      const domainId = row?.domain_id ?? '';
      return {
        id,
        name: row?.name ?? '',
        ...(domainId === ''
          ? {}
          : { domain: { id: domainId, name: tables.domain.get(domainId)?.name ?? '' } }),
      };
    },
  };
}
