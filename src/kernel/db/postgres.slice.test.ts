// What only the engine for many processes promises: it lives through lost connections, and wakes the others.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isDatabaseBusy, migrate, nextCounter, type Database } from './index.ts';
import { openPostgres } from './postgres.ts';
import { sql } from 'kysely';

const URL = process.env['STRATA_TEST_PG_URL'];
const suite = URL === undefined ? describe.skip : describe;
const open = (schema: string): Promise<Database> =>
  openPostgres({
    url: `${URL}&application_name=${schema.slice(0, 30)}`,
    schema,
    rng: Math.random,
    maxConnections: 4,
  });

const until = async (done: () => boolean, ms = 6000): Promise<void> => {
  for (const end = Date.now() + ms; !done() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 10));
};

suite(`PostgreSQL${URL === undefined ? ' (STRATA_TEST_PG_URL is not set)' : ''}`, () => {
  it('may live in a schema with any name, opened by several processes at once', async () => {
    const schema = `T "x" ${randomUUID()}`;
    const all = await Promise.all(
      [1, 2, 3].map(() => openPostgres({ url: URL ?? '', schema, rng: Math.random, maxConnections: 4 })),
    );
    await Promise.all(all.map((db) => migrate(db, 1, [])));
    await Promise.all(all.map((db) => db.tx((tx) => nextCounter(tx, 'n'))));
    const rows = await sql<{
      schema: string;
    }>`select table_schema as schema from information_schema.tables where table_schema = ${schema}`.execute(
      all[0]!.read,
    );
    expect(rows.rows.length).toBeGreaterThan(0);
    await Promise.all(all.map((db) => db.close()));
  });

  it('survives the loss of its connections, in use or idle, and hears of others again', async () => {
    const schema = `t_${randomUUID().replaceAll('-', '')}`;
    const [db, other] = [await open(schema), await open(schema)];
    await migrate(db, 1, []);
    let wakes = 0;
    db.onNotify(() => (wakes += 1));
    const error = await db
      .tx(
        async (tx) => {
          await nextCounter(tx, 'lost');
          await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${schema.slice(0, 30)} and pid <> pg_backend_pid()`
            .execute(other.read)
            .catch(() => {});
          await new Promise((resolve) => setTimeout(resolve, 50));
          await nextCounter(tx, 'lost');
        },
        { locks: ['x'] },
      )
      .then(
        () => null,
        (thrown: unknown) => thrown,
      );
    expect(isDatabaseBusy(error)).toBe(true);
    await db.tx((tx) => nextCounter(tx, 'n'), { locks: ['x'] });
    expect(await db.read.selectFrom('counters').selectAll().execute()).toEqual([{ name: 'n', value: 1 }]);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    wakes = 0;
    other.notify();
    await until(() => wakes > 0);
    expect(wakes).toBeGreaterThan(0);
    await db.close();
    await other.close();
  }, 20_000);

  it('is not woken by its own commits', async () => {
    const schema = `t_${randomUUID().replaceAll('-', '')}`;
    const [db, other] = [await open(schema), await open(schema)];
    let own = 0;
    let heard = 0;
    db.onNotify(() => (own += 1));
    other.onNotify(() => (heard += 1));
    for (let at = 0; at < 50; at++) db.notify();
    await until(() => heard > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(own).toBe(0);
    expect(heard).toBeGreaterThan(0);
    expect(heard).toBeLessThan(50);
    await db.close();
    await other.close();
  });
});
