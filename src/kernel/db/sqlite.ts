// The embedded engine: SQLite in WAL mode with synchronous=FULL and group commit. One writer connection
// runs the queued transactions one after the other, each in a savepoint, and commits the group with one
// fsync; a second connection reads committed rows only.
import { chmodSync, closeSync, openSync } from 'node:fs';
import SqliteConnection from 'better-sqlite3';
import type { CompiledQuery, QueryResult } from 'kysely';
import { LRUCache } from 'lru-cache';
import { queriesOver, runAfterCommit, type Execute } from './connection.ts';
import type { Database, Tx, TxOptions } from './index.ts';

export type SqliteOptions = {
  file: string;
  /** 'OFF' only for the simulator, whose crashes are not power cuts. */
  synchronous?: 'FULL' | 'OFF';
  /** Transactions that may share one commit. */
  maxGroup?: number;
};

export type SqliteDatabase = Database & {
  /** Lets go of the file as a kill would: what is not committed is rolled back, what is under way never ends. For the simulator. */
  abandon(): void;
};

type Job = {
  /** True: part of the group; false: it alone failed. Rejects when the engine gave the whole group up. */
  run(): Promise<boolean>;
  committed(): void;
  failed(error: unknown): void;
};

function executeOn(connection: SqliteConnection.Database): Execute {
  const statements = new LRUCache<string, SqliteConnection.Statement>({ max: 2000 });
  return async (query: CompiledQuery): Promise<QueryResult<unknown>> => {
    let statement = statements.get(query.sql);
    if (statement === undefined) {
      statement = connection.prepare(query.sql);
      statements.set(query.sql, statement);
    }
    const parameters = query.parameters as unknown[];
    if (statement.reader) return { rows: statement.all(parameters) };
    const { changes } = statement.run(parameters);
    return { rows: [], numAffectedRows: BigInt(changes) };
  };
}

export function openSqlite(options: SqliteOptions): SqliteDatabase {
  // Nobody else's to read: it holds password hashes and user data. The -wal and -shm files take its mode.
  if (options.file !== ':memory:') {
    closeSync(openSync(options.file, 'a', 0o600));
    chmodSync(options.file, 0o600);
  }
  const open = (readonly: boolean): SqliteConnection.Database => {
    const connection = new SqliteConnection(options.file, { readonly });
    if (!readonly) {
      connection.pragma('journal_mode = WAL');
      connection.pragma(`synchronous = ${options.synchronous ?? 'FULL'}`);
      // Pages of 4 KiB: a page that many transactions change is copied to the file once.
      connection.pragma('wal_autocheckpoint = 4000');
    }
    connection.pragma('busy_timeout = 5000');
    connection.pragma('cache_size = -32000'); // KiB, taken as they are needed
    return connection;
  };
  const writer = open(false);
  const reader = open(true);
  const executeWrite = executeOn(writer);
  const read = queriesOver('sqlite', executeOn(reader));
  const queue: Job[] = [];
  const maxGroup = options.maxGroup ?? 64;
  let pumping = false;
  let closed = false;

  const rollBack = (): void => {
    try {
      if (writer.inTransaction) writer.exec('ROLLBACK');
    } catch {
      // There is nothing left to undo: the engine ended the transaction by itself.
    }
  };

  const pump = async (): Promise<void> => {
    try {
      while (queue.length > 0) {
        const group: Job[] = [];
        try {
          writer.exec('BEGIN IMMEDIATE');
        } catch (error) {
          for (const job of queue.splice(0)) job.failed(error);
          return;
        }
        try {
          for (
            let job = queue.shift();
            job !== undefined;
            job = group.length < maxGroup ? queue.shift() : undefined
          )
            if (await job.run()) group.push(job);
          writer.exec('COMMIT');
        } catch (error) {
          // The engine rolled the whole group back (disk full, I/O error), or did not take its commit.
          rollBack();
          for (const job of group) job.failed(error);
          continue;
        }
        for (const job of group) job.committed();
        // Between two groups everything else has its turn: a long queue never holds up the event loop.
        if (queue.length > 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      pumping = false;
    }
  };

  return {
    engine: 'sqlite',
    read,
    tx<T>(work: (tx: Tx) => Promise<T>, _options?: TxOptions): Promise<T> {
      if (closed) return Promise.reject(new Error('the database is closed'));
      return new Promise<T>((resolve, reject) => {
        let result: T;
        const hooks: (() => void)[] = [];
        queue.push({
          async run() {
            let ended = false;
            let lost: unknown;
            const queries = queriesOver('sqlite', (query) => {
              if (ended) return Promise.reject(new Error('this transaction has ended'));
              // Without this a query after a rollback by the engine would commit by itself.
              if (!writer.inTransaction)
                return Promise.reject(lost ?? new Error('the database rolled this transaction back'));
              return executeWrite(query).catch((error: unknown) => {
                if (!writer.inTransaction) lost = error;
                throw error;
              });
            });
            const tx: Tx = Object.assign(queries, { afterCommit: (fn: () => void) => void hooks.push(fn) });
            try {
              writer.exec('SAVEPOINT job');
              result = await work(tx);
              ended = true;
              writer.exec('RELEASE job');
              return true;
            } catch (error) {
              ended = true;
              reject((lost ?? error) as Error);
              if (!writer.inTransaction) throw lost ?? error;
              writer.exec('ROLLBACK TO job; RELEASE job');
              return false;
            }
          },
          committed() {
            resolve(result);
            runAfterCommit(hooks);
          },
          failed: reject,
        });
        if (!pumping) {
          pumping = true;
          // Not at once: every request of this turn of the event loop joins the group and shares its fsync.
          setImmediate(() => void pump());
        }
      });
    },
    // The embedded database has no other process to wake.
    onNotify: () => () => {},
    notify() {},
    async ping() {
      reader.prepare('SELECT 1').get();
    },
    abandon() {
      closed = true;
      reader.close();
      writer.close();
    },
    async close() {
      closed = true;
      while (pumping) await new Promise((resolve) => setImmediate(resolve));
      reader.close();
      writer.close();
    },
  };
}
