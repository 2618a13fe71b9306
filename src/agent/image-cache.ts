// Local copies of images, verified against their sha512 before any guest sees them, fetched once however
// many servers wait for one.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ServerBody } from '../protocol/items.ts';
import { DriverError } from './drivers/errors.ts';

export type ImageCache = {
  /** Path of the verified content; downloads it first where it is missing. */
  ensure(image: ServerBody['image']): Promise<string>;
};

/** `fetch` streams the content of an image from control. */
export function createImageCache(dir: string, fetch: (imageId: string) => Promise<Readable>): ImageCache {
  const under = new Map<string, Promise<string>>();
  let prepared: Promise<void> | null = null;

  const prepare = async (): Promise<void> => {
    await mkdir(dir, { recursive: true, mode: 0o755 });
    // Left by a crash in the middle of a download.
    for (const name of await readdir(dir))
      if (name.endsWith('.part')) await rm(join(dir, name), { force: true });
  };

  const download = async (image: ServerBody['image'], path: string): Promise<string> => {
    const part = `${path}.part`;
    const hash = createHash('sha512');
    let size = 0;
    try {
      await pipeline(
        await fetch(image.id),
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            hash.update(chunk);
            size += chunk.length;
            yield chunk;
          }
        },
        createWriteStream(part, { mode: 0o644 }),
      );
      if (size !== image.size || hash.digest('hex') !== image.hash)
        throw new DriverError(
          'failed',
          `The content of image ${image.id} arrived damaged: its size or sha512 differs. It will be fetched again.`,
        );
      await chmod(part, 0o444);
      // The name says that it is whole: also after a power cut.
      const file = await open(part, 'r');
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, path);
      return path;
    } catch (error) {
      await rm(part, { force: true });
      if (error instanceof DriverError) throw error;
      const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
      throw new DriverError(
        full ? 'no-space' : 'failed',
        full
          ? `The host has no disk space for image ${image.id} (${image.size} bytes).`
          : `Image ${image.id} could not be fetched to the host.`,
        String(error),
        error,
      );
    }
  };

  return {
    async ensure(image) {
      prepared ??= prepare();
      await prepared.catch((error: unknown) => {
        prepared = null; // tried again for the next image
        throw new DriverError(
          'failed',
          `The host cannot keep images: its image folder could not be made.`,
          String(error),
          error,
        );
      });
      const path = join(dir, `${image.hash.slice(0, 32)}.${image.id}`);
      const present = await stat(path).catch(() => null);
      if (present?.size === image.size) return path;
      const running = under.get(path) ?? download(image, path).finally(() => under.delete(path));
      under.set(path, running);
      return running;
    },
  };
}

/** For simulated hosts: nothing is fetched. */
export const noImageCache: ImageCache = { ensure: async (image) => `/simulated/${image.id}` };
