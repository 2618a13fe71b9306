// What the agent tells control: in order, repeated until it is heard, and numbered, so that a copy that arrives
// behind a later report changes nothing.
import { sleep, type Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Link, Report } from '../protocol/link.ts';

export type Reporter = {
  report(one: Report): void;
  /** Reports wait until control knows the host. `sequence` is what the registration answered. */
  registered(hostId: string, sequence: number): void;
  /** True when control has heard everything. */
  idle(): boolean;
};

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;

/** `signal` ends it; what was not heard by then is reported anew by the next agent. */
export function createReporter(link: Link, clock: Clock, log: Log, signal: AbortSignal): Reporter {
  let known: { hostId: string; sequence: number } | null = null;
  let reports: Report[] = [];
  let sending = false;

  async function send(to: { hostId: string; sequence: number }): Promise<void> {
    sending = true;
    for (let delay = RETRY_MIN_MS; reports.length > 0 && !signal.aborted; ) {
      await Promise.resolve(); // what converges in the same turn goes along
      const batch = reports;
      reports = [];
      try {
        to.sequence += 1;
        await link.report(to.hostId, batch, to.sequence);
        delay = RETRY_MIN_MS;
      } catch (error) {
        log.warn({ error: String(error) }, 'control did not take the reports; repeating');
        reports = [...batch, ...reports];
        await sleep(clock, delay, signal);
        delay = Math.min(delay * 2, RETRY_MAX_MS);
      }
    }
    sending = false;
  }

  return {
    report(one) {
      reports.push(one);
      if (known !== null && !sending) void send(known);
    },
    registered(hostId, sequence) {
      known = { hostId, sequence };
      if (reports.length > 0 && !sending) void send(known);
    },
    idle: () => reports.length === 0 && !sending,
  };
}
