// Rows -> items, and reports -> rows: the only places where a server meets its host.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { WorkHandler } from '../../../kernel/work.ts';
import type { Rescue, ServerBody } from '../../../protocol/items.ts';
import type { HostReport } from '../../host/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { typeOfKey } from '../keypairs/certificate.ts';
import { finishDelete } from './lifecycle.ts';
import { isResize, isSettled } from './phases.ts';
import { advanceResize } from './resize.ts';
import { advanceShelve, beginOffload, finishOffload } from './offload.ts';
import type { InjectedFile } from './personality.ts';
import { saveServer } from './store.ts';
import type { BootFacts, FlavorCopy, ServerRow } from './table.ts';
import { volumesOf } from './volume-attachments.ts';
import { portsOf } from './wire.ts';

export function bodyOf(row: ServerRow): ServerBody {
  const flavor = JSON.parse(row.flavor) as FlavorCopy;
  const image = JSON.parse(row.image) as BootFacts | null;
  return {
    type: row.type as ServerBody['type'],
    name: row.name,
    hostname: row.hostname,
    projectId: row.project_id,
    userId: row.user_id,
    vcpus: flavor.vcpus,
    memoryMib: flavor.memoryMib,
    rootGib: flavor.diskGib,
    image: image === null ? null : { id: row.root_image_id ?? row.image_id, ...image },
    volumes: volumesOf(row)
      .filter((one) => !one.leaving)
      .map((one) => ({
        volumeId: one.volumeId,
        device: one.device,
        readOnly: one.readOnly,
        boot: one.boot,
        ...(one.limits === undefined ? {} : { limits: one.limits }),
        ...(one.tag === null ? {} : { tag: one.tag }),
      })),
    ports: portsOf(row)
      .filter((port) => port.leaving !== true)
      .map((port) => ({
        portId: port.portId,
        mac: port.mac,
        ...(port.tag === undefined ? {} : { tag: port.tag }),
      })),
    power: row.power,
    rebootCount: row.reboot_count,
    rebootHard: row.reboot_hard === 1,
    rebuildCount: row.rebuild_count,
    ...(row.rescue === null ? {} : { rescue: JSON.parse(row.rescue) as Rescue }),
    ...(row.config_drive === 0 ? {} : { configDrive: true }),
    ...(row.files === '[]' ? {} : { files: JSON.parse(row.files) as InjectedFile[] }),
    resizeCount: row.resize_count,
    original:
      row.phase === 'resizing' || row.phase === 'resized'
        ? 'keep'
        : row.phase === 'reverting'
          ? 'restore'
          : 'drop',
    properties: JSON.parse(row.properties) as Record<string, string>,
    metadata: {
      availabilityZone: row.zone ?? '',
      meta: JSON.parse(row.metadata) as Record<string, string>,
      keys:
        row.key_name === null || row.public_key === null
          ? []
          : [{ name: row.key_name, type: typeOfKey(row.public_key), data: row.public_key }],
      userData: row.user_data,
      createdAt: row.created_at,
    },
  };
}

async function rowsOf(tx: Tx, ids: readonly string[]): Promise<Map<string, ServerRow>> {
  const rows = new Map<string, ServerRow>();
  for (let at = 0; at < ids.length; at += 500) {
    const some = await tx
      .selectFrom('servers')
      .selectAll()
      .where('id', 'in', ids.slice(at, at + 500))
      .execute();
    for (const row of some) rows.set(row.id, row);
  }
  return rows;
}

/** An entry of the history for what happened without anybody asking. */
async function recordEvent(
  tx: Tx,
  platform: Platform,
  row: ServerRow,
  action: string,
  message: string,
): Promise<void> {
  const now = platform.clock.now();
  await tx
    .insertInto('server_actions')
    .values({
      id: platform.ids.uuid(),
      server_id: row.id,
      action,
      version: row.desired_version,
      request_id: `req-${platform.ids.uuid()}`,
      user_id: '',
      project_id: row.project_id,
      started_at: now,
      finished_at: now,
      result: 'Success',
      message,
      host_id: row.host_id,
    })
    .execute();
}

