// Quotas and limits over HTTP: api-ref "Quota sets", "Quota class sets", "Limits". Networking's own quotas
// are shown as unlimited here, as Nova does since Neutron counts them.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, isAdmin, projectOf } from '../../../kernel/policy.ts';
import { idOf, strict, until } from '../../../kernel/schema.ts';
import { count, countOf, flag, isSet } from '../links.ts';

/** In the ledger; the rest are limits only. */
const counted = ['instances', 'cores', 'ram', 'server_groups'] as const;
const settable = [
  'instances',
  'cores',
  'ram',
  'key_pairs',
  'metadata_items',
  'server_groups',
  'server_group_members',
] as const;
const byNetworking = [
  'fixed_ips',
  'floating_ips',
  'networks',
  'security_groups',
  'security_group_rules',
] as const;
const injected = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'] as const;

/** The names that this microversion shows. */
function namesAt(minor: number): {
  own: readonly string[];
  networking: readonly string[];
  files: readonly string[];
} {
  return {
    own: settable,
    networking: minor < 36 ? byNetworking.filter((name) => name !== 'networks') : [],
    files: minor < 57 ? injected : [],
  };
}

function quotaView(limits: Readonly<Record<string, number>>, minor: number): Record<string, number> {
  const { own, networking, files } = namesAt(minor);
  return Object.fromEntries([
    ...own.map((name) => [name, limits[name] ?? -1]),
    ...networking.map((name) => [name, -1]),
    ...files.map((name) => [name, 0]),
  ]);
}

const defaultsOf = (ctx: Ctx): Record<string, number> =>
  Object.fromEntries(settable.map((name) => [name, ctx.platform.quotas.defaults[name] ?? -1]));

function readable(ctx: Ctx, projectId: string): void {
  if (!canSee(ctx.actor, projectId)) throw notFound('Project', projectId);
}

const MAX = 2_147_483_647;
const amount = () => Type.Optional(count(-1, MAX));
const quotaBody = strict({
  quota_set: strict({
    ...Object.fromEntries(settable.map((name) => [name, amount()])),
    ...Object.fromEntries([...byNetworking].map((name) => [name, until('2.35', amount())])),
    ...Object.fromEntries(injected.map((name) => [name, until('2.56', amount())])),
    force: Type.Optional(flag()),
    tenant_id: Type.Optional(idOf('project')),
  }),
});

const ids = { project_id: 'project' } as const;
const user = Type.Object({ user_id: Type.Optional(idOf('user')) });
const PATH = '/v2.1/os-quota-sets/:project_id';

async function update(
  ctx: Ctx,
  projectId: string,
  asked: Readonly<Record<string, unknown>>,
): Promise<Record<string, number>> {
  const { quotas } = ctx.platform;
  const limits: Record<string, number> = {};
  for (const name of settable) {
    const value = asked[name];
    if (typeof value === 'number' || typeof value === 'string') limits[name] = countOf(value, name, -1, MAX);
  }
  for (const name of injected)
    if (asked[name] !== undefined && Number(asked[name]) > 0)
      throw badRequest(
        `Invalid input for field/attribute ${name}. Value: ${String(asked[name])}. Injected files are not supported; the limit is 0.`,
      );
  await ctx.platform.db.tx(async (tx) => {
    const usage = await quotas.usage(tx, projectId);
    for (const [name, limit] of Object.entries(limits)) {
      if (limit >= 0 && limit < (usage[name] ?? 0) && !isSet(asked['force'] as boolean | string | undefined))
        throw badRequest(
          `Quota limit ${limit} for ${name} must be greater than or equal to already used and reserved ${usage[name]}. Delete something first, or send force.`,
        );
    }
    await quotas.setLimits(tx, projectId, limits);
    await audit(tx, ctx, 'project', projectId);
  });
  return quotaView(await quotas.limits(ctx.platform.db.read, projectId), ctx.microversion);
}

/** Key pairs are counted by user: here, by the one who asks. */
async function keypairsOf(ctx: Ctx): Promise<number> {
  const { used } = await ctx.platform.db.read
    .selectFrom('keypairs')
    .select((eb) => eb.fn.countAll<number>().as('used'))
    .where('user_id', '=', ctx.actor.userId)
    .executeTakeFirstOrThrow();
  return Number(used);
}

