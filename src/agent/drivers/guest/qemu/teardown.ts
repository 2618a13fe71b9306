// Removes every virtual machine of one data dir from this host. Works from names and the process table
// alone, so that it also cleans up behind a data dir whose folders are gone. Repeatable.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { systemClock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import { openCgroups } from './cgroup.ts';
import { createQemuDriver } from './driver.ts';
import { guestFolders, runtimeDirOf } from './folder.ts';

type Place = { dataDir: string; cloudId: string };

/** Every process with a pidfile in the cloud's runtime folder, whoever started it. */
function guestProcesses(runtimeDir: string): { id: string; pid: number }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^[1-9]\d*$/.test(name)) return [];
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      const pidfile = args[args.indexOf('-pidfile') + 1] ?? '';
      return dirname(dirname(pidfile)) === runtimeDir
        ? [{ id: basename(dirname(pidfile)), pid: Number(name) }]
        : [];
    } catch {
      return []; // ended meanwhile
    }
  });
}

/** What there still is of this data dir's virtual machines, one line each; empty after a teardown. */
export function qemuLeftovers({ dataDir, cloudId }: Place): string[] {
  const runtimeDir = runtimeDirOf(cloudId);
  const folders = guestFolders(dataDir, runtimeDir);
  return [
    ...guestProcesses(runtimeDir).map(({ id, pid }) => `process ${pid} of virtual machine ${id}`),
    ...openCgroups(cloudId, systemClock)
      .ids()
      .map((id) => `cgroup of virtual machine ${id}`),
    ...folders.ids().map((id) => `files of virtual machine ${id}`),
    ...(existsSync(runtimeDir) ? [`folder ${runtimeDir}`] : []),
  ];
}

/** Returns what it removed, one line each. */
export async function teardownQemu(place: Place): Promise<string[]> {
  const { dataDir, cloudId } = place;
  const runtimeDir = runtimeDirOf(cloudId);
  const ids = new Set([
    ...guestFolders(dataDir, runtimeDir).ids(),
    ...openCgroups(cloudId, systemClock).ids(),
    ...guestProcesses(runtimeDir).map(({ id }) => id),
  ]);
  // a process that neither pidfile nor cgroup leads to
  for (const { pid } of guestProcesses(runtimeDir)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // ended meanwhile
    }
  }
  const driver = createQemuDriver({ ...place, log: silentLog, clock: systemClock });
  try {
    for (const id of ids) await driver.destroy(id);
  } finally {
    await driver.close();
  }
  await rm(runtimeDir, { recursive: true, force: true });
  return [...ids].map((id) => `removed virtual machine ${id}`);
}
