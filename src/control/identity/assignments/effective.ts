// Effective roles: what a user holds directly, through groups, and through the roles that those imply.
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

/** The effective roles of a user on one scope, by name; none: no token is given for it. */
export async function effectiveRoles(
  rows: Rows,
  userId: string,
  kind: ScopeKind,
  scopeId: string,
): Promise<Role[]> {
  const held = await heldBy(rows, userId)
    .select('role_id')
    .distinct()
    .where('scope_kind', '=', kind)
    .where('scope_id', '=', scopeId)
    .execute();
  if (held.length === 0) return [];
  const expand = await impliedRoles(rows);
  const ids = [...new Set(held.flatMap((row) => [...expand(row.role_id)]))];
  return rows.selectFrom('roles').select(['id', 'name']).where('id', 'in', ids).orderBy('name_key').execute();
}

const scopeIds = (rows: Rows, userId: string, kind: ScopeKind) =>
  heldBy(rows, userId).select('scope_id').where('scope_kind', '=', kind);

/** The projects for which the user could get a token. */
export const workableProjects = (rows: Rows, userId: string): Promise<ProjectRow[]> =>
  rows
    .selectFrom('projects')
    .innerJoin('domains', 'domains.id', 'projects.domain_id')
    .selectAll('projects')
    .where('projects.id', 'in', scopeIds(rows, userId, 'project'))
    .where('projects.enabled', '=', 1)
    .where('domains.enabled', '=', 1)
    .orderBy('projects.name_key')
    .orderBy('projects.id')
    .execute();

/** The domains for which the user could get a token. */
export const workableDomains = (rows: Rows, userId: string): Promise<DomainRow[]> =>
  rows
    .selectFrom('domains')
    .selectAll()
    .where('id', 'in', scopeIds(rows, userId, 'domain'))
    .where('enabled', '=', 1)
    .orderBy('name_key')
    .execute();
