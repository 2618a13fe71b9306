// Usage as arithmetic.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hoursIn, projectUsages, type UsedServer } from './usage.ts';

const HOUR = 3_600_000;
const flavor = {
  name: 'm1.small',
  vcpus: 2,
  memoryMib: 512,
  diskGib: 10,
  ephemeralGib: 5,
  swapMib: 0,
  extraSpecs: {},
};
const server = (id: string, projectId: string, launchedAt: number, deletedAt: number | null): UsedServer => ({
  id,
  projectId,
  name: id,
  flavor,
  launchedAt,
  deletedAt,
  vmState: 'active',
});

test('a server counts from its start or that of the period to its end or that of the period', () => {
  const period = { start: 10 * HOUR, stop: 20 * HOUR };
  expect(hoursIn({ launchedAt: 5 * HOUR, deletedAt: null }, period)).toBe(10);
  expect(hoursIn({ launchedAt: 15 * HOUR, deletedAt: null }, period)).toBe(5);
  expect(hoursIn({ launchedAt: 5 * HOUR, deletedAt: 12 * HOUR }, period)).toBe(2);
  expect(hoursIn({ launchedAt: 12 * HOUR, deletedAt: 13.5 * HOUR }, period)).toBe(1.5);
  expect(hoursIn({ launchedAt: 21 * HOUR, deletedAt: null }, period)).toBe(0);
});

test('the hours of adjoining periods add up to those of both', () => {
  const time = fc.integer({ min: 0, max: 1000 });
  fc.assert(
    fc.property(time, fc.option(time), time, time, time, (launched, deleted, a, b, c) => {
      const [start = 0, middle = 0, stop = 0] = [a, b, c].toSorted((x, y) => x - y);
      const one = { launchedAt: launched, deletedAt: deleted === null ? null : launched + deleted };
      const hours = (from: number, to: number): number => hoursIn(one, { start: from, stop: to });
      expect(hours(start, middle) + hours(middle, stop)).toBeCloseTo(hours(start, stop), 9);
    }),
  );
});

test('the sums of a project are those of its servers', () => {
  const period = { start: 0, stop: 10 * HOUR };
  const [one, two] = projectUsages(
    [server('a', 'p1', 0, null), server('b', 'p1', 0, 4 * HOUR), server('c', 'p2', 9 * HOUR, null)],
    period,
    10 * HOUR,
  );
  expect(one).toMatchObject({
    tenant_id: 'p1',
    total_hours: 14,
    total_vcpus_usage: 28,
    total_memory_mb_usage: 14 * 512,
    total_local_gb_usage: 14 * 15,
  });
  expect(one?.server_usages).toMatchObject([
    { instance_id: 'a', state: 'active', ended_at: null, uptime: 36_000 },
    { instance_id: 'b', state: 'terminated', hours: 4, local_gb: 15, uptime: 14_400 },
  ]);
  expect(two).toMatchObject({ tenant_id: 'p2', total_hours: 1 });
});
