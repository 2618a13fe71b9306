// The verbs of groups and group snapshots, one transaction each: all of their volumes, or none.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { invalidVolume } from '../attachments/service.ts';
import type { VolumeDeps } from '../deps.ts';
import { claimQuota } from '../quota-errors.ts';
import { removeSnapshot, snapshotIn } from '../snapshots/service.ts';
import { keepers } from '../services/table.ts';
import { findType } from '../types/store.ts';
import { createVolumeIn } from '../volumes/create.ts';
import { removeVolumeIn } from '../volumes/service.ts';
import { attachmentsOf, findVolume, mapOf, saveVolume } from '../volumes/store.ts';
import type { VolumeRow } from '../volumes/table.ts';
import {
  findGroup,
  findGroupSnapshot,
  findGroupType,
  groupLost,
  groupRefuses,
  groupSnapshotLost,
  snapshotsOf,
  volumesOf,
} from './store.ts';
import { statusOf, type GroupRow, type GroupSnapshotRow } from './table.ts';

const invalidGroup = (reason: string) => badRequest(`Invalid Group: ${reason}`, 'InvalidGroup');
const invalidInput = (reason: string) => badRequest(`Invalid input received: ${reason}`, 'InvalidInput');

/** A quota claim meets others of the project. */
const inProject = <T>(ctx: Ctx, work: (tx: Tx) => Promise<T>): Promise<T> =>
  ctx.platform.db.tx(work, { locks: [quotaLock(projectOf(ctx.actor))] });

export type NewGroup = {
  name: string | null;
  description: string | null;
  groupType: string;
  volumeTypes: string[];
  zone: string | null;
};

async function insertGroup(
  tx: Tx,
  ctx: Ctx,
  wanted: Omit<GroupRow, 'id' | 'project_id' | 'user_id' | 'created_at' | 'deleting' | 'forced_status'>,
): Promise<GroupRow> {
  const projectId = projectOf(ctx.actor);
  if (projectId === '') throw badRequest('A group belongs to a project: send a token that is scoped to one.');
  await claimQuota(tx, ctx.platform, projectId, { groups: 1 });
  const row: GroupRow = {
    ...wanted,
    id: ctx.platform.ids.uuid(),
    project_id: projectId,
    user_id: ctx.actor.userId,
    created_at: ctx.platform.clock.now(),
    deleting: 0,
    forced_status: null,
  };
  await tx.insertInto('volume_groups').values(row).execute();
  await audit(tx, ctx, 'group', row.id);
  return row;
}

export const createGroup = (ctx: Ctx, asked: NewGroup): Promise<GroupRow> =>
  inProject(ctx, async (tx) => {
    const type = await findGroupType(tx, ctx, asked.groupType);
    if (/true/i.test(mapOf(type.specs)['consistent_group_snapshot_enabled'] ?? ''))
      throw invalidInput(
        `group type ${type.name} asks for consistent_group_snapshot_enabled, which no back end has: the snapshots of a group are taken together, but not at one moment of its guests.`,
      );
    const types: string[] = [];
    for (const one of asked.volumeTypes) types.push((await findType(tx, ctx, one)).id);
    const zones = (await keepers(tx, ctx.platform.clock.now())).map((host) => host.zone);
    if (asked.zone !== null && !zones.includes(asked.zone))
      throw invalidInput(`Availability zone '${asked.zone}' is invalid.`);
    return insertGroup(tx, ctx, {
      name: asked.name,
      description: asked.description,
      zone: asked.zone ?? zones[0] ?? 'nova',
      group_type_id: type.id,
      volume_types: JSON.stringify([...new Set(types)]),
      group_snapshot_id: null,
      source_group_id: null,
    });
  });

