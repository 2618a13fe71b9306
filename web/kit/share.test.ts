// Shares of a limit, and their colours.
import { expect, it } from 'vitest';
import { shareOf, toneOfShare } from './share.ts';

it('nothing is a share of what has no limit, and anything is all of a limit of nothing', () => {
  expect([shareOf(5, -1), shareOf(0, 0), shareOf(1, 0), shareOf(5, 10), shareOf(12, 10)]).toEqual([
    0, 0, 1, 0.5, 1.2,
  ]);
});

it('colours what is nearly and what is wholly used', () => {
  expect([0, 0.79, 0.8, 1, 1.2].map(toneOfShare)).toEqual(['busy', 'busy', 'warning', 'bad', 'bad']);
});
