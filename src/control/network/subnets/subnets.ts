// Subnets: schemas, visibility, JSON and verbs.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { claimQuota, disallowed, invalidInput, ownerOf } from '../faults.ts';
import { standardFilters, standardSort, type ListSpec } from '../listing.ts';
import { readableNetwork } from '../networks/schema.ts';
import { ensureDhcpPort, leaveDhcpPort } from '../ports/dhcp-port.ts';
import { poolsOf, rangesOf, resetFreeAddresses } from '../ports/addresses.ts';
import { granted, SHARED } from '../rbac/visible.ts';
import { defaultPool, takeFromPool } from '../subnet-pools/allocation.ts';
import { poolLock } from '../subnet-pools/subnet-pools.ts';
import { flag, newRow, tagsOf, touched, type Queries } from '../rows.ts';
import type { ServersChanged } from '../ports/ports.ts';
import { announce } from './automatic.ts';
import { overlaps, parseAddress, parseCidr, within, type Cidr } from './addressing.ts';
import { dropSubnet } from './remove.ts';
import {
  checkCidr,
  checkDhcp,
  checkIpv6Modes,
  checkNameservers,
  checkRoutes,
  gatewayFor,
  poolsFor,
} from './rules.ts';
import type { SubnetRow } from './table.ts';

const ipText = text(49);
const mode = Type.Union([
  Type.Literal('slaac'),
  Type.Literal('dhcpv6-stateful'),
  Type.Literal('dhcpv6-stateless'),
]);
const changeable = {
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  gateway_ip: Type.Optional(nullable(ipText)),
  enable_dhcp: Type.Optional(Type.Boolean()),
  allocation_pools: Type.Optional(Type.Array(strict({ start: ipText, end: ipText }), { maxItems: 64 })),
  dns_nameservers: Type.Optional(Type.Array(ipText, { maxItems: 64 })),
  host_routes: Type.Optional(Type.Array(strict({ destination: ipText, nexthop: ipText }), { maxItems: 64 })),
};
const subnetUpdate = strict(changeable);
const subnetCreate = strict({
  ...changeable,
  network_id: idOf('network'),
  ip_version: Type.Union([Type.Literal(4), Type.Literal(6), Type.Literal('4'), Type.Literal('6')]),
  cidr: Type.Optional(nullable(ipText)),
  /** Of a subnet whose CIDR comes from a pool. */
  prefixlen: Type.Optional(
    Type.Union([Type.Integer({ minimum: 1, maximum: 128 }), Type.String({ pattern: '^[0-9]{1,3}$' })]),
  ),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
  ipv6_ra_mode: Type.Optional(nullable(mode)),
  ipv6_address_mode: Type.Optional(nullable(mode)),
  subnetpool_id: Type.Optional(nullable(idOf('subnet-pool'))),
  use_default_subnetpool: Type.Optional(Type.Boolean()),
});

const list: ListSpec = {
  noun: 'Subnet',
  plural: 'subnets',
  table: 'subnets',
  filters: {
    ...standardFilters('subnets'),
    id: { by: 'text', column: 'subnets.id', ref: 'subnet' },
    name: { by: 'text', column: 'subnets.name' },
    network_id: { by: 'text', column: 'subnets.network_id', ref: 'network' },
    ip_version: { by: 'integer', column: 'subnets.ip_version' },
    cidr: { by: 'text', column: 'subnets.cidr' },
    gateway_ip: { by: 'text', column: 'subnets.gateway_ip' },
    enable_dhcp: { by: 'boolean', column: 'subnets.enable_dhcp' },
    ipv6_ra_mode: { by: 'text', column: 'subnets.ipv6_ra_mode' },
    ipv6_address_mode: { by: 'text', column: 'subnets.ipv6_address_mode' },
    subnetpool_id: { by: 'text', column: 'subnets.subnetpool_id', ref: 'subnet-pool' },
  },
  sortable: {
    ...standardSort,
    name: 'name',
    network_id: 'network_id',
    ip_version: 'ip_version',
    cidr: 'cidr',
    gateway_ip: 'gateway_ip',
    enable_dhcp: 'enable_dhcp',
  },
};

