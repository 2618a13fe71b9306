// Removes everything that the podman of one data dir has on this host. Works from the kernel's truth
// (cgroups, mount table), so that it also cleans up after a podman that is broken or gone.
import { readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, systemClock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import { run, RunError } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { processIdentity, stopService } from './client.ts';
import { createDisks, loopsOf, readDisks } from './disks.ts';
import { udevRuleFile } from './probe-volumes.ts';
import { findPlace, podmanProcess, readText, type Place } from './place.ts';

export type PodmanDataDir = { dataDir: string; cloudId: string };

const cgroupRoot = '/sys/fs/cgroup';

/** Our cgroup in each hierarchy (v1) or in the one (v2), every folder below it first. */
async function cgroupFolders(place: Place): Promise<string[]> {
  const hierarchies = [cgroupRoot, ...(await readdir(cgroupRoot)).map((name) => join(cgroupRoot, name))];
  const found: string[] = [];
  const visit = async (dir: string): Promise<void> => {
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => null);
    if (entries === null) return;
    for (const entry of entries) if (entry.isDirectory()) await visit(join(dir, entry.name));
    found.push(dir);
  };
  for (const hierarchy of hierarchies) await visit(join(hierarchy, place.cgroup));
  return found;
}

async function cgroupPids(folders: string[]): Promise<number[]> {
  const texts = await Promise.all(
    folders.map((dir) => readText(join(dir, 'cgroup.procs')).catch(() => null)),
  );
  return [...new Set(texts.flatMap((text) => (text ?? '').split('\n').filter(Boolean).map(Number)))];
}

/** Mount points below one of the folders, innermost first. */
export async function mountsBelow(folders: string[]): Promise<string[]> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
  const points = mountinfo.split('\n').flatMap((line) => {
    const point = line
      .split(' ')[4]
      ?.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    return point !== undefined && folders.some((dir) => point === dir || point.startsWith(`${dir}/`))
      ? [point]
      : [];
  });
  return points.reverse();
}

async function containerNames(place: Place): Promise<string[]> {
  if ((await readText(place.containersConf)) === null) return [];
  const { stdout } = await run(['podman', 'ps', '--all', '--format', '{{.Names}}'], podmanProcess(place));
  return stdout.split('\n').filter(Boolean);
}

/** What there still is of this data dir's containers, one line each; empty after a teardown. */
export async function podmanLeftovers({ dataDir, cloudId }: PodmanDataDir): Promise<string[]> {
  const place = await findPlace(dataDir, cloudId);
  const folders = await cgroupFolders(place);
  const lines = [
    ...(await cgroupPids(folders)).map((pid) => `process ${pid}`),
    ...(await mountsBelow([place.state, place.volatile])).map((point) => `mount ${point}`),
    ...folders.map((dir) => `cgroup ${dir}`),
  ];
  const service = await readText(join(place.volatile, 'service'));
  if (service !== null && (await processIdentity(Number(service.split(':')[0]))) === service)
    lines.push(`podman service ${service}`);
  for (const disk of await readDisks(place))
    for (const loop of await loopsOf(place, disk)) lines.push(`loop device ${loop}`);
  for (const dir of [place.volatile, place.disks, place.state]) {
    if ((await readdir(dir).catch(() => null)) !== null) lines.push(`folder ${dir}`);
  }
  return lines;
}

/** Stops and removes all of it; returns one line for each thing removed. May be repeated. */
export async function teardownPodman({ dataDir, cloudId }: PodmanDataDir): Promise<string[]> {
  const place = await findPlace(dataDir, cloudId);
  const removed: string[] = [];
  if (await stopService(place, systemClock)) removed.push('podman service');
  try {
    const names = await containerNames(place);
    if (names.length > 0) {
      const command = ['podman', 'rm', '--force', '--volumes', '--time', '0', ...names] as const;
      await run([...command], { ...podmanProcess(place), timeoutMs: 30_000 + names.length * 2_000 });
    }
    removed.push(...names.map((name) => `container ${name}`));
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    removed.push(
      `podman did not help (${error.message.slice(0, 200)}); its processes and mounts are removed without it`,
    );
  }

  const folders = await cgroupFolders(place);
  removed.push(...(await closeDisks(place)));
  for (let waited = 0; waited < 5_000; waited += 50) {
    const pids = await cgroupPids(folders);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
        if (waited === 0) removed.push(`process ${pid}`);
      } catch {
        // it ended by itself
      }
    }
    // a frozen process only dies when it is thawed
    for (const dir of folders) await thaw(dir);
    await sleep(systemClock, 50);
  }
  for (const point of await mountsBelow([place.state, place.volatile])) {
    await run(['umount', '--lazy', '--', point]).catch((error: unknown) => {
      if (!(error instanceof RunError)) throw error;
    });
    removed.push(`mount ${point}`);
  }
  for (const dir of folders) {
    if (
      await rmdir(dir).then(
        () => true,
        () => false,
      )
    )
      removed.push(`cgroup ${dir}`);
  }
  await rm(udevRuleFile(place), { force: true });
  for (const dir of [place.volatile, place.disks, place.state]) {
    if ((await readdir(dir).catch(() => null)) === null) continue;
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    removed.push(`folder ${dir}`);
  }
  return removed;
}

/** Containers are gone by now, or have lost their volumes with the daemons. */
async function closeDisks(place: Place): Promise<string[]> {
  const disks = createDisks(place, systemClock, silentLog);
  const closed: string[] = [];
  for (const disk of await readDisks(place)) {
    closed.push(`volume ${disk.volumeId} of ${disk.serverId}`);
    await disks.close(disk).catch((error: unknown) => {
      if (!(error instanceof DriverError || error instanceof RunError)) throw error;
      closed.push(`volume ${disk.volumeId} was cut off: ${error.message.slice(0, 200)}`);
    });
  }
  return closed;
}

async function thaw(dir: string): Promise<void> {
  for (const [file, text] of [
    ['freezer.state', 'THAWED'],
    ['cgroup.freeze', '0'],
  ] as const) {
    if ((await readText(join(dir, file)).catch(() => null)) !== null)
      await writeFile(join(dir, file), text).catch(() => {});
  }
}
