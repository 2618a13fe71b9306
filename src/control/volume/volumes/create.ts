// Making volumes: type, source, quota, host and row are one transaction, so that nothing is left of what is refused.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import type { VolumeBody } from '../../../protocol/items.ts';
import { listHosts } from '../../host/index.ts';
import type { BootImage } from '../../image/index.ts';
import type { VolumeDeps } from '../deps.ts';
import { findGroup, groupRefuses } from '../groups/store.ts';
import { tell } from '../messages/messages.ts';
import { checkVolumeSize, claimQuota } from '../quota-errors.ts';
import { findSnapshot } from '../snapshots/store.ts';
import { keepers } from '../services/table.ts';
import { findType } from '../types/store.ts';
import { OVERSUBSCRIPTION, provisionedByHost, unmet } from './backend.ts';
import { findVolume, insertVolume } from './store.ts';
import type { VolumeRow } from './table.ts';

const GIB = 1024 ** 3;

export type NewVolume = {
  name: string | null;
  description: string | null;
  /** GiB; null: that of what it is made of. */
  size: number | null;
  type: string | null;
  zone: string | null;
  metadata: Record<string, string>;
  imageId: string | null;
  snapshotId: string | null;
  volumeId: string | null;
  /** Where it has to be; null: anywhere. */
  host: { id: string; name: string; zone: string } | null;
  groupId?: string | null;
};

const invalidInput = (reason: string) => badRequest(`Invalid input received: ${reason}`, 'InvalidInput');

type Place = { id: string; name: string; zone: string };

/** The host with the most room for volumes; a string: why there is none. */
async function placeFor(tx: Tx, ctx: Ctx, zone: string | null, sizeGib: number): Promise<Place | string> {
  const used = await provisionedByHost(tx);
  const fitting = (await keepers(tx, ctx.platform.clock.now()))
    .filter((host) => host.taking && host.up && (zone === null || host.zone === zone))
    .map((host) => ({ host, room: host.totalGib * OVERSUBSCRIPTION - (used.get(host.id) ?? 0) }));
  if (fitting.length === 0)
    return 'No valid host was found: no host that is up takes volumes. Ask the operator.';
  const [best] = fitting.filter((one) => one.room >= sizeGib).toSorted((a, b) => b.room - a.room);
  if (best === undefined)
    return `No valid host was found: none of ${fitting.length} hosts has room for ${sizeGib} GiB more. Delete volumes, or ask the operator.`;
  return { id: best.host.id, name: best.host.hostname, zone: best.host.zone };
}

type From = {
  source: VolumeBody['source'];
  minGib: number;
  place: Place | null;
  typeId: string | null;
  bootable: boolean;
  imageMetadata: Record<string, string>;
};

const imageFacts = (image: BootImage): Record<string, string> => ({
  ...image.properties,
  image_id: image.id,
  image_name: image.name,
  container_format: image.containerFormat,
  disk_format: image.diskFormat,
  min_disk: String(image.minDisk),
  min_ram: String(image.minRam),
  size: String(image.size),
});

async function fromImage(tx: Tx, ctx: Ctx, deps: VolumeDeps, imageId: string): Promise<From> {
  const image = await deps.images.forBoot(tx, ctx, imageId).catch((error: unknown) => {
    throw error instanceof CloudError && error.status === 404
      ? badRequest(`Invalid image identifier or unable to access requested image ${imageId}.`)
      : error;
  });
  if (image.containerFormat !== 'bare' || (image.diskFormat !== 'raw' && image.diskFormat !== 'qcow2'))
    throw invalidInput(
      `image ${imageId} is a ${image.containerFormat === 'bare' ? image.diskFormat : image.containerFormat} image; volumes are made of raw and qcow2 disks.`,
    );
  const { id, diskFormat, containerFormat, hash, size } = image;
  return {
    source: { type: 'image', image: { id, diskFormat, containerFormat, hash, size } },
    minGib: Math.max(image.minDisk, Math.ceil((image.virtualSize ?? image.size) / GIB)),
    place: null,
    typeId: null,
    bootable: true,
    imageMetadata: imageFacts(image),
  };
}

function fromVolume(row: VolumeRow, source: VolumeBody['source'], minGib: number): From {
  if (row.host_id === null || row.host_name === null)
    throw badRequest(`Invalid volume: volume ${row.id} is on no host.`);
  return {
    source,
    minGib,
    place: { id: row.host_id, name: row.host_name, zone: row.zone },
    typeId: row.type_id,
    bootable: row.bootable === 1,
    imageMetadata: JSON.parse(row.image_metadata) as Record<string, string>,
  };
}

