// Creating servers: quota, image, key, ports, placement and rows are one transaction, so that nothing is left
// of a create that is refused. A server that finds no host is created too, in ERROR, with the reason.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, forbidden } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { zoneExists } from '../../host/index.ts';
import type { BootImage } from '../../image/index.ts';
import type { PortRequest, ServerPort } from '../../network/index.ts';
import type { Placed, PlacementExplanation, PlacementRequest } from '../../placement/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { extraSpecsOf, findFlavor } from '../flavors/service.ts';
import type { FlavorRow } from '../flavors/table.ts';
import { countOf, isSet } from '../links.ts';
import { groupForBoot } from '../server-groups/service.ts';
import type { CreateBody } from './schema.ts';
import { insertServers, recordAction } from './store.ts';
import type { BootFacts, FlavorCopy, ServerRow } from './table.ts';

const GIB = 1024 ** 3;
type Asked = CreateBody['server'];

/** As Nova makes a host name of a display name. */
export function hostnameOf(name: string, id: string): string {
  const cleaned = name.replace(/[ _]/g, '-').replace(/[^\w.-]+/g, '').replace(/_/g, '-').toLowerCase().replace(/^[.-]+/, '').slice(0, 63).replace(/[.-]+$/, '');
  return cleaned === '' ? `server-${id}` : cleaned;
}

export function checkHostname(hostname: string, minor: number): string {
  const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
  const rule = minor >= 94 ? new RegExp(`^${label}(?:\\.${label})*$`) : new RegExp(`^${label}$`);
  if (!rule.test(hostname))
    throw badRequest(`Invalid input for field/attribute hostname. Value: ${hostname}. It must be ${minor >= 94 ? 'a host name or a fully qualified domain name' : 'one label of letters, digits and dashes, at most 63 characters'}.`);
  return hostname;
}

/** The one supported mapping is what clients send for "boot from this image". */
function checkBlockDevices(asked: Asked): string {
  const fromVolume = 'Booting from a volume and attaching volumes at creation are not supported by this cloud yet; name an imageRef and no volumes.';
  if ((asked.block_device_mapping ?? []).length > 0) throw badRequest(fromVolume);
  const mappings = asked.block_device_mapping_v2 ?? [];
  for (const one of mappings) {
    const local = one.source_type === 'image' && (one.destination_type ?? 'local') === 'local' && Number(one.boot_index ?? -1) === 0;
    if (!local || mappings.length > 1) throw badRequest(`Block Device Mapping is Invalid: ${fromVolume}`);
    if (asked.imageRef !== undefined && asked.imageRef !== '' && one.uuid !== asked.imageRef)
      throw badRequest(`Block Device Mapping is Invalid: boot_index 0 names image ${one.uuid ?? ''}, imageRef names ${asked.imageRef}.`);
  }
  const image = asked.imageRef === undefined || asked.imageRef === '' ? mappings[0]?.uuid : asked.imageRef;
  if (image === undefined) throw badRequest(`Invalid imageRef provided. ${fromVolume}`);
  return image;
}

function checkUserData(userData: string | null | undefined): string | null {
  if (userData === null || userData === undefined) return null;
  const compact = userData.replace(/[\r\n]/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact))
    throw badRequest('Invalid input for field/attribute user_data. It must be base64, at most 65535 characters.');
  return compact;
}

function portRequests(ctx: Ctx, networks: Asked['networks']): readonly PortRequest[] | 'auto' | 'none' {
  if (networks === undefined && ctx.microversion >= 37)
    throw badRequest("Invalid input for field/attribute server. 'networks' is a required property from 2.37 on: a list, 'auto' or 'none'.");
  if (networks === undefined || networks.length === 0) return 'auto';
  if (networks === 'auto' || networks === 'none') return networks;
  if (!Array.isArray(networks)) throw badRequest("Invalid input for field/attribute networks. It must be a list, 'auto' or 'none'.");
  return networks.map((one): PortRequest => {
    if (one.port !== undefined && one.port !== null) {
      if (one.fixed_ip !== undefined) throw badRequest(`Specified Fixed IP '${one.fixed_ip}' cannot be used with port '${one.port}': the two cannot be specified together.`);
      return { portId: one.port };
    }
    if (one.uuid === undefined) throw badRequest("Invalid input for field/attribute networks. Each entry must have 'uuid' or 'port'.");
    return { networkId: one.uuid, fixedIp: one.fixed_ip ?? null };
  });
}

