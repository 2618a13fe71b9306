// Users over HTTP: /v3/users.
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage } from '../../../kernel/paging.ts';
import { idOf, text } from '../../../kernel/schema.ts';
import { workableProjects } from '../assignments/effective.ts';
import type { Identity } from '../identity.ts';
import { listedDomain, permit } from '../policy.ts';
import { projectView } from '../projects/service.ts';
import { byName, collection, listQuery, markerRow } from '../wire.ts';
import {
  changePassword,
  createUser,
  createUserBody,
  deleteUser,
  passwordBody,
  updateUser,
  updateUserBody,
  userFor,
  userView,
} from './service.ts';

const query = listQuery('user', {
  name: Type.Optional(text()),
  domain_id: Type.Optional(idOf('domain')),
  enabled: Type.Optional(Type.Boolean()),
});

export const userRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: '/v3/users',
    policy: 'identity:list_users',
    summary: 'List users',
    query,
    async handler({ ctx, query: asked, rawQuery }) {
      const only = listedDomain(ctx.actor);
      let rows = ctx.platform.db.read.selectFrom('users').selectAll();
      if (only !== null) rows = rows.where('domain_id', '=', only);
      const visible = rows;
      if (asked.name !== undefined) rows = rows.where('name', '=', asked.name);
      if (asked.domain_id !== undefined) rows = rows.where('domain_id', '=', asked.domain_id);
      if (asked.enabled !== undefined) rows = rows.where('enabled', '=', Number(asked.enabled));
      const marker = await markerRow(asked.marker, (id) => visible.where('id', '=', id).executeTakeFirst());
      const limit = asked.limit ?? null;
      return collection(
        ctx,
        '/v3/users',
        'users',
        await applyPage(rows, byName, marker, limit).execute(),
        userView,
        { limit, rawQuery },
      );
    },
  }),
  route({
    method: 'POST',
    path: '/v3/users',
    policy: 'identity:create_user',
    summary: 'Create a user',
    body: createUserBody,
    status: 201,
    handler: async ({ ctx, body }) => ({
      body: { user: userView(ctx.platform, await createUser(identity, ctx, body)) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v3/users/:user_id',
    policy: 'identity:get_user',
    summary: 'Show a user',
    ids: { user_id: 'user' },
    handler: async ({ ctx, params }) => ({
      body: { user: userView(ctx.platform, await userFor(ctx.platform.db.read, ctx, params.user_id)) },
    }),
  }),
  route({
    method: 'PATCH',
    path: '/v3/users/:user_id',
    policy: 'identity:update_user',
    summary: 'Change a user',
    ids: { user_id: 'user' },
    body: updateUserBody,
    handler: async ({ ctx, params, body }) => ({
      body: { user: userView(ctx.platform, await updateUser(identity, ctx, params.user_id, body)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/v3/users/:user_id',
    policy: 'identity:delete_user',
    summary: 'Delete a user',
    ids: { user_id: 'user' },
    status: 204,
    async handler({ ctx, params }) {
      await deleteUser(identity, ctx, params.user_id);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/v3/users/:user_id/password',
    policy: 'identity:change_password',
    summary: 'Change the own password',
    ids: { user_id: 'user' },
    body: passwordBody,
    status: 204,
    async handler({ ctx, params, body }) {
      await changePassword(identity, ctx, params.user_id, body);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/v3/users/:user_id/projects',
    policy: 'identity:list_user_projects',
    summary: 'List the projects that a user can work in',
    ids: { user_id: 'user' },
    async handler({ ctx, params }) {
      const { read } = ctx.platform.db;
      const user = await userFor(read, ctx, params.user_id);
      permit(ctx, { userId: user.id, domainId: user.domain_id });
      return collection(
        ctx,
        `/v3/users/${user.id}/projects`,
        'projects',
        await workableProjects(read, user.id),
        projectView,
      );
    },
  }),
];
