// The outbox: nothing that changed is forgotten, one bad object stops no other, and processes share the work.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from './clock.ts';
import { migrate, type Database } from './db/index.ts';
import { openPostgres } from './db/postgres.ts';
import { silentLog } from './log.ts';
import { createWorkQueue, workMigrations, type WorkHandler, type WorkQueue } from './work.ts';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../testkit/database.ts';

const until = async (done: () => boolean | Promise<boolean>, ms = 8000): Promise<void> => {
  for (const end = Date.now() + ms; !(await done());) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

onBothEngines('the work queue', (engine) => {
  let test: TestDatabase;
  let db: Database;
  const queues: WorkQueue[] = [];
  const queue = (
    handlers: Record<string, WorkHandler>,
    on: Database = db,
    clock: Clock = systemClock,
  ): WorkQueue => {
    const one = createWorkQueue({ db: on, clock, log: silentLog });
    one.start(handlers);
    queues.push(one);
    return one;
  };
  const left = async (): Promise<number> => (await db.read.selectFrom('work').select('id').execute()).length;
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    db = test.db;
    await migrate(db, 1, workMigrations);
  });
  afterEach(async () => {
    await Promise.all(queues.splice(0).map((one) => one.stop()));
    await test.remove();
  });

  it('coalesces changes of one object, also in one call and in more than one statement', async () => {
    const seen: string[] = [];
    const work = createWorkQueue({ db, clock: systemClock, log: silentLog });
    const many = Array.from({ length: 1200 }, (_, at) => `id-${at % 600}`);
    await db.tx((tx) => work.enqueue(tx, 'k', many));
    await db.tx((tx) => work.enqueue(tx, 'k', ['id-1', 'id-1']));
    queue({ k: { mode: 'rows', batch: 100, run: async (_tx, ids) => void seen.push(...ids) } });
    await until(async () => (await left()) === 0);
    expect(seen.length).toBe(600);
    expect(new Set(seen).size).toBe(600);
  });

  it('does an object again that changes while an effect on it runs', async () => {
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    const work = queue({
      k: {
        mode: 'effect',
        leaseMs: 60_000,
        concurrency: 1,
        run: async () => void ((runs += 1) === 1 && (await gate.promise)),
      },
    });
    await db.tx((tx) => work.enqueue(tx, 'k', ['a']));
    await until(() => runs === 1);
    await db.tx((tx) => work.enqueue(tx, 'k', ['a']));
    await pause(30);
    expect(runs).toBe(1);
    gate.resolve();
    await until(() => runs === 2);
    await until(async () => (await left()) === 0);
    expect(runs).toBe(2);
  });

  it('does an object at once that changed while its effect failed, in spite of the backoff', async () => {
    let runs = 0;
    const gate = Promise.withResolvers<void>();
    const work = queue({
      k: {
        mode: 'effect',
        leaseMs: 60_000,
        concurrency: 1,
        async run() {
          runs += 1;
          if (runs > 1) return;
          await gate.promise;
          throw new Error('fails');
        },
      },
    });
    await db.tx((tx) => work.enqueue(tx, 'k', ['a']));
    await until(() => runs === 1);
    await db.tx((tx) => work.enqueue(tx, 'k', ['a']));
    gate.resolve();
    await until(() => runs === 2, 300);
  });

  it('lets an effect ask for itself again later, and does not spin', async () => {
    const at: number[] = [];
    const work: WorkQueue = queue({
      k: {
        mode: 'effect',
        leaseMs: 60_000,
        concurrency: 1,
        async run() {
          at.push(Date.now());
          if (at.length < 3) await db.tx((tx) => work.enqueue(tx, 'k', ['a'], 120));
        },
      },
    });
    await db.tx((tx) => work.enqueue(tx, 'k', ['a']));
    await until(() => at.length === 3);
    expect((at[2] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(200);
    await until(async () => (await left()) === 0);
  });

  it('stops no object because of a bad one, and repeats the bad one later', async () => {
    const done = new Set<string>();
    let tries = 0;
    const work = queue({
      k: {
        mode: 'rows',
        batch: 50,
        async run(_tx, ids) {
          if (ids.includes('bad') && (tries += 1) < 5) throw new Error('bad');
          for (const id of ids) done.add(id);
        },
      },
    });
    await db.tx((tx) => work.enqueue(tx, 'k', ['a', 'bad', 'b', 'c']));
    await until(() => done.has('a') && done.has('b') && done.has('c'), 1500);
    expect(done.has('bad')).toBe(false);
    // Done within the transaction that removes the row: a moment before it commits.
    await until(async () => done.has('bad') && (await left()) === 0);
  });

  it('repeats a failed object after its backoff, not after the next scan', async () => {
    let tries = 0;
    const started = Date.now();
    const work = queue({
      k: {
        mode: 'rows',
        batch: 5,
        run: async () => {
          if ((tries += 1) < 3) throw new Error('not yet');
        },
      },
    });
    await db.tx((tx) => work.enqueue(tx, 'k', ['a']));
    await until(async () => (await left()) === 0);
    expect(Date.now() - started).toBeLessThan(2500);
  });

  it('keeps a slow effect from holding up others of its kind', async () => {
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    const work = queue({
      k: {
        mode: 'effect',
        leaseMs: 60_000,
        concurrency: 2,
        async run(id) {
          if (id === 'slow') await gate.promise;
          done.push(id);
        },
      },
    });
    await db.tx((tx) => work.enqueue(tx, 'k', ['slow']));
    for (let at = 0; at < 5; at++) await db.tx((tx) => work.enqueue(tx, 'k', [`fast-${at}`]));
    await until(() => done.length === 5, 2000);
    gate.resolve();
    await until(() => done.includes('slow'));
  });

  it('does delayed work when it is due, not before', async () => {
    let at = 0;
    const work = queue({ k: { mode: 'rows', batch: 5, run: async () => void (at = Date.now()) } });
    const asked = Date.now();
    await db.tx((tx) => work.enqueue(tx, 'k', ['later'], 250));
    await until(() => at > 0, 1500);
    expect(at - asked).toBeGreaterThanOrEqual(245);
  });

  it('takes the effect of a crashed process when its lease has ended', async () => {
    let now = 1_000_000;
    const clock: Clock = { now: () => now, timer: systemClock.timer };
    let first = 0;
    const dead = createWorkQueue({ db, clock, log: silentLog });
    await db.tx((tx) => dead.enqueue(tx, 'k', ['a']));
    dead.start({
      k: {
        mode: 'effect',
        leaseMs: 10_000_000,
        concurrency: 1,
        run: () => ((first += 1), new Promise(() => {})),
      },
    });
    await until(() => first === 1);
    let second = 0;
    const alive = queue(
      { k: { mode: 'effect', leaseMs: 10_000, concurrency: 1, run: async () => void (second += 1) } },
      db,
      clock,
    );
    await db.tx((tx) => alive.enqueue(tx, 'other', ['wake']));
    await pause(50);
    expect(second).toBe(0);
    now += 10_000_001;
    await db.tx((tx) => alive.enqueue(tx, 'k', ['b']));
    await until(() => second === 2);
  });

  it('renews the lease of an effect that takes longer than its lease', async () => {
    let runs = 0;
    const handler: WorkHandler = {
      mode: 'effect',
      leaseMs: 100,
      concurrency: 2,
      run: async () => {
        runs += 1;
        await pause(450);
      },
    };
    const work = queue({ k: handler });
    queue({ k: handler });
    await db.tx((tx) => work.enqueue(tx, 'k', ['a']));
    await until(async () => (await left()) === 0);
    expect(runs).toBe(1);
  });

  it('commits a handler’s rows and its own end together, or neither', async () => {
    let tries = 0;
    const work = queue({
      k: {
        mode: 'rows',
        batch: 5,
        async run(tx) {
          await tx
            .insertInto('counters')
            .values({ name: `try-${(tries += 1)}`, value: 1 })
            .execute();
          if (tries === 1) throw new Error('after writing');
        },
      },
    });
    await db.tx((tx) => work.enqueue(tx, 'k', ['a']));
    await until(async () => (await left()) === 0);
    const names = (await db.read.selectFrom('counters').select('name').execute()).map((row) => row.name);
    expect(names).not.toContain('try-1');
    expect(names.length).toBe(1);
  });

  it('stops promptly, whether idle or with delayed work ahead', async () => {
    const work = queue({
      a: { mode: 'rows', batch: 5, run: async () => {} },
      b: { mode: 'effect', leaseMs: 60_000, concurrency: 2, run: async () => {} },
    });
    await db.tx((tx) => work.enqueue(tx, 'a', ['x'], 60_000));
    await pause(30);
    const started = Date.now();
    await work.stop();
    expect(Date.now() - started).toBeLessThan(500);
  });

  it('shares the work of one database among processes and does no row twice', async () => {
    const other =
      engine === 'postgres'
        ? await openPostgres({
            url: process.env['STRATA_TEST_PG_URL'] ?? '',
            schema: `t_${randomUUID().replaceAll('-', '')}`,
            rng: Math.random,
          })
        : db;
    const same =
      engine === 'postgres'
        ? await openPostgres({
            url: process.env['STRATA_TEST_PG_URL'] ?? '',
            schema: await schemaOf(other),
            rng: Math.random,
          })
        : db;
    if (engine === 'postgres') await migrate(other, 1, workMigrations);
    const done: string[] = [];
    const handler: WorkHandler = {
      mode: 'rows',
      batch: 7,
      async run(tx, ids) {
        await tx
          .insertInto('counters')
          .values(ids.map((id) => ({ name: id, value: 1 })))
          .execute();
        tx.afterCommit(() => void done.push(...ids));
      },
    };
    const [one, two] = [queue({ k: handler }, other), queue({ k: handler }, same)];
    await Promise.all(
      Array.from({ length: 60 }, (_, at) =>
        (at % 2 === 0 ? other : same).tx((tx) =>
          (at % 2 === 0 ? one : two).enqueue(tx, 'k', [`id-${at}`, `more-${at}`]),
        ),
      ),
    );
    await until(() => done.length >= 120);
    expect(new Set(done).size).toBe(120);
    expect(done.length).toBe(120);
    await Promise.all([one.stop(), two.stop()]);
    if (engine === 'postgres') await Promise.all([other.close(), same.close()]);
  });
});

async function schemaOf(db: Database): Promise<string> {
  const { sql } = await import('kysely');
  const { rows } = await sql<{ name: string }>`select current_schema() as name`.execute(db.read);
  return rows[0]?.name ?? '';
}
