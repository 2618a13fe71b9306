// Few are told at once, many at once and then not too often; nobody is ever forgotten.
import { expect, it } from 'vitest';
import { createAnnouncer } from './announce.ts';

const hosts = (count: number): string[] => Array.from({ length: count }, (_, at) => `host-${at}`);

function setUp() {
  const timers: { ms: number; fire: () => void }[] = [];
  const told: string[][] = [];
  const announce = createAnnouncer(
    { now: () => 0, timer: (ms, fire) => (timers.push({ ms, fire }), () => {}) },
    (ids) => told.push([...ids]),
  );
  return { timers, told, announce };
}

it('tells a few hosts at once, as often as there is something to tell', () => {
  const { timers, told, announce } = setUp();
  for (let time = 0; time < 5; time++) announce(['a', 'b']);
  expect(told).toHaveLength(5);
  expect(timers).toHaveLength(0);
});

it('tells many hosts at once, and what comes soon after in one go', () => {
  const { timers, told, announce } = setUp();
  announce(hosts(500));
  expect(told.map((ids) => ids.length)).toEqual([500]);
  announce(hosts(400));
  announce(hosts(600));
  announce(['x']);
  expect(told.map((ids) => ids.length)).toEqual([500, 1]);
  expect(timers.map((timer) => timer.ms)).toEqual([1000]);
  timers[0]?.fire();
  expect(told.at(-1)).toHaveLength(600);
  expect(timers.map((timer) => timer.ms)).toEqual([1000, 1200]);
});

it('is at rest again when nothing came meanwhile', () => {
  const { timers, told, announce } = setUp();
  announce(hosts(5000));
  timers[0]?.fire();
  announce(hosts(5000));
  expect(told).toHaveLength(2);
  expect(timers.map((timer) => timer.ms)).toEqual([2000, 2000]);
});