/** History entries up to this version have ended; `action`: only those of this name. */
async function closeActions(
  tx: Tx,
  serverId: string,
  version: number,
  now: number,
  error: string | null,
  action?: string,
): Promise<void> {
  await tx
    .updateTable('server_actions')
    .$if(action !== undefined, (update) => update.where('action', '=', action ?? ''))
    .set({
      finished_at: now,
      result: error === null ? 'Success' : 'Error',
      message: error === null ? null : 'Error',
    })
    .where('server_id', '=', serverId)
    .where('finished_at', 'is', null)
    .where('version', '<=', version)
    .execute();
}

/** On to the next step of what takes several, once the host has tried the last. */
const advance = (tx: Tx, platform: Platform, deps: ComputeDeps, row: ServerRow): Promise<ServerRow> =>
  row.phase === null || row.deleting === 1 || !isSettled(row)
    ? Promise.resolve(row)
    : isResize(row)
      ? advanceResize(tx, platform, deps, row)
      : advanceShelve(tx, platform, deps, row);

/** Compiles changed servers for their hosts. */
export function serverWork(platform: Platform, deps: ComputeDeps): WorkHandler {
  return {
    mode: 'rows',
    batch: 200,
    async run(tx, ids) {
      for (const row of (await rowsOf(tx, ids)).values()) {
        if (row.deleting === 1 || row.host_id === null || row.phase === 'offloading') continue;
        if (row.phase === 'shelved') {
          await beginOffload(tx, deps, row, platform.clock.now());
          continue;
        }
        const generation = await deps.hosts.items.put(tx, 'server', row.id, bodyOf(row));
        await deps.volumes.compiled(tx, row.id, generation);
        await deps.network.interfaces.compiled(tx, row.id, generation);
        // The host has this already, so that it will not report: what leaves never came. The row is looked at again then.
        if (
          generation === row.item_generation &&
          row.observed_generation >= generation &&
          (await deps.network.interfaces.reported(tx, row.id, generation, []))
        )
          continue;
        if (row.item_generation === 0) await deps.hosts.items.subscribe(tx, row.host_id, 'server', row.id);
        if (generation === row.item_generation && row.compiled_version === row.desired_version) continue;
        const now = platform.clock.now();
        // The host already has what was asked for: nothing will be reported.
        if (generation === row.item_generation && row.observed_generation >= generation) {
          const saved = await saveServer(
            tx,
            row,
            { compiled_version: row.desired_version, observed_version: row.desired_version },
            now,
          );
          await closeActions(tx, row.id, row.desired_version, now, null);
          await advance(tx, platform, deps, saved);
        } else
          // Not through saveServer: nothing that users see has changed, so what was encoded stays good.
          await tx
            .updateTable('servers')
            .set({ item_generation: generation, compiled_version: row.desired_version })
            .where('id', '=', row.id)
            .execute();
      }
    },
  };
}

/** What a report changes; null: nothing. */
export function changesOf(row: ServerRow, report: HostReport, now: number): Partial<ServerRow> | null {
  const current = row.item_generation > 0 && report.generation >= row.item_generation;
  const changes: Partial<ServerRow> = {};
  const set = <K extends keyof ServerRow>(key: K, value: ServerRow[K]): void => {
    if (row[key] !== value) changes[key] = value;
  };
  if (report.power !== undefined) set('observed_power', report.power);
  if (report.rebootCount !== undefined) set('observed_reboot_count', report.rebootCount);
  if (report.rescued !== undefined) set('observed_rescued', report.rescued ? 1 : 0);
  if (report.rebuildCount !== undefined) set('observed_rebuild_count', report.rebuildCount);
  if (report.resizeCount !== undefined) set('observed_resize_count', report.resizeCount);
  if (report.restarts !== undefined) set('observed_restarts', report.restarts);
  if (report.power === 'running' && row.launched_at === null) set('launched_at', now);
  if (current) {
    set('observed_generation', report.generation);
    set('observed_version', row.compiled_version);
    const error = report.state === 'failed' ? (report.error ?? 'The host could not run this server.') : null;
    if (error !== row.error) Object.assign(changes, { error, error_at: error === null ? null : now });
    // A guest that ended by itself stays off until its user starts it, as in Nova.
    const ended = report.state === 'applied' && (report.power === 'stopped' || report.power === 'crashed');
    if (
      ended &&
      row.deleting === 0 &&
      row.power !== 'stopped' &&
      row.compiled_version === row.desired_version
    )
      Object.assign(changes, { power: 'stopped', desired_version: row.desired_version + 1 });
  }
  return Object.keys(changes).length === 0 ? null : changes;
}

