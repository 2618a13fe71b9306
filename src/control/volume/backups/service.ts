// The verbs of backups, one transaction each. What takes time is done by run.ts.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { invalidVolume } from '../attachments/service.ts';
import type { VolumeDeps } from '../deps.ts';
import { claimQuota } from '../quota-errors.ts';
import { findSnapshot } from '../snapshots/store.ts';
import { takeHidden } from '../snapshots/hidden.ts';
import { findType } from '../types/store.ts';
import { createVolumeIn } from '../volumes/create.ts';
import { findVolume, saveVolume } from '../volumes/store.ts';
import type { VolumeRow } from '../volumes/table.ts';
import { findBackup, insertBackup, parentsAmong, saveBackup, WORK_BACKUP } from './store.ts';
import type { BackupRow } from './table.ts';

export type NewBackup = {
  volumeId: string;
  snapshotId: string | null;
  name: string | null;
  description: string | null;
  container: string | null;
  incremental: boolean;
  force: boolean;
  metadata: Record<string, string>;
  zone: string | null;
};

/** What a volume that is restored from the backup gets. */
export type Facts = {
  name: string | null;
  typeId: string;
  bootable: boolean;
  metadata: string;
  imageMetadata: string;
};

const invalidBackup = (reason: string) => badRequest(`Invalid backup: ${reason}`, 'InvalidBackup');
const stampOf = (now: number): string => new Date(now).toISOString().replace(/\D/g, '').slice(0, 14);

const factsOf = (volume: VolumeRow): Facts => ({
  name: volume.name,
  typeId: volume.type_id,
  bootable: volume.bootable === 1,
  metadata: volume.metadata,
  imageMetadata: volume.image_metadata,
});

/** The newest backup of the volume that an increment can be made of. */
async function parentFor(tx: Tx, volume: VolumeRow, dataAt: number): Promise<BackupRow> {
  const parent = await tx
    .selectFrom('volume_backups')
    .selectAll()
    .where('volume_id', '=', volume.id)
    .where('project_id', '=', volume.project_id)
    .where('status', 'in', ['available', 'restoring'])
    .where('data_at', '<=', dataAt)
    .orderBy('data_at', 'desc')
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (parent === undefined)
    throw invalidBackup(
      `No backups available to do an incremental backup of volume ${volume.id}; make a full one first.`,
    );
  return parent;
}

export async function createBackup(ctx: Ctx, asked: NewBackup): Promise<BackupRow> {
  const { platform } = ctx;
  const owner = (await findVolume(platform.db.read, ctx, asked.volumeId)).project_id;
  return platform.db.tx(
    async (tx) => {
      const now = platform.clock.now();
      const volume = await findVolume(tx, ctx, asked.volumeId);
      const snapshot = asked.snapshotId === null ? null : await findSnapshot(tx, ctx, asked.snapshotId);
      if (snapshot !== null && snapshot.volume_id !== volume.id)
        throw badRequest(
          `Invalid snapshot: snapshot ${snapshot.id} is of volume ${snapshot.volume_id}, not of ${volume.id}.`,
        );
      if (snapshot !== null && snapshot.status !== 'available')
        throw badRequest(
          `Invalid snapshot: snapshot ${snapshot.id} must be available; it is ${snapshot.status}.`,
        );
      if (!['available', 'in-use'].includes(volume.status))
        throw invalidVolume(
          `Volume to be backed up must be available or in-use, but the current status is "${volume.status}".`,
        );
      if (snapshot === null && volume.status === 'in-use' && !asked.force)
        throw invalidVolume('Backing up an in-use volume must use the force flag.');
      const dataAt = snapshot?.created_at ?? now;
      const parent = asked.incremental ? await parentFor(tx, volume, dataAt) : null;
      const size = snapshot?.size_gib ?? volume.size_gib;
      await claimQuota(tx, platform, volume.project_id, { backups: 1, backup_gigabytes: size });
      const id = platform.ids.uuid();
      // Read from a snapshot of its own, so that the guest writes on and the volume may go meanwhile.
      const hidden = snapshot === null ? await takeHidden(tx, platform, volume) : null;
      const row = await insertBackup(tx, {
        id,
        project_id: volume.project_id,
        user_id: ctx.actor.userId,
        name: asked.name,
        description: asked.description,
        volume_id: volume.id,
        snapshot_id: snapshot?.id ?? null,
        reading_id: hidden?.id ?? null,
        container: asked.container ?? parent?.container ?? 'volumebackups',
        prefix: `volume_${volume.id}/${stampOf(now)}/backup_${id}`,
        zone: asked.zone ?? volume.zone,
        size_gib: size,
        parent_id: parent?.id ?? null,
        metadata: JSON.stringify(asked.metadata),
        facts: JSON.stringify(factsOf(volume)),
        created_at: now,
        updated_at: null,
        data_at: dataAt,
        deleting: 0,
        restoring_id: null,
        created: 0,
        object_count: 0,
        manifest: '',
        error: null,
        forced_status: null,
      });
      if (snapshot === null) await saveVolume(tx, volume, { task: 'backing-up' }, now);
      await audit(tx, ctx, 'backup', row.id);
      await platform.work.enqueue(tx, WORK_BACKUP, [row.id]);
      return row;
    },
    { locks: [quotaLock(owner)] },
  );
}

const change = <T>(ctx: Ctx, id: string, work: (tx: Tx, row: BackupRow) => Promise<T>): Promise<T> =>
  ctx.platform.db.tx(async (tx) => {
    const row = await findBackup(tx, ctx, id);
    const result = await work(tx, row);
    await audit(tx, ctx, 'backup', row.id);
    return result;
  });

