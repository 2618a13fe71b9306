// Flavors over HTTP: api-ref "Flavors", "Flavors access", "Flavors extra-specs".
import { Type } from 'typebox';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Call, type Route } from '../../../kernel/http/route.ts';
import { nextLink } from '../../../kernel/paging.ts';
import { idOf, integer, nullable, prose, since, strict, text } from '../../../kernel/schema.ts';
import {
  COMPUTE_PREFIX,
  count,
  countOf,
  flag,
  isSet,
  linksOf,
  ownValue,
  pageQuery,
  pageSize,
} from '../links.ts';
import {
  changeExtraSpecs,
  createFlavor,
  deleteFlavor,
  describeFlavor,
  extraSpecsOf,
  findFlavor,
  flavorAccess,
  grantFlavor,
  listFlavors,
  revokeFlavor,
} from './service.ts';
import type { FlavorRow } from './table.ts';

export function flavorView(row: FlavorRow, publicUrl: string, minor: number): object {
  return {
    id: row.id,
    name: row.name,
    ram: row.memory_mib,
    disk: row.disk_gib,
    vcpus: row.vcpus,
    swap: row.swap_mib === 0 && minor < 75 ? '' : row.swap_mib,
    'OS-FLV-EXT-DATA:ephemeral': row.ephemeral_gib,
    'OS-FLV-DISABLED:disabled': false,
    'os-flavor-access:is_public': row.is_public === 1,
    rxtx_factor: row.rxtx_factor,
    links: linksOf(publicUrl, 'flavors', row.id),
    ...(minor >= 55 ? { description: row.description } : {}),
    ...(minor >= 61 ? { extra_specs: extraSpecsOf(row) } : {}),
  };
}

const MAX = 2_147_483_647;
const specKey = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' });
const extraSpecs = Type.Record(specKey, Type.Union([text(255), Type.Number()]), {
  additionalProperties: false,
});
const asStrings = (specs: Record<string, string | number>): Record<string, string> =>
  Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, String(value)]));

const listQuery = Type.Object({
  ...pageQuery,
  is_public: Type.Optional(text(10)),
  minRam: Type.Optional(text(20)),
  minDisk: Type.Optional(text(20)),
  sort_key: Type.Optional(Type.Array(text(64), { maxItems: 12 })),
  sort_dir: Type.Optional(Type.Array(text(64), { maxItems: 12 })),
});

const number = (value: string | undefined, name: string): number => {
  if (value === undefined) return 0;
  if (!/^\d{1,10}$/.test(value))
    throw badRequest(`Invalid ${name} filter [${value}]: it must be a whole number.`);
  return Number(value);
};

function publicFilter(value: string | undefined): boolean | null {
  if (value === undefined || /^(true|1|t|yes|on|y)$/i.test(value)) return true;
  if (/^(false|0|f|no|off|n)$/i.test(value)) return false;
  if (/^none$/i.test(value)) return null;
  throw badRequest(`Invalid is_public filter [${value}]: it must be true, false or none.`);
}

type ListCall = Call<
  unknown,
  {
    limit?: number;
    marker?: string;
    is_public?: string;
    minRam?: string;
    minDisk?: string;
    sort_key?: string[];
    sort_dir?: string[];
  },
  unknown
>;
const list =
  (detail: boolean) =>
  async ({ ctx, query, rawQuery }: ListCall) => {
    const { rows, more } = await listFlavors(ctx, {
      isPublic: publicFilter(query.is_public),
      minRam: number(query.minRam, 'minRam'),
      minDisk: number(query.minDisk, 'minDisk'),
      sortKeys: query.sort_key ?? [],
      sortDirs: query.sort_dir ?? [],
      limit: pageSize(query.limit),
      marker: query.marker ?? null,
    });
    const url = ctx.platform.publicUrl;
    const last = rows.at(-1);
    return {
      body: {
        flavors: rows.map((row) =>
          detail
            ? flavorView(row, url, ctx.microversion)
            : {
                id: row.id,
                name: row.name,
                ...(ctx.microversion >= 55 ? { description: row.description } : {}),
                links: linksOf(url, 'flavors', row.id),
              },
        ),
        ...(more && last !== undefined
          ? {
              flavors_links: [
                {
                  rel: 'next',
                  href: nextLink(
                    `${url}${COMPUTE_PREFIX}/v2.1/flavors${detail ? '/detail' : ''}`,
                    rawQuery,
                    last.id,
                  ),
                },
              ],
            }
          : {}),
      },
    };
  };

