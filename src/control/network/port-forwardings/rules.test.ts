// Ports of forwardings, by their properties.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkCollisions, checkRelation, MAX_MOVED_PORTS, portRange } from './rules.ts';
import type { PortForwardingRow } from './table.ts';

const row = (over: Partial<PortForwardingRow> = {}): PortForwardingRow => ({
  id: 'a',
  project_id: 'p',
  description: '',
  created_at: 0,
  updated_at: 0,
  revision: 0,
  floating_ip_id: 'f',
  internal_port_id: 'i',
  internal_ip_address: '10.0.0.5',
  protocol: 'tcp',
  external_first: 2222,
  external_last: 2222,
  internal_first: 22,
  internal_last: 22,
  ...over,
});

test('a port is a number, its text, or a range; both together must say the same', () => {
  expect(portRange('external', 80, undefined)).toEqual({ first: 80, last: 80 });
  expect(portRange('external', '80', null)).toEqual({ first: 80, last: 80 });
  expect(portRange('internal', null, '80:90')).toEqual({ first: 80, last: 90 });
  expect(portRange('internal', 80, '80:80')).toEqual({ first: 80, last: 80 });
  expect(portRange('internal', undefined, null)).toBeNull();
  expect(() => portRange('internal', 81, '80:90')).toThrow('differ');
});

test.each([0, 65_536, -1, '', 'ssh', '80:', ':80', '90:80', '1:2:3', '0x50', '80 ', '1e3'])(
  '%j is no port and no range',
  (value) => {
    expect(() => portRange('external', null, value)).toThrow('external_port_range');
    expect(() => portRange('external', value, null)).toThrow('external_port');
  },
);

test('N ports lead to N or to one, and a range that moves has a limit', () => {
  expect(() => checkRelation(row({ external_last: 2230 }))).not.toThrow();
  expect(() => checkRelation(row({ external_last: 2230, internal_last: 30 }))).not.toThrow();
  expect(() => checkRelation(row({ external_last: 2230, internal_last: 29 }))).toThrow('N-N or 1-N');
  expect(() => checkRelation(row({ internal_last: 30 }))).toThrow('N-N or 1-N');
  const wide = { external_first: 1, external_last: 65_535 };
  expect(() => checkRelation(row({ ...wide, internal_first: 1, internal_last: 65_535 }))).not.toThrow();
  expect(() =>
    checkRelation(
      row({
        external_first: 10_000,
        external_last: 10_000 + MAX_MOVED_PORTS,
        internal_last: 22 + MAX_MOVED_PORTS,
      }),
    ),
  ).toThrow('same numbers');
});

test('two forwardings of one address never share a port of one protocol', () => {
  const ends = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat(10));
  fc.assert(
    fc.property(ends, ends, fc.boolean(), ([a, n], [b, m], same) => {
      const one = row({ external_first: a, external_last: a + n });
      const other = row({
        id: 'b',
        external_first: b,
        external_last: b + m,
        internal_ip_address: '10.0.0.6',
        protocol: same ? 'tcp' : 'udp',
      });
      const shared = same && a <= b + m && b <= a + n;
      const check = (): void => checkCollisions(one, [one, other], [one]);
      if (shared) expect(check).toThrow('external_port_range');
      else expect(check).not.toThrow();
    }),
  );
});

test('nor do two of one internal address, whatever the floating IPs', () => {
  const other = row({ id: 'b', floating_ip_id: 'g', external_first: 9, external_last: 9 });
  expect(() => checkCollisions(row(), [], [other])).toThrow('internal_port_range');
  expect(() => checkCollisions(row({ internal_ip_address: '10.0.0.6' }), [], [other])).not.toThrow();
});
