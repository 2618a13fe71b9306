// IPv6 as a virtual machine gets it: addresses, routes and name servers by advertisements and DHCPv6, through a
// router to another subnet; and what a guest may not tell the others.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NetworkBody, PortBody, RouterBody, SubnetBody } from '../../../../protocol/items.ts';
import { egressRules, networkBody, portBody, ruleBody, subnetBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
import { advertiseDir } from './advertise.ts';
import { linkLocalOf } from './addresses.ts';
import { runningDnsmasq } from './dnsmasq.ts';
import { dhcpInterface, tapOf } from './names.ts';
import { createDriver, exec, guest, inside, metadata, names, tearDown } from './packets.fixture.ts';

/** Solicit, request; or, with 'information', only asks for the rest. Prints address and name servers. */
const dhcpv6 = `
import socket, struct, sys, os
mac = bytes.fromhex(sys.argv[1].replace(':', ''))
opt = lambda code, data: struct.pack('!HH', code, len(data)) + data
duid, xid = b'\\0\\3\\0\\1' + mac, os.urandom(3)
ask = opt(1, duid) + opt(6, struct.pack('!H', 23)) + opt(8, b'\\0\\0')
iana = opt(3, mac[2:] + bytes(8))
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 546)); s.settimeout(3)
def options(data):
    found = {}
    while len(data) >= 4:
        code, size = struct.unpack('!HH', data[:4]); found[code] = data[4:4 + size]; data = data[4 + size:]
    return found
def send(kind, body):
    s.sendto(bytes([kind]) + xid + body, ('ff02::1:2', 547, 0, socket.if_nametoindex('eth0')))
    return options(s.recv(2000)[4:])
if sys.argv[2] == 'information': got = send(11, ask)
else:
    offer = send(1, ask + iana)
    got = send(3, ask + opt(2, offer[2]) + opt(3, offer[3]))
    print(socket.inet_ntop(socket.AF_INET6, options(options(got[3][12:])[5] and got[3][12:])[5][:16]))
dns = got.get(23, b'')
print(' '.join(socket.inet_ntop(socket.AF_INET6, dns[i:i + 16]) for i in range(0, len(dns), 16)))
`;
/** An advertisement of a prefix and of itself as the router. */
const forge = `
import socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('eth0'))
prefix = struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, '2001:db8:bad::')
s.sendto(struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ('ff02::1', 0, 0, socket.if_nametoindex('eth0')))
`;

describe('IPv6 of virtual machines', { timeout: 60_000 }, () => {
  let driver: NetworkDriver;
  const six = (n: number, mode: NonNullable<SubnetBody['ipv6RaMode']>): SubnetBody =>
    subnetBody({
      id: `subnet-6${n}`,
      ipVersion: 6,
      cidr: `2001:db8:${n}::/64`,
      gatewayIp: `2001:db8:${n}::1`,
      dhcpIp: `2001:db8:${n}::2`,
      dnsNameservers: [`2001:db8:${n}::53`],
      ipv6RaMode: mode,
      ipv6AddressMode: mode,
    });
  const network = (n: number, mode: NonNullable<SubnetBody['ipv6RaMode']>): NetworkBody =>
    networkBody({
      segment: n,
      subnets: [
        subnetBody({
          id: `subnet-4${n}`,
          cidr: `10.2${n}.0.0/24`,
          gatewayIp: `10.2${n}.0.1`,
          dhcpIp: `10.2${n}.0.2`,
        }),
        six(n, mode),
      ],
    });
  const interfaceOn = (
    n: number,
    mode: NonNullable<SubnetBody['ipv6RaMode']>,
  ): RouterBody['interfaces'][number] => ({
    portId: `router-port-${n}`,
    networkId: `network-${n}`,
    mac: `fa:16:3e:00:02:0${n}`,
    addresses: [`2001:db8:${n}::1/64`],
    advertise: [{ cidr: `2001:db8:${n}::/64`, mode, dnsNameservers: [`2001:db8:${n}::53`] }],
  });
  const port = (n: number, on: number, ip: string, plug: PortBody['plug']): PortBody =>
    portBody(n, {
      networkId: `network-${on}`,
      plug,
      fixedIps: [
        { subnetId: `subnet-4${on}`, ipAddress: `10.2${on}.0.${10 + n}` },
        { subnetId: `subnet-6${on}`, ipAddress: ip },
      ],
    });
  const eui = (on: number, n: number): string =>
    linkLocalOf(portBody(n).mac).replace('fe80::', `2001:db8:${on}:0:`);
  const vm = (n: number): string => `${names.switchNs}-s-vm${n}`;
  /** A veth in a namespace of its own stands in for QEMU: same device in the switch, same MAC, a kernel that configures itself. */
  const bootVm = async (n: number): Promise<void> => {
    await exec('ip', ['netns', 'add', vm(n)]);
    const tap = tapOf(`port-${n}`);
    const bridge =
      /master (\S+)/.exec((await inside(names.switchNs, 'ip', 'link', 'show', tap)) ?? '')?.[1] ?? '';
    await inside(names.switchNs, 'ip', 'link', 'del', tap);
    const link = [
      'ip',
      'link',
      'add',
      tap,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'address',
      portBody(n).mac,
    ];
    await inside(names.switchNs, ...link, 'netns', vm(n));
    await inside(names.switchNs, 'ip', 'link', 'set', tap, 'master', bridge, 'up');
    await inside(vm(n), 'ip', 'link', 'set', 'lo', 'up');
    await inside(vm(n), 'ip', 'link', 'set', 'eth0', 'up');
  };
  const eventually = async (what: () => Promise<boolean>): Promise<boolean> => {
    for (let tries = 0; tries < 60; tries++) {
      if (await what()) return true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return false;
  };
  const pings = async (from: string, to: string): Promise<boolean> =>
    (await inside(from, 'ping', '-6', '-c', '1', '-W', '1', to)) !== null;
  const addresses = async (n: number): Promise<string> =>
    (await inside(vm(n), 'ip', '-6', 'addr', 'show', 'dev', 'eth0', 'scope', 'global')) ?? '';

  beforeAll(async () => {
    driver = createDriver();
    await driver.start(metadata);
    await driver.ensureNetwork('network-1', network(1, 'slaac'));
    await driver.ensureNetwork('network-2', network(2, 'dhcpv6-stateful'));
    await driver.ensureNetwork('network-3', network(3, 'dhcpv6-stateless'));
    await driver.ensureAddressGroup('group-1', { addresses: [] });
    await driver.ensureSecurityGroup('group-1', {
      stateful: true,
      rules: [...egressRules, ruleBody('ping', { ethertype: 'IPv6', protocol: 58 })],
    });
    await driver.ensurePort('port-1', port(1, 1, eui(1, 1), 'tap'));
    await driver.ensurePort('port-4', port(4, 1, eui(1, 4), 'tap'));
    await driver.ensurePort('port-2', port(2, 2, '2001:db8:2::22', 'tap'));
    await driver.ensurePort('port-3', port(3, 3, eui(3, 3), 'tap'));
    await driver.ensurePort('port-5', port(5, 2, '2001:db8:2::25', 'netns'));
    await driver.ensureRouter('router-1', {
      adminUp: true,
      interfaces: [
        interfaceOn(1, 'slaac'),
        interfaceOn(2, 'dhcpv6-stateful'),
        interfaceOn(3, 'dhcpv6-stateless'),
      ],
      gateway: null,
      floatingIps: [],
      routes: [],
    });
    for (const n of [1, 2, 3, 4]) await bootVm(n);
  }, 60_000);
  afterAll(async () => {
    for (const n of [1, 2, 3, 4]) await exec('ip', ['netns', 'del', vm(n)]).catch(() => {});
    await tearDown(driver);
  }, 30_000);

  test('a guest forms the address that its port holds, learns MTU and router, and reaches a container behind it', async () => {
    expect(await eventually(async () => (await addresses(1)).includes(eui(1, 1)))).toBe(true);
    const routes = (await inside(vm(1), 'ip', '-6', 'route')) ?? '';
    expect(routes).toContain(`default via ${linkLocalOf('fa:16:3e:00:02:01')}`);
    expect(routes).toContain('mtu 1450');
    expect(await eventually(() => pings(vm(1), '2001:db8:2::25'))).toBe(true);
    expect(await pings(guest(5), eui(1, 1))).toBe(true);
    // The container keeps what it was given, whatever is advertised.
    expect(await inside(guest(5), 'ip', '-6', 'route', 'show', 'default')).not.toContain('proto ra');
  });

  test('stateful DHCPv6 gives a port its own address and name servers; no address is formed there', async () => {
    expect(
      await eventually(async () => ((await inside(vm(2), 'ip', '-6', 'route')) ?? '').includes('default')),
    ).toBe(true);
    expect(await addresses(2)).toBe('');
    const lease = await inside(vm(2), '/usr/bin/python3', '-c', dhcpv6, portBody(2).mac, 'address');
    expect(lease).toBe('2001:db8:2::22\n2001:db8:2::53\n');
    await inside(vm(2), 'ip', 'addr', 'add', '2001:db8:2::22/128', 'dev', 'eth0', 'nodad');
    expect(await pings(vm(2), '2001:db8:2::25')).toBe(true);
    expect(await eventually(() => pings(vm(2), eui(1, 1)))).toBe(true);
  });

  test('stateless DHCPv6 tells the rest to who formed its address', async () => {
    expect(await eventually(async () => (await addresses(3)).includes(eui(3, 3)))).toBe(true);
    expect(await inside(vm(3), '/usr/bin/python3', '-c', dhcpv6, portBody(3).mac, 'information')).toBe(
      '2001:db8:3::53\n',
    );
  });

  test('no guest plays the router: its advertisement reaches nobody, until its port is unfiltered', async () => {
    const misled = (): Promise<boolean> => addresses(1).then((text) => text.includes('2001:db8:bad:'));
    await inside(vm(4), '/usr/bin/python3', '-c', forge);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await misled()).toBe(false);
    await driver.ensurePort('port-4', {
      ...port(4, 1, eui(1, 4), 'tap'),
      portSecurity: false,
      securityGroupIds: [],
    });
    expect(
      await eventually(async () => {
        await inside(vm(4), '/usr/bin/python3', '-c', forge);
        return misled();
      }),
    ).toBe(true);
  });

  test('metadata answers at the link-local address of Neutron, to who really asks', async () => {
    const ask = (n: number): Promise<string | null> =>
      inside(
        vm(n),
        '/usr/bin/python3',
        '-c',
        `import socket; s = socket.create_connection(('fe80::a9fe:a9fe%eth0', 80), 4); s.sendall(b'GET /latest/meta-data/instance-id HTTP/1.0\\r\\n\\r\\n'); print(s.makefile().read().split()[1])`,
      );
    expect((await ask(1))?.trim()).toBe('404'); // this cloud knows a server on network-1 at 10.20.0.11 only
    expect(await inside(names.networkNs('network-1'), 'ip', '-6', 'addr', 'show', dhcpInterface)).toContain(
      'fe80::a9fe:a9fe/64',
    );
  });

  test('an agent that starts again adopts what advertises, one that was killed is started, and all goes with the router', async () => {
    const dir = advertiseDir(names, 'router-1');
    const files = { pid: `${dir}/pid`, config: `${dir}/dnsmasq.conf` };
    const pid = runningDnsmasq(files);
    expect(pid).toBeGreaterThan(0);
    await driver.close();
    driver = createDriver();
    await driver.start(metadata);
    await driver.ensureNetwork('network-1', network(1, 'slaac'));
    await driver.ensureNetwork('network-2', network(2, 'dhcpv6-stateful'));
    const body: RouterBody = {
      adminUp: true,
      interfaces: [interfaceOn(1, 'slaac'), interfaceOn(2, 'dhcpv6-stateful')],
      gateway: null,
      floatingIps: [],
      routes: [],
    };
    await driver.ensureRouter('router-1', body);
    const changed = runningDnsmasq(files);
    expect([changed > 0, changed === pid]).toEqual([true, false]);
    await driver.ensureRouter('router-1', body);
    expect(runningDnsmasq(files)).toBe(changed);
    process.kill(changed, 'SIGKILL');
    expect(await eventually(async () => ![0, changed].includes(runningDnsmasq(files)))).toBe(true);
    await driver.removeRouter('router-1');
    expect(runningDnsmasq(files)).toBe(0);
  });
});
