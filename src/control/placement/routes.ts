// The Placement API, read-only: hosts as resource providers, their inventories, usages and allocations.
import { Type } from 'typebox';
import type { Tables } from '../../kernel/db/index.ts';
import { notFound } from '../../kernel/errors.ts';
import { route, type Route } from '../../kernel/http/route.ts';
import type { Platform } from '../../kernel/platform.ts';
import { rules, type Policies } from '../../kernel/policy.ts';
import { idOf, text } from '../../kernel/schema.ts';
import { hostById, hostsSince } from '../host/index.ts';
import { allocationRatios, RESERVED_MEMORY_MIB } from './inventory.ts';

export const placementPolicies: Policies = {
  'placement:discover': { description: 'Read the version document', anyOf: [rules.anyone] },
  'placement:resource_providers:list': {
    description: 'List hosts as resource providers',
    anyOf: [rules.admin, rules.systemReader],
  },
  'placement:resource_providers:show': {
    description: 'Show one host, its inventory and usage',
    anyOf: [rules.admin, rules.systemReader],
  },
  'placement:allocations:show': {
    description: 'Show what a server has claimed',
    anyOf: [rules.admin, rules.systemReader],
  },
};

const resourceClasses = ['VCPU', 'MEMORY_MB', 'DISK_GB'] as const;

export function placementRoutes(platform: Platform): readonly Route[] {
  const { read } = platform.db;

  const one = async (id: string): Promise<Tables['hosts']> => {
    const host = await hostById(read, id);
    if (host === undefined) throw notFound('Resource provider', id);
    return host;
  };
  const links = (id: string) =>
    ['self', 'inventories', 'usages', 'allocations'].map((rel) => ({
      rel,
      href: `/placement/resource_providers/${id}${rel === 'self' ? '' : `/${rel}`}`,
    }));
  const provider = (host: Tables['hosts']) => ({
    uuid: host.id,
    name: host.hostname,
    generation: host.revision,
    root_provider_uuid: host.id,
    parent_provider_uuid: null,
    links: links(host.id),
  });
  const inventory = (total: number, reserved: number, ratio: number) => ({
    total,
    reserved,
    min_unit: 1,
    max_unit: total,
    step_size: 1,
    allocation_ratio: ratio,
  });

  return [
    route({
      method: 'GET',
      path: '/',
      policy: 'placement:discover',
      summary: 'Versions',
      handler: async () => ({
        body: {
          versions: [
            {
              id: 'v1.0',
              max_version: '1.39',
              min_version: '1.0',
              status: 'CURRENT',
              links: [{ rel: 'self', href: '' }],
            },
          ],
        },
      }),
    }),
    route({
      method: 'GET',
      path: '/resource_providers',
      policy: 'placement:resource_providers:list',
      summary: 'List resource providers',
      query: Type.Object({ name: Type.Optional(text()), uuid: Type.Optional(idOf('host')) }),
      async handler({ query }) {
        const hosts = (await hostsSince(read, 0))
          .filter(
            (host) =>
              (query.name === undefined || host.hostname === query.name) &&
              (query.uuid === undefined || host.id === query.uuid),
          )
          .sort((a, b) => a.hostname.localeCompare(b.hostname));
        return { body: { resource_providers: hosts.map(provider) } };
      },
    }),
    route({
      method: 'GET',
      path: '/resource_providers/:provider_id',
      ids: { provider_id: 'host' },
      policy: 'placement:resource_providers:show',
      summary: 'Show a resource provider',
      handler: async ({ params }) => ({ body: provider(await one(params.provider_id)) }),
    }),
    route({
      method: 'GET',
      path: '/resource_providers/:provider_id/inventories',
      ids: { provider_id: 'host' },
      policy: 'placement:resource_providers:show',
      summary: 'Inventories of a resource provider',
      async handler({ params }) {
        const host = await one(params.provider_id);
        return {
          body: {
            resource_provider_generation: host.revision,
            inventories: {
              VCPU: inventory(host.vcpus, 0, allocationRatios.vcpus),
              MEMORY_MB: inventory(
                host.memory_mib,
                Math.floor(Math.min(RESERVED_MEMORY_MIB, host.memory_mib / 4)),
                allocationRatios.memory,
              ),
              DISK_GB: inventory(host.disk_gib, 0, allocationRatios.disk),
            },
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/resource_providers/:provider_id/usages',
      ids: { provider_id: 'host' },
      policy: 'placement:resource_providers:show',
      summary: 'Usages of a resource provider',
      async handler({ params }) {
        const host = await one(params.provider_id);
        return {
          body: {
            resource_provider_generation: host.revision,
            usages: { VCPU: host.used_vcpus, MEMORY_MB: host.used_memory_mib, DISK_GB: host.used_disk_gib },
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/resource_providers/:provider_id/allocations',
      ids: { provider_id: 'host' },
      policy: 'placement:resource_providers:show',
      summary: 'Allocations on a resource provider',
      async handler({ params }) {
        const host = await one(params.provider_id);
        const rows = await read
          .selectFrom('allocations')
          .selectAll()
          .where('host_id', '=', host.id)
          .execute();
        return {
          body: {
            resource_provider_generation: host.revision,
            allocations: Object.fromEntries(
              rows.map((row) => [row.server_id, { resources: resourcesOf(row), consumer_generation: 1 }]),
            ),
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/allocations/:consumer_id',
      ids: { consumer_id: 'server' },
      policy: 'placement:allocations:show',
      summary: 'Allocations of a server',
      async handler({ params }) {
        const row = await read
          .selectFrom('allocations')
          .selectAll()
          .where('server_id', '=', params.consumer_id)
          .executeTakeFirst();
        return {
          body: {
            allocations:
              row === undefined ? {} : { [row.host_id]: { generation: 1, resources: resourcesOf(row) } },
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/resource_classes',
      policy: 'placement:resource_providers:list',
      summary: 'List resource classes',
      handler: async () => ({
        body: {
          resource_classes: resourceClasses.map((name) => ({
            name,
            links: [{ rel: 'self', href: `/placement/resource_classes/${name}` }],
          })),
        },
      }),
    }),
  ];
}

const resourcesOf = (row: Tables['allocations']): Record<string, number> => ({
  VCPU: row.vcpus,
  MEMORY_MB: row.memory_mib,
  ...(row.disk_gib > 0 ? { DISK_GB: row.disk_gib } : {}),
});
