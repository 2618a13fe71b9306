// What the metadata service answers: path and guest in, response out. The OpenStack tree follows Nova's
// (https://docs.openstack.org/nova/latest/user/metadata.html), the EC2 tree its EC2 2009-04-04 compatibility.
import type { NetworkBody, PortBody, ServerBody } from '../../../../protocol/items.ts';
import type { ConfigFile } from '../../guest/config-drive.ts';
import { netmask } from './addresses.ts';
import { guestConfig } from './guest-config.ts';

export type MetadataGuest = {
  serverId: string;
  body: ServerBody;
  /** In the order of the guest's interfaces. */
  ports: { portId: string; port: PortBody; network: NetworkBody }[];
  /** Base64. */
  randomSeed: string;
};

export type MetadataResponse = { status: number; contentType: string; content: string | Buffer };

const ec2Versions = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
];
const openstackVersions = [
  '2012-08-10',
  '2013-04-04',
  '2013-10-17',
  '2015-10-15',
  '2016-06-30',
  '2016-10-06',
  '2017-02-22',
  '2018-08-27',
  '2020-10-14',
];
/** Nova's dhcp_domain default. */
const domain = 'novalocal';

const text = (content: string): MetadataResponse => ({
  status: 200,
  contentType: 'text/plain; charset=utf-8',
  content,
});
const json = (value: unknown): MetadataResponse => ({
  status: 200,
  contentType: 'application/json',
  content: JSON.stringify(value),
});
export const notFound: MetadataResponse = {
  status: 404,
  contentType: 'text/plain; charset=utf-8',
  content: '404 Not Found\n',
};

const withoutLength = (cidr: string): string => cidr.split('/')[0] ?? cidr;

function networkData(guest: MetadataGuest): unknown {
  const services = new Map<string, { type: 'dns'; address: string }>();
  const links: unknown[] = [];
  const networks: unknown[] = [];
  for (const { portId, port, network } of guest.ports) {
    const link = `tap${portId.slice(0, 11)}`;
    links.push({
      id: link,
      vif_id: portId,
      type: 'bridge',
      mtu: network.mtu,
      ethernet_mac_address: port.mac,
    });
    for (const fixed of port.fixedIps) {
      const subnet = network.subnets.find(({ id }) => id === fixed.subnetId);
      if (subnet === undefined) continue;
      const config = guestConfig(portId, { ...port, fixedIps: [fixed] }, network);
      const dns = config.dns.map((address) => ({ type: 'dns' as const, address }));
      for (const service of dns) services.set(service.address, service);
      const base = { id: `network${networks.length}`, link, network_id: port.networkId };
      const length = Number(config.addresses[0]?.split('/')[1] ?? 0);
      const routes = config.routes.map(({ destination, via }) => ({
        network: withoutLength(destination),
        netmask:
          subnet.ipVersion === 4 ? netmask(Number(destination.split('/')[1])) : destination.split('/')[1],
        gateway: via,
      }));
      const type =
        subnet.ipv6AddressMode === undefined ? `ipv${subnet.ipVersion}` : `ipv6_${subnet.ipv6AddressMode}`;
      if (subnet.ipVersion === 4 && subnet.enableDhcp) networks.push({ ...base, type: 'ipv4_dhcp' });
      else
        networks.push({
          ...base,
          type,
          ip_address: fixed.ipAddress,
          netmask: subnet.ipVersion === 4 ? netmask(length) : `${length}`,
          routes,
          services: dns,
        });
    }
  }
  return { links, networks, services: [...services.values()] };
}

/** Where a guest finds what its user has tagged: interfaces by MAC, disks by serial number. */
const taggedDevices = ({ type, ports, volumes }: ServerBody): unknown[] => {
  const bus = type === 'vm' ? 'pci' : 'none';
  return [
    ...ports.flatMap(({ mac, tag }) => (tag === undefined ? [] : [{ type: 'nic', bus, mac, tags: [tag] }])),
    ...volumes.flatMap(({ volumeId, device, tag }) =>
      tag === undefined ? [] : [{ type: 'disk', bus, serial: volumeId, path: device, tags: [tag] }],
    ),
  ];
};