/** 'zone', 'zone:host', 'zone::node'; naming a host is for operators. */
function parseZone(ctx: Ctx, asked: Asked): { zone: string | null; host: string | null } {
  const [zone = '', host = '', node = ''] = (asked.availability_zone ?? '').split(':');
  const named = asked.host ?? asked.hypervisor_hostname ?? (host !== '' ? host : node);
  if (named !== '' && !isAdmin(ctx.actor)) throw forbidden('Policy does not allow os_compute_api:servers:create:forced_host to be performed by this user.');
  return { zone: zone === '' ? null : zone, host: named === '' ? null : named };
}

function checkFits(flavor: FlavorRow, image: BootImage): void {
  if (flavor.memory_mib < image.minRam) throw badRequest(`Flavor's memory is too small for requested image: the flavor has ${flavor.memory_mib} MiB, the image needs ${image.minRam} MiB.`);
  if (flavor.disk_gib === 0) return; // the disk gets the image's own size
  if (flavor.disk_gib < image.minDisk)
    throw badRequest(`Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ${flavor.disk_gib * GIB} bytes, minimum size is ${image.minDisk * GIB} bytes.`);
  if (image.virtualSize !== null && flavor.disk_gib * GIB < image.virtualSize)
    throw badRequest(`Flavor's disk is too small for requested image. Flavor disk is ${flavor.disk_gib * GIB} bytes, image is ${image.virtualSize} bytes.`);
}

/** What of image and flavor reaches the guest driver: short, printable, and of a known family. */
export function guestProperties(image: BootImage, flavor: FlavorRow): Record<string, string> {
  // eslint-disable-next-line no-control-regex
  const fit = ([key, value]: [string, string]): boolean => /^[a-z0-9_.:-]{1,100}$/.test(key) && value.length <= 255 && !/[\x00-\x1f\x7f]/.test(value);
  return Object.fromEntries([
    ...Object.entries(image.properties).filter((one) => /^(?:hw_|os_|strata:)/.test(one[0]) && fit(one)),
    ...Object.entries(extraSpecsOf(flavor)).filter((one) => /^(?:hw:|quota:|strata:)/.test(one[0]) && fit(one)),
  ]);
}

export const typeOf = (image: Pick<BootImage, 'containerFormat' | 'properties'>): 'vm' | 'container' =>
  image.containerFormat === 'docker' || image.properties['strata:type'] === 'container' ? 'container' : 'vm';

/** What the user of a server without a host reads. */
export function explain({ considered, refused, examples }: PlacementExplanation): string {
  const counts = Object.entries(refused).filter(([, hosts]) => hosts > 0).map(([filter, hosts]) => `${filter} ${hosts}`);
  return [
    'No valid host was found.',
    considered === 0 ? 'There are no hosts in this cloud.' : `There are not enough hosts available: ${considered} considered${counts.length === 0 ? '' : `, refused by ${counts.join(', ')}`}.`,
    ...examples.slice(0, 5).map((one) => `${one.host}: ${one.reason}.`),
  ].join(' ');
}

/** How many of min..max servers fit the quota; the claim itself then refuses what does not. */
async function affordable(tx: Tx, ctx: Ctx, projectId: string, flavor: FlavorRow, min: number, max: number): Promise<number> {
  if (min === max) return max;
  const [limits, usage] = [await ctx.platform.quotas.limits(tx, projectId), await ctx.platform.quotas.usage(tx, projectId)];
  const room = (name: string, each: number): number => ((limits[name] ?? -1) < 0 ? max : Math.floor(((limits[name] ?? 0) - (usage[name] ?? 0)) / each));
  return Math.max(min, Math.min(max, room('instances', 1), room('cores', flavor.vcpus), room('ram', flavor.memory_mib)));
}

