// What the side of the create form says of the quota.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quotaLines, roomFor, type Limits } from './quota.ts';

const LIMITS: Limits = {
  maxTotalInstances: 10,
  totalInstancesUsed: 2,
  maxTotalCores: 20,
  totalCoresUsed: 2,
  maxTotalRAMSize: 51_200,
  totalRAMUsed: 256,
};

const amount = fc.integer({ min: 0, max: 1_000_000 });
const limit = fc.oneof(fc.constant(-1), amount);
const limits = fc.record<Limits>({
  maxTotalInstances: limit,
  totalInstancesUsed: amount,
  maxTotalCores: limit,
  totalCoresUsed: amount,
  maxTotalRAMSize: limit,
  totalRAMUsed: amount,
});
const flavors = fc.record({
  vcpus: fc.integer({ min: 1, max: 64 }),
  ram: fc.integer({ min: 1, max: 65_536 }),
});

describe('the quota of a create', () => {
  test('counts every server with its flavor', () => {
    expect(quotaLines(LIMITS, { vcpus: 4, ram: 8192 }, 5)).toEqual([
      { resource: 'instances', used: 2, takes: 5, limit: 10, fits: true },
      { resource: 'cores', used: 2, takes: 20, limit: 20, fits: false },
      { resource: 'ram', used: 256, takes: 40_960, limit: 51_200, fits: true },
    ]);
  });

  test('counts only the server itself while no flavor is chosen', () => {
    expect(quotaLines(LIMITS, undefined, 1).map(({ takes }) => takes)).toEqual([1, 0, 0]);
  });

  test('has room for as many servers as fit, and not for one more', () => {
    fc.assert(
      fc.property(limits, flavors, (have, flavor) => {
        const room = roomFor(have, flavor);
        if (room === null) {
          expect(Math.max(have.maxTotalInstances, have.maxTotalCores, have.maxTotalRAMSize)).toBe(-1);
          return;
        }
        if (room > 0) expect(quotaLines(have, flavor, room).every(({ fits }) => fits)).toBe(true);
        expect(quotaLines(have, flavor, room + 1).every(({ fits }) => fits)).toBe(false);
      }),
    );
  });
});