function openstackData(guest: MetadataGuest): unknown {
  const { body, serverId } = guest;
  const { metadata } = body;
  return {
    uuid: serverId,
    ...(Object.keys(metadata.meta).length === 0 ? {} : { meta: metadata.meta }),
    ...(metadata.keys.length === 0
      ? {}
      : {
          public_keys: Object.fromEntries(metadata.keys.map(({ name, data }) => [name, data])),
          keys: metadata.keys,
        }),
    hostname: `${body.hostname}.${domain}`,
    name: body.name,
    launch_index: 0,
    availability_zone: metadata.availabilityZone,
    random_seed: guest.randomSeed,
    project_id: body.projectId,
    devices: taggedDevices(body),
    dedicated_cpus: [],
  };
}

/** EC2 ids are short: `prefix-` and the first eight hexadecimal digits of the uuid. */
const ec2Id = (kind: string, uuid: string): string =>
  `${kind}-${uuid
    .replace(/[^0-9a-f]/g, '')
    .padEnd(8, '0')
    .slice(0, 8)}`;

type Tree = { [name: string]: string | Tree };

function ec2Tree(guest: MetadataGuest): Tree {
  const { body, serverId } = guest;
  const ipv4 =
    guest.ports.flatMap(({ port }) => port.fixedIps).find(({ ipAddress }) => !ipAddress.includes(':'))
      ?.ipAddress ?? '';
  const keys: Tree = {};
  body.metadata.keys.forEach(({ name, data }, index) => {
    keys[`${index}`] = { _name: `${index}=${name}`, 'openssh-key': data };
  });
  const hostname = `${body.hostname}.${domain}`;
  return {
    'ami-id': ec2Id('ami', body.image?.id ?? ''),
    'ami-launch-index': '0',
    'block-device-mapping': { ami: 'vda', root: '/dev/vda' },
    hostname,
    'instance-action': 'none',
    'instance-id': ec2Id('i', serverId),
    'local-hostname': hostname,
    'local-ipv4': ipv4,
    placement: { 'availability-zone': body.metadata.availabilityZone },
    'public-hostname': hostname,
    'public-ipv4': '',
    ...(body.metadata.keys.length === 0 ? {} : { 'public-keys': keys }),
    'reservation-id': ec2Id('r', serverId),
  };
}

/** A directory lists its entries, one a line; directories among them end in a slash, keys show their names. */
const listing = (tree: Tree): string =>
  Object.entries(tree)
    .filter(([name]) => name !== '_name')
    .map(([name, value]) =>
      typeof value === 'string' ? name : typeof value['_name'] === 'string' ? value['_name'] : `${name}/`,
    )
    .sort()
    .join('\n');

function inTree(tree: Tree, path: string[]): MetadataResponse {
  let node: string | Tree = tree;
  for (const part of path) {
    const next: string | Tree | undefined =
      typeof node === 'string' || part === '_name' || !Object.hasOwn(node, part) ? undefined : node[part];
    if (next === undefined) return notFound;
    node = next;
  }
  return text(typeof node === 'string' ? node : listing(node));
}

function userData(guest: MetadataGuest): MetadataResponse {
  const encoded = guest.body.metadata.userData;
  return encoded === null
    ? notFound
    : { status: 200, contentType: 'application/octet-stream', content: Buffer.from(encoded, 'base64') };
}

