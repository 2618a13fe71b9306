// qemu-img on the layers of volumes. Formats and backing files are always explicit: what a guest or a tenant's image
// wrote into a file never decides what is opened (security-cases 1-6).
import { run, RunError } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import type { VolumeLayer } from '../driver.ts';

const gib = 1024 ** 3;

/** A failure as users may read it; `what` names object and operation. */
export function explained(error: unknown, what: string): DriverError {
  if (error instanceof DriverError) return error;
  const text = error instanceof RunError ? error.stderr : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT' || /No space left on device|Disk quota exceeded/.test(text))
    return new DriverError(
      'no-space',
      `${what}: the disk of its host is full; free space or delete volumes`,
      text,
      error,
    );
  if (error instanceof RunError && (error.reason === 'missing' || /failed to execute/.test(text)))
    return new DriverError(
      'unavailable',
      `${what}: qemu-img is missing on its host; install the Debian package qemu-utils`,
      text,
      error,
    );
  if (error instanceof RunError && error.reason === 'timeout')
    return new DriverError('timeout', `${what}: it took too long`, text, error);
  return new DriverError('failed', what, text, error);
}

async function qemuImg(args: string[], limits: { cpuSeconds: number; timeoutMs: number }): Promise<string> {
  return (
    await run(['prlimit', `--as=${2 * gib}`, `--cpu=${limits.cpuSeconds}`, '--core=0', 'qemu-img', ...args], {
      timeoutMs: limits.timeoutMs,
    })
  ).stdout;
}
const quick = { cpuSeconds: 60, timeoutMs: 90_000 };
/** For what reads and writes whole disks. */
const long = { cpuSeconds: 7_200, timeoutMs: 4 * 3_600_000 };

type Node = { driver: string; file: { driver: 'file'; filename: string }; backing?: Node | null };

/** The chain as one image, whatever the headers of its files say. */
export function imageOf(chain: readonly VolumeLayer[]): string {
  const node = chain.reduceRight<Node | null>(
    (backing, layer) => ({
      driver: layer.format,
      file: { driver: 'file', filename: layer.path },
      ...(layer.format === 'qcow2' ? { backing } : {}),
    }),
    null,
  );
  return `json:${JSON.stringify(node)}`;
}

/** An empty qcow2 of `bytes`; what it reads through to is said when it is opened. */
export async function createLayer(path: string, bytes: number): Promise<void> {
  await qemuImg(
    ['create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=off,cluster_size=65536', path, String(bytes)],
    quick,
  );
}

export async function growLayer(layer: VolumeLayer, bytes: number): Promise<void> {
  await qemuImg(['resize', '-q', imageOf([layer]), String(bytes)], quick);
}

/** The whole content of the chain in one file. */
export async function copyChain(
  chain: readonly VolumeLayer[],
  format: 'raw' | 'qcow2',
  path: string,
): Promise<void> {
  // -U: the lower layers may be open in a running guest, which only reads them
  await qemuImg(['convert', '-q', '-U', '-W', '-t', 'writeback', '-O', format, imageOf(chain), path], long);
}

/** Virtual size in bytes. */
export async function sizeOf(layer: VolumeLayer): Promise<number> {
  const info = JSON.parse(await qemuImg(['info', '-U', '--output=json', imageOf([layer])], quick)) as {
    'virtual-size'?: unknown;
  };
  return Number(info['virtual-size']);
}
