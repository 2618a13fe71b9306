// Which role implies which: /v3/roles/{role_id}/implies and /v3/role_inferences.
import { audit } from '../../../kernel/audit.ts';
import { forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import type { Identity, Rows } from '../identity.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import { optionsView, urlOf } from '../wire.ts';
import { roleFor } from './service.ts';
import type { RoleRow } from './table.ts';

const brief = (platform: Platform, row: RoleRow): object => ({
  id: row.id,
  name: row.name,
  domain_id: row.domain_id === '' ? null : row.domain_id,
  description: row.description,
  options: optionsView(row),
  links: { self: urlOf(platform, `/v3/roles/${row.id}`) },
});

const impliedRow = (rows: Rows, priorId: string, impliedId: string) =>
  rows
    .selectFrom('implied_roles')
    .selectAll()
    .where('prior_id', '=', priorId)
    .where('implied_id', '=', impliedId)
    .executeTakeFirst();

async function requireImplied(ctx: Ctx, priorId: string, impliedId: string): Promise<object> {
  const { read } = ctx.platform.db;
  const [prior, implied] = [await roleFor(read, ctx, priorId), await roleFor(read, ctx, impliedId)];
  if ((await impliedRow(read, priorId, impliedId)) === undefined)
    throw notFound('Implied role', `${impliedId} of ${priorId}`);
  return inference(ctx, prior, implied);
}

const inference = (ctx: Ctx, prior: RoleRow, implied: RoleRow): object => ({
  role_inference: { prior_role: brief(ctx.platform, prior), implies: brief(ctx.platform, implied) },
  links: { self: urlOf(ctx.platform, `/v3/roles/${prior.id}/implies/${implied.id}`) },
});

async function imply(ctx: Ctx, priorId: string, impliedId: string): Promise<object> {
  return ctx.platform.db.tx(async (tx) => {
    const [prior, implied] = [await roleFor(tx, ctx, priorId), await roleFor(tx, ctx, impliedId)];
    if (implied.name === 'admin') throw forbidden('Role admin cannot be implied by another role.');
    if (implied.domain_id !== '' && prior.domain_id === '')
      throw forbidden(`Role ${implied.name} belongs to a domain: a role of the cloud cannot imply it.`);
    await tx
      .insertInto('implied_roles')
      .values({ prior_id: priorId, implied_id: impliedId })
      .onConflict((oc) => oc.doNothing())
      .execute();
    await audit(tx, ctx, 'role', priorId);
    return inference(ctx, prior, implied);
  });
}

async function implyNoMore(identity: Identity, ctx: Ctx, priorId: string, impliedId: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const [prior, implied] = [await roleFor(tx, ctx, priorId), await roleFor(tx, ctx, impliedId)];
    if ((await impliedRow(tx, priorId, impliedId)) === undefined)
      throw notFound('Implied role', `${impliedId} of ${priorId}`);
    if (prior.builtin === 1 && implied.builtin === 1)
      throw forbidden(
        `That ${prior.name} implies ${implied.name} is what the policies rest on: it cannot be undone.`,
      );
    await tx
      .deleteFrom('implied_roles')
      .where('prior_id', '=', priorId)
      .where('implied_id', '=', impliedId)
      .execute();
    await identity.revocations.revoke(tx, [subjects.role(priorId)]);
    await audit(tx, ctx, 'role', priorId);
  }, revoking);
}

/** All inferences, or those of one prior role. */
async function inferences(
  ctx: Ctx,
  priorId: string | null,
): Promise<{ prior: RoleRow; implies: RoleRow[] }[]> {
  const { read } = ctx.platform.db;
  const roles = new Map(
    (await read.selectFrom('roles').selectAll().orderBy('name_key').execute()).map((row) => [row.id, row]),
  );
  const pairs = Map.groupBy(
    await read.selectFrom('implied_roles').selectAll().execute(),
    (row) => row.prior_id,
  );
  return [...roles.values()]
    .filter((role) => (priorId === null ? pairs.has(role.id) : role.id === priorId))
    .map((prior) => ({
      prior,
      implies: (pairs.get(prior.id) ?? []).flatMap((pair) => roles.get(pair.implied_id) ?? []),
    }));
}

export const inferenceRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: '/v3/role_inferences',
    policy: 'identity:get_implied_role',
    summary: 'List which roles imply which',
    async handler({ ctx }) {
      const all = await inferences(ctx, null);
      return {
        body: {
          role_inferences: all.map((one) => ({
            prior_role: brief(ctx.platform, one.prior),
            implies: one.implies.map((row) => brief(ctx.platform, row)),
          })),
          links: { self: urlOf(ctx.platform, '/v3/role_inferences') },
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v3/roles/:role_id/implies',
    policy: 'identity:get_implied_role',
    summary: 'List the roles that a role implies',
    ids: { role_id: 'role' },
    async handler({ ctx, params }) {
      const prior = await roleFor(ctx.platform.db.read, ctx, params.role_id);
      const [own] = await inferences(ctx, prior.id);
      return {
        body: {
          role_inference: {
            prior_role: brief(ctx.platform, prior),
            implies: (own?.implies ?? []).map((row) => brief(ctx.platform, row)),
          },
          links: { self: urlOf(ctx.platform, `/v3/roles/${prior.id}/implies`) },
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v3/roles/:role_id/implies/:implied_role_id',
    policy: 'identity:get_implied_role',
    summary: 'Show that a role implies another',
    ids: { role_id: 'role', implied_role_id: 'role' },
    handler: async ({ ctx, params }) => ({
      body: await requireImplied(ctx, params.role_id, params.implied_role_id),
    }),
  }),
  route({
    method: 'HEAD',
    path: '/v3/roles/:role_id/implies/:implied_role_id',
    policy: 'identity:get_implied_role',
    summary: 'Check that a role implies another',
    ids: { role_id: 'role', implied_role_id: 'role' },
    status: 204,
    async handler({ ctx, params }) {
      await requireImplied(ctx, params.role_id, params.implied_role_id);
      return {};
    },
  }),
  route({
    method: 'PUT',
    path: '/v3/roles/:role_id/implies/:implied_role_id',
    policy: 'identity:create_implied_role',
    summary: 'Make a role imply another',
    ids: { role_id: 'role', implied_role_id: 'role' },
    status: 201,
    handler: async ({ ctx, params }) => ({ body: await imply(ctx, params.role_id, params.implied_role_id) }),
  }),
  route({
    method: 'DELETE',
    path: '/v3/roles/:role_id/implies/:implied_role_id',
    policy: 'identity:delete_implied_role',
    summary: 'Make a role no longer imply another',
    ids: { role_id: 'role', implied_role_id: 'role' },
    status: 204,
    async handler({ ctx, params }) {
      await implyNoMore(identity, ctx, params.role_id, params.implied_role_id);
      return {};
    },
  }),
];
