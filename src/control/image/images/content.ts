// The content of images: uploaded in one streamed pass that stores, hashes and inspects; accepted only when it is
// what it was declared to be; converted once where guests cannot boot it as it is.
import type { Readable } from 'node:stream';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict, notFound, unavailable } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { acceptImage } from '../content/accept.ts';
import { archiveInspection, createArchiveCheck } from '../content/archive.ts';
import { ArchiveError } from '../content/archive-manifest.ts';
import { createInspector, type Inspection } from '../content/inspect.ts';
import { ContentError, type ContentStore, type PutResult } from '../content/store.ts';
import { ownImage } from './access.ts';
import { bootCopyOf, stageOf } from './forms.ts';
import { holdUpload, LEASE_MS } from './lease.ts';
import { requireWithin, roomFor } from './limits.ts';
import { moveStatus, WORK_CONTENT } from './service.ts';
import { createUpkeep, type Upkeep } from './upkeep.ts';
import type { ImageRow } from './wire.ts';

/** Bytes of one image's content, and of the disk that it may describe. */
export const MAX_IMAGE_BYTES = 1024 ** 4;
export const MAX_VIRTUAL_BYTES = 64 * 1024 ** 4;

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

type Taken = Pick<ImageRow, 'id' | 'disk_format' | 'container_format'>;

export type Contents = {
  upload(ctx: Ctx, id: string, stream: Readable): Promise<void>;
  /** Keeps content aside, as it comes, until it is imported. */
  stage(ctx: Ctx, id: string, stream: Readable): Promise<void>;
  openStaged(id: string): Promise<Readable>;
  /** Stores and accepts content for a row, without any status; used by upload and for the built-in images. */
  store(
    row: Taken,
    stream: AsyncIterable<Buffer>,
    maxBytes?: number,
  ): Promise<PutResult & { virtualSize: number | null }>;
  /** Stores content of an image that is in status `from`, and makes it active; `set` and `also` in the same transaction. */
  activate(row: ImageRow, stream: Readable, from: Activation): Promise<void>;
  /** Content that another service delivers for an image that waits for it; may be repeated. */
  receive(id: string, stream: Readable): Promise<void>;
  /** Forgets an image whose content never came. */
  abandon(id: string): Promise<void>;
  open(row: ImageRow, range?: { start: number; end: number }): Promise<{ stream: Readable; size: number }>;
  /** What the agents boot: the content, or the copy converted from it. */
  openForBoot(id: string): Promise<Readable>;
  /** Removes the files of one image that wait for an import, or were cut off; only for who holds the image. */
  dropStaged(id: string): Promise<void>;
} & Upkeep;

export type Activation = {
  status: 'saving' | 'importing';
  /** Ends the receiving, and says under which lease it was; absent: there is none. */
  release?: () => Promise<number>;
  set?: Partial<ImageRow>;
  also(tx: Tx): Promise<void>;
};

