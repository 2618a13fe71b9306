// What only the embedded engine promises: group commit, a full disk that leaves nothing half, and durability of
// what was acknowledged when the process is killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteConnection from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isDiskFull, migrate, nextCounter } from './index.ts';
import { openSqlite } from './sqlite.ts';

describe('SQLite', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'strata-sqlite-'));
    file = join(dir, 'strata.db');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('keeps its files from everybody else, also one that was made readable', async () => {
    writeFileSync(file, '', { mode: 0o644 });
    const db = openSqlite({ file });
    await migrate(db, 1, []);
    const modes = readdirSync(dir).map((name) => [
      name,
      (statSync(join(dir, name)).mode & 0o777).toString(8),
    ]);
    await db.close();
    expect(modes).toEqual([
      ['strata.db', '600'],
      ['strata.db-shm', '600'],
      ['strata.db-wal', '600'],
    ]);
  });

  it('commits transactions that come together with one commit a group', async () => {
    const db = openSqlite({ file, maxGroup: 50 });
    await migrate(db, 1, []);
    const exec = vi.spyOn(SqliteConnection.prototype, 'exec');
    await Promise.all(Array.from({ length: 100 }, (_, at) => db.tx((tx) => nextCounter(tx, `n${at}`))));
    const commits = exec.mock.calls.filter(([text]) => text === 'COMMIT').length;
    exec.mockRestore();
    await db.close();
    expect(commits).toBe(2);
  });

  it('rejects the whole group with the cause when the disk is full, keeps nothing of it, and goes on afterwards', async () => {
    const prepared = openSqlite({ file });
    await migrate(prepared, 1, []);
    await prepared.close();
    const pragma = vi.spyOn(SqliteConnection.prototype, 'pragma');
    const db = openSqlite({ file });
    const writer = pragma.mock.contexts[0] as SqliteConnection.Database;
    pragma.mockRestore();
    const pages = writer.pragma('page_count', { simple: true }) as number;
    writer.pragma(`max_page_count = ${pages + 3}`);
    const results = await Promise.allSettled([
      db.tx((tx) => nextCounter(tx, 'small-1')),
      db.tx((tx) => nextCounter(tx, 'x'.repeat(100_000))),
      db.tx((tx) => nextCounter(tx, 'small-2')),
    ]);
    const rows = await db.read.selectFrom('counters').select('name').execute();
    const kept = new Set(rows.map((row) => row.name));
    // Acknowledged and there, or refused for the full disk and not there.
    for (const [at, name] of ['small-1', 'x'.repeat(100_000), 'small-2'].entries()) {
      const result = results[at];
      expect(kept.has(name)).toBe(result?.status === 'fulfilled');
      if (result?.status === 'rejected') expect(isDiskFull(result.reason)).toBe(true);
    }
    expect(results[1]?.status).toBe('rejected');
    writer.pragma('max_page_count = 1000000');
    await db.tx((tx) => nextCounter(tx, 'after'));
    expect(
      (
        await db.read
          .selectFrom('counters')
          .select('value')
          .where('name', '=', 'after')
          .executeTakeFirstOrThrow()
      ).value,
    ).toBe(1);
    await db.close();
  });

  it('commits nothing of work that swallowed the error with which the engine rolled it back', async () => {
    const prepared = openSqlite({ file });
    await migrate(prepared, 1, []);
    await prepared.close();
    const pragma = vi.spyOn(SqliteConnection.prototype, 'pragma');
    const db = openSqlite({ file });
    const writer = pragma.mock.contexts[0] as SqliteConnection.Database;
    pragma.mockRestore();
    writer.pragma(`max_page_count = ${(writer.pragma('page_count', { simple: true }) as number) + 2}`);
    const result = await db
      .tx(async (tx) => {
        await nextCounter(tx, 'before');
        await nextCounter(tx, 'x'.repeat(100_000)).catch(() => {});
        writer.pragma('max_page_count = 1000000');
        await nextCounter(tx, 'after');
      })
      .then(
        () => 'kept',
        () => 'refused',
      );
    const names = (await db.read.selectFrom('counters').select('name').execute()).map((row) => row.name);
    expect(names.includes('before')).toBe(result === 'kept');
    expect(names.includes('after')).toBe(result === 'kept');
    await db.close();
  });

  it('rejects what waits when the commit itself fails, and keeps nothing of the group', async () => {
    const db = openSqlite({ file });
    await migrate(db, 1, []);
    const real = SqliteConnection.prototype.exec;
    let failed = false;
    const exec = vi.spyOn(SqliteConnection.prototype, 'exec').mockImplementation(function (
      this: SqliteConnection.Database,
      text: string,
    ) {
      if (text === 'COMMIT' && !failed) {
        failed = true;
        throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
      }
      return real.call(this, text);
    });
    let hooks = 0;
    const results = await Promise.allSettled(
      [1, 2, 3].map((at) =>
        db.tx(async (tx) => {
          tx.afterCommit(() => (hooks += 1));
          await nextCounter(tx, `n${at}`);
        }),
      ),
    );
    exec.mockRestore();
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
    for (const result of results)
      if (result.status === 'rejected') expect(isDiskFull(result.reason)).toBe(true);
    expect(hooks).toBe(0);
    expect(await db.read.selectFrom('counters').selectAll().execute()).toEqual([]);
    await db.tx((tx) => nextCounter(tx, 'n'));
    await db.close();
  });

  it('has every acknowledged row, and no half of one, after kill -9', async () => {
    const acknowledged = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'crash-writer.ts'), file], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      const closed = once(child, 'close');
      const enough = acknowledged.size + 100;
      while (acknowledged.size + text.split('\n').length < enough && child.exitCode === null)
        await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
      child.kill('SIGKILL');
      await closed;
      for (const line of text.split('\n').slice(0, -1)) acknowledged.add(line);
    }
    const db = openSqlite({ file });
    const names = new Set(
      (await db.read.selectFrom('counters').select('name').execute()).map((row) => row.name),
    );
    await db.close();
    expect(acknowledged.size).toBeGreaterThan(200);
    for (const one of acknowledged)
      expect([names.has(`${one}-a`), names.has(`${one}-b`)]).toEqual([true, true]);
    for (const name of names)
      expect(names.has(name.endsWith('-a') ? name.replace(/a$/, 'b') : name.replace(/b$/, 'a'))).toBe(true);
  });
});
