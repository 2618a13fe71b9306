// What the agent tells control: in order, repeated until it is heard, and numbered, so that a copy that arrives
// behind a later report changes nothing. Of each item only the latest: a control plane that is away for a week costs no memory.
import { sleep, type Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Link, Report } from '../protocol/link.ts';
import { keyOf, type Key } from './controller.ts';

export type Reporter = {
  report(one: Report): void;
  /** Reports wait until control knows the host. `sequence` is what the registration answered. */
  registered(hostId: string, sequence: number): void;
  /** True when control has heard everything. */
  idle(): boolean;
  /** Resolves when nothing is being sent any more; after the abort of the signal. */
  ended(): Promise<void>;
};

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;

/** `signal` ends it; what was not heard by then is reported anew by the next agent. */
export function createReporter(link: Link, clock: Clock, log: Log, signal: AbortSignal): Reporter {
  let known: { hostId: string; sequence: number } | null = null;
  let waiting = new Map<Key, Report>();
  let sending: Promise<void> | null = null;

  async function send(to: { hostId: string; sequence: number }): Promise<void> {
    for (let delay = RETRY_MIN_MS; waiting.size > 0 && !signal.aborted;) {
      await Promise.resolve(); // what converges in the same turn goes along
      const batch = waiting;
      waiting = new Map();
      try {
        to.sequence += 1;
        await link.report(to.hostId, [...batch.values()], to.sequence);
        delay = RETRY_MIN_MS;
      } catch (error) {
        log.warn({ error: String(error) }, 'control did not take the reports; repeating');
        waiting = new Map([...[...batch].filter(([key]) => !waiting.has(key)), ...waiting]);
        await sleep(clock, delay, signal);
        delay = Math.min(delay * 2, RETRY_MAX_MS);
      }
    }
  }

  function start(): void {
    if (known === null || sending !== null || waiting.size === 0 || signal.aborted) return;
    sending = send(known).finally(() => {
      sending = null;
      start(); // said between the last look and now
    });
  }

  return {
    report(one) {
      const key = keyOf(one.kind, one.id);
      waiting.delete(key);
      waiting.set(key, one);
      start();
    },
    registered(hostId, sequence) {
      known = { hostId, sequence };
      start();
    },
    idle: () => waiting.size === 0 && sending === null,
    async ended() {
      await sending;
    },
  };
}