/** A new group of copies: of the volumes of a group as they are, or of what a group snapshot holds. */
export const createGroupFrom = (
  ctx: Ctx,
  deps: VolumeDeps,
  asked: {
    name: string | null;
    description: string | null;
    groupSnapshotId: string | null;
    sourceGroupId: string | null;
  },
): Promise<GroupRow> =>
  inProject(ctx, async (tx) => {
    const snapshot =
      asked.groupSnapshotId === null ? null : await findGroupSnapshot(tx, ctx, asked.groupSnapshotId);
    const source = await findGroup(tx, ctx, snapshot?.group_id ?? asked.sourceGroupId ?? '');
    const [volumes, snapshots] = [
      await volumesOf(tx, source.id),
      snapshot === null ? [] : await snapshotsOf(tx, snapshot.id),
    ];
    if (snapshot !== null && statusOf(snapshot, snapshots) !== 'available')
      throw badRequest(`Invalid GroupSnapshot: ${snapshot.id} is ${statusOf(snapshot, snapshots)}.`);
    if (snapshot === null && statusOf(source, volumes) !== 'available')
      throw invalidGroup(`source group ${source.id} is ${statusOf(source, volumes)}.`);
    const from = snapshot === null ? volumes : snapshots;
    if (from.length === 0)
      throw invalidGroup(
        `${snapshot === null ? 'source group' : 'group snapshot'} is empty; no group is created.`,
      );
    const group = await insertGroup(tx, ctx, {
      name: asked.name,
      description: asked.description,
      zone: source.zone,
      group_type_id: source.group_type_id,
      volume_types: source.volume_types,
      group_snapshot_id: snapshot?.id ?? null,
      source_group_id: snapshot === null ? source.id : null,
    });
    for (const one of from) {
      const volume = await createVolumeIn(tx, ctx, deps, {
        name: one.name,
        description: one.description,
        size: null,
        type: null,
        zone: null,
        metadata: {},
        imageId: null,
        snapshotId: snapshot === null ? null : one.id,
        volumeId: snapshot === null ? one.id : null,
        host: null,
      });
      await saveVolume(tx, volume, { group_id: group.id }, ctx.platform.clock.now());
    }
    return group;
  });

const change = <T>(ctx: Ctx, id: string, work: (tx: Tx, row: GroupRow) => Promise<T>): Promise<T> =>
  ctx.platform.db.tx(async (tx) => {
    const row = await findGroup(tx, ctx, id);
    const result = await work(tx, row);
    await audit(tx, ctx, 'group', row.id);
    return result;
  });

const idList = (given: string): string[] =>
  given
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

export const updateGroup = (
  ctx: Ctx,
  id: string,
  asked: { name?: string | null; description?: string | null; add: string; remove: string },
): Promise<void> =>
  change(ctx, id, async (tx, row) => {
    const now = ctx.platform.clock.now();
    const members = await volumesOf(tx, row.id);
    if (statusOf(row, members) !== 'available')
      throw invalidGroup(`Group status must be available; it is ${statusOf(row, members)}.`);
    const add = idList(asked.add);
    for (const volumeId of idList(asked.remove)) {
      const volume = members.find((one) => one.id === volumeId);
      if (volume === undefined || add.includes(volumeId))
        throw invalidVolume(
          `Cannot remove volume ${volumeId} from group ${row.id}: it is not in it, or it is to be added as well.`,
        );
      await requireAtRest(volume);
      await saveVolume(tx, volume, { group_id: null }, now);
    }
    for (const volumeId of add) {
      const volume = await findVolume(tx, ctx, volumeId).catch(() => null);
      if (volume === null || volume.project_id !== row.project_id)
        throw invalidVolume(`Cannot add volume ${volumeId} to group ${row.id}: it cannot be found.`);
      if (volume.group_id !== null)
        throw invalidVolume(`Cannot add volume ${volumeId}: it is in group ${volume.group_id} already.`);
      await requireAtRest(volume);
      const refused = await groupRefuses(tx, row, volume.type_id);
      if (refused !== null) throw invalidVolume(`Cannot add volume ${volumeId}: ${refused}.`);
      await saveVolume(tx, volume, { group_id: row.id }, now);
    }
    const changes = {
      ...(asked.name === undefined ? {} : { name: asked.name }),
      ...(asked.description === undefined ? {} : { description: asked.description }),
    };
    if (Object.keys(changes).length > 0)
      await tx.updateTable('volume_groups').set(changes).where('id', '=', row.id).execute();
  });

async function requireAtRest(volume: VolumeRow): Promise<void> {
  if (!['available', 'in-use'].includes(volume.status))
    throw invalidVolume(`volume ${volume.id} must be available or in-use; it is ${volume.status}.`);
}

