// The verbs of snapshots, one transaction each.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { dropItem, type VolumeDeps } from '../deps.ts';
import { claimQuota } from '../quota-errors.ts';
import { findVolume } from '../volumes/store.ts';
import type { VolumeRow } from '../volumes/table.ts';
import { findSnapshot, finishSnapshot, saveSnapshot } from './store.ts';
import { snapshotStatus, type SnapshotRow } from './table.ts';

export type NewSnapshot = {
  volumeId: string;
  name: string | null;
  description: string | null;
  metadata: Record<string, string>;
  force: boolean;
};
/** `groupSnapshotId`: the snapshot is part of that of a group. */
type Wanted = Omit<NewSnapshot, 'volumeId'> & { groupSnapshotId?: string };

export async function createSnapshot(ctx: Ctx, asked: NewSnapshot): Promise<SnapshotRow> {
  const { platform } = ctx;
  const owner = (await findVolume(platform.db.read, ctx, asked.volumeId)).project_id;
  return platform.db.tx(async (tx) => snapshotIn(tx, ctx, await findVolume(tx, ctx, asked.volumeId), asked), {
    locks: [quotaLock(owner)],
  });
}

export async function snapshotIn(tx: Tx, ctx: Ctx, volume: VolumeRow, asked: Wanted): Promise<SnapshotRow> {
  const { platform } = ctx;
  const usable = volume.status === 'available' || (volume.status === 'in-use' && asked.force);
  if (!usable)
    throw badRequest(
      `Invalid volume: Volume ${volume.id} status must be available${asked.force ? ' or in-use' : ' (or in-use with force)'}, but current status is: ${volume.status}.`,
    );
  await claimQuota(tx, platform, volume.project_id, { snapshots: 1, gigabytes: volume.size_gib });
  const columns = {
    id: platform.ids.uuid(),
    project_id: volume.project_id,
    user_id: ctx.actor.userId,
    volume_id: volume.id,
    name: asked.name,
    description: asked.description,
    size_gib: volume.size_gib,
    metadata: JSON.stringify(asked.metadata),
    created_at: platform.clock.now(),
    updated_at: null,
    host_id: volume.host_id,
    deleting: 0,
    item_generation: 0,
    created: 0,
    error: null,
    forced_status: null,
    progress: null,
    hidden: 0,
    group_snapshot_id: asked.groupSnapshotId ?? null,
  };
  const row: SnapshotRow = { ...columns, status: snapshotStatus(columns) };
  await tx.insertInto('volume_snapshots').values(row).execute();
  await audit(tx, ctx, 'snapshot', row.id);
  await platform.work.enqueue(tx, 'snapshot', [row.id]);
  return row;
}

const change = <T>(ctx: Ctx, id: string, work: (tx: Tx, row: SnapshotRow) => Promise<T>): Promise<T> =>
  ctx.platform.db.tx(async (tx) => {
    const row = await findSnapshot(tx, ctx, id);
    const result = await work(tx, row);
    await audit(tx, ctx, 'snapshot', row.id);
    return result;
  });

export const updateSnapshot = (
  ctx: Ctx,
  id: string,
  changes: Partial<Pick<SnapshotRow, 'name' | 'description' | 'metadata' | 'forced_status' | 'progress'>>,
): Promise<SnapshotRow> =>
  change(ctx, id, (tx, row) => saveSnapshot(tx, row, changes, ctx.platform.clock.now()));

export const deleteSnapshot = (ctx: Ctx, deps: VolumeDeps, id: string, force: boolean): Promise<void> =>
  change(ctx, id, async (tx, row) => {
    if (row.deleting === 1) return;
    if (row.group_snapshot_id !== null && !force)
      throw badRequest(
        `Invalid snapshot: snapshot ${row.id} belongs to group snapshot ${row.group_snapshot_id}; delete that.`,
      );
    if (!force && !['available', 'error', 'error_deleting'].includes(row.status))
      throw badRequest(
        `Invalid snapshot: Snapshot status must be available or error, but it is ${row.status}.`,
      );
    const reverting = await tx
      .selectFrom('volumes')
      .select('status')
      .where('id', '=', row.volume_id)
      .where('revert_to', '=', row.id)
      .where('status', '=', 'reverting')
      .executeTakeFirst();
    if (reverting !== undefined)
      throw badRequest(`Invalid snapshot: volume ${row.volume_id} is returning to it.`);
    const read = await tx
      .selectFrom('volume_backups')
      .select('id')
      .where('snapshot_id', '=', row.id)
      .where('status', '=', 'creating')
      .limit(1)
      .executeTakeFirst();
    if (read !== undefined && !force)
      throw badRequest(`Invalid snapshot: backup ${read.id} is being made of snapshot ${row.id}.`);
    await removeSnapshot(tx, ctx, deps, row);
  });

export async function removeSnapshot(tx: Tx, ctx: Ctx, deps: VolumeDeps, row: SnapshotRow): Promise<void> {
  if (row.deleting === 1) return;
  if (row.item_generation === 0) return finishSnapshot(tx, ctx.platform, row);
  await saveSnapshot(tx, row, { deleting: 1, forced_status: null }, ctx.platform.clock.now());
  await dropItem(deps, 'snapshot')(tx, row.id);
}

/** What follows on which status, when somebody else takes the snapshot: as Cinder has it. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  creating: ['creating', 'available', 'error'],
  deleting: ['deleting', 'error_deleting'],
};

export const reportProgress = (
  ctx: Ctx,
  id: string,
  status: string,
  progress: string | null,
): Promise<SnapshotRow> =>
  change(ctx, id, async (tx, row) => {
    if (!(STEPS[row.status] ?? []).includes(status))
      throw badRequest(
        `Invalid snapshot: the status of snapshot ${row.id} cannot go from ${row.status} to ${status}.`,
      );
    return saveSnapshot(
      tx,
      row,
      { forced_status: status, ...(progress === null ? {} : { progress }) },
      ctx.platform.clock.now(),
    );
  });
