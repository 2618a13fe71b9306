// What a pool gives out lies in its prefixes and never overlaps.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { overlaps, parseCidr, type Cidr } from '../subnets/addressing.ts';
import { compact, freePiece, inside, quotaUnits } from './prefixes.ts';

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  if (parsed === null) throw new Error(text);
  return parsed;
};
const texts = (cidrs: readonly Cidr[]): string[] => cidrs.map((one) => one.text);

test('prefixes are ordered, merged and freed of what others contain', () => {
  expect(texts(compact(['10.2.0.0/16', '10.0.0.0/16', '10.1.0.0/16', '10.0.8.0/24'].map(cidr)))).toEqual([
    '10.0.0.0/15',
    '10.2.0.0/16',
  ]);
  expect(texts(compact(['10.0.1.0/24', '10.0.2.0/24'].map(cidr)))).toEqual(['10.0.1.0/24', '10.0.2.0/24']);
});

test('a piece goes into the first hole that is large enough, and nowhere when there is none', () => {
  const pool = [cidr('10.0.0.0/29')];
  expect(freePiece(pool, [cidr('10.0.0.0/31')], 30)?.text).toBe('10.0.0.4/30');
  expect(freePiece(pool, [cidr('10.0.0.0/31')], 31)?.text).toBe('10.0.0.2/31');
  expect(freePiece(pool, [cidr('10.0.0.2/31'), cidr('10.0.0.4/31')], 30)).toBeNull();
  expect(freePiece(pool, [], 28)).toBeNull();
});

test('whatever is asked for in whatever order, the pieces lie inside and apart', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 24, max: 30 }), { maxLength: 40 }), (lengths) => {
      const pool = [cidr('10.0.0.0/24'), cidr('192.168.7.0/25')];
      const taken: Cidr[] = [];
      for (const length of lengths) {
        const piece = freePiece(pool, taken, length);
        if (piece === null) continue;
        expect(piece.prefix).toBe(length);
        expect(cidr(piece.text).canonical).toBe(true);
        expect(inside(pool, piece)).toBe(true);
        expect(taken.some((one) => overlaps(one, piece))).toBe(false);
        taken.push(piece);
      }
    }),
  );
});

test('quota counts addresses in IPv4 and /64 networks in IPv6', () => {
  expect(quotaUnits(cidr('10.0.0.0/24'))).toBe(256);
  expect(quotaUnits(cidr('2001:db8::/48'))).toBe(65_536);
  expect(quotaUnits(cidr('2001:db8::/80'))).toBe(1);
});
