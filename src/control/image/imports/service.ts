// Imports: a request is written down as a task and answered at once; the work queue does it. What a crash cuts off begins
// anew from the staged content or from its source, so that an image ends active, or queued with the reason in its task.
import type { Readable } from 'node:stream';
import type { Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tables, Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict, notFound } from '../../../kernel/errors.ts';
import type { WorkHandler } from '../../../kernel/work.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { ownImage, readImage } from '../images/access.ts';
import { MAX_IMAGE_BYTES, type Contents } from '../images/content.ts';
import { requireWithin, roomFor } from '../images/limits.ts';
import { moveStatus, WORK_CONTENT } from '../images/service.ts';
import { STORE, type ImageRow } from '../images/wire.ts';
import { checkUri, download, type Resolver, type Source } from './download.ts';
import type { ImportBody } from './routes.ts';
import type { ImportMethod, TaskStatus } from './table.ts';

export type TaskRow = Tables['image_tasks'];

export const WORK_IMPORT = 'image-import';
/** Milliseconds that a finished task is kept, as Glance's task_time_to_live. */
const KEEP_MS = 48 * 3_600_000;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** What an import from another image takes over of its properties: what the content needs to run. */
const isCopied = (name: string): boolean =>
  /^(hw_|trait:)/.test(name) || ['os_distro', 'os_secure_boot', 'os_type'].includes(name);

export type ImportOptions = {
  /** Where users may download from; none: web-download is not offered. */
  sources: readonly Source[];
  resolve?: Resolver;
};

export type Imports = {
  readonly methods: readonly ImportMethod[];
  request(ctx: Ctx, imageId: string, body: Static<typeof ImportBody>): Promise<void>;
  work: Readonly<Record<string, WorkHandler>>;
};

