// Creating servers: quota, image, key, ports, placement and rows are one transaction, so that nothing is left
// of a create that is refused. A server that finds no host is created too, in ERROR, with the reason.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, forbidden } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { zoneExists } from '../../host/index.ts';
import type { BootImage } from '../../image/index.ts';
import type { Placed } from '../../placement/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { extraSpecsOf, findFlavor } from '../flavors/service.ts';
import type { FlavorRow } from '../flavors/table.ts';
import { isSet } from '../links.ts';
import { refuseOverUserQuota } from '../quotas/user-quotas.ts';
import { groupForBoot } from '../server-groups/service.ts';
import {
  type BootRequest,
  canonicalIpv6,
  checkFits,
  explain,
  GIB,
  guestProperties,
  hostnameOf,
  readBootRequest,
  typeOf,
} from './boot-request.ts';
import type { CreateBody } from './schema.ts';
import { hintedHosts } from './hints.ts';
import { refuseTooManyFiles } from './personality.ts';
import { claimVolumes, hostOfVolumes, volumeAsImage, volumesText } from './volume-attachments.ts';
import { insertServers, recordAction } from './store.ts';
import type { BootFacts, FlavorCopy, ServerRow } from './table.ts';

type NewRow = Omit<ServerRow, 'status' | 'vm_state'>;

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

/** What all servers of one request have in common. */
function commonColumns(
  ctx: Ctx,
  asked: CreateBody['server'],
  request: BootRequest,
  flavor: FlavorRow,
  image: BootImage,
  publicKey: string | null,
) {
  const now = ctx.platform.clock.now();
  const copy: FlavorCopy = {
    name: flavor.name,
    vcpus: flavor.vcpus,
    memoryMib: flavor.memory_mib,
    diskGib: flavor.disk_gib,
    ephemeralGib: flavor.ephemeral_gib,
    swapMib: flavor.swap_mib,
    extraSpecs: extraSpecsOf(flavor),
  };
  const boot: BootFacts | null =
    image.id === ''
      ? null
      : {
          diskFormat: image.diskFormat,
          containerFormat: image.containerFormat,
          hash: image.hash,
          size: image.size,
        };
  return {
    project_id: projectOf(ctx.actor),
    user_id: ctx.actor.userId,
    created_at: now,
    updated_at: now,
    revision: 1,
    power: 'running' as const,
    desired_version: 1,
    reboot_count: 0,
    reboot_hard: 0,
    deleting: 0,
    item_generation: 0,
    compiled_version: 0,
    observed_generation: 0,
    observed_power: null,
    observed_reboot_count: 0,
    rebuild_count: 0,
    observed_rebuild_count: 0,
    rescue: null,
    observed_rescued: 0,
    files: JSON.stringify(request.files),
    resize_count: 0,
    observed_resize_count: 0,
    phase: null,
    phase_facts: null,
    root_image_id: null,
    imaging: 0,
    observed_restarts: 0,
    launched_at: null,
    locked: 0,
    locked_by: null,
    locked_reason: null,
    type: typeOf(image),
    image_id: image.id,
    image: JSON.stringify(boot),
    flavor_id: flavor.id,
    flavor: JSON.stringify(copy),
    key_name: asked.key_name ?? null,
    public_key: publicKey,
    user_data: request.userData,
    // Files come with the config drive, so that who sends some has one.
    config_drive: isSet(asked.config_drive ?? undefined) || request.files.length > 0 ? 1 : 0,
    disk_config: asked['OS-DCF:diskConfig'] ?? 'MANUAL',
    metadata: JSON.stringify(request.metadata),
    properties: JSON.stringify(guestProperties(image, extraSpecsOf(flavor))),
    tags: JSON.stringify(request.tags),
    access_ipv4: asked.accessIPv4 ?? '',
    access_ipv6: canonicalIpv6(asked.accessIPv6),
    pinned_zone: request.zone,
    group_id: request.groupId,
    reservation_id: `r-${ctx.platform.ids.hex().slice(0, 8)}`,
  };
}

