// What a container sees of a block device of the host: a node in its /dev and leave from the devices cgroup. A tenant
// may link or rename a node, so that leave, not the node, is what decides; both go before the device does.
import { constants } from 'node:fs';
import { open, lchown, lstat, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { processIdentity } from './client.ts';
import { podmanProcess, writeWhole, type Place } from './place.ts';

/** The first process of a container that is there, running or not yet. */
export type ContainerProcess = { containerId: string; pid: number; identity: string };

/** `number`: major:minor on the host. */
export type Leave = { number: string; readOnly: boolean };

const folderOnly = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const diskGroup = 6; // `disk`, by the same number in every distribution

/** Path of a container's group in the devices hierarchy, from /proc/PID/cgroup; null: that is left to cgroup v2. */
export function devicesGroup(cgroups: string, containerId: string): string | null {
  for (const line of cgroups.split('\n')) {
    const [, names = '', ...path] = line.split(':');
    if (!names.split(',').includes('devices')) continue;
    const group = path.join(':');
    // A number that is another process's by now must not open the host's own group.
    if (!group.includes(containerId)) throw new Error(`group ${group} is not of container ${containerId}`);
    return join('/sys/fs/cgroup/devices', group);
  }
  return null;
}

const rightsOf = ({ readOnly }: Leave): 'r' | 'rw' => (readOnly ? 'r' : 'rw');

/** Makes `now` all the block devices that the container may open; `gone` are those it may not any more. */
export async function setLeave(
  parts: { place: Place; runtimePath: string },
  target: ContainerProcess,
  now: readonly Leave[],
  gone: readonly Leave[],
): Promise<void> {
  const group = devicesGroup(await readFile(`/proc/${target.pid}/cgroup`, 'utf8'), target.containerId);
  if (group !== null) {
    for (const one of gone) await writeFile(join(group, 'devices.deny'), `b ${one.number} rwm`);
    for (const one of now) await writeFile(join(group, 'devices.allow'), `b ${one.number} ${rightsOf(one)}`);
    const list = await readFile(join(group, 'devices.list'), 'utf8');
    if (gone.some((one) => list.includes(`b ${one.number} `)))
      throw new DriverError(
        'failed',
        'the container could not be denied the volume; it is tried again',
        list,
      );
    return;
  }
  // The runtime puts a new filter in the place of the old one; what every container may open it adds by itself.
  const devices = [
    { allow: false, access: 'rwm' },
    ...now.map((one) => {
      const [major, minor] = one.number.split(':').map(Number);
      return { allow: true, type: 'b', major, minor, access: rightsOf(one) };
    }),
  ];
  const file = join(parts.place.volatile, `devices-${target.containerId}.json`);
  await writeWhole(file, JSON.stringify({ devices }));
  await run(
    [parts.runtimePath, 'update', '--resources', file, target.containerId],
    podmanProcess(parts.place),
  );
  await unlink(file);
}

/**
 * Works in the /dev of the container, by a handle that no later process of the same number can take the place of.
 * Nothing of the container is executed, and no link of it is followed: one that an image has in place of /dev would
 * lead into the host. null: it has no such folder, or is gone.
 */
async function inDev<T>(target: ContainerProcess, work: (dev: string) => Promise<T>): Promise<T | null> {
  const dev = await open(`/proc/${target.pid}/root/dev`, folderOnly).catch(() => null);
  if (dev === null) return null;
  try {
    if ((await processIdentity(target.pid)) !== target.identity) return null;
    return await work(`/proc/${process.pid}/fd/${dev.fd}`);
  } finally {
    await dev.close();
  }
}

/** glibc's encoding of a device number, as in stat(2). */
export function deviceNumber(number: string): number {
  const [major = 0, minor = 0] = number.split(':').map(Number);
  return ((major & 0xfff) << 8) | (minor & 0xff) | ((minor & ~0xff) << 12);
}

const nodeAt = async (path: string): Promise<'none' | 'other' | number> => {
  const found = await lstat(path).catch(() => null);
  if (found === null) return 'none';
  return found.isBlockDevice() ? found.rdev : 'other';
};

export async function putNode(target: ContainerProcess, name: string, leave: Leave): Promise<void> {
  const done = await inDev(target, async (dev) => {
    const path = join(dev, name);
    const found = await nodeAt(path);
    if (found === deviceNumber(leave.number)) return true;
    if (found !== 'none')
      throw new DriverError(
        'failed',
        `the container has something else at /dev/${name}; remove it there. It is tried again`,
      );
    const [major = '', minor = ''] = leave.number.split(':');
    await run(['mknod', `--mode=${leave.readOnly ? '0440' : '0660'}`, path, 'b', major, minor]);
    await lchown(path, 0, diskGroup);
    return true;
  });
  if (done === null)
    throw new DriverError('failed', 'the container has no /dev, or ended meanwhile; it is tried again');
}

/** Removes the node where it still is that of the device; what a tenant made of it is of no use without leave. */
export async function takeNode(target: ContainerProcess, name: string, leave: Leave): Promise<void> {
  await inDev(target, async (dev) => {
    const path = join(dev, name);
    if ((await nodeAt(path)) === deviceNumber(leave.number)) await unlink(path);
  });
}
