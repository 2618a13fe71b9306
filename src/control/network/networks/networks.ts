// Networks: schemas, visibility, JSON and verbs.
import { sql } from 'kysely';
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import { nextCounter, type Tx } from '../../../kernel/db/index.ts';
import { conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, integer, nullable, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { adminOnly, claimQuota, disallowed, invalidInput, ownerOf } from '../faults.ts';
import { standardFilters, standardSort, type ListSpec } from '../listing.ts';
import { deletePorts } from '../ports/insert.ts';
import { chunks, deleteTags, flag, newRow, tagsOf, touched, type Queries } from '../rows.ts';
import type { NetworkRow } from './table.ts';

/** Tenant networks leave 50 bytes for a VXLAN header, so that they may span hosts. */
const TENANT_MTU = 1450;
const EXTERNAL_MTU = 1500;
const PHYSICAL_NETWORK = 'public';
const MAX_SEGMENT = 16_777_215;

const changeable = {
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  admin_state_up: Type.Optional(Type.Boolean()),
  shared: Type.Optional(Type.Boolean()),
  'router:external': Type.Optional(Type.Boolean()),
  port_security_enabled: Type.Optional(Type.Boolean()),
  mtu: Type.Optional(integer(576, 9216)),
};
const networkUpdate = strict(changeable);
const networkCreate = strict({
  ...changeable,
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
  'provider:network_type': Type.Optional(text(32)),
  'provider:physical_network': Type.Optional(nullable(text(64))),
  'provider:segmentation_id': Type.Optional(nullable(integer(1, MAX_SEGMENT))),
  availability_zone_hints: Type.Optional(Type.Array(text(), { maxItems: 0 })),
});
const forOperators = [
  'shared',
  'router:external',
  'provider:network_type',
  'provider:physical_network',
  'provider:segmentation_id',
];

const list: ListSpec = {
  noun: 'Network',
  plural: 'networks',
  table: 'networks',
  filters: {
    ...standardFilters('networks'),
    id: { by: 'text', column: 'networks.id', ref: 'network' },
    name: { by: 'text', column: 'networks.name' },
    status: { by: 'text', column: 'networks.status' },
    admin_state_up: { by: 'boolean', column: 'networks.admin_state_up' },
    shared: { by: 'boolean', column: 'networks.shared' },
    'router:external': { by: 'boolean', column: 'networks.external' },
    port_security_enabled: { by: 'boolean', column: 'networks.port_security_enabled' },
    mtu: { by: 'integer', column: 'networks.mtu' },
    'provider:segmentation_id': { by: 'integer', column: 'networks.segment' },
  },
  sortable: {
    ...standardSort,
    name: 'name',
    status: 'status',
    admin_state_up: 'admin_state_up',
    shared: 'shared',
    mtu: 'mtu',
  },
};

/** Own networks, and what is shared or external. */
export const visibleNetworks = (db: Queries, actor: Actor) =>
  db
    .selectFrom('networks')
    .selectAll('networks')
    .$if(!isAdmin(actor), (query) =>
      query.where((eb) =>
        eb.or([
          eb('networks.project_id', '=', projectOf(actor)),
          eb('networks.shared', '=', 1),
          eb('networks.external', '=', 1),
        ]),
      ),
    );

export async function readableNetwork(db: Queries, actor: Actor, id: string): Promise<NetworkRow> {
  const row = await visibleNetworks(db, actor).where('networks.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Network', id);
  return row;
}

async function writableNetwork(tx: Tx, ctx: Ctx, id: string, rule: string): Promise<NetworkRow> {
  const row = await readableNetwork(tx, ctx.actor, id);
  if (!isAdmin(ctx.actor) && row.project_id !== projectOf(ctx.actor)) throw disallowed(rule);
  return row;
}

export const networkView = (
  row: NetworkRow,
  subnetIds: readonly string[],
  tags: readonly string[],
  forOperator: boolean,
): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  description: row.description,
  admin_state_up: row.admin_state_up === 1,
  status: row.status,
  subnets: subnetIds,
  shared: row.shared === 1,
  'router:external': row.external === 1,
  port_security_enabled: row.port_security_enabled === 1,
  mtu: row.mtu,
  availability_zone_hints: [],
  availability_zones: ['nova'],
  ipv4_address_scope: null,
  ipv6_address_scope: null,
  ...(forOperator
    ? {
        'provider:network_type': row.external === 1 ? 'flat' : 'vxlan',
        'provider:physical_network': row.external === 1 ? PHYSICAL_NETWORK : null,
        'provider:segmentation_id': row.external === 1 ? null : row.segment,
      }
    : {}),
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

async function views(db: Queries, ctx: Ctx, rows: readonly NetworkRow[]): Promise<object[]> {
  const subnets = new Map<string, string[]>();
  for (const part of chunks(rows.map((row) => row.id)))
    for (const subnet of await db
      .selectFrom('subnets')
      .select(['id', 'network_id'])
      .where('network_id', 'in', part)
      .orderBy('created_at')
      .orderBy('id')
      .execute())
      subnets.set(subnet.network_id, [...(subnets.get(subnet.network_id) ?? []), subnet.id]);
  const tags = await tagsOf(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) =>
    networkView(row, subnets.get(row.id) ?? [], tags.get(row.id) ?? [], isAdmin(ctx.actor)),
  );
}

