// The verbs of volumes, one transaction each.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { limitsOf } from '../attachments/limits.ts';
import { endAttachment, invalidVolume, updateAttachment } from '../attachments/service.ts';
import { dropItem, type VolumeDeps } from '../deps.ts';
import { checkVolumeSize, claimQuota } from '../quota-errors.ts';
import { removeSnapshot } from '../snapshots/service.ts';
import { findSnapshot } from '../snapshots/store.ts';
import { findType } from '../types/store.ts';
import { unmet } from './backend.ts';
import { createVolumeIn, type NewVolume } from './create.ts';
import { finishVolume } from './remove.ts';
import { attachmentsOf, findVolume, mapOf, saveVolume, type StringMap } from './store.ts';
import type { VolumeRow } from './table.ts';

export const createVolume = (ctx: Ctx, deps: VolumeDeps, asked: NewVolume): Promise<VolumeRow> =>
  ctx.platform.db.tx((tx) => createVolumeIn(tx, ctx, deps, asked), {
    locks: [quotaLock(projectOf(ctx.actor))],
  });

/** Changes a volume that the actor may see. */
export function changeVolume<T>(
  ctx: Ctx,
  id: string,
  work: (tx: Tx, row: VolumeRow) => Promise<T>,
  locks: string[] = [],
): Promise<T> {
  return ctx.platform.db.tx(
    async (tx) => {
      const row = await findVolume(tx, ctx, id);
      const result = await work(tx, row);
      await audit(tx, ctx, 'volume', row.id);
      return result;
    },
    { locks },
  );
}

const save = (ctx: Ctx, tx: Tx, row: VolumeRow, changes: Partial<VolumeRow>): Promise<VolumeRow> =>
  saveVolume(tx, row, changes, ctx.platform.clock.now());

export const updateVolume = (
  ctx: Ctx,
  id: string,
  changes: Partial<Pick<VolumeRow, 'name' | 'description' | 'metadata' | 'bootable' | 'read_only'>>,
): Promise<VolumeRow> => changeVolume(ctx, id, (tx, row) => save(ctx, tx, row, changes));

export const setReadOnly = (ctx: Ctx, id: string, readOnly: boolean): Promise<unknown> =>
  changeVolume(ctx, id, async (tx, row) => {
    if (row.status !== 'available')
      throw invalidVolume(
        `Volume ${row.id} status must be available to update readonly flag, but current status is: ${row.status}.`,
      );
    return save(ctx, tx, row, { read_only: readOnly ? 1 : 2 });
  });

/** `apply` gets what is there; a key that it does not return is gone. */
export const changeMaps = (
  ctx: Ctx,
  id: string,
  column: 'metadata' | 'image_metadata',
  apply: (before: StringMap) => StringMap,
): Promise<StringMap> =>
  changeVolume(ctx, id, async (tx, row) => {
    if (['maintenance', 'uploading'].includes(row.status) && column === 'metadata')
      throw conflict(`Volume ${row.id} is ${row.status}; its metadata cannot be changed now.`);
    const after = apply(mapOf(row[column]));
    if (Object.keys(after).length > 128)
      throw badRequest(`A volume has at most 128 metadata items; this makes ${Object.keys(after).length}.`);
    await save(ctx, tx, row, { [column]: JSON.stringify(after) });
    return after;
  });

export const without = (before: StringMap, key: string): StringMap => {
  if (!Object.hasOwn(before, key)) throw notFound('Metadata item', key);
  const { [key]: _gone, ...rest } = before;
  return rest;
};

const DELETABLE = [
  'available',
  'error',
  'error_restoring',
  'error_extending',
  'error_managing',
  'error_deleting',
];

export const deleteVolume = (
  ctx: Ctx,
  deps: VolumeDeps,
  id: string,
  how: { cascade: boolean; force: boolean },
): Promise<void> =>
  changeVolume(ctx, id, async (tx, row) => {
    if (row.group_id !== null && !how.force)
      throw invalidVolume(
        `Volume ${row.id} belongs to group ${row.group_id}; remove it from the group, or delete the group.`,
      );
    await removeVolumeIn(tx, ctx, deps, row, how);
  });

export async function removeVolumeIn(
  tx: Tx,
  ctx: Ctx,
  deps: VolumeDeps,
  row: VolumeRow,
  how: { cascade: boolean; force: boolean },
): Promise<void> {
  if (row.deleting === 1) return;
  const attachments = await attachmentsOf(tx, row.id);
  if (attachments.some((one) => one.managed === 1))
    throw invalidVolume(
      `Volume ${row.id} is still attached to server ${attachments[0]?.server_id ?? ''}, detach it first.`,
    );
  if (!how.force && (!DELETABLE.includes(row.status) || attachments.length > 0))
    throw invalidVolume(
      `Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots or be awaiting a transfer; it is ${row.status}.`,
    );
  if (!how.force && row.task === 'awaiting-transfer')
    throw invalidVolume(`Volume ${row.id} awaits a transfer; withdraw it first.`);
  const snapshots = await tx
    .selectFrom('volume_snapshots')
    .selectAll()
    .where('volume_id', '=', row.id)
    .where('hidden', '=', 0)
    .execute();
  if (snapshots.some((one) => one.deleting === 0) && !how.cascade)
    throw invalidVolume(
      `Volume ${row.id} still has ${snapshots.length} dependent snapshots; delete them first, or use cascade.`,
    );
  for (const one of snapshots) await removeSnapshot(tx, ctx, deps, one);
  for (const one of attachments) await endAttachment(tx, ctx.platform, one);
  await tx.deleteFrom('volume_transfers').where('volume_id', '=', row.id).where('accepted', '=', 0).execute();
  if (row.item_generation === 0) return finishVolume(tx, ctx.platform, row);
  await save(ctx, tx, row, { deleting: 1, forced_status: null });
  await dropItem(deps, 'volume')(tx, row.id);
}

