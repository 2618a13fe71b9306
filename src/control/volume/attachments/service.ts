// The life of an attachment. A volume has at most one: the claim looks at the rows, not at the status that operators
// may set. A volume is free again only when the host has said that the guest does not have it any more.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { canSee } from '../../../kernel/policy.ts';
import { attachmentsOf, findVolume, saveVolume } from '../volumes/store.ts';
import type { Db, VolumeRow } from '../volumes/table.ts';
import type { VolumeDeps } from '../deps.ts';
import { limitsOf } from './limits.ts';
import type { AttachmentRow } from './table.ts';

export const invalidVolume = (reason: string) => badRequest(`Invalid volume: ${reason}`, 'InvalidVolume');

/** 400 unless the volume can be attached now: to anything, or as what was reserved for `serverId`. */
export async function requireFree(tx: Tx, row: VolumeRow, serverId: string): Promise<AttachmentRow | null> {
  const attachments = await attachmentsOf(tx, row.id);
  const reserved = attachments.find(
    (one) => one.state === 'reserved' && (one.server_id === '' || one.server_id === serverId),
  );
  const taken = attachments.find((one) => one !== reserved);
  if (taken !== undefined)
    throw invalidVolume(
      `volume ${row.id} is attached already (status ${row.status}); a volume is attached to one server at a time. Detach it first.`,
    );
  const usable =
    row.status === 'available' ||
    (reserved !== undefined && row.status === 'reserved') ||
    (row.task === 'attaching' && row.status === 'attaching');
  if (!usable || row.created === 0 || row.deleting === 1)
    throw invalidVolume(`volume ${row.id} status must be available or reserved, but it is ${row.status}.`);
  return reserved ?? null;
}

export type NewAttachment = Pick<
  AttachmentRow,
  | 'server_id'
  | 'device'
  | 'mode'
  | 'state'
  | 'managed'
  | 'boot'
  | 'delete_on_termination'
  | 'tag'
  | 'host_name'
> & { connector?: object };

export async function insertAttachment(
  tx: Tx,
  platform: Platform,
  volume: VolumeRow,
  wanted: NewAttachment,
): Promise<AttachmentRow> {
  const { connector = {}, ...columns } = wanted;
  const now = platform.clock.now();
  const row: AttachmentRow = {
    ...columns,
    id: platform.ids.uuid(),
    volume_id: volume.id,
    project_id: volume.project_id,
    attach_generation: 0,
    detach_generation: 0,
    error: null,
    connector: JSON.stringify(connector),
    limits: JSON.stringify(await limitsOf(tx, volume.type_id)),
    created_at: now,
    attached_at: columns.state === 'attached' ? now : null,
  };
  await tx.insertInto('volume_attachments').values(row).execute();
  return row;
}

export const updateAttachment = (tx: Tx, id: string, changes: Partial<AttachmentRow>): Promise<unknown> =>
  tx.updateTable('volume_attachments').set(changes).where('id', '=', id).execute();

/** Ends the attachment; the volume is free, or goes where it was to go with its server. */
export async function endAttachment(tx: Tx, platform: Platform, row: AttachmentRow): Promise<void> {
  await tx.deleteFrom('volume_attachments').where('id', '=', row.id).execute();
  const volume = await tx
    .selectFrom('volumes')
    .selectAll()
    .where('id', '=', row.volume_id)
    .executeTakeFirst();
  if (volume === undefined) return;
  await saveVolume(
    tx,
    volume,
    // As Cinder: the end of an attachment says anew how the volume is, whatever an operator had set.
    { task: volume.task === 'detaching' ? null : volume.task, forced_status: null },
    platform.clock.now(),
  );
}

export async function findAttachment(db: Db, ctx: Ctx, id: string): Promise<AttachmentRow> {
  const row = await db.selectFrom('volume_attachments').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !canSee(ctx.actor, row.project_id)) throw notFound('Volume attachment', id);
  return row;
}

const refuseManaged = (row: AttachmentRow): void => {
  if (row.managed === 1)
    throw conflict(
      `Volume ${row.volume_id} is attached to server ${row.server_id} of this cloud; detach it there, so that the guest lets go of it first.`,
    );
};

