// The promises of a transaction, on both engines: isolation, retries, locks, hooks, migrations.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onBothEngines, openTestDatabase, type Engine, type TestDatabase } from '../../testkit/database.ts';
import { isUniqueViolation, migrate, nextCounter, type Database, type Migration, type Tx } from './index.ts';

const count = async (db: Database, name: string): Promise<number> =>
  (await db.read.selectFrom('counters').select('value').where('name', '=', name).executeTakeFirst())?.value ??
  0;

const put = (tx: Tx, name: string, value = 1) => tx.insertInto('counters').values({ name, value }).execute();

onBothEngines('a database', (engine: Engine) => {
  let test: TestDatabase;
  let db: Database;
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    db = test.db;
    await migrate(db, 1, []);
  });
  afterEach(() => test.remove());

  it('loses none of 200 concurrent increments', async () => {
    const values = await Promise.all(Array.from({ length: 200 }, () => db.tx((tx) => nextCounter(tx, 'n'))));
    expect(await count(db, 'n')).toBe(200);
    expect(new Set(values).size).toBe(200);
  });

  it('loses none of 200 concurrent read-modify-writes', async () => {
    await db.tx((tx) => put(tx, 'n', 0));
    await Promise.all(
      Array.from({ length: 200 }, () =>
        db.tx(
          async (tx) => {
            const { value } = await tx
              .selectFrom('counters')
              .select('value')
              .where('name', '=', 'n')
              .executeTakeFirstOrThrow();
            await tx
              .updateTable('counters')
              .set({ value: value + 1 })
              .where('name', '=', 'n')
              .execute();
          },
          { locks: ['n'] },
        ),
      ),
    );
    expect(await count(db, 'n')).toBe(200);
  });

  it('rolls one failing transaction back alone', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) =>
        db.tx(async (tx) => {
          await put(tx, `row-${at}`);
          if (at % 3 === 0) throw new Error(`no ${at}`);
          return at;
        }),
      ),
    );
    for (const [at, result] of results.entries()) {
      expect(result.status).toBe(at % 3 === 0 ? 'rejected' : 'fulfilled');
      expect(await count(db, `row-${at}`)).toBe(at % 3 === 0 ? 0 : 1);
    }
  });

  it('refuses queries of a transaction that has ended, and changes nothing by them', async () => {
    let kept: Tx | undefined;
    await db.tx(async (tx) => {
      kept = tx;
    });
    await expect(put(kept as Tx, 'late')).rejects.toThrow('has ended');
    await db
      .tx(async (tx) => {
        kept = tx;
        throw new Error('fails');
      })
      .catch(() => {});
    await expect(put(kept as Tx, 'late')).rejects.toThrow('has ended');
    expect(await count(db, 'late')).toBe(0);
  });

  it('never shows a reader what is not committed', async () => {
    await db.tx(async (tx) => {
      await put(tx, 'hidden');
      expect(await count(db, 'hidden')).toBe(0);
    });
    expect(await count(db, 'hidden')).toBe(1);
  });

  it('runs afterCommit in order, after the commit, and never for a transaction that failed', async () => {
    const seen: string[] = [];
    await db.tx(async (tx) => {
      tx.afterCommit(() => seen.push('first'));
      tx.afterCommit(() => seen.push('second'));
      await put(tx, 'a');
      expect(seen).toEqual([]);
    });
    await db
      .tx(async (tx) => {
        tx.afterCommit(() => seen.push('never'));
        throw new Error('fails');
      })
      .catch(() => {});
    expect(seen).toEqual(['first', 'second']);
  });

  it('lets a hook that throws harm neither its own transaction nor its neighbours', async () => {
    const warnings: string[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', onWarning);
    let after = false;
    await Promise.all([
      db.tx(async (tx) => {
        tx.afterCommit(() => {
          throw new Error('a bad hook');
        });
        tx.afterCommit(() => (after = true));
        await put(tx, 'a');
      }),
      db.tx((tx) => put(tx, 'b')),
      db.tx((tx) => put(tx, 'c')),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('warning', onWarning);
    expect([await count(db, 'a'), await count(db, 'b'), await count(db, 'c'), after]).toEqual([
      1,
      1,
      1,
      true,
    ]);
    expect(warnings).toContain('a bad hook');
  });

  it('tells a unique violation from other errors', async () => {
    await db.tx((tx) => put(tx, 'once'));
    const error = await db
      .tx((tx) => put(tx, 'once'))
      .then(
        () => null,
        (thrown: unknown) => thrown,
      );
    expect(isUniqueViolation(error)).toBe(true);
    expect(isUniqueViolation(new Error('else'))).toBe(false);
    expect(isUniqueViolation(null)).toBe(false);
  });

  it('answers every racer that checks before it inserts with its own answer, never with a constraint', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        db.tx(async (tx) => {
          const there = await tx
            .selectFrom('counters')
            .select('name')
            .where('name', '=', 'taken')
            .executeTakeFirst();
          if (there !== undefined) return 'conflict';
          await put(tx, 'taken');
          return 'made';
        }),
      ),
    );
    expect(answers.filter((answer) => answer === 'made')).toHaveLength(1);
  });

  it('runs transactions that share a lock one after the other, whatever other locks they take', async () => {
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 30 }, (_, at) =>
        db.tx(
          async (tx) => {
            inside += 1;
            most = Math.max(most, inside);
            await nextCounter(tx, `own-${at}`);
            await nextCounter(tx, 'shared');
            inside -= 1;
          },
          { locks: at % 2 === 0 ? ['x', `a${at}`] : [`z${at}`, 'x'] },
        ),
      ),
    );
    expect(most).toBe(1);
    expect(await count(db, 'shared')).toBe(30);
  });

  it('does not let the waiters for one lock keep others from the database', async () => {
    const gate = Promise.withResolvers<void>();
    if (engine === 'sqlite') return gate.resolve(); // there everybody waits behind everybody, by design
    const holder = db.tx(() => gate.promise, { locks: ['busy'] });
    const waiters = Array.from({ length: 40 }, (_, at) =>
      db.tx((tx) => put(tx, `w${at}`), { locks: ['busy'] }),
    );
    await db.tx((tx) => put(tx, 'free'));
    expect(await count(db, 'free')).toBe(1);
    gate.resolve();
    await Promise.all([holder, ...waiters]);
  });

  it('applies migrations once, also when several processes start together', async () => {
    let runs = 0;
    const migrations: Migration[] = [
      {
        id: 'one',
        async up(inner) {
          runs += 1;
          await inner.schema.createTable('made').addColumn('id', 'text').execute();
        },
      },
    ];
    const applied = await Promise.all([1, 2, 3].map(() => migrate(db, 1, migrations)));
    expect(applied.flat()).toEqual(['one']);
    expect(await migrate(db, 2, migrations)).toEqual([]);
    expect(runs).toBeGreaterThan(0);
  });

  it('leaves nothing of a migration that fails', async () => {
    const bad: Migration = {
      id: 'bad',
      async up(inner) {
        await inner.schema.createTable('half').addColumn('id', 'text').execute();
        throw new Error('in the middle');
      },
    };
    await expect(migrate(db, 1, [bad])).rejects.toThrow('in the middle');
    const good: Migration = {
      id: 'bad',
      up: (inner) => inner.schema.createTable('half').addColumn('id', 'text').execute(),
    };
    expect(await migrate(db, 1, [good])).toEqual(['bad']);
  });

  it('keeps sums whatever transfers interleave and fail', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of names) await db.tx((tx) => put(tx, name, 100));
    const transfer = fc.record({
      from: fc.constantFrom(...names),
      to: fc.constantFrom(...names),
      amount: fc.integer({ min: 1, max: 60 }),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(transfer, { maxLength: 12 }), async (transfers) => {
        await Promise.allSettled(
          transfers.map(({ from, to, amount, fails }) =>
            db.tx(async (tx) => {
              const row = await tx
                .selectFrom('counters')
                .select('value')
                .where('name', '=', from)
                .executeTakeFirstOrThrow();
              if (row.value < amount) throw new Error('not enough');
              await tx
                .updateTable('counters')
                .set((eb) => ({ value: eb('value', '-', amount) }))
                .where('name', '=', from)
                .execute();
              await tx
                .updateTable('counters')
                .set((eb) => ({ value: eb('value', '+', amount) }))
                .where('name', '=', to)
                .execute();
              if (fails) throw new Error('after all');
            }),
          ),
        );
        const rows = await db.read.selectFrom('counters').selectAll().execute();
        expect(rows.reduce((sum, row) => sum + row.value, 0)).toBe(300);
        for (const row of rows) expect(row.value).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 15 },
    );
  });
});
