// A router with real packets: between networks, out by SNAT, in by floating IPs, and back again inside.
import { readdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkBody, portBody, routerBody, type ruleBody, subnetBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
import {
  applyGroup,
  exec,
  external,
  gateway,
  guest,
  inside,
  names,
  reaches,
  setUp,
  tearDown,
} from './packets.fixture.ts';

describe('a router', { timeout: 30_000 }, () => {
  let driver: NetworkDriver;
  const group = (id: string, ...rules: Parameters<typeof ruleBody>[1][]): Promise<void> =>
    applyGroup(driver, id, ...rules);
  beforeAll(async () => {
    driver = await setUp();
  }, 30_000);
  afterAll(() => tearDown(driver), 30_000);

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
      await new Promise<void>(
        (resolve) => void server.listen({ host: `${external}.1`, port: 0 }, () => resolve()),
      );
      const seen = new Promise<string | undefined>((resolve) => {
        server.once('connection', (socket) => {
          resolve(socket.remoteAddress);
          socket.destroy();
        });
      });
      const { port } = server.address() as AddressInfo;
      await inside(guest(n), 'timeout', '3', 'busybox', 'nc', '-w', '1', `${external}.1`, `${port}`);
      const timeout = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 1_000));
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
});
