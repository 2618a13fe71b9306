// Decides between KVM and TCG by booting a probe guest: on some hosts /dev/kvm opens but guests crawl or
// hang on it. The result is kept per kernel, boot and QEMU binary, so that a second start asks nobody.
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { run, RunError } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { explain, missingProgram } from './failure.ts';

export type Accelerator = 'kvm' | 'tcg';
export type Hypervisor = {
  accelerator: Accelerator;
  /** major * 1,000,000 + minor * 1,000 + micro, as Nova shows it. */
  version: number;
  /** The versioned machine type, so that saved memory still fits after an upgrade of QEMU. */
  machine: string;
};

const Cached = Compile(
  Type.Object({
    key: Type.String(),
    accelerator: Type.Union([Type.Literal('kvm'), Type.Literal('tcg')]),
    version: Type.Integer(),
    machine: Type.String({ pattern: '^pc-q35-\\d+\\.\\d+$' }),
  }),
);

// Boot sector: waits for two ticks of the timer in real mode, then enters long mode with paging, executes
// cpuid and rdtsc, and writes 0x2a to isa-debug-exit, upon which QEMU exits with (0x2a << 1) | 1.
const probeSector =
  'ea057c000031c08ed88ec08ed0bc007cfb8b1e6c04f4a16c0429d883f80272f5fafcbf001031c0b90018f3abc7060010' +
  '0320c70600200330c706003083000f0116a07c0f20e00c200f22e066b8001000000f22d866b9800000c00f320d00010f' +
  '300f20c0660d010000800f22c0ea727c080031c00fa20f3148be007c000000000000488b06b02ae6f4f4ebfd0f1f4000' +
  '000000000000000000000000009a20000f00907c';
const probeExitCode = (0x2a << 1) | 1;
/** SeaBIOS does not boot from a disk of a single sector. */
const probeDiskBytes = 1024 * 1024;

export function probeDisk(): Buffer {
  const disk = Buffer.alloc(probeDiskBytes);
  disk.write(probeSector, 'hex');
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

/** Milliseconds until the probe guest has run through; null: not within `limitMs`. */
async function bootProbe(
  qemu: string,
  disk: string,
  accelerator: Accelerator,
  limitMs: number,
): Promise<number | null> {
  const began = performance.now();
  try {
    await run(
      [
        qemu,
        ...[
          '-M',
          'q35',
          '-accel',
          accelerator,
          '-m',
          '32',
          '-nodefaults',
          '-no-user-config',
          '-display',
          'none',
        ],
        ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
        ...['-drive', `file=${disk},format=raw,if=virtio,read-only=on`],
      ],
      { timeoutMs: limitMs },
    );
    return null;
  } catch (error) {
    if (error instanceof RunError && error.reason === 'missing') throw missingProgram(qemu);
    const passed = error instanceof RunError && error.exitCode === probeExitCode;
    return passed ? performance.now() - began : null;
  }
}

/** KVM that is slower than emulating the same guest is of no use, so emulation sets the time limit. */
async function choose(qemu: string): Promise<Accelerator> {
  const dir = await mkdtemp(join(tmpdir(), 'strata-probe-'));
  try {
    const disk = join(dir, 'probe.img');
    await writeFile(disk, probeDisk());
    const emulated = await bootProbe(qemu, disk, 'tcg', 10_000);
    if (existsSync('/dev/kvm')) {
      const limitMs = Math.min(3_000, Math.max(1_000, 4 * (emulated ?? 750)));
      if ((await bootProbe(qemu, disk, 'kvm', limitMs)) !== null) return 'kvm';
    }
    if (emulated === null) {
      throw new DriverError(
        'unavailable',
        `${qemu} boots no guest on this host, neither with KVM nor without; run it by hand to see why`,
      );
    }
    return 'tcg';
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export function findProgram(program: string): string | null {
  for (const dir of (process.env['PATH'] ?? '').split(':')) {
    if (dir !== '' && existsSync(join(dir, program))) return join(dir, program);
  }
  return null;
}

/** What this host runs guests with. `cacheFile` keeps the answer for the next start. */
export async function findHypervisor(qemu: string, cacheFile: string): Promise<Hypervisor> {
  const path = findProgram(qemu);
  if (path === null) throw missingProgram(qemu);
  const binary = statSync(path);
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const key = [release(), bootId, path, binary.size, Math.trunc(binary.mtimeMs), existsSync('/dev/kvm')].join(
    ' ',
  );
  const cached: unknown = await readFile(cacheFile, 'utf8')
    .then(JSON.parse)
    .catch(() => null);
  if (Cached.Check(cached) && cached.key === key) return cached;
  try {
    const { stdout } = await run([qemu, '--version'], { timeoutMs: 10_000 });
    const [, major, minor, micro] = /version (\d+)\.(\d+)\.(\d+)/.exec(stdout) ?? [];
    if (major === undefined || minor === undefined) {
      throw new DriverError('unavailable', `the version of ${qemu} cannot be read`, stdout);
    }
    const found = {
      key,
      accelerator: await choose(qemu),
      version: Number(major) * 1_000_000 + Number(minor) * 1_000 + Number(micro),
      machine: `pc-q35-${major}.${minor}`,
    };
    await writeFile(`${cacheFile}.new`, JSON.stringify(found));
    await rename(`${cacheFile}.new`, cacheFile);
    return found;
  } catch (error) {
    throw explain(error, 'the hypervisor of this host cannot be probed');
  }
}
