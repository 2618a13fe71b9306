// A real cloud for tests: ./up on a temporary data dir, as a user starts it, and what the kernel says of it.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { signIn, type ApiClient } from '../src/cli/api-client.ts';
import { run } from '../src/kernel/run.ts';

const ROOT = join(import.meta.dirname, '..');

export type Cloud = {
  dataDir: string;
  url: string;
  cloudId: string;
  /** Everything that the process printed since it was started. */
  output(): string;
  as(user: 'admin' | 'demo'): Promise<ApiClient>;
  /** SIGTERM; resolves with the milliseconds that it took. */
  stop(): Promise<number>;
  /** SIGKILL to the control plane: guests and networks stay. */
  kill(): Promise<void>;
  start(...args: string[]): Promise<void>;
  /** `./strata teardown`; answers what it printed. */
  teardown(): Promise<string>;
};

/** Starts a cloud. The caller tears it down, also when the test fails. */
export async function startCloud(...args: string[]): Promise<Cloud> {
  const dataDir = mkdtempSync(join(tmpdir(), 'strata-cloud-'));
  let child: ChildProcess | null = null;
  let output = '';
  let url = '';

  const start = async (...more: string[]): Promise<void> => {
    output = '';
    const started = spawn(join(ROOT, 'up'), ['--data-dir', dataDir, ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: '/',
    });
    child = started;
    const ready = Promise.withResolvers<void>();
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const match = /^Strata is ready at (\S+) /m.exec(output);
      if (match?.[1] !== undefined) {
        url = match[1];
        ready.resolve();
      }
    };
    started.stdout.on('data', read);
    started.stderr.on('data', read);
    started.on('exit', (code) => ready.reject(new Error(`./up ended with ${code}:\n${output}`)));
    await ready.promise;
  };

  const ended = async (signal: NodeJS.Signals): Promise<number> => {
    const began = performance.now();
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return 0;
    const exit = new Promise((resolve) => running.once('exit', resolve));
    running.kill(signal);
    await exit;
    return performance.now() - began;
  };

  const cloud: Cloud = {
    dataDir,
    get url() {
      return url;
    },
    get cloudId() {
      return (JSON.parse(readFileSync(join(dataDir, 'cloud.json'), 'utf8')) as { cloudId: string }).cloudId;
    },
    output: () => output,
    async as(user) {
      const clouds = parse(readFileSync(join(dataDir, 'clouds.yaml'), 'utf8')) as {
        clouds: Record<string, { auth: { username: string; password: string } }>;
      };
      const entry = Object.values(clouds.clouds).find((one) => one.auth.username === user);
      return signIn(url, user, entry?.auth.password ?? '');
    },
    stop: () => ended('SIGTERM'),
    kill: async () => void (await ended('SIGKILL')),
    start,
    async teardown() {
      await ended('SIGKILL');
      if (!existsSync(dataDir)) return '';
      const { stdout } = await run([join(ROOT, 'strata'), 'teardown', '--data-dir', dataDir], {
        timeoutMs: 120_000,
      });
      rmSync(dataDir, { recursive: true, force: true });
      return stdout;
    },
  };
  try {
    await start(...args);
  } catch (error) {
    await cloud.teardown().catch(() => {});
    throw error;
  }
  return cloud;
}

/** Asks until it answers something else than null or false; throws with `what` after `seconds`. */
export async function eventually<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | null | false>,
): Promise<T> {
  const limit = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== false) return answer;
    if (performance.now() > limit) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(200);
  }
}

/** What the machine has of a cloud: everything whose name carries its id, and processes that name its data dir. */
export async function traces(cloudId: string, dataDir: string): Promise<string[]> {
  const lines: string[] = [];
  const grep = (source: string, text: string): void => {
    for (const line of text.split('\n'))
      if (line.includes(cloudId) || line.includes(dataDir)) lines.push(`${source}: ${line.trim()}`);
  };
  grep('netns', (await run(['ip', 'netns', 'list'])).stdout);
  grep('link', (await run(['ip', '-o', 'link'])).stdout);
  grep('nft', (await run(['nft', 'list', 'tables'])).stdout);
  grep('mount', readFileSync('/proc/self/mountinfo', 'utf8'));
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      grep(`process ${pid}`, readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    } catch {
      // it ended while we looked
    }
  }
  for (const dir of [
    '/run',
    '/dev/shm',
    '/run/netns',
    '/etc/netns',
    '/sys/fs/cgroup/memory',
    '/sys/fs/cgroup/cpu',
    '/sys/fs/cgroup/pids',
  ])
    if (existsSync(dir)) grep(dir, readdirSync(dir).join('\n'));
  return lines;
}
