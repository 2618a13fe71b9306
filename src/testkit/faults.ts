// What goes wrong in a simulated cloud, drawn from the seed: drivers that fail or are slow, messages that are
// lost, late, repeated or reordered, guests that die.
import { DriverError, type DriverErrorCode } from '../agent/drivers/errors.ts';
import type { Rng } from '../kernel/ids.ts';

/** Chances in [0, 1] a call. */
export type FaultOptions = {
  /** A driver verb fails before it had an effect, or after it. */
  driver?: number;
  /** Of those failures, the share that repeating does not help; servers only. */
  refused?: number;
  /** A driver verb takes up to five seconds. */
  slow?: number;
  /** A call of an agent to control fails, with or without having been heard. */
  link?: number;
  /** A report arrives again up to ten seconds later, past what was said meanwhile. */
  repeated?: number;
  /** A wake-up is lost. */
  deaf?: number;
  /** A boundary is passed a turn of the event loop later: other interleavings. */
  yields?: number;
};

export type Faults = {
  /** What this call of a driver suffers. */
  driver(
    verb: string,
    id: string,
  ): { delayMs: number; before: DriverError | null; after: DriverError | null };
  link(): 'request-lost' | 'answer-lost' | null;
  /** Milliseconds after which a report is heard a second time; null: it is not. */
  repeated(): number | null;
  deaf(): boolean;
  yields(): boolean;
  /** From now on only `yields` happen. */
  end(): void;
  /** Ids of what a driver refused for good. */
  refused: Set<string>;
};

const retriable: readonly DriverErrorCode[] = ['failed', 'no-space', 'timeout', 'unavailable'];

export function createFaults(rng: Rng, options: FaultOptions): Faults {
  let ended = false;
  const happens = (chance: number | undefined): boolean =>
    chance !== undefined && chance > 0 && !ended && rng() < chance;
  const refused = new Set<string>();

  const failure = (verb: string, id: string): DriverError => {
    if (
      verb !== 'destroy' &&
      options.refused !== undefined &&
      verb.startsWith('guest ') &&
      rng() < options.refused
    ) {
      refused.add(id);
      return new DriverError('refused', `${verb} of ${id} is refused by the simulation.`);
    }
    return new DriverError(
      retriable[Math.floor(rng() * retriable.length)] ?? 'failed',
      `${verb} of ${id} failed in the simulation.`,
    );
  };

  return {
    driver(verb, id) {
      const delayMs = happens(options.slow) ? Math.ceil(rng() * 5_000) : 0;
      if (!happens(options.driver)) return { delayMs, before: null, after: null };
      const error = failure(verb, id);
      // What was done and then reported as failed is worth a retry: only a refusal before any effect is final.
      return error.retriable && rng() < 0.5
        ? { delayMs, before: null, after: error }
        : { delayMs, before: error, after: null };
    },
    link: () => (happens(options.link) ? (rng() < 0.5 ? 'request-lost' : 'answer-lost') : null),
    repeated: () => (happens(options.repeated) ? Math.ceil(rng() * 10_000) : null),
    deaf: () => happens(options.deaf),
    yields: () => options.yields !== undefined && rng() < options.yields,
    end: () => void (ended = true),
    refused,
  };
}
