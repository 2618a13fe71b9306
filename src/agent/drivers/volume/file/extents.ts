// Sparse files as extents of what is written in them, and back.
import { open } from 'node:fs/promises';
import { run } from '../../../../kernel/run.ts';
import type { Extent } from '../../../../kernel/sparse.ts';
import { DriverError } from '../../errors.ts';

const PIECE = 1024 * 1024;

type Mapped = { start: number; length: number; zero: boolean; data: boolean };

/** Of a raw file, by what its file system knows of its holes. */
export async function* readExtents(path: string): AsyncGenerator<Extent> {
  const { stdout } = await run(['qemu-img', 'map', '-U', '-f', 'raw', '--output=json', path], {
    timeoutMs: 300_000,
    maxOutput: 256 * 1024 * 1024,
  });
  const handle = await open(path, 'r');
  try {
    for (const { start, length, zero, data } of JSON.parse(stdout) as Mapped[]) {
      if (!data || zero) continue;
      for (let at = start; at < start + length; at += PIECE) {
        const piece = Buffer.alloc(Math.min(PIECE, start + length - at));
        const { bytesRead } = await handle.read(piece, 0, piece.length, at);
        if (bytesRead !== piece.length) throw new Error(`${path} is shorter than its map says`);
        yield { offset: at, data: piece };
      }
    }
  } finally {
    await handle.close();
  }
}

/** Writes a raw file of `size` bytes that must not exist, durably. */
export async function writeExtents(
  path: string,
  size: number,
  extents: AsyncIterable<Extent>,
): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.truncate(size);
    for await (const { offset, data } of extents) {
      // Zeros past the end are the rest of a larger unit; anything else does not fit.
      const fitting = data.subarray(0, Math.max(0, size - offset));
      if (data.subarray(fitting.length).some((byte) => byte !== 0))
        throw new DriverError(
          'refused',
          `the content has data at byte ${offset}, and the volume has ${size} bytes`,
        );
      for (let at = 0; at < fitting.length;)
        at += (await handle.write(fitting, at, fitting.length - at, offset + at)).bytesWritten;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}
