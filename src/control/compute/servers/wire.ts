// Servers as Nova's JSON, exact per microversion; what was encoded once is kept, so that lists join strings.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { ServerPort } from '../../network/index.ts';
import type { ServerAttachment } from '../../volume/index.ts';
import { bookmarkOf, linksOf } from '../links.ts';
import { resizeFactsOf } from './phases.ts';
import { stateOf } from './status.ts';
import type { FlavorCopy, ServerRow } from './table.ts';

/** Microversions at which the representation of a server changes. */
const steps = [1, 3, 9, 16, 19, 26, 47, 63, 69, 71, 73, 75, 90, 96] as const;
const stepOf = (minor: number): number => steps.findLast((step) => step <= minor) ?? 1;

const usec = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString().replace(/Z$/, '000');

/** The same for all servers of a project on a host, and telling nothing about the host. */
export const hostIdOf = (row: Pick<ServerRow, 'project_id' | 'host_name'>): string =>
  row.host_name === null
    ? ''
    : createHash('sha224')
        .update(row.project_id + row.host_name)
        .digest('hex');

type Address = {
  version: 4 | 6;
  addr: string;
  'OS-EXT-IPS:type': 'fixed' | 'floating';
  'OS-EXT-IPS-MAC:mac_addr': string;
};
/** Network name -> addresses, fixed before floating. */
export function addressesOf(ports: readonly ServerPort[]): Record<string, Address[]> {
  const out: Record<string, Address[]> = Object.create(null) as Record<string, Address[]>;
  const add = (port: ServerPort, version: 4 | 6, addr: string, type: 'fixed' | 'floating'): void => {
    (out[port.networkName] ??= []).push({
      version,
      addr,
      'OS-EXT-IPS:type': type,
      'OS-EXT-IPS-MAC:mac_addr': port.mac,
    });
  };
  for (const port of ports) for (const ip of port.fixedIps) add(port, ip.version, ip.ipAddress, 'fixed');
  for (const port of ports)
    for (const ip of port.fixedIps) if (ip.floatingIp !== null) add(port, 4, ip.floatingIp, 'floating');
  return out;
}
export type BriefAddresses = Record<string, { version: 4 | 6; addr: string }[]>;
export const briefAddressesOf = (ports: readonly ServerPort[]): BriefAddresses =>
  Object.fromEntries(
    Object.entries(addressesOf(ports)).map(([network, list]) => [
      network,
      list.map(({ version, addr }) => ({ version, addr })),
    ]),
  );
export const portsOf = (row: Pick<ServerRow, 'ports'>): ServerPort[] => JSON.parse(row.ports) as ServerPort[];
export const groupNames = (ports: readonly ServerPort[]): { name: string }[] =>
  [...new Set(ports.flatMap((port) => port.securityGroups.map((group) => group.name)))].map((name) => ({
    name,
  }));

const flavorView = (row: ServerRow, publicUrl: string, minor: number): object => {
  // As Nova: the new flavor shows once the host has resized the server.
  const old = row.phase === 'resizing' ? resizeFactsOf(row) : null;
  const id = old?.flavorId ?? row.flavor_id;
  if (minor < 47) return { id, links: bookmarkOf(publicUrl, 'flavors', id) };
  const copy = old?.flavor ?? (JSON.parse(row.flavor) as FlavorCopy);
  return {
    vcpus: copy.vcpus,
    ram: copy.memoryMib,
    disk: copy.diskGib,
    ephemeral: copy.ephemeralGib,
    swap: copy.swapMib,
    original_name: copy.name,
    extra_specs: copy.extraSpecs,
  };
};

export type View = { publicUrl: string; minor: number; admin: boolean };

/** What PUT answers before 2.75, and the core of every representation. */
function coreView(row: ServerRow, { publicUrl, minor }: View): Record<string, unknown> {
  const { status } = stateOf(row);
  return {
    id: row.id,
    name: row.name,
    status,
    tenant_id: row.project_id,
    user_id: row.user_id,
    metadata: JSON.parse(row.metadata) as unknown,
    hostId: hostIdOf(row),
    // As in Nova: a server that boots from a volume shows an empty string.
    image:
      row.image_id === '' ? '' : { id: row.image_id, links: bookmarkOf(publicUrl, 'images', row.image_id) },
    flavor: flavorView(row, publicUrl, minor),
    created: isoSeconds(row.created_at),
    updated: isoSeconds(row.updated_at),
    addresses: addressesOf(portsOf(row)),
    accessIPv4: row.access_ipv4,
    accessIPv6: row.access_ipv6,
    links: linksOf(publicUrl, 'servers', row.id),
    'OS-DCF:diskConfig': row.disk_config,
    ...(status === 'ERROR' && row.error !== null
      ? { fault: { code: 500, created: isoSeconds(row.error_at ?? row.updated_at), message: row.error } }
      : {}),
    ...(status === 'ACTIVE' || status === 'BUILD' ? { progress: 0 } : {}),
    ...(minor >= 9 ? { locked: row.locked === 1 } : {}),
    ...(minor >= 19 ? { description: row.description } : {}),
    ...(minor >= 26 ? { tags: JSON.parse(row.tags) as unknown } : {}),
    ...(minor >= 63 ? { trusted_image_certificates: null } : {}),
    ...(minor >= 73 ? { locked_reason: row.locked_reason } : {}),
  };
}

