// Roles over HTTP: /v3/roles.
import { Type } from 'typebox';
import type { Route } from '../../../kernel/http/route.ts';
import { idOf } from '../../../kernel/schema.ts';
import { collectionRoutes } from '../collection.ts';
import type { Identity } from '../identity.ts';
import { listedDomain } from '../policy.ts';
import { inferenceRoutes } from './inferences.ts';
import {
  createRole,
  createRoleBody,
  deleteRole,
  roleFor,
  roleView,
  updateRole,
  updateRoleBody,
} from './service.ts';

export const roleRoutes = (identity: Identity): Route[] => [
  ...collectionRoutes({
    singular: 'role',
    plural: 'roles',
    path: '/v3/roles',
    kind: 'role',
    named: true,
    filters: Type.Object({ domain_id: Type.Optional(idOf('domain')) }),
    rows(ctx) {
      const only = listedDomain(ctx.actor);
      const rows = ctx.platform.db.read.selectFrom('roles').selectAll();
      return only === null ? rows : rows.where('domain_id', 'in', ['', only]);
    },
    // Without a domain the list is of the cloud's roles.
    filter: (rows, asked) => rows.where('domain_id', '=', asked.domain_id ?? ''),
    find: roleFor,
    view: roleView,
    create: { body: createRoleBody, make: createRole },
    update: { body: updateRoleBody, change: updateRole },
    remove: (ctx, id) => deleteRole(identity, ctx, id),
  }),
  ...inferenceRoutes(identity),
];
