// The agent of one host: pulls desired items from control, converges them (convergence.ts), reports (reporter.ts),
// and now and then compares the whole host with what it should have.
import { sleep, type Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Item, ItemKind } from '../protocol/items.ts';
import { HEARTBEAT_MS, type HostFacts, type HostQueries, type Link } from '../protocol/link.ts';
import { createConvergence, kinds } from './convergence.ts';
import { keyOf, type Controller, type HostState } from './controller.ts';
import type { ItemStore } from './item-store.ts';
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
  /** Items of one kind converged at the same time; default 16. */
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
  /** As control knows this host; null: not registered yet. */
  hostId(): string | null;
};

const RETRY_MS = { min: 500, max: 30_000 };
const PULL_RETRY_MS = 2_000;
const rank = new Map(kinds.map((kind, at) => [kind, at]));
/** Creates in the order of kinds, removes in the reverse order. */
const inOrder = (a: Item, b: Item): number => {
  if ((a.body === null) !== (b.body === null)) return a.body === null ? -1 : 1;
  const order = (rank.get(a.kind) ?? 0) - (rank.get(b.kind) ?? 0);
  return a.body === null ? -order : order;
};

export function createAgent(options: AgentOptions): Agent {
  const { link, clock, log, controllers } = options;
  const resyncMs = options.resyncMs ?? 30_000;
  const stopping = new AbortController();
  const { signal } = stopping;
  const loops: Promise<void>[] = [];
  let hostId: string | null = null;
  let unwatch: (() => void)[] = [];

  const reporter = createReporter(link, clock, log, signal);
  const convergence = createConvergence({
    controllers,
    store: options.store,
    clock,
    log,
    boot: options.boot,
    concurrency: options.concurrency ?? 16,
    retryMs: RETRY_MS,
    stopping: signal,
    report: reporter.report,
  });
  const { entries } = convergence;

  /** While control is away the host converges to what it last knew. */
  let onOurOwn = false;
  function controlIsAway(): void {
    if (onOurOwn) return;
    onOurOwn = true;
    for (const key of [...entries.keys()]) convergence.enqueue(key);
  }

  async function register(): Promise<string | null> {
    for (let delay = RETRY_MS.min; !signal.aborted; delay = Math.min(delay * 2, RETRY_MS.max)) {
      try {
        const answer = await link.register(options.facts, options.queries);
        if (signal.aborted) return null;
        hostId = answer.hostId;
        reporter.registered(hostId, answer.sequence);
        return hostId;
      } catch (error) {
        log.warn({ error: String(error) }, 'control does not answer; converging to the last known state');
        controlIsAway();
        await sleep(clock, delay, signal);
      }
    }
    return null;
  }

  /** Takes one answer of control; returns the revision for the next. */
  async function pull(self: string, since: number): Promise<number> {
    const answer = await link.pull(self, since);
    const items = [...answer.items];
    if (answer.full) {
      const named = new Set(items.map((item) => keyOf(item.kind, item.id)));
      for (const [key, { item }] of entries)
        if (item !== null && !named.has(key)) items.push({ ...item, body: null } as Item);
    }
    for (const item of items.sort(inOrder)) await convergence.want(item);
    // What a crash left, or what was dropped while this agent was away.
    if (answer.full) convergence.informed();
    return Math.max(answer.revision, 1); // an empty cloud is a full answer too
  }

  async function pullLoop(): Promise<void> {
    const self = await register();
    if (self === null) return;
    let since = 0;
    let woken = false;
    let wake = (): void => {};
    const onWake = (): void => {
      woken = true;
      wake();
    };
    unwatch.push(link.onWake(self, onWake));
    signal.addEventListener('abort', onWake, { once: true });
    while (!signal.aborted) {
      woken = false;
      try {
        since = await pull(self, since);
      } catch (error) {
        log.warn({ error: String(error) }, 'control did not answer the pull; repeating');
        controlIsAway();
        await sleep(clock, PULL_RETRY_MS, signal);
        continue;
      }
      if (woken || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        const cancel = clock.timer(resyncMs, resolve);
        wake = () => {
          cancel();
          resolve();
        };
      });
      wake = () => {};
    }
  }

  /** Marks what the host has. A kind that cannot be looked at is left out, and tried again at the next resync. */
  async function observe(): Promise<Map<ItemKind, Set<string>>> {
    const seen = new Map<ItemKind, Set<string>>();
    await Promise.all(
      kinds.map(async (kind) => {
        try {
          seen.set(kind, new Set(await controllers[kind].observe()));
        } catch (error) {
          log.warn(
            { kind, error: String(error) },
            `what the host has of kind ${kind} could not be found out`,
          );
        }
      }),
    );
    return seen;
  }

  /** What the host has and should not have goes; what it should have and has not is made again. */
  async function resync(): Promise<void> {
    for (const [kind, ids] of await observe()) {
      for (const id of ids) {
        convergence.found(kind, id);
        if (entries.get(keyOf(kind, id))?.item === null) convergence.enqueue(keyOf(kind, id));
      }
      for (const [key, entry] of entries)
        if (entry.kind === kind && entry.item !== null && entry.present !== null && !ids.has(entry.id))
          if (entry.present !== 'unknown' || !entry.refused) convergence.enqueue(key);
    }
    convergence.enqueueWaiting();
  }

  async function every(ms: number, work: () => Promise<unknown>, what: string): Promise<void> {
    while (!signal.aborted) {
      await sleep(clock, ms, signal);
      if (signal.aborted) return;
      await work().catch((error: unknown) =>
        log.warn({ error: String(error) }, `${what} failed; repeating later`),
      );
    }
  }

  return {
    desired: convergence.host.desired,
    hostId: () => hostId,
    idle: () => convergence.idle() && reporter.idle(),
    async start() {
      await convergence.load();
      for (const kind of kinds)
        unwatch.push(controllers[kind].watch((id) => convergence.enqueue(keyOf(kind, id))));
      // What exists before the first full pull is only marked: nothing is removed on stale knowledge.
      for (const [kind, ids] of await observe()) for (const id of ids) convergence.found(kind, id);
      loops.push(
        pullLoop(),
        every(HEARTBEAT_MS, async () => hostId === null || link.heartbeat(hostId), 'the sign of life'),
        every(resyncMs, resync, 'the comparison with the host'),
      );
    },
    async stop() {
      stopping.abort();
      for (const off of unwatch) off();
      unwatch = [];
      await convergence.stop();
      await reporter.ended();
      await Promise.allSettled(loops);
      for (const off of unwatch) off();
    },
  };
}