/** POST /attachments: reserves the volume, and completes at once when a connector is given. */
export async function createAttachment(
  ctx: Ctx,
  deps: VolumeDeps,
  asked: {
    volume_uuid: string;
    instance_uuid: string | null;
    mode: string | null;
    connector: Record<string, unknown> | null;
  },
): Promise<AttachmentRow> {
  const { platform } = ctx;
  return platform.db.tx(async (tx) => {
    const volume = await findVolume(tx, ctx, asked.volume_uuid);
    if (asked.instance_uuid !== null) await deps.requireServer(tx, ctx, asked.instance_uuid);
    if ((await requireFree(tx, volume, '')) !== null)
      throw invalidVolume(`volume ${volume.id} is reserved already.`);
    const row = await insertAttachment(tx, platform, volume, {
      server_id: asked.instance_uuid ?? '',
      device: typeof asked.connector?.['mountpoint'] === 'string' ? asked.connector['mountpoint'] : null,
      mode: asked.mode ?? (volume.read_only === 1 ? 'ro' : 'rw'),
      state: asked.connector === null ? 'reserved' : 'attaching',
      managed: 0,
      boot: 0,
      delete_on_termination: 0,
      tag: null,
      host_name: null,
      ...(asked.connector === null ? {} : { connector: asked.connector }),
    });
    await saveVolume(tx, volume, { task: null }, platform.clock.now());
    await audit(tx, ctx, 'volume-attachment', row.id);
    return row;
  });
}

export async function changeAttachment(
  ctx: Ctx,
  id: string,
  changes: (row: AttachmentRow) => Partial<AttachmentRow>,
): Promise<AttachmentRow> {
  const { platform } = ctx;
  return platform.db.tx(async (tx) => {
    const row = await findAttachment(tx, ctx, id);
    refuseManaged(row);
    const set = changes(row);
    await updateAttachment(tx, row.id, set);
    const volume = await findVolume(tx, ctx, row.volume_id);
    await saveVolume(tx, volume, {}, platform.clock.now());
    await audit(tx, ctx, 'volume-attachment', row.id);
    return { ...row, ...set };
  });
}

export async function deleteAttachment(ctx: Ctx, id: string): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const row = await findAttachment(tx, ctx, id);
    refuseManaged(row);
    await endAttachment(tx, platform, row);
    await audit(tx, ctx, 'volume-attachment', row.id);
  });
}

/** Volume actions of clients that attach volumes by themselves: os-reserve, os-attach, os-detach and their like. */
export async function attachByAction(
  ctx: Ctx,
  volumeId: string,
  verb: 'reserve' | 'unreserve' | 'begin_detaching' | 'roll_detaching' | 'detach',
  attachmentId?: string | null,
): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const volume = await findVolume(tx, ctx, volumeId);
    const attachments = await attachmentsOf(tx, volume.id);
    const now = platform.clock.now();
    await audit(tx, ctx, 'volume', volume.id);
    if (verb === 'reserve') {
      if (volume.task === 'attaching')
        throw invalidVolume(`Volume ${volume.id} status must be available to reserve, but it is attaching.`);
      await requireFree(tx, volume, '');
      await saveVolume(tx, volume, { task: 'attaching' }, now);
      return;
    }
    if (verb === 'unreserve') {
      if (volume.task === 'attaching') await saveVolume(tx, volume, { task: null }, now);
      return;
    }
    for (const one of attachments) refuseManaged(one);
    if (verb === 'begin_detaching' || verb === 'roll_detaching') {
      if (verb === 'begin_detaching' && volume.status !== 'in-use')
        throw invalidVolume(
          `Unable to detach volume. Volume status must be 'in-use', but it is '${volume.status}'.`,
        );
      await saveVolume(tx, volume, { task: verb === 'begin_detaching' ? 'detaching' : null }, now);
      return;
    }
    const one =
      attachmentId === undefined || attachmentId === null
        ? attachments[0]
        : attachments.find((each) => each.id === attachmentId);
    if (one === undefined) {
      if (attachmentId !== undefined && attachmentId !== null)
        throw notFound('Volume attachment', attachmentId);
      await saveVolume(tx, volume, { task: null }, now);
      return;
    }
    await endAttachment(tx, platform, one);
  });
}

export async function attachElsewhere(
  ctx: Ctx,
  deps: VolumeDeps,
  volumeId: string,
  asked: { serverId: string; hostName: string | null; device: string; mode: string },
): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const volume = await findVolume(tx, ctx, volumeId);
    if (asked.serverId !== '') await deps.requireServer(tx, ctx, asked.serverId);
    const reserved = await requireFree(tx, volume, asked.serverId);
    if (reserved !== null) await tx.deleteFrom('volume_attachments').where('id', '=', reserved.id).execute();
    if (volume.read_only === 1 && asked.mode === 'rw')
      throw invalidVolume(`volume ${volume.id} is read-only; attach it with mode ro.`);
    const columns = {
      server_id: asked.serverId,
      host_name: asked.hostName,
      device: asked.device,
      mode: asked.mode,
      state: 'attached',
      managed: 0,
      boot: 0,
      delete_on_termination: 0,
      tag: null,
    } as const;
    await insertAttachment(tx, platform, volume, columns);
    await saveVolume(tx, volume, { task: null }, platform.clock.now());
    await audit(tx, ctx, 'volume', volume.id);
  });
}
