// The verbs on regions, services and endpoints. What this program serves itself is neither changed nor deleted.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import type { Identity, Rows } from '../identity.ts';
import { extraOf, open, requireSameId } from '../wire.ts';
import type { EndpointRow, RegionRow, ServiceRow } from './table.ts';
import { requireUrl } from './urls.ts';

/** Operators' additions are few: the whole catalog travels in every answer to a login. */
const MAX_ROWS = 1000;

const description = Type.Optional(nullable(prose(4000)));
const regionFields = {
  description,
  parent_region_id: Type.Optional(nullable(idOf('region'))),
};
const region = open({
  ...regionFields,
  id: Type.Optional(nullable(idOf('none'))),
});
const changedRegion = open(regionFields);
export const createRegionBody = strict({ region });
export const updateRegionBody = strict({ region: changedRegion });

const serviceFields = {
  name: Type.Optional(text()),
  description,
  enabled: Type.Optional(Type.Boolean()),
};
const service = open({ ...serviceFields, type: text(255, 1) });
const changedService = open({ ...serviceFields, type: Type.Optional(text(255, 1)) });
export const createServiceBody = strict({ service });
export const updateServiceBody = strict({ service: changedService });

const interfaceName = Type.Union([Type.Literal('public'), Type.Literal('internal'), Type.Literal('admin')]);
const url = Type.String({ minLength: 1, maxLength: 2000, pattern: '^[^\\x00-\\x20\\x7f]+$' });
const endpointFields = {
  region_id: Type.Optional(nullable(idOf('region'))),
  /** The same by its old name. */
  region: Type.Optional(nullable(text())),
  enabled: Type.Optional(Type.Boolean()),
};
const endpoint = open({
  ...endpointFields,
  service_id: idOf('catalog-service'),
  interface: interfaceName,
  url,
});
const changedEndpoint = open({
  ...endpointFields,
  service_id: Type.Optional(idOf('catalog-service')),
  interface: Type.Optional(interfaceName),
  url: Type.Optional(url),
});
export const createEndpointBody = strict({ endpoint });
export const updateEndpointBody = strict({ endpoint: changedEndpoint });

type Table = 'catalog_regions' | 'catalog_services' | 'catalog_endpoints';

async function requireRoom(tx: Tx, table: Table): Promise<void> {
  const { used } = await tx
    .selectFrom(table)
    .select((eb) => eb.fn.countAll<number>().as('used'))
    .executeTakeFirstOrThrow();
  if (Number(used) >= MAX_ROWS) throw forbidden(`The catalog holds at most ${MAX_ROWS} of these.`);
}

function requireStored(kind: string, builtIn: readonly { id: string }[], id: string): void {
  if (builtIn.some((row) => row.id === id))
    throw forbidden(
      `${kind} ${id} is what this cloud serves itself: it can be neither changed nor deleted. OS-EP-FILTER limits what a project sees.`,
    );
}

/** Runs `work`, audits and lets every process read the catalog again. */
const change = <T>(
  identity: Identity,
  ctx: Ctx,
  kind: string,
  id: string,
  work: (tx: Tx) => Promise<T>,
): Promise<T> =>
  ctx.platform.db.tx(async (tx) => {
    const out = await work(tx);
    await audit(tx, ctx, kind, id);
    identity.catalog.changed(tx);
    return out;
  });

export async function regionFor(identity: Identity, rows: Rows, id: string): Promise<RegionRow> {
  const row =
    identity.catalog.builtIn.regions.find((one) => one.id === id) ??
    (await rows.selectFrom('catalog_regions').selectAll().where('id', '=', id).executeTakeFirst());
  if (row === undefined) throw notFound('Region', id);
  return row;
}

export async function createRegion(
  identity: Identity,
  ctx: Ctx,
  { region: body }: Static<typeof createRegionBody>,
): Promise<RegionRow> {
  const id = body.id === undefined || body.id === null ? ctx.platform.ids.hex() : body.id;
  return change(identity, ctx, 'region', id, async (tx) => {
    await requireRoom(tx, 'catalog_regions');
    const taken = await tx.selectFrom('catalog_regions').select('id').where('id', '=', id).executeTakeFirst();
    if (taken !== undefined || identity.catalog.builtIn.regions.some((one) => one.id === id))
      throw conflict(`Conflict occurred attempting to store region - Duplicate ID, ${id}.`);
    const parent = body.parent_region_id ?? null;
    if (parent !== null) await regionFor(identity, tx, parent);
    const row: RegionRow = {
      id,
      description: body.description ?? '',
      parent_region_id: parent,
      extra: extraOf(body, region),
    };
    await tx.insertInto('catalog_regions').values(row).execute();
    return row;
  });
}

