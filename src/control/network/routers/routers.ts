// Routers: schemas, visibility, JSON and verbs.
import { sql, type SqlBool } from 'kysely';
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { claimQuota, disallowed, ownerOf } from '../faults.ts';
import { standardFilters, standardSort, truth, type ListSpec } from '../listing.ts';
import { deleteObject } from '../removal.ts';
import { chunks, flag, newRow, tagsOf, touched, type Queries } from '../rows.ts';
import { subnetsLock } from '../subnets/subnets.ts';
import { routesFor } from './next-hops.ts';
import { gatewayInfo, setGateway } from './gateway.ts';
import { INTERFACE } from './ports.ts';
import { checkedHints, zoneHints, zoneOfHosts } from '../zones/zones.ts';
import type { RouterRow } from './table.ts';

const changeable = {
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  admin_state_up: Type.Optional(Type.Boolean()),
  external_gateway_info: Type.Optional(gatewayInfo),
  distributed: Type.Optional(Type.Literal(false)),
  ha: Type.Optional(Type.Literal(false)),
};
const routerUpdate = strict({
  ...changeable,
  routes: Type.Optional(
    nullable(Type.Array(strict({ destination: text(49), nexthop: text(49) }), { maxItems: 64 })),
  ),
});
const routerCreate = strict({
  ...changeable,
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
  availability_zone_hints: Type.Optional(zoneHints),
});

const noneIs = (name: string, values: string[]) =>
  truth(name, values.at(-1) ?? '') === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`1 = 0`;

const list: ListSpec = {
  noun: 'Router',
  plural: 'routers',
  table: 'routers',
  filters: {
    ...standardFilters('routers'),
    id: { by: 'text', column: 'routers.id', ref: 'router' },
    name: { by: 'text', column: 'routers.name' },
    status: { by: 'text', column: 'routers.status' },
    admin_state_up: { by: 'boolean', column: 'routers.admin_state_up' },
    // Every router here is on one host and of no flavor.
    distributed: { by: 'custom', where: (values) => noneIs('distributed', values) },
    ha: { by: 'custom', where: (values) => noneIs('ha', values) },
    flavor_id: { by: 'custom', where: () => sql`1 = 0` },
  },
  sortable: { ...standardSort, name: 'name', status: 'status', admin_state_up: 'admin_state_up' },
};

const rows = (db: Queries, actor: Actor) =>
  db
    .selectFrom('routers')
    .selectAll('routers')
    .$if(!isAdmin(actor), (query) => query.where('routers.project_id', '=', projectOf(actor)));

export async function readableRouter(db: Queries, actor: Actor, id: string): Promise<RouterRow> {
  const row = await rows(db, actor).where('routers.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Router', id);
  return row;
}

export const routerView = (
  row: RouterRow,
  gatewayIps: readonly { subnet_id: string; ip_address: string }[],
  tags: readonly string[],
  zone: string | undefined,
  forOperator: boolean,
): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  description: row.description,
  admin_state_up: row.admin_state_up === 1,
  status: row.status,
  external_gateway_info:
    row.external_network_id === ''
      ? null
      : {
          network_id: row.external_network_id,
          enable_snat: row.enable_snat === 1,
          external_fixed_ips: gatewayIps.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
        },
  routes: JSON.parse(row.routes) as unknown,
  availability_zone_hints: JSON.parse(row.zone_hints) as unknown,
  availability_zones: zone === undefined ? [] : [zone],
  flavor_id: null,
  ...(forOperator ? { distributed: false, ha: false } : {}),
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

async function views(db: Queries, ctx: Ctx, found: readonly RouterRow[]): Promise<object[]> {
  const addresses = new Map<string, { subnet_id: string; ip_address: string }[]>();
  for (const part of chunks(
    found.flatMap((row) => (row.gateway_port_id === '' ? [] : [row.gateway_port_id])),
  ))
    for (const one of await db
      .selectFrom('ip_allocations')
      .selectAll()
      .where('port_id', 'in', part)
      .orderBy('position')
      .execute())
      addresses.set(one.port_id, [...(addresses.get(one.port_id) ?? []), one]);
  const tags = await tagsOf(
    db,
    found.map((row) => row.id),
  );
  const zones = await zoneOfHosts(db);
  return found.map((row) =>
    routerView(
      row,
      addresses.get(row.gateway_port_id) ?? [],
      tags.get(row.id) ?? [],
      zones.get(row.host_id),
      isAdmin(ctx.actor),
    ),
  );
}

