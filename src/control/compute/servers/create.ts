// Creating servers: quota, image, key, ports, placement and rows are one transaction, so that nothing is left
// of a create that is refused. A server that finds no host is created too, in ERROR, with the reason.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import type { BootImage } from '../../image/index.ts';
import type { Placed } from '../../placement/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { extraSpecsOf } from '../flavors/service.ts';
import type { FlavorRow } from '../flavors/table.ts';
import { isSet } from '../links.ts';
import { refuseOverUserQuota } from '../quotas/user-quotas.ts';
import { planBoot } from './boot-plan.ts';
import {
  type BootRequest,
  canonicalIpv6,
  explain,
  guestProperties,
  hostnameOf,
  readBootRequest,
  typeOf,
} from './boot-request.ts';
import type { CreateBody } from './schema.ts';
import { claimVolumes, volumesText } from './volume-attachments.ts';
import { insertServers, recordAction } from './store.ts';
import type { BootFacts, FlavorCopy, ServerRow } from './table.ts';

type NewRow = Omit<ServerRow, 'status' | 'vm_state'>;

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
  const plan = await planBoot(tx, ctx, deps, body, request);
  const { flavor, image, publicKey, total, group } = plan;
  await refuseOverUserQuota(tx, projectId, ctx.actor.userId, plan.claims);
  await platform.quotas.claim(tx, projectId, plan.claims);

  const common = commonColumns(ctx, asked, request, flavor, image, publicKey);
  const rows: NewRow[] = [];
  for (let index = 0; index < total; index += 1) {
    const id = platform.ids.uuid();
    const suffix = request.max > 1 ? `-${index + 1}` : '';
    const name = asked.name + suffix;
    const hostname = asked.hostname === undefined ? hostnameOf(name, id) : asked.hostname + suffix;
    const server = { id, projectId, hostname, type: common.type };
    let ports = await deps.network.claimPorts(tx, ctx, server, request.ports, request.securityGroups);
    const placed = await deps.placement.claim(tx, { ...plan.wants, serverId: id });
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

export function refuseWithoutProject(ctx: Ctx): void {
  if (projectOf(ctx.actor) === '')
    throw badRequest('A server belongs to a project: send a token that is scoped to one.');
}

export async function createServers(ctx: Ctx, deps: ComputeDeps, body: CreateBody): Promise<ServerRow[]> {
  refuseWithoutProject(ctx);
  const projectId = projectOf(ctx.actor);
  const request = readBootRequest(ctx, body);
  return ctx.platform.db.tx((tx) => create(tx, ctx, deps, body, request), { locks: [quotaLock(projectId)] });
}
