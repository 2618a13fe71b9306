// Quotas and limits over HTTP: api-ref "Quota sets extension", "Limits".
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, projectOf } from '../../../kernel/policy.ts';
import { idOf, integer, text } from '../../../kernel/schema.ts';
import { isSet } from '../volumes/schema.ts';

/** Cinder's defaults; -1: unlimited. */
export const volumeQuotas = {
  volumes: 10,
  snapshots: 10,
  /** GiB of volumes and snapshots together. */
  gigabytes: 1000,
  per_volume_gigabytes: -1,
  backups: 10,
  backup_gigabytes: 1000,
  groups: 10,
} as const;
const names = Object.keys(volumeQuotas) as (keyof typeof volumeQuotas)[];

const only = (values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, values[name] ?? volumeQuotas[name]]));
const limitsOf = async (ctx: Ctx, projectId: string): Promise<Record<string, number>> =>
  only(await ctx.platform.quotas.limits(ctx.platform.db.read, projectId));
const defaultsOf = async (ctx: Ctx): Promise<Record<string, number>> =>
  only(await ctx.platform.quotas.defaultLimits(ctx.platform.db.read));
async function usageOf(ctx: Ctx, projectId: string): Promise<Record<string, number>> {
  const used = await ctx.platform.quotas.usage(ctx.platform.db.read, projectId);
  return Object.fromEntries(names.map((name) => [name, used[name] ?? 0]));
}

function target(ctx: Ctx, projectId: string): string {
  if (!canSee(ctx.actor, projectId)) throw notFound('Project', projectId);
  return projectId;
}

const ids = { target_id: 'project' } as const;
const PATH = '/os-quota-sets/:target_id';
const limit = () =>
  Type.Optional(Type.Union([integer(-1, 2_147_483_647), Type.String({ pattern: '^-?[0-9]{1,9}$' })]));
const quotaBody = Type.Object(
  {
    quota_set: Type.Object(
      {
        ...Object.fromEntries(names.map((name) => [name, limit()])),
        tenant_id: Type.Optional(idOf('project')),
        project_id: Type.Optional(idOf('project')),
        skip_validation: Type.Optional(Type.Any()),
      },
      { additionalProperties: limit() },
    ),
  },
  { additionalProperties: false },
);

function readLimits(asked: Readonly<Record<string, unknown>>): Record<string, number> {
  const given: Record<string, number> = {};
  for (const [name, value] of Object.entries(asked)) {
    if (name === 'tenant_id' || name === 'project_id' || name === 'skip_validation') continue;
    if (!names.some((one) => one === name))
      throw badRequest(`Bad key(s) in quota set: ${name.slice(0, 60)}. Known are ${names.join(', ')}.`);
    const number = Number(value);
    if (!Number.isInteger(number) || number < -1 || number > 2_147_483_647)
      throw badRequest(
        `Invalid input for field/attribute ${name}. Value: ${String(value)}. It must be -1 (unlimited) to 2147483647.`,
      );
    given[name] = number;
  }
  return given;
}

export const quotaRoutes: Route[] = [
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy: 'volume:quotas:show',
    summary: 'Show the quota of a project',
    query: Type.Object({ usage: Type.Optional(text(10)) }),
    async handler({ ctx, params, query }) {
      const id = target(ctx, params.target_id);
      const limits = await limitsOf(ctx, id);
      if (!isSet(query.usage)) return { body: { quota_set: { id, ...limits } } };
      const used = await usageOf(ctx, id);
      return {
        body: {
          quota_set: {
            id,
            ...Object.fromEntries(
              names.map((name) => [name, { limit: limits[name], in_use: used[name], reserved: 0 }]),
            ),
          },
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: `${PATH}/defaults`,
    ids,
    policy: 'volume:quotas:show',
    summary: 'Show the default quota',
    handler: async ({ ctx, params }) => ({
      body: { quota_set: { id: params.target_id, ...(await defaultsOf(ctx)) } },
    }),
  }),
  route({
    method: 'PUT',
    path: PATH,
    ids,
    policy: 'volume:quotas:manage',
    summary: 'Set the quota of a project',
    body: quotaBody,
    async handler({ ctx, params, body }) {
      const given = readLimits(body.quota_set);
      await ctx.platform.db.tx(async (tx) => {
        await ctx.platform.quotas.setLimits(tx, params.target_id, given);
        await audit(tx, ctx, 'project', params.target_id);
      });
      return { body: { quota_set: await limitsOf(ctx, params.target_id) } };
    },
  }),
  route({
    method: 'DELETE',
    path: PATH,
    ids,
    policy: 'volume:quotas:manage',
    summary: 'Return a project to the default quota',
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        await ctx.platform.quotas.resetLimits(tx, params.target_id, names);
        await audit(tx, ctx, 'project', params.target_id);
      });
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/os-quota-class-sets/:class_name',
    ids: { class_name: 'none' },
    policy: 'volume:quotas:manage',
    summary: 'Show the default quota as a quota class',
    async handler({ ctx, params }) {
      if (params.class_name !== 'default') throw notFound('Quota class', params.class_name);
      return { body: { quota_class_set: { id: 'default', ...(await defaultsOf(ctx)) } } };
    },
  }),
  route({
    method: 'PUT',
    path: '/os-quota-class-sets/:class_name',
    ids: { class_name: 'none' },
    policy: 'volume:quotas:manage',
    summary: 'Set the default quota of all projects',
    body: Type.Object(
      {
        quota_class_set: Type.Object(Object.fromEntries(names.map((name) => [name, limit()])), {
          additionalProperties: limit(),
        }),
      },
      { additionalProperties: false },
    ),
    async handler({ ctx, params, body }) {
      if (params.class_name !== 'default') throw notFound('Quota class', params.class_name);
      const given = readLimits(body.quota_class_set);
      await ctx.platform.db.tx(async (tx) => {
        await ctx.platform.quotas.setDefaultLimits(tx, given);
        await audit(tx, ctx, 'quota-class', params.class_name);
      });
      return { body: { quota_class_set: await defaultsOf(ctx) } };
    },
  }),
  route({
    method: 'GET',
    path: '/limits',
    policy: 'volume:limits',
    summary: 'Show the limits and usage of a project',
    query: Type.Object({
      project_id: Type.Optional(idOf('project')),
      tenant_id: Type.Optional(idOf('project')),
    }),
    async handler({ ctx, query }) {
      const asked = query.project_id ?? query.tenant_id;
      const projectId = asked === undefined ? projectOf(ctx.actor) : target(ctx, asked);
      const [limits, used] = [await limitsOf(ctx, projectId), await usageOf(ctx, projectId)];
      return {
        body: {
          limits: {
            rate: [],
            absolute: {
              maxTotalVolumes: limits['volumes'],
              maxTotalSnapshots: limits['snapshots'],
              maxTotalVolumeGigabytes: limits['gigabytes'],
              maxTotalBackups: limits['backups'],
              maxTotalBackupGigabytes: limits['backup_gigabytes'],
              totalVolumesUsed: used['volumes'],
              totalSnapshotsUsed: used['snapshots'],
              totalGigabytesUsed: used['gigabytes'],
              totalBackupsUsed: used['backups'],
              totalBackupGigabytesUsed: used['backup_gigabytes'],
            },
          },
        },
      };
    },
  }),
];
