// How a loop sleeps: until somebody rings, until something is due, or until it is time to look anyway.
import type { Clock } from './clock.ts';

/** A wake-up that got lost costs at most this, in milliseconds. */
const SCAN_MS = 5_000;

/** The sleep of one kind's loop. */
export type Alarm = {
  /** Something may be due now. */
  ring(): void;
  /** Something is due at this time. */
  setFor(at: number): void;
  /** Until it rings, or a scan is due; at once when it rang since the last time. */
  wait(): Promise<void>;
};

export function createAlarm(clock: Clock): Alarm {
  let rang = false;
  let waiting = false;
  let soonest = Infinity;
  let end = (): void => {};
  let cancel = (): void => {};
  const arm = (): void => {
    cancel();
    cancel = clock.timer(Math.max(0, Math.min(SCAN_MS, soonest - clock.now())), () => end());
  };
  return {
    ring() {
      rang = true;
      end();
    },
    setFor(at) {
      if (at >= soonest) return;
      soonest = at;
      if (waiting) arm();
    },
    async wait() {
      if (!rang) {
        waiting = true;
        await new Promise<void>((resolve) => {
          end = resolve;
          arm();
        });
        waiting = false;
        end = () => {};
        cancel();
      }
      rang = false;
      if (soonest <= clock.now()) soonest = Infinity;
    },
  };
}
