// Images, as the other services see them.
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { audit } from '../../kernel/audit.ts';
import type { Reader, Tx } from '../../kernel/db/index.ts';
import { applyPage } from '../../kernel/paging.ts';
import { badRequest } from '../../kernel/errors.ts';
import { glanceFault } from '../../kernel/http/faults.ts';
import type { Service } from '../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../kernel/platform.ts';
import { checker } from '../../kernel/schema.ts';
import { createContentStore, type ContentStore } from './content/store.ts';
import { discoveryPolicies, discoveryRoutes } from './discovery.ts';
import { readableImages, readImage } from './images/access.ts';
import { createContents } from './images/content.ts';
import { BOOTABLE, needsConversion } from './images/forms.ts';
import { imageQuotas, requireWithin } from './images/limits.ts';
import { imagePolicies, imageRoutes } from './images/routes.ts';
import { changeProperties, createImage, deleteImage, newImage, WORK_CONTENT } from './images/service.ts';
import { CreateImage, type ImageRow } from './images/wire.ts';
import { imageMigrations, type ImageStatus } from './images/table.ts';
import { parseSource, type Resolver } from './imports/download.ts';
import { importPolicies, importRoutes } from './imports/routes.ts';
import { createImports } from './imports/service.ts';
import { taskMigrations } from './imports/table.ts';
import { memberPolicies, memberRoutes } from './members/routes.ts';
import { memberMigrations } from './members/table.ts';
import { metadefPolicies, metadefRoutes } from './metadefs/routes.ts';
import { addStandardMetadefs } from './metadefs/standard.ts';
import { metadefMigrations } from './metadefs/table.ts';
import { schemaPolicies, schemaRoutes } from './schemas.ts';

export { parseSource } from './imports/download.ts';

export type { ContentStore } from './content/store.ts';

/** An active image that may become a server. */
export type BootImage = {
  id: string;
  name: string;
  diskFormat: string;
  containerFormat: string;
  /** sha512 of the content, hex. */
  hash: string;
  /** Bytes of the content. */
  size: number;
  /** Bytes of the disk that a guest sees; null for containers. */
  virtualSize: number | null;
  /** GiB. */
  minDisk: number;
  /** MiB. */
  minRam: number;
  properties: Record<string, string>;
};

const checkNewImage = checker(CreateImage);

export type Reservation = Pick<
  BootImage,
  'name' | 'diskFormat' | 'containerFormat' | 'minDisk' | 'minRam' | 'properties'
> & {
  /** Project id. */
  owner: string;
};

export type ShownImage = Pick<BootImage, 'id' | 'name' | 'minDisk' | 'minRam' | 'properties'> & {
  status: ImageStatus;
  /** Bytes; null: no content yet. */
  size: number | null;
  createdAt: number;
  updatedAt: number;
};

export type ImageApi = {
  /** Throws 404 when the actor may not read it, 400 when it is not active. `db` may be a transaction. */
  forBoot(db: Pick<Reader, 'selectFrom'>, ctx: Ctx, imageId: string): Promise<BootImage>;
  /** As `reserve`, of any project and private, in the caller's transaction. Returns its id. */
  reserveFor(tx: Tx, ctx: Ctx, image: Reservation): Promise<string>;
  /** As the image API shows it, for the services that show images in their own words. */
  show(ctx: Ctx, imageId: string): Promise<ShownImage>;
  /** Newest first, at most `limit`, after `marker`. */
  list(ctx: Ctx, page: { limit: number; marker: string | null }): Promise<ShownImage[]>;
  remove(ctx: Ctx, imageId: string): Promise<void>;
  /** Writes the custom properties that differ; returns them all. `after` may be called more than once. */
  setProperties(
    ctx: Ctx,
    imageId: string,
    after: (before: Record<string, string>) => Readonly<Record<string, string>>,
  ): Promise<Record<string, string>>;
  /** The content, for agents. */
  open(imageId: string): Promise<Readable>;
  /** A queued image of the actor's project, whose content another service will deliver; attributes as of POST /v2/images. */
  reserve(
    ctx: Ctx,
    attributes: Record<string, unknown> & { name: string; disk_format: string; container_format: string },
  ): Promise<{ id: string; visibility: string }>;
  /** Stores the content of a reserved image with the same checks as an upload. Begins anew when repeated; throws when it is refused or the image is gone. */
  receive(imageId: string, content: Readable): Promise<void>;
  /** Its content will not come: forgets an image that is still without. */
  abandon(imageId: string): Promise<void>;
  /** Forgets an image that another service made for itself; one that is protected stays. */
  discard(tx: Tx, imageId: string): Promise<void>;
  /** Those of the ids that are there with their content. */
  filled(db: Pick<Reader, 'selectFrom'>, imageIds: readonly string[]): Promise<Set<string>>;
};

