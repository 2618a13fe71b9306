// The catalog over HTTP: /v3/regions, /v3/services, /v3/endpoints.
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { text } from '../../../kernel/schema.ts';
import { collectionRoutes } from '../collection.ts';
import type { Identity } from '../identity.ts';
import {
  createEndpoint,
  createEndpointBody,
  createRegion,
  createRegionBody,
  createService,
  createServiceBody,
  deleteEndpoint,
  deleteRegion,
  deleteService,
  endpointFor,
  regionFor,
  serviceFor,
  updateEndpoint,
  updateEndpointBody,
  updateRegion,
  updateRegionBody,
  updateService,
  updateServiceBody,
} from './service.ts';
import { endpointView, regionView, serviceView } from './views.ts';

const fits = (wanted: string | undefined, value: string | null): boolean =>
  wanted === undefined || wanted === value;

const regionRoutes = (identity: Identity): Route[] => [
  ...collectionRoutes({
    singular: 'region',
    plural: 'regions',
    path: '/v3/regions',
    kind: 'region',
    named: false,
    filters: Type.Object({ parent_region_id: Type.Optional(text()) }),
    rows: (ctx) => ctx.platform.db.read.selectFrom('catalog_regions').selectAll(),
    filter: (rows, asked) =>
      asked.parent_region_id === undefined
        ? rows
        : rows.where('parent_region_id', '=', asked.parent_region_id),
    builtIn: async (_, asked) =>
      asked.parent_region_id === undefined ? [...identity.catalog.builtIn.regions] : [],
    find: (rows, _, id) => regionFor(identity, rows, id),
    view: regionView,
    create: { body: createRegionBody, make: (ctx, body) => createRegion(identity, ctx, body) },
    update: { body: updateRegionBody, change: (ctx, id, body) => updateRegion(identity, ctx, id, body) },
    remove: (ctx, id) => deleteRegion(identity, ctx, id),
  }),
  route({
    method: 'PUT',
    path: '/v3/regions/:region_id',
    policy: 'identity:create_region',
    summary: 'Create a region with this id',
    ids: { region_id: 'none' },
    body: createRegionBody,
    status: 201,
    async handler({ ctx, params, body }) {
      const { id } = body.region;
      if (id !== undefined && id !== null && id !== params.region_id)
        throw badRequest('Invalid input for field region.id. It must be the id in the address.');
      const region = { ...body.region, id: params.region_id };
      return { body: { region: regionView(ctx.platform, await createRegion(identity, ctx, { region })) } };
    },
  }),
];

const serviceRoutes = (identity: Identity): Route[] =>
  collectionRoutes({
    singular: 'service',
    plural: 'services',
    path: '/v3/services',
    kind: 'catalog-service',
    named: false,
    filters: Type.Object({ name: Type.Optional(text()), type: Type.Optional(text()) }),
    rows: (ctx) => ctx.platform.db.read.selectFrom('catalog_services').selectAll(),
    filter(rows, asked) {
      const out = asked.name === undefined ? rows : rows.where('name', '=', asked.name);
      return asked.type === undefined ? out : out.where('type', '=', asked.type);
    },
    builtIn: async (_, asked) =>
      identity.catalog.builtIn.services.filter(
        (one) => fits(asked.name, one.name) && fits(asked.type, one.type),
      ),
    find: (rows, _, id) => serviceFor(identity, rows, id),
    view: serviceView,
    create: { body: createServiceBody, make: (ctx, body) => createService(identity, ctx, body) },
    update: { body: updateServiceBody, change: (ctx, id, body) => updateService(identity, ctx, id, body) },
    remove: (ctx, id) => deleteService(identity, ctx, id),
  });

const endpointRoutes = (identity: Identity): Route[] =>
  collectionRoutes({
    singular: 'endpoint',
    plural: 'endpoints',
    path: '/v3/endpoints',
    kind: 'endpoint',
    named: false,
    filters: Type.Object({
      interface: Type.Optional(text()),
      service_id: Type.Optional(text()),
      region: Type.Optional(text()),
      region_id: Type.Optional(text()),
    }),
    rows: (ctx) => ctx.platform.db.read.selectFrom('catalog_endpoints').selectAll(),
    filter(rows, asked) {
      let out = rows;
      const region = asked.region_id ?? asked.region;
      if (asked.interface !== undefined) out = out.where('interface', '=', asked.interface);
      if (asked.service_id !== undefined) out = out.where('service_id', '=', asked.service_id);
      return region === undefined ? out : out.where('region_id', '=', region);
    },
    builtIn: async (_, asked) =>
      identity.catalog.builtIn.endpoints.filter(
        (one) =>
          fits(asked.interface, one.interface) &&
          fits(asked.service_id, one.service_id) &&
          fits(asked.region_id ?? asked.region, one.region_id),
      ),
    find: (rows, _, id) => endpointFor(identity, rows, id),
    view: endpointView,
    create: { body: createEndpointBody, make: (ctx, body) => createEndpoint(identity, ctx, body) },
    update: { body: updateEndpointBody, change: (ctx, id, body) => updateEndpoint(identity, ctx, id, body) },
    remove: (ctx, id) => deleteEndpoint(identity, ctx, id),
  });

export const catalogRoutes = (identity: Identity): Route[] => [
  ...regionRoutes(identity),
  ...serviceRoutes(identity),
  ...endpointRoutes(identity),
];
