// The database: two engines behind one interface. Only this folder knows a dialect; everything above it
// speaks Kysely over the tables that each resource declares.
import type { Kysely } from 'kysely';

/** Each resource's table.ts adds its tables by `declare module`. */
// eslint-disable-next-line typescript/no-empty-interface
export interface Tables {
  schema_migrations: { id: string; applied_at: number };
  counters: { name: string; value: number };
}

/** A query surface over committed rows. */
export type Reader = Kysely<Tables>;

/** One transaction. It must only await its own queries: others wait behind it. */
export type Tx = Kysely<Tables> & {
  /** Runs after the commit is durable, in order; never when the transaction fails. */
  afterCommit(fn: () => void): void;
};

export type TxOptions = {
  /** Names of conflict domains: transactions that share one run one after the other on every engine. */
  locks?: readonly string[];
};

export type Database = {
  readonly engine: 'sqlite' | 'postgres';
  /** Sees only what is committed. Never use it inside a transaction. */
  readonly read: Reader;
  /**
   * Runs `work` with serializable isolation; resolves when its commit is durable. `work` may run more than
   * once (a lost race is repeated), so it has no effect but on the transaction.
   */
  tx<T>(work: (tx: Tx) => Promise<T>, options?: TxOptions): Promise<T>;
  /** Called when another process on this database may have committed something; carries no data. */
  onNotify(wake: () => void): () => void;
  /** Wakes the other processes on this database. */
  notify(): void;
  /** Throws when the database does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
};

/** Portable DDL through Kysely's schema builder; runs once, in a transaction. */
export type Migration = { id: string; up(db: Kysely<Tables>): Promise<void> };

/** True when `error` says that a unique constraint refused a row, on either engine. */
export function isUniqueViolation(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY' || code === '23505';
}

/** True when the disk or the quota of the database is full, on either engine. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'SQLITE_FULL' || code === '53100';
}

/** True when the database cannot be reached or is too busy: the same request may succeed a little later. */
export function isDatabaseBusy(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return BUSY.has(String(code)) || /^Connection terminated|is not queryable$/.test(String(message));
}
const BUSY = new Set([
  'SQLITE_BUSY',
  '40001',
  '40P01',
  '53300',
  '57P01',
  '57P02',
  '57P03',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
]);

/** The next `count` values of a named counter; returns the last of them. Ordered by commit. */
export async function nextCounter(tx: Tx, name: string, count = 1): Promise<number> {
  const row = await tx
    .insertInto('counters')
    .values({ name, value: count })
    .onConflict((oc) =>
      oc.column('name').doUpdateSet((eb) => ({ value: eb('counters.value', '+', eb.ref('excluded.value')) })),
    )
    .returning('value')
    .executeTakeFirstOrThrow();
  return row.value;
}

/** Applies what is missing, in the order given. Safe to run from several processes at once. */
export async function migrate(
  db: Database,
  now: number,
  migrations: readonly Migration[],
): Promise<string[]> {
  return db.tx(
    async (tx) => {
      await tx.schema
        .createTable('schema_migrations')
        .ifNotExists()
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('applied_at', 'bigint', (c) => c.notNull())
        .execute();
      await tx.schema
        .createTable('counters')
        .ifNotExists()
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('value', 'bigint', (c) => c.notNull())
        .execute();
      const done = new Set(
        (await tx.selectFrom('schema_migrations').select('id').execute()).map((row) => row.id),
      );
      const applied: string[] = [];
      for (const migration of migrations) {
        if (done.has(migration.id)) continue;
        await migration.up(tx);
        await tx.insertInto('schema_migrations').values({ id: migration.id, applied_at: now }).execute();
        applied.push(migration.id);
      }
      return applied;
    },
    { locks: ['migrate'] },
  );
}
