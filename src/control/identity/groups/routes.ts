// Groups over HTTP: /v3/groups, their members, and the groups of a user.
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { idOf } from '../../../kernel/schema.ts';
import { collectionRoutes } from '../collection.ts';
import type { Identity } from '../identity.ts';
import { listedDomain, may, permit } from '../policy.ts';
import { userFor, userView } from '../users/service.ts';
import { collection } from '../wire.ts';
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
  ...collectionRoutes({
    singular: 'group',
    plural: 'groups',
    path: '/v3/groups',
    kind: 'group',
    named: true,
    filters: Type.Object({ domain_id: Type.Optional(idOf('domain')) }),
    rows(ctx) {
      const only = listedDomain(ctx.actor);
      const rows = ctx.platform.db.read.selectFrom('groups').selectAll();
      return only === null ? rows : rows.where('domain_id', '=', only);
    },
    filter: (rows, asked) =>
      asked.domain_id === undefined ? rows : rows.where('domain_id', '=', asked.domain_id),
    find: groupFor,
    view: groupView,
    create: { body: createGroupBody, make: createGroup },
    update: { body: updateGroupBody, change: updateGroup },
    remove: (ctx, id) => deleteGroup(identity, ctx, id),
  }),
  ...membershipRoutes(identity),
];
