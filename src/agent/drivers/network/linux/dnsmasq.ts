// A dnsmasq process: detached, so that it outlives this process, and adopted by pid file and command line.
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Clock } from '../../../../kernel/clock.ts';
import { driverError, inNamespace } from './commands.ts';

export type DnsmasqFiles = { pid: string; config: string };

/** The pid of the dnsmasq that runs with this configuration file, or 0. A zombie has no command line. */
export function runningDnsmasq(files: DnsmasqFiles): number {
  try {
    const pid = Number.parseInt(readFileSync(files.pid, 'utf8'), 10);
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return command.includes(`--conf-file=${files.config}`) ? pid : 0;
  } catch {
    return 0;
  }
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** All of it or none: dnsmasq may read at any time. */
export async function writeWhole(path: string, content: string): Promise<void> {
  try {
    await writeFile(`${path}.new`, content, { mode: 0o644 });
    await rename(`${path}.new`, path);
  } catch (error) {
    throw driverError(`Writing ${path}`, 'dnsmasq', error);
  }
}

export async function stopDnsmasq(files: DnsmasqFiles, clock: Clock): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const pid = runningDnsmasq(files);
    if (pid === 0) return;
    signal(pid, attempt < 50 ? 'SIGTERM' : 'SIGKILL');
    await new Promise<void>((resolve) => clock.timer(10, resolve));
  }
}

export async function startDnsmasq(ns: string, files: DnsmasqFiles, what: string): Promise<void> {
  await inNamespace(ns, ['dnsmasq', `--conf-file=${files.config}`], { what, timeoutMs: 10_000 });
}
