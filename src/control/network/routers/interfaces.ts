// Connecting a router to subnets, and cutting it off.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { idOf, strict } from '../../../kernel/schema.ts';
import { deletePorts, insertPort, membershipChanged, takeFixedIps } from '../ports/insert.ts';
import { readablePort } from '../ports/schema.ts';
import { contains, overlaps, parseAddress } from '../subnets/addressing.ts';
import type { HostRoute } from '../subnets/rules.ts';
import { cidrOf, readableSubnet, subnetsLock } from '../subnets/subnets.ts';
import { INTERFACE, routerAddresses } from './ports.ts';
import { readableRouter } from './routers.ts';
import type { RouterRow } from './table.ts';

const reference = strict({ subnet_id: Type.Optional(idOf('subnet')), port_id: Type.Optional(idOf('port')) });
type Reference = Static<typeof reference>;
type Connected = { portId: string; networkId: string; subnetIds: string[] };

const badRouter = (why: string): CloudError => badRequest(`Bad router request: ${why}.`);

async function refuseConflict(
  tx: Tx,
  router: RouterRow,
  subnet: { id: string; cidr: string },
): Promise<void> {
  for (const one of await routerAddresses(tx, [router.id])) {
    if (one.subnet_id === subnet.id) throw badRouter(`Router already has a port on subnet ${subnet.id}`);
    if (overlaps(cidrOf(one), cidrOf(subnet)))
      throw badRouter(
        `Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${one.cidr} of subnet ${one.subnet_id}`,
      );
  }
}

async function addSubnet(tx: Tx, ctx: Ctx, router: RouterRow, subnetId: string): Promise<Connected> {
  const subnet = await readableSubnet(tx, ctx.actor, subnetId);
  const network = await tx
    .selectFrom('networks')
    .select('project_id')
    .where('id', '=', subnet.network_id)
    .executeTakeFirstOrThrow();
  if (!isAdmin(ctx.actor) && network.project_id !== projectOf(ctx.actor))
    throw badRouter(
      `Cannot add interface to router because subnet ${subnetId} is not owned by project making the request`,
    );
  if (subnet.gateway_ip === '')
    throw badRouter(`Subnet ${subnetId} for router interface must have a gateway IP`);
  await refuseConflict(tx, router, subnet);
  const port = await insertPort(tx, ctx, {
    project_id: router.project_id,
    network_id: subnet.network_id,
    device_id: router.id,
    device_owner: INTERFACE,
    port_security_enabled: 0,
  });
  await takeFixedIps(tx, port, [subnet], [{ subnet_id: subnet.id, ip_address: subnet.gateway_ip }]);
  return { portId: port.id, networkId: subnet.network_id, subnetIds: [subnet.id] };
}

async function addPort(tx: Tx, ctx: Ctx, router: RouterRow, portId: string): Promise<Connected> {
  const port = await readablePort(tx, ctx.actor, portId);
  if (!isAdmin(ctx.actor) && port.project_id !== projectOf(ctx.actor))
    throw badRouter(
      `Cannot add interface to router because port ${portId} is not owned by project making the request`,
    );
  if (port.device_id !== '' || port.server_id !== '')
    throw conflict(
      `Unable to complete operation on port ${portId} for network ${port.network_id}. Port already has an attached device ${port.device_id}.`,
      'PortInUse',
    );
  const addresses = await tx
    .selectFrom('ip_allocations as a')
    .innerJoin('subnets as s', 's.id', 'a.subnet_id')
    .select(['s.id', 's.cidr', 's.ip_version'])
    .where('a.port_id', '=', portId)
    .orderBy('a.position')
    .execute();
  if (addresses.length === 0) throw badRouter('Router port must have at least one fixed IP');
  if (addresses.filter((one) => one.ip_version === 4).length > 1)
    throw badRouter('Cannot have multiple IPv4 subnets on router port');
  for (const subnet of addresses) await refuseConflict(tx, router, subnet);
  const groups = await tx
    .selectFrom('port_security_groups')
    .select('security_group_id')
    .where('port_id', '=', portId)
    .execute();
  await tx.deleteFrom('port_security_groups').where('port_id', '=', portId).execute();
  await tx
    .updateTable('ports')
    .set({
      device_id: router.id,
      device_owner: INTERFACE,
      port_security_enabled: 0,
      project_id: router.project_id,
      allowed_address_pairs: '[]',
    })
    .where('id', '=', portId)
    .execute();
  await membershipChanged(
    tx,
    ctx,
    groups.map((one) => one.security_group_id),
  );
  // From here on it is the router's: it goes with the interface and counts against no port quota.
  await ctx.platform.quotas.release(tx, port.project_id, { port: 1 });
  return { portId, networkId: port.network_id, subnetIds: addresses.map((one) => one.id) };
}

