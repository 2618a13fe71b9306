// A virtual clock: time stands still while the program works and jumps to the next timer when it is quiet, so
// that an hour of a simulated cloud takes as long as its work.
import type { Clock } from '../kernel/clock.ts';

export type VirtualClock = Clock & {
  /** A clock of one process: its timers go with it. */
  ofProcess(): Clock & { kill(): void };
  /** When the earliest timer is due; null: there is none. */
  next(): number | null;
  /** Moves to the earliest timer due until then and fires it; false: none is, and the time is `until` now. */
  step(until: number): boolean;
};

type Timer = { due: number; sequence: number; fire: () => void };

/** `start`: milliseconds since the epoch. */
export function createVirtualClock(start: number): VirtualClock {
  /** By due time, then in the order of their creation. */
  const timers: Timer[] = [];
  let now = start;
  let sequence = 0;

  const insert = (timer: Timer): void => {
    let low = 0;
    let high = timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = timers[middle] as Timer;
      if (other.due < timer.due || (other.due === timer.due && other.sequence < timer.sequence))
        low = middle + 1;
      else high = middle;
    }
    timers.splice(low, 0, timer);
  };

  const timer: Clock['timer'] = (ms, fire) => {
    const one = { due: now + Math.max(0, Math.ceil(ms)), sequence: sequence++, fire };
    insert(one);
    return () => {
      const at = timers.indexOf(one);
      if (at >= 0) timers.splice(at, 1);
    };
  };

  return {
    now: () => now,
    timer,
    ofProcess() {
      const cancels = new Set<() => void>();
      let dead = false;
      return {
        now: () => now,
        timer(ms, fire) {
          if (dead) return () => {};
          const cancel = timer(ms, () => {
            cancels.delete(cancel);
            fire();
          });
          cancels.add(cancel);
          return () => {
            cancels.delete(cancel);
            cancel();
          };
        },
        kill() {
          dead = true;
          for (const cancel of cancels) cancel();
          cancels.clear();
        },
      };
    },
    next: () => timers[0]?.due ?? null,
    step(until) {
      const first = timers[0];
      if (first === undefined || first.due > until) {
        now = Math.max(now, until);
        return false;
      }
      timers.shift();
      now = Math.max(now, first.due);
      first.fire();
      return true;
    },
  };
}
