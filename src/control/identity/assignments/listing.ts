// GET /v3/role_assignments: who holds what where, as stored or as it takes effect (members for groups, the
// projects below for what is inherited, implied roles spelled out), with or without names.
import { Type, type Static } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, text } from '../../../kernel/schema.ts';
import { chunks, type Rows } from '../identity.ts';
import { listedDomain } from '../policy.ts';
import { flag, urlOf } from '../wire.ts';
import { idsBelow, impliedRoles, lineageOf } from './effective.ts';
import { namesFor, onlyIds, type Names } from './names.ts';
import type { AssignmentRow } from './table.ts';

const query = Type.Object({
  'user.id': Type.Optional(idOf('user')),
  'group.id': Type.Optional(idOf('group')),
  'role.id': Type.Optional(idOf('role')),
  'scope.project.id': Type.Optional(idOf('project')),
  'scope.domain.id': Type.Optional(idOf('domain')),
  'scope.system': Type.Optional(text()),
  'scope.OS-INHERIT:inherited_to': Type.Optional(text()),
  effective: Type.Optional(text()),
  include_names: Type.Optional(text()),
  include_subtree: Type.Optional(text()),
});
type Query = Static<typeof query>;

/** One line of the list; the rest says where an effective one comes from. */
export type Line = AssignmentRow & {
  groupId: string | null;
  priorRoleId: string | null;
  /** The scope of the assignment that is inherited. */
  from: Pick<AssignmentRow, 'scope_kind' | 'scope_id'> | null;
};

function requireSense(asked: Query): void {
  const scopes = (['scope.project.id', 'scope.domain.id', 'scope.system'] as const).filter(
    (name) => asked[name] !== undefined,
  );
  const refuse = (what: string): never => {
    throw badRequest(`Invalid query. ${what}`);
  };
  if (asked['user.id'] !== undefined && asked['group.id'] !== undefined)
    refuse('It must not hold both user.id and group.id.');
  if (scopes.length > 1) refuse(`It must not hold more than one of ${scopes.join(', ')}.`);
  if (flag(asked.effective) && asked['group.id'] !== undefined)
    refuse('Roles take effect for users: group.id and effective do not go together.');
  const inherited = asked['scope.OS-INHERIT:inherited_to'];
  if (inherited !== undefined && inherited !== 'projects')
    refuse(`Value of scope.OS-INHERIT:inherited_to: ${inherited}. It must be projects.`);
  if (flag(asked.include_subtree) && asked['scope.project.id'] === undefined)
    refuse('include_subtree needs scope.project.id.');
}

/** The projects that the list is about: those named, and below them where that was asked for; null: it names none. */
async function askedProjects(rows: Rows, asked: Query): Promise<string[] | null> {
  const id = asked['scope.project.id'];
  if (id === undefined) return null;
  return flag(asked.include_subtree) ? [id, ...(await idsBelow(rows, [id]))] : [id];
}

async function stored(
  rows: Rows,
  ctx: Ctx,
  asked: Query,
  projects: readonly string[] | null,
): Promise<AssignmentRow[]> {
  const effective = flag(asked.effective);
  let found = rows.selectFrom('role_assignments').selectAll();
  const only = listedDomain(ctx.actor);
  if (only !== null)
    found = found.where((eb) =>
      eb.or([
        eb.and([eb('scope_kind', '=', 'domain'), eb('scope_id', '=', only)]),
        eb.and([
          eb('scope_kind', '=', 'project'),
          eb('scope_id', 'in', eb.selectFrom('projects').select('id').where('domain_id', '=', only)),
        ]),
      ]),
    );
  const userId = asked['user.id'];
  if (userId !== undefined)
    found = found.where((eb) =>
      eb.or([
        eb.and([eb('actor_kind', '=', 'user'), eb('actor_id', '=', userId)]),
        ...(effective
          ? [
              eb.and([
                eb('actor_kind', '=', 'group'),
                eb(
                  'actor_id',
                  'in',
                  eb.selectFrom('group_members').select('group_id').where('user_id', '=', userId),
                ),
              ]),
            ]
          : []),
      ]),
    );
  const groupId = asked['group.id'];
  if (groupId !== undefined) found = found.where('actor_kind', '=', 'group').where('actor_id', '=', groupId);
  if (projects !== null) {
    const lineage = effective ? await lineageOf(rows, projects[0] ?? '') : [];
    const above = lineage.map((row) => row.id);
    const domainId = lineage[0]?.domain_id;
    found = found.where((eb) =>
      eb.or([
        eb.and([eb('scope_kind', '=', 'project'), eb('scope_id', 'in', [...projects, ...above])]),
        ...(domainId === undefined
          ? []
          : [
              eb.and([
                eb('scope_kind', '=', 'domain'),
                eb('scope_id', '=', domainId),
                eb('inherited', '=', 1),
              ]),
            ]),
      ]),
    );
  }
  const domainId = asked['scope.domain.id'];
  if (domainId !== undefined) {
    found = found.where('scope_kind', '=', 'domain').where('scope_id', '=', domainId);
    if (effective) found = found.where('inherited', '=', 0);
  }
  if (asked['scope.system'] !== undefined) found = found.where('scope_kind', '=', 'system');
  if (asked['scope.OS-INHERIT:inherited_to'] !== undefined) found = found.where('inherited', '=', 1);
  if (asked['role.id'] !== undefined && !effective) found = found.where('role_id', '=', asked['role.id']);
  return found
    .orderBy('scope_kind')
    .orderBy('scope_id')
    .orderBy('actor_kind')
    .orderBy('actor_id')
    .orderBy('role_id')
    .orderBy('inherited')
    .execute();
}

