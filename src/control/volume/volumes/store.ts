// The one place that writes volume rows: each write renews updated_at and the status.
import { notFound } from '../../../kernel/errors.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee } from '../../../kernel/policy.ts';
import type { AttachmentRow } from '../attachments/table.ts';
import { volumeStatus } from './status.ts';
import type { Db, VolumeRow } from './table.ts';

/** The volume, when the actor may see it; 404 otherwise. */
export async function findVolume(db: Db, ctx: Ctx, id: string): Promise<VolumeRow> {
  const row = await db.selectFrom('volumes').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !canSee(ctx.actor, row.project_id)) throw notFound('Volume', id);
  return row;
}

export const attachmentsOf = (db: Db, volumeId: string): Promise<AttachmentRow[]> =>
  db
    .selectFrom('volume_attachments')
    .selectAll()
    .where('volume_id', '=', volumeId)
    .orderBy('created_at')
    .orderBy('id')
    .execute();

/** The attachments of many volumes, by volume. */
export async function attachmentsByVolume(
  db: Db,
  volumeIds: readonly string[],
): Promise<Map<string, AttachmentRow[]>> {
  const found: AttachmentRow[] = [];
  for (let at = 0; at < volumeIds.length; at += 500)
    found.push(
      ...(await db
        .selectFrom('volume_attachments')
        .selectAll()
        .where('volume_id', 'in', volumeIds.slice(at, at + 500))
        .orderBy('created_at')
        .execute()),
    );
  return Map.groupBy(found, (row) => row.volume_id);
}

export async function insertVolume(tx: Tx, row: Omit<VolumeRow, 'status'>): Promise<VolumeRow> {
  const complete: VolumeRow = { ...row, status: volumeStatus(row, []) };
  await tx.insertInto('volumes').values(complete).execute();
  return complete;
}

/** Applies `changes` to the row as it was read in this transaction, after any change of its attachments; returns the row as it is now. */
export async function saveVolume(
  tx: Tx,
  row: VolumeRow,
  changes: Partial<VolumeRow>,
  now: number,
): Promise<VolumeRow> {
  const next: VolumeRow = { ...row, ...changes, updated_at: now };
  next.status = volumeStatus(next, await attachmentsOf(tx, row.id));
  await tx
    .updateTable('volumes')
    .set({ ...changes, updated_at: now, status: next.status })
    .where('id', '=', row.id)
    .execute();
  return next;
}

export type StringMap = Record<string, string>;
export const mapOf = (json: string): StringMap => JSON.parse(json) as StringMap;
