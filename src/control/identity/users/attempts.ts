// Guessing from one address: too many wrong passwords a minute for a user are answered with 429, before the password
// is even hashed. The lock-out counts by user alone; this counts where they come from too, in this process only.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../../kernel/clock.ts';
import { CloudError } from '../../../kernel/errors.ts';

const WINDOW_MS = 60_000;
const REMEMBERED = 20_000;

export type Attempts = {
  /** 429 while there were too many from this address. */
  require(user: string, address: string): void;
  failed(user: string, address: string): void;
};

export function createAttempts(clock: Clock, aMinute: number): Attempts {
  const windows = new LRUCache<string, { since: number; count: number }>({ max: REMEMBERED });
  const current = (key: string): { since: number; count: number } | undefined => {
    const window = windows.get(key);
    return window !== undefined && clock.now() - window.since < WINDOW_MS ? window : undefined;
  };
  return {
    require(user, address) {
      const window = current(`${address} ${user}`);
      if (window === undefined || window.count < aMinute) return;
      const seconds = Math.max(1, Math.ceil((window.since + WINDOW_MS - clock.now()) / 1000));
      throw new CloudError(
        429,
        'TooManyRequests',
        `Too many failed logins for this user from this address; try again in ${seconds} s.`,
        { headers: { 'retry-after': String(seconds) } },
      );
    },
    failed(user, address) {
      const key = `${address} ${user}`;
      const window = current(key);
      if (window === undefined) windows.set(key, { since: clock.now(), count: 1 });
      else window.count += 1;
    },
  };
}