export const updateBackup = (
  ctx: Ctx,
  id: string,
  changes: Partial<Pick<BackupRow, 'name' | 'description' | 'metadata'>>,
): Promise<BackupRow> => change(ctx, id, (tx, row) => saveBackup(tx, row, changes, ctx.platform.clock.now()));

export const deleteBackup = (ctx: Ctx, id: string, force: boolean): Promise<void> =>
  change(ctx, id, async (tx, row) => {
    if (row.deleting === 1) return;
    if (!force && !['available', 'error'].includes(row.status))
      throw invalidBackup(`Backup status must be available or error; it is ${row.status}.`);
    if ((await parentsAmong(tx, [row.id])).has(row.id))
      throw invalidBackup(`Incremental backups exist for this backup; delete those first.`);
    await saveBackup(tx, row, { deleting: 1, forced_status: null }, ctx.platform.clock.now());
    await ctx.platform.work.enqueue(tx, WORK_BACKUP, [row.id]);
  });

export const resetBackup = (ctx: Ctx, id: string, status: string): Promise<unknown> =>
  change(ctx, id, async (tx, row) => {
    if (row.deleting === 1) throw invalidBackup(`backup ${row.id} is being deleted.`);
    if (status === 'available' && row.created === 0)
      throw invalidBackup(`backup ${row.id} was never completed; its status cannot be available.`);
    const plain = await saveBackup(tx, row, { forced_status: null }, ctx.platform.clock.now());
    if (plain.status !== status)
      await saveBackup(tx, plain, { forced_status: status }, ctx.platform.clock.now());
  });

export type Restored = { backup: BackupRow; volumeId: string; volumeName: string };

/** Into the volume that is named, or into a new one. */
export async function restoreBackup(
  ctx: Ctx,
  deps: VolumeDeps,
  id: string,
  into: { volumeId: string | null; name: string | null; size?: number | null; type?: string | null },
): Promise<Restored> {
  const { platform } = ctx;
  return platform.db.tx(
    async (tx) => {
      const now = platform.clock.now();
      const row = await findBackup(tx, ctx, id);
      if (row.status !== 'available')
        throw invalidBackup(`Backup status must be available, but it is ${row.status}.`);
      const facts = JSON.parse(row.facts) as Facts;
      let volume: VolumeRow;
      if (into.volumeId === null) {
        const type = await findType(tx, ctx, facts.typeId).catch(() => null);
        volume = await createVolumeIn(tx, ctx, deps, {
          name: into.name ?? `restore_backup_${row.id}`,
          description: null,
          size: Math.max(into.size ?? 0, row.size_gib),
          type: into.type ?? type?.id ?? null,
          zone: null,
          metadata: {},
          imageId: null,
          snapshotId: null,
          volumeId: null,
          host: null,
        });
      } else {
        volume = await findVolume(tx, ctx, into.volumeId);
        if (volume.status !== 'available')
          throw invalidVolume(
            `Volume to be restored to must be available; ${volume.id} is ${volume.status}.`,
          );
        if (volume.size_gib < row.size_gib)
          throw invalidVolume(
            `volume size ${volume.size_gib} is too small to restore backup of size ${row.size_gib}.`,
          );
      }
      const next = await saveVolume(tx, volume, { task: 'restoring-backup' }, now);
      await saveBackup(tx, row, { restoring_id: volume.id }, now);
      await platform.work.enqueue(tx, WORK_BACKUP, [row.id]);
      await audit(tx, ctx, 'backup', row.id);
      return { backup: row, volumeId: next.id, volumeName: next.name ?? '' };
    },
    { locks: [quotaLock(projectOf(ctx.actor))] },
  );
}

/** Takes a record whose objects are in the store already; run.ts looks whether they really are. */
export function importBackup(
  ctx: Ctx,
  record: Pick<
    BackupRow,
    | 'id'
    | 'name'
    | 'description'
    | 'volume_id'
    | 'container'
    | 'prefix'
    | 'zone'
    | 'size_gib'
    | 'parent_id'
    | 'metadata'
    | 'facts'
    | 'data_at'
    | 'object_count'
    | 'manifest'
  >,
): Promise<BackupRow> {
  const { platform } = ctx;
  const projectId = projectOf(ctx.actor);
  return platform.db.tx(
    async (tx) => {
      const there = await tx
        .selectFrom('volume_backups')
        .select('id')
        .where('id', '=', record.id)
        .executeTakeFirst();
      if (there !== undefined) throw invalidBackup('Backup already exists in database.');
      await claimQuota(tx, platform, projectId, { backups: 1, backup_gigabytes: record.size_gib });
      const parent =
        record.parent_id === null
          ? undefined
          : await tx
              .selectFrom('volume_backups')
              .select('id')
              .where('id', '=', record.parent_id)
              .executeTakeFirst();
      if (record.parent_id !== null && parent === undefined)
        throw conflict(
          `Backup ${record.parent_id}, which this one is an increment of, is not there; import it first.`,
        );
      const row = await insertBackup(tx, {
        ...record,
        project_id: projectId,
        user_id: ctx.actor.userId,
        snapshot_id: null,
        reading_id: null,
        created_at: platform.clock.now(),
        updated_at: null,
        deleting: 0,
        restoring_id: null,
        created: 0,
        error: null,
        forced_status: null,
      });
      await audit(tx, ctx, 'backup', row.id);
      await platform.work.enqueue(tx, WORK_BACKUP, [row.id]);
      return row;
    },
    { locks: [quotaLock(projectId)] },
  );
}
