// Ports of one address that lead to several guests, with real connections: from outside, from inside, and after the
// forwarding went elsewhere.
import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RouterBody } from '../../../../protocol/items.ts';
import { networkBody, routerBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
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

type Forwarding = NonNullable<RouterBody['portForwardings']>[number];

/** Answers each connection with its name, and what it is sent with the same again, until it is killed. */
const service = `
const net = require('node:net');
for (const port of process.argv.slice(2))
  net.createServer((socket) => { socket.write(process.argv[1] + '\\n'); socket.on('data', (data) => socket.write(data)); socket.on('error', () => {}); })
    .listen(Number(port), '0.0.0.0', () => console.log('listening'));`;

describe('port forwardings', { timeout: 60_000 }, () => {
  let driver: NetworkDriver;
  const services: ChildProcess[] = [];
  const address = `${external}.60`;
  const forwarding = (over: Partial<Forwarding> = {}): Forwarding => ({
    floatingIpId: 'floating-60',
    floatingAddress: address,
    protocol: 'tcp',
    externalFirst: 2201,
    externalLast: 2201,
    internalAddress: '10.20.0.11',
    internalFirst: 22,
    internalLast: 22,
    ...over,
  });
  const apply = (...portForwardings: Forwarding[]): Promise<void> =>
    driver.ensureRouter('router-1', routerBody({ gateway, portForwardings }));
  const serve = async (n: number, ...ports: number[]): Promise<void> => {
    const child = spawn(
      'ip',
      ['netns', 'exec', guest(n), process.execPath, '-e', service, `guest-${n}`, ...ports.map(String)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    services.push(child);
    let listening = 0;
    await new Promise<void>((resolve) =>
      child.stdout.on('data', (data: Buffer) => {
        listening += data.toString().split('listening').length - 1;
        if (listening >= ports.length) resolve();
      }),
    );
  };
  /** The first line of whoever answers; null: nobody. */
  const ask = (port: number): Promise<string | null> =>
    new Promise((resolve) => {
      const socket = connect({ host: address, port, timeout: 1_500 });
      const end = (answer: string | null): void => {
        socket.destroy();
        resolve(answer);
      };
      socket.on('data', (data) => end(data.toString().trim()));
      socket.on('timeout', () => end(null));
      socket.on('error', () => end(null));
    });

  beforeAll(async () => {
    driver = await setUp();
    await applyGroup(driver, 'group-1', { protocol: 6 });
    await serve(1, 22, 80, 7_000);
    await serve(2, 22, 80, 8_001);
  }, 30_000);
  afterAll(async () => {
    for (const child of services) child.kill('SIGKILL');
    await tearDown(driver);
  }, 30_000);

  test('two guests answer behind one address, from outside and from their own network', async () => {
    await apply(
      forwarding(),
      forwarding({ externalFirst: 2202, externalLast: 2202, internalAddress: '10.20.0.12' }),
    );
    expect([await ask(2201), await ask(2202), await ask(2203)]).toEqual(['guest-1', 'guest-2', null]);
    // Hairpin: to a neighbour and to itself.
    const from = async (n: number, port: number): Promise<string | undefined> =>
      (
        await inside(guest(n), 'sh', '-c', `timeout 1 busybox nc ${address} ${port} </dev/zero | head -n 1`)
      )?.trim();
    expect([await from(1, 2202), await from(1, 2201)]).toEqual(['guest-2', 'guest-1']);
  });

  test('a range keeps its numbers, moves, or leads to one port', async () => {
    await apply(
      forwarding({ externalFirst: 7_000, externalLast: 7_010, internalFirst: 7_000, internalLast: 7_010 }),
      forwarding({
        externalFirst: 9_000,
        externalLast: 9_009,
        internalAddress: '10.20.0.12',
        internalFirst: 8_000,
        internalLast: 8_009,
      }),
      forwarding({ externalFirst: 3_000, externalLast: 3_100, internalFirst: 80, internalLast: 80 }),
    );
    expect([await ask(7_000), await ask(9_001), await ask(3_050)]).toEqual(['guest-1', 'guest-2', 'guest-1']);
    expect([await ask(7_001), await ask(9_000), await ask(3_101)]).toEqual([null, null, null]);
  });

  test('a changed forwarding leads elsewhere at once, for open connections too; others live on', async () => {
    const kept = forwarding({ externalFirst: 2202, externalLast: 2202, internalAddress: '10.20.0.12' });
    await apply(forwarding(), kept);
    const open = async (port: number) => {
      const socket = connect({ host: address, port });
      socket.on('error', () => {});
      const lines: string[] = [];
      const heard = new Promise<void>((resolve) =>
        socket.on('data', (data) => {
          lines.push(data.toString());
          resolve();
        }),
      );
      await heard;
      return {
        socket,
        echo: async (): Promise<boolean> => {
          const before = lines.length;
          socket.write('hello\n');
          for (let tries = 0; tries < 15 && lines.length === before; tries++)
            await new Promise((resolve) => setTimeout(resolve, 100));
          return lines.length > before;
        },
      };
    };
    const [first, second] = [await open(2201), await open(2202)];
    expect([await first.echo(), await second.echo()]).toEqual([true, true]);
    await apply(forwarding({ internalAddress: '10.20.0.12' }), kept);
    expect(await ask(2201)).toBe('guest-2');
    expect([await first.echo(), await second.echo()]).toEqual([false, true]);
    // As an agent that was restarted meanwhile: what is the same stays, what went is gone.
    await driver.close();
    driver = createDriver();
    await driver.start(metadata);
    await driver.ensureNetwork('network-1', networkBody());
    await driver.ensureNetwork('external', external1);
    await apply(kept);
    expect([await ask(2201), await ask(2202)]).toEqual([null, 'guest-2']);
    expect(await second.echo()).toBe(true);
    await apply();
    expect(await ask(2202)).toBe(null);
    expect(await second.echo()).toBe(false);
    first.socket.destroy();
    second.socket.destroy();
    expect(await inside(names.routerNs('router-1'), 'ip', '-4', 'addr')).not.toContain(address);
  });

  test('an address that is forwarded twice or associated as a whole is refused, and the router stays as it was', async () => {
    await apply(forwarding());
    await expect(apply(forwarding(), forwarding({ externalLast: 2300 }))).rejects.toMatchObject({
      code: 'refused',
    });
    await expect(
      driver.ensureRouter(
        'router-1',
        routerBody({
          gateway,
          floatingIps: [{ id: 'floating-60', floatingAddress: address, fixedAddress: '10.20.0.11' }],
          portForwardings: [forwarding()],
        }),
      ),
    ).rejects.toMatchObject({ code: 'refused' });
    expect(await ask(2201)).toBe('guest-1');
  });
});
