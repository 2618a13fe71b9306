// The one place that writes backup rows.
import { notFound } from '../../../kernel/errors.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { canSee } from '../../../kernel/policy.ts';
import type { Db } from '../volumes/table.ts';
import { backupStatus, type BackupRow } from './table.ts';

export const WORK_BACKUP = 'volume-backup';

export async function findBackup(db: Db, ctx: Ctx, id: string): Promise<BackupRow> {
  const row = await backupById(db, id);
  if (row === null || !canSee(ctx.actor, row.project_id)) throw notFound('Backup', id);
  return row;
}

export async function backupById(db: Db, id: string): Promise<BackupRow | null> {
  return (await db.selectFrom('volume_backups').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
}

export async function insertBackup(tx: Tx, row: Omit<BackupRow, 'status'>): Promise<BackupRow> {
  const complete: BackupRow = { ...row, status: backupStatus(row) };
  await tx.insertInto('volume_backups').values(complete).execute();
  return complete;
}

export async function saveBackup(
  tx: Tx,
  row: BackupRow,
  changes: Partial<BackupRow>,
  now: number,
): Promise<BackupRow> {
  const next: BackupRow = { ...row, ...changes, updated_at: now };
  next.status = backupStatus(next);
  await tx
    .updateTable('volume_backups')
    .set({ ...changes, updated_at: now, status: next.status })
    .where('id', '=', row.id)
    .execute();
  return next;
}

/** Their volume or snapshot is not as it was. */
export async function wakeBackups(
  tx: Tx,
  platform: Platform,
  by: 'reading_id' | 'restoring_id' | 'volume_id',
  id: string,
): Promise<void> {
  let rows = tx.selectFrom('volume_backups').select('id').where(by, '=', id);
  if (by === 'volume_id') rows = rows.where('created', '=', 0);
  const found = await rows.execute();
  if (found.length > 0)
    await platform.work.enqueue(
      tx,
      WORK_BACKUP,
      found.map((row) => row.id),
    );
}

/** Ids of those that others are increments of. */
export async function parentsAmong(db: Db, ids: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = 0; at < ids.length; at += 500)
    for (const row of await db
      .selectFrom('volume_backups')
      .select('parent_id')
      .distinct()
      .where('parent_id', 'in', ids.slice(at, at + 500))
      .execute())
      if (row.parent_id !== null) found.add(row.parent_id);
  return found;
}
