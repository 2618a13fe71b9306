// Checks a container image archive (docker save, OCI layout; plain or gzip) while it is being stored. Every byte passes
// once: names and links are checked, blobs hashed, layers unpacked only to be counted and hashed. Memory stays bounded:
// of the content, only small JSON documents are kept.
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';

import {
  type ArchiveEntry,
  ArchiveError,
  type ArchiveFile,
  type ArchiveInfo,
  judgeArchive,
} from './archive-manifest.ts';
import type { Inspection } from './inspect.ts';

export type ArchiveLimits = {
  /** Entries of the archive. */
  maxEntries: number;
  /** Bytes of all that is unpacked: the archive itself plus its compressed layers. */
  maxUnpacked: number;
  /** Unpacked bytes per received byte, checked above RATIO_FREE_BYTES. */
  maxRatio: number;
};

export const ARCHIVE_LIMITS: ArchiveLimits = { maxEntries: 4096, maxUnpacked: 32 * 2 ** 30, maxRatio: 200 };

const RATIO_FREE_BYTES = 256 * 2 ** 20;
const MAX_NAME = 512;
/** A manifest or config; the OCI distribution specification asks readers for 4 MiB at most, real ones are a few KiB. */
const MAX_DOCUMENT = 2 ** 20;
const MAX_DOCUMENTS_BYTES = 16 * 2 ** 20;

export type ArchiveCheck = {
  /** Resolves when more may be written; rejects with ArchiveError as soon as the archive is known to be bad. */
  write: (chunk: Buffer) => Promise<void>;
  finish: () => Promise<ArchiveInfo>;
  /** Gives up, e.g. when the client is gone; may be called at any time. */
  abort: () => void;
};

type Budget = { received: number; unpacked: number; documents: number; limits: ArchiveLimits };

export function createArchiveCheck(limits: ArchiveLimits = ARCHIVE_LIMITS): ArchiveCheck {
  const budget: Budget = { received: 0, unpacked: 0, documents: 0, limits };
  const entries = new Map<string, ArchiveEntry>();
  const source = new PassThrough();
  let pending: Buffer = Buffer.alloc(0);
  let reading: Promise<void> | null = null;
  let ended = false;
  let wake = (): void => {};

  const start = (): void => {
    const tar = extract();
    const take = async (header: Header, stream: AsyncIterable<unknown>): Promise<ArchiveError | null> => {
      try {
        await readEntry(header, stream, entries, budget);
        return null;
      } catch (error) {
        return asArchiveError(error);
      }
    };
    tar.on('entry', async (header, stream, next) => {
      next(await take(header, stream));
    });
    const decoder = compressionOf(pending) === 'gzip' ? createGunzip() : new PassThrough();
    const counter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        done(spend(budget, chunk.length), chunk);
      },
    });
    reading = pipeline(source, decoder, counter, tar);
    // Its failure is told by the next write, or by finish.
    reading
      .catch(() => {})
      .finally(() => {
        ended = true;
        wake();
      });
  };
  const push = async (chunk: Buffer): Promise<void> => {
    if (!ended) {
      // A write that is under way when its stream is destroyed is never called back: the pipeline's end wakes us too.
      await new Promise<void>((resolve) => {
        wake = resolve;
        source.write(chunk, () => resolve());
      });
    }
    if (!ended) return;
    await finished();
    throw new ArchiveError('archive goes on after its end');
  };
  const finished = async (): Promise<void> => {
    try {
      await reading;
    } catch (error) {
      throw asArchiveError(error);
    }
  };
  return {
    write: async (chunk) => {
      budget.received += chunk.length;
      if (reading !== null) return push(chunk);
      pending = Buffer.concat([pending, chunk]);
      if (pending.length < 4) return;
      start();
      await push(pending);
    },
    finish: async () => {
      if (reading === null) throw new ArchiveError('archive is empty');
      source.end();
      await finished();
      return judgeArchive(entries);
    },
    abort: () => {
      source.destroy();
    },
  };
}

/** The archive's result in the words of the disk inspector, for `acceptImage`. */
export function archiveInspection(info: ArchiveInfo, size: number): Inspection {
  return { format: info.format, virtualSize: null, size, problems: [], partitionTable: null };
}

async function readEntry(
  header: Header,
  stream: AsyncIterable<unknown>,
  entries: Map<string, ArchiveEntry>,
  budget: Budget,
): Promise<void> {
  const name = checkedName(header.name);
  const shown = JSON.stringify(name.slice(0, 80));
  if (entries.size >= budget.limits.maxEntries) {
    throw new ArchiveError(`archive has more than ${budget.limits.maxEntries} entries`);
  }
  if (header.type !== 'file' && header.type !== 'contiguous-file' && header.size !== 0) {
    throw new ArchiveError(
      `entry ${shown} of the archive is a ${header.type} with content, it must have none`,
    );
  }
  if (header.type === 'directory') return;
  // Readers differ in whether the first or the last of two equal names counts.
  if (entries.has(name)) throw new ArchiveError(`archive has ${shown} twice`);
  if (header.type === 'symlink' || header.type === 'link') {
    const base = header.type === 'symlink' ? posix.dirname(name) : '.';
    const target = header.linkname;
    const resolved = posix.normalize(posix.join(base, target));
    if (target === '' || target.startsWith('/') || resolved.split('/').includes('..')) {
      throw new ArchiveError(
        `link ${shown} of the archive leads outside it (${JSON.stringify(target.slice(0, 80))})`,
      );
    }
    entries.set(name, { kind: 'link', target: resolved });
    return;
  }
  if (header.type !== 'file' && header.type !== 'contiguous-file') {
    throw new ArchiveError(
      `entry ${shown} of the archive is a ${header.type}, it must be a file, directory or link`,
    );
  }
  entries.set(name, await readFile(stream, budget));
}