async function limitsOf(ctx: Ctx, projectId: string): Promise<object> {
  const { quotas, db } = ctx.platform;
  const [limits, usage] = [await quotas.limits(db.read, projectId), await quotas.usage(db.read, projectId)];
  const limit = (name: string): number => limits[name] ?? -1;
  const used = (name: string): number => usage[name] ?? 0;
  const minor = ctx.microversion;
  return {
    maxTotalInstances: limit('instances'),
    maxTotalCores: limit('cores'),
    maxTotalRAMSize: limit('ram'),
    maxTotalKeypairs: limit('key_pairs'),
    maxServerMeta: limit('metadata_items'),
    maxServerGroups: limit('server_groups'),
    maxServerGroupMembers: limit('server_group_members'),
    totalInstancesUsed: used('instances'),
    totalCoresUsed: used('cores'),
    totalRAMUsed: used('ram'),
    totalServerGroupsUsed: used('server_groups'),
    ...(minor < 36
      ? {
          maxSecurityGroups: -1,
          maxSecurityGroupRules: -1,
          maxTotalFloatingIps: -1,
          totalFloatingIpsUsed: 0,
          totalSecurityGroupsUsed: 0,
        }
      : {}),
    ...(minor < 39 ? { maxImageMeta: limit('metadata_items') } : {}),
    ...(minor < 57 ? { maxPersonality: 0, maxPersonalitySize: 0 } : {}),
  };
}

export const quotaRoutes: Route[] = [
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy: 'compute:quotas:show',
    summary: 'Show the quota of a project',
    query: user,
    async handler({ ctx, params }) {
      readable(ctx, params.project_id);
      const limits = await ctx.platform.quotas.limits(ctx.platform.db.read, params.project_id);
      return { body: { quota_set: { id: params.project_id, ...quotaView(limits, ctx.microversion) } } };
    },
  }),
  route({
    method: 'PUT',
    path: PATH,
    ids,
    policy: 'compute:quotas:manage',
    summary: 'Change the quota of a project',
    query: user,
    body: quotaBody,
    handler: async ({ ctx, params, body }) => ({
      body: { quota_set: await update(ctx, params.project_id, body.quota_set) },
    }),
  }),
  route({
    method: 'DELETE',
    path: PATH,
    ids,
    policy: 'compute:quotas:manage',
    summary: 'Give a project the default quota again',
    query: user,
    status: 202,
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        await ctx.platform.quotas.resetLimits(tx, params.project_id, settable);
        await audit(tx, ctx, 'project', params.project_id);
      });
      return {};
    },
  }),
  route({
    method: 'GET',
    path: `${PATH}/defaults`,
    ids,
    policy: 'compute:quotas:show',
    summary: 'Show the default quota',
    handler: async ({ ctx, params }) => ({
      body: { quota_set: { id: params.project_id, ...quotaView(defaultsOf(ctx), ctx.microversion) } },
    }),
  }),
  route({
    method: 'GET',
    path: `${PATH}/detail`,
    ids,
    policy: 'compute:quotas:show',
    summary: 'Show the quota of a project and what is used',
    query: user,
    async handler({ ctx, params }) {
      readable(ctx, params.project_id);
      const { quotas, db } = ctx.platform;
      const [limits, usage] = [
        await quotas.limits(db.read, params.project_id),
        await quotas.usage(db.read, params.project_id),
      ];
      const used = (name: string): number => (counted.some((one) => one === name) ? (usage[name] ?? 0) : 0);
      const view = Object.entries(quotaView(limits, ctx.microversion)).map(([name, limit]) => [
        name,
        { limit, in_use: used(name), reserved: 0 },
      ]);
      return {
        body: {
          quota_set: {
            id: params.project_id,
            ...Object.fromEntries(view),
            key_pairs: { limit: limits['key_pairs'] ?? -1, in_use: await keypairsOf(ctx), reserved: 0 },
          },
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-quota-class-sets/default',
    policy: 'compute:quotas:manage',
    summary: 'Show the default quota as a quota class',
    handler: async ({ ctx }) => ({
      body: {
        quota_class_set: { id: 'default', ...quotaView(defaultsOf(ctx), Math.max(ctx.microversion, 36)) },
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.1/limits',
    policy: 'compute:limits',
    summary: 'Show the limits and usage of a project',
    query: Type.Object({
      tenant_id: Type.Optional(idOf('project')),
      reserved: Type.Optional(Type.String({ maxLength: 10 })),
    }),
    async handler({ ctx, query }) {
      const projectId = query.tenant_id ?? projectOf(ctx.actor);
      if (query.tenant_id !== undefined && !isAdmin(ctx.actor)) readable(ctx, projectId);
      return { body: { limits: { rate: [], absolute: await limitsOf(ctx, projectId) } } };
    },
  }),
];
