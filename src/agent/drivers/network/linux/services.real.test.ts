// DHCP, metadata, taps, and what happens when things die: dnsmasq, the driver, half-done work.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkBody, portBody, routerBody, type ruleBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
import { dhcpFiles } from './dhcp-text.ts';
import { runningDnsmasq } from './dnsmasq.ts';
import { bridgeOf, dhcpInterface, ifbOf, short, tapOf, vethOf } from './names.ts';
import {
  applyGroup,
  createDriver,
  exec,
  external1,
  gateway,
  guest,
  inside,
  metadata,
  passwords,
  names,
  reaches,
  ruleset,
  setUp,
  tearDown,
} from './packets.fixture.ts';

describe('DHCP, metadata and adoption', { timeout: 30_000 }, () => {
  let driver: NetworkDriver;
  const group = (id: string, ...rules: Parameters<typeof ruleBody>[1][]): Promise<void> =>
    applyGroup(driver, id, ...rules);
  beforeAll(async () => {
    driver = await setUp();
  }, 30_000);
  afterAll(() => tearDown(driver), 30_000);

  test('a guest asks the metadata service as itself, whatever its headers say; an unknown one gets 404', async () => {
    const get = (n: number, path: string, ...header: string[]): Promise<string | null> =>
      inside(
        guest(n),
        'timeout',
        '5',
        'busybox',
        'wget',
        '-qO-',
        ...header.flatMap((line) => ['--header', line]),
        `http://169.254.169.254${path}`,
      );
    expect(await get(1, '/latest/meta-data/instance-id')).toBe('i-8f2b1c3d');
    expect(await get(1, '/latest/meta-data/public-keys/0/openssh-key')).toBe('ssh-ed25519 AAAA');
    expect(await get(1, '/latest/user-data')).toBe('#!/bin/sh\necho hello\n');
    const data = JSON.parse((await get(1, '/openstack/latest/meta_data.json')) ?? '{}');
    expect(data).toMatchObject({
      uuid: '8f2b1c3d-0000-4000-8000-000000000001',
      name: 'web one',
      availability_zone: 'zone-1',
      meta: { role: 'web' },
    });
    const network = JSON.parse((await get(1, '/openstack/latest/network_data.json')) ?? '{}');
    expect(network).toMatchObject({
      links: [{ ethernet_mac_address: portBody(1).mac, mtu: 1450 }],
      networks: [{ type: 'ipv4_dhcp' }],
      services: [{ type: 'dns', address: '192.0.2.53' }],
    });
    expect(await get(2, '/latest/meta-data/instance-id')).toBe(null);
    expect(
      await get(
        2,
        '/latest/meta-data/instance-id',
        'X-Forwarded-For: 10.20.0.11',
        'X-Instance-ID: 8f2b1c3d-0000-4000-8000-000000000001',
      ),
    ).toBe(null);
  });

  test('a guest tells its sealed password once, as itself; nothing else is taken from it', async () => {
    const tell = (n: number, path: string, content: string): Promise<string | null> =>
      inside(
        guest(n),
        ...['timeout', '5', 'busybox', 'wget', '-qO-', '--post-data', content],
        `http://169.254.169.254${path}`,
      );
    expect(await tell(1, '/openstack/latest/password', 'c2VhbGVk')).toBe('');
    expect(await tell(1, '/openstack/latest/password', 'b3RoZXI=')).toBe(null);
    expect(await tell(1, '/openstack/latest/user_data', 'c2VhbGVk')).toBe(null);
    expect(await tell(1, '/openstack/latest/password', 'a'.repeat(5000))).toBe(null);
    expect(await tell(2, '/openstack/latest/password', 'c2VhbGVk')).toBe(null);
    expect(passwords).toEqual([
      '8f2b1c3d-0000-4000-8000-000000000001 c2VhbGVk',
      '8f2b1c3d-0000-4000-8000-000000000001 b3RoZXI=',
    ]);
  });

  test('a virtual machine gets its lease by DHCP: address, router, DNS, MTU, routes and name', async () => {
    const spare = `${names.switchNs}-s-spare`;
    await driver.ensurePort('port-5', portBody(5, { plug: 'tap' }));
    // A veth stands in for the tap's other end: same name, bridge, rules and MAC as QEMU would use.
    await inside(names.switchNs, 'ip', 'link', 'del', tapOf('port-5'));
    await exec('ip', ['netns', 'add', spare]);
    try {
      await inside(
        names.switchNs,
        'ip',
        'link',
        'add',
        tapOf('port-5'),
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'address',
        portBody(5).mac,
        'netns',
        spare,
      );
      await inside(
        names.switchNs,
        'ip',
        'link',
        'set',
        tapOf('port-5'),
        'master',
        bridgeOf('network-1'),
        'up',
      );
      await inside(spare, 'ip', 'link', 'set', 'eth0', 'up');
      const script =
        '#!/bin/sh\necho "$1 ip=$ip mask=$mask router=$router dns=$dns mtu=$mtu routes=$staticroutes host=$hostname boot=$bootfile$boot_file tftp=$tftp"\n';
      const file = `${names.runDir}/udhcpc.sh`;
      await exec('sh', ['-c', `printf '%s' "$1" > "${file}" && chmod 755 "${file}"`, 'sh', script]);
      const lease = await inside(
        spare,
        'busybox',
        'udhcpc',
        '-i',
        'eth0',
        '-n',
        '-q',
        '-t',
        '5',
        '-T',
        '1',
        '-O',
        'staticroutes',
        '-O',
        'mtu',
        '-s',
        file,
      );
      expect(lease).toContain('bound ip=10.20.0.15 mask=24 router=10.20.0.1 dns=192.0.2.53 mtu=1450');
      expect(lease).toContain('routes=169.254.169.254/32 10.20.0.2 0.0.0.0/0 10.20.0.1 host=host-5');
      // Telling dnsmasq about a change after it has served a host must not crash it.
      const serving = runningDnsmasq(dhcpFiles(names.runDir, 'network-1'));
      await driver.removePort('port-5');
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(runningDnsmasq(dhcpFiles(names.runDir, 'network-1'))).toBe(serving);
      // Another guest with the same address later: dnsmasq must not keep it for the first.
      // It has options of its own as well; one that makes no sense is left out and stops nobody.
      const dhcpOptions = [
        { ipVersion: 4, name: 'bootfile-name', value: 'pxelinux.0' },
        { ipVersion: 4, name: 'tftp-server', value: '203.0.113.9' },
        { ipVersion: 4, name: 'dns-server', value: '203.0.113.53' },
        { ipVersion: 4, name: 'ntp-server', value: 'no address' },
      ] as const;
      await driver.ensurePort(
        'port-6',
        portBody(6, { plug: 'tap', fixedIps: portBody(5).fixedIps, dhcpOptions: [...dhcpOptions] }),
      );
      await inside(names.switchNs, 'ip', 'link', 'del', tapOf('port-6'));
      await inside(
        names.switchNs,
        'ip',
        'link',
        'add',
        tapOf('port-6'),
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'address',
        portBody(6).mac,
        'netns',
        spare,
      );
      await inside(
        names.switchNs,
        'ip',
        'link',
        'set',
        tapOf('port-6'),
        'master',
        bridgeOf('network-1'),
        'up',
      );
      await inside(spare, 'ip', 'link', 'set', 'eth0', 'up');
      const wishes = ['-O', 'bootfile', '-O', 'tftp'];
      const second = await inside(
        spare,
        'busybox',
        'udhcpc',
        '-i',
        'eth0',
        '-n',
        '-q',
        '-t',
        '5',
        '-T',
        '1',
        ...wishes,
        '-s',
        file,
      );
      expect(second).toContain('bound ip=10.20.0.15 mask=24 router=10.20.0.1 dns=203.0.113.53');
      expect(second).toMatch(/boot=pxelinux\.0 tftp=203\.0\.113\.9/);
    } finally {
      await driver.removePort('port-5');
      await driver.removePort('port-6');
      await exec('ip', ['netns', 'del', spare]);
    }
  });

  test('a tap belongs to the guests’ user, has its limits in both directions, and its rules stand', async () => {
    await driver.ensurePort('port-7', portBody(7, { plug: 'tap', egressKbps: 3000, ingressKbps: 2000 }));
    const tap = tapOf('port-7');
    expect(await inside(names.switchNs, 'cat', `/sys/class/net/${tap}/owner`)).toBe('65534\n');
    const qdiscs = JSON.parse((await inside(names.switchNs, 'tc', '-j', 'qdisc', 'show')) ?? '[]') as {
      kind: string;
      dev: string;
      options: { rate?: number };
    }[];
    expect(qdiscs.find(({ kind, dev }) => kind === 'tbf' && dev === tap)?.options.rate).toBe(
      (2000 * 1000) / 8,
    );
    expect(qdiscs.find(({ kind, dev }) => kind === 'tbf' && dev === ifbOf('port-7'))?.options.rate).toBe(
      (3000 * 1000) / 8,
    );
    const rules = await ruleset(names.switchNs);
    expect(rules).toContain(`"${tap}" : goto guard_${short('port-7')}`);
    await driver.ensurePort('port-7', portBody(7, { plug: 'tap' }));
    expect(await inside(names.switchNs, 'tc', 'qdisc', 'show')).not.toContain('tbf');
    await driver.removePort('port-7');
    expect(await ruleset(names.switchNs)).not.toContain(short('port-7'));
    expect(await inside(names.switchNs, 'ip', 'link')).not.toContain(short('port-7'));
  });

  test('a dnsmasq that is killed from outside is started again and reported', async () => {
    const files = dhcpFiles(names.runDir, 'network-1');
    const before = runningDnsmasq(files);
    expect(before).toBeGreaterThan(0);
    const seen = new Promise<string>((resolve) => driver.watch((kind, id) => resolve(`${kind} ${id}`)));
    process.kill(before, 'SIGKILL');
    expect(await seen).toBe('network network-1');
    expect(runningDnsmasq(files)).not.toBe(before);
    expect(runningDnsmasq(files)).toBeGreaterThan(0);
  });

  test('a new driver adopts what runs: no packet is lost, nothing is made again, and rules are enforced as before', async () => {
    await group('group-1', { protocol: 1 });
    await driver.ensureRouter('router-1', { ...routerBody(), gateway });
    const before = await inside(names.switchNs, 'ip', '-j', 'link');
    const rules = await ruleset(names.switchNs);
    const pid = runningDnsmasq(dhcpFiles(names.runDir, 'network-1'));
    const ping = inside(guest(1), 'ping', '-c', '15', '-i', '0.1', '-W', '1', '10.20.0.12');
    await driver.close();
    driver = createDriver();
    await driver.start(metadata);
    expect(await driver.observe()).toMatchObject({
      networks: ['external', 'network-1'],
      ports: ['port-1', 'port-2'],
      routers: ['router-1'],
      securityGroups: ['group-1'],
      addressGroups: ['group-1'],
    });
    await driver.ensureNetwork('network-1', networkBody());
    await driver.ensureNetwork('external', external1);
    await driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.11', '10.20.0.12'] });
    await group('group-1', { protocol: 1 });
    await driver.ensureRouter('router-1', { ...routerBody(), gateway });
    await driver.ensurePort('port-1', portBody(1));
    await driver.ensurePort('port-2', portBody(2));
    expect(await ping).toContain(' 0% packet loss');
    expect(
      JSON.parse((await inside(names.switchNs, 'ip', '-j', 'link')) ?? '[]').map(
        ({ ifindex }: { ifindex: number }) => ifindex,
      ),
    ).toEqual(JSON.parse(before ?? '[]').map(({ ifindex }: { ifindex: number }) => ifindex));
    expect(await ruleset(names.switchNs)).toBe(rules);
    expect(runningDnsmasq(dhcpFiles(names.runDir, 'network-1'))).toBe(pid);
    expect(
      await inside(
        guest(1),
        'timeout',
        '5',
        'busybox',
        'wget',
        '-qO-',
        'http://169.254.169.254/latest/meta-data/instance-id',
      ),
    ).toBe('i-8f2b1c3d');
  });

  test('what a crash left half-done is taken out at the next start', async () => {
    await inside(names.switchNs, 'ip', 'tuntap', 'add', 'dev', tapOf('lost'), 'mode', 'tap');
    await inside(names.switchNs, 'ip', 'link', 'del', vethOf('port-2'));
    await driver.close();
    driver = createDriver();
    await driver.start(metadata);
    expect(await inside(names.switchNs, 'ip', 'link')).not.toContain(tapOf('lost'));
    expect(await ruleset(names.switchNs)).not.toContain(short('port-2'));
    expect((await driver.observe()).ports).toEqual(['port-1']);
    await driver.ensureNetwork('network-1', networkBody());
    await group('group-1', { protocol: 1 });
    await driver.ensurePort('port-1', portBody(1));
    await driver.ensurePort('port-2', portBody(2));
    expect(await reaches(guest(1), '10.20.0.12')).toBe(true);
  });

  test('the DHCP namespace has no other listener than DHCP and metadata', async () => {
    const sockets =
      (await inside(names.networkNs('network-1'), 'cat', '/proc/net/tcp', '/proc/net/udp')) ?? '';
    const ports = [...sockets.matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) 00000000:0000/gm)].map((match) =>
      Number.parseInt(match[1] ?? '', 16),
    );
    expect([...new Set(ports)].sort((a, b) => a - b)).toEqual([67, 80]);
    expect(
      await inside(names.networkNs('network-1'), 'ip', '-br', 'addr', 'show', 'dev', dhcpInterface),
    ).toContain('10.20.0.2/24');
  });
});
