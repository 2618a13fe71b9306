// Claims on a host's resources: conditional updates, so that no interleaving over-allocates.
import { nextCounter, type Reader, type Tables, type Tx } from '../../kernel/db/index.ts';

/** vCPUs, MiB, GiB. */
export type Amounts = { vcpus: number; memoryMib: number; diskGib: number };

/** Hosts that changed after a revision; 0: all. */
export const hostsSince = (db: Pick<Reader, 'selectFrom'>, revision: number): Promise<Tables['hosts'][]> =>
  db.selectFrom('hosts').selectAll().where('revision', '>', revision).execute();

export const hostById = (db: Pick<Reader, 'selectFrom'>, id: string): Promise<Tables['hosts'] | undefined> =>
  db.selectFrom('hosts').selectAll().where('id', '=', id).executeTakeFirst();

/** False when the host is disabled, or when `want` does not fit into `totals` any more; nothing is changed then. */
export async function claimOnHost(tx: Tx, hostId: string, want: Amounts, totals: Amounts): Promise<boolean> {
  const revision = await nextCounter(tx, 'host-revision');
  const updated = await tx
    .updateTable('hosts')
    .set((eb) => ({
      used_vcpus: eb('used_vcpus', '+', want.vcpus),
      used_memory_mib: eb('used_memory_mib', '+', want.memoryMib),
      used_disk_gib: eb('used_disk_gib', '+', want.diskGib),
      servers: eb('servers', '+', 1),
      revision,
    }))
    .where('id', '=', hostId)
    .where('enabled', '=', 1)
    .where('forced_down', '=', 0)
    .where('used_vcpus', '<=', totals.vcpus - want.vcpus)
    .where('used_memory_mib', '<=', totals.memoryMib - want.memoryMib)
    // A server without a disk of its own goes to a full disk too.
    .where(
      'used_disk_gib',
      '<=',
      want.diskGib === 0 ? Number.MAX_SAFE_INTEGER : totals.diskGib - want.diskGib,
    )
    .executeTakeFirst();
  return updated.numUpdatedRows === 1n;
}

export async function releaseOnHost(tx: Tx, hostId: string, had: Amounts): Promise<void> {
  const revision = await nextCounter(tx, 'host-revision');
  await tx
    .updateTable('hosts')
    .set((eb) => ({
      used_vcpus: eb('used_vcpus', '-', had.vcpus),
      used_memory_mib: eb('used_memory_mib', '-', had.memoryMib),
      used_disk_gib: eb('used_disk_gib', '-', had.diskGib),
      servers: eb('servers', '-', 1),
      revision,
    }))
    .where('id', '=', hostId)
    .execute();
}
