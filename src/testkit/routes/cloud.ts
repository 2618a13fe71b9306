// A whole cloud in this process for tests of the API's surface: the real control plane and one real agent with
// simulated drivers, on the real clock, spoken to over HTTP without a socket.
import { fileObjects } from '../../control/volume/index.ts';
import { volumeQueries } from '../../agent/volume-export.ts';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAgent, type Agent } from '../../agent/agent.ts';
import { guestVolumes } from '../../agent/controllers/guest-volumes.ts';
import { networkingControllers, type Plugged } from '../../agent/controllers/networking.ts';
import { serverController } from '../../agent/controllers/server.ts';
import { volumeControllers } from '../../agent/controllers/volume.ts';
import type { GuestDriver, GuestType } from '../../agent/drivers/guest/driver.ts';
import { createSimGuestDriver } from '../../agent/drivers/guest/sim/sim.ts';
import { createSimNetworkDriver } from '../../agent/drivers/network/sim/driver.ts';
import { createSimVolumeDriver } from '../../agent/drivers/volume/sim/driver.ts';
import { noImageCache } from '../../agent/image-cache.ts';
import { memoryItemStore } from '../../agent/item-store.ts';
import { createControl, type Control } from '../../control/app.ts';
import { systemClock } from '../../kernel/clock.ts';
import { seededIds, seededRng } from '../../kernel/ids.ts';
import { silentLog, type Log } from '../../kernel/log.ts';
import { openTestDatabase, type Engine } from '../database.ts';
import type { Answer } from '../http.ts';
import { createSimHost, simServerQueries, type SimHost } from '../sim-host.ts';
import { entriesOf, type Entry } from './schema-walk.ts';

export const ADMIN_PASSWORD = 'admin-secret-of-the-test';

export type Sent = {
  method: string;
  url: string;
  headers: Record<string, string>;
  payload?: string | Buffer;
};

export type TestCloud = {
  control: Control;
  entries: readonly Entry[];
  host: SimHost;
  /** Where backups are kept. */
  backupDir: string;
  /** Errors that the control plane logged: what a 5xx does not show. */
  errors: { fields: Record<string, unknown>; message: string }[];
  send(request: Sent): Promise<Answer>;
  /** With a token (null: none) and a JSON body; `latest` microversion unless headers say otherwise. */
  call(
    token: string | null,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** As `call`, and throws when the answer is not 2xx. */
  must(
    token: string | null,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer['json']>;
  /** The token of a login by password, by default unscoped. */
  token(user: string, password: string, scope?: object): Promise<string>;
  /** Of the operator, scoped to the project admin. */
  admin: string;
  /** Waits until reconciliation has nothing due and the agent is idle. */
  settle(): Promise<void>;
  close(): Promise<void>;
};

const memoryDir = (): string =>
  mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'strata-cloud-'));

const size = { vcpus: 4096, memoryMib: 16_777_216, diskGib: 1_000_000 };

async function startSimHost(
  control: Control,
): Promise<{ host: SimHost; agent: Agent; pulled(): number; stop(): Promise<void> }> {
  const host = createSimHost('sim-host', systemClock, size);
  const drivers = new Map<GuestType, GuestDriver>(
    (['vm', 'container'] as const).map((type) => [type, createSimGuestDriver(host.guests, type)]),
  );
  const network = createSimNetworkDriver(host.network);
  const plugged: Plugged = new Map();
  const guests = await Promise.all([...drivers.values()].map((driver) => driver.probe()));
  const volumes = createSimVolumeDriver(host.volumes);
  const server = serverController({
    drivers,
    images: noImageCache,
    plugged,
    volumes: guestVolumes(volumes),
    clock: systemClock,
  });
  let revision = 0;
  const agent = createAgent({
    link: {
      ...control.link,
      async pull(hostId, since) {
        const answer = await control.link.pull(hostId, since);
        revision = answer.revision;
        return answer;
      },
    },
    clock: systemClock,
    log: silentLog,
    facts: {
      hostname: host.hostname,
      architecture: 'x86_64',
      ...size,
      address: '127.0.0.1',
      cpuModel: 'simulated',
      guests,
      volumes: await volumes.probe(),
    },
    queries: {
      ...volumeQueries(volumes),
      ...simServerQueries(host, drivers, server, () => agent),
    },
    store: memoryItemStore(host.items),
    controllers: {
      ...networkingControllers(network, plugged, host.hostname),
      server,
      ...volumeControllers({
        driver: volumes,
        images: noImageCache,
        clock: systemClock,
        syncVolume: server.syncVolume,
      }),
    },
    boot: 'boot-1',
  });
  await network.start(() => null);
  await agent.start();
  return {
    host,
    agent,
    pulled: () => revision,
    async stop() {
      await agent.stop();
      await Promise.all([...drivers.values()].map((driver) => driver.close()));
      await network.close();
    },
  };
}

