// Hosts as rows for the services that show and administer them. The tables are this folder's: others ask here.
import { nextCounter, type Reader, type Tx } from '../../kernel/db/index.ts';
import type { HostFacts } from '../../protocol/link.ts';

type Db = Pick<Reader, 'selectFrom'>;

export type HostRecord = {
  id: string;
  hostname: string;
  facts: HostFacts;
  usedVcpus: number;
  usedMemoryMib: number;
  usedDiskGib: number;
  servers: number;
  enabled: boolean;
  disabledReason: string;
  zone: string;
  /** Milliseconds since the epoch, as all times here. */
  registeredAt: number;
  seenAt: number;
  /** An operator says that it is down; `seenAt` is then 0. */
  forcedDown: boolean;
  /** When it was last heard of, forced down or not. */
  heardAt: number;
};

/** Every host, oldest first: a host keeps its place, for APIs that number hosts. */
export async function listHosts(db: Db): Promise<HostRecord[]> {
  const rows = await db.selectFrom('hosts').selectAll().orderBy('registered_at').orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    hostname: row.hostname,
    facts: JSON.parse(row.facts) as HostFacts,
    usedVcpus: row.used_vcpus,
    usedMemoryMib: row.used_memory_mib,
    usedDiskGib: row.used_disk_gib,
    servers: row.servers,
    enabled: row.enabled === 1,
    disabledReason: row.disabled_reason,
    zone: row.zone,
    registeredAt: row.registered_at,
    seenAt: row.forced_down === 1 ? 0 : row.seen_at,
    forcedDown: row.forced_down === 1,
    heardAt: row.seen_at,
  }));
}

/** When each of these hosts was last heard of (0: an operator says that it is down), and whether it takes new servers. */
export async function hostSigns(
  db: Db,
  hostIds: readonly string[],
): Promise<Map<string, { seenAt: number; enabled: boolean }>> {
  if (hostIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('hosts')
    .select(['id', 'seen_at', 'enabled', 'forced_down'])
    .where('id', 'in', [...hostIds])
    .execute();
  return new Map(
    rows.map((row) => [
      row.id,
      { seenAt: row.forced_down === 1 ? 0 : row.seen_at, enabled: row.enabled === 1 },
    ]),
  );
}

/** What a host can do; null: there is no such host. */
export async function hostFacts(db: Db, hostId: string): Promise<HostFacts | null> {
  const row = await db.selectFrom('hosts').select('facts').where('id', '=', hostId).executeTakeFirst();
  return row === undefined ? null : (JSON.parse(row.facts) as HostFacts);
}

export async function zoneExists(db: Db, zone: string): Promise<boolean> {
  return (
    (await db.selectFrom('hosts').select('id').where('zone', '=', zone).limit(1).executeTakeFirst()) !==
    undefined
  );
}

export async function setHostEnabled(
  tx: Tx,
  hostId: string,
  enabled: boolean,
  reason: string,
): Promise<void> {
  const revision = await nextCounter(tx, 'host-revision');
  await tx
    .updateTable('hosts')
    .set({ enabled: enabled ? 1 : 0, disabled_reason: reason, revision })
    .where('id', '=', hostId)
    .execute();
}

/** As an operator who fences a host does: it counts as down until this is taken back. */
export async function setHostForcedDown(tx: Tx, hostId: string, forced: boolean): Promise<void> {
  const revision = await nextCounter(tx, 'host-revision');
  await tx
    .updateTable('hosts')
    .set({ forced_down: forced ? 1 : 0, revision })
    .where('id', '=', hostId)
    .execute();
}

export async function setHostZone(tx: Tx, hostIds: readonly string[], zone: string): Promise<void> {
  if (hostIds.length === 0) return;
  const revision = await nextCounter(tx, 'host-revision');
  await tx
    .updateTable('hosts')
    .set({ zone, revision })
    .where('id', 'in', [...hostIds])
    .execute();
}
