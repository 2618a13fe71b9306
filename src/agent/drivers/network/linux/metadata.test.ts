// What a guest reads from the metadata service, as EC2 and Nova write it.
import { expect, test } from 'vitest';
import type { ServerBody } from '../../../../protocol/items.ts';
import { networkBody, portBody, subnetBody } from '../conformance.ts';
import {
  configDriveFiles,
  isPasswordPath,
  metadataResponse,
  passwordResponse,
  type MetadataGuest,
} from './metadata.ts';

const body: ServerBody = {
  type: 'vm',
  name: 'Web server',
  hostname: 'web-server',
  projectId: 'project-1',
  userId: 'user-1',
  vcpus: 1,
  memoryMib: 64,
  rootGib: 0,
  image: {
    id: '70a599e0-31e7-49b7-b260-868f441e862b',
    diskFormat: 'qcow2',
    containerFormat: 'bare',
    hash: '0'.repeat(128),
    size: 1,
  },
  volumes: [],
  ports: [{ portId: 'port-1', mac: portBody(1).mac }],
  power: 'running',
  rebootCount: 0,
  rebootHard: false,
  rebuildCount: 0,
  resizeCount: 0,
  original: 'drop',
  properties: {},
  metadata: {
    availabilityZone: 'nova',
    meta: { role: 'web' },
    keys: [{ name: 'mine', type: 'ssh', data: 'ssh-ed25519 AAAA me' }],
    userData: Buffer.from([0x1f, 0x8b, 0x00, 0xff]).toString('base64'),
    createdAt: 0,
  },
};
const guest: MetadataGuest = {
  serverId: '8f2b1c3d-0000-4000-8000-000000000001',
  body,
  ports: [{ portId: '0123456789abcdef', port: portBody(1), network: networkBody() }],
  randomSeed: 'c2VlZA==',
};
const get = (path: string, of = guest): string => {
  const { status, content } = metadataResponse(path, of);
  return status === 200 ? content.toString() : `${status}`;
};

test('the EC2 tree lists itself and answers its leaves, with and without a slash at the end', () => {
  expect(get('/').split('\n').slice(-2)).toEqual(['2009-04-04', 'latest']);
  expect(get('/latest')).toBe('meta-data/\nuser-data');
  expect(get('/latest/meta-data/').split('\n')).toEqual(
    expect.arrayContaining(['instance-id', 'placement/', 'public-keys/', 'local-ipv4']),
  );
  expect(get('/latest/meta-data/public-keys/')).toBe('0=mine');
  expect(get('/latest/meta-data/public-keys/0/')).toBe('openssh-key');
  expect(get('/2009-04-04/meta-data/public-keys/0/openssh-key')).toBe('ssh-ed25519 AAAA me');
  expect(get('/latest/meta-data/placement/availability-zone')).toBe('nova');
  expect(get('/latest/meta-data/instance-id')).toBe('i-8f2b1c3d');
  expect(get('/latest/meta-data/local-ipv4')).toBe('10.20.0.11');
  expect(get('/latest/meta-data/hostname')).toBe('web-server.novalocal');
});

test('the OpenStack tree lists its versions, and each version only what it had', () => {
  expect(get('/openstack').split('\n').at(-1)).toBe('latest');
  expect(get('/openstack/2012-08-10/')).toBe('meta_data.json\nuser_data');
  expect(get('/openstack/2012-08-10/network_data.json')).toBe('404');
  expect(JSON.parse(get('/openstack/latest/meta_data.json'))).toMatchObject({
    uuid: guest.serverId,
    name: 'Web server',
    hostname: 'web-server.novalocal',
    project_id: 'project-1',
    public_keys: { mine: 'ssh-ed25519 AAAA me' },
    keys: [{ name: 'mine', type: 'ssh', data: 'ssh-ed25519 AAAA me' }],
    meta: { role: 'web' },
    launch_index: 0,
    random_seed: 'c2VlZA==',
  });
  expect(JSON.parse(get('/openstack/latest/vendor_data.json'))).toEqual({});
});

