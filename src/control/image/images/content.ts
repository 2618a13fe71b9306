// The content of images: uploaded in one streamed pass that stores, hashes and inspects; accepted only when it is
// what it was declared to be; converted once where guests cannot boot it as it is.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict, notFound, unavailable } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { RunError } from '../../../kernel/run.ts';
import { acceptImage } from '../content/accept.ts';
import { archiveInspection, createArchiveCheck } from '../content/archive.ts';
import { ArchiveError } from '../content/archive-manifest.ts';
import { convertToQcow2, isConvertible } from '../content/convert.ts';
import { createInspector, type Inspection } from '../content/inspect.ts';
import { ContentError, type ContentStore, type PutResult } from '../content/store.ts';
import { moveStatus, ownImage, WORK_CONTENT } from './service.ts';
import type { ImageRow } from './wire.ts';

/** Bytes of one image's content, and of the disk that it may describe. */
export const MAX_IMAGE_BYTES = 1024 ** 4;
export const MAX_VIRTUAL_BYTES = 64 * 1024 ** 4;

/** Formats that guests boot as they are; others get a qcow2 beside. */
export const BOOTABLE: ReadonlySet<string> = new Set(['raw', 'qcow2', 'iso']);
export const needsConversion = (row: Pick<ImageRow, 'disk_format' | 'container_format'>): boolean =>
  row.container_format === 'bare' && !BOOTABLE.has(row.disk_format) && isConvertible(row.disk_format);
export const bootCopyOf = (imageId: string): string => `${imageId}-boot`;

type Watcher = {
  write(chunk: Buffer): void | Promise<void>;
  finish(): Inspection | Promise<Inspection>;
  abort(): void;
};

function watcherFor(containerFormat: string): Watcher {
  if (containerFormat !== 'docker') return { ...createInspector(), abort: () => {} };
  const check = createArchiveCheck();
  let size = 0;
  return {
    write(chunk) {
      size += chunk.length;
      return check.write(chunk);
    },
    finish: async () => archiveInspection(await check.finish(), size),
    abort: () => check.abort(),
  };
}

export type Contents = {
  upload(ctx: Ctx, id: string, stream: Readable): Promise<void>;
  /** Stores and accepts content for a row, without any status; used by upload and for the built-in images. */
  store(
    row: Pick<ImageRow, 'id' | 'disk_format' | 'container_format'>,
    stream: AsyncIterable<Buffer>,
  ): Promise<PutResult & { virtualSize: number | null }>;
  /** Content that another service delivers for an image that waits for it; may be repeated. */
  receive(id: string, stream: Readable): Promise<void>;
  /** Forgets an image whose content never came. */
  abandon(id: string): Promise<void>;
  open(row: ImageRow, range?: { start: number; end: number }): Promise<{ stream: Readable; size: number }>;
  /** What the agents boot: the content, or the copy converted from it. */
  openForBoot(id: string): Promise<Readable>;
  /** Removes what a crash left between a content and its row. At start only: an upload under way looks the same. */
  sweep(): Promise<void>;
  /** Level-triggered: makes the files match the row. */
  reconcile(id: string): Promise<void>;
};

