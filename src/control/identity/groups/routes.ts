// Groups over HTTP: /v3/groups, their members, and the groups of a user.
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage } from '../../../kernel/paging.ts';
import { idOf, text } from '../../../kernel/schema.ts';
import type { Identity } from '../identity.ts';
import { listedDomain, may, permit } from '../policy.ts';
import { userFor, userView } from '../users/service.ts';
import { byName, collection, listQuery, markerRow } from '../wire.ts';
import {
  addMember,
  createGroup,
  createGroupBody,
  deleteGroup,
  groupFor,
  groupView,
  removeMember,
  requireMember,
  updateGroup,
  updateGroupBody,
} from './service.ts';

const query = listQuery('group', { name: Type.Optional(text()), domain_id: Type.Optional(idOf('domain')) });

const membershipRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: '/v3/groups/:group_id/users',
    policy: 'identity:list_users_in_group',
    summary: 'List the members of a group',
    ids: { group_id: 'group' },
    async handler({ ctx, params }) {
      const { read } = ctx.platform.db;
      const group = await groupFor(read, ctx, params.group_id);
      const members = await read
        .selectFrom('users')
        .selectAll()
        .where(
          'id',
          'in',
          read.selectFrom('group_members').select('user_id').where('group_id', '=', group.id),
        )
        .orderBy('name_key')
        .execute();
      const readable = members.filter((user) =>
        may(ctx.actor, 'identity:get_user', { userId: user.id, domainId: user.domain_id }),
      );
      return collection(ctx, `/v3/groups/${group.id}/users`, 'users', readable, userView);
    },
  }),
  ...(['GET', 'HEAD'] as const).map((method) =>
    route({
      method,
      path: '/v3/groups/:group_id/users/:user_id',
      policy: 'identity:check_user_in_group',
      summary: 'Check whether a user is in a group',
      ids: { group_id: 'group', user_id: 'user' },
      status: 204,
      async handler({ ctx, params }) {
        await requireMember(ctx, params.group_id, params.user_id);
        return {};
      },
    }),
  ),
  route({
    method: 'PUT',
    path: '/v3/groups/:group_id/users/:user_id',
    policy: 'identity:add_user_to_group',
    summary: 'Put a user into a group',
    ids: { group_id: 'group', user_id: 'user' },
    status: 204,
    async handler({ ctx, params }) {
      await addMember(ctx, params.group_id, params.user_id);
      return {};
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/groups/:group_id/users/:user_id',
    policy: 'identity:remove_user_from_group',
    summary: 'Take a user out of a group',
    ids: { group_id: 'group', user_id: 'user' },
    status: 204,
    async handler({ ctx, params }) {
      await removeMember(identity, ctx, params.group_id, params.user_id);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/v3/users/:user_id/groups',
    policy: 'identity:list_groups_for_user',
    summary: 'List the groups of a user',
    ids: { user_id: 'user' },
    async handler({ ctx, params }) {
      const { read } = ctx.platform.db;
      const user = await userFor(read, ctx, params.user_id);
      permit(ctx, { userId: user.id, domainId: user.domain_id });
      const groups = await read
        .selectFrom('groups')
        .selectAll()
        .where('id', 'in', read.selectFrom('group_members').select('group_id').where('user_id', '=', user.id))
        .orderBy('name_key')
        .execute();
      return collection(ctx, `/v3/users/${user.id}/groups`, 'groups', groups, groupView);
    },
  }),
];

export const groupRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: '/v3/groups',
    policy: 'identity:list_groups',
    summary: 'List groups',
    query,
    async handler({ ctx, query: asked, rawQuery }) {
      const only = listedDomain(ctx.actor);
      let rows = ctx.platform.db.read.selectFrom('groups').selectAll();
      if (only !== null) rows = rows.where('domain_id', '=', only);
      const visible = rows;
      if (asked.name !== undefined) rows = rows.where('name', '=', asked.name);
      if (asked.domain_id !== undefined) rows = rows.where('domain_id', '=', asked.domain_id);
      const marker = await markerRow(asked.marker, (id) => visible.where('id', '=', id).executeTakeFirst());
      const limit = asked.limit ?? null;
      return collection(
        ctx,
        '/v3/groups',
        'groups',
        await applyPage(rows, byName, marker, limit).execute(),
        groupView,
        { limit, rawQuery },
      );
    },
  }),
  route({
    method: 'POST',
    path: '/v3/groups',
    policy: 'identity:create_group',
    summary: 'Create a group',
    body: createGroupBody,
    status: 201,
    handler: async ({ ctx, body }) => ({
      body: { group: groupView(ctx.platform, await createGroup(ctx, body)) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v3/groups/:group_id',
    policy: 'identity:get_group',
    summary: 'Show a group',
    ids: { group_id: 'group' },
    handler: async ({ ctx, params }) => ({
      body: { group: groupView(ctx.platform, await groupFor(ctx.platform.db.read, ctx, params.group_id)) },
    }),
  }),
  route({
    method: 'PATCH',
    path: '/v3/groups/:group_id',
    policy: 'identity:update_group',
    summary: 'Change a group',
    ids: { group_id: 'group' },
    body: updateGroupBody,
    handler: async ({ ctx, params, body }) => ({
      body: { group: groupView(ctx.platform, await updateGroup(ctx, params.group_id, body)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/v3/groups/:group_id',
    policy: 'identity:delete_group',
    summary: 'Delete a group',
    ids: { group_id: 'group' },
    status: 204,
    async handler({ ctx, params }) {
      await deleteGroup(identity, ctx, params.group_id);
      return {};
    },
  }),
  ...membershipRoutes(identity),
];
