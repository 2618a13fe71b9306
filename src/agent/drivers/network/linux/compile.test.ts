// The pure parts: bodies to nft, dnsmasq and tc text, and addresses.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SubnetBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import { networkBody, portBody, routerBody, ruleBody, subnetBody } from '../conformance.ts';
import { firstHost, linkLocalOf, netmask, prefix, smallest } from './addresses.ts';
import { shaping } from './bandwidth.ts';
import { anyAddressGroup, anyId, anyNetwork, anyPort, anySecurityGroup } from './bodies.fixture.ts';
import { advertisementConfig } from './advertise.ts';
import { dhcpFiles, dhcpHost, dhcpOptions, dnsmasqConfig, hostLine, parseHosts } from './dhcp-text.ts';
import { addressGroupElements, addressGroupRules, groupRules, portRules, ruleText } from './filter.ts';
import { guestConfig } from './guest-config.ts';
import { cloudNames, macOf, short } from './names.ts';
import { routerRules } from './router-text.ts';

describe('addresses', () => {
  test('only whole addresses count: no octal, no shorthand, no zone, no host name', () => {
    for (const text of [
      '010.0.0.1',
      '10.1',
      '0x7f000001',
      '::1%lo',
      'localhost',
      '',
      '10.0.0.1\n',
      ' 10.0.0.1',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '::/129',
    ])
      expect(() => prefix('field', text)).toThrow(DriverError);
    expect(prefix('field', '10.1.2.3/8').text).toBe('10.0.0.0/8');
    expect(prefix('field', '2001:DB8:0::1').text).toBe('2001:db8::1');
  });

  test('the smallest set covers the same prefixes and none of its members overlap', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })), { maxLength: 30 }),
        (entries) => {
          const all = entries.map(([ip, length]) => prefix('field', `${ip}/${length}`));
          const kept = smallest(all);
          const covers = (outer: (typeof all)[0], inner: (typeof all)[0]): boolean =>
            outer.length <= inner.length &&
            outer.bits >> BigInt(32 - outer.length) === inner.bits >> BigInt(32 - outer.length);
          for (const entry of all) expect(kept.some((other) => covers(other, entry))).toBe(true);
          for (const [i, a] of kept.entries())
            for (const [j, b] of kept.entries()) if (i !== j) expect(covers(a, b)).toBe(false);
        },
      ),
    );
  });

  test('link-local addresses follow from the MAC, masks from the length, the host takes the first address', () => {
    expect(linkLocalOf('fa:16:3e:00:00:01')).toBe('fe80::f816:3eff:fe00:1');
    expect([netmask(0), netmask(9), netmask(24), netmask(32)]).toEqual([
      '0.0.0.0',
      '255.128.0.0',
      '255.255.255.0',
      '255.255.255.255',
    ]);
    expect(firstHost(prefix('field', '172.24.4.0/24'))).toBe('172.24.4.1/24');
  });
});

describe('names', () => {
  test('every device name fits into 15 characters, and a MAC is local and unicast', () => {
    fc.assert(
      fc.property(anyId, (id) => {
        expect(short(id)).toMatch(/^[a-z2-7]{12}$/);
        expect(Number.parseInt(macOf(id).slice(0, 2), 16) & 3).toBe(2);
      }),
    );
    expect(cloudNames('abcdefghij').hostDevice.length).toBeLessThan(16);
    for (const bad of ['', 'short', 'UPPERCASE', 'with-dash', 'elevenchars'])
      expect(() => cloudNames(bad)).toThrow(DriverError);
  });
});

