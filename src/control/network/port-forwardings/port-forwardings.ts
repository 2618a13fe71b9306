// Port forwardings: schemas, visibility and verbs. The address belongs to a router while it has any.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import type { Actor } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import { claimQuota, ownerOf } from '../faults.ts';
import { routerTowards } from '../floating-ips/association.ts';
import { readableFloatingIp } from '../floating-ips/read.ts';
import type { FloatingIpRow } from '../floating-ips/table.ts';
import { standardFilters, standardSort, type ListSpec } from '../listing.ts';
import { childRow, type Nested } from '../nested.ts';
import { readablePort } from '../ports/schema.ts';
import { newRow, touched, type Queries } from '../rows.ts';
import { removeForwardings } from './remove.ts';
import { checkCollisions, checkRelation, portRange, type PortRange } from './rules.ts';
import type { PortForwardingRow } from './table.ts';
import { portForwardingView } from './wire.ts';

/** Which values make sense is said by rules.ts. */
const portNumber = Type.Optional(nullable(Type.Union([Type.Integer(), text(16)])));
const ports = {
  external_port: portNumber,
  external_port_range: portNumber,
  internal_port: portNumber,
  internal_port_range: portNumber,
};
const protocol = text(16, 1);
const forwardingCreate = strict({
  ...ports,
  protocol,
  internal_port_id: idOf('port'),
  internal_ip_address: Type.Optional(nullable(text(45))),
  description: Type.Optional(text()),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});
const forwardingUpdate = strict({
  ...ports,
  protocol: Type.Optional(protocol),
  internal_port_id: Type.Optional(idOf('port')),
  internal_ip_address: Type.Optional(nullable(text(45))),
  description: Type.Optional(text()),
});
type Input = Static<typeof forwardingUpdate>;

const list: ListSpec = {
  noun: 'Port Forwarding',
  plural: 'port_forwardings',
  table: 'port_forwardings',
  filters: {
    id: { by: 'text', column: 'port_forwardings.id', ref: 'port-forwarding' },
    internal_port_id: { by: 'text', column: 'port_forwardings.internal_port_id', ref: 'port' },
    internal_ip_address: { by: 'text', column: 'port_forwardings.internal_ip_address' },
    protocol: { by: 'text', column: 'port_forwardings.protocol' },
    external_port: { by: 'integer', column: 'port_forwardings.external_first' },
    internal_port: { by: 'integer', column: 'port_forwardings.internal_first' },
    description: standardFilters('port_forwardings')['description'] as ListSpec['filters'][string],
  },
  sortable: {
    ...standardSort,
    internal_port_id: 'internal_port_id',
    protocol: 'protocol',
    external_port: 'external_first',
  },
};

async function rows(db: Queries, actor: Actor, floatingIpId: string) {
  const { id } = await readableFloatingIp(db, actor, floatingIpId);
  return db
    .selectFrom('port_forwardings')
    .selectAll('port_forwardings')
    .where('port_forwardings.floating_ip_id', '=', id);
}

function protocolOf(asked: string): string {
  const known = ({ tcp: 'tcp', '6': 'tcp', udp: 'udp', '17': 'udp' } as Record<string, string>)[
    asked.toLowerCase()
  ];
  if (known === undefined)
    throw badRequest(
      `Invalid input for protocol. Reason: '${asked}' is not in ['tcp', 'udp']: only protocols with ports are forwarded.`,
      'HTTPBadRequest',
    );
  return known;
}

