// The packet filter with real packets between containers: what is let through, cut off, and never believed.
import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PortBody } from '../../../../protocol/items.ts';
import { egressRules, networkBody, portBody, ruleBody, subnetBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
import { applyGroup, exec, guest, inside, names, reaches, setUp, tearDown } from './packets.fixture.ts';

describe('the packet filter', { timeout: 30_000 }, () => {
  let driver: NetworkDriver;
  const group = (id: string, ...rules: Parameters<typeof ruleBody>[1][]): Promise<void> =>
    applyGroup(driver, id, ...rules);
  beforeAll(async () => {
    driver = await setUp();
  }, 30_000);
  afterAll(() => tearDown(driver), 30_000);

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
    // 7000, as the kernel lists who listens.
    await inside(guest(2), 'sh', '-c', 'until grep -q :1B58 /proc/net/tcp*; do sleep 0.05; done');
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
    // IPv6 sends of its own accord, which would be counted.
    for (const n of [1, 2]) await inside(guest(n), 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
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
});
