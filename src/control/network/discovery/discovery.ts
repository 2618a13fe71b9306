// Version discovery, extensions, availability zones and service providers.
import { CloudError } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { extensions } from './extensions.ts';
import { listViews, viewQuery } from '../in-memory.ts';
import { enabledHosts } from '../../host/index.ts';

const version = (ctx: Ctx): object => ({
  id: 'v2.0',
  status: 'CURRENT',
  links: [{ rel: 'self', href: `${ctx.platform.publicUrl}/network/v2.0/` }],
});

const collections = [
  'networks',
  'subnets',
  'subnetpools',
  'ports',
  'security-groups',
  'security-group-rules',
  'routers',
  'floatingips',
  'quotas',
  'extensions',
];

const zoneQuery = viewQuery({ name: null, resource: null, state: null });
const providerQuery = viewQuery({ service_type: null, name: null, default: null });

export const discoveryRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/',
    policy: 'discovery',
    summary: 'Versions',
    handler: async ({ ctx }) => ({ body: { versions: [version(ctx)] } }),
  }),
  route({
    method: 'GET',
    path: '/v2.0',
    policy: 'discovery',
    summary: 'What version 2.0 holds',
    handler: async ({ ctx }) => ({
      body: {
        versions: [version(ctx)],
        version: version(ctx),
        resources: collections.map((name) => ({
          name: name.replace(/s$/, ''),
          collection: name,
          links: [{ rel: 'self', href: `${ctx.platform.publicUrl}/network/v2.0/${name}` }],
        })),
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.0/extensions',
    policy: 'get_extension',
    summary: 'List extensions',
    handler: async () => ({ body: { extensions } }),
  }),
  route({
    method: 'GET',
    path: '/v2.0/extensions/:alias',
    policy: 'get_extension',
    summary: 'Show an extension',
    ids: { alias: 'none' },
    async handler({ params }) {
      const extension = extensions.find((one) => one.alias === params.alias);
      if (extension === undefined)
        throw new CloudError(
          404,
          'HTTPNotFound',
          `Extension with alias ${params.alias.slice(0, 255)} does not exist`,
        );
      return { body: { extension } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/availability_zones',
    policy: 'get_availability_zone',
    summary: 'List availability zones',
    query: zoneQuery,
    async handler({ ctx, rawQuery }) {
      const names = [...new Set((await enabledHosts(ctx.platform.db.read)).map((host) => host.zone))].sort();
      const zones = names.flatMap((zone) =>
        ['network', 'router'].map((resource) => ({ name: zone, resource, state: 'available' })),
      );
      return {
        body: { availability_zones: listViews(zoneQuery, rawQuery, 'Availability Zone', 'name', zones) },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/service-providers',
    policy: 'get_service_provider',
    summary: 'List service providers',
    query: providerQuery,
    async handler({ rawQuery }) {
      const providers = [{ service_type: 'L3_ROUTER_NAT', name: 'linux', default: true }];
      return {
        body: {
          service_providers: listViews(providerQuery, rawQuery, 'Service provider', 'name', providers),
        },
      };
    },
  }),
];