async function findInterface(tx: Tx, router: RouterRow, asked: Reference): Promise<Connected> {
  const all = (await routerAddresses(tx, [router.id])).filter((one) => one.device_owner === INTERFACE);
  const found = all.filter((one) =>
    asked.port_id === undefined ? one.subnet_id === asked.subnet_id : one.port_id === asked.port_id,
  );
  const first = found[0];
  if (first === undefined)
    throw asked.port_id === undefined
      ? new CloudError(
          404,
          'RouterInterfaceNotFoundForSubnet',
          `Router ${router.id} has no interface on subnet ${asked.subnet_id}`,
        )
      : new CloudError(
          404,
          'RouterInterfaceNotFound',
          `Router ${router.id} does not have an interface with id ${asked.port_id}`,
        );
  if (asked.subnet_id !== undefined && !found.some((one) => one.subnet_id === asked.subnet_id))
    throw conflict(
      `Subnet on port ${first.port_id} does not match the requested subnet ${asked.subnet_id}.`,
      'SubnetMismatchForPort',
    );
  return {
    portId: first.port_id,
    networkId: first.network_id,
    subnetIds: all.filter((one) => one.port_id === first.port_id).map((one) => one.subnet_id),
  };
}

async function refuseInUse(tx: Tx, router: RouterRow, subnetIds: readonly string[]): Promise<void> {
  const floating = await tx
    .selectFrom('floating_ips as f')
    .innerJoin('ip_allocations as a', (join) =>
      join.onRef('a.port_id', '=', 'f.fixed_port_id').onRef('a.ip_address', '=', 'f.fixed_ip_address'),
    )
    .select(['f.id', 'a.subnet_id'])
    .where('f.router_id', '=', router.id)
    .where('a.subnet_id', 'in', [...subnetIds])
    .limit(1)
    .executeTakeFirst();
  if (floating !== undefined)
    throw conflict(
      `Router interface for subnet ${floating.subnet_id} on router ${router.id} cannot be deleted, as it is required by one or more floating IPs (e.g. ${floating.id}).`,
      'RouterInterfaceInUseByFloatingIP',
    );
  const forwarding = await tx
    .selectFrom('port_forwardings as w')
    .innerJoin('floating_ips as f', 'f.id', 'w.floating_ip_id')
    .innerJoin('ip_allocations as a', (join) =>
      join.onRef('a.port_id', '=', 'w.internal_port_id').onRef('a.ip_address', '=', 'w.internal_ip_address'),
    )
    .select(['w.id', 'a.subnet_id'])
    .where('f.router_id', '=', router.id)
    .where('a.subnet_id', 'in', [...subnetIds])
    .limit(1)
    .executeTakeFirst();
  if (forwarding !== undefined)
    throw conflict(
      `Router interface for subnet ${forwarding.subnet_id} on router ${router.id} cannot be deleted, as it is required by one or more port forwardings (e.g. ${forwarding.id}).`,
      'RouterInterfaceInUseByFloatingIP',
    );
  const routes = JSON.parse(router.routes) as HostRoute[];
  if (routes.length === 0) return;
  for (const subnet of await tx
    .selectFrom('subnets')
    .select(['id', 'cidr'])
    .where('id', 'in', [...subnetIds])
    .execute())
    for (const one of routes) {
      const nexthop = parseAddress(one.nexthop);
      if (nexthop !== null && contains(cidrOf(subnet), nexthop))
        throw conflict(
          `Router interface for subnet ${subnet.id} on router ${router.id} cannot be deleted, as it is required by one or more routes.`,
          'RouterInterfaceInUseByRoute',
        );
    }
}

