// The engine for sites that outgrow one machine: PostgreSQL, serializable transactions that are repeated
// when they lose a race, advisory locks for declared conflict domains, LISTEN/NOTIFY as a wake-up only.
import { createHash, randomUUID } from 'node:crypto';
import type { CompiledQuery, Kysely, QueryResult } from 'kysely';
import pg from 'pg';
import { queriesOver, runAfterCommit, type Execute } from './connection.ts';
import { isUniqueViolation, type Database, type Tables, type Tx, type TxOptions } from './index.ts';
import { createLocks } from './locks.ts';

export type PostgresOptions = {
  url: string;
  /** Schema to live in (search_path); tests use one each. Default 'public'. */
  schema?: string;
  maxConnections?: number;
  /** Uniform in [0, 1): spreads the repeats. */
  rng: () => number;
};

const INT8 = 20;
const NUMERIC = 1700; // sum() of bigint
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 || oid === NUMERIC
      ? Number
      : pg.types.getTypeParser(oid, format as 'text')) as pg.CustomTypesConfig['getTypeParser'],
};
const MAX_ATTEMPTS = 40;
/** Of a unique violation: a row that was looked for and not seen, because another transaction was inserting it. */
const MAX_UNIQUE_ATTEMPTS = 3;
const RECONNECT_MS = 2_000;
const LOST_RACE = new Set(['40001', '40P01']);

const executeOn =
  (client: Pick<pg.ClientBase, 'query'>): Execute =>
  async (query: CompiledQuery): Promise<QueryResult<unknown>> => {
    const result = await client.query(query.sql, query.parameters as unknown[]);
    return result.command === 'SELECT' || result.rowCount === null
      ? { rows: result.rows }
      : { rows: result.rows, numAffectedRows: BigInt(result.rowCount) };
  };

/** A 63-bit key for pg_advisory_lock. */
const lockKey = (name: string): string =>
  (createHash('sha256').update(name).digest().readBigInt64BE() >> 1n).toString();

const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const schema = options.schema ?? 'public';
  const config: pg.PoolConfig = {
    connectionString: options.url,
    types,
    options: `-c search_path=${quoteIdentifier(schema).replace(/[\\ ]/g, '\\$&')}`,
  };
  const pool = new pg.Pool({ ...config, max: options.maxConnections ?? 16 });
  pool.on('error', () => {}); // an idle connection that breaks is replaced at its next use
  // One in use that breaks between two queries says so here, and again to the next query.
  pool.on('connect', (client) => void client.on('error', () => {}));
  await pool.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`).catch((error: unknown) => {
    if (!isUniqueViolation(error)) throw error; // another process made it at the same time
  });
  const locksHere = createLocks();
  /** Tells our own notifications from those of other processes. */
  const instance = randomUUID();
  const read: Kysely<Tables> = queriesOver('postgres', executeOn(pool as unknown as pg.ClientBase));
  const channel = `strata_${createHash('sha256').update(schema).digest('hex').slice(0, 16)}`;
  const listeners = new Set<() => void>();
  const wakeAll = (): void => {
    for (const wake of listeners) wake();
  };
  let listener: pg.Client;
  let closed = false;
  let reconnect: NodeJS.Timeout | undefined;
  const listen = async (): Promise<void> => {
    listener = new pg.Client(config);
    listener.on('error', () => {}); // 'end' follows
    listener.on('notification', ({ payload }) => {
      if (payload !== instance) wakeAll();
    });
    // Until it is back, the periodic scan finds the work.
    listener.once('end', listenAgain);
    await listener.connect();
    await listener.query(`LISTEN ${channel}`);
  };
  const listenAgain = (): void => {
    if (closed || reconnect !== undefined) return;
    reconnect = setTimeout(() => {
      reconnect = undefined;
      listen().then(wakeAll, listenAgain);
    }, RECONNECT_MS);
  };
  await listen();
  let notifying = false;
  let notifyAgain = false;

  const attempt = async <T>(
    client: pg.PoolClient,
    work: (tx: Tx) => Promise<T>,
    hooks: (() => void)[],
  ): Promise<T> => {
    let ended = false;
    const execute = executeOn(client);
    const queries = queriesOver('postgres', (query) =>
      ended ? Promise.reject(new Error('this transaction has ended')) : execute(query),
    );
    const tx: Tx = Object.assign(queries, { afterCommit: (fn: () => void) => void hooks.push(fn) });
    await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
    try {
      const result = await work(tx);
      ended = true;
      await client.query('COMMIT');
      return result;
    } catch (error) {
      ended = true;
      await client.query('ROLLBACK').catch(() => {});
      throw error;
    }
  };

  const sendNotify = async (): Promise<void> => {
    notifying = true;
    do {
      notifyAgain = false;
      // The periodic scan finds what a lost wake-up leaves.
      await pool.query(`NOTIFY ${channel}, '${instance}'`).catch(() => {});
    } while (notifyAgain && !closed);
    notifying = false;
  };

  return {
    engine: 'postgres',
    read,
    async tx<T>(work: (tx: Tx) => Promise<T>, txOptions: TxOptions = {}): Promise<T> {
      // Session locks, taken before BEGIN: a lock inside a serializable transaction comes after its snapshot.
      const names = [...new Set(txOptions.locks ?? [])].sort();
      const locks = names.map((name) => lockKey(`${schema}:${name}`));
      const release = await locksHere.take(names);
      let client: pg.PoolClient | undefined;
      let broken: Error | undefined;
      try {
        client = await pool.connect();
        for (const key of locks) await client.query('SELECT pg_advisory_lock($1)', [key]);
        for (let tries = 1; ; tries++) {
          const hooks: (() => void)[] = [];
          try {
            const result = await attempt(client, work, hooks);
            runAfterCommit(hooks);
            return result;
          } catch (error) {
            const attempts = isUniqueViolation(error)
              ? MAX_UNIQUE_ATTEMPTS
              : LOST_RACE.has(String((error as { code?: unknown } | null)?.code))
                ? MAX_ATTEMPTS
                : 0;
            if (tries >= attempts) throw error;
            await new Promise((resolve) =>
              setTimeout(resolve, options.rng() * Math.min(5 * 2 ** tries, 200)),
            );
          }
        }
      } finally {
        try {
          if (client !== undefined)
            for (const key of locks) await client.query('SELECT pg_advisory_unlock($1)', [key]);
        } catch (error) {
          broken = error as Error; // the connection is gone, and with it the lock
        }
        client?.release(broken);
        release();
      }
    },
    onNotify(wake) {
      listeners.add(wake);
      return () => listeners.delete(wake);
    },
    notify() {
      // Commits that come while one is on its way share the next.
      if (notifying) notifyAgain = true;
      else void sendNotify();
    },
    async ping() {
      await pool.query('SELECT 1');
    },
    async close() {
      closed = true;
      clearTimeout(reconnect);
      await listener.end().catch(() => {});
      await pool.end();
    },
  };
}
