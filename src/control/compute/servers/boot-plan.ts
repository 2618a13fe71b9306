// What a create needs, read and checked before anything is claimed: the create itself and its dry run go on from the
// same plan, so that they refuse the same requests with the same words.
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, forbidden } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { zoneExists } from '../../host/index.ts';
import type { BootImage } from '../../image/index.ts';
import type { PlacementRequest } from '../../placement/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { findFlavor } from '../flavors/service.ts';
import type { FlavorRow } from '../flavors/table.ts';
import { groupForBoot } from '../server-groups/service.ts';
import { checkFits, GIB, typeOf, type BootRequest } from './boot-request.ts';
import { hintedHosts } from './hints.ts';
import { refuseTooManyFiles } from './personality.ts';
import type { CreateBody } from './schema.ts';
import { hostOfVolumes, volumeAsImage } from './volume-attachments.ts';

export type BootPlan = {
  flavor: FlavorRow;
  image: BootImage;
  publicKey: string | null;
  /** Servers to make: of min_count..max_count what the quota has room for. */
  total: number;
  /** For all of them. */
  claims: { instances: number; cores: number; /** MiB */ ram: number };
  /** Of the server group; who places a server adds its host to `hostIds`, which `wants` shares. */
  group: { hostIds: string[] } | null;
  /** For each of them. */
  wants: Omit<PlacementRequest, 'serverId'>;
};

/** A 404 of something that the body names is a 400 of the request. */
export const named =
  (field: string) =>
  (error: unknown): never => {
    throw error instanceof CloudError && error.status === 404
      ? badRequest(`Invalid ${field} provided: ${error.publicMessage}`)
      : error;
  };

/** How many of min..max servers fit the quota; the claim itself then refuses what does not. */
async function affordable(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  flavor: FlavorRow,
  { min, max }: BootRequest,
): Promise<number> {
  if (min === max) return max;
  const limits = await ctx.platform.quotas.limits(tx, projectId);
  const usage = await ctx.platform.quotas.usage(tx, projectId);
  const room = (name: string, each: number): number =>
    (limits[name] ?? -1) < 0 ? max : Math.floor(((limits[name] ?? 0) - (usage[name] ?? 0)) / each);
  return Math.max(
    min,
    Math.min(max, room('instances', 1), room('cores', flavor.vcpus), room('ram', flavor.memory_mib)),
  );
}

export async function refuseTooMuchMetadata(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  items: number,
): Promise<void> {
  if (items === 0) return;
  const limit = (await ctx.platform.quotas.limits(tx, projectId))['metadata_items'] ?? 128;
  if (limit >= 0 && items > limit)
    throw forbidden(`Maximum number of metadata items exceeds ${limit}: ${items} were sent.`, 'OverQuota');
}

export async function publicKeyOf(tx: Tx, ctx: Ctx, name: string | null | undefined): Promise<string | null> {
  if (name === undefined || name === null) return null;
  const key = await tx
    .selectFrom('keypairs')
    .select('public_key')
    .where('user_id', '=', ctx.actor.userId)
    .where('name', '=', name)
    .executeTakeFirst();
  if (key === undefined) throw badRequest(`Invalid key_name provided: key pair ${name} could not be found.`);
  return key.public_key;
}

/** GiB that the guest takes of its host's disk. */
function diskOf(flavor: FlavorRow, image: BootImage): number {
  const root = flavor.disk_gib > 0 ? flavor.disk_gib : Math.ceil((image.virtualSize ?? 0) / GIB);
  return root + flavor.ephemeral_gib + Math.ceil(flavor.swap_mib / 1024);
}

/** Throws what the create would be refused with, quotas apart. */
export async function planBoot(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  body: CreateBody,
  request: BootRequest,
): Promise<BootPlan> {
  const asked = body.server;
  const projectId = projectOf(ctx.actor);
  const flavor = await findFlavor(tx, ctx, asked.flavorRef).catch(named('flavorRef'));
  const bootDevice = request.devices.find((one) => one.boot);
  const image =
    bootDevice === undefined
      ? await deps.images.forBoot(tx, ctx, request.imageId ?? '').catch(named('imageRef'))
      : await volumeAsImage(tx, ctx, deps, bootDevice);
  // A root disk of its own is as large as the flavor says; a volume is as large as it is.
  checkFits(bootDevice === undefined ? flavor : { ...flavor, disk_gib: 0 }, image);
  if (bootDevice !== undefined && typeOf(image) === 'container')
    throw badRequest(
      'Block Device Mapping is Invalid: a container boots from its image; name it as imageRef, and volumes with boot_index -1.',
      'InvalidBDM',
    );
  const volumeHost = await hostOfVolumes(tx, ctx, deps, request.devices);
  if (volumeHost !== null && request.host !== null && request.host !== volumeHost)
    throw badRequest(
      `Block Device Mapping is Invalid: the volumes are on host ${volumeHost}, not on ${request.host}.`,
      'InvalidBDM',
    );
  const publicKey = await publicKeyOf(tx, ctx, asked.key_name);
  if (request.zone !== null && !(await zoneExists(tx, request.zone)))
    throw badRequest(`The requested availability zone is not available: ${request.zone}.`);
  const total = await affordable(tx, ctx, projectId, flavor, request);
  const group = request.groupId === null ? null : await groupForBoot(tx, ctx, request.groupId, total);
  const hinted = await hintedHosts(tx, ctx, request.hints);
  await refuseTooMuchMetadata(tx, ctx, projectId, Object.keys(request.metadata).length);
  await refuseTooManyFiles(tx, ctx, projectId, request.files);
  const type = typeOf(image);
  return {
    flavor,
    image,
    publicKey,
    total,
    claims: { instances: total, cores: flavor.vcpus * total, ram: flavor.memory_mib * total },
    group,
    wants: {
      type,
      vcpus: flavor.vcpus,
      memoryMib: flavor.memory_mib,
      diskGib: bootDevice === undefined ? diskOf(flavor, image) : 0,
      zone: request.zone,
      hostname: request.host ?? volumeHost,
      architecture: image.properties['hw_architecture'] ?? image.properties['architecture'] ?? null,
      // Hosts differ in what their containers can have.
      capabilities: request.devices.length > 0 && type === 'container' ? ['volumes'] : [],
      group,
      hinted,
    },
  };
}
