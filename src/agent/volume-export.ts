// The content of a volume as a stream: written to a file first, which is gone as soon as the stream has it open.
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { decodeExtents, encodeExtents } from '../kernel/sparse.ts';
import type { HostQueries } from '../protocol/link.ts';
import type { VolumeDriver } from './drivers/volume/driver.ts';

export async function exportVolume(
  driver: VolumeDriver,
  dir: string,
  kind: 'volume' | 'snapshot',
  id: string,
  format: 'raw' | 'qcow2',
): Promise<Readable> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, randomUUID());
  try {
    await driver.exportTo(kind, id, format, path);
    const handle = await open(path, 'r');
    return createReadStream(path, { fd: handle });
  } finally {
    await rm(path, { force: true });
  }
}

/** What control may ask about the content of volumes. */
export const volumeQueries = (
  driver: VolumeDriver,
): Required<Pick<HostQueries, 'readVolume' | 'replaceVolume'>> => ({
  readVolume: async (kind, id) => encodeExtents(driver.extents(kind, id)),
  replaceVolume: (id, token, content) => driver.replace(id, token, decodeExtents(content)),
});
