// Addresses that guests make for themselves (SLAAC, RFC 4862): every port of the network has one as soon as the
// subnet is announced, and none when it is withdrawn, without anybody asking for it. As ML2 does it.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { releaseAddresses } from '../ports/addresses.ts';
import { DHCP_OWNER } from '../ports/dhcp-port.ts';
import { membershipChanged, takeFixedIps } from '../ports/insert.ts';
import type { ServersChanged } from '../ports/ports.ts';
import type { PortRow } from '../ports/table.ts';
import { chunks } from '../rows.ts';
import { GATEWAY, INTERFACE } from '../routers/ports.ts';
import { isSlaac } from './rules.ts';
import type { SubnetRow } from './table.ts';

/** Routers and DHCP have the addresses that they were given. */
const NEVER = [INTERFACE, GATEWAY, DHCP_OWNER];

/** What follows from ports that have other addresses than before. */
async function followed(
  tx: Tx,
  ctx: Ctx,
  ports: readonly PortRow[],
  serversChanged: ServersChanged,
): Promise<void> {
  const now = ctx.platform.clock.now();
  for (const part of chunks(ports.map((port) => port.id))) {
    await tx
      .updateTable('ports')
      .set((eb) => ({ updated_at: now, revision: eb('revision', '+', 1) }))
      .where('id', 'in', part)
      .execute();
    const groups = await tx
      .selectFrom('port_security_groups')
      .select('security_group_id')
      .distinct()
      .where('port_id', 'in', part)
      .execute();
    await membershipChanged(
      tx,
      ctx,
      groups.map((row) => row.security_group_id),
    );
    await ctx.platform.work.enqueue(tx, 'port', part);
  }
  const servers = new Set(ports.map((port) => port.server_id).filter((id) => id !== ''));
  if (servers.size > 0) await serversChanged(tx, [...servers]);
}

/** Gives the ports that are there already their addresses of a new subnet. */
export async function announce(
  tx: Tx,
  ctx: Ctx,
  subnet: SubnetRow,
  serversChanged: ServersChanged,
): Promise<void> {
  if (!isSlaac(subnet)) return;
  const ports = await tx
    .selectFrom('ports')
    .selectAll()
    .where('network_id', '=', subnet.network_id)
    .where('device_owner', 'not in', NEVER)
    .execute();
  if (ports.length === 0) return;
  const last = new Map<string, number>();
  for (const part of chunks(ports.map((port) => port.id)))
    for (const row of await tx
      .selectFrom('ip_allocations')
      .select((eb) => ['port_id', eb.fn.max('position').as('position')])
      .where('port_id', 'in', part)
      .groupBy('port_id')
      .execute())
      last.set(row.port_id, Number(row.position));
  for (const port of ports)
    await takeFixedIps(tx, port, [subnet], [{ subnet_id: subnet.id }], (last.get(port.id) ?? -1) + 1);
  await followed(tx, ctx, ports, serversChanged);
}

/** Takes the addresses of a subnet that goes from all but routers. */
export async function withdraw(
  tx: Tx,
  ctx: Ctx,
  subnet: SubnetRow,
  serversChanged: ServersChanged,
): Promise<void> {
  if (!isSlaac(subnet)) return;
  const held = await tx
    .selectFrom('ip_allocations as a')
    .innerJoin('ports as p', 'p.id', 'a.port_id')
    .selectAll('p')
    .select('a.ip_address')
    .where('a.subnet_id', '=', subnet.id)
    .where('p.device_owner', 'not in', NEVER)
    .execute();
  if (held.length === 0) return;
  for (const part of chunks(held))
    await releaseAddresses(
      tx,
      ctx.platform.clock.now(),
      part.map((row) => row.id),
      part.map((row) => row.ip_address),
    );
  await followed(tx, ctx, held, serversChanged);
}