/** A file on this machine that is an image of the cloud from its first start on. */
export type BuiltinImage = {
  name: string;
  path: string;
  diskFormat: string;
  containerFormat: string;
  /** MiB, GiB. */
  minRam: number;
  minDisk: number;
  properties: Record<string, string>;
};

export type ImageService = {
  service: Service;
  api: ImageApi;
  /** Idempotent; what an upload that was cut off by a crash left is queued again. `projectId` owns what a cloud starts with. */
  bootstrap(projectId: string): Promise<void>;
  /** Adds a public image owned by `projectId` unless it is there; the content passes the same checks as an upload. */
  addBuiltin(image: BuiltinImage, projectId: string): Promise<void>;
};

const shown = (row: ImageRow): ShownImage => ({
  id: row.id,
  name: row.name,
  status: row.status,
  size: row.size,
  minDisk: row.min_disk,
  minRam: row.min_ram,
  properties: JSON.parse(row.properties) as Record<string, string>,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

export type ImageOptions = {
  dir: string;
  /** Where contents are kept in place of that folder; absent: there. */
  files?: ContentStore;
  /** Where users may have images downloaded from, e.g. `https://cloud-images.ubuntu.com`; see imports/download.ts. */
  downloadFrom?: readonly string[];
  /** Instead of the system's. */
  resolve?: Resolver;
};

export async function createImageService(platform: Platform, options: ImageOptions): Promise<ImageService> {
  const { db, clock, ids } = platform;
  const files = options.files ?? (await createContentStore({ dir: options.dir, newId: ids.uuid }));
  const contents = createContents(platform, files);
  const imports = createImports(platform, contents, {
    sources: (options.downloadFrom ?? []).map(parseSource),
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
  });
  return {
    service: {
      name: 'image',
      type: 'image',
      prefix: '/image',
      fault: glanceFault,
      policies: {
        ...discoveryPolicies,
        ...schemaPolicies,
        ...imagePolicies,
        ...memberPolicies,
        ...importPolicies,
        ...metadefPolicies,
      },
      routes: [
        ...imageRoutes(contents, imports.methods),
        ...memberRoutes,
        ...importRoutes(contents, imports),
        ...metadefRoutes,
        ...schemaRoutes,
        ...discoveryRoutes(imports.methods),
      ],
      migrations: [...imageMigrations, ...memberMigrations, ...taskMigrations, ...metadefMigrations],
      work: {
        [WORK_CONTENT]: { mode: 'effect', leaseMs: 60_000, concurrency: 1, run: contents.reconcile },
        ...imports.work,
      },
      quotas: imageQuotas,
    },
    api: {
      async forBoot(reader, ctx, imageId) {
        const row = await readImage(reader, ctx, imageId);
        if (row.status !== 'active' || row.hash === null || row.size === null)
          throw badRequest(`Image ${imageId} is not active but ${row.status}.`);
        const converts = needsConversion(row);
        if (converts && row.boot_hash === null)
          throw badRequest(
            `Image ${imageId} is still being converted from ${row.disk_format}; try again in a moment.`,
          );
        if (converts && row.boot_hash === '')
          throw badRequest(
            `Image ${imageId} could not be converted from ${row.disk_format}: its content is damaged or too large. Upload it as qcow2 or raw.`,
          );
        if (!['bare', 'docker'].includes(row.container_format))
          throw badRequest(
            `Image ${imageId} has container_format ${row.container_format}; servers boot from bare disks and docker archives.`,
          );
        if (row.container_format === 'bare' && !converts && !BOOTABLE.has(row.disk_format))
          throw badRequest(
            `Image ${imageId} has disk_format ${row.disk_format}, which no server boots from.`,
          );
        return {
          id: row.id,
          name: row.name,
          diskFormat: converts ? 'qcow2' : row.disk_format,
          containerFormat: row.container_format,
          hash: row.boot_hash ?? row.hash,
          size: row.boot_size ?? row.size,
          virtualSize: row.virtual_size,
          minDisk: row.min_disk,
          minRam: row.min_ram,
          properties: JSON.parse(row.properties) as Record<string, string>,
        };
      },
      async reserveFor(tx, ctx, wanted) {
        const now = clock.now();
        const row: ImageRow = {
          id: ids.uuid(),
          name: wanted.name,
          visibility: 'private',
          owner: wanted.owner,
          disk_format: wanted.diskFormat,
          container_format: wanted.containerFormat,
          min_ram: wanted.minRam,
          min_disk: wanted.minDisk,
          is_protected: 0,
          is_hidden: 0,
          tags: '[]',
          properties: JSON.stringify(wanted.properties),
          ...newImage(now),
        };
        await tx.insertInto('images').values(row).execute();
        await requireWithin(platform, tx, row.owner, ['image_count_total']);
        await audit(tx, ctx, 'image', row.id);
        return row.id;
      },
      show: async (ctx, id) => shown(await readImage(db.read, ctx, id)),
      async list(ctx, { limit, marker }) {
        const after = marker === null ? null : await readImage(db.read, ctx, marker);
        const rows = readableImages(db.read, ctx);
        const sort = [
          { column: 'created_at', direction: 'desc' },
          { column: 'id', direction: 'desc' },
        ] as const;
        return (await applyPage(rows, sort, after, limit).execute()).slice(0, limit).map(shown);
      },
      remove: (ctx, id) => deleteImage(ctx, id),
      setProperties: (ctx, id, after) => changeProperties(ctx, id, after),
      open: contents.openForBoot,
      async reserve(ctx, attributes) {
        const row = await createImage(ctx, checkNewImage(attributes, 0, 'body'));
        return { id: row.id, visibility: row.visibility };
      },
      receive: contents.receive,
      abandon: contents.abandon,
      async discard(tx, imageId) {
        const gone = await tx
          .deleteFrom('images')
          .where('id', '=', imageId)
          .where('is_protected', '=', 0)
          .executeTakeFirst();
        if (gone.numDeletedRows > 0n) await platform.work.enqueue(tx, WORK_CONTENT, [imageId]);
      },
      async filled(reader, imageIds) {
        if (imageIds.length === 0) return new Set();
        const rows = await reader
          .selectFrom('images')
          .select('id')
          .where('id', 'in', [...imageIds])
          .where('status', 'in', ['active', 'deactivated'])
          .execute();
        return new Set(rows.map((row) => row.id));
      },
    },
    async bootstrap(projectId) {
      await contents.sweep();
      await addStandardMetadefs(db, clock.now(), projectId);
    },
    async addBuiltin(image, projectId) {
      const present = await db.read
        .selectFrom('images')
        .select('id')
        .where('name', '=', image.name)
        .where('owner', '=', projectId)
        .executeTakeFirst();
      if (present !== undefined) return;
      const id = ids.uuid();
      const content = await contents.store(
        { id, disk_format: image.diskFormat, container_format: image.containerFormat },
        createReadStream(image.path),
      );
      const now = clock.now();
      const row: ImageRow = {
        ...newImage(now),
        id,
        name: image.name,
        status: 'active',
        visibility: 'public',
        owner: projectId,
        disk_format: image.diskFormat,
        container_format: image.containerFormat,
        size: content.size,
        virtual_size: content.virtualSize,
        checksum: content.md5,
        hash: content.sha512,
        min_ram: image.minRam,
        min_disk: image.minDisk,
        is_protected: 0,
        is_hidden: 0,
        tags: '[]',
        properties: JSON.stringify(image.properties),
      };
      await db.tx((tx) => tx.insertInto('images').values(row).execute());
    },
  };
}