export function serverReports(
  platform: Platform,
  deps: ComputeDeps,
): (tx: Tx, reports: HostReport[]) => Promise<void> {
  return async (tx, reports) => {
    const rows = await rowsOf(tx, [...new Set(reports.map((report) => report.id))]);
    const changed: string[] = [];
    for (const report of reports) {
      let row = rows.get(report.id);
      if (row === undefined || row.host_id !== report.hostId) continue;
      if (report.state === 'gone') {
        if (row.deleting === 1) {
          await finishDelete(tx, platform, deps, row);
          rows.delete(row.id);
        } else if (row.phase === 'offloading') rows.set(row.id, await finishOffload(tx, platform, deps, row));
        continue;
      }
      if (report.volumes !== undefined && row.deleting === 0) {
        await deps.volumes.reported(tx, row.id, report.generation, report.volumes);
        if (await deps.network.interfaces.reported(tx, row.id, report.generation, report.ports ?? []))
          await closeActions(tx, row.id, row.desired_version, platform.clock.now(), null, 'detach_interface');
        // It may have renewed the row.
        rows.set(
          row.id,
          (await tx.selectFrom('servers').selectAll().where('id', '=', row.id).executeTakeFirst()) ?? row,
        );
      }
      row = rows.get(report.id) ?? row;
      const now = platform.clock.now();
      const changes = changesOf(row, report, now);
      if (changes === null) continue;
      const next = await saveServer(tx, row, changes, now);
      rows.set(row.id, next);
      if (changes.observed_version !== undefined)
        await closeActions(tx, row.id, next.observed_version, now, next.error);
      const happened = (action: string, message: string): Promise<void> =>
        recordEvent(tx, platform, next, action, message);
      if ((changes.observed_restarts ?? 0) > row.observed_restarts)
        await happened('reboot', 'The guest ended unexpectedly and was started again');
      if (changes.error !== undefined && changes.error !== null && changes.observed_version === undefined)
        await happened('stop', 'The guest failed; the fault of the server says why');
      if (changes.power === 'stopped') {
        changed.push(row.id);
        await happened(
          'stop',
          report.power === 'crashed' ? 'The guest crashed' : 'The guest shut itself down',
        );
      }
      rows.set(row.id, await advance(tx, platform, deps, next));
    }
    await platform.work.enqueue(tx, 'server', changed);
  };
}

/** Renews what server rows keep of their ports. */
export function portsChanged(
  platform: Platform,
  deps: ComputeDeps,
): (tx: Tx, serverIds: string[]) => Promise<void> {
  return async (tx, serverIds) => {
    const rows = await rowsOf(tx, serverIds);
    if (rows.size === 0) return; // of servers whose create is still in this transaction
    const ports = await deps.network.portsOf(tx, [...rows.keys()]);
    const changed: string[] = [];
    for (const row of rows.values()) {
      const text = JSON.stringify(ports.get(row.id) ?? []);
      if (text === row.ports) continue;
      await saveServer(tx, row, { ports: text }, platform.clock.now());
      changed.push(row.id);
    }
    await platform.work.enqueue(tx, 'server', changed);
  };
}
