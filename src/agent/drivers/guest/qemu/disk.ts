// A guest's root disk: a qcow2 overlay on the read-only image. Formats are always explicit, because the
// content belongs to tenants (security-cases 1-6), and every qemu-img call is limited in CPU, memory and time.
import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { run } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { explain } from './failure.ts';

export type BaseFormat = 'raw' | 'qcow2';

export function baseFormat(diskFormat: string): BaseFormat {
  if (diskFormat === 'raw' || diskFormat === 'qcow2') return diskFormat;
  throw new DriverError(
    'refused',
    `image format ${JSON.stringify(diskFormat)} cannot be booted; the image must be raw or qcow2 (others are converted when they are imported)`,
  );
}

const gib = 1024 ** 3;
const qcow2Magic = 0x51_46_49_fb;
/** Incompatible feature bit 2 of the qcow2 specification. */
const externalDataFile = 1n << 2n;

/** The disk size in bytes that a guest sees of the image. Refuses a qcow2 that points to another file. */
export async function virtualSize(imagePath: string, format: BaseFormat): Promise<number> {
  const file = await open(imagePath, 'r');
  try {
    if (format === 'raw') return (await file.stat()).size;
    const header = Buffer.alloc(104);
    const { bytesRead } = await file.read(header, 0, header.length, 0);
    if (bytesRead < 72 || header.readUInt32BE(0) !== qcow2Magic) {
      throw new DriverError(
        'refused',
        'the image is declared as qcow2 but its content is not; upload it with its real format',
      );
    }
    const features = header.readUInt32BE(4) >= 3 ? header.readBigUInt64BE(72) : 0n;
    if (header.readBigUInt64BE(8) !== 0n || (features & externalDataFile) !== 0n) {
      throw new DriverError(
        'refused',
        'the image is a qcow2 that refers to another file; flatten it and upload it again',
      );
    }
    return Number(header.readBigUInt64BE(24));
  } finally {
    await file.close();
  }
}

export async function qemuImg(args: string[], what: string): Promise<string> {
  const limits = [`--as=${2 * gib}`, '--cpu=60', '--core=0'];
  try {
    return (await run(['prlimit', ...limits, 'qemu-img', ...args], { timeoutMs: 90_000 })).stdout;
  } catch (error) {
    throw explain(error, what);
  }
}

/** Does nothing when the disk is there: it appears by a rename, so a crash never leaves half of one. */
export async function ensureDisk(
  path: string,
  server: { id: string; imagePath: string; diskFormat: string; rootGib: number },
): Promise<void> {
  if (existsSync(path)) return;
  const what = `the root disk of server ${server.id} cannot be created`;
  const fresh = `${path}.new`;
  try {
    const format = baseFormat(server.diskFormat);
    const base = await virtualSize(server.imagePath, format);
    const size = Math.ceil(Math.max(base, server.rootGib * gib) / 512) * 512;
    await rm(fresh, { force: true });
    // -u: the size is known, so qemu-img need not open the tenant's image at all
    await qemuImg(
      ['create', '-q', '-u', '-f', 'qcow2', '-F', format, '-b', server.imagePath, fresh, String(size)],
      what,
    );
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw explain(error, what);
  }
}

/** Drops the memory of a suspended guest from its stopped disk; nothing to drop is fine. */
export async function discardSnapshot(path: string, tag: string, serverId: string): Promise<void> {
  const what = `the saved memory of server ${serverId} cannot be discarded`;
  // the backing image is not opened, so its declared format is never trusted here
  const disk = `json:${JSON.stringify({ driver: 'qcow2', backing: null, file: { driver: 'file', filename: path } })}`;
  const listed = await qemuImg(['snapshot', '-l', disk], what);
  if (listed.includes(tag)) await qemuImg(['snapshot', '-d', tag, disk], what);
}