/** What placement said, as columns. */
const placedColumns = (placed: Placed, now: number) =>
  placed.placed
    ? {
        host_id: placed.hostId,
        host_name: placed.hostname,
        zone: placed.zone,
        error: null,
        error_at: null,
        observed_version: 0,
      }
    : {
        host_id: null,
        host_name: null,
        zone: null,
        error: explain(placed.explanation),
        error_at: now,
        observed_version: 1,
      };

async function create(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  body: CreateBody,
  request: BootRequest,
): Promise<ServerRow[]> {
  const { platform } = ctx;
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
  const claimed = { instances: total, cores: flavor.vcpus * total, ram: flavor.memory_mib * total };
  await refuseOverUserQuota(tx, projectId, ctx.actor.userId, claimed);
  await platform.quotas.claim(tx, projectId, claimed);

  const common = commonColumns(ctx, asked, request, flavor, image, publicKey);
  const rows: NewRow[] = [];
  for (let index = 0; index < total; index += 1) {
    const id = platform.ids.uuid();
    const suffix = request.max > 1 ? `-${index + 1}` : '';
    const name = asked.name + suffix;
    const hostname = asked.hostname === undefined ? hostnameOf(name, id) : asked.hostname + suffix;
    const server = { id, projectId, hostname, type: common.type };
    let ports = await deps.network.claimPorts(tx, ctx, server, request.ports, request.securityGroups);
    const placed = await deps.placement.claim(tx, {
      serverId: id,
      type: common.type,
      vcpus: flavor.vcpus,
      memoryMib: flavor.memory_mib,
      diskGib: bootDevice === undefined ? diskOf(flavor, image) : 0,
      zone: request.zone,
      hostname: request.host ?? volumeHost,
      architecture: image.properties['hw_architecture'] ?? image.properties['architecture'] ?? null,
      // Hosts differ in what their containers can have.
      capabilities: request.devices.length > 0 && common.type === 'container' ? ['volumes'] : [],
      group: group === null ? null : { ...group, hostIds: [...group.hostIds] },
      hinted,
    });
    if (placed.placed) {
      group?.hostIds.push(placed.hostId);
      if (ports.length > 0) await deps.network.bindPorts(tx, id, placed.hostId);
      const here = {
        id,
        projectId,
        name,
        hostId: placed.hostId,
        hostName: placed.hostname,
        zone: placed.zone,
      };
      await claimVolumes(tx, ctx, deps, here, request.devices);
    } else {
      // As in Nova a server without a host has no ports, but counts against the quota until it is deleted.
      await deps.network.releasePorts(tx, id);
      ports = [];
    }
    rows.push({
      ...common,
      ...placedColumns(placed, common.created_at),
      id,
      name,
      hostname,
      // Before 2.19 the name is the description, as in Nova.
      description: ctx.microversion >= 19 ? (asked.description ?? null) : name,
      ports: JSON.stringify(ports),
      volumes: placed.placed && request.devices.length > 0 ? await volumesText(tx, deps, id) : '[]',
      explanation: JSON.stringify(placed.explanation),
      launch_index: index,
    });
  }
  const stored = await insertServers(tx, rows);
  for (const row of stored) {
    if (request.tags.length > 0)
      await tx
        .insertInto('server_tags')
        .values(request.tags.map((tag) => ({ server_id: row.id, tag })))
        .execute();
    await recordAction(
      tx,
      ctx,
      row,
      'create',
      row.host_id === null ? { done: true, message: 'Error' } : { done: false },
    );
    await audit(tx, ctx, 'server', row.id);
  }
  await platform.work.enqueue(
    tx,
    'server',
    stored.filter((row) => row.host_id !== null).map((row) => row.id),
  );
  return stored;
}

export async function createServers(ctx: Ctx, deps: ComputeDeps, body: CreateBody): Promise<ServerRow[]> {
  const projectId = projectOf(ctx.actor);
  if (projectId === '')
    throw badRequest('A server belongs to a project: send a token that is scoped to one.');
  const request = readBootRequest(ctx, body);
  return ctx.platform.db.tx((tx) => create(tx, ctx, deps, body, request), { locks: [quotaLock(projectId)] });
}
