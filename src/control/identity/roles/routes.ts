// Roles over HTTP: /v3/roles, and which role implies which.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { forbidden, notFound, notImplemented } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage } from '../../../kernel/paging.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import type { Identity, Rows } from '../identity.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import {
  byName,
  collection,
  keyOf,
  listQuery,
  markerRow,
  nameOf,
  noOptions,
  uniquely,
  urlOf,
} from '../wire.ts';
import type { RoleRow } from './table.ts';

const fields = {
  description: Type.Optional(nullable(prose(4000))),
  domain_id: Type.Optional(nullable(idOf('domain'))),
  options: noOptions,
};
const createBody = strict({ role: strict({ ...fields, name: nameOf(255) }) });
const updateBody = strict({ role: strict({ ...fields, name: Type.Optional(nameOf(255)) }) });
const query = listQuery('role', { name: Type.Optional(text()), domain_id: Type.Optional(idOf('domain')) });

export const roleView = (platform: Platform, row: RoleRow): object => ({
  id: row.id,
  name: row.name,
  domain_id: null,
  description: row.description,
  options: row.immutable === 1 ? { immutable: true } : {},
  links: { self: urlOf(platform, `/v3/roles/${row.id}`) },
});

/** Roles belong to nobody: who may list them may read each. */
export async function roleFor(rows: Rows, id: string): Promise<RoleRow> {
  const row = await rows.selectFrom('roles').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Role', id);
  return row;
}

const requireGlobal = (domainId: string | null | undefined): void => {
  if (domainId !== undefined && domainId !== null)
    throw notImplemented('Roles of a single domain are not offered: leave domain_id out.');
};
const requireMutable = (role: RoleRow): void => {
  if (role.immutable === 1)
    throw forbidden(
      `Role ${role.name} is one that the policies rest on: it can be neither changed nor deleted.`,
    );
};

async function create(ctx: Ctx, { role: body }: Static<typeof createBody>): Promise<RoleRow> {
  requireGlobal(body.domain_id);
  const row: RoleRow = {
    id: ctx.platform.ids.hex(),
    name: body.name,
    name_key: keyOf(body.name),
    description: body.description ?? '',
    immutable: 0,
  };
  const work = ctx.platform.db.tx(async (tx) => {
    await tx.insertInto('roles').values(row).execute();
    await audit(tx, ctx, 'role', row.id);
    return row;
  });
  return uniquely('role', body.name, work);
}

async function update(ctx: Ctx, id: string, { role: body }: Static<typeof updateBody>): Promise<RoleRow> {
  requireGlobal(body.domain_id);
  const work = ctx.platform.db.tx(async (tx) => {
    const row = await roleFor(tx, id);
    requireMutable(row);
    const changed: RoleRow = {
      ...row,
      name: body.name ?? row.name,
      name_key: keyOf(body.name ?? row.name),
      description: body.description === undefined ? row.description : (body.description ?? ''),
    };
    await tx.updateTable('roles').set(changed).where('id', '=', id).execute();
    await audit(tx, ctx, 'role', id);
    return changed;
  });
  return uniquely('role', body.name ?? '', work);
}

async function remove(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    requireMutable(await roleFor(tx, id));
    await tx.deleteFrom('role_assignments').where('role_id', '=', id).execute();
    await tx
      .deleteFrom('implied_roles')
      .where((eb) => eb.or([eb('prior_id', '=', id), eb('implied_id', '=', id)]))
      .execute();
    await tx.deleteFrom('roles').where('id', '=', id).execute();
    await identity.revocations.revoke(tx, [subjects.role(id)]);
    await audit(tx, ctx, 'role', id);
  }, revoking);
}

const brief = (platform: Platform, row: RoleRow): object => ({
  id: row.id,
  name: row.name,
  domain_id: null,
  description: row.description,
  options: {},
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
  const [prior, implied] = [await roleFor(read, priorId), await roleFor(read, impliedId)];
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
    const [prior, implied] = [await roleFor(tx, priorId), await roleFor(tx, impliedId)];
    if (implied.name === 'admin') throw forbidden('Role admin cannot be implied by another role.');
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
    const [prior, implied] = [await roleFor(tx, priorId), await roleFor(tx, impliedId)];
    if ((await impliedRow(tx, priorId, impliedId)) === undefined)
      throw notFound('Implied role', `${impliedId} of ${priorId}`);
    if (prior.immutable === 1 && implied.immutable === 1)
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

const inferenceRoutes = (identity: Identity): Route[] => [
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
      const prior = await roleFor(ctx.platform.db.read, params.role_id);
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

export const roleRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: '/v3/roles',
    policy: 'identity:list_roles',
    summary: 'List roles',
    query,
    async handler({ ctx, query: asked, rawQuery }) {
      // Every role here is global; none belongs to the domain that was asked for.
      if (asked.domain_id !== undefined) return collection(ctx, '/v3/roles', 'roles', [], roleView);
      const visible = ctx.platform.db.read.selectFrom('roles').selectAll();
      const rows = asked.name === undefined ? visible : visible.where('name', '=', asked.name);
      const marker = await markerRow(asked.marker, (id) => visible.where('id', '=', id).executeTakeFirst());
      const limit = asked.limit ?? null;
      return collection(
        ctx,
        '/v3/roles',
        'roles',
        await applyPage(rows, byName, marker, limit).execute(),
        roleView,
        { limit, rawQuery },
      );
    },
  }),
  route({
    method: 'POST',
    path: '/v3/roles',
    policy: 'identity:create_role',
    summary: 'Create a role',
    body: createBody,
    status: 201,
    handler: async ({ ctx, body }) => ({ body: { role: roleView(ctx.platform, await create(ctx, body)) } }),
  }),
  route({
    method: 'GET',
    path: '/v3/roles/:role_id',
    policy: 'identity:get_role',
    summary: 'Show a role',
    ids: { role_id: 'role' },
    handler: async ({ ctx, params }) => ({
      body: { role: roleView(ctx.platform, await roleFor(ctx.platform.db.read, params.role_id)) },
    }),
  }),
  route({
    method: 'PATCH',
    path: '/v3/roles/:role_id',
    policy: 'identity:update_role',
    summary: 'Change a role',
    ids: { role_id: 'role' },
    body: updateBody,
    handler: async ({ ctx, params, body }) => ({
      body: { role: roleView(ctx.platform, await update(ctx, params.role_id, body)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/v3/roles/:role_id',
    policy: 'identity:delete_role',
    summary: 'Delete a role',
    ids: { role_id: 'role' },
    status: 204,
    async handler({ ctx, params }) {
      await remove(identity, ctx, params.role_id);
      return {};
    },
  }),
  ...inferenceRoutes(identity),
];
