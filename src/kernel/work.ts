// The outbox and the reconcile loop in one table: `work` holds the ids that changed, written in the same
// transaction as the change. A handler gets ids and nothing else, re-reads the rows and makes the world
// match. Woken by commits, by other processes and by a periodic scan; a crash only means that the row is still there.
import type { Kysely } from 'kysely';
import { type Clock } from './clock.ts';
import { type Database, type Migration, type Tables, type Tx } from './db/index.ts';
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
  | { mode: 'rows'; batch: number; run(tx: Tx, ids: string[]): Promise<void>; locks?: readonly string[] }
  /** Work with effects: leased, run outside a transaction, idempotent, may run again after a crash. */
  | { mode: 'effect'; leaseMs: number; concurrency: number; run(id: string): Promise<void> };

export type WorkQueue = {
  /** Marks objects as changed, in the caller's transaction. */
  enqueue(tx: Tx, kind: string, ids: readonly string[], delayMs?: number): Promise<void>;
  /** Works until `stop`. */
  start(handlers: Readonly<Record<string, WorkHandler>>): void;
  /** Ends after the batches under way. */
  stop(): Promise<void>;
};

const SCAN_MS = 5_000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 60_000;
const retryDelay = (attempts: number): number => Math.min(RETRY_MIN_MS * 2 ** Math.min(attempts, 20), RETRY_MAX_MS);

export function createWorkQueue(platform: { db: Database; clock: Clock; log: Log }): WorkQueue {
  const { db, clock, log } = platform;
  const wakes = new Map<string, () => void>();
  const running: Promise<void>[] = [];
  let stopping = false;
  let unlisten = (): void => {};

  const takeDue = (tx: Tx, kind: string, limit: number) =>
    tx
      .selectFrom('work')
      .select(['id', 'version', 'attempts'])
      .where('kind', '=', kind)
      .where('due_at', '<=', clock.now())
      .where('lease_until', '<=', clock.now())
      .orderBy('due_at')
      .limit(limit)
      .execute();

  const clear = async (tx: Tx, kind: string, taken: { id: string; version: number }[]): Promise<void> => {
    for (const row of taken) {
      await tx
        .deleteFrom('work')
        .where('kind', '=', kind)
        .where('id', '=', row.id)
        .where('version', '=', row.version)
        .execute();
    }
  };

  const postpone = (kind: string, row: { id: string; attempts: number }): Promise<unknown> =>
    db.tx((tx) =>
      tx
        .updateTable('work')
        .set({ attempts: row.attempts + 1, due_at: clock.now() + retryDelay(row.attempts), lease_until: 0 })
        .where('kind', '=', kind)
        .where('id', '=', row.id)
        .execute(),
    );

  /** Returns how many rows it saw. */
  async function runRows(kind: string, handler: WorkHandler & { mode: 'rows' }): Promise<number> {
    const options = { locks: handler.locks ?? [`work:${kind}`] };
    // One tx does both: take what is due, do it, clear it.
    const work = (limit: number) => async (tx: Tx) => {
      const taken = await takeDue(tx, kind, limit);
      if (taken.length === 0) return taken;
      await clear(tx, kind, taken);
      await handler.run(
        tx,
        taken.map((row) => row.id),
      );
      return taken;
    };
    try {
      return (await db.tx(work(handler.batch), options)).length;
    } catch (error) {
      // One bad object never stops the others: find it by doing them one by one, and postpone it.
      log.warn({ kind, error: String(error) }, 'a batch failed; repeating its objects one by one');
      const due = await takeDue(db.read as Tx, kind, handler.batch);
      for (const row of due) {
        try {
          await db.tx(async (tx) => {
            await clear(tx, kind, [row]);
            await handler.run(tx, [row.id]);
          }, options);
        } catch (cause) {
          log.error({ kind, id: row.id, attempts: row.attempts, error: cause instanceof Error ? cause.stack : String(cause) }, 'reconcile failed');
          await postpone(kind, row);
        }
      }
      return due.length;
    }
  }

  async function runEffects(kind: string, handler: WorkHandler & { mode: 'effect' }): Promise<number> {
    const taken = await db.tx(async (tx) => {
      const rows = await takeDue(tx, kind, handler.concurrency);
      for (const row of rows) {
        await tx
          .updateTable('work')
          .set({ lease_until: clock.now() + handler.leaseMs })
          .where('kind', '=', kind)
          .where('id', '=', row.id)
          .execute();
      }
      return rows;
    });
    await Promise.all(
      taken.map(async (row) => {
        try {
          await handler.run(row.id);
          await db.tx(async (tx) => {
            await clear(tx, kind, [row]);
            // Changed meanwhile: due again at once.
            await tx.updateTable('work').set({ lease_until: 0 }).where('kind', '=', kind).where('id', '=', row.id).execute();
          });
        } catch (error) {
          log.error({ kind, id: row.id, attempts: row.attempts, error: String(error) }, 'reconcile failed');
          await postpone(kind, row);
        }
      }),
    );
    return taken.length;
  }

  async function loop(kind: string, handler: WorkHandler): Promise<void> {
    let woken = true;
    let sleeping: (() => void) | null = null;
    wakes.set(kind, () => {
      woken = true;
      sleeping?.();
    });
    while (!stopping) {
      woken = false;
      let seen = 0;
      try {
        seen = handler.mode === 'rows' ? await runRows(kind, handler) : await runEffects(kind, handler);
      } catch (error) {
        if (!stopping) log.error({ kind, error: String(error) }, 'the work queue could not be read');
      }
      if (stopping || woken || seen > 0) continue;
      await new Promise<void>((resolve) => {
        const cancel = clock.timer(SCAN_MS, resolve);
        sleeping = () => {
          cancel();
          resolve();
        };
      });
      sleeping = null;
    }
  }

  const wake = (kind: string, delayMs: number): void => {
    if (delayMs > 0) clock.timer(delayMs, () => wakes.get(kind)?.());
    else wakes.get(kind)?.();
  };

  return {
    async enqueue(tx, kind, ids, delayMs = 0) {
      if (ids.length === 0) return;
      const due = clock.now() + delayMs;
      for (let at = 0; at < ids.length; at += 500) {
        const rows = [...new Set(ids.slice(at, at + 500))].map((id) => ({
          kind,
          id,
          version: 1,
          due_at: due,
          lease_until: 0,
          attempts: 0,
        }));
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
        wake(kind, delayMs);
        db.notify();
      });
    },
    start(handlers) {
      unlisten = db.onNotify(() => {
        for (const wakeKind of wakes.values()) wakeKind();
      });
      for (const [kind, handler] of Object.entries(handlers)) running.push(loop(kind, handler));
    },
    async stop() {
      stopping = true;
      unlisten();
      for (const wakeKind of wakes.values()) wakeKind();
      await Promise.all(running);
    },
  };
}

