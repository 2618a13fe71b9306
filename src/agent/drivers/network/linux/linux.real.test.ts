// The Linux driver against the real kernel: real packets between namespaces, and the kernel's own listings.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import type { NetworkBody, PortBody, ServerBody } from '../../../../protocol/items.ts';
import { egressRules, networkBody, portBody, routerBody, ruleBody, subnetBody } from '../conformance.ts';
import type { MetadataSource, NetworkDriver } from '../driver.ts';
import { runningDnsmasq } from './dhcp.ts';
import { dhcpFiles } from './dhcp-text.ts';
import { createLinuxNetworkDriver } from './driver.ts';
import { bridgeOf, cloudNames, dhcpInterface, ifbOf, short, tapOf, vethOf } from './names.ts';
import { teardownLinuxNetwork } from './teardown.ts';

const exec = promisify(execFile);
const newCloudId = (): string => `t${randomBytes(4).toString('hex')}`;
/** 198.18.0.0/15 is for tests between networks (RFC 2544); each cloud of a run takes its own piece. */
const newExternal = (): string =>
  `198.${18 + (randomBytes(1).readUInt8() % 2)}.${randomBytes(1).readUInt8()}`;

const cloudId = newCloudId();
const external = newExternal();
const names = cloudNames(cloudId);
const options = (id: string, prefix: string): Parameters<typeof createLinuxNetworkDriver>[0] => ({
  dataDir: '/nonexistent',
  cloudId: id,
  log: silentLog,
  clock: systemClock,
  externalCidr: `${prefix}.0/24`,
  guestUid: () => 65534,
});

/** Runs a program in a namespace; null: it failed. */
async function inside(ns: string, ...command: string[]): Promise<string | null> {
  try {
    return (await exec('ip', ['netns', 'exec', ns, ...command], { timeout: 15_000 })).stdout;
  } catch {
    return null;
  }
}
const guest = (n: number | string): string => names.serverNs(`server-${n}`);
const reaches = async (from: string, to: string): Promise<boolean> =>
  (await inside(from, 'ping', '-c', '1', '-W', '1', to)) !== null;
const ruleset = async (ns: string): Promise<string> => (await inside(ns, 'nft', 'list', 'ruleset')) ?? '';

const serverBody: ServerBody = {
  type: 'container',
  name: 'web one',
  hostname: 'web-one',
  projectId: 'project-1',
  userId: 'user-1',
  vcpus: 1,
  memoryMib: 64,
  rootGib: 0,
  image: {
    id: '70a599e0-31e7-49b7-b260-868f441e862b',
    diskFormat: 'raw',
    containerFormat: 'docker',
    hash: '0'.repeat(128),
    size: 1,
  },
  ports: [{ portId: 'port-1', mac: portBody(1).mac }],
  power: 'running',
  rebootCount: 0,
  rebootHard: false,
  properties: {},
  metadata: {
    availabilityZone: 'zone-1',
    meta: { role: 'web' },
    keys: [{ name: 'key-1', type: 'ssh', data: 'ssh-ed25519 AAAA' }],
    userData: Buffer.from('#!/bin/sh\necho hello\n').toString('base64'),
    createdAt: 0,
  },
};
const metadata: MetadataSource = (networkId, sourceIp) =>
  networkId === 'network-1' && sourceIp === '10.20.0.11'
    ? { serverId: '8f2b1c3d-0000-4000-8000-000000000001', body: serverBody }
    : null;

