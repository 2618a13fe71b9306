// Which port's address a floating IP stands for, and through which router it is reached.
import { sql } from 'kysely';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { deletePorts } from '../ports/insert.ts';
import { forgetForwardings } from '../port-forwardings/remove.ts';
import { readablePort } from '../ports/schema.ts';
import { unbindAll } from '../qos/bindings.ts';
import { INTERFACE } from '../routers/ports.ts';
import { chunks, deleteTags } from '../rows.ts';
import type { FloatingIpRow } from './table.ts';

export type Association = Pick<
  FloatingIpRow,
  'fixed_port_id' | 'fixed_ip_address' | 'router_id' | 'status'
> & { serverId: string };
export const notAssociated: Association = {
  fixed_port_id: null,
  fixed_ip_address: null,
  router_id: null,
  status: 'DOWN',
  serverId: '',
};

/** The router that joins a subnet with an external network; the subnet's gateway first. */
export async function routerTowards(
  tx: Tx,
  externalNetworkId: string,
  subnet: { subnet_id: string; gateway_ip: string },
): Promise<string | null> {
  const router = await tx
    .selectFrom('ports as p')
    .innerJoin('ip_allocations as a', 'a.port_id', 'p.id')
    .innerJoin('routers as r', 'r.id', 'p.device_id')
    .select('r.id')
    .where('a.subnet_id', '=', subnet.subnet_id)
    .where('p.device_owner', '=', INTERFACE)
    .where('r.external_network_id', '=', externalNetworkId)
    .orderBy(sql`case when a.ip_address = ${subnet.gateway_ip} then 0 else 1 end`)
    .orderBy('r.id')
    .limit(1)
    .executeTakeFirst();
  return router?.id ?? null;
}

/** Checks that the port is there, has the address, and is reachable from the external network. */
export async function associate(
  tx: Tx,
  ctx: Ctx,
  floating: Pick<FloatingIpRow, 'id' | 'project_id' | 'floating_network_id' | 'floating_ip_address'>,
  portId: string,
  fixedIp: string | undefined,
): Promise<Association> {
  const port = await readablePort(tx, ctx.actor, portId);
  const forwarding = await tx
    .selectFrom('port_forwardings')
    .select('id')
    .where('floating_ip_id', '=', floating.id)
    .executeTakeFirst();
  if (forwarding !== undefined) throw inUseByForwarding(floating.id, forwarding.id);
  if (port.project_id !== floating.project_id)
    throw badRequest(
      `Bad floatingip request: Cannot process floating IP association with port ${portId}, since that port is owned by a different project.`,
    );
  const addresses = await tx
    .selectFrom('ip_allocations as a')
    .innerJoin('subnets as s', 's.id', 'a.subnet_id')
    .select(['a.subnet_id', 'a.ip_address', 's.gateway_ip'])
    .where('a.port_id', '=', portId)
    .where('s.ip_version', '=', 4)
    .orderBy('a.position')
    .execute();
  const candidates =
    fixedIp === undefined ? addresses : addresses.filter((one) => one.ip_address === fixedIp);
  if (addresses.length === 0)
    throw badRequest(
      `Bad floatingip request: Cannot add floating IP to port ${portId} that has no fixed IPv4 addresses.`,
    );
  if (candidates.length === 0)
    throw badRequest(`Bad floatingip request: Port ${portId} does not have fixed ip ${fixedIp}.`);
  if (candidates.length > 1)
    throw badRequest(
      `Bad floatingip request: Port ${portId} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address when assigning a floating IP.`,
    );
  const [one] = candidates;
  if (one === undefined) return notAssociated;
  const taken = await tx
    .selectFrom('floating_ips')
    .select(['id', 'floating_ip_address'])
    .where('fixed_port_id', '=', portId)
    .where('fixed_ip_address', '=', one.ip_address)
    .where('id', '!=', floating.id)
    .executeTakeFirst();
  if (taken !== undefined)
    throw conflict(
      `Cannot associate floating IP ${floating.floating_ip_address} (${floating.id}) with port ${portId} using fixed IP ${one.ip_address}, as that fixed IP already has a floating IP on external network ${floating.floating_network_id} (${taken.floating_ip_address}).`,
      'FloatingIPPortAlreadyAssociated',
    );
  const routerId = await routerTowards(tx, floating.floating_network_id, one);
  if (routerId === null)
    throw new CloudError(
      404,
      'ExternalGatewayForFloatingIPNotFound',
      `External network ${floating.floating_network_id} is not reachable from subnet ${one.subnet_id}. Therefore, cannot associate Port ${portId} with a Floating IP.`,
    );
  return {
    fixed_port_id: portId,
    fixed_ip_address: one.ip_address,
    router_id: routerId,
    status: 'DOWN',
    serverId: port.server_id,
  };
}

/** An address whose ports lead to servers is nobody's as a whole, and stays until they are gone. */
export const inUseByForwarding = (floatingIpId: string, forwardingId: string): CloudError =>
  conflict(
    `Floating IP ${floatingIpId} in use by Port Forwarding resources (e.g. ${forwardingId}); delete them first.`,
    'FipInUseByPortForwarding',
  );

/** The port loses these addresses (null: all): its floating IPs on them stand for nothing from now on, and nothing is forwarded to them. */
export async function forgetFixedIps(
  tx: Tx,
  ctx: Pick<Ctx, 'platform'>,
  portId: string,
  ips: readonly string[] | null,
): Promise<void> {
  await forgetPorts(tx, ctx, [portId], ips);
}

export async function forgetPorts(
  tx: Tx,
  ctx: Pick<Ctx, 'platform'>,
  portIds: readonly string[],
  ips: readonly string[] | null = null,
): Promise<void> {
  if (portIds.length === 0) return;
  await forgetForwardings(tx, ctx, portIds, ips);
  const found = await tx
    .selectFrom('floating_ips')
    .select(['id', 'router_id', 'fixed_ip_address'])
    .where('fixed_port_id', 'in', [...portIds])
    .execute();
  const lost = found.filter((row) => ips === null || ips.includes(row.fixed_ip_address ?? ''));
  if (lost.length === 0) return;
  await tx
    .updateTable('floating_ips')
    .set((eb) => ({
      fixed_port_id: null,
      fixed_ip_address: null,
      router_id: null,
      status: 'DOWN',
      revision: eb('revision', '+', 1),
      updated_at: ctx.platform.clock.now(),
    }))
    .where(
      'id',
      'in',
      lost.map((row) => row.id),
    )
    .execute();
  await ctx.platform.work.enqueue(
    tx,
    'router',
    lost.flatMap((row) => row.router_id ?? []),
  );
}

/** Floating IPs that stand for nothing go with their network, as in Neutron; those in use keep it. */
export async function deleteUnusedFloatingIps(tx: Tx, ctx: Ctx, networkId: string): Promise<void> {
  const unused = await tx
    .selectFrom('floating_ips')
    .select(['id', 'project_id', 'floating_port_id'])
    .where('floating_network_id', '=', networkId)
    .where('fixed_port_id', 'is', null)
    .where('router_id', 'is', null)
    .execute();
  for (const part of chunks(unused)) {
    const ids = part.map((row) => row.id);
    await tx.deleteFrom('floating_ips').where('id', 'in', ids).execute();
    await deletePorts(
      tx,
      ctx,
      part.map((row) => row.floating_port_id),
    );
    await deleteTags(tx, ...ids);
    await unbindAll(tx, ids);
  }
  for (const [projectId, rows] of Map.groupBy(unused, (row) => row.project_id))
    await ctx.platform.quotas.release(tx, projectId, { floatingip: rows.length });
}
