// What operators decide about the volume service of a host: apart from whether servers may be placed there.
import type { Migration, Tx } from '../../../kernel/db/index.ts';
import { HOST_DOWN_MS, listHosts, type HostRecord } from '../../host/index.ts';
import type { Db } from '../volumes/table.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_services: ServiceRow;
  }
}

/** Only of hosts about which something was decided. */
export type ServiceRow = { host_id: string; disabled: number; reason: string | null; frozen: number };

export const serviceMigrations: Migration[] = [
  {
    id: 'volume-0007-services',
    async up(db) {
      await db.schema
        .createTable('volume_services')
        .addColumn('host_id', 'text', (c) => c.primaryKey())
        .addColumn('disabled', 'bigint', (c) => c.notNull())
        .addColumn('reason', 'text')
        .addColumn('frozen', 'bigint', (c) => c.notNull())
        .execute();
    },
  },
];

export type Keeper = HostRecord & {
  totalGib: number;
  /** Operators let it take new volumes. */
  taking: boolean;
  takingReason: string | null;
  frozen: boolean;
  up: boolean;
};

/** The hosts that keep volumes. */
export async function keepers(db: Db, now: number): Promise<Keeper[]> {
  const decided = new Map(
    (await db.selectFrom('volume_services').selectAll().execute()).map((row) => [row.host_id, row]),
  );
  return (await listHosts(db as Tx)).flatMap((host) => {
    const row = decided.get(host.id);
    return host.facts.volumes === undefined
      ? []
      : [
          {
            ...host,
            totalGib: host.facts.volumes.totalGib,
            taking: row?.disabled !== 1,
            takingReason: row?.reason ?? null,
            frozen: row?.frozen === 1,
            up: now - host.seenAt <= HOST_DOWN_MS,
          },
        ];
  });
}

export async function decide(tx: Tx, row: ServiceRow): Promise<void> {
  await tx
    .insertInto('volume_services')
    .values(row)
    .onConflict((oc) => oc.column('host_id').doUpdateSet(row))
    .execute();
}
