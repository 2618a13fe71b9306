// The quota ledger: no interleaving over-allocates, and it always equals the sum of what was claimed.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrate, type Database } from './db/index.ts';
import type { CloudError } from './errors.ts';
import { createQuotas, quotaLock, quotaMigrations } from './quota.ts';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../testkit/database.ts';

onBothEngines('the quota ledger', (engine) => {
  let test: TestDatabase;
  let db: Database;
  const quotas = createQuotas({ instances: 50, cores: 200, free: -1 });
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    db = test.db;
    await migrate(db, 1, quotaMigrations);
  });
  afterEach(() => test.remove());

  for (const locked of [true, false])
    it(`grants exactly 50 of 200 concurrent claims, ${locked ? 'with' : 'without'} its lock`, async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 200 }, () =>
          db.tx(
            (tx) => quotas.claim(tx, 'p', { instances: 1, cores: 2, free: 1 }),
            locked ? { locks: [quotaLock('p')] } : {},
          ),
        ),
      );
      const refused = results.filter((result) => result.status === 'rejected');
      expect(results.length - refused.length).toBe(50);
      for (const { reason } of refused) expect(reason).toMatchObject({ status: 403, code: 'OverQuota' });
      expect(await quotas.usage(db.read, 'p')).toEqual({ instances: 50, cores: 100, free: 50 });
      expect(await quotas.usage(db.read, 'q')).toEqual({ instances: 0, cores: 0, free: 0 });
    });

  it('names resource, amount, use and limit when it refuses, and keeps nothing of a claim of which one part does not fit', async () => {
    await db.tx((tx) => quotas.claim(tx, 'p', { instances: 49 }));
    const error = await db
      .tx((tx) => quotas.claim(tx, 'p', { cores: 10, instances: 2 }))
      .then(
        () => null,
        (thrown: unknown) => thrown as CloudError,
      );
    expect(error?.publicMessage).toBe(
      'Quota exceeded for instances: requested 2, already used 49 of 50. Delete something or ask an operator for a larger quota.',
    );
    expect((await quotas.usage(db.read, 'p'))['cores']).toBe(0);
    await db.tx((tx) => quotas.release(tx, 'p', { instances: 10 }));
    await db.tx((tx) => quotas.claim(tx, 'p', { instances: 2 }));
    expect((await quotas.usage(db.read, 'p'))['instances']).toBe(41);
  });

  it('lets a project shrink that is above a limit lowered later, and refuses resources it does not know', async () => {
    await db.tx((tx) => quotas.claim(tx, 'p', { instances: 20, cores: 50 }));
    await db.tx((tx) => quotas.setLimits(tx, 'p', { cores: 10 }));
    await db.tx((tx) => quotas.claim(tx, 'p', { cores: -5 }));
    expect((await quotas.usage(db.read, 'p'))['cores']).toBe(45);
    await expect(db.tx((tx) => quotas.claim(tx, 'p', { cores: 1 }))).rejects.toMatchObject({
      code: 'OverQuota',
    });
    await expect(db.tx((tx) => quotas.claim(tx, 'p', { unheard: 1 }))).rejects.toMatchObject({
      code: 'OverQuota',
    });
    await db.tx((tx) => quotas.resetLimits(tx, 'p', ['cores']));
    expect((await quotas.limits(db.read, 'p'))['cores']).toBe(200);
  });

  it('equals the sum of the claims and stays below the limit, whatever claims and releases interleave', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ amount: fc.integer({ min: 1, max: 30 }), keep: fc.boolean(), fails: fc.boolean() }),
          { minLength: 1, maxLength: 20 },
        ),
        async (steps) => {
          const project = `p${(run += 1)}`;
          let sum = 0;
          await Promise.all(
            steps.map(async ({ amount, keep, fails }) => {
              const got = await db
                .tx(async (tx) => {
                  await quotas.claim(tx, project, { instances: amount });
                  if (fails) throw new Error('the create fails');
                })
                .then(
                  () => true,
                  () => false,
                );
              if (!got) return;
              sum += amount;
              if (keep) return;
              await db.tx((tx) => quotas.release(tx, project, { instances: amount }));
              sum -= amount;
            }),
          );
          const { instances = 0 } = await quotas.usage(db.read, project);
          expect(instances).toBe(sum);
          expect(instances).toBeLessThanOrEqual(50);
        },
      ),
      { numRuns: 20 },
    );
  });
});
