// Snapshots that somebody needs for a while to read a volume at one moment: nobody sees them, nobody pays for them.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { dropItem, type VolumeDeps } from '../deps.ts';
import type { VolumeRow } from '../volumes/table.ts';
import { finishSnapshot, saveSnapshot } from './store.ts';
import { snapshotStatus, type SnapshotRow } from './table.ts';

export async function takeHidden(tx: Tx, platform: Platform, volume: VolumeRow): Promise<SnapshotRow> {
  const columns = {
    id: platform.ids.uuid(),
    project_id: volume.project_id,
    user_id: volume.user_id,
    volume_id: volume.id,
    name: null,
    description: null,
    size_gib: volume.size_gib,
    metadata: '{}',
    created_at: platform.clock.now(),
    updated_at: null,
    host_id: volume.host_id,
    deleting: 0,
    item_generation: 0,
    created: 0,
    error: null,
    forced_status: null,
    progress: null,
    hidden: 1,
    group_snapshot_id: null,
  };
  const row: SnapshotRow = { ...columns, status: snapshotStatus(columns) };
  await tx.insertInto('volume_snapshots').values(row).execute();
  await platform.work.enqueue(tx, 'snapshot', [row.id]);
  return row;
}

/** Repeatable. */
export async function dropHidden(tx: Tx, platform: Platform, deps: VolumeDeps, id: string): Promise<void> {
  const row = await tx
    .selectFrom('volume_snapshots')
    .selectAll()
    .where('id', '=', id)
    .where('hidden', '=', 1)
    .executeTakeFirst();
  if (row === undefined || row.deleting === 1) return;
  if (row.item_generation === 0) return finishSnapshot(tx, platform, row);
  await saveSnapshot(tx, row, { deleting: 1 }, platform.clock.now());
  await dropItem(deps, 'snapshot')(tx, row.id);
}