describe('security group rules', () => {
  test('each kind of rule becomes one match', () => {
    expect(ruleText(ruleBody('r'))).toBe('meta nfproto ipv4 accept');
    expect(
      ruleText(ruleBody('r', { protocol: 6, portMin: 22, portMax: 22, remoteCidr: '192.0.2.7/24' })),
    ).toBe('meta nfproto ipv4 meta l4proto 6 th dport 22 ip saddr 192.0.2.0/24 accept');
    expect(
      ruleText(
        ruleBody('r', {
          direction: 'egress',
          protocol: 17,
          portMin: 53,
          portMax: 99,
          remoteCidr: '0.0.0.0/0',
        }),
      ),
    ).toBe('meta nfproto ipv4 meta l4proto 17 th dport 53-99 accept');
    expect(ruleText(ruleBody('r', { protocol: 1, portMin: 8, portMax: 0 }))).toBe(
      'meta nfproto ipv4 meta l4proto 1 icmp type 8 icmp code 0 accept',
    );
    expect(ruleText(ruleBody('r', { ethertype: 'IPv6', protocol: 1 }))).toBe(
      'meta nfproto ipv6 meta l4proto 58 accept',
    );
    expect(ruleText(ruleBody('r', { ethertype: 'IPv6', remoteGroupId: 'g.1' }))).toBe(
      'meta nfproto ipv6 ip6 saddr @ag6_g.1 accept',
    );
  });

  test('a rule that makes no sense is refused by name, with the value and the rule it breaks', () => {
    expect(() => ruleText(ruleBody('r1', { protocol: 112, portMin: 1, portMax: 2 }))).toThrow(
      'Security group rule r1: protocol 112 has no ports',
    );
    expect(() => ruleText(ruleBody('r1', { protocol: 6, portMin: 90, portMax: 80 }))).toThrow(
      'portMin (90) must not be larger than portMax (80)',
    );
    expect(() => ruleText(ruleBody('r1', { remoteCidr: 'fd00::/8' }))).toThrow('must be an IPv4 prefix');
    expect(() => ruleText(ruleBody('r1', { protocol: 1, portMax: 3 }))).toThrow('needs a type');
    expect(() => ruleText(ruleBody('r1', { portMin: 3 }))).toThrow('needs a protocol');
  });

  test('an address group changes by difference only', () => {
    const elements = addressGroupElements('g', {
      addresses: ['10.0.0.5', '10.0.0.0/30', '10.0.0.1', 'fd00::1'],
    });
    expect(elements).toEqual(['10.0.0.0/30', '10.0.0.5', 'fd00::1']);
    const text = addressGroupRules('g', new Set(['10.0.0.5', '10.9.9.9']), elements);
    expect(text).toContain('delete element inet strata ag4_g { 10.9.9.9 }');
    expect(text).toContain('add element inet strata ag4_g { 10.0.0.0/30 }');
    expect(text).toContain('add element inet strata ag6_g { fd00::1 }');
  });
});

describe('a port', () => {
  test('without port security it is not filtered, but still asks the metadata service only as itself', () => {
    const text = portRules('p', 'tap', 16, portBody(1, { portSecurity: false }));
    expect(text).toContain(`guard_${short('p')} ip daddr 169.254.169.254 ip saddr != { 10.20.0.11 } drop`);
    expect(text).toContain(`guard_${short('p')} accept`);
    expect(text).not.toContain('jump sgi_');
  });

  test('that is administratively down passes nothing', () => {
    const text = portRules('p', 'tap', 16, portBody(1, { adminUp: false }));
    expect(text).not.toMatch(/add rule .* accept/);
  });

  test('has its limits in both directions or none', () => {
    expect(shaping('tap0', 'ifb0', portBody(1))).toMatchObject({ additions: [], ifb: false });
    expect(shaping('tap0', 'ifb0', portBody(1, { ingressKbps: 8 })).additions).toEqual([
      'qdisc add dev tap0 root tbf rate 8kbit burst 65536 latency 50ms',
    ]);
    expect(shaping('tap0', 'ifb0', portBody(1, { egressKbps: 100_000_000 })).additions[0]).toBe(
      'qdisc replace dev ifb0 root tbf rate 100000000kbit burst 125000000 latency 50ms',
    );
  });

  test('its guest gets one default route, and each subnet’s own routes', () => {
    const network = networkBody({
      subnets: [
        subnetBody({ hostRoutes: [{ destination: '10.99.0.0/16', nexthop: '10.20.0.9' }] }),
        subnetBody({ id: 'subnet-2', cidr: '10.21.0.0/24', gatewayIp: '10.21.0.1', dhcpIp: null }),
      ],
    });
    const port = portBody(1, {
      fixedIps: [...portBody(1).fixedIps, { subnetId: 'subnet-2', ipAddress: '10.21.0.5' }],
    });
    expect(guestConfig('p', port, network)).toEqual({
      addresses: ['10.20.0.11/24', '10.21.0.5/24'],
      routes: [
        { destination: '169.254.169.254/32', via: '10.20.0.2' },
        { destination: '10.99.0.0/16', via: '10.20.0.9' },
        { destination: '0.0.0.0/0', via: '10.20.0.1' },
      ],
      dns: ['192.0.2.53'],
      mtu: 1450,
    });
    expect(() =>
      guestConfig(
        'p',
        portBody(1, { fixedIps: [{ subnetId: 'subnet-1', ipAddress: '10.21.0.1' }] }),
        network,
      ),
    ).toThrow('must be inside 10.20.0.0/24');
  });
});