export function createContents(platform: Platform, files: ContentStore): Contents {
  const { db, clock, work } = platform;

  const refused = (id: string, error: unknown, maxBytes: number): unknown => {
    if (error instanceof ArchiveError)
      return badRequest(
        `Image ${id} is refused: container_format is docker, but its ${error.message}.`,
        'InvalidImageData',
      );
    if (!(error instanceof ContentError)) return error;
    if (error.code === 'too-large')
      return new CloudError(
        413,
        'ImageTooLarge',
        `Image ${id} is larger than the ${maxBytes} bytes that are allowed.`,
      );
    if (error.code === 'disk-full')
      return unavailable(
        `There is no disk space left for the content of image ${id}. Ask the operator to free space.`,
        error.message,
      );
    return badRequest(`The content of image ${id} did not arrive whole; upload it again.`);
  };

  const store: Contents['store'] = async (row, stream, maxBytes = MAX_IMAGE_BYTES) => {
    const watcher = watcherFor(row.container_format);
    try {
      const result = await files.put(row.id, stream, {
        maxBytes,
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
      throw refused(row.id, error, maxBytes);
    }
  };

  /** Does not end the stream when it fails: its socket still takes an answer. */
  const pieces = (stream: Readable): AsyncIterable<Buffer> =>
    stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  const room = async (owner: string, resource: 'image_size_total' | 'image_stage_total'): Promise<number> =>
    Math.min(MAX_IMAGE_BYTES, await roomFor(platform, db.read, owner, resource));

  const activate: Contents['activate'] = async (row, stream, { status, release, set = {}, also }) => {
    const { id } = row;
    const content = await store(row, pieces(stream), await room(row.owner, 'image_size_total'));
    const lease = await release?.();
    try {
      await db.tx(async (tx) => {
        const active = {
          ...set,
          status: 'active',
          lease_until: 0,
          size: content.size,
          checksum: content.md5,
          hash: content.sha512,
          virtual_size: content.virtualSize,
          updated_at: clock.now(),
        } as const;
        // Deleted while it was uploaded: the content goes with it.
        if (!(await moveStatus(tx, id, status, active, lease))) throw notFound('Image', id);
        await requireWithin(platform, tx, row.owner, ['image_size_total']);
        await work.enqueue(tx, WORK_CONTENT, [id]);
        await also(tx);
      });
    } catch (error) {
      await files.delete(id);
      throw error;
    }
  };

  /** Takes the image in the transaction for this process, which then receives its content. */
  const take = async (
    tx: Tx,
    row: ImageRow,
    from: { status: ImageRow['status']; lease: number },
    status: 'saving' | 'uploading',
  ): Promise<{ row: ImageRow; until: number } | null> => {
    const until = Math.max(clock.now() + LEASE_MS, from.lease + 1);
    const set = { status, lease_until: until, failed_import: '', stage_size: null, updated_at: clock.now() };
    if (!(await moveStatus(tx, row.id, from.status, set, from.lease))) return null;
    await requireWithin(platform, tx, row.owner, ['image_count_uploading']);
    // Should this process end before the content is there, the image is queued again.
    await work.enqueue(tx, WORK_CONTENT, [row.id], LEASE_MS);
    return { row, until };
  };

  const queueAgain = (id: string, from: 'saving' | 'uploading', lease: number): Promise<void> =>
    db.tx(async (tx) => {
      await moveStatus(
        tx,
        id,
        from,
        { status: 'queued', lease_until: 0, stage_size: null, updated_at: clock.now() },
        lease,
      );
      await work.enqueue(tx, WORK_CONTENT, [id]);
    });

  /** Stores the content of a row that this process has taken: it is active then, or queued again. */
  const deliver = async (
    { row, until }: { row: ImageRow; until: number },
    stream: Readable,
    also: (tx: Tx) => Promise<void>,
  ): Promise<void> => {
    const held = holdUpload(platform, row.id, until);
    try {
      await files.dropParts(row.id);
      await activate(row, stream, { status: 'saving', release: held.release, also });
    } catch (error) {
      await queueAgain(row.id, 'saving', await held.release());
      throw error;
    }
  };

  return {
    store,
    activate,
    async upload(ctx, id, stream) {
      const taken = await db.tx(async (tx) => {
        const found = await ownImage(tx, ctx, id);
        if (found.disk_format === '' || found.container_format === '')
          throw badRequest(
            `Properties disk_format and container_format of image ${id} must be set before its content is uploaded.`,
          );
        const row = await take(tx, found, { status: 'queued', lease: 0 }, 'saving');
        if (row === null)
          throw conflict(`Image ${id} is ${found.status}; content can be uploaded to a queued image only.`);
        return row;
      });
      await deliver(taken, stream, (tx) => audit(tx, ctx, 'image', id));
    },

    async stage(ctx, id, stream) {
      const { row, until } = await db.tx(async (tx) => {
        const found = await ownImage(tx, ctx, id);
        const taken = await take(tx, found, { status: 'queued', lease: 0 }, 'uploading');
        if (taken === null)
          throw conflict(`Image ${id} is ${found.status}; content can be staged for a queued image only.`);
        await audit(tx, ctx, 'image', id);
        return taken;
      });
      const held = holdUpload(platform, id, until);
      let maxBytes = MAX_IMAGE_BYTES;
      try {
        await files.dropParts(stageOf(id));
        maxBytes = await room(row.owner, 'image_stage_total');
        const { size } = await files.put(stageOf(id), pieces(stream), { maxBytes });
        const lease = await held.release();
        await db.tx(async (tx) => {
          const staged = { stage_size: size, lease_until: 0, updated_at: clock.now() };
          if (!(await moveStatus(tx, id, 'uploading', staged, lease))) throw notFound('Image', id);
          await requireWithin(platform, tx, row.owner, ['image_stage_total']);
        });
      } catch (error) {
        const lease = await held.release();
        await files.delete(stageOf(id));
        await queueAgain(id, 'uploading', lease);
        throw refused(id, error, maxBytes);
      }
    },

    openStaged: async (id) => (await files.open(stageOf(id))).stream,

    async receive(id, stream) {
      const taken = await db.tx(async (tx) => {
        const found = await tx
          .selectFrom('images')
          .selectAll()
          .where('id', '=', id)
          .where('status', 'in', ['queued', 'saving'])
          .executeTakeFirst();
        if (found === undefined) throw notFound('Image', id);
        // In 'saving' it was left by a process that ended: nobody else fills it.
        const row = await take(tx, found, { status: found.status, lease: found.lease_until }, 'saving');
        if (row === null) throw notFound('Image', id);
        return row;
      });
      await deliver(taken, stream, async () => {});
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

    async openForBoot(id) {
      const row = await db.read
        .selectFrom('images')
        .select('boot_hash')
        .where('id', '=', id)
        .executeTakeFirst();
      return (await files.open(row?.boot_hash === null || row === undefined ? id : bootCopyOf(id))).stream;
    },

    async dropStaged(id) {
      await files.delete(stageOf(id));
      await files.dropParts(stageOf(id));
      await files.dropParts(id);
    },

    ...createUpkeep(platform, files),
  };
}