export async function openTestCloud(engine: Engine, seed = 1): Promise<TestCloud> {
  const database = await openTestDatabase(engine);
  const dir = memoryDir();
  const errors: TestCloud['errors'] = [];
  const log: Log = {
    ...silentLog,
    error: (fields, message) => void errors.push({ fields: fields as Record<string, unknown>, message }),
    child: () => log,
  };
  const rng = seededRng(seed);
  const control = await createControl({
    db: database.db,
    clock: systemClock,
    ids: seededIds(rng),
    rng,
    log,
    publicUrl: 'http://cloud.test',
    region: 'RegionOne',
    version: 'test',
    keyDir: join(dir, 'keys'),
    imageDir: join(dir, 'images'),
    backups: fileObjects(join(dir, 'backups')),
    passwords: { admin: ADMIN_PASSWORD, demo: 'demo-secret-of-the-test' },
    external: { cidr: '172.24.0.0/16', gateway: '172.24.0.1' },
  });
  const simulated = await startSimHost(control);

  const send: TestCloud['send'] = async ({ method, url, headers, payload }) => {
    const answer = await control.http.inject({
      method: method as 'GET',
      url,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      get json() {
        return JSON.parse(answer.body) as unknown;
      },
    };
  };
  const call: TestCloud['call'] = (token, method, url, body, headers = {}) =>
    send({
      method,
      url,
      headers: {
        ...(token === null ? {} : { 'x-auth-token': token }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        'openstack-api-version': 'compute latest, volume latest',
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
    });
  const must: TestCloud['must'] = async (token, method, url, body, headers) => {
    const answer = await call(token, method, url, body, headers);
    if (answer.status < 200 || answer.status > 299)
      throw new Error(
        `${method} ${url} answered ${answer.status}: ${answer.text.slice(0, 500)} ${JSON.stringify(errors.at(-1) ?? '')}`,
      );
    return answer.text === '' ? undefined : answer.json;
  };
  const token: TestCloud['token'] = async (user, password, scope) => {
    const who = /^[0-9a-f]{32}$/.test(user) ? { id: user } : { name: user, domain: { id: 'default' } };
    const answer = await call(null, 'POST', '/identity/v3/auth/tokens', {
      auth: {
        identity: { methods: ['password'], password: { user: { ...who, password } } },
        ...(scope === undefined ? {} : { scope }),
      },
    });
    if (answer.status !== 201)
      throw new Error(`the login of ${user} answered ${answer.status}: ${answer.text}`);
    return String(answer.headers['x-subject-token']);
  };

  return {
    control,
    host: simulated.host,
    backupDir: join(dir, 'backups'),
    entries: entriesOf(control.services),
    errors,
    send,
    call,
    must,
    token,
    admin: await token('admin', ADMIN_PASSWORD, { project: { name: 'admin', domain: { id: 'default' } } }),
    async settle() {
      const limit = performance.now() + 60_000;
      for (let quiet = 0; quiet < 3;) {
        const due = await database.db.read
          .selectFrom('work')
          .select(['kind', 'id'])
          // What somebody works on is due when its lease ends.
          .where((eb) => eb.or([eb('due_at', '<=', Date.now()), eb('lease_until', '>', Date.now())]))
          .limit(1)
          .execute();
        // What is committed is news to the agent until it has pulled it.
        const news = await database.db.read
          .selectFrom('host_items as h')
          .leftJoin('items as i', (join) => join.onRef('i.kind', '=', 'h.kind').onRef('i.id', '=', 'h.id'))
          .select('h.id')
          .where((eb) =>
            eb.or([eb('h.revision', '>', simulated.pulled()), eb('i.revision', '>', simulated.pulled())]),
          )
          .where('h.host_id', '=', simulated.agent.hostId() ?? '')
          .limit(1)
          .execute();
        quiet = due.length === 0 && news.length === 0 && simulated.agent.idle() ? quiet + 1 : 0;
        if (performance.now() > limit)
          throw new Error(
            `the cloud did not settle within a minute; due: ${JSON.stringify([...due, ...news])}, agent idle: ${simulated.agent.idle()}`,
          );
        await sleep(10);
      }
    },
    async close() {
      await simulated.stop();
      await control.stop();
      await control.identity.close?.();
      await database.remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