/** Quota is the caller's. */
export async function insertRouter(
  tx: Tx,
  ctx: Ctx,
  owner: string,
  input: Static<typeof routerCreate>,
): Promise<string> {
  const row: RouterRow = {
    ...newRow(ctx, owner, input.description),
    name: input.name ?? '',
    admin_state_up: flag(input.admin_state_up ?? true),
    status: 'ACTIVE',
    external_network_id: '',
    gateway_port_id: '',
    enable_snat: 1,
    routes: '[]',
    host_id: '',
    unscheduled: 0,
    zone_hints: await checkedHints(tx, input.availability_zone_hints),
    error: '',
  };
  const gateway =
    input.external_gateway_info === undefined
      ? {}
      : await setGateway(tx, ctx, row, input.external_gateway_info, 'create_router');
  await tx
    .insertInto('routers')
    .values({ ...row, ...gateway })
    .execute();
  await ctx.platform.work.enqueue(tx, 'router', [row.id]);
  await audit(tx, ctx, 'router', row.id);
  return row.id;
}

async function make(ctx: Ctx, inputs: Static<typeof routerCreate>[]): Promise<string[]> {
  const owners = inputs.map((input) => {
    if (!isAdmin(ctx.actor) && (input.ha !== undefined || input.distributed !== undefined))
      throw disallowed(`create_router:${input.ha === undefined ? 'distributed' : 'ha'}`);
    return ownerOf(ctx, 'create_router', input);
  });
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, input] of inputs.entries()) {
        const owner = owners[at] ?? '';
        await claimQuota(tx, ctx, owner, { router: 1 });
        ids.push(await insertRouter(tx, ctx, owner, input));
      }
      return ids;
    },
    {
      locks: [
        ...owners.map(quotaLock),
        ...inputs.map((input) => subnetsLock(input.external_gateway_info?.network_id ?? '')),
      ],
    },
  );
}

async function change(ctx: Ctx, id: string, input: Static<typeof routerUpdate>): Promise<void> {
  await ctx.platform.db.tx(
    async (tx) => {
      const row = await readableRouter(tx, ctx.actor, id);
      const gateway =
        input.external_gateway_info === undefined
          ? null
          : await setGateway(tx, ctx, row, input.external_gateway_info, 'update_router');
      await tx
        .updateTable('routers')
        .set({
          name: input.name ?? row.name,
          description: input.description ?? row.description,
          admin_state_up: flag(input.admin_state_up ?? row.admin_state_up === 1),
          external_network_id: gateway === null ? row.external_network_id : gateway.external_network_id,
          gateway_port_id: gateway === null ? row.gateway_port_id : gateway.gateway_port_id,
          enable_snat: gateway === null ? row.enable_snat : gateway.enable_snat,
          routes: input.routes === undefined ? row.routes : await routesFor(tx, row, input.routes ?? []),
          ...touched(ctx, row),
        })
        .where('id', '=', id)
        .execute();
      await ctx.platform.work.enqueue(tx, 'router', [id]);
      await audit(tx, ctx, 'router', id);
    },
    { locks: [`router:${id}`, subnetsLock(input.external_gateway_info?.network_id ?? '')] },
  );
}

const remove = (ctx: Ctx, id: string): Promise<void> => ctx.platform.db.tx((tx) => removeRouter(tx, ctx, id));

/** With its gateway; 409 while it has interfaces. */
export async function removeRouter(tx: Tx, ctx: Ctx, id: string): Promise<void> {
  const row = await readableRouter(tx, ctx.actor, id);
  const used = await tx
    .selectFrom('ports')
    .select('id')
    .where('device_id', '=', id)
    .where('device_owner', '=', INTERFACE)
    .limit(1)
    .executeTakeFirst();
  if (used !== undefined)
    throw conflict(
      `Router ${id} still has ports (e.g. ${used.id}); remove its interfaces first.`,
      'RouterInUse',
    );
  await setGateway(tx, ctx, row, null, 'delete_router');
  await deleteObject(tx, ctx, { table: 'routers', kind: 'router', quota: 'router' }, row);
  await ctx.platform.work.enqueue(tx, 'router', [id]);
}

export const routers: Collection<'routers', RouterRow, typeof routerCreate, typeof routerUpdate> = {
  singular: 'router',
  path: '/v2.0/routers',
  kind: 'router',
  list,
  create: routerCreate,
  update: routerUpdate,
  rows,
  views,
  make,
  change,
  remove,
  tags: true,
};
