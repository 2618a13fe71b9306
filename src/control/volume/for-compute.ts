// Volumes and snapshots as the compute service hands them on to clients that are older than the volume service.
import type { Ctx } from '../../kernel/platform.ts';
import { projectOf } from '../../kernel/policy.ts';
import type { VolumeDeps } from './deps.ts';
import { createSnapshot, deleteSnapshot } from './snapshots/service.ts';
import { findSnapshot } from './snapshots/store.ts';
import type { SnapshotRow } from './snapshots/table.ts';
import { typeNames } from './types/store.ts';
import { createVolume, deleteVolume } from './volumes/service.ts';
import { attachmentsByVolume, findVolume, mapOf } from './volumes/store.ts';
import type { VolumeRow } from './volumes/table.ts';

export type SeenVolume = {
  id: string;
  status: string;
  name: string | null;
  description: string | null;
  /** GiB. */
  size: number;
  zone: string;
  createdAt: number;
  type: string;
  snapshotId: string | null;
  metadata: Record<string, string>;
  attachments: { id: string; serverId: string; device: string | null }[];
};
export type SeenSnapshot = {
  id: string;
  volumeId: string;
  status: string;
  name: string | null;
  description: string | null;
  /** GiB. */
  size: number;
  createdAt: number;
};
type Page = { limit: number; offset: number };

/** Each as the volume API has it: 404 for what the actor may not see, newest first in lists. */
export type VolumesForCompute = {
  listVolumes(ctx: Ctx, page: Page): Promise<SeenVolume[]>;
  showVolume(ctx: Ctx, id: string): Promise<SeenVolume>;
  createVolume(
    ctx: Ctx,
    wanted: {
      name: string | null;
      description: string | null;
      size: number | null;
      type: string | null;
      zone: string | null;
      metadata: Record<string, string>;
      snapshotId: string | null;
    },
  ): Promise<SeenVolume>;
  deleteVolume(ctx: Ctx, id: string): Promise<void>;
  listSnapshots(ctx: Ctx, page: Page): Promise<SeenSnapshot[]>;
  showSnapshot(ctx: Ctx, id: string): Promise<SeenSnapshot>;
  createSnapshot(
    ctx: Ctx,
    wanted: { volumeId: string; name: string | null; description: string | null; force: boolean },
  ): Promise<SeenSnapshot>;
  deleteSnapshot(ctx: Ctx, id: string): Promise<void>;
};

async function seenVolumes(ctx: Ctx, rows: readonly VolumeRow[]): Promise<SeenVolume[]> {
  const db = ctx.platform.db.read;
  const types = await typeNames(db);
  const attachments = await attachmentsByVolume(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) => ({
    id: row.id,
    status: row.status,
    name: row.name,
    description: row.description,
    size: row.size_gib,
    zone: row.zone,
    createdAt: row.created_at,
    type: types.get(row.type_id) ?? '',
    snapshotId: row.source_snapshot_id,
    metadata: mapOf(row.metadata),
    attachments: (attachments.get(row.id) ?? []).flatMap((one) =>
      one.server_id === '' ? [] : [{ id: one.id, serverId: one.server_id, device: one.device }],
    ),
  }));
}

async function seenVolume(ctx: Ctx, row: VolumeRow): Promise<SeenVolume> {
  const [seen] = await seenVolumes(ctx, [row]);
  return seen as SeenVolume;
}

const seenSnapshot = (row: SnapshotRow): SeenSnapshot => ({
  id: row.id,
  volumeId: row.volume_id,
  status: row.status,
  name: row.name,
  description: row.description,
  size: row.size_gib,
  createdAt: row.created_at,
});

export const volumesForCompute = (deps: VolumeDeps): VolumesForCompute => ({
  async listVolumes(ctx, { limit, offset }) {
    const rows = await ctx.platform.db.read
      .selectFrom('volumes')
      .selectAll()
      .where('project_id', '=', projectOf(ctx.actor))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .offset(offset)
      .execute();
    return seenVolumes(ctx, rows);
  },
  showVolume: async (ctx, id) => seenVolume(ctx, await findVolume(ctx.platform.db.read, ctx, id)),
  createVolume: async (ctx, wanted) =>
    seenVolume(ctx, await createVolume(ctx, deps, { ...wanted, imageId: null, volumeId: null, host: null })),
  deleteVolume: (ctx, id) => deleteVolume(ctx, deps, id, { cascade: false, force: false }),
  async listSnapshots(ctx, { limit, offset }) {
    const rows = await ctx.platform.db.read
      .selectFrom('volume_snapshots')
      .selectAll()
      .where('hidden', '=', 0)
      .where('project_id', '=', projectOf(ctx.actor))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .offset(offset)
      .execute();
    return rows.map(seenSnapshot);
  },
  showSnapshot: async (ctx, id) => seenSnapshot(await findSnapshot(ctx.platform.db.read, ctx, id)),
  createSnapshot: async (ctx, wanted) => seenSnapshot(await createSnapshot(ctx, { ...wanted, metadata: {} })),
  deleteSnapshot: (ctx, id) => deleteSnapshot(ctx, deps, id, false),
});
