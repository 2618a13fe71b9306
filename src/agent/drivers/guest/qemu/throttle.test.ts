// Limits in QEMU's words: what is said is what query-block answers, and what is taken away is said to be gone.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IO_LIMITS } from '../../../../protocol/items.ts';
import { sameThrottle, throttleIn, throttleOf } from './throttle.ts';

const limits = fc.dictionary(fc.constantFrom(...IO_LIMITS), fc.integer({ min: 1, max: 1_000_000 }));

describe('throttling', () => {
  it('is read back as it was set, and differs where anything differs', () => {
    fc.assert(
      fc.property(limits, limits, (one, two) => {
        const set = throttleOf(one);
        expect(sameThrottle(set, throttleIn(set))).toBe(true);
        const equal = IO_LIMITS.every((name) => one[name] === two[name]);
        expect(sameThrottle(set, throttleOf(two))).toBe(equal);
      }),
    );
  });

  it('says all rates, so that one that is lifted is lifted', () => {
    expect(throttleOf({})).toEqual({ bps: 0, bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 });
    expect(throttleOf({ total_bytes_sec: 5, total_bytes_sec_max: 9 })).toMatchObject({ bps: 5, bps_max: 9 });
  });
});
