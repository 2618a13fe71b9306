// Makes the host's items what they should be: a queue a kind, waiting for what an item refers to, retries with
// backoff. The failure of one item never blocks another, and a slow one holds up nobody but its dependants.
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { itemBodies, type Item, type ItemKind, type ItemOf } from '../protocol/items.ts';
import type { Report } from '../protocol/link.ts';
import { keyOf, referencesOf, Waiting, type Controller, type HostState, type Key } from './controller.ts';
import { DriverError } from './drivers/errors.ts';
import type { ItemStore, StoredItem } from './item-store.ts';

export const kinds = Object.keys(itemBodies) as ItemKind[];

export type Entry = {
  kind: ItemKind;
  id: string;
  /** null: must not exist. */
  item: Item | null;
  /** What the host has, as far as this process knows: the body last applied. */
  present: Item | 'unknown' | null;
  queued: boolean;
  running: boolean;
  again: boolean;
  attempts: number;
  /** What is wanted was refused for good: it stays as it is until something else is wanted. */
  refused: boolean;
  cancelRetry: (() => void) | null;
};

export type Convergence = {
  entries: ReadonlyMap<Key, Entry>;
  host: HostState;
  /** Reads the last desired state; nothing is applied yet. */
  load(): Promise<void>;
  /** Notes that the host has this, wanted or not. */
  found(kind: ItemKind, id: string): void;
  /** Control's wish: kept on disk before it is applied, so that a reboot in between converges to it. */
  want(item: Item): Promise<void>;
  /** From the first full answer of control on, what nobody wants is removed. */
  informed(): void;
  enqueue(key: Key): void;
  /** Looks again at what waits: nothing should depend on it, but a lost wake-up would last for ever. */
  enqueueWaiting(): void;
  idle(): boolean;
  /** Ends after the work under way. */
  stop(): Promise<void>;
};

