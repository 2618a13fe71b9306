// What becomes of an address when forwardings of it go: by themselves, or with the server port that they lead to.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import type { PortForwardingRow } from './table.ts';

/** Deletes the rows; an address without any forwarding is no router's any more. */
export async function removeForwardings(
  tx: Tx,
  ctx: Pick<Ctx, 'platform'>,
  rows: readonly PortForwardingRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const ids = rows.map((row) => row.id);
  await tx.deleteFrom('port_forwardings').where('id', 'in', ids).execute();
  for (const [projectId, of] of Map.groupBy(rows, (row) => row.project_id))
    await ctx.platform.quotas.release(tx, projectId, { port_forwarding: of.length });
  const addresses = [...new Set(rows.map((row) => row.floating_ip_id))];
  const left = await tx
    .selectFrom('port_forwardings')
    .select('floating_ip_id')
    .distinct()
    .where('floating_ip_id', 'in', addresses)
    .execute();
  const routers = await tx
    .selectFrom('floating_ips')
    .select('router_id')
    .distinct()
    .where('id', 'in', addresses)
    .execute();
  const idle = addresses.filter((id) => !left.some((row) => row.floating_ip_id === id));
  if (idle.length > 0)
    await tx
      .updateTable('floating_ips')
      .set((eb) => ({
        router_id: null,
        status: 'DOWN',
        revision: eb('revision', '+', 1),
        updated_at: ctx.platform.clock.now(),
      }))
      .where('id', 'in', idle)
      .execute();
  await ctx.platform.work.enqueue(
    tx,
    'router',
    routers.flatMap((row) => row.router_id ?? []),
  );
}

/** The ports lose these addresses (null: all): nothing is forwarded to them any more. */
export async function forgetForwardings(
  tx: Tx,
  ctx: Pick<Ctx, 'platform'>,
  portIds: readonly string[],
  ips: readonly string[] | null,
): Promise<void> {
  const rows = await tx
    .selectFrom('port_forwardings')
    .selectAll()
    .where('internal_port_id', 'in', [...portIds])
    .execute();
  await removeForwardings(
    tx,
    ctx,
    rows.filter((row) => ips === null || ips.includes(row.internal_ip_address)),
  );
}