/** The port's address that is meant, and the router that joins it with the floating IP. */
async function destination(
  tx: Tx,
  ctx: Ctx,
  floating: FloatingIpRow,
  portId: string,
  ip: string | null,
): Promise<{ ip: string; routerId: string }> {
  const port = await readablePort(tx, ctx.actor, portId);
  if (port.project_id !== floating.project_id)
    throw badRequest(
      `Bad port_forwarding request: port ${portId} belongs to another project than floating IP ${floating.id}.`,
    );
  const held = await tx
    .selectFrom('ip_allocations as a')
    .innerJoin('subnets as s', 's.id', 'a.subnet_id')
    .select(['a.subnet_id', 'a.ip_address', 's.gateway_ip'])
    .where('a.port_id', '=', portId)
    .where('s.ip_version', '=', 4)
    .orderBy('a.position')
    .execute();
  if (held.length === 0)
    throw badRequest(
      `Bad port_forwarding request: Requested internal port ${portId} must allocate an IPv4 address at least.`,
    );
  const one = ip === null ? held[0] : held.find((row) => row.ip_address === ip);
  if (one === undefined)
    throw badRequest(
      `Bad port_forwarding request: Requested internal IP address ${ip} is not suitable for internal neutron port ${portId}, as its fixed_ips are ${held.map((row) => row.ip_address).join(', ')}.`,
    );
  const bound = await tx
    .selectFrom('floating_ips')
    .select(['id', 'floating_ip_address'])
    .where('fixed_port_id', '=', portId)
    .executeTakeFirst();
  if (bound !== undefined)
    throw conflict(
      `Cannot create port forwarding to floating IP ${floating.floating_ip_address} (${floating.id}) with port ${portId} using fixed IP ${one.ip_address}, as that port already has a binding floating IP (${bound.floating_ip_address}).`,
      'PortHasBindingFloatingIP',
    );
  const routerId = await routerTowards(tx, floating.floating_network_id, one);
  if (routerId === null)
    throw badRequest(
      `Bad port_forwarding request: External network ${floating.floating_network_id} is not reachable from subnet ${one.subnet_id}. Cannot set Port forwarding for port ${portId} with Floating IP ${floating.id}.`,
    );
  if (floating.router_id !== null && floating.router_id !== routerId)
    throw badRequest(
      `Bad port_forwarding request: The Floating IP ${floating.id} had been set on router ${floating.router_id}, the internal Neutron port ${portId} can not reach it.`,
    );
  return { ip: one.ip_address, routerId };
}

/** Refuses what does not fit the other forwardings of the address and of the port. */
async function checkRow(tx: Tx, row: PortForwardingRow): Promise<void> {
  checkRelation(row);
  const of = (column: 'floating_ip_id' | 'internal_port_id') =>
    tx.selectFrom('port_forwardings').selectAll().where(column, '=', row[column]).execute();
  checkCollisions(row, await of('floating_ip_id'), await of('internal_port_id'));
}

const required = (side: 'external' | 'internal', range: PortRange | null): PortRange => {
  if (range === null)
    throw badRequest(`Bad port_forwarding request: ${side}_port or ${side}_port_range must be given.`);
  return range;
};

const forwardingLock = (floatingIpId: string): string => `floating-ip:${floatingIpId}`;

async function make(ctx: Ctx, floatingIpId: string, input: Static<typeof forwardingCreate>): Promise<string> {
  if (input.project_id !== undefined || input.tenant_id !== undefined)
    ownerOf(ctx, 'create_floatingip_port_forwarding', input);
  // What may not be seen is not there, whatever else is wrong with the request.
  const { read } = ctx.platform.db;
  const owner = (await readableFloatingIp(read, ctx.actor, floatingIpId)).project_id;
  await readablePort(read, ctx.actor, input.internal_port_id);
  const outside = required('external', portRange('external', input.external_port, input.external_port_range));
  const inside = required('internal', portRange('internal', input.internal_port, input.internal_port_range));
  const chosen = protocolOf(input.protocol);
  return ctx.platform.db.tx(
    async (tx) => {
      const floating = await readableFloatingIp(tx, ctx.actor, floatingIpId);
      if (floating.fixed_port_id !== null)
        throw conflict(
          `Cannot associate floating IP ${floating.floating_ip_address} (${floating.id}) with port ${input.internal_port_id}: it is associated with port ${floating.fixed_port_id} as a whole; disassociate it first.`,
          'FloatingIPPortAlreadyAssociated',
        );
      const { ip, routerId } = await destination(
        tx,
        ctx,
        floating,
        input.internal_port_id,
        input.internal_ip_address ?? null,
      );
      const row: PortForwardingRow = {
        ...newRow(ctx, floating.project_id, input.description),
        floating_ip_id: floating.id,
        internal_port_id: input.internal_port_id,
        internal_ip_address: ip,
        protocol: chosen,
        external_first: outside.first,
        external_last: outside.last,
        internal_first: inside.first,
        internal_last: inside.last,
      };
      await checkRow(tx, row);
      await claimQuota(tx, ctx, floating.project_id, { port_forwarding: 1 });
      await tx.insertInto('port_forwardings').values(row).execute();
      if (floating.router_id === null)
        await tx
          .updateTable('floating_ips')
          .set({ router_id: routerId, ...touched(ctx, floating) })
          .where('id', '=', floating.id)
          .execute();
      await ctx.platform.work.enqueue(tx, 'router', [routerId]);
      await audit(tx, ctx, 'port-forwarding', row.id);
      return row.id;
    },
    { locks: [quotaLock(owner), forwardingLock(floatingIpId)] },
  );
}

