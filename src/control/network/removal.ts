// The end of an object: its row, tags and RBAC policies go, its quota comes back, and the audit trail says so.
import { audit } from '../../kernel/audit.ts';
import type { Tx } from '../../kernel/db/index.ts';
import type { Ctx } from '../../kernel/platform.ts';
import { unshare } from './rbac/sharing.ts';
import { deleteTags, expectRevision } from './rows.ts';

type Kind = {
  table:
    | 'address_scopes'
    | 'networks'
    | 'subnets'
    | 'subnet_pools'
    | 'routers'
    | 'floating_ips'
    | 'security_groups'
    | 'qos_policies';
  /** As the audit trail names it. */
  kind: string;
  /** null: it costs none. */
  quota: string | null;
};

/** Whether it may go, and what else goes with it, is the caller's to decide first. */
export async function deleteObject(
  tx: Tx,
  ctx: Ctx,
  { table, kind, quota }: Kind,
  row: { id: string; project_id: string; revision: number },
): Promise<void> {
  expectRevision(ctx, row);
  await tx.deleteFrom(table).where('id', '=', row.id).execute();
  await deleteTags(tx, row.id);
  await unshare(tx, ctx, row.id);
  if (quota !== null) await ctx.platform.quotas.release(tx, row.project_id, { [quota]: 1 });
  await audit(tx, ctx, kind, row.id);
}