export function createImports(platform: Platform, contents: Contents, options: ImportOptions): Imports {
  const { db, clock, ids, work } = platform;
  const methods: ImportMethod[] = [
    'glance-direct',
    ...(options.sources.length > 0 ? (['web-download'] as const) : []),
    'glance-download',
  ];

  /** Where the content will come from; 400 for what cannot be one. */
  async function sourceOf(tx: Tx, ctx: Ctx, { method }: Static<typeof ImportBody>): Promise<string> {
    if (method.name === 'glance-direct') return '';
    if (method.name === 'web-download') {
      if (method.uri === undefined)
        throw badRequest("Import method web-download needs 'uri', the address of the content.");
      return checkUri(options.sources, method.uri).href;
    }
    if (method.glance_image_id === undefined || method.glance_region === undefined)
      throw badRequest("Import method glance-download needs 'glance_image_id' and 'glance_region'.");
    if (!UUID.test(method.glance_image_id))
      throw badRequest(
        `Invalid input for glance_image_id: the image id does not look like a UUID. Value: ${method.glance_image_id.slice(0, 100)}.`,
      );
    // There is one region, this one. What the asker may not read is not there, and the task says so.
    if (
      method.glance_region !== platform.region ||
      !['public', 'internal', 'admin'].includes(method.glance_service_interface ?? 'public')
    )
      return '';
    return readImage(tx, ctx, method.glance_image_id).then(
      (row) => row.id,
      (error: unknown) => {
        if (error instanceof CloudError && error.status === 404) return '';
        throw error;
      },
    );
  }

  /** 400 for a method or a store that is not offered. */
  function offered(body: Static<typeof ImportBody>): ImportMethod {
    const method = body.method.name as ImportMethod;
    if (!methods.includes(method))
      throw badRequest(
        `Invalid input for method.name. Value: ${body.method.name}. This cloud imports by ${methods.join(', ')}.`,
      );
    const named = body.stores ?? [];
    if (named.length > 0 && body.all_stores === true)
      throw badRequest("Invalid input for stores. 'stores' and 'all_stores' exclude each other.");
    for (const name of named)
      if (name !== STORE)
        throw badRequest(`Invalid input for stores. Value: ${name}. The only store is ${STORE}.`);
    return method;
  }

  async function begin(tx: Tx, row: ImageRow, method: ImportMethod): Promise<void> {
    const from = method === 'glance-direct' ? 'uploading' : 'queued';
    const ready = row.status === from && (from === 'queued' || row.stage_size !== null);
    const set = { status: 'importing', failed_import: '', updated_at: clock.now() } as const;
    if (!ready || !(await moveStatus(tx, row.id, from, set)))
      throw conflict(
        method === 'glance-direct'
          ? `Image ${row.id} is ${row.status}; before import method glance-direct its content must be staged.`
          : `Image ${row.id} is ${row.status}; import method ${method} needs a queued image.`,
      );
    await requireWithin(platform, tx, row.owner, ['image_count_uploading']);
  }

  const open = async (
    task: TaskRow,
    row: ImageRow,
  ): Promise<{ stream: Readable; set: Partial<ImageRow> }> => {
    if (task.method === 'glance-direct') return { stream: await contents.openStaged(row.id), set: {} };
    if (task.method === 'web-download') {
      const maxBytes = Math.min(
        MAX_IMAGE_BYTES,
        await roomFor(platform, db.read, row.owner, 'image_size_total'),
      );
      const stream = await download(options.sources, task.source, {
        clock,
        maxBytes,
        ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
      });
      return { stream, set: {} };
    }
    const from = await db.read
      .selectFrom('images')
      .selectAll()
      .where('id', '=', task.source)
      .where('status', '=', 'active')
      .executeTakeFirst();
    if (from === undefined)
      throw badRequest(
        'The image to import from could not be found: there is no such region or interface, or no active image with this id that you may read.',
      );
    const { stream } = await contents.open(from);
    const copied = Object.entries(JSON.parse(from.properties) as Record<string, string>).filter(([name]) =>
      isCopied(name),
    );
    return {
      stream,
      set: {
        disk_format: from.disk_format,
        container_format: from.container_format,
        properties: JSON.stringify({
          ...(JSON.parse(row.properties) as object),
          ...Object.fromEntries(copied),
        }),
      },
    };
  };

  const finish = async (tx: Tx, id: string, status: TaskStatus, message = ''): Promise<void> => {
    const now = clock.now();
    await tx
      .updateTable('image_tasks')
      .set({ status, message, updated_at: now, expires_at: now + KEEP_MS })
      .where('id', '=', id)
      .execute();
    await tx.deleteFrom('image_tasks').where('expires_at', '<=', now).execute();
  };

  async function run(taskId: string): Promise<void> {
    const task = await db.read
      .selectFrom('image_tasks')
      .selectAll()
      .where('id', '=', taskId)
      .where('status', 'in', ['pending', 'processing'])
      .executeTakeFirst();
    if (task === undefined) return;
    const row = await db.read
      .selectFrom('images')
      .selectAll()
      .where('id', '=', task.image_id)
      .where('status', '=', 'importing')
      .executeTakeFirst();
    const gone = `Image ${task.image_id} was deleted before its import ended.`;
    if (row === undefined) return db.tx((tx) => finish(tx, taskId, 'failure', gone));
    await db.tx((tx) =>
      tx
        .updateTable('image_tasks')
        .set({ status: 'processing', updated_at: clock.now() })
        .where('id', '=', taskId)
        .execute(),
    );
    try {
      const { stream, set } = await open(task, row);
      try {
        await contents.activate({ ...row, ...set }, stream, {
          status: 'importing',
          set: { ...set, stage_size: null, failed_import: '' },
          also: (tx) => finish(tx, taskId, 'success'),
        });
      } finally {
        stream.destroy();
      }
    } catch (error) {
      // Anything else is our own trouble, not the content's: the queue tries again.
      if (!(error instanceof CloudError)) throw error;
      await contents.dropStaged(row.id);
      await db.tx(async (tx) => {
        const queued = {
          status: 'queued',
          stage_size: null,
          failed_import: STORE,
          updated_at: clock.now(),
        } as const;
        const kept = await moveStatus(tx, row.id, 'importing', queued);
        await finish(tx, taskId, 'failure', kept ? error.publicMessage : gone);
        await work.enqueue(tx, WORK_CONTENT, [row.id]);
      });
    }
  }

  return {
    methods,
    async request(ctx, imageId, body) {
      await db.tx(async (tx) => {
        const row = await ownImage(tx, ctx, imageId);
        const method = offered(body);
        if (method !== 'glance-download' && (row.disk_format === '' || row.container_format === ''))
          throw badRequest(
            `Properties disk_format and container_format of image ${imageId} must be set before it is imported.`,
          );
        const source = await sourceOf(tx, ctx, body);
        await begin(tx, row, method);
        const now = clock.now();
        const task: TaskRow = {
          id: ids.uuid(),
          image_id: imageId,
          owner: row.owner,
          user_id: ctx.actor.userId,
          request_id: ctx.requestId,
          status: 'pending',
          method,
          input: JSON.stringify(body),
          source,
          message: '',
          created_at: now,
          updated_at: now,
          expires_at: null,
        };
        await tx.insertInto('image_tasks').values(task).execute();
        await work.enqueue(tx, WORK_IMPORT, [task.id]);
        await audit(tx, ctx, 'image', imageId);
      });
    },
    work: {
      [WORK_IMPORT]: { mode: 'effect', leaseMs: 60_000, concurrency: 2, run },
    },
  };
}

/** The tasks of one image, newest first; 404 when the actor may not read it. */
export async function tasksOfImage(ctx: Ctx, imageId: string): Promise<TaskRow[]> {
  const { read } = ctx.platform.db;
  await ownImage(read, ctx, imageId);
  return read
    .selectFrom('image_tasks')
    .selectAll()
    .where('image_id', '=', imageId)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .limit(100)
    .execute();
}

export async function readTask(ctx: Ctx, id: string): Promise<TaskRow> {
  const row = await ctx.platform.db.read
    .selectFrom('image_tasks')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) throw notFound('Task', id);
  return row;
}