type Below = (row: AssignmentRow) => readonly string[];

/** Which projects inherit what is given on a project or domain: one query for all of the list. */
async function inheritors(rows: Rows, found: readonly AssignmentRow[]): Promise<Below> {
  const above = found.filter((row) => row.inherited === 1);
  if (above.length === 0) return () => [];
  const projects = await rows.selectFrom('projects').select(['id', 'parent_id', 'domain_id']).execute();
  const children = Map.groupBy(projects, (row) => row.parent_id);
  const inDomain = Map.groupBy(projects, (row) => row.domain_id);
  const below = new Map<string, string[]>();
  return (row) => {
    const known = below.get(row.scope_id);
    if (known !== undefined) return known;
    const out: string[] = [];
    if (row.scope_kind === 'domain') for (const one of inDomain.get(row.scope_id) ?? []) out.push(one.id);
    else
      for (const level = [row.scope_id]; level.length > 0;)
        for (const child of children.get(level.pop() ?? '') ?? []) {
          out.push(child.id);
          level.push(child.id);
        }
    below.set(row.scope_id, out);
    return out;
  };
}

async function inEffect(
  rows: Rows,
  found: readonly AssignmentRow[],
  asked: Query,
  projects: readonly string[] | null,
): Promise<Line[]> {
  const expand = await impliedRoles(rows);
  const below = await inheritors(rows, found);
  const ofDomains = new Set(
    (await rows.selectFrom('roles').select('id').where('domain_id', '!=', '').execute()).map((row) => row.id),
  );
  const groupIds = [...new Set(found.filter((row) => row.actor_kind === 'group').map((row) => row.actor_id))];
  const members: { group_id: string; user_id: string }[] = [];
  for (const some of chunks(groupIds))
    members.push(
      ...(await rows.selectFrom('group_members').selectAll().where('group_id', 'in', some).execute()),
    );
  const membersOf = Map.groupBy(members, (member) => member.group_id);
  const wanted = projects === null ? null : new Set(projects);
  const lines = found.flatMap((row): Line[] => {
    const holders =
      row.actor_kind === 'user'
        ? [{ user: row.actor_id, group: null }]
        : (membersOf.get(row.actor_id) ?? []).map((one) => ({ user: one.user_id, group: row.actor_id }));
    const from = { scope_kind: row.scope_kind, scope_id: row.scope_id };
    const places =
      row.inherited === 0
        ? [{ ...from, from: null }]
        : below(row).map((id) => ({ scope_kind: 'project' as const, scope_id: id, from }));
    const fitting = wanted === null ? places : places.filter((place) => wanted.has(place.scope_id));
    return fitting.flatMap((place) =>
      holders.flatMap((holder) =>
        [...expand(row.role_id)].map((roleId) => ({
          ...row,
          ...place,
          actor_kind: 'user' as const,
          actor_id: holder.user,
          role_id: roleId,
          groupId: holder.group,
          priorRoleId: roleId === row.role_id ? null : row.role_id,
        })),
      ),
    );
  });
  return lines.filter(
    (line) =>
      !ofDomains.has(line.role_id) &&
      (asked['user.id'] ?? line.actor_id) === line.actor_id &&
      (asked['role.id'] ?? line.role_id) === line.role_id,
  );
}

function view(ctx: Ctx, line: Line, names: Names): object {
  const given = line.from ?? line;
  const scopePath = given.scope_kind === 'system' ? '/system' : `/${given.scope_kind}s/${given.scope_id}`;
  const [holderKind, holderId] =
    line.groupId === null ? [line.actor_kind, line.actor_id] : ['group', line.groupId];
  const rolePath = `${scopePath}/${holderKind}s/${holderId}/roles/${line.priorRoleId ?? line.role_id}`;
  return {
    role: names.shown('role', line.role_id),
    [line.actor_kind]: names.shown(line.actor_kind, line.actor_id),
    scope: {
      ...(line.scope_kind === 'system'
        ? { system: { all: true } }
        : { [line.scope_kind]: names.shown(line.scope_kind, line.scope_id) }),
      ...(line.inherited === 1 ? { 'OS-INHERIT:inherited_to': 'projects' } : {}),
    },
    links: {
      assignment: urlOf(
        ctx.platform,
        line.inherited === 1 ? `/v3/OS-INHERIT${rolePath}/inherited_to_projects` : `/v3${rolePath}`,
      ),
      ...(line.groupId === null
        ? {}
        : { membership: urlOf(ctx.platform, `/v3/groups/${line.groupId}/users/${line.actor_id}`) }),
      ...(line.priorRoleId === null
        ? {}
        : { prior_role: urlOf(ctx.platform, `/v3/prior_role/${line.priorRoleId}/implies/${line.role_id}`) }),
    },
  };
}

export const assignmentListRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v3/role_assignments',
    policy: 'identity:list_role_assignments',
    summary: 'List role assignments',
    query,
    async handler({ ctx, query: asked }) {
      const { read } = ctx.platform.db;
      requireSense(asked);
      const projects = await askedProjects(read, asked);
      const found = await stored(read, ctx, asked, projects);
      const lines = flag(asked.effective)
        ? await inEffect(read, found, asked, projects)
        : found.map((row) => ({ ...row, groupId: null, priorRoleId: null, from: null }));
      const names = flag(asked.include_names) ? await namesFor(read, lines) : onlyIds;
      return {
        body: {
          role_assignments: lines.map((line) => view(ctx, line, names)),
          links: { self: urlOf(ctx.platform, '/v3/role_assignments'), previous: null, next: null },
        },
      };
    },
  }),
];
