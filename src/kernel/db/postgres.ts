// The engine for sites that outgrow one machine: PostgreSQL, serializable transactions that are repeated
// when they lose a race, advisory locks for declared conflict domains, LISTEN/NOTIFY as a wake-up only.
import { createHash } from 'node:crypto';
import type { CompiledQuery, Kysely, QueryResult } from 'kysely';
import pg from 'pg';
import { queriesOver, type Execute } from './connection.ts';
import type { Database, Tables, Tx, TxOptions } from './index.ts';

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
    options: `-c search_path=${schema} -c default_transaction_isolation=serializable`,
  };
  const pool = new pg.Pool({ ...config, max: options.maxConnections ?? 16 });
  pool.on('error', () => {}); // an idle connection that breaks is replaced at its next use
  await pool.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`);
  const read: Kysely<Tables> = queriesOver('postgres', executeOn(pool as unknown as pg.ClientBase));
  const channel = `strata_${createHash('sha256').update(schema).digest('hex').slice(0, 16)}`;
  const listeners = new Set<() => void>();
  const wakeAll = (): void => {
    for (const wake of listeners) wake();
  };
  const listener = new pg.Client(config);
  listener.on('error', () => {}); // a lost listener only means that the periodic scan finds the work
  listener.on('notification', wakeAll);
  await listener.connect();
  await listener.query(`LISTEN ${channel}`);

  const attempt = async <T>(client: pg.PoolClient, work: (tx: Tx) => Promise<T>, hooks: (() => void)[]): Promise<T> => {
    let ended = false;
    const execute = executeOn(client);
    const queries = queriesOver('postgres', (query) =>
      ended ? Promise.reject(new Error('this transaction has ended')) : execute(query),
    );
    const tx: Tx = Object.assign(queries, { afterCommit: (fn: () => void) => void hooks.push(fn) });
    await client.query('BEGIN');
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

  return {
    engine: 'postgres',
    read,
    async tx<T>(work: (tx: Tx) => Promise<T>, txOptions: TxOptions = {}): Promise<T> {
      // Session locks, taken before BEGIN: a lock inside a serializable transaction comes after its snapshot.
      const locks = [...new Set(txOptions.locks ?? [])].sort().map((name) => lockKey(`${schema}:${name}`));
      const client = await pool.connect();
      let broken: Error | undefined;
      try {
        for (const key of locks) await client.query('SELECT pg_advisory_lock($1)', [key]);
        for (let tries = 1; ; tries++) {
          const hooks: (() => void)[] = [];
          try {
            const result = await attempt(client, work, hooks);
            for (const hook of hooks) hook();
            return result;
          } catch (error) {
            if (!LOST_RACE.has(String((error as { code?: unknown }).code)) || tries >= MAX_ATTEMPTS) throw error;
            await new Promise((resolve) => setTimeout(resolve, options.rng() * Math.min(5 * 2 ** tries, 200)));
          }
        }
      } finally {
        try {
          for (const key of locks) await client.query('SELECT pg_advisory_unlock($1)', [key]);
        } catch (error) {
          broken = error as Error; // the connection is gone, and with it the lock
        }
        client.release(broken);
      }
    },
    onNotify(wake) {
      listeners.add(wake);
      return () => listeners.delete(wake);
    },
    notify() {
      pool.query(`NOTIFY ${channel}`).catch(() => {}); // the periodic scan finds what a lost wake-up leaves
    },
    async ping() {
      await pool.query('SELECT 1');
    },
    async close() {
      await listener.end().catch(() => {});
      await pool.end();
    },
  };
}
