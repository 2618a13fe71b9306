// When hosts are told to pull. What concerns a few is told at once; a change that reaches many (a group of
// addresses that every host holds) is told at once too, but then not again before the hosts had time to follow.
import type { Clock } from '../../kernel/clock.ts';

/** More hosts than this are many. */
const FEW = 16;
const MS_A_HOST = 2;
const MAX_MS = 2_000;

export function createAnnouncer(
  clock: Clock,
  wake: (hostIds: Iterable<string>) => void,
): (hostIds: readonly string[]) => void {
  let waiting = new Set<string>();
  let resting = false;
  const rest = (hosts: number): void => {
    resting = true;
    clock.timer(Math.min(hosts * MS_A_HOST, MAX_MS), () => {
      resting = false;
      const due = waiting;
      waiting = new Set();
      if (due.size === 0) return;
      rest(due.size);
      wake(due);
    });
  };
  return (hostIds) => {
    if (hostIds.length > FEW && resting) for (const hostId of hostIds) waiting.add(hostId);
    else {
      if (hostIds.length > FEW) rest(hostIds.length);
      wake(hostIds);
    }
  };
}
