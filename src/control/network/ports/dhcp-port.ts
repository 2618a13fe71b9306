// The port under which DHCP and metadata answer on a network: one a network, with an address on each of its
// subnets that have DHCP. It is made with the subnet, so that its address is known before the first guest.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import type { SubnetRow } from '../subnets/table.ts';
import { releaseAddresses } from './addresses.ts';
import { deletePorts, insertPort, subnetsOf, takeFixedIps, type NewPort } from './insert.ts';
import type { PortRow } from './table.ts';

export const DHCP_OWNER = 'network:dhcp';

const findPort = (tx: Tx, networkId: string) =>
  tx
    .selectFrom('ports')
    .selectAll()
    .where('network_id', '=', networkId)
    .where('device_owner', '=', DHCP_OWNER)
    .executeTakeFirst();

const dhcpPort = (projectId: string, networkId: string): NewPort => ({
  project_id: projectId,
  network_id: networkId,
  device_owner: DHCP_OWNER,
  device_id: `dhcp-${networkId}`,
  port_security_enabled: 0,
});

/** 409 IpAddressGenerationFailure when the subnet has no address left for it. */
export async function ensureDhcpPort(tx: Tx, ctx: Ctx, subnet: SubnetRow): Promise<void> {
  const existing = await findPort(tx, subnet.network_id);
  const network =
    existing ??
    (await tx
      .selectFrom('networks')
      .select('project_id')
      .where('id', '=', subnet.network_id)
      .executeTakeFirstOrThrow());
  const port = existing ?? (await insertPort(tx, ctx, dhcpPort(network.project_id, subnet.network_id)));
  const held = await tx
    .selectFrom('ip_allocations')
    .select('position')
    .where('port_id', '=', port.id)
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  await takeFixedIps(tx, port, [subnet], [{ subnet_id: subnet.id }], (held?.position ?? -1) + 1);
}

export async function leaveDhcpPort(tx: Tx, ctx: Ctx, subnet: SubnetRow): Promise<void> {
  const port = await findPort(tx, subnet.network_id);
  if (port === undefined) return;
  const held = await tx
    .selectFrom('ip_allocations')
    .select(['subnet_id', 'ip_address'])
    .where('port_id', '=', port.id)
    .execute();
  const here = held.filter((row) => row.subnet_id === subnet.id).map((row) => row.ip_address);
  if (here.length === held.length) await deletePorts(tx, ctx, [port.id]);
  else await releaseAddresses(tx, ctx.platform.clock.now(), [port.id], here);
}

/** Users may delete it, as with the reference's agents, which then make another: DHCP goes on, at the same addresses. */
export async function renewDhcpPort(tx: Tx, ctx: Ctx, row: PortRow): Promise<void> {
  const held = await tx
    .selectFrom('ip_allocations')
    .select(['subnet_id', 'ip_address'])
    .where('port_id', '=', row.id)
    .orderBy('position')
    .execute();
  await deletePorts(tx, ctx, [row.id]);
  const port = await insertPort(tx, ctx, dhcpPort(row.project_id, row.network_id));
  await takeFixedIps(tx, port, await subnetsOf(tx, [row.network_id]), held);
  await ctx.platform.work.enqueue(tx, 'network', [row.network_id]);
}