export function createContents(platform: Platform, files: ContentStore): Contents {
  const { db, clock, work } = platform;

  const store: Contents['store'] = async (row, stream) => {
    const watcher = watcherFor(row.container_format);
    try {
      const result = await files.put(row.id, stream, {
        maxBytes: MAX_IMAGE_BYTES,
        onChunk: (chunk) => watcher.write(chunk),
      });
      const verdict = acceptImage(
        { diskFormat: row.disk_format, containerFormat: row.container_format },
        await watcher.finish(),
        { maxVirtualSize: MAX_VIRTUAL_BYTES },
      );
      if (!verdict.ok)
        throw badRequest(`Image ${row.id} is refused: ${verdict.message}.`, 'InvalidImageData');
      return { ...result, virtualSize: verdict.virtualSize };
    } catch (error) {
      watcher.abort();
      await files.delete(row.id);
      if (error instanceof ArchiveError)
        throw badRequest(
          `Image ${row.id} is refused: container_format is docker, but its ${error.message}.`,
          'InvalidImageData',
        );
      if (!(error instanceof ContentError)) throw error;
      if (error.code === 'too-large')
        throw new CloudError(
          413,
          'ImageTooLarge',
          `Image ${row.id} is larger than the ${MAX_IMAGE_BYTES} bytes that are allowed.`,
        );
      if (error.code === 'disk-full')
        throw unavailable(
          `There is no disk space left for the content of image ${row.id}. Ask the operator to free space.`,
          error.message,
        );
      throw badRequest(`The content of image ${row.id} did not arrive whole; upload it again.`);
    }
  };

  /** Stores the content of a row that is 'saving', which is active then, or queued again. `also`: in the same transaction. */
  const deliver = async (row: ImageRow, stream: Readable, also: (tx: Tx) => Promise<void>): Promise<void> => {
    const { id } = row;
    try {
      const content = await store(row, stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>);
      await db.tx(async (tx) => {
        const set = {
          status: 'active',
          size: content.size,
          checksum: content.md5,
          hash: content.sha512,
          virtual_size: content.virtualSize,
          updated_at: clock.now(),
        } as const;
        // Deleted while it was uploaded: the content goes with it.
        if (!(await moveStatus(tx, id, 'saving', set))) throw notFound('Image', id);
        await work.enqueue(tx, WORK_CONTENT, [id]);
        await also(tx);
      });
    } catch (error) {
      await db.tx((tx) => moveStatus(tx, id, 'saving', { status: 'queued', updated_at: clock.now() }));
      await db.tx((tx) => work.enqueue(tx, WORK_CONTENT, [id]));
      throw error;
    }
  };

  return {
    store,
    async upload(ctx, id, stream) {
      const row = await db.tx(async (tx) => {
        const found = await ownImage(tx, ctx, id);
        if (found.disk_format === '' || found.container_format === '')
          throw badRequest(
            `Properties disk_format and container_format of image ${id} must be set before its content is uploaded.`,
          );
        if (!(await moveStatus(tx, id, 'queued', { status: 'saving', updated_at: clock.now() })))
          throw conflict(`Image ${id} is ${found.status}; content can be uploaded to a queued image only.`);
        return found;
      });
      await deliver(row, stream, (tx) => audit(tx, ctx, 'image', id));
    },

    async receive(id, stream) {
      const row = await db.tx(async (tx) => {
        const found = await tx
          .selectFrom('images')
          .selectAll()
          .where('id', '=', id)
          .where('status', 'in', ['queued', 'saving'])
          .executeTakeFirst();
        if (found === undefined) throw notFound('Image', id);
        // In 'saving' it was left by a process that ended: nobody else fills it.
        await tx
          .updateTable('images')
          .set({ status: 'saving', updated_at: clock.now() })
          .where('id', '=', id)
          .execute();
        return found;
      });
      await deliver(row, stream, async () => {});
    },

    async abandon(id) {
      await db.tx(async (tx) => {
        const gone = await tx
          .deleteFrom('images')
          .where('id', '=', id)
          .where('status', 'in', ['queued', 'saving'])
          .executeTakeFirst();
        if (gone.numDeletedRows > 0n) await work.enqueue(tx, WORK_CONTENT, [id]);
      });
    },

    async open(row, range) {
      try {
        return await files.open(row.id, range);
      } catch (error) {
        if (error instanceof ContentError && error.code === 'bad-range')
          throw new CloudError(
            416,
            'RangeNotSatisfiable',
            `The requested range lies outside the ${row.size ?? 0} bytes of image ${row.id}.`,
          );
        if (error instanceof ContentError && error.code === 'not-found') throw notFound('Image', row.id); // deleted meanwhile
        throw error;
      }
    },

    async sweep() {
      const rows = await db.read
        .selectFrom('images')
        .select('id')
        .where('status', 'in', ['active', 'deactivated'])
        .execute();
      const kept = new Set(rows.flatMap(({ id }) => [id, bootCopyOf(id)]));
      for (const { id } of await files.list()) if (!kept.has(id)) await files.delete(id);
    },

    async openForBoot(id) {
      const row = await db.read
        .selectFrom('images')
        .select('boot_hash')
        .where('id', '=', id)
        .executeTakeFirst();
      return (await files.open(row?.boot_hash === null || row === undefined ? id : bootCopyOf(id))).stream;
    },

    async reconcile(id) {
      const row = await db.read.selectFrom('images').selectAll().where('id', '=', id).executeTakeFirst();
      if (row === undefined) {
        await files.delete(id);
        await files.delete(bootCopyOf(id));
        return;
      }
      if (
        row.status !== 'active' ||
        row.boot_hash !== null ||
        !needsConversion(row) ||
        !isConvertible(row.disk_format)
      )
        return;
      const target = files.path(bootCopyOf(id));
      try {
        await convertToQcow2({ path: files.path(id), format: row.disk_format }, target);
      } catch (error) {
        // Repeating it would only burn the same minutes of CPU again; without the program it is not the image's fault.
        if (!(error instanceof RunError) || error.reason === 'missing' || error.reason === 'spawn')
          throw error;
        platform.log.warn({ image: id, error: error.message }, 'an image could not be converted');
        await db.tx((tx) => tx.updateTable('images').set({ boot_hash: '' }).where('id', '=', id).execute());
        return;
      }
      const hash = createHash('sha512');
      await pipeline(createReadStream(target), hash);
      const boot = { boot_hash: hash.digest('hex'), boot_size: (await stat(target)).size };
      await db.tx((tx) => tx.updateTable('images').set(boot).where('id', '=', id).execute());
    },
  };
}
