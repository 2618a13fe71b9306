// Images of servers. The image is there at once, queued; the work then has the host write the root disk as it is at
// that moment and hands it to the image service. A crash on the way only means that it is done again.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, unavailable } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';
import type { WorkHandler } from '../../../kernel/work.ts';
import type { BootImage } from '../../image/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { refuseIncapable, refuseLocked, wrongState } from './lifecycle.ts';
import { metadata } from './schema.ts';
import { shelvedImageDone } from './offload.ts';
import { stateOf } from './status.ts';
import { findServer, recordAction, saveServer } from './store.ts';
import { WORK_SERVER_IMAGE, type FlavorCopy, type ServerImageRow, type ServerRow } from './table.ts';

/** A host that fails this often will fail again: the image is given up. */
const MAX_TRIES = 6;
/** Until a host that is not connected is looked for again. */
const HOST_AWAY_MS = 2_000;

/** What the new image says of itself: what its base said, whose root it is, and what the user says. */
const propertiesOf = (
  row: ServerRow,
  base: BootImage | null,
  asked: Record<string, string>,
): Record<string, string> => ({
  ...(base === null ? (JSON.parse(row.properties) as Record<string, string>) : base.properties),
  image_type: 'snapshot',
  instance_uuid: row.id,
  base_image_ref: row.image_id,
  user_id: row.user_id,
  ...asked,
});

export type ImageWish = {
  name: string;
  /** As Nova names it in refusals. */
  verb: string;
  purpose: ServerImageRow['purpose'];
  properties?: Record<string, string>;
};

/** An image of the server, queued, and the note that it is under way. 409 where the host cannot copy the root. */
export async function reserveServerImage(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  row: ServerRow,
  wish: ImageWish,
): Promise<string> {
  await refuseIncapable(tx, row, { name: wish.verb, capability: 'snapshot' });
  // The base may be gone by now; then its properties are those that the guest was made with.
  const base = await deps.images.forBoot(tx, ctx, row.image_id).catch(() => null);
  const flavor = JSON.parse(row.flavor) as FlavorCopy;
  const imageId = await deps.images.reserveFor(tx, ctx, {
    name: wish.name,
    owner: row.project_id,
    diskFormat: 'qcow2',
    containerFormat: 'bare',
    minDisk: Math.max(base?.minDisk ?? 0, flavor.diskGib),
    minRam: base?.minRam ?? 0,
    properties: propertiesOf(row, base, wish.properties ?? {}),
  });
  await tx
    .insertInto('server_images')
    .values({ image_id: imageId, server_id: row.id, tries: 0, purpose: wish.purpose })
    .execute();
  return imageId;
}

const copyable = ['active', 'stopped', 'paused', 'suspended'];
/** Throws 409 unless an image can be made of the server now. */
export function refuseUncopyable(ctx: Ctx, row: ServerRow, verb: string): void {
  refuseLocked(ctx, row);
  const { vmState, taskState } = stateOf(row);
  if (!copyable.includes(vmState)) throw wrongState(verb, row, 'vm_state', vmState);
  if (taskState !== null) throw wrongState(verb, row, 'task_state', taskState);
  if (row.host_id === null) throw conflict(`Cannot '${verb}' instance ${row.id}: it is on no host.`);
}

async function createServerImage(
  ctx: Ctx,
  deps: ComputeDeps,
  serverId: string,
  asked: { name: string; metadata?: Record<string, string> },
): Promise<string> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    refuseUncopyable(ctx, row, 'createImage');
    if (row.image_id === '')
      throw badRequest(
        `Cannot 'createImage' instance ${row.id}: it boots from a volume, so it has no disk of its own. Make a snapshot or an image (os-volume_upload_image) of its volume.`,
      );
    const imageId = await reserveServerImage(tx, ctx, deps, row, {
      name: asked.name,
      verb: 'createImage',
      purpose: 'image',
      properties: asked.metadata ?? {},
    });
    const next = await saveServer(tx, row, { imaging: row.imaging + 1 }, ctx.platform.clock.now());
    await recordAction(tx, ctx, next, 'createImage', { done: true });
    await audit(tx, ctx, 'server', row.id);
    await ctx.platform.work.enqueue(tx, WORK_SERVER_IMAGE, [imageId]);
    return imageId;
  });
}

