// Finding groups and what belongs to them, and the end of a group when the last of its volumes is gone.
import type { Tx } from '../../../kernel/db/index.ts';
import { notFound } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { canSee, isAdmin } from '../../../kernel/policy.ts';
import type { SnapshotRow } from '../snapshots/table.ts';
import type { Db, VolumeRow } from '../volumes/table.ts';
import { statusOf, type GroupRow, type GroupSnapshotRow, type GroupTypeRow } from './table.ts';

export async function findGroup(db: Db, ctx: Ctx, id: string): Promise<GroupRow> {
  const row = await db.selectFrom('volume_groups').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !canSee(ctx.actor, row.project_id)) throw notFound('Group', id);
  return row;
}

export async function findGroupSnapshot(db: Db, ctx: Ctx, id: string): Promise<GroupSnapshotRow> {
  const row = await db
    .selectFrom('volume_group_snapshots')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined || !canSee(ctx.actor, row.project_id)) throw notFound('GroupSnapshot', id);
  return row;
}

export async function groupTypes(db: Db, ctx: Ctx): Promise<GroupTypeRow[]> {
  const rows = await db
    .selectFrom('volume_group_types')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  return rows.filter((row) => row.is_public === 1 || isAdmin(ctx.actor));
}

export async function findGroupType(db: Db, ctx: Ctx, idOrName: string): Promise<GroupTypeRow> {
  const all = await groupTypes(db, ctx);
  const found = all.find((row) => row.id === idOrName) ?? all.find((row) => row.name === idOrName);
  if (found === undefined) throw notFound('Group type', idOrName);
  return found;
}

/** The volumes of many groups, by group. */
export async function volumesByGroup(db: Db, ids: readonly string[]): Promise<Map<string, VolumeRow[]>> {
  const found: VolumeRow[] = [];
  for (let at = 0; at < ids.length; at += 500)
    found.push(
      ...(await db
        .selectFrom('volumes')
        .selectAll()
        .where('group_id', 'in', ids.slice(at, at + 500))
        .orderBy('created_at')
        .orderBy('id')
        .execute()),
    );
  return Map.groupBy(found, (row) => row.group_id ?? '');
}

/** The snapshots of many group snapshots, by group snapshot. */
export async function snapshotsByGroupSnapshot(
  db: Db,
  ids: readonly string[],
): Promise<Map<string, SnapshotRow[]>> {
  const found: SnapshotRow[] = [];
  for (let at = 0; at < ids.length; at += 500)
    found.push(
      ...(await db
        .selectFrom('volume_snapshots')
        .selectAll()
        .where('group_snapshot_id', 'in', ids.slice(at, at + 500))
        .orderBy('created_at')
        .orderBy('id')
        .execute()),
    );
  return Map.groupBy(found, (row) => row.group_snapshot_id ?? '');
}

export const volumesOf = async (db: Db, groupId: string): Promise<VolumeRow[]> =>
  (await volumesByGroup(db, [groupId])).get(groupId) ?? [];
export const snapshotsOf = async (db: Db, groupSnapshotId: string): Promise<SnapshotRow[]> =>
  (await snapshotsByGroupSnapshot(db, [groupSnapshotId])).get(groupSnapshotId) ?? [];

/** Why the volume cannot be in the group; null: it can. */
export async function groupRefuses(tx: Tx, group: GroupRow, typeId: string): Promise<string | null> {
  const status = statusOf(group, await volumesOf(tx, group.id));
  if (status !== 'available' && status !== 'creating') return `group ${group.id} is ${status}`;
  if (!(JSON.parse(group.volume_types) as string[]).includes(typeId))
    return `volume type ${typeId} is not one of group ${group.id}`;
  return null;
}

/** A volume of the group is gone. */
export async function groupLost(tx: Tx, platform: Platform, groupId: string): Promise<void> {
  const row = await tx.selectFrom('volume_groups').selectAll().where('id', '=', groupId).executeTakeFirst();
  if (row === undefined || row.deleting === 0 || (await volumesOf(tx, groupId)).length > 0) return;
  await platform.quotas.release(tx, row.project_id, { groups: 1 });
  await tx.deleteFrom('volume_groups').where('id', '=', groupId).execute();
}

/** A snapshot of the group snapshot is gone. */
export async function groupSnapshotLost(tx: Tx, id: string): Promise<void> {
  const row = await tx
    .selectFrom('volume_group_snapshots')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined || row.deleting === 0 || (await snapshotsOf(tx, id)).length > 0) return;
  await tx.deleteFrom('volume_group_snapshots').where('id', '=', id).execute();
}
