// The outbox and the reconcile loop in one table: `work` holds the ids that changed, written in the same
// transaction as the change. A handler gets ids and nothing else, re-reads the rows and makes the world
// match. Woken by commits, by other processes and by a periodic scan; a crash only means that the row is still there.
import type { Kysely } from 'kysely';
import { sleep, type Clock } from './clock.ts';
import { createAlarm, type Alarm } from './alarm.ts';
import { type Database, type Migration, type Tables, type Tx } from './db/index.ts';
import { CloudError } from './errors.ts';
import type { Log } from './log.ts';

declare module './db/index.ts' {
  interface Tables {
    work: {
      kind: string;
      id: string;
      /** Grows with each change: a handler only clears what it has seen. */
      version: number;
      due_at: number;
      /** Until when somebody works on it, for handlers with effects. */
      lease_until: number;
      attempts: number;
    };
  }
}

export const workMigrations: Migration[] = [
  {
    id: 'kernel-0001-work',
    async up(db: Kysely<Tables>) {
      await db.schema
        .createTable('work')
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('version', 'bigint', (c) => c.notNull())
        .addColumn('due_at', 'bigint', (c) => c.notNull())
        .addColumn('lease_until', 'bigint', (c) => c.notNull())
        .addColumn('attempts', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('work_pk', ['kind', 'id'])
        .execute();
      await db.schema.createIndex('work_due').on('work').columns(['kind', 'due_at']).execute();
    },
  },
];

export type WorkHandler =
  /** Database work only: taken, done and cleared in one transaction, many ids at a time. */
  | {
      mode: 'rows';
      batch: number;
      run(tx: Tx, ids: string[]): Promise<void>;
      locks?: readonly string[];
      /** Milliseconds between two batches: for what is costly for each change but cheap for many at once. */
      restMs?: number;
    }
  /** Work with effects: leased, run outside a transaction, idempotent, may run again after a crash. */
  | { mode: 'effect'; leaseMs: number; concurrency: number; run(id: string): Promise<void> };

/** For the log: where it happened, and what an error knows beyond its message. */
const traceOf = (error: unknown): string =>
  error instanceof Error
    ? [error.stack, ...('detail' in error ? [String(error.detail)] : [])].join('\n')
    : String(error);

export type WorkQueue = {
  /** Marks objects as changed, in the caller's transaction. */
  enqueue(tx: Tx, kind: string, ids: readonly string[], delayMs?: number): Promise<void>;
  /** Works until `stop`. */
  start(handlers: Readonly<Record<string, WorkHandler>>): void;
  /** Ends after the batches under way. */
  stop(): Promise<void>;
};

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 60_000;
const retryDelay = (attempts: number): number =>
  Math.min(RETRY_MIN_MS * 2 ** Math.min(attempts, 20), RETRY_MAX_MS);

export function createWorkQueue(platform: { db: Database; clock: Clock; log: Log }): WorkQueue {
  const { db, clock, log } = platform;
  const alarms = new Map<string, Alarm>();
  const running: Promise<void>[] = [];
  const ending = new AbortController();
  let stopping = false;
  let unlisten = (): void => {};

  const findDue = (kind: string, limit: number): Promise<{ id: string; attempts: number }[]> =>
    db.read
      .selectFrom('work')
      .select(['id', 'attempts'])
      .where('kind', '=', kind)
      .where('due_at', '<=', clock.now())
      .where('lease_until', '<=', clock.now())
      .orderBy('due_at')
      .limit(limit)
      .execute();

  /** Tries the row again later, unless it changed since it failed: then it is due at once. */
  async function postpone(
    kind: string,
    row: { id: string; attempts: number },
    version: number,
    lease: number,
  ): Promise<void> {
    const due = clock.now() + retryDelay(row.attempts);
    await db.tx(async (tx) => {
      const mine = tx
        .updateTable('work')
        .where('kind', '=', kind)
        .where('id', '=', row.id)
        .where('lease_until', '=', lease);
      await mine
        .set({ attempts: row.attempts + 1, due_at: due })
        .where('version', '=', version)
        .execute();
      if (lease > 0) await mine.set({ lease_until: 0 }).execute();
    });
    alarms.get(kind)?.setFor(due);
  }

  /** Takes the rows that are still due, does them, and clears them, in one transaction; another process took the rest. */
  const doRows = (
    kind: string,
    handler: WorkHandler & { mode: 'rows' },
    ids: readonly string[],
  ): Promise<void> =>
    db.tx(
      async (tx) => {
        const now = clock.now();
        const taken = await tx
          .deleteFrom('work')
          .where('kind', '=', kind)
          .where('id', 'in', [...ids])
          .where('due_at', '<=', now)
          .where('lease_until', '<=', now)
          .returning('id')
          .execute();
        const here = new Set(taken.map((row) => row.id));
        if (here.size > 0)
          await handler.run(
            tx,
            ids.filter((id) => here.has(id)),
          );
      },
      { locks: handler.locks ?? [`work:${kind}`] },
    );

  /** Returns how many rows it saw. */
  async function runRows(kind: string, handler: WorkHandler & { mode: 'rows' }): Promise<number> {
    const due = await findDue(kind, handler.batch);
    if (due.length === 0) return 0;
    try {
      await doRows(
        kind,
        handler,
        due.map((row) => row.id),
      );
    } catch (error) {
      // One bad object never stops the others: find it by doing them one by one, and postpone it.
      if (due.length > 1)
        log.warn({ kind, error: String(error) }, 'a batch failed; repeating its objects one by one');
      for (const { id } of due) {
        const row = await db.read
          .selectFrom('work')
          .select(['id', 'attempts', 'version'])
          .where('kind', '=', kind)
          .where('id', '=', id)
          .executeTakeFirst();
        if (row === undefined) continue;
        try {
          await doRows(kind, handler, [id]);
        } catch (cause) {
          log.error({ kind, id, attempts: row.attempts, error: traceOf(cause) }, 'reconcile failed');
          await postpone(kind, row, row.version, 0);
        }
      }
    }
    return due.length;
  }

  type Taken = { id: string; attempts: number; version: number };

  /**
   * Leases up to `limit` rows. A lease that ends when nobody renews it makes the row due again; it is never given
   * out twice, so that it tells its holder from the next.
   */
  async function lease(kind: string, until: number, limit: number): Promise<Taken[]> {
    const due = await findDue(kind, limit);
    if (due.length === 0) return [];
    return db.tx((tx) =>
      tx
        .updateTable('work')
        .set({ lease_until: until, due_at: until })
        .where('kind', '=', kind)
        .where(
          'id',
          'in',
          due.map((row) => row.id),
        )
        .where('due_at', '<=', clock.now())
        .where('lease_until', '<=', clock.now())
        .returning(['id', 'attempts', 'version'])
        .execute(),
    );
  }

  async function runEffect(
    kind: string,
    handler: WorkHandler & { mode: 'effect' },
    row: Taken,
    until: number,
  ): Promise<void> {
    let mine = until;
    let cancel = (): void => {};
    let renewal: Promise<unknown> = Promise.resolve();
    const renew = async (): Promise<void> => {
      const longer = Math.max(mine + 1, clock.now() + handler.leaseMs);
      const kept = await db.tx((tx) =>
        tx
          .updateTable('work')
          .set((eb) => ({
            lease_until: longer,
            due_at: eb.case().when('due_at', '=', mine).then(longer).else(eb.ref('due_at')).end(),
          }))
          .where('kind', '=', kind)
          .where('id', '=', row.id)
          .where('lease_until', '=', mine)
          .executeTakeFirst(),
      );
      if (kept.numUpdatedRows === 0n) return; // somebody else has it now
      mine = longer;
      renewLater();
    };
    const renewLater = (): void => {
      cancel = clock.timer(handler.leaseMs / 2, () => {
        renewal = renew().catch((error: unknown) =>
          log.warn({ kind, id: row.id, error: String(error) }, 'a lease could not be renewed'),
        );
      });
    };
    renewLater();
    try {
      let failure: { error: unknown } | null = null;
      try {
        await handler.run(row.id);
      } catch (error) {
        failure = { error };
      }
      cancel();
      await renewal;
      cancel();
      if (failure !== null) {
        const { error } = failure;
        // What was anticipated is the outside world's: an effect meets it, and is done again.
        log[error instanceof CloudError ? 'warn' : 'error'](
          { kind, id: row.id, attempts: row.attempts, error: traceOf(error) },
          'reconcile failed',
        );
        await postpone(kind, row, row.version, mine);
        return;
      }
      const again = await db.tx(async (tx) => {
        await tx
          .deleteFrom('work')
          .where('kind', '=', kind)
          .where('id', '=', row.id)
          .where('lease_until', '=', mine)
          .where('version', '=', row.version)
          .execute();
        // Changed meanwhile: due when the change said.
        return tx
          .updateTable('work')
          .set({ lease_until: 0 })
          .where('kind', '=', kind)
          .where('id', '=', row.id)
          .where('lease_until', '=', mine)
          .returning('due_at')
          .executeTakeFirst();
      });
      if (again !== undefined) alarms.get(kind)?.setFor(again.due_at);
    } catch (error) {
      log.error(
        { kind, id: row.id, error: String(error) },
        'the end of an effect could not be recorded; it is repeated when its lease ends',
      );
    } finally {
      cancel();
    }
  }

  async function rowsLoop(
    kind: string,
    handler: WorkHandler & { mode: 'rows' },
    alarm: Alarm,
  ): Promise<void> {
    while (!stopping) {
      const seen = await runRows(kind, handler).catch((error: unknown) => {
        log.error({ kind, error: String(error) }, 'the work queue could not be read or written');
        return 0;
      });
      if (stopping) break;
      if (seen === 0) await alarm.wait();
      else if (handler.restMs !== undefined) await sleep(clock, handler.restMs, ending.signal);
    }
  }

  /** Keeps `concurrency` effects under way: a slow one holds up nobody but itself. */
  async function effectsLoop(
    kind: string,
    handler: WorkHandler & { mode: 'effect' },
    alarm: Alarm,
  ): Promise<void> {
    const active = new Set<Promise<void>>();
    while (!stopping) {
      const free = handler.concurrency - active.size;
      const until = clock.now() + handler.leaseMs;
      const taken =
        free === 0
          ? []
          : await lease(kind, until, free).catch((error: unknown) => {
              log.error({ kind, error: String(error) }, 'the work queue could not be read or written');
              return [];
            });
      for (const row of taken) {
        const one = runEffect(kind, handler, row, until).finally(() => {
          active.delete(one);
          alarm.ring();
        });
        active.add(one);
      }
      if (!stopping && taken.length === 0) await alarm.wait();
    }
    await Promise.all(active);
  }

  const ringAll = (): void => {
    for (const alarm of alarms.values()) alarm.ring();
  };

  return {
    async enqueue(tx, kind, ids, delayMs = 0) {
      if (ids.length === 0) return;
      const due = clock.now() + delayMs;
      const unique = [...new Set(ids)];
      for (let at = 0; at < unique.length; at += 500) {
        const rows = unique
          .slice(at, at + 500)
          .map((id) => ({ kind, id, version: 1, due_at: due, lease_until: 0, attempts: 0 }));
        await tx
          .insertInto('work')
          .values(rows)
          .onConflict((oc) =>
            oc.columns(['kind', 'id']).doUpdateSet((eb) => ({
              version: eb('work.version', '+', 1),
              due_at: eb
                .case()
                .when('work.due_at', '<', eb.ref('excluded.due_at'))
                .then(eb.ref('work.due_at'))
                .else(eb.ref('excluded.due_at'))
                .end(),
              attempts: 0,
            })),
          )
          .execute();
      }
      tx.afterCommit(() => {
        if (delayMs > 0) alarms.get(kind)?.setFor(due);
        else alarms.get(kind)?.ring();
        db.notify();
      });
    },
    start(handlers) {
      unlisten = db.onNotify(ringAll);
      for (const [kind, handler] of Object.entries(handlers)) {
        const alarm = createAlarm(clock);
        alarms.set(kind, alarm);
        running.push(
          handler.mode === 'rows' ? rowsLoop(kind, handler, alarm) : effectsLoop(kind, handler, alarm),
        );
      }
    },
    async stop() {
      stopping = true;
      unlisten();
      ending.abort();
      ringAll();
      await Promise.all(running);
    },
  };
}
