// The catalog over HTTP: /v3/regions, /v3/services, /v3/endpoints, all read-only.
import { Type } from 'typebox';
import { notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { text } from '../../../kernel/schema.ts';
import type { Identity } from '../identity.ts';
import { collection, urlOf } from '../wire.ts';
import { endpointsOf, serviceId, type Endpoint } from './catalog.ts';

type ServiceEntry = { id: string; type: string; name: string };

const regionView = (platform: Platform, region: { id: string }): object => ({
  id: region.id,
  description: '',
  parent_region_id: null,
  links: { self: urlOf(platform, `/v3/regions/${region.id}`) },
});
const serviceView = (platform: Platform, entry: ServiceEntry): object => ({
  id: entry.id,
  type: entry.type,
  name: entry.name,
  description: '',
  enabled: true,
  links: { self: urlOf(platform, `/v3/services/${entry.id}`) },
});
const endpointView = (platform: Platform, endpoint: Endpoint): object => ({
  id: endpoint.id,
  service_id: endpoint.serviceId,
  interface: endpoint.interface,
  region: endpoint.region,
  region_id: endpoint.region,
  url: endpoint.url,
  enabled: true,
  links: { self: urlOf(platform, `/v3/endpoints/${endpoint.id}`) },
});

const serviceQuery = Type.Object({ name: Type.Optional(text()), type: Type.Optional(text()) });
const endpointQuery = Type.Object({
  interface: Type.Optional(text()),
  service_id: Type.Optional(text()),
  region: Type.Optional(text()),
  region_id: Type.Optional(text()),
});
const regionQuery = Type.Object({ parent_region_id: Type.Optional(text()) });

const fits = (wanted: string | undefined, value: string): boolean => wanted === undefined || wanted === value;
function found<T extends { id: string }>(kind: string, all: readonly T[], id: string): T {
  const one = all.find((entry) => entry.id === id);
  if (one === undefined) throw notFound(kind, id);
  return one;
}

export function catalogRoutes(identity: Identity): Route[] {
  const services: ServiceEntry[] = identity.catalog.map((entry) => ({
    id: serviceId(entry),
    type: entry.type,
    name: entry.name,
  }));
  const endpoints = (platform: Platform): Endpoint[] =>
    identity.catalog.flatMap((entry) => endpointsOf(platform, entry));
  return [
    route({
      method: 'GET',
      path: '/v3/regions',
      policy: 'identity:get_region',
      summary: 'List regions',
      query: regionQuery,
      handler: async ({ ctx, query }) =>
        collection(
          ctx,
          '/v3/regions',
          'regions',
          query.parent_region_id === undefined ? [{ id: ctx.platform.region }] : [],
          regionView,
        ),
    }),
    route({
      method: 'GET',
      path: '/v3/regions/:region_id',
      policy: 'identity:get_region',
      summary: 'Show a region',
      ids: { region_id: 'none' },
      handler: async ({ ctx, params }) => ({
        body: {
          region: regionView(ctx.platform, found('Region', [{ id: ctx.platform.region }], params.region_id)),
        },
      }),
    }),
    route({
      method: 'GET',
      path: '/v3/services',
      policy: 'identity:get_catalog',
      summary: 'List the services of the catalog',
      query: serviceQuery,
      handler: async ({ ctx, query }) =>
        collection(
          ctx,
          '/v3/services',
          'services',
          services.filter((one) => fits(query.name, one.name) && fits(query.type, one.type)),
          serviceView,
        ),
    }),
    route({
      method: 'GET',
      path: '/v3/services/:service_id',
      policy: 'identity:get_catalog',
      summary: 'Show a service of the catalog',
      ids: { service_id: 'none' },
      handler: async ({ ctx, params }) => ({
        body: { service: serviceView(ctx.platform, found('Service', services, params.service_id)) },
      }),
    }),
    route({
      method: 'GET',
      path: '/v3/endpoints',
      policy: 'identity:get_catalog',
      summary: 'List endpoints',
      query: endpointQuery,
      async handler({ ctx, query }) {
        const fitting = endpoints(ctx.platform).filter(
          (one) =>
            fits(query.interface, one.interface) &&
            fits(query.service_id, one.serviceId) &&
            fits(query.region_id ?? query.region, one.region),
        );
        return collection(ctx, '/v3/endpoints', 'endpoints', fitting, endpointView);
      },
    }),
    route({
      method: 'GET',
      path: '/v3/endpoints/:endpoint_id',
      policy: 'identity:get_catalog',
      summary: 'Show an endpoint',
      ids: { endpoint_id: 'none' },
      handler: async ({ ctx, params }) => ({
        body: {
          endpoint: endpointView(
            ctx.platform,
            found('Endpoint', endpoints(ctx.platform), params.endpoint_id),
          ),
        },
      }),
    }),
  ];
}
