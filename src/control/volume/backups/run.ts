// What backups take time for: reading a volume into the store, restoring one from it, and removing objects. Each is
// begun anew after a crash and ends in one transaction; what failed for good is said to the user.
import type { Tx } from '../../../kernel/db/index.ts';
import { CloudError } from '../../../kernel/errors.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { decodeExtents, encodeExtents } from '../../../kernel/sparse.ts';
import type { WorkHandler } from '../../../kernel/work.ts';
import type { VolumeDeps } from '../deps.ts';
import { tell, type FailedAction } from '../messages/messages.ts';
import { dropHidden } from '../snapshots/hidden.ts';
import { mapOf, saveVolume } from '../volumes/store.ts';
import type { VolumeRow } from '../volumes/table.ts';
import { readManifest, restoredExtents, writeBackup, type Manifest } from './content.ts';
import type { BackupObjects } from './objects.ts';
import type { Facts } from './service.ts';
import { backupById, saveBackup } from './store.ts';
import type { BackupRow } from './table.ts';

/** Attempts in the life of this process before what fails each time counts as failed. */
const TRIES = 6;

/** What will not become better by trying again; the message is for the user. */
class Hopeless extends Error {}
/** Nobody can be asked now. */
class Unreachable extends CloudError {
  constructor(message: string) {
    super(503, 'ServiceUnavailable', message);
  }
}
/** Whoever waits for it has gone away meanwhile. */
class Abandoned extends Error {}

