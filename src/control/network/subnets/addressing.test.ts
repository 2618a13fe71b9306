// Address arithmetic, by its properties.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addressText,
  bitsOf,
  contains,
  keyOf,
  lastOf,
  overlaps,
  parseAddress,
  parseCidr,
  slaacAddress,
  usable,
  valueOf,
  without,
  within,
  type IpVersion,
} from './addressing.ts';

const anyAddress = fc
  .constantFrom<IpVersion>(4, 6)
  .chain((version) =>
    fc.bigInt({ min: 0n, max: (1n << BigInt(bitsOf(version))) - 1n }).map((value) => ({ version, value })),
  );

test('an address survives being written and read', () => {
  fc.assert(
    fc.property(anyAddress, ({ version, value }) => {
      expect(parseAddress(addressText(version, value))).toEqual({ version, value });
      expect(valueOf(keyOf(version, value))).toBe(value);
    }),
  );
});

test('keys order as their addresses do', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      (a, b) => {
        expect(keyOf(6, a) < keyOf(6, b)).toBe(a < b);
      },
    ),
  );
});

test.each([
  '',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4/24',
  'fe80::1%eth0',
  '::1\n',
  '0x1.2.3.4',
  '1.2.3.4 ',
  'g::1',
  '1:2:3:4:5:6:7:8:9',
])('%j is no address', (text) => {
  expect(parseAddress(text)).toBeNull();
});

test('a CIDR holds exactly its addresses, and is canonical only without host bits', () => {
  fc.assert(
    fc.property(anyAddress, fc.nat(128), ({ version, value }, bits) => {
      const prefix = bits % (bitsOf(version) + 1);
      const cidr = parseCidr(`${addressText(version, value)}/${prefix}`);
      if (cidr === null) throw new Error('not read');
      expect(contains(cidr, { version, value })).toBe(true);
      expect(cidr.canonical).toBe(cidr.network === value);
      expect(parseCidr(cidr.text)?.canonical).toBe(true);
      expect(contains(cidr, { version, value: lastOf(cidr) })).toBe(true);
      expect(within({ first: cidr.network, last: lastOf(cidr) }, usable(cidr).first)).toBe(true);
      expect(overlaps(cidr, cidr)).toBe(true);
    }),
  );
});

test('what is taken from ranges is gone, and nothing else is', () => {
  const ranges = fc.array(fc.tuple(fc.nat(20), fc.nat(6)), { maxLength: 6 }).map((list) => {
    let at = 0n;
    return list.map(([gap, size]) => {
      const first = at + BigInt(gap) + 1n;
      at = first + BigInt(size);
      return { first, last: at };
    });
  });
  fc.assert(
    fc.property(ranges, fc.array(fc.bigInt({ min: 0n, max: 200n })), (of, taken) => {
      const left = without(of, taken);
      for (let value = 0n; value <= 200n; value++)
        expect(left.some((range) => within(range, value))).toBe(
          of.some((range) => within(range, value)) && !taken.includes(value),
        );
    }),
  );
});

test('usable addresses leave out network, broadcast and the anycast address', () => {
  const show = (text: string): string[] => {
    const cidr = parseCidr(text);
    if (cidr === null) throw new Error(text);
    const range = usable(cidr);
    return [addressText(cidr.version, range.first), addressText(cidr.version, range.last)];
  };
  expect(show('10.0.0.0/30')).toEqual(['10.0.0.1', '10.0.0.2']);
  expect(show('10.0.0.0/31')).toEqual(['10.0.0.0', '10.0.0.1']);
  expect(show('10.0.0.4/32')).toEqual(['10.0.0.4', '10.0.0.4']);
  expect(show('fd00::/126')).toEqual(['fd00::1', 'fd00::3']);
});

test('SLAAC forms the modified EUI-64 of the MAC', () => {
  const cidr = parseCidr('fd00:1::/64');
  if (cidr === null) throw new Error();
  expect(addressText(6, slaacAddress(cidr, 'fa:16:3e:00:00:01'))).toBe('fd00:1::f816:3eff:fe00:1');
});
