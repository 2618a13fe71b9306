// Users over HTTP: /v3/users.
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { idOf } from '../../../kernel/schema.ts';
import { workableProjects } from '../assignments/effective.ts';
import { collectionRoutes } from '../collection.ts';
import type { Identity } from '../identity.ts';
import { listedDomain, permit } from '../policy.ts';
import { projectView } from '../projects/service.ts';
import { collection } from '../wire.ts';
import { byExpiry, expiryFilter } from './expiry-filter.ts';
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

export const userRoutes = (identity: Identity): Route[] => [
  ...collectionRoutes({
    singular: 'user',
    plural: 'users',
    path: '/v3/users',
    kind: 'user',
    named: true,
    filters: Type.Object({
      domain_id: Type.Optional(idOf('domain')),
      enabled: Type.Optional(Type.Boolean()),
      ...expiryFilter,
    }),
    rows(ctx) {
      const only = listedDomain(ctx.actor);
      const rows = ctx.platform.db.read.selectFrom('users').selectAll();
      return only === null ? rows : rows.where('domain_id', '=', only);
    },
    filter(rows, asked) {
      let out = rows;
      if (asked.domain_id !== undefined) out = out.where('domain_id', '=', asked.domain_id);
      if (asked.enabled !== undefined) out = out.where('enabled', '=', Number(asked.enabled));
      return byExpiry(out, asked.password_expires_at);
    },
    find: userFor,
    view: userView,
    create: { body: createUserBody, make: (ctx, body) => createUser(identity, ctx, body) },
    update: { body: updateUserBody, change: (ctx, id, body) => updateUser(identity, ctx, id, body) },
    remove: (ctx, id) => deleteUser(identity, ctx, id),
  }),
  route({
    method: 'POST',
    path: '/v3/users/:user_id/password',
    policy: 'identity:change_password',
    summary: 'Change the own password',
    // Not an object that is asked for: with it and the old password one proves who one is, as at a login.
    ids: { user_id: 'none' },
    body: passwordBody,
    status: 204,
    async handler({ ctx, params, body, address }) {
      await changePassword(identity, ctx, address, params.user_id, body);
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