export function serverView(row: ServerRow, view: View): Record<string, unknown> {
  const { minor, admin } = view;
  const state = stateOf(row);
  const groups = groupNames(portsOf(row));
  return {
    ...coreView(row, view),
    config_drive: row.config_drive === 1 ? 'True' : '',
    key_name: row.key_name,
    ...(groups.length > 0 ? { security_groups: groups } : {}),
    'OS-EXT-AZ:availability_zone': row.zone ?? '',
    'OS-EXT-STS:task_state': state.taskState,
    'OS-EXT-STS:vm_state': state.vmState,
    'OS-EXT-STS:power_state': state.powerState,
    'OS-SRV-USG:launched_at': usec(row.launched_at),
    'OS-SRV-USG:terminated_at': null,
    'os-extended-volumes:volumes_attached': (JSON.parse(row.volumes) as ServerAttachment[]).map((one) => ({
      id: one.volumeId,
      ...(minor >= 3 ? { delete_on_termination: one.deleteOnTermination } : {}),
    })),
    ...(minor >= 96 ? { pinned_availability_zone: row.pinned_zone } : {}),
    ...(admin
      ? {
          'OS-EXT-SRV-ATTR:host': row.host_name,
          'OS-EXT-SRV-ATTR:hypervisor_hostname': row.host_name,
          'OS-EXT-SRV-ATTR:instance_name': row.id,
        }
      : {}),
    ...(admin && minor >= 3
      ? {
          'OS-EXT-SRV-ATTR:reservation_id': row.reservation_id,
          'OS-EXT-SRV-ATTR:launch_index': row.launch_index,
          'OS-EXT-SRV-ATTR:kernel_id': '',
          'OS-EXT-SRV-ATTR:ramdisk_id': '',
          'OS-EXT-SRV-ATTR:root_device_name': row.type === 'vm' ? '/dev/vda' : null,
          'OS-EXT-SRV-ATTR:user_data': row.user_data,
        }
      : {}),
    ...((admin && minor >= 3) || minor >= 90 ? { 'OS-EXT-SRV-ATTR:hostname': row.hostname } : {}),
  };
}

/** What PUT answers: before 2.75 without the extended attributes. */
export const updatedView = (row: ServerRow, view: View): Record<string, unknown> => {
  if (view.minor >= 75) return serverView(row, view);
  const addresses = briefAddressesOf(portsOf(row));
  return {
    ...coreView(row, view),
    addresses,
    ...(view.minor >= 71 ? { server_groups: row.group_id === null ? [] : [row.group_id] } : {}),
  };
};

export const briefView = (row: Pick<ServerRow, 'id' | 'name'>, publicUrl: string): object => ({
  id: row.id,
  name: row.name,
  links: linksOf(publicUrl, 'servers', row.id),
});

/** Encoded servers by (id, revision, representation) as UTF-8, at most 24 MiB. */
export type ServerEncoder = {
  /** What was encoded of this revision; undefined: nothing. */
  cached(id: string, revision: number, view: View): Buffer | undefined;
  /** The JSON object of a server; callers append by `withFields` what changes without the row. */
  encode(row: ServerRow, view: View): Buffer;
};

export function createServerEncoder(): ServerEncoder {
  const encoded = new LRUCache<string, Buffer>({
    max: 50_000,
    maxSize: 24 * 1024 * 1024,
    sizeCalculation: (text) => text.length,
  });
  const keyOf = (id: string, revision: number, view: View): string =>
    `${id}.${revision}.${stepOf(view.minor)}${view.admin ? 'a' : ''}`;
  return {
    cached: (id, revision, view) => encoded.get(keyOf(id, revision, view)),
    encode(row, view) {
      const key = keyOf(row.id, row.revision, view);
      let text = encoded.get(key);
      if (text === undefined) {
        text = Buffer.from(JSON.stringify(serverView(row, view)));
        encoded.set(key, text);
      }
      return text;
    },
  };
}

export const withFields = (text: Buffer, fields: Record<string, unknown>): Buffer =>
  Buffer.concat([text.subarray(0, -1), Buffer.from(`,${JSON.stringify(fields).slice(1)}`)]);

const COMMA = Buffer.from(',');
/** head, the objects with commas between them, tail: bytes are copied, never encoded again. */
export const joinObjects = (head: string, objects: readonly Buffer[], tail: string): Buffer =>
  Buffer.concat([
    Buffer.from(head),
    ...objects.flatMap((one, at) => (at === 0 ? [one] : [COMMA, one])),
    Buffer.from(tail),
  ]);