function checkProvider(input: Static<typeof networkCreate>): void {
  const type = input['provider:network_type'];
  const physical = input['provider:physical_network'] ?? undefined;
  const external = input['router:external'] === true;
  if (type !== undefined && type !== (external ? 'flat' : 'vxlan'))
    throw invalidInput(
      `'provider:network_type' ${type} is not supported here: external networks are flat, all others are vxlan`,
    );
  if (physical !== undefined && (!external || physical !== PHYSICAL_NETWORK))
    throw invalidInput(
      `'provider:physical_network' ${physical} is unknown: only external networks name one, and it is ${PHYSICAL_NETWORK}`,
    );
  if (external && typeof input['provider:segmentation_id'] === 'number')
    throw invalidInput(`'provider:segmentation_id' cannot be set on a flat network`);
}

async function newSegment(tx: Tx, asked: number | null | undefined): Promise<number> {
  if (typeof asked === 'number') {
    if (
      (await tx.selectFrom('networks').select('id').where('segment', '=', asked).executeTakeFirst()) !==
      undefined
    )
      throw conflict(`Unable to create the network. The tunnel ID ${asked} is in use.`, 'TunnelIdInUse');
    return asked;
  }
  for (;;) {
    const segment = await nextCounter(tx, 'network-segment');
    if (segment > MAX_SEGMENT)
      throw conflict(
        'Unable to create the network. No tenant network is available for allocation.',
        'NoNetworkAvailable',
      );
    if (
      (await tx.selectFrom('networks').select('id').where('segment', '=', segment).executeTakeFirst()) ===
      undefined
    )
      return segment;
  }
}

async function insertNetwork(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  input: Static<typeof networkCreate>,
): Promise<string> {
  const external = input['router:external'] === true;
  const row: NetworkRow = {
    ...newRow(ctx, projectId, input.description),
    name: input.name ?? '',
    admin_state_up: flag(input.admin_state_up ?? true),
    status: 'ACTIVE',
    shared: flag(input.shared ?? false),
    external: flag(external),
    port_security_enabled: flag(input.port_security_enabled ?? true),
    mtu: input.mtu ?? (external ? EXTERNAL_MTU : TENANT_MTU),
    segment: await newSegment(tx, input['provider:segmentation_id']),
    error: '',
  };
  await tx.insertInto('networks').values(row).execute();
  await ctx.platform.work.enqueue(tx, 'network', [row.id]);
  await audit(tx, ctx, 'network', row.id);
  return row.id;
}

async function make(ctx: Ctx, inputs: Static<typeof networkCreate>[]): Promise<string[]> {
  const owners = inputs.map((input) => {
    adminOnly(ctx, 'create_network', input, forOperators);
    checkProvider(input);
    return ownerOf(ctx, 'create_network', input);
  });
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, input] of inputs.entries()) {
        const owner = owners[at] ?? '';
        await claimQuota(tx, ctx, owner, { network: 1 });
        ids.push(await insertNetwork(tx, ctx, owner, input));
      }
      return ids;
    },
    { locks: owners.map(quotaLock) },
  );
}

