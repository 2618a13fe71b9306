// The arithmetic behind proposals and checks of addresses.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidrVersion, freeSubnet, inCidr, ipv4Use, isAddress, poolSize } from './addresses.ts';

describe('addresses', () => {
  it('knows addresses and networks from what only looks like them', () => {
    expect(['10.0.0.5', '::1', 'fd00::5'].every(isAddress)).toBe(true);
    expect(['10.0.0', '10.0.0.256', 'x', '', '10.0.0.5/24'].some(isAddress)).toBe(false);
    expect(cidrVersion('10.0.0.0/24')).toBe(4);
    expect(cidrVersion('fd00::/64')).toBe(6);
    for (const bad of ['10.0.0.0', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/24/8', '10.0.0.0/x', '/24'])
      expect(cidrVersion(bad), bad).toBeNull();
  });

  it('tells whether an address lies in a network', () => {
    expect(inCidr('10.0.0.77', '10.0.0.0/24')).toBe(true);
    expect(inCidr('10.0.1.77', '10.0.0.0/24')).toBe(false);
    expect(inCidr('fd00::1', 'fd00::/64')).toBe(true);
    expect(inCidr('fd00::1', '10.0.0.0/24')).toBe(false);
  });

  it('counts the addresses of pools', () => {
    expect(poolSize([{ start: '10.0.0.2', end: '10.0.0.254' }])).toBe(253);
    expect(
      poolSize([
        { start: 'fd00::2', end: 'fd00::2' },
        { start: 'fd00::1:0', end: 'fd00::1:ffff' },
      ]),
    ).toBe(65_537);
  });
});

describe('the use of a network', () => {
  it('is that of its IPv4 subnets, which a /64 beside them does not hide', () => {
    const full = { ip_version: 4 as const, total_ips: 253, used_ips: 253 };
    const wide = { ip_version: 6 as const, total_ips: 2 ** 64, used_ips: 3 };
    expect(ipv4Use([full, wide, full])).toEqual({ used: 506, total: 506 });
    expect(ipv4Use([wide])).toBeNull();
  });
});

describe('the subnet that is proposed', () => {
  it('is 10.0.1.0/24 in an empty cloud, and the next one after that', () => {
    expect(freeSubnet([])).toBe('10.0.1.0/24');
    expect(freeSubnet(['10.0.1.0/24', 'fd00::/64'])).toBe('10.0.2.0/24');
    expect(freeSubnet(['10.0.0.0/16'])).toBe('10.1.0.0/24');
    expect(freeSubnet(['10.0.0.0/8'])).toBe('192.168.0.0/24');
  });

  it('overlaps none that is there', () => {
    const taken = fc.array(
      fc
        .tuple(fc.nat(3), fc.nat(255), fc.integer({ min: 14, max: 30 }))
        .map(([second, third, prefix]) => `10.${second}.${third}.0/${prefix}`),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(taken, (cidrs) => {
        const found = freeSubnet(cidrs);
        const own = found.replace('.0/24', '.1');
        return cidrs.every((cidr) => !inCidr(own, cidr) && !inCidr(cidr.split('/')[0] ?? '', found));
      }),
    );
  });
});
