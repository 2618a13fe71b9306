// Volumes as images: an image is made at once, and its content read from the volume's host by a work handler, which
// begins anew after a crash. Nobody can attach the volume meanwhile.
import { audit } from '../../../kernel/audit.ts';
import { badRequest, CloudError, unavailable } from '../../../kernel/errors.ts';
import type { Migration } from '../../../kernel/db/index.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import type { WorkHandler } from '../../../kernel/work.ts';
import { invalidVolume } from '../attachments/service.ts';
import type { VolumeDeps } from '../deps.ts';
import { stamp, stampOrNull } from '../routing.ts';
import { attachmentsOf, findVolume, mapOf, saveVolume } from './store.ts';
import type { VolumeRow } from './table.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_uploads: UploadRow;
  }
}

type UploadRow = { volume_id: string; image_id: string; disk_format: string };

export const uploadMigrations: Migration[] = [
  {
    id: 'volume-0006-uploads',
    async up(db) {
      await db.schema
        .createTable('volume_uploads')
        .addColumn('volume_id', 'text', (c) => c.primaryKey())
        .addColumn('image_id', 'text', (c) => c.notNull())
        .addColumn('disk_format', 'text', (c) => c.notNull())
        .execute();
    },
  },
];

/** Id of an upload in the work queue: that of its volume. */
export const WORK_UPLOAD = 'volume-upload';
/** Attempts in the life of this process before the image is given up. */
const TRIES = 6;
/** Until a host that is not connected is looked for again. */
const HOST_AWAY_MS = 2_000;

type Asked = {
  name: string;
  force: boolean;
  diskFormat: 'raw' | 'qcow2';
  visibility: string | null;
  isProtected: boolean;
};

/** Facts of the image that the volume was made of, which are no properties of it. */
const FACTS = new Set([
  'image_id',
  'image_name',
  'container_format',
  'disk_format',
  'min_disk',
  'min_ram',
  'size',
  'checksum',
]);

export async function uploadVolume(
  ctx: Ctx,
  deps: VolumeDeps,
  volumeId: string,
  asked: Asked,
): Promise<object> {
  const { platform } = ctx;
  const volume = await findVolume(platform.db.read, ctx, volumeId);
  const refuse = (row: VolumeRow, attached: boolean): void => {
    if (row.status !== 'available' || attached)
      throw invalidVolume(
        `Volume ${row.id} status must be available, but current status is: ${row.status}. A volume that is in use is uploaded by way of a snapshot and a volume made of that.`,
      );
  };
  refuse(volume, false);
  if (
    asked.isProtected ||
    (asked.visibility !== null && asked.visibility !== 'private' && asked.visibility !== 'shared')
  )
    throw badRequest(
      'Invalid input received: an image made of a volume begins as a private, unprotected one; change it when it is active.',
    );
  const { row, imageId } = await platform.db.tx(async (tx) => {
    const now = await findVolume(tx, ctx, volumeId);
    refuse(now, (await attachmentsOf(tx, volumeId)).length > 0);
    const facts = mapOf(now.image_metadata);
    const reserved = await deps.images.reserveFor(tx, ctx, {
      owner: now.project_id,
      name: asked.name,
      diskFormat: asked.diskFormat,
      containerFormat: 'bare',
      minDisk: now.size_gib,
      minRam: Number(facts['min_ram'] ?? 0) || 0,
      properties: Object.fromEntries(Object.entries(facts).filter(([key]) => !FACTS.has(key))),
    });
    await tx.deleteFrom('volume_uploads').where('volume_id', '=', volumeId).execute();
    await tx
      .insertInto('volume_uploads')
      .values({ volume_id: volumeId, image_id: reserved, disk_format: asked.diskFormat })
      .execute();
    const next = await saveVolume(tx, now, { task: 'uploading' }, platform.clock.now());
    await platform.work.enqueue(tx, WORK_UPLOAD, [volumeId]);
    await audit(tx, ctx, 'volume', volumeId);
    return { row: next, imageId: reserved };
  });
  const type = await platform.db.read
    .selectFrom('volume_types')
    .selectAll()
    .where('id', '=', row.type_id)
    .executeTakeFirst();
  return {
    id: row.id,
    status: 'uploading',
    updated_at: stampOrNull(row.updated_at),
    display_description: row.description,
    size: row.size_gib,
    volume_type:
      type === undefined
        ? null
        : {
            id: type.id,
            name: type.name,
            description: type.description,
            is_public: type.is_public === 1,
            extra_specs: {},
            qos_specs_id: type.qos_id,
            created_at: stamp(type.created_at),
            updated_at: null,
            deleted: false,
            deleted_at: null,
          },
    image_id: imageId,
    container_format: 'bare',
    disk_format: asked.diskFormat,
    image_name: asked.name,
    ...(ctx.microversion >= 1 ? { visibility: 'private', protected: false } : {}),
  };
}

export function uploadWork(platform: Platform, deps: VolumeDeps): WorkHandler {
  const { db, log, work } = platform;

  /** False: the host of the volume is away, and is waited for. */
  async function attempt(upload: UploadRow): Promise<boolean> {
    // Filled by a process that was killed before it said so.
    if ((await deps.images.filled(db.read, [upload.image_id])).has(upload.image_id)) return true;
    const volume = await db.read
      .selectFrom('volumes')
      .select('host_id')
      .where('id', '=', upload.volume_id)
      .executeTakeFirst();
    if (volume === undefined || volume.host_id === null) {
      await deps.images.abandon(upload.image_id);
      return true;
    }
    const host = deps.hosts.queries(volume.host_id);
    if (host === null) return false;
    if (host.exportVolume === undefined)
      throw unavailable(`The host of volume ${upload.volume_id} makes no images of volumes.`);
    await deps.images.receive(
      upload.image_id,
      await host.exportVolume('volume', upload.volume_id, upload.disk_format === 'qcow2' ? 'qcow2' : 'raw'),
    );
    return true;
  }

  const tries = new Map<string, number>();
  return {
    mode: 'effect',
    leaseMs: 60_000,
    concurrency: 1,
    async run(volumeId) {
      const upload = await db.read
        .selectFrom('volume_uploads')
        .selectAll()
        .where('volume_id', '=', volumeId)
        .executeTakeFirst();
      if (upload === undefined) return;
      const imageId = upload.image_id;
      try {
        if (!(await attempt(upload)))
          return db.tx((tx) => work.enqueue(tx, WORK_UPLOAD, [volumeId], HOST_AWAY_MS));
      } catch (error) {
        const tried = (tries.get(imageId) ?? 0) + 1;
        // E.g. its user deleted the image, or it is larger than images may be.
        const hopeless = error instanceof CloudError && error.status < 500;
        if (!hopeless && tried < TRIES) {
          tries.set(imageId, tried);
          throw error;
        }
        log.warn({ volumeId, imageId, error: String(error) }, 'a volume could not be uploaded as an image');
        await deps.images.abandon(imageId);
      }
      tries.delete(imageId);
      await db.tx(async (tx) => {
        await tx
          .deleteFrom('volume_uploads')
          .where('volume_id', '=', volumeId)
          .where('image_id', '=', imageId)
          .execute();
        const now = await tx.selectFrom('volumes').selectAll().where('id', '=', volumeId).executeTakeFirst();
        if (now?.task === 'uploading') await saveVolume(tx, now, { task: null }, platform.clock.now());
      });
    },
  };
}