async function change(ctx: Ctx, id: string, input: Static<typeof networkUpdate>): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await writableNetwork(tx, ctx, id, 'update_network');
    adminOnly(ctx, 'update_network', input, forOperators);
    if (input['router:external'] !== undefined && flag(input['router:external']) !== row.external)
      await checkExternalChange(tx, row, input['router:external']);
    if (input.shared === false && row.shared === 1) {
      const foreign = await tx
        .selectFrom('ports')
        .select('id')
        .where('network_id', '=', id)
        .where('project_id', 'not in', [row.project_id, ''])
        .executeTakeFirst();
      if (foreign !== undefined)
        throw conflict(
          `Unable to reconfigure sharing settings for network ${id}. Multiple projects are using it.`,
          'InvalidSharedSetting',
        );
    }
    await tx
      .updateTable('networks')
      .set({
        name: input.name ?? row.name,
        description: input.description ?? row.description,
        admin_state_up: flag(input.admin_state_up ?? row.admin_state_up === 1),
        shared: flag(input.shared ?? row.shared === 1),
        external: flag(input['router:external'] ?? row.external === 1),
        port_security_enabled: flag(input.port_security_enabled ?? row.port_security_enabled === 1),
        mtu: input.mtu ?? row.mtu,
        ...touched(ctx, row),
      })
      .where('id', '=', id)
      .execute();
    await ctx.platform.work.enqueue(tx, 'network', [id]);
    await audit(tx, ctx, 'network', id);
  });
}

async function checkExternalChange(tx: Tx, row: NetworkRow, external: boolean): Promise<void> {
  const used = await tx
    .selectFrom('ports')
    .select('id')
    .where('network_id', '=', row.id)
    .where(
      'device_owner',
      external ? 'not in' : 'in',
      external
        ? ['network:dhcp', 'network:router_gateway', 'network:floatingip']
        : ['network:router_gateway', 'network:floatingip'],
    )
    .executeTakeFirst();
  if (used !== undefined)
    throw conflict(
      external
        ? `Network ${row.id} cannot become external while it has ports (e.g. ${used.id}).`
        : `External network ${row.id} cannot be updated to be made non-external, since it has existing gateway or floating IP ports.`,
      'ExternalNetworkInUse',
    );
}

async function remove(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await writableNetwork(tx, ctx, id, 'delete_network');
    const ports = await tx
      .selectFrom('ports')
      .select(['id', 'device_owner'])
      .where('network_id', '=', id)
      .orderBy(sql`case when device_owner = 'network:dhcp' then 1 else 0 end`)
      .limit(4)
      .execute();
    const used = ports.filter((port) => port.device_owner !== 'network:dhcp');
    if (used.length > 0)
      throw conflict(
        `Unable to complete operation on network ${id}. There are one or more ports still in use on the network, id for these ports is: ${used.map((port) => port.id).join(',')}.`,
        'NetworkInUse',
      );
    const subnets = await tx
      .selectFrom('subnets')
      .select(['id', 'project_id'])
      .where('network_id', '=', id)
      .execute();
    await deletePorts(
      tx,
      ctx,
      ports.map((port) => port.id),
    );
    for (const subnet of subnets) {
      await tx.deleteFrom('free_addresses').where('subnet_id', '=', subnet.id).execute();
      await tx.deleteFrom('subnets').where('id', '=', subnet.id).execute();
      await deleteTags(tx, subnet.id);
      await ctx.platform.quotas.release(tx, subnet.project_id, { subnet: 1 });
    }
    await tx.deleteFrom('networks').where('id', '=', id).execute();
    await deleteTags(tx, id);
    await ctx.platform.quotas.release(tx, row.project_id, { network: 1 });
    await ctx.platform.work.enqueue(tx, 'network', [id]);
    await audit(tx, ctx, 'network', id);
  });
}

export const networks: Collection<'networks', NetworkRow, typeof networkCreate, typeof networkUpdate> = {
  singular: 'network',
  path: '/v2.0/networks',
  kind: 'network',
  list,
  create: networkCreate,
  update: networkUpdate,
  rows: visibleNetworks,
  views,
  make,
  change,
  remove,
  tags: true,
};

/** The cloud's external network, made at the first start. */
export async function ensurePublicNetwork(tx: Tx, ctx: Ctx, projectId: string): Promise<string> {
  const existing = await tx
    .selectFrom('networks')
    .select('id')
    .where('external', '=', 1)
    .where('name', '=', 'public')
    .executeTakeFirst();
  if (existing !== undefined) return existing.id;
  await claimQuota(tx, ctx, projectId, { network: 1 });
  return insertNetwork(tx, ctx, projectId, { name: 'public', 'router:external': true });
}
