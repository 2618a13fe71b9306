// GET /v3/role_assignments: who holds what where, as stored or as it takes effect (members for groups,
// implied roles spelled out), with or without names.
import { Type, type Static } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, text } from '../../../kernel/schema.ts';
import { chunks, type Rows } from '../identity.ts';
import { listedDomain } from '../policy.ts';
import { flag, urlOf } from '../wire.ts';
import { impliedRoles } from './effective.ts';
import type { AssignmentRow } from './table.ts';

const query = Type.Object({
  'user.id': Type.Optional(idOf('user')),
  'group.id': Type.Optional(idOf('group')),
  'role.id': Type.Optional(idOf('role')),
  'scope.project.id': Type.Optional(idOf('project')),
  'scope.domain.id': Type.Optional(idOf('domain')),
  'scope.system': Type.Optional(text()),
  effective: Type.Optional(text()),
  include_names: Type.Optional(text()),
  include_subtree: Type.Optional(text()),
});
type Query = Static<typeof query>;

/** One line of the list; `groupId` and `priorRoleId` say where an effective one comes from. */
type Line = AssignmentRow & { groupId: string | null; priorRoleId: string | null };
type Named = { id: string; name: string; domain_id?: string };

async function stored(rows: Rows, ctx: Ctx, asked: Query): Promise<AssignmentRow[]> {
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
  if (asked['group.id'] !== undefined)
    found = found.where('actor_kind', '=', 'group').where('actor_id', '=', asked['group.id']);
  if (asked['scope.project.id'] !== undefined)
    found = found.where('scope_kind', '=', 'project').where('scope_id', '=', asked['scope.project.id']);
  if (asked['scope.domain.id'] !== undefined)
    found = found.where('scope_kind', '=', 'domain').where('scope_id', '=', asked['scope.domain.id']);
  if (asked['scope.system'] !== undefined) found = found.where('scope_kind', '=', 'system');
  if (asked['role.id'] !== undefined && !effective) found = found.where('role_id', '=', asked['role.id']);
  return found
    .orderBy('scope_kind')
    .orderBy('scope_id')
    .orderBy('actor_kind')
    .orderBy('actor_id')
    .orderBy('role_id')
    .execute();
}

async function inEffect(rows: Rows, found: readonly AssignmentRow[], asked: Query): Promise<Line[]> {
  const expand = await impliedRoles(rows);
  const groupIds = [...new Set(found.filter((row) => row.actor_kind === 'group').map((row) => row.actor_id))];
  const members: { group_id: string; user_id: string }[] = [];
  for (const some of chunks(groupIds))
    members.push(
      ...(await rows.selectFrom('group_members').selectAll().where('group_id', 'in', some).execute()),
    );
  const membersOf = Map.groupBy(members, (member) => member.group_id);
  const lines = found.flatMap((row): Line[] => {
    const holders =
      row.actor_kind === 'user'
        ? [{ user: row.actor_id, group: null }]
        : (membersOf.get(row.actor_id) ?? []).map((one) => ({ user: one.user_id, group: row.actor_id }));
    return holders.flatMap((holder) =>
      [...expand(row.role_id)].map((roleId) => ({
        ...row,
        actor_kind: 'user' as const,
        actor_id: holder.user,
        role_id: roleId,
        groupId: holder.group,
        priorRoleId: roleId === row.role_id ? null : row.role_id,
      })),
    );
  });
  return lines.filter(
    (line) =>
      (asked['user.id'] ?? line.actor_id) === line.actor_id &&
      (asked['role.id'] ?? line.role_id) === line.role_id,
  );
}

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

type Names = { shown(kind: 'user' | 'group' | 'project' | 'domain' | 'role', id: string): object };

const onlyIds: Names = { shown: (_, id) => ({ id }) };

async function readNames(rows: Rows, lines: readonly Line[]): Promise<Names> {
  const idsOf = (kind: 'user' | 'group'): string[] =>
    lines.filter((line) => line.actor_kind === kind).map((line) => line.actor_id);
  const [users, groups] = [
    await named(rows, 'users', idsOf('user')),
    await named(rows, 'groups', idsOf('group')),
  ];
  const projects = await named(
    rows,
    'projects',
    lines.filter((line) => line.scope_kind === 'project').map((line) => line.scope_id),
  );
  const domains = new Map(
    (await rows.selectFrom('domains').select(['id', 'name']).execute()).map((row) => [row.id, row]),
  );
  const roles = new Map(
    (await rows.selectFrom('roles').select(['id', 'name']).execute()).map((row) => [row.id, row]),
  );
  const tables: Record<string, ReadonlyMap<string, Named>> = {
    user: users,
    group: groups,
    project: projects,
    domain: domains,
    role: roles,
  };
  return {
    shown(kind, id) {
      const row = tables[kind]?.get(id);
      const domain = row?.domain_id === undefined ? undefined : domains.get(row.domain_id);
      return {
        id,
        name: row?.name ?? '',
        ...(row?.domain_id === undefined ? {} : { domain: { id: row.domain_id, name: domain?.name ?? '' } }),
      };
    },
  };
}

function view(ctx: Ctx, line: Line, names: Names): object {
  const scopePath = line.scope_kind === 'system' ? '/v3/system' : `/v3/${line.scope_kind}s/${line.scope_id}`;
  const [holderKind, holderId] =
    line.groupId === null ? [line.actor_kind, line.actor_id] : ['group', line.groupId];
  return {
    role: names.shown('role', line.role_id),
    [line.actor_kind]: names.shown(line.actor_kind, line.actor_id),
    scope:
      line.scope_kind === 'system'
        ? { system: { all: true } }
        : { [line.scope_kind]: names.shown(line.scope_kind, line.scope_id) },
    links: {
      assignment: urlOf(
        ctx.platform,
        `${scopePath}/${holderKind}s/${holderId}/roles/${line.priorRoleId ?? line.role_id}`,
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
      const found = await stored(read, ctx, asked);
      const lines = flag(asked.effective)
        ? await inEffect(read, found, asked)
        : found.map((row) => ({ ...row, groupId: null, priorRoleId: null }));
      const names = flag(asked.include_names) ? await readNames(read, lines) : onlyIds;
      return {
        body: {
          role_assignments: lines.map((line) => view(ctx, line, names)),
          links: { self: urlOf(ctx.platform, '/v3/role_assignments'), previous: null, next: null },
        },
      };
    },
  }),
];