const answer = (router: RouterRow, one: Connected): object => ({
  id: router.id,
  tenant_id: router.project_id,
  project_id: router.project_id,
  port_id: one.portId,
  network_id: one.networkId,
  subnet_id: one.subnetIds[0],
  subnet_ids: one.subnetIds,
  tags: [],
});

async function connect(ctx: Ctx, id: string, asked: Reference): Promise<object> {
  if (asked.port_id !== undefined && asked.subnet_id !== undefined)
    throw badRouter('Cannot specify both subnet-id and port-id');
  const { port_id: portId, subnet_id: subnetId } = asked;
  if (portId === undefined && subnetId === undefined)
    throw badRouter('Either subnet_id or port_id must be specified');
  return ctx.platform.db.tx(
    async (tx) => {
      const router = await readableRouter(tx, ctx.actor, id);
      const connected =
        portId === undefined
          ? await addSubnet(tx, ctx, router, subnetId ?? '')
          : await addPort(tx, ctx, router, portId);
      await changed(tx, ctx, id, connected);
      return answer(router, connected);
    },
    { locks: [`router:${id}`, subnetsLock(subnetId ?? portId ?? '')] },
  );
}

/** In the caller's transaction. */
export async function connectSubnet(tx: Tx, ctx: Ctx, router: RouterRow, subnetId: string): Promise<void> {
  await changed(tx, ctx, router.id, await addSubnet(tx, ctx, router, subnetId));
}

/** Cuts the router off all its subnets; 409 while floating IPs or routes need one of them. */
export async function disconnectSubnets(tx: Tx, ctx: Ctx, router: RouterRow): Promise<void> {
  const all = (await routerAddresses(tx, [router.id])).filter((one) => one.device_owner === INTERFACE);
  for (const portId of new Set(all.map((one) => one.port_id))) {
    const connected = await findInterface(tx, router, { port_id: portId });
    await refuseInUse(tx, router, connected.subnetIds);
    await deletePorts(tx, ctx, [portId]);
    await changed(tx, ctx, router.id, connected);
  }
}

async function disconnect(ctx: Ctx, id: string, asked: Reference): Promise<object> {
  if (asked.port_id === undefined && asked.subnet_id === undefined)
    throw badRouter('Either subnet_id or port_id must be specified');
  return ctx.platform.db.tx(
    async (tx) => {
      const router = await readableRouter(tx, ctx.actor, id);
      const connected = await findInterface(tx, router, asked);
      await refuseInUse(tx, router, connected.subnetIds);
      await deletePorts(tx, ctx, [connected.portId]);
      await changed(tx, ctx, id, connected);
      return answer(router, connected);
    },
    { locks: [`router:${id}`] },
  );
}

async function changed(tx: Tx, ctx: Ctx, id: string, connected: Connected): Promise<void> {
  await tx
    .updateTable('routers')
    .set((eb) => ({ revision: eb('revision', '+', 1), updated_at: ctx.platform.clock.now() }))
    .where('id', '=', id)
    .execute();
  await ctx.platform.work.enqueue(tx, 'router', [id]);
  await ctx.platform.work.enqueue(tx, 'network', [connected.networkId]);
  await audit(tx, ctx, 'router', id);
}

export const interfaceRoutes: Route[] = [
  route({
    method: 'PUT',
    path: '/v2.0/routers/:router_id/add_router_interface',
    policy: 'add_router_interface',
    summary: 'Connect a router to a subnet',
    ids: { router_id: 'router' },
    body: reference,
    handler: async ({ ctx, params, body }) => ({ body: await connect(ctx, params.router_id, body) }),
  }),
  route({
    method: 'PUT',
    path: '/v2.0/routers/:router_id/remove_router_interface',
    policy: 'remove_router_interface',
    summary: 'Cut a router off a subnet',
    ids: { router_id: 'router' },
    body: reference,
    handler: async ({ ctx, params, body }) => ({ body: await disconnect(ctx, params.router_id, body) }),
  }),
];
