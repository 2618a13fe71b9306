// Test fixtures: real images made by qemu-img, and a whole content put through the inspector.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { run, RunError } from '../../../kernel/run.ts';
import { createInspector, type Inspection } from './inspect.ts';

export const MIB = 1024 * 1024;

export function inspectAll(content: Buffer, cuts: readonly number[] = []): Inspection {
  const inspector = createInspector();
  let from = 0;
  for (const cut of cuts) {
    const to = Math.min(content.length, from + cut);
    inspector.write(content.subarray(from, to));
    from = to;
  }
  inspector.write(content.subarray(from));
  return inspector.finish();
}

/** An image of `driver` with a little data in it. */
export async function makeImage(
  driver: string,
  size: number,
  options: readonly string[] = [],
): Promise<Buffer> {
  return inTemporaryDir(async (dir) => {
    const raw = join(dir, 'raw');
    const image = join(dir, 'image');
    await qemuImg(['create', '-f', 'raw', raw, String(size)]);
    const extra = options.flatMap((option) => ['-o', option]);
    await qemuImg(['convert', '-f', 'raw', '-O', driver, ...extra, raw, image]);
    return readFile(image);
  });
}

export async function qemuImg(args: readonly string[]): Promise<string> {
  try {
    return (await run(['qemu-img', ...args])).stdout;
  } catch (error) {
    if (error instanceof RunError && error.reason === 'missing') {
      throw new Error('these tests make real images: install qemu-img (Debian package qemu-utils)', {
        cause: error,
      });
    }
    throw error;
  }
}

export async function inTemporaryDir<Result>(work: (dir: string) => Promise<Result>): Promise<Result> {
  const dir = await mkdtemp(join(tmpdir(), 'strata-content-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