/** Those of its kind beyond the rotation of the newest go. */
async function rotateBackups(tx: Tx, deps: ComputeDeps, imageId: string): Promise<void> {
  const backup = await tx
    .selectFrom('server_backups')
    .selectAll()
    .where('image_id', '=', imageId)
    .executeTakeFirst();
  if (backup === undefined) return;
  const all = await tx
    .selectFrom('server_backups')
    .select('image_id')
    .where('server_id', '=', backup.server_id)
    .where('backup_type', '=', backup.backup_type)
    .orderBy('created_at', 'desc')
    .orderBy('image_id', 'desc')
    .execute();
  const ids = all.map((one) => one.image_id);
  const there = await deps.images.filled(tx, ids);
  const kept = new Set(ids.filter((id) => there.has(id)).slice(0, backup.rotation));
  const gone = ids.filter((id) => !kept.has(id));
  for (const id of gone) await deps.images.discard(tx, id);
  if (gone.length > 0) await tx.deleteFrom('server_backups').where('image_id', 'in', gone).execute();
}

async function finish(
  tx: Tx,
  platform: Platform,
  deps: ComputeDeps,
  imageId: string,
  filled: boolean,
): Promise<void> {
  const entry = await tx
    .selectFrom('server_images')
    .selectAll()
    .where('image_id', '=', imageId)
    .executeTakeFirst();
  if (entry === undefined) return;
  await tx.deleteFrom('server_images').where('image_id', '=', imageId).execute();
  const row = await tx.selectFrom('servers').selectAll().where('id', '=', entry.server_id).executeTakeFirst();
  if (entry.purpose === 'backup') await rotateBackups(tx, deps, imageId);
  if (row === undefined) return;
  if (entry.purpose === 'shelve') await shelvedImageDone(tx, platform, row, filled);
  else await saveServer(tx, row, { imaging: Math.max(0, row.imaging - 1) }, platform.clock.now());
}

/** Fills one image. Runs again after a failure or a crash, until it is full, given up, or nobody wants it any more. */
export function serverImageWork(platform: Platform, deps: ComputeDeps): WorkHandler {
  const { db } = platform;
  /** False: the host is away, and is waited for. */
  const attempt = async (imageId: string): Promise<boolean> => {
    const entry = await db.read
      .selectFrom('server_images as i')
      .innerJoin('servers as s', 's.id', 'i.server_id')
      .select(['s.id', 's.host_id'])
      .where('i.image_id', '=', imageId)
      .executeTakeFirst();
    // The server went meanwhile, and with it what there was to copy.
    if (entry === undefined || entry.host_id === null) {
      await deps.images.abandon(imageId);
      return true;
    }
    // Filled by a process that was killed before it said so.
    if ((await deps.images.filled(db.read, [imageId])).has(imageId)) return true;
    const host = deps.hosts.queries(entry.host_id);
    if (host === null) return false;
    if (host.exportServer === undefined)
      throw unavailable(`The host of server ${entry.id} makes no images of servers.`);
    await deps.images.receive(imageId, await host.exportServer(entry.id));
    return true;
  };
  return {
    mode: 'effect',
    leaseMs: 60_000,
    concurrency: 2,
    async run(imageId) {
      let filled = true;
      try {
        if (!(await attempt(imageId)))
          return db.tx((tx) => platform.work.enqueue(tx, WORK_SERVER_IMAGE, [imageId], HOST_AWAY_MS));
      } catch (error) {
        const tries = await db.tx(async (tx) => {
          await tx
            .updateTable('server_images')
            .set((eb) => ({ tries: eb('tries', '+', 1) }))
            .where('image_id', '=', imageId)
            .execute();
          return (
            await tx
              .selectFrom('server_images')
              .select('tries')
              .where('image_id', '=', imageId)
              .executeTakeFirst()
          )?.tries;
        });
        if (tries !== undefined && tries < MAX_TRIES) throw error;
        platform.log.warn({ imageId, error: String(error) }, 'the image of a server was given up');
        await deps.images.abandon(imageId);
        filled = false;
      }
      await db.tx((tx) => finish(tx, platform, deps, imageId, filled));
    },
  };
}

export const createImageRoute = (deps: ComputeDeps): Route =>
  route({
    method: 'POST',
    path: '/v2.1/servers/:server_id/action',
    ids: { server_id: 'server' },
    action: 'createImage',
    policy: 'compute:servers:create-image',
    summary: 'Make an image of a server',
    status: 202,
    body: strict({ name: text(255, 1), metadata: Type.Optional(metadata) }),
    async handler({ ctx, params, body }) {
      const imageId = await createServerImage(ctx, deps, params.server_id, body);
      if (ctx.microversion >= 45) return { body: { image_id: imageId } };
      return { headers: { location: `${ctx.platform.publicUrl}/image/v2/images/${imageId}` } };
    },
  });
