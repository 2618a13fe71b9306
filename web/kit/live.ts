// Keeps what is on the screen true. The OpenStack API pushes nothing, so a list is asked again: often while something
// in it is under way, seldom otherwise, never in a tab that nobody looks at.
import { toneOf } from './tone.ts';

export const BUSY_MS = 2_000;
export const CALM_MS = 15_000;

/** For `refetchInterval`: how soon to ask again for rows with these states. */
export const livePace = (states: Iterable<string>): number => {
  for (const state of states) if (toneOf(state) === 'busy') return BUSY_MS;
  return CALM_MS;
};