function openstack(guest: MetadataGuest, [version, name, ...rest]: string[]): MetadataResponse {
  if (version === undefined) return text([...openstackVersions, 'latest'].join('\n'));
  if (rest.length > 0 || (version !== 'latest' && !openstackVersions.includes(version))) return notFound;
  const reached = (since: string): boolean => version === 'latest' || version >= since;
  const entries: Record<string, { since: string; answer: () => MetadataResponse }> = {
    'meta_data.json': { since: '2012-08-10', answer: () => json(openstackData(guest)) },
    user_data: { since: '2012-08-10', answer: () => userData(guest) },
    password: { since: '2013-04-04', answer: () => text('') },
    'vendor_data.json': { since: '2013-10-17', answer: () => json({}) },
    'network_data.json': { since: '2015-10-15', answer: () => json(networkData(guest)) },
    'vendor_data2.json': { since: '2016-10-06', answer: () => json({}) },
  };
  const visible = Object.entries(entries).filter(
    ([entry, { since }]) =>
      reached(since) && (entry !== 'user_data' || guest.body.metadata.userData !== null),
  );
  if (name === undefined) return text(visible.map(([entry]) => entry).join('\n'));
  return visible.find(([entry]) => entry === name)?.[1].answer() ?? notFound;
}

/** Characters of a sealed password; Nova's limit. */
const MAX_PASSWORD = 1020;

/** Whether a guest tells its sealed password there. */
export const isPasswordPath = (path: string): boolean => {
  const [tree, version = '', name, ...rest] = path.split('/').filter((part) => part !== '');
  const known = version === 'latest' || (openstackVersions.includes(version) && version >= '2013-04-04');
  return tree === 'openstack' && known && name === 'password' && rest.length === 0;
};

const plain = (status: number, content: string): MetadataResponse => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  content,
});
/** The answer to a guest that tells its sealed password; `keep`: false, it has one already. */
export async function passwordResponse(
  content: string,
  keep: (sealed: string) => Promise<boolean>,
): Promise<MetadataResponse> {
  const sealed = content.trim();
  if (sealed.length > MAX_PASSWORD) return plain(400, 'Request is too large.\n');
  if (!/^[A-Za-z0-9+/=\s]+$/.test(sealed)) return plain(400, 'A sealed password is base64.\n');
  return (await keep(sealed)) ? plain(200, '') : plain(409, '');
}

/** The answer to GET `path` (without a query) for one guest. */
export function metadataResponse(path: string, guest: MetadataGuest): MetadataResponse {
  const parts = path.split('/').filter((part) => part !== '');
  const [version, section, ...rest] = parts;
  if (version === undefined) return text([...ec2Versions, 'latest'].join('\n'));
  if (version === 'openstack') return openstack(guest, parts.slice(1));
  if (version !== 'latest' && !ec2Versions.includes(version)) return notFound;
  const names = ['meta-data/', ...(guest.body.metadata.userData === null ? [] : ['user-data'])];
  if (section === undefined) return text(names.join('\n'));
  if (section === 'meta-data') return inTree(ec2Tree(guest), rest);
  return section === 'user-data' && rest.length === 0 ? userData(guest) : notFound;
}

/** Everything that the service would answer, as the files of a config drive; and the files that its user sent along. */
export function configDriveFiles(guest: MetadataGuest): ConfigFile[] {
  const files = guest.body.files ?? [];
  const found: ConfigFile[] = [];
  const add = (path: string, content: string | Buffer): void =>
    void found.push({ path, content: Buffer.from(content) });
  for (const version of [...openstackVersions, 'latest'])
    for (const name of [
      'meta_data.json',
      'user_data',
      'vendor_data.json',
      'network_data.json',
      'vendor_data2.json',
    ]) {
      const { status, content } = openstack(guest, [version, name]);
      if (status !== 200) continue;
      if (name !== 'meta_data.json' || files.length === 0) add(`openstack/${version}/${name}`, content);
      else
        add(
          `openstack/${version}/${name}`,
          JSON.stringify({
            ...(JSON.parse(String(content)) as object),
            files: files.map(({ path }, at) => ({ path, content_path: contentPath(at) })),
          }),
        );
    }
  files.forEach(({ contents }, at) => add(`openstack${contentPath(at)}`, Buffer.from(contents, 'base64')));
  for (const version of ['2009-04-04', 'latest']) {
    add(`ec2/${version}/meta-data.json`, JSON.stringify(ec2Tree(guest)));
    const data = userData(guest);
    if (data.status === 200) add(`ec2/${version}/user-data`, data.content);
  }
  return found;
}

const contentPath = (at: number): string => `/content/${String(at).padStart(4, '0')}`;
