// The end of a volume: marked, dropped from its host, and forgotten when the host says that it is gone.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { wakeBackups } from '../backups/store.ts';
import { groupLost } from '../groups/store.ts';
import type { VolumeRow } from './table.ts';
import { saveVolume } from './store.ts';

export async function finishVolume(tx: Tx, platform: Platform, row: VolumeRow): Promise<void> {
  await platform.quotas.release(tx, row.project_id, { volumes: 1, gigabytes: row.size_gib });
  await wakeBackups(tx, platform, 'volume_id', row.id);
  await wakeBackups(tx, platform, 'restoring_id', row.id);
  await tx.deleteFrom('volume_attachments').where('volume_id', '=', row.id).execute();
  await tx.deleteFrom('volumes').where('id', '=', row.id).execute();
  if (row.group_id !== null) await groupLost(tx, platform, row.group_id);
}

/** `drop` takes it from its host. Repeatable; does nothing while snapshots hold on to it. */
export async function removeVolume(
  tx: Tx,
  platform: Platform,
  drop: (tx: Tx, volumeId: string) => Promise<void>,
  id: string,
): Promise<void> {
  const row = await tx.selectFrom('volumes').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || row.deleting === 1) return;
  const snapshot = await tx
    .selectFrom('volume_snapshots')
    .select('id')
    .where('volume_id', '=', id)
    .where('deleting', '=', 0)
    .where('hidden', '=', 0)
    .limit(1)
    .executeTakeFirst();
  if (snapshot !== undefined) return;
  if (row.item_generation === 0) return finishVolume(tx, platform, row);
  await saveVolume(tx, row, { deleting: 1, forced_status: null }, platform.clock.now());
  await drop(tx, id);
}
