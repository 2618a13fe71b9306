// Starts and stops the program under load, and gives it what servers need: an image, a network, room in the quota.
import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/kernel/run.ts';
import { signedIn, type Client } from './client.ts';
import type { Question, Settings, Started } from './sim-control.ts';

export type SimCloud = Started & {
  pid: number;
  /** Signed in as operator, and as the member of a project. */
  admin: Client;
  demo: Client;
  ask(question: Exclude<Question, 'stop'>): Promise<number>;
  stop(): Promise<void>;
};

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });

/** BENCH_PROFILE=DIR leaves a CPU profile of the process under load there. */
const profile = process.env['BENCH_PROFILE'];
// As ./up starts the program.
const execArgv = [
  '--max-semi-space-size=4',
  ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
];
const env = { ...process.env, MALLOC_ARENA_MAX: '2' };

/** The first message of a child; rejects when it ends before. */
export const firstMessage = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the process under load ended with ${code}`)));
  });

export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (child.connected) child.send('stop');
  const limit = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await gone;
  clearTimeout(limit);
}

export async function startSimCloud(
  dir: string,
  hosts: number,
  postgres: string | null = null,
): Promise<SimCloud> {
  const settings: Settings = { dir, hosts, port: await freePort(), postgres };
  const child = fork(join(import.meta.dirname, 'sim-control.ts'), [JSON.stringify(settings)], {
    execArgv,
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const started = await firstMessage<Started>(child);
    const ask: SimCloud['ask'] = (question) =>
      new Promise((resolve) => {
        child.once('message', (answer) => resolve(answer as number));
        child.send(question);
      });
    for (let tries = 0; (await ask('hosts')) < hosts; tries++) {
      if (tries > 600) throw new Error('the simulated hosts did not register');
      await sleep(100);
    }
    const { client: admin } = await signedIn(started.url, 'admin', started.passwords.admin);
    const { client: demo } = await signedIn(started.url, 'demo', started.passwords.demo);
    return {
      ...started,
      pid: child.pid ?? 0,
      admin,
      demo,
      ask,
      async stop() {
        admin.close();
        demo.close();
        await endChild(child);
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Bytes of resident memory, as the kernel counts them. */
export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;

/** Makes what a server needs in project demo; answers the body of a create. */
export async function prepareServers(cloud: SimCloud, dir: string): Promise<(name: string) => object> {
  const { admin, demo } = cloud;
  const { token } = JSON.parse(
    (await demo.send('GET', '/identity/v3/auth/tokens', undefined, { 'x-subject-token': demo.token })).text,
  ) as { token: { project: { id: string } } };
  const projectId = token.project.id;
  await admin.call('PUT', `/compute/v2.1/os-quota-sets/${projectId}`, {
    quota_set: { instances: -1, cores: -1, ram: -1 },
  });
  await admin.call('PUT', `/network/v2.0/quotas/${projectId}`, { quota: { port: -1 } });
  const { network } = await demo.call<{ network: { id: string } }>('POST', '/network/v2.0/networks', {
    network: { name: 'bench' },
  });
  await demo.call('POST', '/network/v2.0/subnets', {
    subnet: { network_id: network.id, ip_version: 4, cidr: '10.32.0.0/16' },
  });
  const file = join(dir, 'bench.qcow2');
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', file, '1M']);
  const image = await demo.call<{ id: string }>('POST', '/image/v2/images', {
    name: 'bench',
    disk_format: 'qcow2',
    container_format: 'bare',
  });
  const stored = await demo.send('PUT', `/image/v2/images/${image.id}/file`, readFileSync(file), {
    'content-type': 'application/octet-stream',
  });
  if (stored.status !== 204) throw new Error(`uploading the image: ${stored.status} ${stored.text}`);
  const { flavors } = await demo.call<{ flavors: { id: string; name: string }[] }>(
    'GET',
    '/compute/v2.1/flavors',
  );
  const flavor = flavors.find((one) => one.name === 'm1.nano') ?? flavors[0];
  return (name) => ({
    server: { name, imageRef: image.id, flavorRef: flavor?.id, networks: [{ uuid: network.id }] },
  });
}

/** Waits until `count` servers are ACTIVE; answers when that was, on performance.now()'s scale. */
export async function untilActive(cloud: SimCloud, count: number, seconds = 120): Promise<number> {
  const limit = performance.now() + seconds * 1000;
  for (;;) {
    const active = await cloud.ask('active');
    if (active >= count) return performance.now();
    if (performance.now() > limit)
      throw new Error(`${active} of ${count} servers are ACTIVE after ${seconds} s`);
    await sleep(20);
  }
}
