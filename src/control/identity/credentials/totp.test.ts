// One-time passwords against the tables of the RFCs.
import { expect, it } from 'vitest';
import { passcodeAt, seedOf } from './totp.ts';

const seed = Buffer.from('12345678901234567890');

it('counts as RFC 4226, appendix D', () => {
  const expected = [
    '755224',
    '287082',
    '359152',
    '969429',
    '338314',
    '254676',
    '287922',
    '162583',
    '399871',
    '520489',
  ];
  expect(expected.map((_, step) => passcodeAt(seed, step))).toEqual(expected);
});

it('tells the time as RFC 6238, appendix B, in six digits', () => {
  const at = (seconds: number): string => passcodeAt(seed, Math.floor(seconds / 30));
  expect([59, 1111111109, 1111111111, 1234567890, 2000000000, 20000000000].map(at)).toEqual([
    '287082',
    '081804',
    '050471',
    '005924',
    '279037',
    '353130',
  ]);
});

it('reads seeds as authenticator apps write them, and refuses what is none', () => {
  expect(seedOf('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')).toEqual(seed);
  expect(seedOf('gezd gnbv gy3t qojq gezd gnbv gy3t qojq')).toEqual(seed);
  for (const bad of ['', 'GEZDGNBV', 'not base32 at all!!', '0189018901890189'])
    expect(seedOf(bad), bad).toBeNull();
});