/** From the region up, itself included. */
async function regionsAbove(identity: Identity, rows: Rows, id: string): Promise<string[]> {
  const out: string[] = [];
  for (let at: string | null = id; at !== null && !out.includes(at);) {
    out.push(at);
    at = (await regionFor(identity, rows, at)).parent_region_id;
  }
  return out;
}

export async function updateRegion(
  identity: Identity,
  ctx: Ctx,
  id: string,
  { region: body }: Static<typeof updateRegionBody>,
): Promise<RegionRow> {
  return change(identity, ctx, 'region', id, async (tx) => {
    const row = await regionFor(identity, tx, id);
    requireStored('Region', identity.catalog.builtIn.regions, id);
    requireSameId(body, id);
    const parent = body.parent_region_id === undefined ? row.parent_region_id : body.parent_region_id;
    if (parent !== null && (await regionsAbove(identity, tx, parent)).includes(id))
      throw badRequest('Invalid input for field parent_region_id. A region cannot lie in itself.');
    const changed: RegionRow = {
      ...row,
      description: body.description === undefined ? row.description : (body.description ?? ''),
      parent_region_id: parent,
      extra: extraOf(body, changedRegion, row.extra),
    };
    await tx.updateTable('catalog_regions').set(changed).where('id', '=', id).execute();
    return changed;
  });
}

export async function deleteRegion(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await change(identity, ctx, 'region', id, async (tx) => {
    await regionFor(identity, tx, id);
    requireStored('Region', identity.catalog.builtIn.regions, id);
    const gone = [id];
    for (const parent of gone)
      for (const row of await tx
        .selectFrom('catalog_regions')
        .select('id')
        .where('parent_region_id', '=', parent)
        .execute())
        gone.push(row.id);
    const used = await tx
      .selectFrom('catalog_endpoints')
      .select('id')
      .where('region_id', 'in', gone)
      .executeTakeFirst();
    if (used !== undefined)
      throw forbidden(
        `Unable to delete region ${id} because it or its child regions have associated endpoints, for example ${used.id}.`,
      );
    await tx.deleteFrom('catalog_regions').where('id', 'in', gone).execute();
  });
}

export async function serviceFor(identity: Identity, rows: Rows, id: string): Promise<ServiceRow> {
  const row =
    identity.catalog.builtIn.services.find((one) => one.id === id) ??
    (await rows.selectFrom('catalog_services').selectAll().where('id', '=', id).executeTakeFirst());
  if (row === undefined) throw notFound('Service', id);
  return row;
}

export async function createService(
  identity: Identity,
  ctx: Ctx,
  { service: body }: Static<typeof createServiceBody>,
): Promise<ServiceRow> {
  const row: ServiceRow = {
    id: ctx.platform.ids.hex(),
    type: body.type,
    name: body.name ?? '',
    description: body.description ?? '',
    enabled: Number(body.enabled ?? true),
    extra: extraOf(body, service),
  };
  return change(identity, ctx, 'catalog-service', row.id, async (tx) => {
    await requireRoom(tx, 'catalog_services');
    await tx.insertInto('catalog_services').values(row).execute();
    return row;
  });
}

export async function updateService(
  identity: Identity,
  ctx: Ctx,
  id: string,
  { service: body }: Static<typeof updateServiceBody>,
): Promise<ServiceRow> {
  return change(identity, ctx, 'catalog-service', id, async (tx) => {
    const row = await serviceFor(identity, tx, id);
    requireStored('Service', identity.catalog.builtIn.services, id);
    requireSameId(body, id);
    const changed: ServiceRow = {
      ...row,
      type: body.type ?? row.type,
      name: body.name ?? row.name,
      description: body.description === undefined ? row.description : (body.description ?? ''),
      enabled: Number(body.enabled ?? row.enabled === 1),
      extra: extraOf(body, changedService, row.extra),
    };
    await tx.updateTable('catalog_services').set(changed).where('id', '=', id).execute();
    return changed;
  });
}

