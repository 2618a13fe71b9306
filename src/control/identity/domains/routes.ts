// Domains over HTTP: /v3/domains.
import { Type } from 'typebox';
import type { Route } from '../../../kernel/http/route.ts';
import { collectionRoutes } from '../collection.ts';
import type { Identity } from '../identity.ts';
import { listedDomain } from '../policy.ts';
import {
  createDomain,
  createDomainBody,
  deleteDomain,
  domainFor,
  domainView,
  updateDomain,
  updateDomainBody,
} from './service.ts';

export const domainRoutes = (identity: Identity): Route[] =>
  collectionRoutes({
    singular: 'domain',
    plural: 'domains',
    path: '/v3/domains',
    kind: 'domain',
    named: true,
    filters: Type.Object({ enabled: Type.Optional(Type.Boolean()) }),
    rows(ctx) {
      const only = listedDomain(ctx.actor);
      const rows = ctx.platform.db.read.selectFrom('domains').selectAll();
      return only === null ? rows : rows.where('id', '=', only);
    },
    filter: (rows, asked) =>
      asked.enabled === undefined ? rows : rows.where('enabled', '=', Number(asked.enabled)),
    find: domainFor,
    view: domainView,
    create: { body: createDomainBody, make: createDomain },
    update: { body: updateDomainBody, change: (ctx, id, body) => updateDomain(identity, ctx, id, body) },
    remove: (ctx, id) => deleteDomain(identity, ctx, id),
  });