describe('DHCP', () => {
  const files = dhcpFiles('/run/x', 'n');

  test('says router, DNS, MTU and routes; without a gateway it names none, not itself', () => {
    const options = dhcpOptions(networkBody());
    expect(options).toContain(',option:router,10.20.0.1\n');
    expect(options).toContain(
      ',option:classless-static-route,169.254.169.254/32,10.20.0.2,0.0.0.0/0,10.20.0.1\n',
    );
    expect(
      dhcpOptions(networkBody({ subnets: [subnetBody({ gatewayIp: null, dnsNameservers: [] })] })),
    ).toMatch(/option:router\n.*option:dns-server\n/);
  });

  test('host lines come back from the file, and a name that is no DNS label is left out', () => {
    const host = dhcpHost(portBody(1), networkBody());
    expect(host).toEqual({ mac: portBody(1).mac, ip: '10.20.0.11', ip6: [], hostname: 'host-1' });
    if (host !== null) expect(parseHosts(`${hostLine('abc', host)}\n`)).toEqual(new Map([['abc', host]]));
    for (const hostname of ['a,b', 'ignore me', '-x', 'ü', '', 'x'.repeat(64)])
      expect(dhcpHost(portBody(1, { hostname }), networkBody())?.hostname).toBe('');
  });

  const six = (over: Partial<SubnetBody> = {}): SubnetBody =>
    subnetBody({
      id: 'subnet-6',
      ipVersion: 6,
      cidr: '2001:db8::/64',
      gatewayIp: '2001:db8::1',
      dhcpIp: '2001:db8::2',
      dnsNameservers: ['2001:db8::53', '192.0.2.53'],
      ...over,
    });
  const dual = portBody(1, {
    fixedIps: [...portBody(1).fixedIps, { subnetId: 'subnet-6', ipAddress: '2001:DB8::0:15' }],
  });

  test.each([
    ['without modes, leases', {}, true, true],
    ['stateful, leases', { ipv6AddressMode: 'dhcpv6-stateful' }, true, true],
    ['stateless, tells only the rest', { ipv6AddressMode: 'dhcpv6-stateless' }, true, false],
    ['SLAAC, is silent', { ipv6AddressMode: 'slaac', ipv6RaMode: 'slaac' }, false, false],
    ['advertised for somebody else’s DHCPv6, is silent', { ipv6RaMode: 'dhcpv6-stateful' }, false, false],
    ['switched off, is silent', { enableDhcp: false, dhcpIp: null }, false, false],
  ] as const)('DHCPv6 of a subnet %s', (_, over, serves, leases) => {
    const network = networkBody({ subnets: [subnetBody(), six(over)] });
    expect(dnsmasqConfig(network, files).includes('2001:db8::,static,64')).toBe(serves);
    expect(dhcpOptions(network).includes('option6:dns-server,[2001:db8::53]\n')).toBe(serves);
    const host = dhcpHost(dual, network);
    expect(host?.ip6).toEqual(leases ? ['2001:db8::15'] : []);
    if (host !== null) expect(parseHosts(`${hostLine('abc', host)}\n`)).toEqual(new Map([['abc', host]]));
  });

  test('a router advertises as its subnets say, and a network without any has no process for it', () => {
    const told = (mode: 'slaac' | 'dhcpv6-stateful' | 'dhcpv6-stateless'): string =>
      advertisementConfig(
        'Router r',
        [
          {
            device: 'iabc',
            mtu: 1450,
            subnets: [{ cidr: '2001:db8::/64', mode, dnsNameservers: ['2001:db8::53'] }],
          },
        ],
        files,
      );
    expect(told('slaac')).toContain('2001:db8::,ra-only,64,');
    expect(told('dhcpv6-stateless')).toContain('2001:db8::,ra-stateless,64,');
    expect(told('dhcpv6-stateful')).toContain('2001:db8::,static,64,');
    expect(told('slaac')).toContain('ra-param=iabc,mtu:1450,');
    expect(told('slaac')).toContain('dhcp-option=tag:iabcx0,option6:dns-server,[2001:db8::53]\n');
    expect(advertisementConfig('Router r', [{ device: 'iabc', mtu: 1450, subnets: [] }], files)).toBe('');
    const hostile = { cidr: '2001:db8::/64\nuser=root', mode: 'slaac' as const, dnsNameservers: [] };
    expect(() =>
      advertisementConfig('Router r', [{ device: 'iabc', mtu: 1450, subnets: [hostile] }], files),
    ).toThrow('advertised cidr');
  });

  test('no body brings a line, an option or a field of its own into the files', () => {
    fc.assert(
      fc.property(anyPort, anyNetwork, anyId, (port, network, id) => {
        try {
          const config = dnsmasqConfig(network, files);
          expect(
            config.split('\n').filter((line) => !/^([a-z6-]+|[a-z-]+=[A-Za-z0-9/.:,_-]+|)$/.test(line)),
          ).toEqual([]);
          for (const line of dhcpOptions(network).split('\n'))
            expect(line).toMatch(/^(tag:s[a-z2-7]{12},option6?:[a-z-]+(,[0-9./]+|,\[[0-9a-f:]+\])*)?$/);
          const host = dhcpHost(port, network);
          if (host !== null)
            expect(hostLine(short(id), host)).toMatch(
              /^[0-9a-f:]{17}(,[0-9.]+)?(,\[[0-9a-f:]+\])*(,[A-Za-z0-9-]{1,63})? # [a-z2-7]{12}$/,
            );
        } catch (error) {
          if (!(error instanceof DriverError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('packet filter text', () => {
  test('no body brings a line of its own: every line is a command of ours', () => {
    const ours =
      /^((add|delete|flush) (table|chain|map|set|rule|element) (bridge|inet) (strata|router)( [^"\\;]*("[a-z0-9_]*"[^"\\;]*)?( \{[^{}]*;? ?\})?)?)?$/;
    fc.assert(
      fc.property(anyId, anyPort, anySecurityGroup, anyAddressGroup, (id, port, group, addresses) => {
        for (const work of [
          () => portRules(id, 'tap0', 16, port),
          () => groupRules(id, group, 'abc'),
          () => addressGroupRules(id, new Set(), addressGroupElements(id, addresses)),
        ]) {
          try {
            for (const line of work().split('\n'))
              if (!line.includes('flags interval')) expect(line).toMatch(ours);
          } catch (error) {
            if (!(error instanceof DriverError)) throw error;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a router without a gateway translates nothing, and floating IPs need one', () => {
    expect(routerRules('r', routerBody())).not.toContain('snat');
    expect(() =>
      routerRules(
        'r',
        routerBody({ floatingIps: [{ id: 'f', floatingAddress: '192.0.2.1', fixedAddress: '10.0.0.1' }] }),
      ),
    ).toThrow('needs an external gateway');
  });
});