/** Own subnets, those of own networks, and those of shared networks. */
const rows = (db: Queries, actor: Actor) =>
  db
    .selectFrom('subnets')
    .selectAll('subnets')
    .$if(!isAdmin(actor), (query) =>
      query.where((eb) =>
        eb.or([
          eb('subnets.project_id', '=', projectOf(actor)),
          eb(
            'subnets.network_id',
            'in',
            db
              .selectFrom('networks')
              .select('networks.id')
              .where((of) =>
                of.or([
                  of('networks.project_id', '=', projectOf(actor)),
                  granted('networks.id', projectOf(actor), SHARED),
                ]),
              ),
          ),
        ]),
      ),
    );

export async function readableSubnet(db: Queries, actor: Actor, id: string): Promise<SubnetRow> {
  const row = await rows(db, actor).where('subnets.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Subnet', id);
  return row;
}

export const cidrOf = (row: { cidr: string }): Cidr => {
  const cidr = parseCidr(row.cidr);
  if (cidr === null) throw new Error(`the stored cidr ${row.cidr} is not valid`);
  return cidr;
};

export const subnetView = (row: SubnetRow, tags: readonly string[]): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  network_id: row.network_id,
  ip_version: row.ip_version,
  cidr: row.cidr,
  gateway_ip: row.gateway_ip === '' ? null : row.gateway_ip,
  enable_dhcp: row.enable_dhcp === 1,
  allocation_pools: poolsOf(row),
  dns_nameservers: JSON.parse(row.dns_nameservers) as unknown,
  host_routes: JSON.parse(row.host_routes) as unknown,
  ipv6_ra_mode: row.ipv6_ra_mode === '' ? null : row.ipv6_ra_mode,
  ipv6_address_mode: row.ipv6_address_mode === '' ? null : row.ipv6_address_mode,
  subnetpool_id: row.subnetpool_id === '' ? null : row.subnetpool_id,
  service_types: [],
  description: row.description,
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

async function views(db: Queries, _ctx: Ctx, found: readonly SubnetRow[]): Promise<object[]> {
  const tags = await tagsOf(
    db,
    found.map((row) => row.id),
  );
  return found.map((row) => subnetView(row, tags.get(row.id) ?? []));
}

/** Changes of one network's subnets run one after the other. */
export const subnetsLock = (networkId: string): string => `subnets:${networkId}`;

async function refuseOverlap(tx: Tx, networkId: string, cidr: Cidr): Promise<void> {
  const others = await tx
    .selectFrom('subnets')
    .select(['id', 'cidr'])
    .where('network_id', '=', networkId)
    .execute();
  const other = others.find((one) => overlaps(cidrOf(one), cidr));
  if (other !== undefined)
    throw invalidInput(
      `Requested subnet with cidr: ${cidr.text} for network: ${networkId} overlaps with another subnet (${other.id}, ${other.cidr})`,
    );
}

/** What was asked for, or what a pool has. */
async function cidrFor(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  poolId: string,
  input: Static<typeof subnetCreate>,
): Promise<string> {
  const cidr = input.cidr ?? null;
  const prefixlen = input.prefixlen === undefined ? null : Number(input.prefixlen);
  if (cidr !== null && prefixlen !== null)
    throw badRequest('cidr and prefixlen must not be supplied together.', 'HTTPBadRequest');
  if (poolId !== '')
    return takeFromPool(tx, ctx, { poolId, cidr, prefixlen, ipVersion: Number(input.ip_version), projectId });
  if (cidr === null)
    throw badRequest('a subnetpool must be specified in the absence of a cidr.', 'BadRequest');
  return cidr;
}

