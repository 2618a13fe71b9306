// The root disk as it was before a resize, kept as a file beside the disk until its user has decided. It is a copy:
// both are claimed on the host meanwhile, and neither depends on the other. File systems with reflinks share the blocks.
import { existsSync } from 'node:fs';
import { constants, copyFile, open, rename, rm } from 'node:fs/promises';
import { qemuImg } from './disk.ts';
import { explain } from './failure.ts';

const gib = 1024 ** 3;

/** The guest is off. One that is kept already stays: whoever asked for it was killed before the guest ran again. */
export async function keepOriginal(disk: string, original: string, serverId: string): Promise<void> {
  if (existsSync(original)) return;
  const fresh = `${original}.new`;
  try {
    await rm(fresh, { force: true });
    await copyFile(disk, fresh, constants.COPYFILE_FICLONE);
    const file = await open(fresh, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, original);
  } catch (error) {
    await rm(fresh, { force: true });
    throw explain(error, `the root disk of server ${serverId} cannot be kept beside a larger one`);
  }
}

/** The disk as one image that reads through to nothing: what its header names is never opened. */
const alone = (disk: string): string =>
  `json:${JSON.stringify({ driver: 'qcow2', backing: null, file: { driver: 'file', filename: disk } })}`;

/** To at least this size; a disk never shrinks. */
export async function growDisk(disk: string, rootGib: number, serverId: string): Promise<void> {
  const what = `the root disk of server ${serverId} cannot be made ${rootGib} GiB large`;
  const info = JSON.parse(await qemuImg(['info', '--output=json', alone(disk)], what)) as {
    'virtual-size'?: unknown;
  };
  if (Number(info['virtual-size']) >= rootGib * gib) return;
  await qemuImg(['resize', '-q', alone(disk), String(rootGib * gib)], what);
}