export function createConvergence(parts: {
  controllers: { [K in ItemKind]: Controller<K> };
  store: ItemStore;
  clock: Clock;
  log: Log;
  boot: string;
  /** Items of one kind that are converged at the same time. */
  concurrency: number;
  retryMs: { min: number; max: number };
  stopping: AbortSignal;
  report(report: Report): void;
}): Convergence {
  const { controllers, store, clock, log, stopping, retryMs, report } = parts;
  const entries = new Map<Key, Entry>();
  /** Who waits for a key to converge. */
  const waiting = new Map<Key, Set<Key>>();
  /** Who refers to a key, by desired or present body. */
  const users = new Map<Key, Set<Key>>();
  const stored = new Map<Key, StoredItem>();
  const lanes = new Map(kinds.map((kind) => [kind, { queue: [] as Key[], active: 0 }]));
  const underWay = new Set<Promise<void>>();
  let mayRemove = false;

  const entryOf = (kind: ItemKind, id: string): Entry => {
    const key = keyOf(kind, id);
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = {
        kind,
        id,
        item: null,
        present: null,
        queued: false,
        running: false,
        again: false,
        attempts: 0,
        refused: false,
        cancelRetry: null,
      };
      entries.set(key, entry);
    }
    return entry;
  };

  const host: HostState = {
    boot: parts.boot,
    desired: <K extends ItemKind>(kind: K, id: string) =>
      (entries.get(keyOf(kind, id))?.item ?? undefined) as ItemOf<K> | undefined,
    isPresent: (kind, id) => {
      const present = entries.get(keyOf(kind, id))?.present;
      return present !== undefined && present !== null && present !== 'unknown';
    },
    usersOf: (kind, id) => [...(users.get(keyOf(kind, id)) ?? [])],
    stored: (kind, id) => stored.get(keyOf(kind, id)),
  };

  /** What the item may have taken up, by all bodies that were wanted since one was last applied. */
  const heldBy = (kept: StoredItem | undefined): Key[] =>
    kept === undefined ? [] : [...new Set([...referencesOf(kept.item), ...((kept.held ?? []) as Key[])])];

  /** By the desired and the present body, and by any that was tried in between, or is being tried. */
  const refsOf = (key: Key, { item, present }: Entry): Set<Key> =>
    new Set([
      ...(item === null ? [] : referencesOf(item)),
      ...(present === null || present === 'unknown' ? [] : referencesOf(present)),
      ...heldBy(stored.get(key)),
    ]);

  /** Makes a change of an entry that may change what it refers to. */
  function changing(key: Key, entry: Entry, change: () => void): void {
    const before = refsOf(key, entry);
    change();
    const now = refsOf(key, entry);
    for (const target of before) {
      if (now.has(target)) continue;
      const set = users.get(target);
      set?.delete(key);
      if (set?.size === 0) users.delete(target);
      wakeWaiting(target, key);
    }
    for (const target of now) {
      const set = users.get(target) ?? new Set();
      users.set(target, set.add(key));
    }
  }

  /** True: `user` does not want `key` any more, and will never come to where it lets go of it by itself. */
  const givenUp = (key: Key, user: Entry): boolean =>
    user.refused && !user.running && (user.item === null || !referencesOf(user.item).includes(key));

  /** Whether `key` still has to wait for `on`. */
  function blocked(key: Key, on: Key): boolean {
    const other = entries.get(on);
    if (entries.get(key)?.item === null)
      return (
        other !== undefined &&
        (users.get(key)?.has(on) ?? false) &&
        (other.present !== null || other.running) &&
        !givenUp(key, other)
      );
    return (
      other === undefined ||
      other.present === null ||
      other.present === 'unknown' ||
      (other.item === null && other.running)
    );
  }

  /** After a change of `on`: those that need wait no longer are tried again. `only`: just this waiter. */
  function wakeWaiting(...[first, second]: [on: Key] | [waiter: Key, on: Key]): void {
    const on = second ?? first;
    const waiters = waiting.get(on);
    for (const waiter of second === undefined ? [...(waiters ?? [])] : [first]) {
      if (waiters?.has(waiter) !== true || blocked(waiter, on)) continue;
      waiters.delete(waiter);
      enqueue(waiter);
    }
    if (waiters?.size === 0) waiting.delete(on);
  }

  function cancelRetry(entry: Entry): void {
    entry.cancelRetry?.();
    entry.cancelRetry = null;
  }

  function enqueue(key: Key): void {
    const entry = entries.get(key);
    if (entry === undefined || stopping.aborted) return;
    if (entry.running) {
      entry.again = true;
      return;
    }
    if (entry.queued) return;
    cancelRetry(entry);
    entry.queued = true;
    lanes.get(entry.kind)?.queue.push(key);
    pump(entry.kind);
  }

  function pump(kind: ItemKind): void {
    const lane = lanes.get(kind);
    while (lane !== undefined && lane.active < parts.concurrency && !stopping.aborted) {
      const key = lane.queue.shift();
      if (key === undefined) return;
      const entry = entries.get(key);
      if (entry?.queued !== true) continue;
      entry.queued = false;
      entry.running = true;
      lane.active += 1;
      const turn = converge(key, entry).finally(() => {
        underWay.delete(turn);
        lane.active -= 1;
        entry.running = false;
        wakeWaiting(key);
        if (entry.again) {
          entry.again = false;
          enqueue(key);
        }
        pump(kind);
      });
      underWay.add(turn);
    }
  }

  async function save(key: Key, one: StoredItem): Promise<void> {
    const entry = entryOf(one.item.kind, one.item.id);
    changing(key, entry, () => stored.set(key, one));
    await store.save(one);
  }

  async function remove(key: Key, entry: Entry): Promise<void> {
    for (const user of host.usersOf(entry.kind, entry.id))
      if (user !== key && blocked(key, user)) throw new Waiting(user);
    await controllers[entry.kind].remove(entry.id);
    changing(key, entry, () => (entry.present = null));
    if (entry.item !== null) {
      // Wanted again meanwhile, and not applied since.
      await save(key, { item: entry.item, applied: 0, boot: '' });
      entry.again = true;
      return;
    }
    await store.remove(entry.kind, entry.id);
    if (entry.item !== null) {
      await save(key, { item: entry.item, applied: 0, boot: '' });
      entry.again = true;
      return;
    }
    changing(key, entry, () => stored.delete(key));
    entries.delete(key);
    report({ kind: entry.kind, id: entry.id, generation: 0, state: 'gone', error: null });
  }

  async function ensure(key: Key, entry: Entry, item: Item): Promise<void> {
    const controller = controllers[item.kind] as Controller<ItemKind>;
    for (const need of controller.needs(item)) if (blocked(key, need)) throw new Waiting(need);
    const observed = await controller.ensure(item, host);
    changing(key, entry, () => (entry.present = item));
    const kept = stored.get(key);
    // A newer wish may be on disk already: it stays, with how far this host got.
    if (kept === undefined || kept.applied !== item.generation || kept.boot !== parts.boot)
      await save(key, {
        ...kept,
        item: entry.item ?? kept?.item ?? item,
        applied: item.generation,
        boot: parts.boot,
        held: referencesOf(item),
      });
    report({
      kind: item.kind,
      id: item.id,
      generation: item.generation,
      state: 'applied',
      error: null,
      ...observed,
    });
  }

  function retryAfter(key: Key, entry: Entry, ms: number): void {
    if (stopping.aborted) return;
    cancelRetry(entry);
    entry.cancelRetry = clock.timer(ms, () => {
      entry.cancelRetry = null;
      enqueue(key);
    });
  }

  async function converge(key: Key, entry: Entry): Promise<void> {
    const { item } = entry;
    if (item === null && !mayRemove && stored.get(key)?.leaving !== true) return;
    entry.refused = false;
    try {
      if (item === null) await remove(key, entry);
      else await ensure(key, entry, item);
      entry.attempts = 0;
    } catch (error) {
      if (error instanceof Waiting) {
        // Met meanwhile, or for a reason that only the controller knows: looked at again, but not at once.
        if (!blocked(key, error.on)) return retryAfter(key, entry, retryMs.min);
        waiting.set(error.on, (waiting.get(error.on) ?? new Set()).add(key));
        return;
      }
      // Half of it may be there: what it uses is not let go of before that is removed.
      if (item !== null && entry.present === null) changing(key, entry, () => (entry.present = 'unknown'));
      const known = error instanceof DriverError ? error : null;
      log.warn(
        {
          item: key,
          generation: item?.generation,
          attempts: entry.attempts,
          code: known?.code,
          detail: known?.detail ?? (error instanceof Error ? error.stack : String(error)),
        },
        `${key}: ${String((error as Error).message)}`,
      );
      if (item !== null)
        report({
          kind: entry.kind,
          id: entry.id,
          generation: item.generation,
          state: 'failed',
          error: known?.message ?? `The host could not apply ${entry.kind} ${entry.id}; it will try again.`,
        });
      if (known !== null && !known.retriable && item !== null) {
        entry.refused = true;
        return;
      }
      const delay = Math.min(retryMs.min * 2 ** Math.min(entry.attempts, 10), retryMs.max);
      entry.attempts += 1;
      retryAfter(key, entry, delay);
    }
  }

  return {
    entries,
    host,
    async load() {
      for (const one of await store.load()) {
        const key = keyOf(one.item.kind, one.item.id);
        stored.set(key, one);
        const entry = entryOf(one.item.kind, one.item.id);
        changing(key, entry, () => (entry.item = one.leaving === true ? null : one.item));
      }
    },
    found(kind, id) {
      const entry = entryOf(kind, id);
      if (entry.present === null) changing(keyOf(kind, id), entry, () => (entry.present = 'unknown'));
    },
    async want(item) {
      const key = keyOf(item.kind, item.id);
      const kept = stored.get(key);
      if (item.body === null) {
        if (kept !== undefined && kept.leaving !== true) await save(key, { ...kept, leaving: true });
      } else if (kept === undefined || kept.leaving === true || kept.item.generation !== item.generation)
        await save(key, {
          item,
          applied: kept?.applied ?? 0,
          boot: kept?.boot ?? '',
          held: heldBy(kept),
        });
      const entry = entryOf(item.kind, item.id);
      entry.attempts = 0;
      changing(key, entry, () => (entry.item = item.body === null ? null : item));
      if (item.body === null && entry.present === null && !stored.has(key) && !entry.running) {
        cancelRetry(entry);
        entries.delete(key);
        wakeWaiting(key);
        report({ kind: item.kind, id: item.id, generation: 0, state: 'gone', error: null });
        return;
      }
      enqueue(key);
    },
    informed() {
      if (mayRemove) return;
      mayRemove = true;
      for (const key of [...entries.keys()].toReversed()) if (entries.get(key)?.item === null) enqueue(key);
    },
    enqueue,
    enqueueWaiting() {
      for (const waiters of waiting.values()) for (const waiter of waiters) enqueue(waiter);
    },
    idle: () =>
      underWay.size === 0 &&
      [...lanes.values()].every((lane) => lane.queue.length === 0) &&
      [...entries.values()].every((entry) => entry.cancelRetry === null),
    async stop() {
      for (const entry of entries.values()) cancelRetry(entry);
      await Promise.allSettled(underWay);
      for (const entry of entries.values()) cancelRetry(entry);
    },
  };
}