async function change(ctx: Ctx, floatingIpId: string, id: string, input: Input): Promise<void> {
  const { read } = ctx.platform.db;
  await childRow({ rows, list }, read, ctx.actor, floatingIpId, id);
  if (input.internal_port_id !== undefined) await readablePort(read, ctx.actor, input.internal_port_id);
  const outside = portRange('external', input.external_port, input.external_port_range);
  const inside = portRange('internal', input.internal_port, input.internal_port_range);
  const chosen = input.protocol === undefined ? undefined : protocolOf(input.protocol);
  await ctx.platform.db.tx(
    async (tx) => {
      const floating = await readableFloatingIp(tx, ctx.actor, floatingIpId);
      const row = await childRow({ rows, list }, tx, ctx.actor, floatingIpId, id);
      const moves = input.internal_port_id !== undefined || typeof input.internal_ip_address === 'string';
      const portId = input.internal_port_id ?? row.internal_port_id;
      const ip =
        input.internal_ip_address ?? (portId === row.internal_port_id ? row.internal_ip_address : null);
      const next: PortForwardingRow = {
        ...row,
        internal_port_id: portId,
        internal_ip_address: moves
          ? (await destination(tx, ctx, floating, portId, ip)).ip
          : row.internal_ip_address,
        protocol: chosen ?? row.protocol,
        external_first: outside?.first ?? row.external_first,
        external_last: outside?.last ?? row.external_last,
        internal_first: inside?.first ?? row.internal_first,
        internal_last: inside?.last ?? row.internal_last,
        description: input.description ?? row.description,
        ...touched(ctx, row),
      };
      await checkRow(tx, next);
      await tx.updateTable('port_forwardings').set(next).where('id', '=', id).execute();
      await ctx.platform.work.enqueue(tx, 'router', floating.router_id === null ? [] : [floating.router_id]);
      await audit(tx, ctx, 'port-forwarding', id);
    },
    { locks: [forwardingLock(floatingIpId)] },
  );
}

async function remove(ctx: Ctx, floatingIpId: string, id: string): Promise<void> {
  await ctx.platform.db.tx(
    async (tx) => {
      await removeForwardings(tx, ctx, [await childRow({ rows, list }, tx, ctx.actor, floatingIpId, id)]);
      await audit(tx, ctx, 'port-forwarding', id);
    },
    { locks: [forwardingLock(floatingIpId)] },
  );
}

export const portForwardings: Nested<
  'port_forwardings',
  PortForwardingRow,
  typeof forwardingCreate,
  typeof forwardingUpdate
> = {
  parent: { path: '/v2.0/floatingips', param: 'floatingip_id', kind: 'floating-ip' },
  singular: 'port_forwarding',
  plural: 'port_forwardings',
  param: 'port_forwarding_id',
  kind: 'port-forwarding',
  policy: 'floatingip_port_forwarding',
  list,
  create: forwardingCreate,
  update: forwardingUpdate,
  rows,
  view: portForwardingView,
  make,
  change,
  remove,
};
