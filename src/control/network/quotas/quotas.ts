// Quotas of the network service, as Neutron shows and sets them.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { canSee, projectOf } from '../../../kernel/policy.ts';
import { ownLimits } from '../../../kernel/quota.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, integer, strict } from '../../../kernel/schema.ts';

export const quotaDefaults = {
  network: 100,
  subnet: 100,
  subnetpool: 100,
  port: 500,
  router: 10,
  floatingip: 50,
  port_forwarding: 200,
  qos_policy: 50,
  security_group: 10,
  security_group_rule: 100,
  rbac_policy: 10,
};
const resources = Object.keys(quotaDefaults);
const MAX_LIMIT = 2_147_483_647;

const only = (values: Record<string, number>): Record<string, number> =>
  Object.fromEntries(resources.map((name) => [name, values[name] ?? 0]));

/** Of a project that the actor may see; others are 404. */
function target(ctx: Ctx, projectId: string): string {
  if (!canSee(ctx.actor, projectId)) throw notFound('Project', projectId);
  return projectId;
}

const defaultsOf = (ctx: Ctx): Record<string, number> =>
  only({ ...quotaDefaults, ...ctx.platform.quotas.defaults });

const limits = Object.fromEntries(resources.map((name) => [name, Type.Optional(integer(-1, MAX_LIMIT))]));
const one = '/v2.0/quotas/:project_id';
const ids = { project_id: 'project' };

export const quotaRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.0/quotas',
    policy: 'list_quotas',
    summary: 'List quotas that differ from the defaults',
    async handler({ ctx }) {
      const rows = await ownLimits(ctx.platform.db.read, resources);
      const defaults = defaultsOf(ctx);
      const quotas = [...Map.groupBy(rows, (row) => row.project_id)].map(([projectId, of]) => ({
        ...defaults,
        ...Object.fromEntries(of.map((row) => [row.resource, row.limit_value])),
        tenant_id: projectId,
        project_id: projectId,
      }));
      return { body: { quotas } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/quotas/tenant',
    policy: 'get_quota',
    summary: 'The project that quotas are shown of',
    handler: async ({ ctx }) => ({
      body: { tenant: { tenant_id: projectOf(ctx.actor), project_id: projectOf(ctx.actor) } },
    }),
  }),
  route({
    method: 'GET',
    path: one,
    policy: 'get_quota',
    summary: 'Show the quota of a project',
    ids,
    handler: async ({ ctx, params }) => ({
      body: {
        quota: only(await ctx.platform.quotas.limits(ctx.platform.db.read, target(ctx, params.project_id))),
      },
    }),
  }),
  ...(['/default', '/default.json'] as const).map((end) =>
    route({
      method: 'GET',
      path: `${one}${end}` as `${typeof one}/default`,
      policy: 'get_quota',
      summary: 'Show the default quota',
      ids,
      handler: async ({ ctx, params }) => {
        target(ctx, params.project_id);
        return { body: { quota: defaultsOf(ctx) } };
      },
    }),
  ),
  ...(['/details', '/details.json'] as const).map((end) =>
    route({
      method: 'GET',
      path: `${one}${end}` as `${typeof one}/details`,
      policy: 'get_quota',
      summary: 'Show the quota of a project with what is in use',
      ids,
      handler: async ({ ctx, params }) => {
        const projectId = target(ctx, params.project_id);
        const db = ctx.platform.db.read;
        const [limit, used] = [
          await ctx.platform.quotas.limits(db, projectId),
          await ctx.platform.quotas.usage(db, projectId),
        ];
        return {
          body: {
            quota: Object.fromEntries(
              resources.map((name) => [
                name,
                { limit: limit[name] ?? 0, used: used[name] ?? 0, reserved: 0 },
              ]),
            ),
          },
        };
      },
    }),
  ),
  route({
    method: 'PUT',
    path: one,
    policy: 'update_quota',
    summary: 'Set the quota of a project',
    ids,
    body: strict({
      quota: strict({
        ...limits,
        force: Type.Optional(Type.Boolean()),
        check_limit: Type.Optional(Type.Boolean()),
        project_id: Type.Optional(idOf('project')),
        tenant_id: Type.Optional(idOf('project')),
      }),
    }),
    async handler({ ctx, params, body }) {
      const given = Object.fromEntries(
        Object.entries(body.quota).flatMap(([name, value]) =>
          resources.includes(name) && typeof value === 'number' ? [[name, value] as const] : [],
        ),
      );
      await ctx.platform.db.tx(async (tx) => {
        await ctx.platform.quotas.setLimits(tx, params.project_id, given);
        await audit(tx, ctx, 'project', params.project_id);
      });
      return {
        body: { quota: only(await ctx.platform.quotas.limits(ctx.platform.db.read, params.project_id)) },
      };
    },
  }),
  route({
    method: 'DELETE',
    path: one,
    policy: 'delete_quota',
    summary: 'Return a project to the default quota',
    ids,
    status: 204,
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        await ctx.platform.quotas.resetLimits(tx, params.project_id, resources);
        await audit(tx, ctx, 'project', params.project_id);
      });
      return {};
    },
  }),
];
