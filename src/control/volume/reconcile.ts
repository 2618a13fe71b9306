// Rows -> items, and reports -> rows: the only places where volumes and snapshots meet their host.
import type { Tx } from '../../kernel/db/index.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { WorkHandler } from '../../kernel/work.ts';
import type { VolumeBody } from '../../protocol/items.ts';
import type { HostReport, ReportHandler } from '../host/index.ts';
import type { VolumeDeps } from './deps.ts';
import { wakeBackups } from './backups/store.ts';
import { tell } from './messages/messages.ts';
import { finishSnapshot, saveSnapshot } from './snapshots/store.ts';
import type { SnapshotRow } from './snapshots/table.ts';
import { finishVolume } from './volumes/remove.ts';
import { attachmentsOf, saveVolume } from './volumes/store.ts';
import type { VolumeRow } from './volumes/table.ts';

type Rows = { volumes: VolumeRow; volume_snapshots: SnapshotRow };

async function rowsOf<T extends keyof Rows>(tx: Tx, table: T, ids: readonly string[]): Promise<Rows[T][]> {
  const found: unknown[] = [];
  const unique = [...new Set(ids)];
  for (let at = 0; at < unique.length; at += 500)
    found.push(
      ...(await tx
        .selectFrom(table as 'volumes')
        .selectAll()
        .where('id', 'in', unique.slice(at, at + 500))
        .execute()),
    );
  return found as Rows[T][];
}

export const bodyOf = (row: VolumeRow): VolumeBody => ({
  sizeGib: row.size_gib,
  source: row.created === 1 ? null : (JSON.parse(row.source) as VolumeBody['source']),
  revertCount: row.revert_count,
  revertTo: row.revert_to,
});

export function volumeWork(deps: VolumeDeps): WorkHandler {
  return {
    mode: 'rows',
    batch: 200,
    async run(tx, ids) {
      for (const row of await rowsOf(tx, 'volumes', ids)) {
        if (row.deleting === 1 || row.host_id === null) continue;
        const generation = await deps.hosts.items.put(tx, 'volume', row.id, bodyOf(row));
        if (row.item_generation === 0) await deps.hosts.items.subscribe(tx, row.host_id, 'volume', row.id);
        if (generation !== row.item_generation)
          await tx
            .updateTable('volumes')
            .set({ item_generation: generation })
            .where('id', '=', row.id)
            .execute();
      }
    },
  };
}

export function snapshotWork(deps: VolumeDeps): WorkHandler {
  return {
    mode: 'rows',
    batch: 200,
    async run(tx, ids) {
      for (const row of await rowsOf(tx, 'volume_snapshots', ids)) {
        if (row.deleting === 1 || row.host_id === null) continue;
        const generation = await deps.hosts.items.put(tx, 'snapshot', row.id, { volumeId: row.volume_id });
        if (row.item_generation !== 0) continue;
        await deps.hosts.items.subscribe(tx, row.host_id, 'snapshot', row.id);
        await tx
          .updateTable('volume_snapshots')
          .set({ item_generation: generation })
          .where('id', '=', row.id)
          .execute();
      }
    },
  };
}

/** What a report changes of a volume; null: nothing. */
export function changesOf(row: VolumeRow, report: HostReport): Partial<VolumeRow> | null {
  if (row.item_generation === 0 || report.generation < row.item_generation) return null;
  const wanted: Partial<VolumeRow> =
    report.state === 'failed'
      ? { error: report.error ?? 'The host could not make this volume.' }
      : {
          error: null,
          created: 1,
          ...(report.sizeGib === undefined ? {} : { observed_size_gib: report.sizeGib }),
          ...(report.revertCount === undefined ? {} : { observed_revert_count: report.revertCount }),
        };
  const changed = Object.entries(wanted).filter(([key, value]) => row[key as keyof VolumeRow] !== value);
  return changed.length === 0 ? null : (Object.fromEntries(changed) as Partial<VolumeRow>);
}

/**
 * What volumes and snapshots have in common when a host reports: only their own host counts, what is gone after a
 * delete is finished, and what is being deleted changes no more. `record` answers the row as it is afterwards.
 */
function reportsOf<T extends keyof Rows>(
  table: T,
  finish: (tx: Tx, row: Rows[T]) => Promise<void>,
  record: (tx: Tx, row: Rows[T], report: HostReport) => Promise<Rows[T]>,
): ReportHandler {
  return async (tx, reports) => {
    const found = await rowsOf(
      tx,
      table,
      reports.map((one) => one.id),
    );
    const rows = new Map(found.map((row) => [row.id, row]));
    for (const report of reports) {
      const row = rows.get(report.id);
      if (row === undefined || row.host_id !== report.hostId) continue;
      if (report.state === 'gone') {
        if (row.deleting === 0) continue;
        await finish(tx, row);
        rows.delete(row.id);
      } else if (row.deleting === 0) rows.set(row.id, await record(tx, row, report));
    }
  };
}

export type VolumeExtended = (tx: Tx, serverId: string, userId: string) => Promise<void>;

export function volumeReports(platform: Platform, extended: VolumeExtended): ReportHandler {
  return reportsOf(
    'volumes',
    (tx, row) => finishVolume(tx, platform, row),
    async (tx, row, report) => {
      const changes = changesOf(row, report);
      if (changes === null) return row;
      const next = await saveVolume(tx, row, changes, platform.clock.now());
      if (typeof changes.error === 'string')
        await tell(
          tx,
          platform,
          { projectId: row.project_id, type: 'VOLUME', id: row.id },
          row.created === 0
            ? 'create volume'
            : row.revert_count > row.observed_revert_count
              ? 'revert volume'
              : 'extend volume',
          changes.error,
        );
      if (row.created === 1 && next.observed_size_gib > row.observed_size_gib)
        for (const one of await attachmentsOf(tx, row.id))
          if (one.managed === 1) await extended(tx, one.server_id, row.user_id);
      // What it was made of may go from now on.
      if (changes.created === 1) await platform.work.enqueue(tx, 'volume', [row.id]);
      if (row.task === 'restoring-backup') await wakeBackups(tx, platform, 'restoring_id', row.id);
      return next;
    },
  );
}

export function snapshotReports(platform: Platform): ReportHandler {
  return reportsOf(
    'volume_snapshots',
    (tx, row) => finishSnapshot(tx, platform, row),
    async (tx, row, report) => {
      const wanted =
        report.state === 'failed'
          ? { error: report.error ?? 'The host could not take this snapshot.' }
          : { error: null, created: 1 };
      const known = row.error === wanted.error && (report.state === 'failed' || row.created === 1);
      if (known) return row;
      if (wanted.error !== null && row.hidden === 0)
        await tell(
          tx,
          platform,
          { projectId: row.project_id, type: 'VOLUME_SNAPSHOT', id: row.id },
          'create snapshot',
          wanted.error,
        );
      const next = await saveSnapshot(tx, row, wanted, platform.clock.now());
      if (row.hidden === 1) await wakeBackups(tx, platform, 'reading_id', row.id);
      return next;
    },
  );
}