export type Created = { servers: ServerRow[]; reservationId: string; adminPass: string };

export async function createServers(ctx: Ctx, deps: ComputeDeps, body: CreateBody, newPassword: () => string): Promise<Created> {
  const { platform, microversion: minor } = ctx;
  const asked = body.server;
  const projectId = projectOf(ctx.actor);
  if (projectId === '') throw badRequest('A server belongs to a project: send a token that is scoped to one.');
  const imageId = checkBlockDevices(asked);
  const userData = checkUserData(asked.user_data);
  const requests = portRequests(ctx, asked.networks);
  const where = parseZone(ctx, asked);
  const min = asked.min_count === undefined ? 1 : countOf(asked.min_count, 'min_count', 1, 1000);
  const max = asked.max_count === undefined ? min : countOf(asked.max_count, 'max_count', 1, 1000);
  if (min > max) throw badRequest(`min_count must be <= max_count; they are ${min} and ${max}.`);
  const multiple = max > 1;
  if (multiple && Array.isArray(requests) && requests.some((one) => 'portId' in one || one.fixedIp !== null))
    throw badRequest('Unable to launch multiple instances with a single configured port ID or fixed IP. Please launch your instances one by one.');
  if (asked.hostname !== undefined) checkHostname(asked.hostname, minor);
  const metadata = asked.metadata ?? {};
  const groupId = body['os:scheduler_hints']?.group ?? body['OS-SCH-HNT:scheduler_hints']?.group ?? null;
  const securityGroups = asked.security_groups?.map((one) => one.name) ?? null;
  const reservationId = `r-${platform.ids.hex().slice(0, 8)}`;
  const tags = [...(asked.tags ?? [])].sort();

  const servers = await platform.db.tx(
    async (tx) => {
      const flavor = await findFlavor(tx, ctx, asked.flavorRef).catch((error: unknown) => {
        throw error instanceof CloudError && error.status === 404 ? badRequest(`Invalid flavorRef provided: flavor ${asked.flavorRef} could not be found.`) : error;
      });
      const image = await deps.images.forBoot(tx, ctx, imageId).catch((error: unknown) => {
        throw error instanceof CloudError && error.status === 404 ? badRequest(`Invalid imageRef provided: image ${imageId} could not be found.`) : error;
      });
      checkFits(flavor, image);
      const key = asked.key_name === undefined || asked.key_name === null
        ? null
        : await tx.selectFrom('keypairs').select('public_key').where('user_id', '=', ctx.actor.userId).where('name', '=', asked.key_name).executeTakeFirst();
      if (key === undefined) throw badRequest(`Invalid key_name provided: key pair ${asked.key_name ?? ''} could not be found.`);
      if (where.zone !== null && !(await zoneExists(tx, where.zone))) throw badRequest(`The requested availability zone is not available: ${where.zone}.`);
      const total = await affordable(tx, ctx, projectId, flavor, min, max);
      const group = groupId === null ? null : await groupForBoot(tx, ctx, groupId, total);
      if (Object.keys(metadata).length > 0) {
        const limit = (await platform.quotas.limits(tx, projectId))['metadata_items'] ?? 128;
        if (limit >= 0 && Object.keys(metadata).length > limit) throw forbidden(`Maximum number of metadata items exceeds ${limit}: ${Object.keys(metadata).length} were sent.`, 'OverQuota');
      }
      await platform.quotas.claim(tx, projectId, { instances: total, cores: flavor.vcpus * total, ram: flavor.memory_mib * total });

      const type = typeOf(image);
      const imageGib = image.virtualSize === null ? 0 : Math.ceil(image.virtualSize / GIB);
      const diskGib = (flavor.disk_gib === 0 ? imageGib : flavor.disk_gib) + flavor.ephemeral_gib + Math.ceil(flavor.swap_mib / 1024);
      const architecture = image.properties['hw_architecture'] ?? image.properties['architecture'] ?? null;
      const copy: FlavorCopy = {
        name: flavor.name, vcpus: flavor.vcpus, memoryMib: flavor.memory_mib, diskGib: flavor.disk_gib, ephemeralGib: flavor.ephemeral_gib, swapMib: flavor.swap_mib, extraSpecs: extraSpecsOf(flavor),
      };
      const boot: BootFacts = { diskFormat: image.diskFormat, containerFormat: image.containerFormat, hash: image.hash, size: image.size };
      const groupHosts = [...(group?.hostIds ?? [])];
      const now = platform.clock.now();
      const rows: Omit<ServerRow, 'status' | 'vm_state'>[] = [];
      for (let index = 0; index < total; index += 1) {
        const id = platform.ids.uuid();
        const name = multiple ? `${asked.name}-${index + 1}` : asked.name;
        const hostname = asked.hostname === undefined ? hostnameOf(name, id) : multiple ? `${asked.hostname}-${index + 1}` : asked.hostname;
        let ports: ServerPort[] = await deps.network.claimPorts(tx, ctx, { id, projectId, hostname, type }, requests, securityGroups);
        const request: PlacementRequest = {
          serverId: id, type, vcpus: flavor.vcpus, memoryMib: flavor.memory_mib, diskGib, zone: where.zone, hostname: where.host, architecture, capabilities: [],
          group: group === null ? null : { policy: group.policy, hostIds: groupHosts },
        };
        const placed: Placed = await deps.placement.claim(tx, request);
        if (placed.placed) {
          groupHosts.push(placed.hostId);
          if (ports.length > 0) await deps.network.bindPorts(tx, id, placed.hostId);
        } else {
          // As in Nova a server without a host has no ports, but counts against the quota until it is deleted.
          await deps.network.releasePorts(tx, id);
          ports = [];
        }
        rows.push({
          id, project_id: projectId, user_id: ctx.actor.userId, name, hostname,
          description: minor >= 19 ? (asked.description ?? null) : name,
          created_at: now, updated_at: now, revision: 1,
          power: 'running', desired_version: 1, reboot_count: 0, reboot_hard: 0, deleting: 0, item_generation: 0, compiled_version: 0,
          observed_version: placed.placed ? 0 : 1, observed_generation: 0, observed_power: null, observed_reboot_count: 0,
          error: placed.placed ? null : explain(placed.explanation), error_at: placed.placed ? null : now, launched_at: null,
          locked: 0, locked_by: null, locked_reason: null,
          type, image_id: image.id, image: JSON.stringify(boot), flavor_id: flavor.id, flavor: JSON.stringify(copy),
          key_name: asked.key_name ?? null, public_key: key?.public_key ?? null, user_data: userData,
          config_drive: isSet(asked.config_drive ?? undefined) ? 1 : 0, disk_config: asked['OS-DCF:diskConfig'] ?? 'MANUAL',
          metadata: JSON.stringify(metadata), properties: JSON.stringify(guestProperties(image, flavor)), tags: JSON.stringify(tags), ports: JSON.stringify(ports),
          access_ipv4: asked.accessIPv4 ?? '', access_ipv6: asked.accessIPv6 ?? '', pinned_zone: where.zone,
          host_id: placed.placed ? placed.hostId : null, host_name: placed.placed ? placed.hostname : null, zone: placed.placed ? placed.zone : null,
          explanation: JSON.stringify(placed.explanation), group_id: groupId, reservation_id: reservationId, launch_index: index,
        });
      }
      const stored = await insertServers(tx, rows);
      for (const row of stored) {
        if (tags.length > 0) await tx.insertInto('server_tags').values(tags.map((tag) => ({ server_id: row.id, tag }))).execute();
        await recordAction(tx, ctx, row, 'create', row.host_id === null ? { done: true, message: 'Error' } : { done: false });
        await audit(tx, ctx, 'server', row.id);
      }
      await platform.work.enqueue(tx, 'server', stored.filter((row) => row.host_id !== null).map((row) => row.id));
      return stored;
    },
    { locks: [quotaLock(projectId)] },
  );
  return { servers, reservationId, adminPass: asked.adminPass ?? newPassword() };
}