export async function extendVolume(ctx: Ctx, id: string, sizeGib: number): Promise<void> {
  const { project_id: owner } = await findVolume(ctx.platform.db.read, ctx, id);
  await changeVolume(
    ctx,
    id,
    async (tx, row) => {
      const online = row.status === 'in-use' && ctx.microversion >= 42;
      if (row.status !== 'available' && !online)
        throw invalidVolume(
          `Volume ${row.id} status must be '${ctx.microversion >= 42 ? 'available or in-use' : 'available'}' to extend, currently ${row.status}.`,
        );
      if (sizeGib <= row.size_gib)
        throw badRequest(
          `Invalid input received: New size for extend must be greater than current size. (current: ${row.size_gib}, extended: ${sizeGib}).`,
        );
      await checkVolumeSize(tx, ctx.platform, row.project_id, sizeGib);
      await claimQuota(tx, ctx.platform, row.project_id, { gigabytes: sizeGib - row.size_gib });
      await save(ctx, tx, row, { size_gib: sizeGib });
      await ctx.platform.work.enqueue(tx, 'volume', [row.id]);
    },
    [quotaLock(owner)],
  );
}

export const revertVolume = (ctx: Ctx, id: string, snapshotId: string): Promise<void> =>
  changeVolume(ctx, id, async (tx, row) => {
    const snapshot = await findSnapshot(tx, ctx, snapshotId);
    if (snapshot.volume_id !== row.id) throw notFound('Snapshot', snapshotId);
    if (row.status !== 'available')
      throw invalidVolume(`Volume ${row.id} must be available to be reverted; it is ${row.status}.`);
    if (snapshot.status !== 'available')
      throw badRequest(`Invalid snapshot: snapshot ${snapshot.id} is ${snapshot.status}.`);
    const latest = await tx
      .selectFrom('volume_snapshots')
      .select('id')
      .where('volume_id', '=', row.id)
      .where('hidden', '=', 0)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (latest?.id !== snapshot.id)
      throw badRequest(
        `Invalid input received: Specified snapshot ${snapshot.id} is not the latest one of volume ${row.id}.`,
      );
    if (snapshot.size_gib !== row.size_gib)
      throw badRequest(
        `Invalid input received: Can't revert volume ${row.id} to its latest snapshot ${snapshot.id}: the volume has been extended since.`,
      );
    await save(ctx, tx, row, { revert_to: snapshot.id, revert_count: row.revert_count + 1 });
    await ctx.platform.work.enqueue(tx, 'volume', [row.id]);
  });

export const retypeVolume = (
  ctx: Ctx,
  deps: VolumeDeps,
  id: string,
  typeName: string,
  policy: string,
): Promise<void> =>
  changeVolume(ctx, id, async (tx, row) => {
    const type = await findType(tx, ctx, typeName).catch(() => {
      throw badRequest(`Invalid volume_type passed: ${typeName}.`);
    });
    if (row.status !== 'available' && row.status !== 'in-use')
      throw invalidVolume(
        `Volume ${row.id} status must be available or in-use to retype, but current status is: ${row.status}.`,
      );
    if (type.id === row.type_id)
      throw badRequest(`Invalid input received: New volume_type same as original: ${type.name}.`);
    const refused = unmet(mapOf(type.extra_specs));
    if (refused !== null)
      throw badRequest(
        `Invalid input received: type ${type.name} asks for ${refused}, which no back end has: the volume cannot be migrated (policy ${policy}).`,
      );
    await save(ctx, tx, row, { type_id: type.id });
    const limits = JSON.stringify(await limitsOf(tx, type.id));
    const attached = (await attachmentsOf(tx, row.id)).filter((one) => one.limits !== limits);
    for (const one of attached) await updateAttachment(tx, one.id, { limits });
    const servers = attached.flatMap((one) => (one.managed === 1 ? [one.server_id] : []));
    if (servers.length > 0) await deps.serversChanged(tx, servers);
  });

export const resetStatus = (
  ctx: Ctx,
  id: string,
  asked: { status: string | undefined; attachStatus: string | undefined },
): Promise<void> =>
  changeVolume(ctx, id, async (tx, row) => {
    const attachments = await attachmentsOf(tx, row.id);
    if (asked.attachStatus === 'detached')
      for (const one of attachments) {
        if (one.managed === 1)
          throw invalidVolume(`Volume ${row.id} is attached to server ${one.server_id}; detach it there.`);
        await endAttachment(tx, ctx.platform, one);
      }
    // What is true again needs no word of the operator.
    const plain = await save(ctx, tx, row, { forced_status: null });
    if (asked.status !== undefined && asked.status !== plain.status)
      await save(ctx, tx, plain, { forced_status: asked.status });
  });

export const forceDetach = (ctx: Ctx, id: string, attachmentId: string | null): Promise<void> =>
  changeVolume(ctx, id, async (tx, row) => {
    const attachments = await attachmentsOf(tx, row.id);
    const one = attachmentId === null ? attachments[0] : attachments.find((each) => each.id === attachmentId);
    if (one === undefined) throw notFound('Volume attachment', attachmentId ?? row.id);
    if (one.managed === 1)
      throw invalidVolume(
        `Volume ${row.id} is attached to server ${one.server_id}; only its host can say that the guest let go of it. Detach it there.`,
      );
    await endAttachment(tx, ctx.platform, one);
  });
