// The end of a subnet: refused while somebody was given an address of it; what guests made for themselves goes along.
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { leaveDhcpPort } from '../ports/dhcp-port.ts';
import type { ServersChanged } from '../ports/ports.ts';
import { deleteObject } from '../removal.ts';
import { withdraw } from './automatic.ts';
import type { SubnetRow } from './table.ts';

export async function dropSubnet(
  tx: Tx,
  ctx: Ctx,
  row: SubnetRow,
  serversChanged: ServersChanged,
): Promise<void> {
  await withdraw(tx, ctx, row, serversChanged);
  const used = await tx
    .selectFrom('ip_allocations as a')
    .innerJoin('ports as p', 'p.id', 'a.port_id')
    .select('p.id')
    .where('a.subnet_id', '=', row.id)
    .where('p.device_owner', '!=', 'network:dhcp')
    .limit(1)
    .executeTakeFirst();
  if (used !== undefined)
    throw conflict(
      `Unable to complete operation on subnet ${row.id}: One or more ports have an IP allocation from this subnet (e.g. port ${used.id}).`,
      'SubnetInUse',
    );
  await leaveDhcpPort(tx, ctx, row);
  await tx.deleteFrom('free_addresses').where('subnet_id', '=', row.id).execute();
  await deleteObject(tx, ctx, { table: 'subnets', kind: 'subnet', quota: 'subnet' }, row);
  await ctx.platform.work.enqueue(tx, 'network', [row.network_id]);
}