async function sourceOf(tx: Tx, ctx: Ctx, deps: VolumeDeps, asked: NewVolume): Promise<From> {
  if (asked.imageId !== null) return fromImage(tx, ctx, deps, asked.imageId);
  if (asked.snapshotId !== null) {
    const snapshot = await findSnapshot(tx, ctx, asked.snapshotId);
    if (snapshot.status !== 'available')
      throw badRequest(
        `Invalid snapshot: Originating snapshot status must be one of available values, but it is ${snapshot.status}.`,
      );
    const volume = await tx
      .selectFrom('volumes')
      .selectAll()
      .where('id', '=', snapshot.volume_id)
      .executeTakeFirst();
    if (volume === undefined) throw notFound('Volume', snapshot.volume_id);
    return fromVolume(volume, { type: 'snapshot', id: snapshot.id }, snapshot.size_gib);
  }
  if (asked.volumeId !== null) {
    const volume = await findVolume(tx, ctx, asked.volumeId);
    if (volume.status !== 'available' && volume.status !== 'in-use')
      throw badRequest(
        `Invalid volume: Unable to create a volume from an originating source volume when its status is not one of available, in-use values; it is ${volume.status}.`,
      );
    return fromVolume(volume, { type: 'volume', id: volume.id }, volume.size_gib);
  }
  return { source: null, minGib: 1, place: null, typeId: null, bootable: false, imageMetadata: {} };
}

export async function createVolumeIn(
  tx: Tx,
  ctx: Ctx,
  deps: VolumeDeps,
  asked: NewVolume,
): Promise<VolumeRow> {
  const { platform } = ctx;
  const projectId = projectOf(ctx.actor);
  if (projectId === '')
    throw badRequest('A volume belongs to a project: send a token that is scoped to one.');
  const from = await sourceOf(tx, ctx, deps, asked);
  const type = await findType(tx, ctx, asked.type ?? from.typeId);
  // Looked at before anything else: whoever may not see it is told that there is none.
  const group = (asked.groupId ?? null) === null ? null : await findGroup(tx, ctx, asked.groupId ?? '');
  const no = group === null ? null : await groupRefuses(tx, group, type.id);
  if (no !== null) throw invalidInput(`${no}: the volume cannot be made in it.`);
  const size = asked.size ?? (from.source === null ? null : from.minGib);
  if (size === null)
    throw badRequest(
      'Invalid input for field/attribute size. Value: null. It must be an integer, 1 or more, when the volume is not made of something.',
    );
  if (size < from.minGib)
    throw invalidInput(
      `Volume size ${size}GB cannot be smaller than ${from.source?.type === 'image' ? 'the disk of the image' : `the ${from.source?.type ?? 'volume'} it is made of`}, ${from.minGib}GB. They must be >= ${from.minGib}.`,
    );
  if (asked.zone !== null && !(await listHosts(tx)).some((host) => host.zone === asked.zone))
    throw invalidInput(`Availability zone '${asked.zone}' is invalid.`);
  await checkVolumeSize(tx, platform, projectId, size);
  await claimQuota(tx, platform, projectId, { volumes: 1, gigabytes: size });
  if (from.place !== null && asked.host !== null && from.place.id !== asked.host.id)
    throw invalidInput('what the volume is made of is kept on another host than the server runs on.');
  const refused = unmet(JSON.parse(type.extra_specs) as Record<string, string>);
  const place =
    refused !== null
      ? `No valid host was found: volume type ${type.name} asks for ${refused}, which no back end has.`
      : (asked.host ?? from.place ?? (await placeFor(tx, ctx, asked.zone, size)));
  const found = typeof place === 'string' ? null : place;
  const row = await insertVolume(tx, {
    id: platform.ids.uuid(),
    project_id: projectId,
    user_id: ctx.actor.userId,
    name: asked.name,
    description: asked.description,
    created_at: platform.clock.now(),
    updated_at: null,
    type_id: type.id,
    zone: found?.zone ?? asked.zone ?? 'nova',
    host_id: found?.id ?? null,
    host_name: found?.name ?? null,
    bootable: from.bootable ? 1 : 0,
    read_only: 0,
    metadata: JSON.stringify(asked.metadata),
    image_metadata: JSON.stringify(from.imageMetadata),
    group_id: asked.groupId ?? null,
    source_volume_id: asked.volumeId,
    source_snapshot_id: asked.snapshotId,
    source_image_id: asked.imageId,
    size_gib: size,
    source: JSON.stringify(from.source),
    deleting: 0,
    revert_count: 0,
    revert_to: null,
    item_generation: 0,
    created: 0,
    observed_size_gib: 0,
    observed_revert_count: 0,
    error: typeof place === 'string' ? place : null,
    task: null,
    forced_status: null,
  });
  await audit(tx, ctx, 'volume', row.id);
  if (typeof place === 'string')
    await tell(
      tx,
      platform,
      { projectId, type: 'VOLUME', id: row.id, requestId: ctx.requestId },
      'schedule allocate volume',
      place,
    );
  if (found !== null) await platform.work.enqueue(tx, 'volume', [row.id]);
  return row;
}
