// Compute with one fake host behind a real socket, on a clock that jumps: the set-up of the tests of consoles.
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { systemClock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Rights } from '../kernel/policy.ts';
import { openTestDatabase, type Engine } from './database.ts';
import { testActor, testPlatform, testServer, type Answer } from './http.ts';
import { eventually, fakeCloud, fakeHost } from '../control/compute/fakes.ts';
import { computeQuotas, createComputeService } from '../control/compute/index.ts';

const base = '/compute/v2.1';
const since = (version: string) => ({ 'openstack-api-version': `compute ${version}` });
/** How often open consoles are looked at: here, when the test says so. */
const LOOK_MS = 5_000;

/** A WebSocket with what it was told. */
export function client(url: string, options: { origin?: string; protocols?: string[] } = {}) {
  const { origin, protocols = [] } = options;
  const socket = new WebSocket(url, protocols, origin === undefined ? {} : { origin });
  let text = '';
  socket.on('message', (data: Buffer) => (text += data.toString('latin1')));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    socket.once('error', (error) => resolve({ code: 0, reason: error.message }));
  });
  const opened = new Promise<void>((resolve) => socket.once('open', () => resolve()));
  return {
    socket,
    opened,
    closed,
    said: () => text,
    says: (what: string) =>
      eventually(
        async () => text,
        (all) => all.includes(what),
      ),
  };
}

export async function consoleCloud(engine: Engine) {
  const database = await openTestDatabase(engine);
  const lines: string[] = [];
  const write = (fields: object, message: string): void =>
    void lines.push(`${JSON.stringify(fields)} ${message}`);
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  let shift = 0;
  const looks = new Set<() => void>();
  const clock = {
    now: () => Date.now() + shift,
    timer(ms: number, fire: () => void) {
      if (ms !== LOOK_MS) return systemClock.timer(ms, fire);
      looks.add(fire);
      return () => void looks.delete(fire);
    },
  };
  const platform = { ...testPlatform(database.db, computeQuotas, clock), log };
  const lost = new Set<string>();
  const cloud = {
    ...fakeCloud(platform),
    stillHolds: ({ subjects }: Rights) => !subjects.some((subject) => lost.has(subject)),
  };
  const compute = createComputeService(platform, cloud);
  const server = await testServer(platform, [compute.service], {
    alice: { ...testActor('alice', 'p1'), rights: { subjects: ['user alice'], sequence: 0 } },
    bob: testActor('bob', 'p2'),
    root: testActor('root', 'p0', ['admin']),
    reader: testActor('reader', 'p1', ['reader']),
  });
  await compute.bootstrap();
  const host = await fakeHost(cloud.hosts.link, 'node-1');
  cloud.placement.hosts.set('node-1', host.id);
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.app.server.address() as AddressInfo;

  const call = (as: string, method: string, path: string, body?: unknown, version = '2.96') =>
    server.call(as, method, `${base}${path}`, body, since(version));
  const create = async (imageRef: string): Promise<string> => {
    const made = await call('alice', 'POST', '/servers', {
      server: { name: 'web', flavorRef: '1', imageRef, networks: 'none' },
    });
    const { id } = made.json.server;
    await eventually(
      async () => (await call('alice', 'GET', `/servers/${id}`)).json.server,
      (one) => one.status === 'ACTIVE',
    );
    return id;
  };
  const ask = (id: string, protocol: string, type: string, as = 'alice', version = '2.96'): Promise<Answer> =>
    call(as, 'POST', `/servers/${id}/remote-consoles`, { remote_console: { protocol, type } }, version);
  const tokenFor = async (id: string, protocol = 'serial', type = 'serial'): Promise<string> => {
    const { url } = (await ask(id, protocol, type)).json.remote_console;
    return /token(?:=|%3D)([\w-]{43})$/.exec(url)?.[1] ?? '';
  };
  return {
    database,
    platform,
    server,
    host,
    lines,
    port,
    call,
    create,
    ask,
    tokenFor,
    /** A console's WebSocket with this token. */
    connect: (token: string, options?: Parameters<typeof client>[1]) =>
      client(`ws://127.0.0.1:${port}/console?token=${token}`, options),
    pass: (ms: number) => void (shift += ms),
    look: () => {
      for (const fire of looks) {
        looks.delete(fire);
        fire();
      }
    },
    lose: (subject: string) => void lost.add(subject),
    async close() {
      await server.close();
      await database.remove();
    },
  };
}
export type ConsoleCloud = Awaited<ReturnType<typeof consoleCloud>>;
