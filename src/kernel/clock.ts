// Time is injected everywhere, so that the simulator can run the real program on a virtual clock.
export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once after `ms`; returns the function that cancels it. */
  timer(ms: number, fire: () => void): () => void;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  timer(ms, fire) {
    const handle = setTimeout(fire, ms);
    return () => clearTimeout(handle);
  },
};

/** Resolves after `ms`, or at once when `signal` aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.timer(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** ISO 8601 in UTC without fraction, e.g. 2026-01-02T03:04:05Z, as Nova and Neutron show times. */
export const isoSeconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
/** ISO 8601 with microseconds, e.g. 2026-01-02T03:04:05.000000Z, as Keystone shows times. */
export const isoMicros = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000Z');
