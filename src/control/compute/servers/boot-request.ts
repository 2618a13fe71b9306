// What a create asks for, checked before anything is read: each refusal names field, value and rule.
import ipaddr from 'ipaddr.js';
import { badRequest, forbidden } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import type { BootImage } from '../../image/index.ts';
import type { PortRequest, PortRequests } from '../../network/index.ts';
import type { PlacementExplanation } from '../../placement/index.ts';
import type { FlavorRow } from '../flavors/table.ts';
import { countOf } from '../links.ts';
import { readFiles, type InjectedFile } from './personality.ts';
import { readBootDisks, type BootDevice } from './boot-devices.ts';
import type { Hints } from './hints.ts';
import type { CreateBody } from './schema.ts';

export const GIB = 1024 ** 3;
type Asked = CreateBody['server'];

/** As Nova makes a host name of a display name. */
export function hostnameOf(name: string, id: string): string {
  const cleaned = name
    .replace(/[ _.]/g, '-')
    .replace(/[^\w-]+/g, '')
    .replace(/_/g, '-')
    .toLowerCase()
    .replace(/^-+/, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return cleaned === '' ? `server-${id}` : cleaned;
}

/** As RFC 5952 writes it; '' for none. */
export const canonicalIpv6 = (address: string | undefined): string =>
  address === undefined || address === '' ? '' : ipaddr.IPv6.parse(address).toRFC5952String();

export function checkHostname(hostname: string, minor: number): string {
  const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
  const rule = minor >= 94 ? new RegExp(`^${label}(?:\\.${label})*$`) : new RegExp(`^${label}$`);
  if (!rule.test(hostname))
    throw badRequest(
      `Invalid input for field/attribute hostname. Value: ${hostname}. It must be ${minor >= 94 ? 'a host name or a fully qualified domain name' : 'one label of letters, digits and dashes, at most 63 characters'}.`,
    );
  return hostname;
}

export function checkUserData(userData: string | null | undefined): string | null {
  if (userData === null || userData === undefined) return null;
  const compact = userData.replace(/[\r\n]/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact))
    throw badRequest(
      'Invalid input for field/attribute user_data. It must be base64, at most 65535 characters.',
    );
  return compact;
}

function portRequests(ctx: Ctx, networks: Asked['networks']): PortRequests {
  if (networks === undefined && ctx.microversion >= 37)
    throw badRequest(
      "Invalid input for field/attribute server. 'networks' is a required property from 2.37 on: a list, 'auto' or 'none'.",
    );
  if (networks === undefined || networks.length === 0) return 'auto';
  if (networks === 'auto') return 'allocate';
  if (networks === 'none') return networks;
  if (!Array.isArray(networks))
    throw badRequest("Invalid input for field/attribute networks. It must be a list, 'auto' or 'none'.");
  return networks.map((one): PortRequest => {
    if (one.port !== undefined && one.port !== null) {
      if (one.fixed_ip !== undefined)
        throw badRequest(
          `Specified Fixed IP '${one.fixed_ip}' cannot be used with port '${one.port}': the two cannot be specified together.`,
        );
      return { portId: one.port, tag: one.tag ?? null };
    }
    if (one.uuid === undefined)
      throw badRequest("Invalid input for field/attribute networks. Each entry must have 'uuid' or 'port'.");
    return { networkId: one.uuid, fixedIp: one.fixed_ip ?? null, tag: one.tag ?? null };
  });
}

/** 'zone', 'zone:host', 'zone::node'; naming a host is for operators. */
function parseZone(ctx: Ctx, asked: Asked): { zone: string | null; host: string | null } {
  const [zone = '', host = '', node = ''] = (asked.availability_zone ?? '').split(':');
  const named = asked.host ?? asked.hypervisor_hostname ?? (host !== '' ? host : node);
  if (named !== '' && !isAdmin(ctx.actor))
    throw forbidden(
      'Policy does not allow os_compute_api:servers:create:forced_host to be performed by this user.',
    );
  return { zone: zone === '' ? null : zone, host: named === '' ? null : named };
}

export function checkFits(flavor: Pick<FlavorRow, 'memory_mib' | 'disk_gib'>, image: BootImage): void {
  if (flavor.memory_mib < image.minRam)
    throw badRequest(
      `Flavor's memory is too small for requested image: the flavor has ${flavor.memory_mib} MiB, the image needs ${image.minRam} MiB.`,
    );
  if (flavor.disk_gib === 0) return; // the disk gets the image's own size
  if (flavor.disk_gib < image.minDisk)
    throw badRequest(
      `Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ${flavor.disk_gib * GIB} bytes, minimum size is ${image.minDisk * GIB} bytes.`,
    );
  if (image.virtualSize !== null && flavor.disk_gib * GIB < image.virtualSize)
    throw badRequest(
      `Flavor's disk is too small for requested image. Flavor disk is ${flavor.disk_gib * GIB} bytes, image is ${image.virtualSize} bytes.`,
    );
}

