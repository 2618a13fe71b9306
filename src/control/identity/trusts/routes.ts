// Trusts over HTTP: /v3/OS-TRUST/trusts.
import { Type } from 'typebox';
import { notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf } from '../../../kernel/schema.ts';
import type { Identity, Rows } from '../identity.ts';
import { roleView } from '../roles/service.ts';
import type { RoleRow } from '../roles/table.ts';
import { isoOfMicros } from '../times.ts';
import { collection, urlOf } from '../wire.ts';
import { createTrust, createTrustBody, deleteTrust, listTrusts, trustFor } from './service.ts';
import type { TrustRow } from './table.ts';

const LIST = '/v3/OS-TRUST/trusts';
const ONE = `${LIST}/:trust_id`;
const ids = { trust_id: 'trust' } as const;

const summary = (platform: Platform, row: TrustRow): object => ({
  id: row.id,
  trustor_user_id: row.trustor_user_id,
  trustee_user_id: row.trustee_user_id,
  project_id: row.project_id,
  impersonation: row.impersonation === 1,
  expires_at: row.expires_at === null ? null : `${isoOfMicros(row.expires_at)}Z`,
  remaining_uses: row.remaining_uses,
  redelegation_count: row.redelegation_count,
  redelegated_trust_id: row.redelegated_trust_id,
  deleted_at: null,
  links: { self: urlOf(platform, `/v3/OS-TRUST/trusts/${row.id}`) },
});

async function rolesIn(rows: Rows, row: TrustRow): Promise<RoleRow[]> {
  const wanted = JSON.parse(row.roles) as string[];
  return rows
    .selectFrom('roles')
    .selectAll()
    .where('id', 'in', ['', ...wanted])
    .orderBy('name_key')
    .execute();
}

const view = async (ctx: Ctx, row: TrustRow): Promise<object> => ({
  ...summary(ctx.platform, row),
  roles: (await rolesIn(ctx.platform.db.read, row)).map((role) => roleView(ctx.platform, role)),
  roles_links: {
    self: urlOf(ctx.platform, `/v3/OS-TRUST/trusts/${row.id}/roles`),
    previous: null,
    next: null,
  },
});

export const trustRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: LIST,
    policy: 'identity:list_trusts',
    summary: 'List trusts',
    trailingSlash: true,
    query: Type.Object({
      trustor_user_id: Type.Optional(idOf('user')),
      trustee_user_id: Type.Optional(idOf('user')),
    }),
    handler: async ({ ctx, query }) => collection(ctx, LIST, 'trusts', await listTrusts(ctx, query), summary),
  }),
  route({
    method: 'POST',
    path: LIST,
    policy: 'identity:create_trust',
    summary: 'Create a trust: hand on own roles',
    body: createTrustBody,
    status: 201,
    handler: async ({ ctx, body }) => ({ body: { trust: await view(ctx, await createTrust(ctx, body)) } }),
  }),
  route({
    method: 'GET',
    path: ONE,
    policy: 'identity:get_trust',
    summary: 'Show a trust',
    ids,
    handler: async ({ ctx, params }) => ({
      body: { trust: await view(ctx, await trustFor(ctx.platform.db.read, ctx, params.trust_id)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: ONE,
    policy: 'identity:delete_trust',
    summary: 'Delete a trust, and those that were made with it; their tokens end',
    ids,
    status: 204,
    async handler({ ctx, params }) {
      await deleteTrust(identity, ctx, params.trust_id);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: `${ONE}/roles`,
    policy: 'identity:get_trust',
    summary: 'List the roles of a trust',
    ids,
    async handler({ ctx, params }) {
      const { read } = ctx.platform.db;
      const trust = await trustFor(read, ctx, params.trust_id);
      return collection(ctx, `${LIST}/${trust.id}/roles`, 'roles', await rolesIn(read, trust), roleView);
    },
  }),
  route({
    method: 'GET',
    path: `${ONE}/roles/:role_id`,
    policy: 'identity:get_trust',
    summary: 'Show a role of a trust',
    ids: { ...ids, role_id: 'role' },
    async handler({ ctx, params }) {
      const { read } = ctx.platform.db;
      const trust = await trustFor(read, ctx, params.trust_id);
      const role = (await rolesIn(read, trust)).find((one) => one.id === params.role_id);
      if (role === undefined) throw notFound('Role', params.role_id);
      return { body: { role: roleView(ctx.platform, role) } };
    },
  }),
];
