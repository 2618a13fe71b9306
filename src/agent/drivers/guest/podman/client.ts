// Speaks to podman's REST API over its unix socket. The service is started on demand, runs detached, ends
// by itself when idle, and may die at any time: containers belong to their conmon, not to it.
import { spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { sleep, type Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { DriverError } from '../../errors.ts';
import { podmanProcess, readText, writeWhole, type Place } from './place.ts';

export type Reply = { status: number; body: unknown };
export type PodmanClient = {
  /** Path below /libpod. Resolves with any HTTP status; throws DriverError when podman does not answer. */
  call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    options?: { body?: unknown; timeoutMs?: number },
  ): Promise<Reply>;
  close(): Promise<void>;
};

/** Seconds without a request after which the service ends by itself. */
const idleSeconds = 120;
const apiVersion = 'v4.0.0';

/** `pid:starttime`, which no later process can have; null: no such process, or a zombie. */
export async function processIdentity(pid: number): Promise<string | null> {
  if (pid <= 0) return null;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : `${pid}:${fields[19]}`;
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it ended by itself meanwhile
  }
}

const serviceMark = (place: Place): string => join(place.volatile, 'service');

/** Ends the service of this data dir, whoever started it. */
export async function stopService(place: Place, clock: Clock): Promise<boolean> {
  const identity = await readText(serviceMark(place));
  const pid = Number(identity?.split(':')[0] ?? 0);
  const alive = async (): Promise<boolean> => identity !== null && (await processIdentity(pid)) === identity;
  const found = await alive();
  if (found) {
    signal(pid, 'SIGTERM');
    for (let waited = 0; (await alive()) && waited < 2_000; waited += 20) await sleep(clock, 20);
    if (await alive()) signal(pid, 'SIGKILL');
  }
  await rm(serviceMark(place), { force: true });
  await rm(place.socket, { force: true });
  return found;
}

async function startService(place: Place, clock: Clock): Promise<void> {
  await stopService(place, clock);
  const out = openSync(join(place.volatile, 'service.log'), 'w', 0o600);
  const args = ['system', 'service', '--time', String(idleSeconds), `unix://${place.socket}`];
  const child = spawn('podman', args, {
    detached: true,
    stdio: ['ignore', out, out],
    ...podmanProcess(place),
  });
  closeSync(out);
  let failed: Error | null = null;
  child.on('error', (error) => (failed = error));
  child.unref();
  const identity = await processIdentity(child.pid ?? 0);
  if (identity !== null) await writeWhole(serviceMark(place), identity);
  for (let waited = 0; waited < 10_000; waited += 5) {
    if (failed !== null || child.exitCode !== null || child.signalCode !== null) break;
    if (
      await exchange(place, clock, 'GET', '/_ping', undefined, 2_000).then(
        (reply) => reply.status === 200,
        () => false,
      )
    )
      return;
    await sleep(clock, 5);
  }
  const output = (await readText(join(place.volatile, 'service.log'))) ?? '';
  throw new DriverError(
    'unavailable',
    "podman's API service does not start on this host; the agent's log has its output",
    `${String(failed ?? '')} ${output}`.trim(),
    failed,
  );
}

type Refusal = NodeJS.ErrnoException & { timedOut?: boolean };

function exchange(
  place: Place,
  clock: Clock,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const outgoing = request(
      {
        socketPath: place.socket,
        method,
        path: `/${apiVersion}/libpod${path}`,
        agent: false,
        headers: {
          host: 'podman',
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      },
      (incoming) => {
        let received = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => (received += chunk));
        incoming.on('error', (error) => {
          cancel();
          reject(error);
        });
        incoming.on('end', () => {
          cancel();
          let parsed: unknown = received;
          try {
            parsed = JSON.parse(received);
          } catch {
            // an empty or plain-text answer, such as that of _ping
          }
          resolve({ status: incoming.statusCode ?? 0, body: parsed });
        });
      },
    );
    const cancel = clock.timer(timeoutMs, () => {
      outgoing.destroy(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { timedOut: true }));
    });
    outgoing.on('error', (error) => {
      cancel();
      reject(error);
    });
    outgoing.end(text);
  });
}

export function createPodmanClient(place: Place, log: Log, clock: Clock): PodmanClient {
  let starting: Promise<void> | null = null;
  let closed = false;

  const ensureService = (): Promise<void> => {
    starting ??= startService(place, clock).finally(() => (starting = null));
    return starting;
  };

  return {
    async call(method, path, { body, timeoutMs = 60_000 } = {}) {
      // Every call of this driver may be repeated, so a service that died in the middle costs a retry.
      for (let attempt = 1; ; attempt += 1) {
        if (closed) throw new DriverError('failed', 'the container driver is closed');
        try {
          return await exchange(place, clock, method, path, body, timeoutMs);
        } catch (error) {
          const refusal = error as Refusal;
          if (refusal.timedOut === true) {
            throw new DriverError(
              'timeout',
              `podman did not answer within ${timeoutMs} ms; it is tried again`,
              path,
              error,
            );
          }
          if (attempt === 3)
            throw new DriverError(
              'failed',
              "podman's API service ended during the call; it is tried again",
              path,
              error,
            );
          log.debug({ path, code: refusal.code }, 'starting the podman service');
          await ensureService();
        }
      }
    },
    async close() {
      closed = true;
      await starting?.catch(() => {});
      await stopService(place, clock);
    },
  };
}