describe('the Linux network driver moves real packets', { timeout: 30_000 }, () => {
  let driver: NetworkDriver;
  const group = (id: string, ...rules: Parameters<typeof ruleBody>[1][]): Promise<void> =>
    driver.ensureSecurityGroup(id, {
      stateful: true,
      rules: [...egressRules, ...rules.map((rule, i) => ruleBody(`rule-${i}`, rule))],
    });
  const external1: NetworkBody = networkBody({
    segment: 9,
    mtu: 1500,
    external: true,
    subnets: [
      subnetBody({
        id: 'external-subnet',
        cidr: `${external}.0/24`,
        gatewayIp: `${external}.1`,
        enableDhcp: false,
        dhcpIp: null,
        dhcpMac: null,
        dnsNameservers: [],
      }),
    ],
  });
  const gateway = {
    portId: 'router-gateway',
    networkId: 'external',
    mac: 'fa:16:3e:00:02:fe',
    addresses: [`${external}.10/24`],
    nexthop: `${external}.1`,
    snat: true,
  };

  beforeAll(async () => {
    driver = createLinuxNetworkDriver(options(cloudId, external));
    await driver.start(metadata);
    await driver.ensureNetwork('network-1', networkBody());
    await driver.ensureNetwork('external', external1);
    await driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.11', '10.20.0.12'] });
    await group('group-1');
    await driver.ensurePort('port-1', portBody(1));
    await driver.ensurePort('port-2', portBody(2));
  }, 30_000);
  afterAll(async () => {
    await driver.close();
    await teardownLinuxNetwork({ dataDir: '/nonexistent', cloudId });
  }, 30_000);

  test('a container’s interface has its address, MTU, routes and name servers', async () => {
    const [link] = JSON.parse((await inside(guest(1), 'ip', '-j', 'addr', 'show', 'dev', 'eth0')) ?? '[]');
    expect(link).toMatchObject({ address: portBody(1).mac, mtu: 1450, operstate: 'UP' });
    expect(link.addr_info[0]).toMatchObject({ local: '10.20.0.11', prefixlen: 24 });
    const routes = await inside(guest(1), 'ip', 'route');
    expect(routes).toContain('default via 10.20.0.1 dev eth0');
    expect(routes).toContain('169.254.169.254 via 10.20.0.2 dev eth0');
    expect(await inside(guest(1), 'cat', '/etc/resolv.conf')).toBe('nameserver 192.0.2.53\n');
  });

  test('two ports of one network do not reach each other before a rule allows it, and are cut off when it goes', async () => {
    expect(await reaches(guest(1), '10.20.0.12')).toBe(false);
    await group('group-1', { protocol: 1 });
    expect(await reaches(guest(1), '10.20.0.12')).toBe(true);
    const ping = inside(guest(1), 'ping', '-c', '12', '-i', '0.2', '-W', '1', '10.20.0.12');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await group('group-1');
    await ping;
    expect(await inside(names.switchNs, 'conntrack', '-L', '-p', 'icmp')).not.toContain('dst=10.20.0.12');
    expect(await reaches(guest(1), '10.20.0.12')).toBe(false);
  });

  test('a rule for a remote group follows the members of that group', async () => {
    await group('group-1', { protocol: 1, remoteGroupId: 'group-1' });
    expect(await reaches(guest(1), '10.20.0.12')).toBe(true);
    await driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.12'] });
    expect(await reaches(guest(1), '10.20.0.12')).toBe(false);
    await driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.12', '10.20.0.0/28'] });
    expect(await reaches(guest(1), '10.20.0.12')).toBe(true);
  });

  test('an open connection survives changes that do not concern it, and a port rule admits only its port', async () => {
    await group('group-1', { protocol: 6, portMin: 7000, portMax: 7000 });
    const server = exec(
      'ip',
      ['netns', 'exec', guest(2), 'timeout', '20', 'busybox', 'nc', '-l', '-p', '7000'],
      { timeout: 20_000 },
    ).catch(() => null);
    const client = execFile('ip', [
      'netns',
      'exec',
      guest(1),
      'timeout',
      '20',
      'busybox',
      'nc',
      '10.20.0.12',
      '7000',
    ]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.stdin?.write('one\n');
    await group('group-1', { protocol: 6, portMin: 7000, portMax: 7000 }, { protocol: 17 });
    await driver.ensurePort('port-3', portBody(3));
    await driver.removePort('port-3');
    client.stdin?.end('two\n');
    expect((await server)?.stdout).toBe('one\ntwo\n');
    expect(
      await inside(guest(1), 'timeout', '2', 'busybox', 'nc', '-w', '1', '10.20.0.12', '7001', '-e', 'true'),
    ).toBe(null);
  });

  test('tenants with the same addresses do not meet', async () => {
    await driver.ensureNetwork('network-2', networkBody({ segment: 8 }));
    await driver.ensureSecurityGroup('group-2', {
      stateful: true,
      rules: [...egressRules, ruleBody('any', { protocol: 1 })],
    });
    const other = (n: number): PortBody =>
      portBody(n, { networkId: 'network-2', securityGroupIds: ['group-2'], serverId: `server-b${n}` });
    await driver.ensurePort('port-b1', other(1));
    await driver.ensurePort('port-b2', other(2));
    await group('group-1');
    expect(await reaches(guest('b1'), '10.20.0.12')).toBe(true);
    expect(await reaches(guest(1), '10.20.0.12')).toBe(false);
    // Datagrams above the MTU are put together within their tenant's zone.
    expect(await inside(guest('b1'), 'ping', '-c', '1', '-W', '1', '-s', '4000', '10.20.0.12')).not.toBe(
      null,
    );
    const zones = new Set(
      (await inside(names.switchNs, 'conntrack', '-L', '-p', 'icmp'))?.match(/zone=\d+/g),
    );
    expect(zones.size).toBeGreaterThanOrEqual(1);
    for (const n of [1, 2]) await driver.removePort(`port-b${n}`);
    await driver.removeSecurityGroup('group-2');
    await driver.removeNetwork('network-2');
  });

  test('a guest that forges its address, its MAC or an ARP answer is not heard, nor one that plays DHCP server or router', async () => {
    await group('group-1', { protocol: 1 }, { protocol: 17 }, { ethertype: 'IPv6' });
    expect(await reaches(guest(1), '10.20.0.12')).toBe(true);
    const received = async (): Promise<number> =>
      Number((await inside(guest(2), 'cat', '/sys/class/net/eth0/statistics/rx_packets'))?.trim());
    const heard = async (send: () => Promise<unknown>): Promise<number> => {
      const before = await received();
      await send();
      await new Promise((resolve) => setTimeout(resolve, 150));
      return (await received()) - before;
    };
    const silent = async (forge: () => Promise<unknown>): Promise<void> => expect(await heard(forge)).toBe(0);
    expect(
      await heard(() => inside(guest(1), 'busybox', 'arping', '-U', '-c', '2', '-I', 'eth0', '10.20.0.11')),
    ).toBe(2);
    // Known neighbours, so that nothing but the forged frames is sent.
    for (const [n, peer] of [
      [1, 2],
      [2, 1],
    ] as const)
      await inside(
        guest(n),
        'ip',
        'neigh',
        'replace',
        `10.20.0.1${peer}`,
        'lladdr',
        portBody(peer).mac,
        'dev',
        'eth0',
        'nud',
        'permanent',
      );
    await inside(guest(1), 'ip', 'addr', 'add', '10.20.0.77/24', 'dev', 'eth0');
    await silent(() =>
      inside(guest(1), 'ping', '-c', '2', '-i', '0.2', '-W', '1', '-I', '10.20.0.77', '10.20.0.12'),
    );
    await silent(() => inside(guest(1), 'busybox', 'arping', '-U', '-c', '2', '-I', 'eth0', '10.20.0.77'));
    await inside(guest(1), 'ip', 'addr', 'del', '10.20.0.77/24', 'dev', 'eth0');
    await silent(() => inside(guest(1), 'sh', '-c', 'echo offer | busybox nc -u -w 1 -p 67 10.20.0.12 68'));
    await inside(guest(1), 'ip', 'link', 'set', 'eth0', 'address', 'fa:16:3e:66:66:66');
    await inside(
      guest(1),
      'ip',
      'neigh',
      'replace',
      '10.20.0.12',
      'lladdr',
      portBody(2).mac,
      'dev',
      'eth0',
      'nud',
      'permanent',
    );
    await silent(() => reaches(guest(1), '10.20.0.12'));
    await inside(guest(1), 'ip', 'link', 'set', 'eth0', 'address', portBody(1).mac);
    await inside(
      guest(1),
      'ip',
      'route',
      'replace',
      'default',
      'via',
      '10.20.0.1',
      'dev',
      'eth0',
      'metric',
      '100',
      'onlink',
    );
    await inside(
      guest(1),
      'ip',
      'route',
      'replace',
      '169.254.169.254',
      'via',
      '10.20.0.2',
      'dev',
      'eth0',
      'metric',
      '100',
      'onlink',
    );
    expect(await reaches(guest(1), '10.20.0.12')).toBe(true);
    for (const n of [1, 2]) await inside(guest(n), 'ip', 'neigh', 'flush', 'all');
  });

  test('an allowed address pair widens what a guest may send, and port security off lifts it all', async () => {
    await group('group-1', { protocol: 1 });
    await inside(guest(1), 'ip', 'addr', 'add', '10.20.0.99/24', 'dev', 'eth0');
    const from99 = async (): Promise<boolean> =>
      (await inside(guest(1), 'ping', '-c', '1', '-W', '1', '-I', '10.20.0.99', '10.20.0.12')) !== null;
    expect(await from99()).toBe(false);
    await driver.ensurePort('port-1', portBody(1, { allowedAddressPairs: [{ ipAddress: '10.20.0.96/28' }] }));
    expect(await from99()).toBe(false); // 10.20.0.99 is not a fixed IP: the driver has taken the guest's own address off again
    await inside(guest(1), 'ip', 'addr', 'add', '10.20.0.99/24', 'dev', 'eth0');
    expect(await from99()).toBe(true);
    await driver.ensurePort('port-1', portBody(1, { portSecurity: false }));
    await inside(guest(1), 'ip', 'addr', 'add', '10.20.0.99/24', 'dev', 'eth0');
    expect(await from99()).toBe(true);
    await driver.ensurePort('port-1', portBody(1));
    expect(await inside(guest(1), 'ip', 'addr', 'show', 'dev', 'eth0')).not.toContain('10.20.0.99');
  });

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
        '#!/bin/sh\necho "$1 ip=$ip mask=$mask router=$router dns=$dns mtu=$mtu routes=$staticroutes host=$hostname"\n';
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
      // Another guest with the same address later: dnsmasq must not keep it for the first.
      await driver.removePort('port-5');
      await driver.ensurePort('port-6', portBody(6, { plug: 'tap', fixedIps: portBody(5).fixedIps }));
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
      expect(
        await inside(spare, 'busybox', 'udhcpc', '-i', 'eth0', '-n', '-q', '-t', '5', '-T', '1', '-s', file),
      ).toContain('bound ip=10.20.0.15');
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

  test('a router joins two networks, hides them behind its gateway, and gives floating IPs that also work from inside', async () => {
    await group('group-1', { protocol: 1 });
    await driver.ensureNetwork(
      'network-3',
      networkBody({
        segment: 10,
        subnets: [
          subnetBody({
            id: 'subnet-3',
            cidr: '10.30.0.0/24',
            gatewayIp: '10.30.0.1',
            dhcpIp: '10.30.0.2',
            dhcpMac: 'fa:16:3e:00:00:03',
          }),
        ],
      }),
    );
    await driver.ensurePort(
      'port-31',
      portBody(31, { networkId: 'network-3', fixedIps: [{ subnetId: 'subnet-3', ipAddress: '10.30.0.31' }] }),
    );
    const second = {
      portId: 'router-port-3',
      networkId: 'network-3',
      mac: 'fa:16:3e:00:02:03',
      addresses: ['10.30.0.1/24'],
    };
    const body = routerBody({ interfaces: [...routerBody().interfaces, second] });
    await driver.ensureRouter('router-1', body);
    expect(await reaches(guest(1), '10.30.0.31')).toBe(true);
    expect(await reaches(guest(1), `${external}.1`)).toBe(false);

    await driver.ensureRouter('router-1', { ...body, gateway });
    const peer = async (n: number): Promise<string | undefined> => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen({ host: `${external}.1`, port: 0 }, resolve));
      const seen = new Promise<string | undefined>((resolve) =>
        server.once('connection', (socket) => {
          resolve(socket.remoteAddress);
          socket.destroy();
        }),
      );
      const { port } = server.address() as AddressInfo;
      await inside(guest(n), 'timeout', '3', 'busybox', 'nc', '-w', '1', `${external}.1`, `${port}`);
      const timeout = new Promise<undefined>((resolve) => setTimeout(resolve, 1_000));
      return Promise.race([seen, timeout]).finally(() => server.close());
    };
    expect(await peer(1)).toBe(`${external}.10`);

    const floating = (n: number, fixed: string) => ({
      id: `floating-${n}`,
      floatingAddress: `${external}.${n}`,
      fixedAddress: fixed,
    });
    expect(await reaches(names.networkNs('network-1'), `${external}.50`)).toBe(false);
    await driver.ensureRouter('router-1', { ...body, gateway, floatingIps: [floating(50, '10.20.0.12')] });
    const host = async (n: number): Promise<boolean> =>
      exec('ping', ['-c', '1', '-W', '1', `${external}.${n}`]).then(
        () => true,
        () => false,
      );
    expect(await host(50)).toBe(true);
    expect(await reaches(guest(1), `${external}.50`)).toBe(true); // hairpin, same network
    expect(await reaches(guest(31), `${external}.50`)).toBe(true); // hairpin, other network
    expect(await peer(2)).toBe(`${external}.50`);
    // The fixed address itself is private.
    await exec('ip', ['route', 'add', '10.20.0.0/24', 'via', `${external}.10`]);
    expect(
      await exec('ping', ['-c', '1', '-W', '1', '10.20.0.12']).then(
        () => true,
        () => false,
      ),
    ).toBe(false);
    await exec('ip', ['route', 'del', '10.20.0.0/24', 'via', `${external}.10`]);

    // A flow over one floating IP lives through changes of another, and dies with its own.
    const ping = exec('ping', ['-c', '10', '-i', '0.2', '-W', '1', `${external}.50`]).then(
      ({ stdout }) => stdout,
    );
    await driver.ensureRouter('router-1', {
      ...body,
      gateway,
      floatingIps: [floating(50, '10.20.0.12'), floating(51, '10.30.0.31')],
    });
    await driver.ensureRouter('router-1', { ...body, gateway, floatingIps: [floating(50, '10.20.0.12')] });
    expect(await ping).toContain(' 0% packet loss');
    const cut = exec('ping', ['-c', '8', '-i', '0.2', '-W', '1', `${external}.50`]).then(
      ({ stdout }) => stdout,
      (error: { stdout: string }) => error.stdout,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    await driver.ensureRouter('router-1', { ...body, gateway });
    expect(await cut).not.toContain(' 0% packet loss');
    expect(await host(50)).toBe(false);

    await driver.removePort('port-31');
    await driver.ensureRouter('router-1', routerBody());
    await driver.removeNetwork('network-3');
    await driver.removeRouter('router-1');
    expect(await readdir('/run/netns')).not.toContain(names.routerNs('router-1'));
  });

  test('an object that is refused leaves itself as it was and all others alone', async () => {
    await group('group-1', { protocol: 1 });
    await expect(group('group-1', { protocol: 112, portMin: 1, portMax: 2 })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('protocol 112'),
    });
    await expect(driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.300'] })).rejects.toMatchObject({
      code: 'refused',
    });
    await expect(
      driver.ensurePort('port-8', portBody(8, { allowedAddressPairs: [{ ipAddress: '10.0.0.0/33' }] })),
    ).rejects.toMatchObject({ code: 'refused' });
    await expect(
      driver.ensureNetwork(
        'network-9',
        networkBody({ subnets: [subnetBody({ dnsNameservers: ['1.1.1.1\ndhcp-script=/bin/sh'] })] }),
      ),
    ).rejects.toMatchObject({ code: 'refused' });
    expect(await reaches(guest(1), '10.20.0.12')).toBe(true);
    expect((await driver.observe()).networks).toEqual(['external', 'network-1']);
    expect((await driver.observe()).ports).toEqual(['port-1', 'port-2']);
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
    driver = createLinuxNetworkDriver(options(cloudId, external));
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
    await driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.12', '10.20.0.0/28'] });
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
    driver = createLinuxNetworkDriver(options(cloudId, external));
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
