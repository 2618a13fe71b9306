// QoS with real traffic: limits bite in both directions, at ports and at floating addresses, change live, outlive the
// agent and go away; marks are on the packets. Rates are compared with the same transfer without a limit.
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PortBody, RouterBody } from '../../../../protocol/items.ts';
import { networkBody, portBody, routerBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
import { ifbOf, vethOf } from './names.ts';
import {
  applyGroup,
  createDriver,
  external,
  external1,
  gateway,
  guest,
  inside,
  metadata,
  names,
  setUp,
  tearDown,
} from './packets.fixture.ts';

const receiver = `
const server = require('node:net').createServer((socket) => {
  let bytes = 0, first = 0n, last = 0n;
  socket.on('data', (data) => { last = process.hrtime.bigint(); if (first === 0n) first = last; bytes += data.length; });
  socket.on('error', () => {});
  socket.on('close', () => { console.log('rate ' + bytes * 8 / (Number(last - first) / 1e9) / 1e6); process.exit(); });
}).listen(Number(process.argv[1]), '0.0.0.0', () => console.log('listening'));`;
const sender = `
const socket = require('node:net').connect({ host: process.argv[1], port: Number(process.argv[2]) });
socket.end(Buffer.alloc(Number(process.argv[3])));`;

describe('QoS', { timeout: 120_000 }, () => {
  let driver: NetworkDriver;
  let nextPort = 9_000;
  /** Mbit/s of `bytes` from one namespace (null: the host) to a receiver in another, reached at `address`. */
  async function rate(
    from: string | null,
    to: string | null,
    address: string,
    bytes: number,
  ): Promise<number> {
    const port = nextPort++;
    const run = (ns: string | null, code: string, ...args: string[]) => {
      const command = [
        ...(ns === null ? ['env'] : ['ip', 'netns', 'exec', ns]),
        process.execPath,
        '-e',
        code,
        ...args,
      ];
      return spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    };
    const end = run(to, receiver, `${port}`);
    let text = '';
    const heard = (what: RegExp): Promise<string> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = what.exec(text);
          if (match !== null) resolve(match[1] ?? '');
        };
        end.stdout.on('data', (data: Buffer) => {
          text += data.toString();
          look();
        });
        end.on('exit', () => setTimeout(() => reject(new Error(`no ${what}: ${text}`)), 100));
        look();
      });
    await heard(/listening/);
    const measured = heard(/rate (\S+)/);
    const start = run(from, sender, address, `${port}`, `${bytes}`);
    try {
      return Number(await measured);
    } finally {
      start.kill('SIGKILL');
      end.kill('SIGKILL');
    }
  }
  const MiB = 1024 * 1024;
  const out = (bytes = 2 * MiB): Promise<number> => rate(guest(1), guest(2), '10.20.0.12', bytes);
  const into = (bytes = 2 * MiB): Promise<number> => rate(guest(2), guest(1), '10.20.0.11', bytes);
  /** A limit of 10 Mbit/s, on a machine of whatever load. */
  const limited = (mbit: number): boolean => mbit > 1 && mbit < 20;
  const ensure = (over: Partial<PortBody>) => driver.ensurePort('port-1', portBody(1, over));
  const qdiscs = async (): Promise<string> =>
    (await inside(names.switchNs, 'tc', 'qdisc', 'show', 'dev', vethOf('port-1'))) ?? '';

  beforeAll(async () => {
    driver = await setUp();
    await applyGroup(driver, 'group-1', { protocol: 6 }, { protocol: 1 });
  }, 30_000);
  afterAll(() => tearDown(driver), 30_000);

  test('a port’s limit bites in each direction, changes while traffic flows, outlives the agent, and goes away', async () => {
    const [freeOut, freeIn] = [await out(16 * MiB), await into(16 * MiB)];
    await ensure({ egressKbps: 10_000 });
    const [slowOut, fastIn] = [await out(), await into(16 * MiB)];
    expect([limited(slowOut), freeOut > 3 * slowOut, fastIn > 3 * slowOut]).toEqual([true, true, true]);
    await ensure({ ingressKbps: 10_000, ingressBurstKb: 1_000 });
    const [fastOut, slowIn] = [await out(16 * MiB), await into()];
    expect([limited(slowIn), freeIn > 3 * slowIn, fastOut > 3 * slowIn]).toEqual([true, true, true]);

    await ensure({ egressKbps: 10_000, ingressKbps: 10_000 });
    const before = await qdiscs();
    expect(before).toContain('tbf');
    await driver.close();
    driver = createDriver();
    await driver.start(metadata);
    await driver.ensureNetwork('network-1', networkBody());
    await driver.ensureNetwork('external', external1);
    expect(await qdiscs()).toBe(before);
    await ensure({ egressKbps: 10_000, ingressKbps: 10_000 });
    expect(await qdiscs()).toBe(before);
    expect([limited(await out()), limited(await into())]).toEqual([true, true]);

    const running = out(3 * MiB); // two and a half seconds at 10 Mbit/s
    await new Promise((resolve) => setTimeout(resolve, 300));
    await ensure({});
    expect(await running).toBeGreaterThan(11);
    expect(await qdiscs()).not.toContain('tbf');
    expect(await inside(names.switchNs, 'ip', 'link', 'show', ifbOf('port-1'))).toBe(null);
  });

  test('a mark is on what the guest sends, and only on that', async () => {
    const marked = async (n: number): Promise<number> => {
      const listing = (await inside(guest(n), 'nft', 'list', 'table', 'ip', 'seen')) ?? '';
      return Number(/dscp \S+ counter packets (\d+)/.exec(listing)?.[1] ?? '-1');
    };
    for (const n of [1, 2])
      await inside(
        guest(n),
        'nft',
        'add table ip seen; add chain ip seen input { type filter hook input priority 0; }; add rule ip seen input ip dscp af31 counter',
      );
    await inside(guest(1), 'ping', '-c', '1', '-W', '1', '10.20.0.12');
    expect([await marked(1), await marked(2)]).toEqual([0, 0]);
    await ensure({ dscpMark: 26 });
    expect(await inside(guest(1), 'ping', '-c', '2', '-i', '0.2', '-W', '1', '10.20.0.12')).toContain(
      ' 0% packet loss',
    );
    // An echo carries the mark of its request back: the kernel of guest 2 copies it.
    expect(await marked(2)).toBe(2);
    await ensure({});
    await inside(guest(1), 'ping', '-c', '1', '-W', '1', '10.20.0.12');
    expect(await marked(2)).toBe(2);
  });

  test('a floating address has limits of its own in each direction; another one of the same router has none', async () => {
    const address = (n: number): string => `${external}.${n}`;
    const floating = (n: number, fixed: string) => ({
      id: `floating-${n}`,
      floatingAddress: address(n),
      fixedAddress: fixed,
    });
    const apply = (addressLimits: NonNullable<RouterBody['addressLimits']>): Promise<void> =>
      driver.ensureRouter(
        'router-1',
        routerBody({
          gateway,
          floatingIps: [floating(71, '10.20.0.11'), floating(72, '10.20.0.12')],
          addressLimits,
        }),
      );
    await apply([]);
    const free = await rate(null, guest(1), address(71), 16 * MiB);
    await apply([{ address: address(71), ingressKbps: 10_000 }]);
    const slowIn = await rate(null, guest(1), address(71), 2 * MiB);
    const other = await rate(null, guest(2), address(72), 16 * MiB);
    const fastOut = await rate(guest(1), null, `${external}.1`, 16 * MiB);
    expect([limited(slowIn), free > 3 * slowIn, other > 3 * slowIn, fastOut > 3 * slowIn]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    await apply([{ address: address(71), egressKbps: 10_000 }]);
    const slowOut = await rate(guest(1), null, `${external}.1`, 2 * MiB);
    const fastIn = await rate(null, guest(1), address(71), 16 * MiB);
    expect([limited(slowOut), fastIn > 3 * slowOut]).toEqual([true, true]);
    await apply([]);
    expect(await inside(names.routerNs('router-1'), 'tc', 'qdisc')).not.toMatch(/htb|ingress/);
    expect(await rate(guest(1), null, `${external}.1`, 16 * MiB)).toBeGreaterThan(3 * slowOut);
  });
});