test('network data describes links, DHCP and static addresses', () => {
  const still = networkBody({ subnets: [subnetBody({ enableDhcp: false })] });
  const fixed = { ...guest, ports: [{ portId: '0123456789abcdef', port: portBody(1), network: still }] };
  expect(JSON.parse(get('/openstack/latest/network_data.json'))).toEqual({
    links: [
      {
        id: 'tap0123456789a',
        vif_id: '0123456789abcdef',
        type: 'bridge',
        mtu: 1450,
        ethernet_mac_address: portBody(1).mac,
      },
    ],
    networks: [{ id: 'network0', type: 'ipv4_dhcp', link: 'tap0123456789a', network_id: 'network-1' }],
    services: [{ type: 'dns', address: '192.0.2.53' }],
  });
  expect(JSON.parse(get('/openstack/latest/network_data.json', fixed)).networks[0]).toMatchObject({
    type: 'ipv4',
    ip_address: '10.20.0.11',
    netmask: '255.255.255.0',
    routes: expect.arrayContaining([{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.20.0.1' }]),
  });
});

test('user data comes out byte for byte, and is not there when none was given', () => {
  expect(metadataResponse('/openstack/latest/user_data', guest).content).toEqual(
    Buffer.from([0x1f, 0x8b, 0x00, 0xff]),
  );
  const without = { ...guest, body: { ...body, metadata: { ...body.metadata, userData: null } } };
  expect([get('/latest/user-data', without), get('/openstack/latest/user_data', without)]).toEqual([
    '404',
    '404',
  ]);
  expect(get('/latest', without)).toBe('meta-data/');
});

test('paths that lead nowhere, or out of the tree, are 404', () => {
  for (const path of [
    '/nowhere',
    '/latest/meta-data/nothing',
    '/latest/meta-data/__proto__',
    '/latest/meta-data/constructor',
    '/latest/meta-data/public-keys/1',
    '/latest/meta-data/public-keys/0/_name',
    '/openstack/latest/../user_data',
    '/openstack/2001-01-01/meta_data.json',
    '/latest/meta-data/hostname/x',
    '/latest/user-data/x',
  ])
    expect(get(path), path).toBe('404');
});

test('a guest tells its sealed password once, where cloud-init and cloudbase-init tell it', async () => {
  expect(isPasswordPath('/openstack/latest/password')).toBe(true);
  expect(isPasswordPath('/openstack/2013-04-04/password/')).toBe(true);
  for (const path of [
    '/openstack/2012-08-10/password',
    '/openstack/latest/user_data',
    '/latest/password',
    '/',
  ])
    expect(isPasswordPath(path)).toBe(false);
  const kept: string[] = [];
  const keep = async (sealed: string): Promise<boolean> => {
    kept.push(sealed);
    return kept.length === 1;
  };
  expect((await passwordResponse('c2VhbGVk\n', keep)).status).toBe(200);
  expect((await passwordResponse('c2VhbGVk', keep)).status).toBe(409);
  for (const bad of ['', '<script>', 'a'.repeat(1021), 'a\0b'])
    expect((await passwordResponse(bad, keep)).status).toBe(400);
  expect(kept).toEqual(['c2VhbGVk', 'c2VhbGVk']);
});

test('a config drive says what the service says, and has the files that were sent along', () => {
  const files = [{ path: '/etc/motd', contents: Buffer.from('hello').toString('base64') }];
  const found = new Map(
    configDriveFiles({ ...guest, body: { ...body, files } }).map((one) => [one.path, one.content]),
  );
  const text = (path: string): string => found.get(path)?.toString() ?? 'none';
  expect(text('openstack/latest/network_data.json')).toBe(get('/openstack/latest/network_data.json'));
  expect(found.get('openstack/latest/user_data')).toEqual(Buffer.from([0x1f, 0x8b, 0x00, 0xff]));
  expect(JSON.parse(text('openstack/latest/meta_data.json'))).toEqual({
    ...(JSON.parse(get('/openstack/latest/meta_data.json')) as object),
    files: [{ path: '/etc/motd', content_path: '/content/0000' }],
  });
  expect(text('openstack/content/0000')).toBe('hello');
  expect(JSON.parse(text('ec2/latest/meta-data.json'))).toMatchObject({ 'instance-id': 'i-8f2b1c3d' });
  for (const path of found.keys()) expect(path).toMatch(/^[a-z0-9][a-z0-9._/-]*$/);
});

test('what is tagged is found under devices, by MAC or serial number; the rest is not listed', () => {
  const tagged: ServerBody = {
    ...body,
    ports: [...body.ports, { portId: 'port-2', mac: 'fa:16:3e:00:00:02', tag: 'back' }],
    volumes: [
      { volumeId: 'volume-1', device: '/dev/vdb', readOnly: false, boot: false, tag: 'data' },
      { volumeId: 'volume-2', device: '/dev/vdc', readOnly: false, boot: false },
    ],
  };
  const { devices } = JSON.parse(get('/openstack/latest/meta_data.json', { ...guest, body: tagged })) as {
    devices: unknown;
  };
  expect(devices).toEqual([
    { type: 'nic', bus: 'pci', mac: 'fa:16:3e:00:00:02', tags: ['back'] },
    { type: 'disk', bus: 'pci', serial: 'volume-1', path: '/dev/vdb', tags: ['data'] },
  ]);
});