const accessView = (flavorId: string, projects: string[]) => ({
  flavor_access: projects.map((tenant_id) => ({ flavor_id: flavorId, tenant_id })),
});
const tenant = strict({ tenant: idOf('project') });

export const flavorRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.1/flavors',
    policy: 'compute:flavors:list',
    summary: 'List flavors',
    query: listQuery,
    handler: list(false),
  }),
  route({
    method: 'GET',
    path: '/v2.1/flavors/detail',
    policy: 'compute:flavors:list',
    summary: 'List flavors with details',
    query: listQuery,
    handler: list(true),
  }),
  route({
    method: 'POST',
    path: '/v2.1/flavors',
    policy: 'compute:flavors:manage',
    summary: 'Create a flavor',
    body: strict({
      flavor: strict({
        name: text(255, 1),
        id: Type.Optional(
          nullable(
            Type.Union([
              Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9. _-]*[a-zA-Z0-9._-]$' }),
              integer(0, Number.MAX_SAFE_INTEGER),
            ]),
          ),
        ),
        ram: count(1, MAX),
        vcpus: count(1, 4096),
        disk: count(0, MAX),
        'OS-FLV-EXT-DATA:ephemeral': Type.Optional(count(0, MAX)),
        swap: Type.Optional(count(0, MAX)),
        rxtx_factor: Type.Optional(
          Type.Union([
            Type.Number({ exclusiveMinimum: 0, maximum: 3.4e38 }),
            Type.String({ pattern: '^[0-9]{1,6}(\\.[0-9]{1,6})?$' }),
          ]),
        ),
        'os-flavor-access:is_public': Type.Optional(flag()),
        description: since('2.55', Type.Optional(nullable(prose(65535)))),
      }),
    }),
    async handler({ ctx, body: { flavor } }) {
      const size = (
        field: 'ram' | 'vcpus' | 'disk' | 'swap' | 'OS-FLV-EXT-DATA:ephemeral',
        minimum: number,
        maximum = MAX,
      ): number => (flavor[field] === undefined ? minimum : countOf(flavor[field], field, minimum, maximum));
      const rxtx = flavor.rxtx_factor === undefined ? 1 : Number(flavor.rxtx_factor);
      if (!(rxtx > 0))
        throw badRequest(
          'Invalid input for field/attribute rxtx_factor. Value: 0. It must be greater than 0.',
        );
      const row = await createFlavor(ctx, {
        id: flavor.id === 'auto' ? null : (flavor.id?.toString() ?? null),
        name: flavor.name.trim(),
        memory_mib: size('ram', 1),
        vcpus: size('vcpus', 1, 4096),
        disk_gib: size('disk', 0),
        ephemeral_gib: size('OS-FLV-EXT-DATA:ephemeral', 0),
        swap_mib: size('swap', 0),
        rxtx_factor: rxtx,
        is_public:
          flavor['os-flavor-access:is_public'] === undefined || isSet(flavor['os-flavor-access:is_public'])
            ? 1
            : 0,
        description: flavor.description ?? null,
        extra_specs: '{}',
      });
      return { body: { flavor: flavorView(row, ctx.platform.publicUrl, ctx.microversion) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/flavors/:flavor_id',
    ids: { flavor_id: 'flavor' },
    policy: 'compute:flavors:list',
    summary: 'Show a flavor',
    handler: async ({ ctx, params }) => ({
      body: {
        flavor: flavorView(
          await findFlavor(ctx.platform.db.read, ctx, params.flavor_id),
          ctx.platform.publicUrl,
          ctx.microversion,
        ),
      },
    }),
  }),
  route({
    method: 'PUT',
    path: '/v2.1/flavors/:flavor_id',
    ids: { flavor_id: 'flavor' },
    policy: 'compute:flavors:manage',
    summary: 'Change the description of a flavor',
    since: '2.55',
    body: strict({ flavor: strict({ description: nullable(prose(65535)) }) }),
    handler: async ({ ctx, params, body }) => ({
      body: {
        flavor: flavorView(
          await describeFlavor(ctx, params.flavor_id, body.flavor.description),
          ctx.platform.publicUrl,
          ctx.microversion,
        ),
      },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/v2.1/flavors/:flavor_id',
    ids: { flavor_id: 'flavor' },
    policy: 'compute:flavors:manage',
    summary: 'Delete a flavor',
    status: 202,
    async handler({ ctx, params }) {
      await deleteFlavor(ctx, params.flavor_id);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/flavors/:flavor_id/os-flavor-access',
    ids: { flavor_id: 'flavor' },
    policy: 'compute:flavors:manage',
    summary: 'List the projects that may use a flavor',
    handler: async ({ ctx, params }) => ({
      body: accessView(params.flavor_id, await flavorAccess(ctx.platform.db.read, ctx, params.flavor_id)),
    }),
  }),
  route({
    method: 'POST',
    path: '/v2.1/flavors/:flavor_id/action',
    ids: { flavor_id: 'flavor' },
    action: 'addTenantAccess',
    policy: 'compute:flavors:manage',
    summary: 'Let a project use a flavor',
    body: tenant,
    handler: async ({ ctx, params, body }) => ({
      body: accessView(params.flavor_id, await grantFlavor(ctx, params.flavor_id, body.tenant)),
    }),
  }),
  route({
    method: 'POST',
    path: '/v2.1/flavors/:flavor_id/action',
    ids: { flavor_id: 'flavor' },
    action: 'removeTenantAccess',
    policy: 'compute:flavors:manage',
    summary: 'No longer let a project use a flavor',
    body: tenant,
    handler: async ({ ctx, params, body }) => ({
      body: accessView(params.flavor_id, await revokeFlavor(ctx, params.flavor_id, body.tenant)),
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.1/flavors/:flavor_id/os-extra_specs',
    ids: { flavor_id: 'flavor' },
    policy: 'compute:flavors:list',
    summary: 'List the extra specs of a flavor',
    handler: async ({ ctx, params }) => ({
      body: { extra_specs: extraSpecsOf(await findFlavor(ctx.platform.db.read, ctx, params.flavor_id)) },
    }),
  }),
  route({
    method: 'POST',
    path: '/v2.1/flavors/:flavor_id/os-extra_specs',
    ids: { flavor_id: 'flavor' },
    policy: 'compute:flavors:manage',
    summary: 'Add extra specs to a flavor',
    body: strict({ extra_specs: extraSpecs }),
    async handler({ ctx, params, body }) {
      const added = asStrings(body.extra_specs);
      await changeExtraSpecs(ctx, params.flavor_id, (specs) => ({ ...specs, ...added }));
      return { body: { extra_specs: added } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/flavors/:flavor_id/os-extra_specs/:spec_key',
    ids: { flavor_id: 'flavor', spec_key: 'none' },
    policy: 'compute:flavors:list',
    summary: 'Show an extra spec of a flavor',
    async handler({ ctx, params }) {
      const value = ownValue(
        extraSpecsOf(await findFlavor(ctx.platform.db.read, ctx, params.flavor_id)),
        params.spec_key,
      );
      if (value === undefined) throw notFound('Flavor extra spec', params.spec_key);
      return { body: { [params.spec_key]: value } };
    },
  }),
  route({
    method: 'PUT',
    path: '/v2.1/flavors/:flavor_id/os-extra_specs/:spec_key',
    ids: { flavor_id: 'flavor', spec_key: 'none' },
    policy: 'compute:flavors:manage',
    summary: 'Set an extra spec of a flavor',
    body: extraSpecs,
    async handler({ ctx, params, body }) {
      const value = ownValue(body, params.spec_key);
      if (value === undefined || Object.keys(body).length !== 1)
        throw badRequest(
          `Invalid input for body. It must have exactly the key ${params.spec_key} of the address.`,
        );
      await changeExtraSpecs(ctx, params.flavor_id, (specs) => ({
        ...specs,
        [params.spec_key]: String(value),
      }));
      return { body: { [params.spec_key]: String(value) } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v2.1/flavors/:flavor_id/os-extra_specs/:spec_key',
    ids: { flavor_id: 'flavor', spec_key: 'none' },
    policy: 'compute:flavors:manage',
    summary: 'Delete an extra spec of a flavor',
    async handler({ ctx, params }) {
      await changeExtraSpecs(ctx, params.flavor_id, (specs) => {
        if (!Object.hasOwn(specs, params.spec_key)) throw notFound('Flavor extra spec', params.spec_key);
        const { [params.spec_key]: _gone, ...rest } = specs;
        return rest;
      });
      return {};
    },
  }),
];
