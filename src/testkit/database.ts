// Databases for tests: every database test runs on both engines. PostgreSQL comes from STRATA_TEST_PG_URL,
// which ./test sets; without it the test of that engine is skipped with its reason in its name.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import type { Database } from '../kernel/db/index.ts';
import { openPostgres } from '../kernel/db/postgres.ts';
import { openSqlite } from '../kernel/db/sqlite.ts';

export type Engine = 'sqlite' | 'postgres';
export type TestDatabase = {
  db: Database;
  /** The same database as another process would open it; closing it leaves the first one open. */
  peer(): Promise<Database>;
  remove(): Promise<void>;
};

const POSTGRES_URL = process.env['STRATA_TEST_PG_URL'];

/** An empty database of its own: a file in memory-backed storage, or a schema. */
export async function openTestDatabase(engine: Engine): Promise<TestDatabase> {
  if (engine === 'sqlite') {
    const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'strata-db-'));
    const open = (): Database => openSqlite({ file: join(dir, 'strata.db'), synchronous: 'OFF' });
    const db = open();
    return {
      db,
      peer: async () => open(),
      async remove() {
        await db.close();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  }
  if (POSTGRES_URL === undefined) throw new Error('STRATA_TEST_PG_URL is not set');
  const url = POSTGRES_URL;
  const schema = `t_${randomUUID().replaceAll('-', '')}`;
  const open = (): Promise<Database> => openPostgres({ url, schema, rng: Math.random, maxConnections: 8 });
  const db = await open();
  return { db, peer: open, remove: () => db.close() };
}

/** Declares the same suite once an engine. */
export function onBothEngines(name: string, suite: (engine: Engine) => void): void {
  describe(`${name} (sqlite)`, () => suite('sqlite'));
  if (POSTGRES_URL === undefined)
    describe.skip(`${name} (postgres: STRATA_TEST_PG_URL is not set)`, () => suite('postgres'));
  else describe(`${name} (postgres)`, () => suite('postgres'));
}
