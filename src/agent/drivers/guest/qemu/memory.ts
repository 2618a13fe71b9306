// Suspend: the guest's memory goes into its own qcow2 as an internal snapshot, because that works inside
// QEMU's sandbox (`migrate exec:` does not) and disk and memory cannot drift apart.
import { randomUUID } from 'node:crypto';
import { type Clock, sleep } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import type { Qmp } from './qmp.ts';

export const snapshotTag = 'strata-suspend';
const jobLimitMs = 600_000;

type Job = { id: string; status: string; error?: string };

const isJob = (value: unknown): value is Job =>
  typeof value === 'object' &&
  value !== null &&
  'id' in value &&
  'status' in value &&
  typeof value.status === 'string';

const saved = { tag: snapshotTag, devices: ['root'] };

/** Runs a QEMU job to its end and returns its error; null: it succeeded. */
export async function runJob(
  qmp: Qmp,
  clock: Clock,
  command: string,
  args: Record<string, unknown>,
): Promise<string | null> {
  const job = `strata-${randomUUID().slice(0, 8)}`;
  await qmp.execute(command, { 'job-id': job, ...args });
  const deadline = clock.now() + jobLimitMs;
  for (;;) {
    const jobs = await qmp.execute('query-jobs', undefined, jobLimitMs);
    const found = Array.isArray(jobs) ? jobs.filter(isJob).find((each) => each.id === job) : undefined;
    if (found === undefined) return 'the job is gone';
    if (found.status === 'concluded') {
      await qmp.execute('job-dismiss', { id: job });
      return found.error ?? null;
    }
    if (clock.now() > deadline)
      throw new DriverError('timeout', `${command} of the guest took more than ${jobLimitMs} ms`, command);
    await sleep(clock, 10);
  }
}

export async function dropSavedMemory(qmp: Qmp, clock: Clock): Promise<string | null> {
  return runJob(qmp, clock, 'snapshot-delete', saved);
}

/** The guest must be stopped (paused). An older snapshot of the same name is replaced. */
export async function saveMemory(qmp: Qmp, clock: Clock, serverId: string): Promise<void> {
  await dropSavedMemory(qmp, clock); // there mostly is none, which is an error of that job only
  const error = await runJob(qmp, clock, 'snapshot-save', { ...saved, vmstate: 'root' });
  if (error === null) return;
  if (error.includes('No space left')) {
    throw new DriverError(
      'no-space',
      `the memory of server ${serverId} cannot be saved: the disk of this host is full; free space or delete servers`,
      error,
    );
  }
  throw new DriverError('failed', `the memory of server ${serverId} cannot be saved`, error);
}