export async function insertSubnet(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  input: Static<typeof subnetCreate>,
): Promise<string> {
  const poolId =
    input.use_default_subnetpool === true
      ? await defaultPool(tx, Number(input.ip_version))
      : (input.subnetpool_id ?? '');
  const cidr = checkCidr(await cidrFor(tx, ctx, projectId, poolId, input), Number(input.ip_version));
  const dhcp = input.enable_dhcp ?? true;
  checkDhcp(cidr, dhcp);
  checkIpv6Modes(cidr, dhcp, input.ipv6_ra_mode ?? '', input.ipv6_address_mode ?? '');
  const gateway = gatewayFor(cidr, input.gateway_ip);
  await refuseOverlap(tx, input.network_id, cidr);
  const row: SubnetRow = {
    ...newRow(ctx, projectId, input.description),
    name: input.name ?? '',
    network_id: input.network_id,
    ip_version: cidr.version,
    cidr: cidr.text,
    gateway_ip: gateway,
    enable_dhcp: flag(dhcp),
    allocation_pools: JSON.stringify(poolsFor(cidr, gateway, input.allocation_pools)),
    dns_nameservers: JSON.stringify(checkNameservers(input.dns_nameservers ?? [])),
    host_routes: JSON.stringify(checkRoutes(input.host_routes ?? [], 'host_routes')),
    ipv6_ra_mode: input.ipv6_ra_mode ?? '',
    ipv6_address_mode: input.ipv6_address_mode ?? '',
    subnetpool_id: poolId,
  };
  await tx.insertInto('subnets').values(row).execute();
  await resetFreeAddresses(tx, row);
  if (dhcp) await ensureDhcpPort(tx, ctx, row);
  await ctx.platform.work.enqueue(tx, 'network', [row.network_id]);
  await audit(tx, ctx, 'subnet', row.id);
  return row.id;
}

const makeWith =
  (serversChanged: ServersChanged) =>
  async (ctx: Ctx, inputs: Static<typeof subnetCreate>[]): Promise<string[]> => {
    const owners = inputs.map((input) => ownerOf(ctx, 'create_subnet', input));
    return ctx.platform.db.tx(
      async (tx) => {
        const ids: string[] = [];
        for (const [at, input] of inputs.entries()) {
          const network = await readableNetwork(tx, ctx.actor, input.network_id);
          if (!isAdmin(ctx.actor) && network.project_id !== projectOf(ctx.actor))
            throw disallowed('create_subnet');
          await claimQuota(tx, ctx, owners[at] ?? '', { subnet: 1 });
          const id = await insertSubnet(tx, ctx, owners[at] ?? '', input);
          ids.push(id);
          await announce(tx, ctx, await readableSubnet(tx, ctx.actor, id), serversChanged);
        }
        return ids;
      },
      {
        locks: [
          ...owners.map(quotaLock),
          ...inputs.flatMap((input) => [subnetsLock(input.network_id), poolLock(input.subnetpool_id ?? '')]),
        ],
      },
    );
  };

async function writableSubnet(tx: Tx, ctx: Ctx, id: string, rule: string): Promise<SubnetRow> {
  const row = await readableSubnet(tx, ctx.actor, id);
  if (isAdmin(ctx.actor) || row.project_id === projectOf(ctx.actor)) return row;
  const network = await readableNetwork(tx, ctx.actor, row.network_id);
  if (network.project_id !== projectOf(ctx.actor)) throw disallowed(rule);
  return row;
}

