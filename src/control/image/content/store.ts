// Keeps image content as files, one per id. What `put` has acknowledged survives a power cut; what a crash cut off stays
// under a name of its own until `dropParts`.
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open as openFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

const TEMP_PREFIX = '.part-';
const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

export type ContentErrorCode = 'too-large' | 'disk-full' | 'aborted' | 'not-found' | 'bad-range';

export class ContentError extends Error {
  readonly code: ContentErrorCode;

  constructor(code: ContentErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ContentError';
    this.code = code;
  }
}

export type PutOptions = {
  /** Bytes; more makes `put` stop with `too-large`. */
  maxBytes: number;
  /**
   * Sees every chunk before it counts as written, in order and in the same pass (inspectors). What it throws stops the
   * upload and reaches the caller of `put` as it is.
   */
  onChunk?: (chunk: Buffer) => void | Promise<void>;
};

export type PutResult = { size: number; md5: string; sha512: string };

/** Bytes, both ends included, as in HTTP. */
export type ByteRange = { start: number; end: number };

export type ContentStore = {
  /**
   * Overwrites what the id has; of two at once, the one that ends last stays. A Readable is destroyed when `put` fails:
   * who still wants to answer on its socket passes `readable.iterator({ destroyOnReturn: false })`.
   */
  put: (id: string, stream: AsyncIterable<Buffer | Uint8Array>, options: PutOptions) => Promise<PutResult>;
  /** `size` is that of the whole content, also with a range. */
  open: (id: string, range?: ByteRange) => Promise<{ stream: Readable; size: number }>;
  delete: (id: string) => Promise<void>;
  list: () => Promise<{ id: string; size: number; modifiedAt: Date }[]>;
  /** Ids of which something was cut off, or is still being written. */
  parts: () => Promise<string[]>;
  /** Removes what was cut off of an id: only for who knows that nobody writes it. */
  dropParts: (id: string) => Promise<void>;
  path: (id: string) => string;
};

/** `newId` names temporary files. Several processes may share a directory. */
export async function createContentStore(options: {
  dir: string;
  newId: () => string;
}): Promise<ContentStore> {
  const { dir, newId } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  /** Temporary files, with the id that each was to become. */
  const temporaries = async (): Promise<{ name: string; id: string }[]> =>
    (await readdir(dir))
      .filter((name) => name.startsWith(TEMP_PREFIX))
      .map((name) => ({ name, id: name.slice(TEMP_PREFIX.length).split('.')[0] ?? '' }));

  const path = (id: string): string => {
    if (!ID.test(id))
      throw new ContentError('not-found', `content id ${JSON.stringify(id.slice(0, 80))} is not valid`);
    return join(dir, id);
  };
  return {
    path,
    put: async (id, stream, put) => {
      const target = path(id);
      const temporary = join(dir, `${TEMP_PREFIX}${id}.${newId()}`);
      try {
        const result = await writeDurably(temporary, stream, put);
        await rename(temporary, target);
        await syncDirectory(dir);
        return result;
      } catch (error) {
        await rm(temporary, { force: true });
        throw asContentError(error);
      }
    },
    open: async (id, range) => {
      const handle = await openFile(path(id), 'r').catch((error: unknown) => {
        throw isCode(error, 'ENOENT')
          ? new ContentError('not-found', `there is no content for ${id}`, error)
          : error;
      });
      try {
        const { size } = await handle.stat();
        if (range === undefined) return { stream: handle.createReadStream(), size };
        const { start, end } = range;
        if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end < start || start >= size) {
          throw new ContentError('bad-range', `range ${start}-${end} does not fit content of ${size} bytes`);
        }
        return { stream: handle.createReadStream({ start, end: Math.min(end, size - 1) }), size };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    delete: async (id) => {
      await rm(path(id), { force: true });
      await syncDirectory(dir);
    },
    parts: async () => [...new Set((await temporaries()).map(({ id }) => id))],
    dropParts: async (id) => {
      for (const part of await temporaries())
        if (part.id === id) await rm(join(dir, part.name), { force: true });
    },
    list: async () => {
      const found = [];
      for (const id of await readdir(dir)) {
        if (!ID.test(id)) continue;
        const info = await stat(join(dir, id)).catch(() => null); // deleted in between
        if (info?.isFile()) found.push({ id, size: info.size, modifiedAt: info.mtime });
      }
      return found;
    },
  };
}

async function writeDurably(
  file: string,
  stream: AsyncIterable<Buffer | Uint8Array>,
  { maxBytes, onChunk }: PutOptions,
): Promise<PutResult> {
  const md5 = createHash('md5');
  const sha512 = createHash('sha512');
  let size = 0;
  const handle = await openFile(file, 'wx', 0o600);
  try {
    for await (const piece of source(stream)) {
      const chunk = Buffer.isBuffer(piece)
        ? piece
        : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      size += chunk.length;
      if (size > maxBytes) throw new ContentError('too-large', `content is more than ${maxBytes} bytes`);
      // The disk works while this thread hashes and inspects.
      const written = writeAll(handle, chunk);
      written.catch(() => {}); // told below, once the chunk has been seen by all
      try {
        md5.update(chunk);
        sha512.update(chunk);
        await onChunk?.(chunk);
      } finally {
        await written;
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { size, md5: md5.digest('hex'), sha512: sha512.digest('hex') };
}

/** Tells a failing source (the client is gone) from everything that fails on our side. */
async function* source(stream: AsyncIterable<Buffer | Uint8Array>): AsyncGenerator<Buffer | Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        throw error instanceof ContentError
          ? error
          : new ContentError('aborted', 'the upload ended early', error);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer): Promise<void> {
  for (let offset = 0; offset < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, offset, chunk.length - offset);
    offset += bytesWritten;
  }
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await openFile(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function asContentError(error: unknown): unknown {
  if (isCode(error, 'ENOSPC') || isCode(error, 'EDQUOT') || isCode(error, 'EFBIG')) {
    return new ContentError('disk-full', 'there is no space left to store the content', error);
  }
  return error;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
