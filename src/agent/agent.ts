// The agent of one host: pulls desired items, converges each through the controller of its kind, reports.
// Items wait only for what they refer to; the failure of one never blocks another.
import { sleep, type Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { itemBodies, type Item, type ItemKind, type ItemOf } from '../protocol/items.ts';
import { HEARTBEAT_MS, type HostFacts, type HostQueries, type Link } from '../protocol/link.ts';
import { keyOf, referencesOf, Waiting, type Controller, type HostState, type Key } from './controller.ts';
import { DriverError } from './drivers/errors.ts';
import type { ItemStore, StoredItem } from './item-store.ts';
import { createReporter } from './reporter.ts';

export type AgentOptions = {
  link: Link;
  clock: Clock;
  log: Log;
  facts: HostFacts;
  queries: HostQueries;
  store: ItemStore;
  controllers: { [K in ItemKind]: Controller<K> };
  /** Identifies the running boot of the host. */
  boot: string;
  /** Items converged at the same time; default 16. */
  concurrency?: number;
  /** How often the whole host is compared with what it should have, in milliseconds; default 30,000. */
  resyncMs?: number;
};

export type Agent = {
  /** Resolves when the desired state is loaded and the first pull has been queued; convergence goes on. */
  start(): Promise<void>;
  /** Ends after the work under way. Guests and networks stay as they are. */
  stop(): Promise<void>;
  /** True while nothing is queued, running or due for a retry. */
  idle(): boolean;
  desired: HostState['desired'];
};

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;
const kinds = Object.keys(itemBodies) as ItemKind[];
const rank = new Map(kinds.map((kind, at) => [kind, at]));

type Entry = {
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
  cancelRetry: (() => void) | null;
};

export function createAgent(options: AgentOptions): Agent {
  const { link, clock, log, store, controllers } = options;
  const entries = new Map<Key, Entry>();
  /** Who waits for a key to converge. */
  const waiting = new Map<Key, Set<Key>>();
  /** Who refers to a key, by desired or present body. */
  const users = new Map<Key, Set<Key>>();
  const stored = new Map<Key, StoredItem>();
  const queue: Key[] = [];
  const concurrency = options.concurrency ?? 16;
  const stopping = new AbortController();
  const background: Promise<unknown>[] = [];
  let active = 0;
  let hostId: string | null = null;
  const reporter = createReporter(link, clock, log, stopping.signal);
  const { report } = reporter;
  let unwatch: (() => void)[] = [];

  const entryOf = (kind: ItemKind, id: string): Entry => {
    const key = keyOf(kind, id);
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = { kind, id, item: null, present: null, queued: false, running: false, again: false, attempts: 0, cancelRetry: null };
      entries.set(key, entry);
    }
    return entry;
  };

  const host: HostState = {
    boot: options.boot,
    desired: <K extends ItemKind>(kind: K, id: string) => (entries.get(keyOf(kind, id))?.item ?? undefined) as ItemOf<K> | undefined,
    isPresent: (kind, id) => {
      const present = entries.get(keyOf(kind, id))?.present;
      return present !== undefined && present !== null && present !== 'unknown';
    },
    usersOf: (kind, id) => [...(users.get(keyOf(kind, id)) ?? [])],
    stored: (kind, id) => stored.get(keyOf(kind, id)),
  };

  /** Re-registers what `key` refers to, by both its desired and its present body. */
  function refer(key: Key, entry: Entry, before: readonly Key[]): void {
    const now = new Set([
      ...(entry.item === null ? [] : referencesOf(entry.item)),
      ...(entry.present === null || entry.present === 'unknown' ? [] : referencesOf(entry.present)),
    ]);
    for (const target of before) if (!now.has(target)) users.get(target)?.delete(key);
    for (const target of now) {
      const set = users.get(target) ?? new Set();
      users.set(target, set);
      set.add(key);
    }
  }
  const refsOf = (entry: Entry): Key[] => [
    ...(entry.item === null ? [] : referencesOf(entry.item)),
    ...(entry.present === null || entry.present === 'unknown' ? [] : referencesOf(entry.present)),
  ];

  function enqueue(key: Key): void {
    const entry = entries.get(key);
    if (entry === undefined || stopping.signal.aborted) return;
    if (entry.running) {
      entry.again = true;
      return;
    }
    if (entry.queued) return;
    entry.cancelRetry?.();
    entry.cancelRetry = null;
    entry.queued = true;
    queue.push(key);
    pump();
  }

  function pump(): void {
    while (active < concurrency && queue.length > 0 && !stopping.signal.aborted) {
      const key = queue.shift();
      const entry = key === undefined ? undefined : entries.get(key);
      if (key === undefined || entry === undefined) continue;
      entry.queued = false;
      entry.running = true;
      active += 1;
      const turn = converge(key, entry).finally(() => {
        active -= 1;
        entry.running = false;
        if (entry.again) {
          entry.again = false;
          enqueue(key);
        }
        pump();
      });
      background.push(turn);
      void turn.finally(() => background.splice(background.indexOf(turn), 1));
    }
  }

  /** Called in the very step that found `on` missing: what converges a moment later already wakes `key`. */
  function waitFor(key: Key, on: Key): Waiting {
    const set = waiting.get(on) ?? new Set();
    waiting.set(on, set);
    set.add(key);
    return new Waiting(on);
  }

  function wakeWaiting(key: Key): void {
    const waiters = waiting.get(key);
    if (waiters === undefined) return;
    waiting.delete(key);
    for (const waiter of waiters) enqueue(waiter);
  }

  async function remove(key: Key, entry: Entry): Promise<void> {
    for (const user of host.usersOf(entry.kind, entry.id)) {
      const other = entries.get(user);
      if (other !== undefined && (other.present !== null || other.running)) throw waitFor(key, user);
    }
    await controllers[entry.kind].remove(entry.id);
    const before = refsOf(entry);
    entry.present = null;
    refer(key, entry, before);
    await store.remove(entry.kind, entry.id);
    stored.delete(key);
    if (entry.item !== null) return void (entry.again = true); // wanted again meanwhile
    entries.delete(key);
    report({ kind: entry.kind, id: entry.id, generation: 0, state: 'gone', error: null });
    wakeWaiting(key);
    for (const target of before) enqueueIfLeaving(target);
  }

  /** What this one referred to may be waiting to leave. */
  function enqueueIfLeaving(key: Key): void {
    if (entries.get(key)?.item === null) enqueue(key);
  }

  async function ensure(key: Key, entry: Entry, item: Item): Promise<void> {
    const controller = controllers[item.kind] as Controller<ItemKind>;
    for (const need of controller.needs(item)) {
      const other = entries.get(need);
      if (other === undefined || other.present === null || other.present === 'unknown') throw waitFor(key, need);
    }
    const observed = await controller.ensure(item, host);
    const before = refsOf(entry);
    entry.present = item;
    refer(key, entry, before);
    const kept = stored.get(key);
    if (kept === undefined || kept.applied !== item.generation || kept.boot !== options.boot) {
      const saved = { item, applied: item.generation, boot: options.boot };
      stored.set(key, saved);
      await store.save(saved);
    }
    report({ kind: item.kind, id: item.id, generation: item.generation, state: 'applied', error: null, ...observed });
    wakeWaiting(key);
    for (const target of before) enqueueIfLeaving(target);
  }

  async function converge(key: Key, entry: Entry): Promise<void> {
    const { item } = entry;
    try {
      if (item === null) await remove(key, entry);
      else await ensure(key, entry, item);
      entry.attempts = 0;
    } catch (error) {
      if (error instanceof Waiting) {
        waitFor(key, error.on);
        return;
      }
      const known = error instanceof DriverError ? error : null;
      log.warn({ item: key, generation: item?.generation, attempts: entry.attempts, code: known?.code, detail: known?.detail ?? (error instanceof Error ? error.stack : String(error)) }, `${key}: ${String((error as Error).message)}`);
      if (item !== null)
        report({
          kind: entry.kind,
          id: entry.id,
          generation: item.generation,
          state: 'failed',
          error: known?.message ?? `The host could not apply ${entry.kind} ${entry.id}; it will try again.`,
        });
      if (known !== null && !known.retriable && item !== null) return;
      const delay = Math.min(RETRY_MIN_MS * 2 ** Math.min(entry.attempts, 10), RETRY_MAX_MS);
      entry.attempts += 1;
      entry.cancelRetry?.();
      entry.cancelRetry = clock.timer(delay, () => {
        entry.cancelRetry = null;
        enqueue(key);
      });
    }
  }

  function setDesired(item: Item): void {
    const key = keyOf(item.kind, item.id);
    const entry = entryOf(item.kind, item.id);
    const before = refsOf(entry);
    entry.item = item.body === null ? null : item;
    entry.attempts = 0;
    refer(key, entry, before);
    if (item.body === null && entry.present === null && !stored.has(key) && !entry.running) {
      entries.delete(key);
      report({ kind: item.kind, id: item.id, generation: 0, state: 'gone', error: null });
      return;
    }
    enqueue(key);
  }

  /** Saves before applying, so that a reboot in between converges to it. */
  async function accept(items: readonly Item[]): Promise<void> {
    const ordered = [...items].sort((a, b) => (rank.get(a.kind) ?? 0) - (rank.get(b.kind) ?? 0));
    for (const item of ordered) {
      const key = keyOf(item.kind, item.id);
      if (item.body !== null) {
        const kept = stored.get(key);
        if (kept === undefined || kept.item.generation !== item.generation) {
          const saved: StoredItem = { item, applied: kept?.applied ?? 0, boot: kept?.boot ?? '' };
          stored.set(key, saved);
          await store.save(saved);
        }
      }
      setDesired(item);
    }
  }

  /** Tells control of this host; while control is away the host converges to what it last knew. */
  async function register(): Promise<string> {
    for (let delay = RETRY_MIN_MS; !stopping.signal.aborted; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
      try {
        const answer = await link.register(options.facts, options.queries);
        hostId = answer.hostId;
        reporter.registered(hostId, answer.sequence);
        return hostId;
      } catch (error) {
        log.warn({ error: String(error) }, 'control does not answer; converging to the last known state');
        for (const key of entries.keys()) enqueue(key);
        await sleep(clock, delay, stopping.signal);
      }
    }
    return '';
  }

  async function pullLoop(): Promise<void> {
    const self = await register();
    let since = 0;
    let woken = true;
    let wake = (): void => {};
    stopping.signal.addEventListener('abort', () => wake(), { once: true });
    unwatch.push(
      link.onWake(self, () => {
        woken = true;
        wake();
      }),
    );
    while (!stopping.signal.aborted) {
      woken = false;
      try {
        const pull = await link.pull(self, since);
        if (pull.full) {
          const named = new Set(pull.items.map((item) => keyOf(item.kind, item.id)));
          for (const [key, entry] of entries) if (!named.has(key) && entry.item !== null) setDesired({ ...entry.item, body: null } as Item);
        }
        await accept(pull.items);
        // Left by a crash, or removed while this agent was away.
        if (pull.full) for (const [key, entry] of entries) if (entry.item === null && entry.present !== null) enqueue(key);
        since = Math.max(pull.revision, 1); // an empty cloud is a full answer too
      } catch (error) {
        log.warn({ error: String(error) }, 'control did not answer the pull; repeating');
        await sleep(clock, RETRY_MIN_MS * 4, stopping.signal);
        continue;
      }
      if (woken || stopping.signal.aborted) continue;
      await new Promise<void>((resolve) => {
        const cancel = clock.timer(options.resyncMs ?? 30_000, resolve);
        wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  /** What the host has and should not have goes; what it should have and has not is made again. */
  async function resync(): Promise<void> {
    for (const kind of kinds) {
      const existing = new Set(await controllers[kind].observe());
      for (const id of existing) {
        const entry = entryOf(kind, id);
        entry.present ??= 'unknown';
        if (entry.item === null) enqueue(keyOf(kind, id));
      }
      for (const [key, entry] of entries)
        if (entry.kind === kind && entry.item !== null && entry.present !== null && !existing.has(entry.id)) enqueue(key);
    }
  }

  async function every(ms: number, work: () => Promise<unknown>, what: string): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(clock, ms, stopping.signal);
      if (stopping.signal.aborted) return;
      await work().catch((error: unknown) => log.warn({ error: String(error) }, `${what} failed; repeating later`));
    }
  }

  return {
    desired: host.desired,
    idle: () => active === 0 && queue.length === 0 && reporter.idle() && [...entries.values()].every((entry) => entry.cancelRetry === null),
    async start() {
      for (const one of await store.load()) {
        const key = keyOf(one.item.kind, one.item.id);
        stored.set(key, one);
        const entry = entryOf(one.item.kind, one.item.id);
        entry.item = one.item;
        refer(key, entry, []);
      }
      for (const kind of kinds) unwatch.push(controllers[kind].watch((id) => enqueue(keyOf(kind, id))));
      // What exists before the first full pull is only marked: nothing is removed on stale knowledge.
      for (const kind of kinds) for (const id of await controllers[kind].observe()) entryOf(kind, id).present = 'unknown';
      const loops = [
        pullLoop(),
        every(HEARTBEAT_MS, async () => hostId === null || link.heartbeat(hostId), 'the sign of life'),
        every(options.resyncMs ?? 30_000, resync, 'the comparison with the host'),
      ];
      for (const loop of loops) background.push(loop);
    },
    async stop() {
      stopping.abort();
      for (const off of unwatch) off();
      unwatch = [];
      for (const entry of entries.values()) entry.cancelRetry?.();
      await Promise.allSettled(background);
    },
  };
}