export function backupWork(platform: Platform, deps: VolumeDeps, objects: BackupObjects): WorkHandler {
  const { db, clock, log } = platform;

  /** Changes the row as it is now, unless it is gone. */
  const end = (id: string, work: (tx: Tx, row: BackupRow) => Promise<void>): Promise<void> =>
    db.tx(async (tx) => {
      const row = await backupById(tx, id);
      if (row !== null) await work(tx, row);
    });
  const volumeById = async (reader: Pick<Tx, 'selectFrom'>, id: string): Promise<VolumeRow | null> =>
    (await reader.selectFrom('volumes').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;

  /** The volume is as it was before; its snapshot for reading goes. */
  async function letGo(tx: Tx, row: BackupRow): Promise<void> {
    if (row.reading_id === null) return;
    await dropHidden(tx, platform, deps, row.reading_id);
    const volume = await volumeById(tx, row.volume_id);
    if (volume?.task === 'backing-up') await saveVolume(tx, volume, { task: null }, clock.now());
  }

  const say = (tx: Tx, row: BackupRow, action: FailedAction, reason: string): Promise<void> =>
    tell(tx, platform, { projectId: row.project_id, type: 'VOLUME_BACKUP', id: row.id }, action, reason);

  async function manifestOf(id: string): Promise<Manifest> {
    const row = await backupById(db.read, id);
    const manifest = row === null ? null : await readManifest(objects, row, row.manifest);
    if (manifest === null)
      throw new Hopeless(`the content of backup ${id} is gone from the store, or damaged`);
    return manifest;
  }

  async function create(row: BackupRow): Promise<void> {
    if (row.manifest !== '') {
      // Imported: its objects are there, or it is nothing.
      await manifestOf(row.id);
      return end(row.id, async (tx, now) => void (await saveBackup(tx, now, { created: 1 }, clock.now())));
    }
    const readId = row.reading_id ?? row.snapshot_id;
    const snapshot =
      readId === null
        ? undefined
        : await db.read
            .selectFrom('volume_snapshots')
            .selectAll()
            .where('id', '=', readId)
            .executeTakeFirst();
    if (snapshot === undefined || snapshot.deleting === 1)
      throw new Hopeless('the snapshot that it is read from is gone');
    if (snapshot.created === 0) {
      if (snapshot.error !== null) throw new Hopeless(snapshot.error);
      const volume = await volumeById(db.read, row.volume_id);
      if (volume === null || volume.deleting === 1 || snapshot.host_id === null)
        throw new Hopeless(`volume ${row.volume_id} was deleted before it could be read`);
      // Taken soon: its report calls again.
      return;
    }
    const host = snapshot.host_id === null ? null : deps.hosts.queries(snapshot.host_id);
    if (host === null) throw new Unreachable(`the host of snapshot ${snapshot.id} is not connected`);
    if (host.readVolume === undefined) throw new Hopeless('the host of the volume cannot read volumes');
    const parent = row.parent_id === null ? null : await manifestOf(row.parent_id);
    const content = await host.readVolume('snapshot', snapshot.id);
    const done = await writeBackup(objects, row, row.size_gib, decodeExtents(content), parent, (count) =>
      db.tx(async (tx) => {
        const now = await backupById(tx, row.id);
        if (now === null || now.deleting === 1) throw new Abandoned();
        await saveBackup(tx, now, { object_count: count }, clock.now());
      }),
    );
    await end(row.id, async (tx, now) => {
      await letGo(tx, now);
      await saveBackup(
        tx,
        now,
        { created: 1, manifest: done.sha256, object_count: done.objectCount, reading_id: null },
        clock.now(),
      );
    });
  }

  async function restore(row: BackupRow, volumeId: string): Promise<void> {
    const volume = await volumeById(db.read, volumeId);
    if (volume === null || volume.deleting === 1)
      throw new Hopeless(`volume ${volumeId} was deleted before it was restored`);
    if (volume.task !== 'restoring-backup')
      return end(
        row.id,
        async (tx, now) => void (await saveBackup(tx, now, { restoring_id: null }, clock.now())),
      );
    if (volume.created === 0) {
      if (volume.error !== null) throw new Hopeless(volume.error);
      // Made soon: its report calls again.
      return;
    }
    const host = volume.host_id === null ? null : deps.hosts.queries(volume.host_id);
    if (host === null) throw new Unreachable(`the host of volume ${volumeId} is not connected`);
    if (host.replaceVolume === undefined) throw new Hopeless('the host of the volume cannot replace content');
    const manifest = await manifestOf(row.id);
    // Named after the backup and the volume's history, so that a repetition after a crash changes nothing.
    const token = `${row.id}.${volume.revert_count}.${volume.updated_at ?? volume.created_at}`;
    let damage: unknown = null;
    const extents = (async function* watched() {
      try {
        yield* restoredExtents(objects, manifest);
      } catch (error) {
        damage = error;
        throw error;
      }
    })();
    try {
      await host.replaceVolume(volumeId, token, encodeExtents(extents));
    } catch (error) {
      throw damage === null
        ? error
        : new Hopeless(damage instanceof Error ? damage.message : 'it is damaged');
    }
    await end(row.id, async (tx, now) => {
      const then = await volumeById(tx, volumeId);
      if (then?.task === 'restoring-backup') {
        const facts = JSON.parse(now.facts) as Facts;
        await saveVolume(
          tx,
          then,
          {
            task: null,
            bootable: facts.bootable ? 1 : 0,
            metadata: JSON.stringify({ ...mapOf(then.metadata), ...mapOf(facts.metadata) }),
            image_metadata: facts.imageMetadata,
          },
          clock.now(),
        );
      }
      await saveBackup(tx, now, { restoring_id: null }, clock.now());
    });
  }

  async function remove(row: BackupRow): Promise<void> {
    const others = await db.read
      .selectFrom('volume_backups')
      .select('id')
      .where('prefix', '=', row.prefix)
      .where('container', '=', row.container)
      .where('id', '!=', row.id)
      .limit(1)
      .executeTakeFirst();
    // An imported record may name the objects of another one.
    if (others === undefined) await objects.removeAll(row.container, row.prefix);
    await end(row.id, async (tx, now) => {
      await letGo(tx, now);
      await platform.quotas.release(tx, now.project_id, { backups: 1, backup_gigabytes: now.size_gib });
      await tx.deleteFrom('volume_backups').where('id', '=', now.id).execute();
      const volume = now.restoring_id === null ? null : await volumeById(tx, now.restoring_id);
      if (volume?.task === 'restoring-backup')
        await saveVolume(tx, volume, { task: null, forced_status: 'error_restoring' }, clock.now());
    });
  }

  async function failed(row: BackupRow, reason: string): Promise<void> {
    log.warn({ backupId: row.id, reason }, 'a backup failed');
    await end(row.id, async (tx, now) => {
      if (now.created === 0) {
        await letGo(tx, now);
        await saveBackup(tx, now, { error: reason, reading_id: null }, clock.now());
        await say(tx, now, 'create backup', reason);
        return;
      }
      const volume = now.restoring_id === null ? null : await volumeById(tx, now.restoring_id);
      if (volume?.task === 'restoring-backup')
        await saveVolume(
          tx,
          volume,
          { task: null, ...(volume.created === 1 ? { forced_status: 'error_restoring' } : {}) },
          clock.now(),
        );
      await saveBackup(tx, now, { restoring_id: null }, clock.now());
      await say(tx, now, 'restore backup', reason);
    });
  }

  const tries = new Map<string, number>();
  return {
    mode: 'effect',
    leaseMs: 60_000,
    concurrency: 2,
    async run(id) {
      const row = await backupById(db.read, id);
      if (row === null) return;
      try {
        if (row.deleting === 1) await remove(row);
        else if (row.created === 0 && row.error === null) await create(row);
        else if (row.restoring_id !== null) await restore(row, row.restoring_id);
        tries.delete(id);
      } catch (error) {
        if (error instanceof Abandoned) return;
        const tried = (tries.get(id) ?? 0) + (error instanceof Unreachable ? 0 : 1);
        if (error instanceof Hopeless || (tried >= TRIES && row.deleting === 0)) {
          tries.delete(id);
          return failed(row, error instanceof Error ? error.message : String(error));
        }
        tries.set(id, tried);
        throw error;
      }
    },
  };
}
