// The steps of a shelving that nobody asks for one by one: each begins when the host, or the image, has said what came of
// the step before.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { ComputeDeps } from '../deps.ts';
import { shelveFactsOf } from './phases.ts';
import { saveServer } from './store.ts';
import { WORK_SERVER_IMAGE, type ServerRow } from './table.ts';

/** The host is to remove the guest; its image is safe, or its root is a volume. */
export async function beginOffload(
  tx: Tx,
  deps: ComputeDeps,
  row: ServerRow,
  now: number,
): Promise<ServerRow> {
  await deps.hosts.items.drop(tx, 'server', row.id);
  return saveServer(tx, row, { phase: 'offloading', item_generation: 0, observed_generation: 0 }, now);
}

/** The host says that the guest is gone: what it had there is free. */
export async function finishOffload(
  tx: Tx,
  platform: Platform,
  deps: ComputeDeps,
  row: ServerRow,
): Promise<ServerRow> {
  const facts = shelveFactsOf(row);
  const had = await deps.placement.release(tx, row.id);
  await deps.network.bindPorts(tx, row.id, null);
  await deps.volumes.offHost(tx, row.id);
  // Ports and volumes may have renewed it.
  const now = (await tx.selectFrom('servers').selectAll().where('id', '=', row.id).executeTakeFirst()) ?? row;
  return saveServer(
    tx,
    now,
    {
      phase: 'offloaded',
      phase_facts: JSON.stringify({ ...facts, diskGib: had?.diskGib ?? 0 }),
      host_id: null,
      host_name: null,
      zone: null,
      observed_power: 'stopped',
    },
    platform.clock.now(),
  );
}

/** The host has tried what the phase asks of it: on to the next. Returns the row as it is now. */
export async function advanceShelve(
  tx: Tx,
  platform: Platform,
  deps: ComputeDeps,
  row: ServerRow,
): Promise<ServerRow> {
  const facts = shelveFactsOf(row);
  if (facts === null || row.error !== null) return row;
  const now = platform.clock.now();
  if (row.phase === 'shelving') {
    if (facts.imageId === null) return beginOffload(tx, deps, row, now);
    await platform.work.enqueue(tx, WORK_SERVER_IMAGE, [facts.imageId]);
  }
  if (row.phase !== 'unshelving') return row;
  if (facts.imageId !== null) await deps.images.discard(tx, facts.imageId);
  return saveServer(tx, row, { phase: null, phase_facts: null }, now);
}

/** What came of the image of a server that is being shelved. */
export async function shelvedImageDone(
  tx: Tx,
  platform: Platform,
  row: ServerRow,
  filled: boolean,
): Promise<void> {
  const facts = shelveFactsOf(row);
  if (row.phase !== 'shelving' || facts === null) return;
  const now = platform.clock.now();
  await platform.work.enqueue(tx, 'server', [row.id]);
  if (filled) {
    await saveServer(tx, row, { phase: 'shelved' }, now);
    return;
  }
  // Undone: memory that was paused or suspended is gone, so that such a guest stays off.
  await saveServer(
    tx,
    row,
    {
      phase: null,
      phase_facts: null,
      power: facts.power === 'running' ? 'running' : 'stopped',
      desired_version: row.desired_version + 1,
    },
    now,
  );
  await tx
    .updateTable('server_actions')
    .set({ result: 'Error', message: 'Error' })
    .where('server_id', '=', row.id)
    .where('action', '=', 'shelve')
    .where('version', '=', row.desired_version)
    .execute();
}