export async function deleteService(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await change(identity, ctx, 'catalog-service', id, async (tx) => {
    await serviceFor(identity, tx, id);
    requireStored('Service', identity.catalog.builtIn.services, id);
    const own = tx.selectFrom('catalog_endpoints').select('id').where('service_id', '=', id);
    await tx.deleteFrom('project_endpoints').where('endpoint_id', 'in', own).execute();
    await tx.deleteFrom('catalog_endpoints').where('service_id', '=', id).execute();
    await tx.deleteFrom('catalog_services').where('id', '=', id).execute();
  });
}

export async function endpointFor(identity: Identity, rows: Rows, id: string): Promise<EndpointRow> {
  const row =
    identity.catalog.builtIn.endpoints.find((one) => one.id === id) ??
    (await rows.selectFrom('catalog_endpoints').selectAll().where('id', '=', id).executeTakeFirst());
  if (row === undefined) throw notFound('Endpoint', id);
  return row;
}

/** A region by its old name is made when it is missing, as Keystone does; one by id must be there. */
async function regionOf(
  identity: Identity,
  tx: Tx,
  body: { region_id?: string | null; region?: string | null },
  before: string | null,
): Promise<string | null> {
  const { regions } = identity.catalog.builtIn;
  const asked = body.region_id === undefined ? body.region : body.region_id;
  if (asked === undefined) return before;
  if (asked === null || asked === '') return null;
  const there =
    regions.some((one) => one.id === asked) ||
    (await tx.selectFrom('catalog_regions').select('id').where('id', '=', asked).executeTakeFirst()) !==
      undefined;
  if (there) return asked;
  if (typeof body.region_id === 'string')
    throw badRequest(`Invalid input for field region_id. Value: ${asked}. It must be the id of a region.`);
  if (asked.includes('/'))
    throw badRequest(`Invalid input for field region. Value: ${asked}. It must not hold a slash.`);
  await tx
    .insertInto('catalog_regions')
    .values({ id: asked, description: '', parent_region_id: null, extra: '{}' })
    .execute();
  return asked;
}

async function requireService(identity: Identity, tx: Tx, id: string): Promise<void> {
  const missing = await serviceFor(identity, tx, id).then(
    () => false,
    () => true,
  );
  if (missing)
    throw badRequest(`Invalid input for field service_id. Value: ${id}. It must be the id of a service.`);
}

export async function createEndpoint(
  identity: Identity,
  ctx: Ctx,
  { endpoint: body }: Static<typeof createEndpointBody>,
): Promise<EndpointRow> {
  requireUrl(body.url);
  const id = ctx.platform.ids.hex();
  return change(identity, ctx, 'endpoint', id, async (tx) => {
    await requireRoom(tx, 'catalog_endpoints');
    await requireService(identity, tx, body.service_id);
    const row: EndpointRow = {
      id,
      service_id: body.service_id,
      interface: body.interface,
      region_id: await regionOf(identity, tx, body, null),
      url: body.url,
      enabled: Number(body.enabled ?? true),
      extra: extraOf(body, endpoint),
    };
    await tx.insertInto('catalog_endpoints').values(row).execute();
    return row;
  });
}

export async function updateEndpoint(
  identity: Identity,
  ctx: Ctx,
  id: string,
  { endpoint: body }: Static<typeof updateEndpointBody>,
): Promise<EndpointRow> {
  if (body.url !== undefined) requireUrl(body.url);
  return change(identity, ctx, 'endpoint', id, async (tx) => {
    const row = await endpointFor(identity, tx, id);
    requireStored('Endpoint', identity.catalog.builtIn.endpoints, id);
    requireSameId(body, id);
    if (body.service_id !== undefined) await requireService(identity, tx, body.service_id);
    const changed: EndpointRow = {
      ...row,
      service_id: body.service_id ?? row.service_id,
      interface: body.interface ?? row.interface,
      region_id: await regionOf(identity, tx, body, row.region_id),
      url: body.url ?? row.url,
      enabled: Number(body.enabled ?? row.enabled === 1),
      extra: extraOf(body, changedEndpoint, row.extra),
    };
    await tx.updateTable('catalog_endpoints').set(changed).where('id', '=', id).execute();
    return changed;
  });
}

export async function deleteEndpoint(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await change(identity, ctx, 'endpoint', id, async (tx) => {
    await endpointFor(identity, tx, id);
    requireStored('Endpoint', identity.catalog.builtIn.endpoints, id);
    await tx.deleteFrom('project_endpoints').where('endpoint_id', '=', id).execute();
    await tx.deleteFrom('catalog_endpoints').where('id', '=', id).execute();
  });
}
