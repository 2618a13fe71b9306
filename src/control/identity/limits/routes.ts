// Unified limits over HTTP: /v3/registered_limits and /v3/limits.
import { Type } from 'typebox';
import { badRequest, conflict, forbidden } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { idOf, integer, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import type { Identity } from '../identity.ts';
import { collection } from '../wire.ts';
import {
  addLimits,
  changeLimit,
  dropLimit,
  limitFor,
  limits,
  limitView,
  registeredLimitFor,
  registeredLimits,
  registeredView,
  setDefault,
} from './limits.ts';

const REGISTERED = '/v3/registered_limits';
const LIMITS = '/v3/limits';
const registeredIds = { registered_limit_id: 'registered-limit' } as const;
const limitIds = { limit_id: 'limit' } as const;

/** -1: no limit. */
const amount = integer(-1, 2_147_483_647);
const place = {
  service_id: idOf('catalog-service'),
  region_id: Type.Optional(nullable(idOf('region'))),
  resource_name: text(255, 1),
  description: Type.Optional(nullable(prose(1000))),
};
const filters = Type.Object({
  service_id: Type.Optional(idOf('catalog-service')),
  region_id: Type.Optional(idOf('region')),
  resource_name: Type.Optional(text()),
});
const limitFilters = Type.Object({
  ...filters.properties,
  project_id: Type.Optional(idOf('project')),
  domain_id: Type.Optional(idOf('domain')),
});

const fits = (
  row: { service_id: string; resource_name: string },
  asked: { service_id?: string; region_id?: string; resource_name?: string },
): boolean =>
  (asked.service_id ?? row.service_id) === row.service_id &&
  (asked.resource_name ?? row.resource_name) === row.resource_name &&
  asked.region_id === undefined;

const registeredRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: REGISTERED,
    policy: 'identity:list_registered_limits',
    summary: 'List what projects may have by default',
    query: filters,
    async handler({ ctx, query }) {
      const rows = await registeredLimits(identity, ctx.platform.db.read, ctx);
      const fitting = rows.filter((row) => fits(row, query));
      return collection(ctx, REGISTERED, 'registered_limits', fitting, registeredView);
    },
  }),
  route({
    method: 'GET',
    path: `${REGISTERED}/:registered_limit_id`,
    policy: 'identity:get_registered_limit',
    summary: 'Show a registered limit',
    ids: registeredIds,
    async handler({ ctx, params }) {
      const row = await registeredLimitFor(identity, ctx.platform.db.read, ctx, params.registered_limit_id);
      return { body: { registered_limit: registeredView(ctx.platform, row) } };
    },
  }),
  route({
    method: 'POST',
    path: REGISTERED,
    policy: 'identity:create_registered_limits',
    summary: 'Register limits: those of what this cloud counts are registered from the start',
    body: strict({
      registered_limits: Type.Array(strict({ ...place, default_limit: amount }), {
        minItems: 1,
        maxItems: 100,
      }),
    }),
    async handler({ ctx, body }) {
      const rows = await registeredLimits(identity, ctx.platform.db.read, ctx);
      for (const asked of body.registered_limits) {
        const { service_id, resource_name } = asked;
        if (rows.some((row) => row.resource_name === resource_name && row.service_id === service_id))
          throw conflict(`The limit for ${resource_name} is registered already: change that one.`);
        throw badRequest(
          `Invalid input for field resource_name. Value: ${resource_name}. It must be something that the service counts; a limit that nobody holds anybody to is not kept.`,
        );
      }
      return {};
    },
  }),
  route({
    method: 'PATCH',
    path: `${REGISTERED}/:registered_limit_id`,
    policy: 'identity:update_registered_limit',
    summary: 'Change what projects may have by default',
    ids: registeredIds,
    body: strict({ registered_limit: strict({ default_limit: amount }) }),
    async handler({ ctx, params, body }) {
      const { default_limit } = body.registered_limit;
      const row = await setDefault(identity, ctx, params.registered_limit_id, default_limit);
      return { body: { registered_limit: registeredView(ctx.platform, row) } };
    },
  }),
  route({
    method: 'DELETE',
    path: `${REGISTERED}/:registered_limit_id`,
    policy: 'identity:delete_registered_limit',
    summary: 'Registered limits are of what this cloud counts, and stay',
    ids: registeredIds,
    async handler({ ctx, params }) {
      const { registered_limit_id: id } = params;
      await registeredLimitFor(identity, ctx.platform.db.read, ctx, id);
      throw forbidden(`Registered limit ${id} is of what this cloud counts: set it to -1 for no limit.`);
    },
  }),
];

const limitRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: `${LIMITS}/model`,
    policy: 'identity:get_limit_model',
    summary: 'Show how limits depend on each other',
    handler: async () => ({
      body: {
        model: {
          name: 'flat',
          description: 'Limit enforcement and validation does not take project hierarchy into consideration.',
        },
      },
    }),
  }),
  route({
    method: 'GET',
    path: LIMITS,
    policy: 'identity:list_limits',
    summary: 'List what projects were given that differs from the default',
    query: limitFilters,
    async handler({ ctx, query }) {
      const rows = (await limits(identity, ctx.platform.db.read, ctx)).filter(
        (row) =>
          fits(row, query) &&
          (query.project_id ?? row.project_id) === row.project_id &&
          query.domain_id === undefined,
      );
      return collection(ctx, LIMITS, 'limits', rows, limitView);
    },
  }),
  route({
    method: 'POST',
    path: LIMITS,
    policy: 'identity:create_limits',
    summary: 'Give projects limits of their own',
    status: 201,
    body: strict({
      limits: Type.Array(
        strict({
          ...place,
          project_id: Type.Optional(nullable(idOf('project'))),
          domain_id: Type.Optional(nullable(idOf('domain'))),
          resource_limit: amount,
        }),
        { minItems: 1, maxItems: 100 },
      ),
    }),
    handler: async ({ ctx, body }) =>
      collection(ctx, LIMITS, 'limits', await addLimits(identity, ctx, body.limits), limitView),
  }),
  route({
    method: 'GET',
    path: `${LIMITS}/:limit_id`,
    policy: 'identity:get_limit',
    summary: 'Show a limit',
    ids: limitIds,
    async handler({ ctx, params }) {
      const row = await limitFor(identity, ctx.platform.db.read, ctx, params.limit_id);
      return { body: { limit: limitView(ctx.platform, row) } };
    },
  }),
  route({
    method: 'PATCH',
    path: `${LIMITS}/:limit_id`,
    policy: 'identity:update_limit',
    summary: 'Change a limit',
    ids: limitIds,
    body: strict({ limit: strict({ resource_limit: amount }) }),
    async handler({ ctx, params, body }) {
      const row = await changeLimit(identity, ctx, params.limit_id, body.limit.resource_limit);
      return { body: { limit: limitView(ctx.platform, row) } };
    },
  }),
  route({
    method: 'DELETE',
    path: `${LIMITS}/:limit_id`,
    policy: 'identity:delete_limit',
    summary: 'Delete a limit: the default holds again',
    ids: limitIds,
    status: 204,
    async handler({ ctx, params }) {
      await dropLimit(identity, ctx, params.limit_id);
      return {};
    },
  }),
];

export const unifiedLimitRoutes = (identity: Identity): Route[] => [
  ...registeredRoutes(identity),
  ...limitRoutes(identity),
];