/** What of image and flavor reaches the guest driver: short, printable, and of a known family. */
export function guestProperties(
  image: Pick<BootImage, 'properties'>,
  extraSpecs: Record<string, string>,
): Record<string, string> {
  const fit = ([key, value]: [string, string]): boolean =>
    /^[a-z0-9_.:-]{1,100}$/.test(key) && value.length <= 255 && !/\p{Cc}/u.test(value);
  return Object.fromEntries([
    ...Object.entries(image.properties).filter((one) => /^(?:hw_|os_|strata:)/.test(one[0]) && fit(one)),
    ...Object.entries(extraSpecs).filter((one) => /^(?:hw:|quota:|strata:)/.test(one[0]) && fit(one)),
  ]);
}

export const typeOf = (image: Pick<BootImage, 'containerFormat' | 'properties'>): 'vm' | 'container' =>
  image.containerFormat === 'docker' || image.properties['strata:type'] === 'container' ? 'container' : 'vm';

/** Hosts whose reason the user of a server without a host reads. */
export const EXAMPLES_SHOWN = 5;

/** What the user of a server without a host reads. */
export function explain({ considered, refused, examples }: PlacementExplanation): string {
  const counts = Object.entries(refused)
    .filter(([, hosts]) => hosts > 0)
    .map(([filter, hosts]) => `${filter} ${hosts}`);
  return [
    'No valid host was found.',
    considered === 0
      ? 'There are no hosts in this cloud.'
      : `There are not enough hosts available: ${considered} considered${counts.length === 0 ? '' : `, refused by ${counts.join(', ')}`}.`,
    ...examples.slice(0, EXAMPLES_SHOWN).map((one) => `${one.host}: ${one.reason}.`),
  ].join(' ');
}

export type BootRequest = {
  /** null: it boots from one of the devices. */
  imageId: string | null;
  devices: readonly BootDevice[];
  /** Base64 without line breaks. */
  userData: string | null;
  ports: PortRequests;
  zone: string | null;
  host: string | null;
  min: number;
  max: number;
  groupId: string | null;
  hints: Hints | undefined;
  securityGroups: readonly string[] | null;
  tags: string[];
  metadata: Record<string, string>;
  files: InjectedFile[];
};

/** The versions in which the reference forgot that devices can have tags. */
function refuseForgottenTags({ networks, block_device_mapping_v2: disks }: Asked, minor: number): void {
  const tagged = (list: unknown): boolean =>
    Array.isArray(list) && list.some((one: { tag?: string }) => one.tag !== undefined);
  if ((minor > 36 && minor < 42 && tagged(networks)) || (minor > 32 && minor < 42 && tagged(disks)))
    throw badRequest(
      `Invalid input for field/attribute tag. Microversion 2.${minor} does not know tags of devices; ask with 2.32, or with 2.42 and later.`,
    );
}

export function readBootRequest(ctx: Ctx, body: CreateBody): BootRequest {
  const asked = body.server;
  refuseForgottenTags(asked, ctx.microversion);
  const ports = portRequests(ctx, asked.networks);
  const min = asked.min_count === undefined ? 1 : countOf(asked.min_count, 'min_count', 1, 1000);
  const max = asked.max_count === undefined ? min : countOf(asked.max_count, 'max_count', 1, 1000);
  if (min > max) throw badRequest(`min_count must be <= max_count; they are ${min} and ${max}.`);
  if (max > 1 && Array.isArray(ports) && ports.some((one) => 'portId' in one || one.fixedIp !== null))
    throw badRequest(
      'Unable to launch multiple instances with a single configured port ID or fixed IP. Please launch your instances one by one.',
    );
  if (asked.hostname !== undefined) checkHostname(asked.hostname, ctx.microversion);
  const hinted = body['os:scheduler_hints'] ?? body['OS-SCH-HNT:scheduler_hints'];
  return {
    ...readBootDisks(asked, max),
    userData: checkUserData(asked.user_data),
    ports,
    ...parseZone(ctx, asked),
    min,
    max,
    groupId: hinted?.group ?? null,
    hints: hinted,
    securityGroups: asked.security_groups?.map((one) => one.name) ?? null,
    tags: [...(asked.tags ?? [])].sort(),
    metadata: asked.metadata ?? {},
    files: readFiles(asked.personality),
  };
}
