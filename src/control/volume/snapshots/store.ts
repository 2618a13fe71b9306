// The one place that writes snapshot rows.
import { notFound } from '../../../kernel/errors.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { canSee } from '../../../kernel/policy.ts';
import { groupSnapshotLost } from '../groups/store.ts';
import type { Db } from '../volumes/table.ts';
import { snapshotStatus, type SnapshotRow } from './table.ts';

export async function findSnapshot(db: Db, ctx: Ctx, id: string): Promise<SnapshotRow> {
  const row = await db.selectFrom('volume_snapshots').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || row.hidden === 1 || !canSee(ctx.actor, row.project_id))
    throw notFound('Snapshot', id);
  return row;
}

export async function saveSnapshot(
  tx: Tx,
  row: SnapshotRow,
  changes: Partial<SnapshotRow>,
  now: number,
): Promise<SnapshotRow> {
  const next: SnapshotRow = { ...row, ...changes, updated_at: now };
  next.status = snapshotStatus(next);
  await tx
    .updateTable('volume_snapshots')
    .set({ ...changes, updated_at: now, status: next.status })
    .where('id', '=', row.id)
    .execute();
  return next;
}

export async function finishSnapshot(tx: Tx, platform: Platform, row: SnapshotRow): Promise<void> {
  if (row.hidden === 0)
    await platform.quotas.release(tx, row.project_id, { snapshots: 1, gigabytes: row.size_gib });
  await tx.deleteFrom('volume_snapshots').where('id', '=', row.id).execute();
  if (row.group_snapshot_id !== null) await groupSnapshotLost(tx, row.group_snapshot_id);
}
