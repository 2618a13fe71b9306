// Quotas and limits over HTTP: api-ref "Quota sets", "Quota class sets", "Limits". Networking's own quotas
// are shown as unlimited here, as Nova does since Neutron counts them.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, isAdmin, projectOf } from '../../../kernel/policy.ts';
import { userLimits, userLimitsOf } from '../../../kernel/quota.ts';
import { idOf, strict, until } from '../../../kernel/schema.ts';
import { count, countOf, flag, isSet } from '../links.ts';
import { userUsage } from './user-quotas.ts';

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
/** Kept and shown; what networking counts is limited by its own quotas. */
const all = [...settable, ...byNetworking, ...injected] as const;

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
    ...networking.map((name) => [name, limits[name] ?? -1]),
    ...files.map((name) => [name, limits[name] ?? 0]),
  ]);
}

const defaultsOf = (ctx: Ctx): Promise<Record<string, number>> =>
  ctx.platform.quotas.defaultLimits(ctx.platform.db.read);

/** Quota classes show what networking counts up to 2.49, sets of projects up to 2.35. */
const classView = (limits: Readonly<Record<string, number>>, minor: number): Record<string, number> => {
  const { networks: _networks, ...view } = quotaView(limits, minor < 50 ? 1 : minor);
  return view;
};

/** Of a project, or of one user in it. */
async function limitsFor(
  ctx: Ctx,
  projectId: string,
  userId: string | undefined,
): Promise<Record<string, number>> {
  const { quotas, db } = ctx.platform;
  const limits = await quotas.limits(db.read, projectId);
  return userId === undefined ? limits : { ...limits, ...(await userLimits(db.read, projectId, userId)) };
}

function readable(ctx: Ctx, projectId: string): void {
  if (!canSee(ctx.actor, projectId)) throw notFound('Project', projectId);
}

const MAX = 2_147_483_647;
const amount = () => Type.Optional(count(-1, MAX));
const amounts = {
  ...Object.fromEntries(settable.map((name) => [name, amount()])),
  ...Object.fromEntries(byNetworking.map((name) => [name, until('2.35', amount())])),
  ...Object.fromEntries(injected.map((name) => [name, until('2.56', amount())])),
};
const quotaBody = strict({
  quota_set: strict({
    ...amounts,
    force: Type.Optional(flag()),
    tenant_id: Type.Optional(idOf('project')),
  }),
});
const classBody = strict({ quota_class_set: strict(amounts) });

const ids = { project_id: 'project' } as const;
const className = { class_name: 'none' } as const;
const CLASSES = '/v2.1/os-quota-class-sets/:class_name';
/** The class that all projects are of. */
const DEFAULT_CLASS = 'default';
const user = Type.Object({ user_id: Type.Optional(idOf('user')) });
const PATH = '/v2.1/os-quota-sets/:project_id';

const asked = (values: Readonly<Record<string, unknown>>): Record<string, number> =>
  Object.fromEntries(
    all.flatMap((name) => {
      const value = values[name];
      return typeof value === 'number' || typeof value === 'string'
        ? [[name, countOf(value, name, -1, MAX)] as const]
        : [];
    }),
  );

async function update(
  ctx: Ctx,
  projectId: string,
  userId: string | undefined,
  values: Readonly<Record<string, unknown>>,
): Promise<Record<string, number>> {
  const { quotas } = ctx.platform;
  const limits = asked(values);
  const forced = isSet(values['force'] as boolean | string | undefined);
  await ctx.platform.db.tx(async (tx) => {
    const usage =
      userId === undefined ? await quotas.usage(tx, projectId) : await userUsage(tx, projectId, userId);
    const ofProject = await quotas.limits(tx, projectId);
    for (const [name, limit] of Object.entries(limits)) {
      if (limit >= 0 && limit < (usage[name] ?? 0) && !forced)
        throw badRequest(
          `Quota limit ${limit} for ${name} must be greater than or equal to already used and reserved ${usage[name]}. Delete something first, or send force.`,
        );
      const most = ofProject[name] ?? -1;
      if (userId !== undefined && most >= 0 && (limit > most || limit === -1))
        throw badRequest(
          `Quota limit ${limit} for ${name} of user ${userId} must be less than or equal to that of the project, ${most}.`,
        );
    }
    await quotas.setLimits(tx, userId === undefined ? projectId : userLimitsOf(projectId, userId), limits);
    await audit(tx, ctx, 'project', projectId);
  });
  return quotaView(await limitsFor(ctx, projectId, userId), ctx.microversion);
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
    ...(minor < 57
      ? {
          maxPersonality: limit('injected_files'),
          maxPersonalitySize: limit('injected_file_content_bytes'),
        }
      : {}),
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
    async handler({ ctx, params, query }) {
      readable(ctx, params.project_id);
      const limits = await limitsFor(ctx, params.project_id, query.user_id);
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
    handler: async ({ ctx, params, query, body }) => ({
      body: { quota_set: await update(ctx, params.project_id, query.user_id, body.quota_set) },
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
    async handler({ ctx, params, query }) {
      await ctx.platform.db.tx(async (tx) => {
        const whose =
          query.user_id === undefined ? params.project_id : userLimitsOf(params.project_id, query.user_id);
        await ctx.platform.quotas.resetLimits(tx, whose, all);
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
      body: { quota_set: { id: params.project_id, ...quotaView(await defaultsOf(ctx), ctx.microversion) } },
    }),
  }),
  route({
    method: 'GET',
    path: `${PATH}/detail`,
    ids,
    policy: 'compute:quotas:show',
    summary: 'Show the quota of a project and what is used',
    query: user,
    async handler({ ctx, params, query }) {
      readable(ctx, params.project_id);
      const { quotas, db } = ctx.platform;
      const [limits, usage] = [
        await limitsFor(ctx, params.project_id, query.user_id),
        query.user_id === undefined
          ? await quotas.usage(db.read, params.project_id)
          : await userUsage(db.read, params.project_id, query.user_id),
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
    path: CLASSES,
    ids: className,
    policy: 'compute:quotas:manage',
    summary: 'Show the limits of a quota class',
    async handler({ ctx, params }) {
      const limits =
        params.class_name === DEFAULT_CLASS ? await defaultsOf(ctx) : ctx.platform.quotas.defaults;
      return {
        body: { quota_class_set: { id: params.class_name, ...classView(limits, ctx.microversion) } },
      };
    },
  }),
  route({
    method: 'PUT',
    path: CLASSES,
    ids: className,
    policy: 'compute:quotas:manage',
    summary: 'Change the default limits of all projects',
    body: classBody,
    async handler({ ctx, params, body }) {
      if (params.class_name !== DEFAULT_CLASS)
        throw badRequest(
          `Quota class ${params.class_name.slice(0, 100)} cannot be changed: projects are of the class ${DEFAULT_CLASS}.`,
        );
      const limits = asked(body.quota_class_set);
      await ctx.platform.db.tx(async (tx) => {
        await ctx.platform.quotas.setDefaultLimits(tx, limits);
        await audit(tx, ctx, 'quota-class', DEFAULT_CLASS);
      });
      return { body: { quota_class_set: classView(await defaultsOf(ctx), ctx.microversion) } };
    },
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
