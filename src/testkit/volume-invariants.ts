// What must hold of volumes, snapshots and backups of a cloud at rest: part of invariants.ts.
import type { Reader } from '../kernel/db/index.ts';
import { differences, type Rows } from './books.ts';
import type { Observed } from './invariants.ts';

/** What control does with volumes by itself: it comes to an end. */
const OWN_TASKS = new Set(['uploading', 'backing-up', 'restoring-backup']);

/** Backups come to rest, nothing is left of their reading, and the store holds theirs and no others. */
export async function backups(world: Observed, read: Reader, rows: Rows): Promise<string[]> {
  const all = await read.selectFrom('volume_backups').selectAll().execute();
  return [
    ...all.flatMap((row) =>
      ['available', 'error'].includes(row.status) ? [] : [`backup ${row.id} is stuck in ${row.status}`],
    ),
    ...rows.snapshots.flatMap((row) => (row.hidden === 0 ? [] : [`snapshot ${row.id} for a backup is left`])),
    ...[...(world.backups?.keys() ?? [])].flatMap((key) =>
      all.some((row) => key.startsWith(`${row.container}/${row.prefix}`))
        ? []
        : [`object ${key} belongs to no backup`],
    ),
    ...all.flatMap((row) =>
      row.status !== 'available' || world.backups?.has(`${row.container}/${row.prefix}_metadata`) !== false
        ? []
        : [`backup ${row.id} has no content`],
    ),
  ];
}

/** Volumes come to rest, are on the host that keeps them, and are held by the one server that has them. */
export function volumes(world: Observed, rows: Rows): string[] {
  const servers = new Set(rows.servers.map((server) => server.id));
  const placed = new Set(rows.servers.flatMap((server) => (server.host_id === null ? [] : [server.id])));
  const refused = new Set(
    rows.servers.filter((server) => server.status === 'ERROR').map((server) => server.id),
  );
  // What failed for good may have been made before something else of it was refused: it goes when its user deletes it.
  const failed = new Set(
    [...rows.volumes, ...rows.snapshots]
      .filter((row) => row.created === 0 && row.error !== null)
      .map((row) => row.id),
  );
  const names = new Map(rows.hosts.map((host) => [host.id, host.hostname]));
  // What clients attach by themselves, offer or mark stays so until they end it.
  const managed = rows.attachments.filter((one) => one.managed === 1);
  const byClients = new Set([
    ...rows.attachments.flatMap((one) => (one.managed === 1 ? [] : [one.volume_id])),
    ...[...rows.volumes, ...rows.snapshots].flatMap((row) =>
      row.forced_status !== null || ('task' in row && row.task !== null && !OWN_TASKS.has(row.task))
        ? [row.id]
        : [],
    ),
  ]);
  // A driver refused their server for good: they wait for what its user decides.
  const waiting = new Set(managed.flatMap((one) => (refused.has(one.server_id) ? [one.volume_id] : [])));
  return [
    ...[...rows.volumes, ...rows.snapshots].flatMap((row) =>
      ['available', 'in-use', 'error'].includes(row.status) || byClients.has(row.id) || waiting.has(row.id)
        ? []
        : [`volume or snapshot ${row.id} is stuck in ${row.status}`],
    ),
    ...managed.flatMap((one) =>
      servers.has(one.server_id) && (one.state === 'attached' || refused.has(one.server_id))
        ? []
        : [`attachment of volume ${one.volume_id} to server ${one.server_id} is left in ${one.state}`],
    ),
    ...rows.volumes.flatMap((row) => {
      const all = rows.attachments.filter((one) => one.volume_id === row.id);
      if (all.length > 1) return [`volume ${row.id} is attached ${all.length} times`];
      const mine = all.filter((one) => one.managed === 1);
      const holder =
        world.hosts
          .find((host) => host.hostname === names.get(row.host_id ?? ''))
          ?.volumes.volumes.get(row.id)?.holder ?? null;
      // A shelved server has its volumes, but no guest that holds them.
      const expected = mine.find((one) => placed.has(one.server_id))?.server_id ?? null;
      return holder === expected || (expected !== null && refused.has(expected))
        ? []
        : [`volume ${row.id} is held by ${holder}, its rows say ${expected}`];
    }),
    ...world.hosts.flatMap((host) => [
      ...differences(
        `${host.hostname}: volume`,
        [...host.volumes.volumes.keys()].filter((id) => !failed.has(id)),
        rows.volumes
          .filter((row) => names.get(row.host_id ?? '') === host.hostname && row.created === 1)
          .map((row) => row.id),
      ),
      ...differences(
        `${host.hostname}: snapshot`,
        [...host.volumes.snapshots.keys()].filter((id) => !failed.has(id)),
        rows.snapshots
          .filter((row) => names.get(row.host_id ?? '') === host.hostname && row.created === 1)
          .map((row) => row.id),
      ),
    ]),
  ];
}