function checkedName(raw: string): string {
  const shown = JSON.stringify(raw.slice(0, 80));
  if (raw.length > MAX_NAME) throw new ArchiveError(`archive entry name ${shown} is longer than ${MAX_NAME}`);
  if (raw.startsWith('/'))
    throw new ArchiveError(`archive entry name ${shown} is absolute, it must be relative`);
  if (raw.split('/').includes('..'))
    throw new ArchiveError(`archive entry name ${shown} holds .., it must not`);
  // oxlint-disable-next-line no-control-regex
  if (/[\x00-\x1f\x7f]/.test(raw))
    throw new ArchiveError(`archive entry name ${shown} holds control characters`);
  return posix.normalize(raw).replace(/\/$/, '');
}

async function readFile(stream: AsyncIterable<unknown>, budget: Budget): Promise<ArchiveFile> {
  const hash = createHash('sha256');
  let size = 0;
  let kept: Buffer[] | null = null;
  let unpacker: Unpacker | null = null;
  try {
    for await (const chunk of startingWithFourBytes(stream)) {
      if (size === 0) {
        const compression = compressionOf(chunk);
        if (compression !== null) unpacker = createUnpacker(compression, budget);
        else if (/^\s*[{[]/.test(chunk.toString('latin1', 0, 64))) kept = [];
      }
      hash.update(chunk);
      size += chunk.length;
      await unpacker?.write(chunk);
      if (kept === null) continue;
      kept.push(chunk);
      budget.documents += chunk.length;
      if (size > MAX_DOCUMENT) {
        budget.documents -= size;
        kept = null;
      } else if (budget.documents > MAX_DOCUMENTS_BYTES) {
        throw new ArchiveError(`archive has more than ${MAX_DOCUMENTS_BYTES} bytes of JSON documents`);
      }
    }
    const digest = `sha256:${hash.digest('hex')}`;
    const content = (await unpacker?.end()) ?? { digest, size };
    return {
      kind: 'file',
      size,
      digest,
      contentDigest: content.digest,
      contentSize: content.size,
      document: kept === null ? null : Buffer.concat(kept),
    };
  } finally {
    unpacker?.destroy();
  }
}

/** The same bytes, but the first chunk is long enough to tell a compression by. */
async function* startingWithFourBytes(stream: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let start: Buffer | null = Buffer.alloc(0);
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) throw new Error('tar-stream gave something else than a buffer');
    if (start !== null) {
      start = Buffer.concat([start, chunk]);
      if (start.length < 4) continue;
    }
    yield start ?? chunk;
    start = null;
  }
  if (start !== null && start.length > 0) yield start;
}

type Compression = 'gzip' | 'zstd' | null;

function compressionOf(start: Buffer): Compression {
  if (start.length < 4) return null;
  if (start.readUInt16BE(0) === 0x1f8b) return 'gzip';
  return start.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : null;
}

type Unpacker = {
  write: (chunk: Buffer) => Promise<void>;
  end: () => Promise<{ digest: string; size: number }>;
  destroy: () => void;
};

function createUnpacker(compression: 'gzip' | 'zstd', budget: Budget): Unpacker {
  const decoder = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  const hash = createHash('sha256');
  let size = 0;
  let failure: Error | null = null;
  let wake = (): void => {};
  const closed = new Promise<void>((resolve) => {
    decoder.once('close', () => {
      resolve();
      wake();
    });
  });
  decoder.on('error', (error) => {
    failure ??= error;
  });
  decoder.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    size += chunk.length;
    const error = spend(budget, chunk.length);
    if (error !== null) decoder.destroy(error);
  });
  return {
    write: async (chunk) => {
      // As above: an error leaves the write without its callback.
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (decoder.destroyed) resolve();
        else decoder.write(chunk, () => resolve());
      });
      if (failure !== null) throw asArchiveError(failure);
    },
    end: async () => {
      decoder.end();
      await closed;
      if (failure !== null) throw asArchiveError(failure);
      return { digest: `sha256:${hash.digest('hex')}`, size };
    },
    destroy: () => {
      decoder.destroy();
    },
  };
}

function spend(budget: Budget, bytes: number): ArchiveError | null {
  budget.unpacked += bytes;
  const { maxUnpacked, maxRatio } = budget.limits;
  if (budget.unpacked > maxUnpacked)
    return new ArchiveError(`archive unpacks to more than ${maxUnpacked} bytes`);
  if (budget.unpacked > RATIO_FREE_BYTES && budget.unpacked > budget.received * maxRatio) {
    return new ArchiveError(`archive unpacks to more than ${maxRatio} times its size`);
  }
  return null;
}

function asArchiveError(error: unknown): ArchiveError {
  if (error instanceof ArchiveError) return error;
  return new ArchiveError(
    `archive is not readable: ${error instanceof Error ? error.message : String(error)}`,
  );
}