async function change(ctx: Ctx, id: string, input: Static<typeof subnetUpdate>): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await writableSubnet(tx, ctx, id, 'update_subnet');
    const cidr = cidrOf(row);
    const dhcp = input.enable_dhcp ?? row.enable_dhcp === 1;
    if (dhcp !== (row.enable_dhcp === 1)) {
      checkDhcp(cidr, dhcp);
      checkIpv6Modes(cidr, dhcp, row.ipv6_ra_mode, row.ipv6_address_mode);
    }
    const gateway = input.gateway_ip === undefined ? row.gateway_ip : gatewayFor(cidr, input.gateway_ip);
    const pools =
      input.allocation_pools === undefined ? poolsOf(row) : poolsFor(cidr, gateway, input.allocation_pools);
    if (gateway !== row.gateway_ip) await checkNewGateway(tx, row, gateway, pools);
    const next: SubnetRow = {
      ...row,
      name: input.name ?? row.name,
      description: input.description ?? row.description,
      gateway_ip: gateway,
      enable_dhcp: flag(dhcp),
      allocation_pools: JSON.stringify(pools),
      dns_nameservers:
        input.dns_nameservers === undefined
          ? row.dns_nameservers
          : JSON.stringify(checkNameservers(input.dns_nameservers)),
      host_routes:
        input.host_routes === undefined
          ? row.host_routes
          : JSON.stringify(checkRoutes(input.host_routes, 'host_routes')),
      ...touched(ctx, row),
    };
    await tx.updateTable('subnets').set(next).where('id', '=', id).execute();
    if (next.allocation_pools !== row.allocation_pools) await resetFreeAddresses(tx, next);
    if (dhcp && row.enable_dhcp === 0) await ensureDhcpPort(tx, ctx, next);
    if (!dhcp && row.enable_dhcp === 1) await leaveDhcpPort(tx, ctx, next);
    await ctx.platform.work.enqueue(tx, 'network', [row.network_id]);
    const gateways = await tx
      .selectFrom('routers')
      .select('id')
      .where('external_network_id', '=', row.network_id)
      .execute();
    // Routers tell IPv6 guests of the subnet.
    const interfaces = await tx
      .selectFrom('ports')
      .select('device_id')
      .where('network_id', '=', row.network_id)
      .where('device_owner', '=', 'network:router_interface')
      .execute();
    await ctx.platform.work.enqueue(tx, 'router', [
      ...gateways.map((router) => router.id),
      ...(row.ipv6_ra_mode === '' ? [] : interfaces.map((port) => port.device_id)),
    ]);
    await audit(tx, ctx, 'subnet', id);
  });
}

/** A gateway that a router holds stays; a new one must not be an address that guests may get. */
async function checkNewGateway(
  tx: Tx,
  row: SubnetRow,
  gateway: string,
  pools: { start: string; end: string }[],
): Promise<void> {
  const router = await tx
    .selectFrom('ip_allocations as a')
    .innerJoin('ports as p', 'p.id', 'a.port_id')
    .select('p.id')
    .where('a.subnet_id', '=', row.id)
    .where('a.ip_address', '=', row.gateway_ip)
    .where('p.device_owner', '=', 'network:router_interface')
    .executeTakeFirst();
  if (router !== undefined)
    throw conflict(
      `Current gateway ip ${row.gateway_ip} already in use by port ${router.id}. Unable to update.`,
      'GatewayIpInUse',
    );
  const value = parseAddress(gateway)?.value;
  const pool = rangesOf(pools).findIndex((range) => value !== undefined && within(range, value));
  if (pool >= 0)
    throw conflict(
      `Gateway ip ${gateway} conflicts with allocation pool ${pools[pool]?.start}-${pools[pool]?.end}.`,
      'GatewayConflictWithAllocationPools',
    );
}

export const subnetsCollection = (
  serversChanged: ServersChanged,
): Collection<'subnets', SubnetRow, typeof subnetCreate, typeof subnetUpdate> => ({
  singular: 'subnet',
  path: '/v2.0/subnets',
  kind: 'subnet',
  list,
  create: subnetCreate,
  update: subnetUpdate,
  rows,
  views,
  make: makeWith(serversChanged),
  change,
  remove: (ctx, id) =>
    ctx.platform.db.tx(async (tx) =>
      dropSubnet(tx, ctx, await writableSubnet(tx, ctx, id, 'delete_subnet'), serversChanged),
    ),
  tags: true,
});
