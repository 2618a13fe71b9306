// Effective roles: what a user holds directly, through groups, from above (inherited), and through the roles that
// those imply. Always a fixed number of queries, whatever the number of rows.
import type { DomainRow } from '../domains/table.ts';
import type { Rows } from '../identity.ts';
import type { ProjectRow } from '../projects/table.ts';
import type { AssignmentRow, ScopeKind } from './table.ts';

export type Role = { id: string; name: string };

/** For each role, itself and all that it implies, however far. */
export async function impliedRoles(rows: Rows): Promise<(roleId: string) => ReadonlySet<string>> {
  const implied = Map.groupBy(
    await rows.selectFrom('implied_roles').selectAll().execute(),
    (row) => row.prior_id,
  );
  return (roleId) => {
    const out = new Set([roleId]);
    for (const id of out) for (const row of implied.get(id) ?? []) out.add(row.implied_id);
    return out;
  };
}

const heldBy = (rows: Rows, userId: string) =>
  rows
    .selectFrom('role_assignments')
    .where((eb) =>
      eb.or([
        eb.and([eb('actor_kind', '=', 'user'), eb('actor_id', '=', userId)]),
        eb.and([
          eb('actor_kind', '=', 'group'),
          eb(
            'actor_id',
            'in',
            eb.selectFrom('group_members').select('group_id').where('user_id', '=', userId),
          ),
        ]),
      ]),
    );

/** All assignments of a user, also those through groups. */
export const assignmentsOf = (rows: Rows, userId: string): Promise<AssignmentRow[]> =>
  heldBy(rows, userId).selectAll().execute();

/** A project and those above it, nearest first; empty when there is no such project. */
export async function lineageOf(
  rows: Rows,
  projectId: string,
): Promise<{ id: string; parent_id: string; domain_id: string }[]> {
  const found = await rows
    .withRecursive('lineage', (db) =>
      db
        .selectFrom('projects')
        .select(['id', 'parent_id', 'domain_id'])
        .where('id', '=', projectId)
        .union(
          db
            .selectFrom('projects')
            .innerJoin('lineage', 'lineage.parent_id', 'projects.id')
            .select(['projects.id', 'projects.parent_id', 'projects.domain_id']),
        ),
    )
    .selectFrom('lineage')
    .selectAll()
    .execute();
  const byId = new Map(found.map((row) => [row.id, row]));
  const out = [];
  for (let row = byId.get(projectId); row !== undefined; row = byId.get(row.parent_id)) out.push(row);
  return out;
}

/** The projects below any of these. */
export async function idsBelow(rows: Rows, projectIds: readonly string[]): Promise<string[]> {
  if (projectIds.length === 0) return [];
  const found = await rows
    .withRecursive('below', (db) =>
      db
        .selectFrom('projects')
        .select('id')
        .where('parent_id', 'in', projectIds)
        .union(
          db
            .selectFrom('projects')
            .innerJoin('below', 'below.id', 'projects.parent_id')
            .select('projects.id'),
        ),
    )
    .selectFrom('below')
    .select('id')
    .execute();
  return found.map((row) => row.id);
}

/** The effective roles of a user on one scope, by name; none: no token is given for it. */
export async function effectiveRoles(
  rows: Rows,
  userId: string,
  kind: ScopeKind,
  scopeId: string,
): Promise<Role[]> {
  const lineage = kind === 'project' ? await lineageOf(rows, scopeId) : [];
  const [own, ...above] = lineage;
  const held = await heldBy(rows, userId)
    .select('role_id')
    .distinct()
    .where((eb) =>
      eb.or([
        eb.and([eb('scope_kind', '=', kind), eb('scope_id', '=', scopeId), eb('inherited', '=', 0)]),
        ...(above.length === 0
          ? []
          : [
              eb.and([
                eb('scope_kind', '=', 'project'),
                eb(
                  'scope_id',
                  'in',
                  above.map((row) => row.id),
                ),
                eb('inherited', '=', 1),
              ]),
            ]),
        ...(own === undefined
          ? []
          : [
              eb.and([
                eb('scope_kind', '=', 'domain'),
                eb('scope_id', '=', own.domain_id),
                eb('inherited', '=', 1),
              ]),
            ]),
      ]),
    )
    .execute();
  if (held.length === 0) return [];
  const expand = await impliedRoles(rows);
  const ids = [...new Set(held.flatMap((row) => [...expand(row.role_id)]))];
  return globalRoles(rows, ids);
}

/** Those that stand in tokens, by name. */
export const globalRoles = (rows: Rows, ids: readonly string[]): Promise<Role[]> =>
  ids.length === 0
    ? Promise.resolve([])
    : rows
        .selectFrom('roles')
        .select(['id', 'name'])
        .where('id', 'in', ids)
        .where('domain_id', '=', '')
        .orderBy('name_key')
        .execute();

const scopeIds = (rows: Rows, userId: string, kind: ScopeKind, inherited: 0 | 1) =>
  heldBy(rows, userId).select('scope_id').where('scope_kind', '=', kind).where('inherited', '=', inherited);

/** The projects for which the user could get a token. */
export async function workableProjects(rows: Rows, userId: string): Promise<ProjectRow[]> {
  const above = await scopeIds(rows, userId, 'project', 1).execute();
  const below = await idsBelow(
    rows,
    above.map((row) => row.scope_id),
  );
  return rows
    .selectFrom('projects')
    .innerJoin('domains', 'domains.id', 'projects.domain_id')
    .selectAll('projects')
    .where((eb) =>
      eb.or([
        eb('projects.id', 'in', scopeIds(rows, userId, 'project', 0)),
        eb('projects.domain_id', 'in', scopeIds(rows, userId, 'domain', 1)),
        ...(below.length === 0 ? [] : [eb('projects.id', 'in', below)]),
      ]),
    )
    .where('projects.enabled', '=', 1)
    .where('domains.enabled', '=', 1)
    .orderBy('projects.name_key')
    .orderBy('projects.id')
    .execute();
}

/** The domains for which the user could get a token. */
export const workableDomains = (rows: Rows, userId: string): Promise<DomainRow[]> =>
  rows
    .selectFrom('domains')
    .selectAll()
    .where('id', 'in', scopeIds(rows, userId, 'domain', 0))
    .where('enabled', '=', 1)
    .orderBy('name_key')
    .execute();
