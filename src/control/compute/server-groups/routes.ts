// Server groups over HTTP: api-ref "Server groups".
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { integer, since, strict, text, until } from '../../../kernel/schema.ts';
import { count, countOf, isSet, pageSize } from '../links.ts';
import {
  createGroup,
  deleteGroup,
  findGroup,
  type GroupPolicy,
  type GroupRow,
  membersOf,
  rulesOf,
} from './service.ts';

function groupView(row: GroupRow, members: readonly string[], minor: number): object {
  return {
    id: row.id,
    name: row.name,
    members,
    ...(minor >= 64 ? { policy: row.policy, rules: rulesOf(row) } : { policies: [row.policy], metadata: {} }),
    ...(minor >= 13 ? { project_id: row.project_id, user_id: row.user_id } : {}),
  };
}
const shown = async (ctx: Ctx, row: GroupRow) => ({
  server_group: groupView(
    row,
    (await membersOf(ctx.platform.db.read, [row.id])).get(row.id) ?? [],
    ctx.microversion,
  ),
});

const MAX_PER_HOST = 1_000_000;

const hard = ['affinity', 'anti-affinity'] as const;
const soft = ['soft-affinity', 'soft-anti-affinity'] as const;
function policyOf(name: string, minor: number): GroupPolicy {
  const policy = [...hard, ...(minor >= 15 ? soft : [])].find((one) => one === name);
  if (policy === undefined)
    throw badRequest(
      `Invalid input for field/attribute policy. Value: ${name}. It must be ${[...hard, ...(minor >= 15 ? soft : [])].join(', ')}.`,
    );
  return policy;
}

const ids = { server_group_id: 'server-group' } as const;

export const serverGroupRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.1/os-server-groups',
    policy: 'compute:server-groups:list',
    summary: 'List server groups',
    query: Type.Object({
      limit: Type.Optional(integer(0, 2_147_483_647)),
      offset: Type.Optional(integer(0, 2_147_483_647)),
      all_projects: Type.Optional(text(10)),
    }),
    async handler({ ctx, query }) {
      const everywhere =
        query.all_projects !== undefined &&
        isAdmin(ctx.actor) &&
        (query.all_projects === '' || isSet(query.all_projects));
      let groups = ctx.platform.db.read.selectFrom('server_groups').selectAll();
      if (!everywhere) groups = groups.where('project_id', '=', projectOf(ctx.actor));
      const rows = await groups
        .orderBy('created_at')
        .orderBy('id')
        .limit(pageSize(query.limit))
        .offset(query.offset ?? 0)
        .execute();
      const members = await membersOf(
        ctx.platform.db.read,
        rows.map((row) => row.id),
      );
      return {
        body: {
          server_groups: rows.map((row) => groupView(row, members.get(row.id) ?? [], ctx.microversion)),
        },
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v2.1/os-server-groups',
    policy: 'compute:server-groups:manage',
    summary: 'Create a server group',
    body: strict({
      server_group: strict({
        name: text(255, 1),
        policies: until('2.63', Type.Optional(Type.Array(text(255), { minItems: 1, maxItems: 1 }))),
        policy: since('2.64', Type.Optional(text(255))),
        rules: since(
          '2.64',
          Type.Optional(strict({ max_server_per_host: Type.Optional(count(1, MAX_PER_HOST)) })),
        ),
      }),
    }),
    async handler({ ctx, body: { server_group: asked } }) {
      const policy = asked.policy ?? asked.policies?.[0];
      if (policy === undefined)
        throw badRequest(
          `Invalid input for field/attribute server_group. '${ctx.microversion >= 64 ? 'policy' : 'policies'}' is a required property.`,
        );
      const perHost = asked.rules?.max_server_per_host;
      if (perHost !== undefined && policy !== 'anti-affinity')
        throw badRequest(
          `Only anti-affinity policy supports rules; max_server_per_host does not apply to ${policy}.`,
        );
      const rules =
        perHost === undefined
          ? {}
          : { max_server_per_host: countOf(perHost, 'max_server_per_host', 1, MAX_PER_HOST) };
      return {
        body: await shown(ctx, await createGroup(ctx, asked.name, policyOf(policy, ctx.microversion), rules)),
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-server-groups/:server_group_id',
    ids,
    policy: 'compute:server-groups:list',
    summary: 'Show a server group',
    handler: async ({ ctx, params }) => ({
      body: await shown(ctx, await findGroup(ctx.platform.db.read, ctx, params.server_group_id)),
    }),
  }),
  route({
    method: 'DELETE',
    path: '/v2.1/os-server-groups/:server_group_id',
    ids,
    policy: 'compute:server-groups:manage',
    summary: 'Delete a server group',
    status: 204,
    async handler({ ctx, params }) {
      await deleteGroup(ctx, params.server_group_id);
      return {};
    },
  }),
];
