// Runs qemu-img on content that `acceptImage` has let pass: always with an explicit format (never probing: CVE-2026-24708)
// and under limits of memory, CPU and time (CVE-2015-5162).
import { open, rename, rm } from 'node:fs/promises';

import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

import { run } from '../../../kernel/run.ts';

export type QemuImgLimits = {
  /** Bytes of address space. */
  addressSpace: number;
  cpuSeconds: number;
  timeoutMs: number;
};

export const INFO_LIMITS: QemuImgLimits = { addressSpace: 2 ** 30, cpuSeconds: 30, timeoutMs: 30_000 };
export const CONVERT_LIMITS: QemuImgLimits = {
  addressSpace: 2 * 2 ** 30,
  cpuSeconds: 600,
  timeoutMs: 900_000,
};

/** Our disk formats, by the name of the QEMU driver that reads them. */
const DRIVERS = {
  raw: 'raw',
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  vhd: 'vpc',
  vhdx: 'vhdx',
  iso: 'raw',
} as const;
export type ConvertibleFormat = keyof typeof DRIVERS;

export const isConvertible = (format: string): format is ConvertibleFormat => Object.hasOwn(DRIVERS, format);

const infoSchema = Type.Object({
  format: Type.String(),
  'virtual-size': Type.Integer({ minimum: 0 }),
  'backing-filename': Type.Optional(Type.String()),
});
const infoParser = Compile(infoSchema);

/** What QEMU makes of a file; sizes in bytes. Throws RunError. */
export async function qemuImgInfo(
  path: string,
  format: ConvertibleFormat,
  limits: QemuImgLimits = INFO_LIMITS,
): Promise<{ virtualSize: number; hasBackingFile: boolean }> {
  const { stdout } = await limited(
    ['info', '--output=json', '-f', DRIVERS[format], checkedPath(path)],
    limits,
  );
  const info: Static<typeof infoSchema> = infoParser.Parse(JSON.parse(stdout));
  return { virtualSize: info['virtual-size'], hasBackingFile: info['backing-filename'] !== undefined };
}

/**
 * Converts to a qcow2 at `target`, which appears only when it is complete and on disk. May be repeated: a leftover of an
 * earlier attempt is overwritten. Throws RunError.
 */
export async function convertToQcow2(
  source: { path: string; format: ConvertibleFormat },
  target: string,
  limits: QemuImgLimits = CONVERT_LIMITS,
): Promise<void> {
  const temporary = `${checkedPath(target)}.converting`;
  try {
    await limited(
      ['convert', '-f', DRIVERS[source.format], '-O', 'qcow2', checkedPath(source.path), temporary],
      limits,
    );
    const handle = await open(temporary, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function limited(args: string[], limits: QemuImgLimits): Promise<{ stdout: string; stderr: string }> {
  const prlimit = [`--as=${limits.addressSpace}`, `--cpu=${limits.cpuSeconds}`, '--core=0'];
  return run(['prlimit', ...prlimit, '--', 'qemu-img', ...args], { timeoutMs: limits.timeoutMs });
}

/** qemu-img reads `driver:...` and leading dashes in file names; an absolute path is neither. */
function checkedPath(path: string): string {
  if (!path.startsWith('/')) throw new Error(`path ${JSON.stringify(path)} must be absolute`);
  return path;
}
