// The boundary of a simulated process: everything that it does to the outside crosses here, and can be its last
// act. What a killed process had under way never comes back to it.
import type { QueryResult } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { queriesOver } from '../kernel/db/connection.ts';
import type { Database, Tx } from '../kernel/db/index.ts';
import type { SqliteDatabase } from '../kernel/db/sqlite.ts';
import type { ItemStore } from '../agent/item-store.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** What the world learns of every crossing; it may kill the process in it. Resolves at once or, seldom, a turn later. */
export type Crossing = (process: Boundary, label: string) => void | Promise<void>;

export type Boundary = {
  readonly name: string;
  readonly clock: Clock;
  alive(): boolean;
  /** Resolves when the process may go on; never when it is dead. */
  cross(label: string): Promise<void>;
  /** A crossing before, and one after with what came of it. */
  around<T>(label: string, work: () => Promise<T>): Promise<T>;
  kill(): void;
  /** Resolves when it is killed. */
  readonly killed: Promise<void>;
  /** Called when it is killed. */
  onKill(fn: () => void): void;
};

const never = <T>(): Promise<T> => new Promise<T>(() => {});

export function createBoundary(name: string, world: VirtualClock, crossing: Crossing): Boundary {
  const clock = world.ofProcess();
  const hooks: (() => void)[] = [];
  const killed = Promise.withResolvers<void>();
  let dead = false;

  const boundary: Boundary = {
    name,
    clock,
    alive: () => !dead,
    async cross(label) {
      if (!dead) {
        const pause = crossing(boundary, label);
        if (pause !== undefined) await pause;
      }
      return dead ? never() : undefined;
    },
    async around(label, work) {
      await boundary.cross(`${label} >`);
      const [outcome] = await Promise.allSettled([work()]);
      await boundary.cross(outcome.status === 'fulfilled' ? `${label} <` : `${label} !`);
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    },
    kill() {
      if (dead) return;
      dead = true;
      clock.kill();
      for (const hook of hooks) hook();
      killed.resolve();
    },
    killed: killed.promise,
    onKill: (fn) => void hooks.push(fn),
  };
  return boundary;
}

/** The database as one process sees it; killed, it loses what it had not committed. */
export function boundDatabase(real: SqliteDatabase, boundary: Boundary): Database {
  boundary.onKill(() => real.abandon());
  return {
    engine: real.engine,
    read: queriesOver(real.engine, (query): Promise<QueryResult<unknown>> =>
      boundary.around('read', () => real.read.executeQuery(query)),
    ),
    tx<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      return boundary.around('tx', () =>
        real.tx(async (tx) => {
          try {
            const result = await work(tx);
            await boundary.cross('commit');
            return result;
          } catch (error) {
            // Its connection went with the process: nothing of this is heard of again.
            return boundary.alive() ? Promise.reject(error as Error) : never<T>();
          }
        }),
      );
    },
    onNotify: (wake) => real.onNotify(wake),
    notify: () => real.notify(),
    ping: () => real.ping(),
    close: () => real.close(),
  };
}

export function boundItemStore(real: ItemStore, boundary: Boundary): ItemStore {
  return {
    load: () => boundary.around('store load', () => real.load()),
    save: (stored) => boundary.around(`store save ${stored.item.kind}`, () => real.save(stored)),
    remove: (kind, id) => boundary.around(`store remove ${kind}`, () => real.remove(kind, id)),
  };
}