export const deleteGroup = (ctx: Ctx, deps: VolumeDeps, id: string, deleteVolumes: boolean): Promise<void> =>
  change(ctx, id, async (tx, row) => {
    if (row.deleting === 1) return;
    const members = await volumesOf(tx, row.id);
    if (!['available', 'error'].includes(statusOf(row, members)))
      throw invalidGroup(`Group status must be available or error; it is ${statusOf(row, members)}.`);
    if (members.length > 0 && !deleteVolumes)
      throw invalidGroup(
        `Group ${row.id} still contains volumes. The delete-volumes flag is required to delete it.`,
      );
    const snapshot = await tx
      .selectFrom('volume_group_snapshots')
      .select('id')
      .where('group_id', '=', row.id)
      .limit(1)
      .executeTakeFirst();
    if (snapshot !== undefined)
      throw invalidGroup(`Group ${row.id} has dependent group snapshots, e.g. ${snapshot.id}.`);
    for (const volume of members) {
      const [attached] = await attachmentsOf(tx, volume.id);
      if (attached !== undefined)
        throw invalidVolume(`Volume ${volume.id} in group ${row.id} is attached; detach it first.`);
    }
    await tx
      .updateTable('volume_groups')
      .set({ deleting: 1, forced_status: null })
      .where('id', '=', row.id)
      .execute();
    for (const volume of members)
      await removeVolumeIn(tx, ctx, deps, volume, { cascade: false, force: false });
    await groupLost(tx, ctx.platform, row.id);
  });

export const resetGroup = (ctx: Ctx, id: string, status: string): Promise<unknown> =>
  change(ctx, id, async (tx, row) => {
    const plain = statusOf({ ...row, forced_status: null }, await volumesOf(tx, row.id));
    await tx
      .updateTable('volume_groups')
      .set({ forced_status: status === plain ? null : status })
      .where('id', '=', row.id)
      .execute();
  });

export async function createGroupSnapshot(
  ctx: Ctx,
  asked: { groupId: string; name: string | null; description: string | null },
): Promise<GroupSnapshotRow> {
  const { platform } = ctx;
  const owner = (await findGroup(platform.db.read, ctx, asked.groupId)).project_id;
  return platform.db.tx(
    async (tx) => {
      const group = await findGroup(tx, ctx, asked.groupId);
      const members = await volumesOf(tx, group.id);
      if (statusOf(group, members) !== 'available')
        throw invalidGroup(`Group status must be available; it is ${statusOf(group, members)}.`);
      if (members.length === 0)
        throw invalidGroup(`Group ${group.id} is empty. No group snapshot will be created.`);
      const row: GroupSnapshotRow = {
        id: platform.ids.uuid(),
        group_id: group.id,
        project_id: group.project_id,
        user_id: ctx.actor.userId,
        name: asked.name,
        description: asked.description,
        group_type_id: group.group_type_id,
        created_at: platform.clock.now(),
        deleting: 0,
        forced_status: null,
      };
      await tx.insertInto('volume_group_snapshots').values(row).execute();
      for (const volume of members)
        await snapshotIn(tx, ctx, volume, {
          name: asked.name,
          description: asked.description,
          metadata: {},
          force: true,
          groupSnapshotId: row.id,
        });
      await audit(tx, ctx, 'group-snapshot', row.id);
      return row;
    },
    { locks: [quotaLock(owner)] },
  );
}

export const deleteGroupSnapshot = (ctx: Ctx, deps: VolumeDeps, id: string): Promise<void> =>
  ctx.platform.db.tx(async (tx) => {
    const row = await findGroupSnapshot(tx, ctx, id);
    if (row.deleting === 1) return;
    const members = await snapshotsOf(tx, row.id);
    if (!['available', 'error'].includes(statusOf(row, members)))
      throw badRequest(
        `Invalid GroupSnapshot: its status must be available or error; it is ${statusOf(row, members)}.`,
      );
    await tx
      .updateTable('volume_group_snapshots')
      .set({ deleting: 1, forced_status: null })
      .where('id', '=', row.id)
      .execute();
    for (const one of members) await removeSnapshot(tx, ctx, deps, one);
    await groupSnapshotLost(tx, row.id);
    await audit(tx, ctx, 'group-snapshot', row.id);
  });

export const resetGroupSnapshot = (ctx: Ctx, id: string, status: string): Promise<void> =>
  ctx.platform.db.tx(async (tx) => {
    const row = await findGroupSnapshot(tx, ctx, id);
    if (row.deleting === 1) throw notFound('GroupSnapshot', id);
    const plain = statusOf({ ...row, forced_status: null }, await snapshotsOf(tx, row.id));
    await tx
      .updateTable('volume_group_snapshots')
      .set({ forced_status: status === plain ? null : status })
      .where('id', '=', row.id)
      .execute();
    await audit(tx, ctx, 'group-snapshot', row.id);
  });
