// The JSON of a server per microversion, against the keys of the reference's API samples.
import { expect, test } from 'vitest';
import type { ServerPort } from '../../network/index.ts';
import type { ServerRow } from './table.ts';
import { addressesOf, createServerEncoder, serverView, updatedView, withFields } from './wire.ts';

const port: ServerPort = {
  portId: 'port',
  mac: '00:0c:29:0d:11:74',
  networkId: 'net',
  networkName: 'private',
  fixedIps: [{ subnetId: 's', ipAddress: '192.168.1.30', version: 4, floatingIp: '192.0.2.7' }],
  securityGroups: [{ id: 'sg', name: 'default' }],
};
const row: ServerRow = {
  id: '0e44cc9c',
  project_id: 'p',
  user_id: 'u',
  name: 'new-server-test',
  hostname: 'new-server-test',
  description: null,
  created_at: 1_378_180_892_000,
  updated_at: 1_378_180_893_000,
  revision: 3,
  power: 'running',
  desired_version: 1,
  reboot_count: 0,
  reboot_hard: 0,
  rebuild_count: 0,
  observed_rebuild_count: 0,
  rescue: null,
  observed_rescued: 0,
  files: '[]',
  resize_count: 0,
  observed_resize_count: 0,
  phase: null,
  phase_facts: null,
  root_image_id: null,
  imaging: 0,
  deleting: 0,
  item_generation: 1,
  compiled_version: 1,
  observed_version: 1,
  observed_generation: 1,
  observed_power: 'running',
  observed_reboot_count: 0,
  observed_restarts: 0,
  error: null,
  error_at: null,
  launched_at: 1_379_943_420_880,
  status: 'ACTIVE',
  vm_state: 'active',
  locked: 1,
  locked_by: 'owner',
  locked_reason: 'why',
  type: 'vm',
  image_id: 'i',
  image: '{}',
  flavor_id: '1',
  flavor:
    '{"name":"m1.tiny","vcpus":1,"memoryMib":512,"diskGib":1,"ephemeralGib":0,"swapMib":0,"extraSpecs":{}}',
  key_name: null,
  public_key: null,
  user_data: 'aGk=',
  config_drive: 0,
  disk_config: 'AUTO',
  metadata: '{"a":"b"}',
  properties: '{}',
  tags: '["t"]',
  volumes: '[]',
  ports: JSON.stringify([port]),
  access_ipv4: '1.2.3.4',
  access_ipv6: '80fe::',
  pinned_zone: 'us-west',
  host_id: 'h',
  host_name: 'node-1',
  zone: 'us-west',
  explanation: '{}',
  group_id: 'g',
  reservation_id: 'r-1',
  launch_index: 0,
};
const view = (minor: number, admin = false) => ({ publicUrl: 'http://c', minor, admin });

const base = [
  'OS-DCF:diskConfig',
  'OS-EXT-AZ:availability_zone',
  'OS-EXT-STS:power_state',
  'OS-EXT-STS:task_state',
  'OS-EXT-STS:vm_state',
  'OS-SRV-USG:launched_at',
  'OS-SRV-USG:terminated_at',
  'accessIPv4',
  'accessIPv6',
  'addresses',
  'config_drive',
  'created',
  'flavor',
  'hostId',
  'id',
  'image',
  'key_name',
  'links',
  'metadata',
  'name',
  'os-extended-volumes:volumes_attached',
  'progress',
  'security_groups',
  'status',
  'tenant_id',
  'updated',
  'user_id',
];
const added: [number, string[]][] = [
  [1, []],
  [9, ['locked']],
  [19, ['description']],
  [26, ['tags']],
  [63, ['trusted_image_certificates']],
  [73, ['locked_reason']],
  [90, ['OS-EXT-SRV-ATTR:hostname']],
  [96, ['pinned_availability_zone']],
];

test('each microversion has exactly the keys that the reference lists for it', () => {
  const keys = [...base];
  for (const [minor, more] of added) {
    keys.push(...more);
    expect([minor, Object.keys(serverView(row, view(minor))).sort()]).toEqual([minor, [...keys].sort()]);
  }
});

test('operators see the host, and from 2.3 on the rest of the extended attributes', () => {
  const attributes = (minor: number) =>
    Object.keys(serverView(row, view(minor, true)))
      .filter((key) => key.startsWith('OS-EXT-SRV-ATTR:'))
      .map((key) => key.slice(16))
      .sort();
  expect(attributes(1)).toEqual(['host', 'hypervisor_hostname', 'instance_name']);
  expect(attributes(3)).toEqual([
    'host',
    'hostname',
    'hypervisor_hostname',
    'instance_name',
    'kernel_id',
    'launch_index',
    'ramdisk_id',
    'reservation_id',
    'root_device_name',
    'user_data',
  ]);
});

test('values have the forms of the reference', () => {
  const shown = serverView(row, view(96));
  expect(shown).toMatchObject({
    created: '2013-09-03T04:01:32Z',
    'OS-SRV-USG:launched_at': '2013-09-23T13:37:00.880000',
    status: 'ACTIVE',
    config_drive: '',
    tags: ['t'],
    locked: true,
    flavor: { disk: 1, ephemeral: 0, extra_specs: {}, original_name: 'm1.tiny', ram: 512, swap: 0, vcpus: 1 },
    image: { id: 'i', links: [{ rel: 'bookmark', href: 'http://c/compute/images/i' }] },
    links: [
      { rel: 'self', href: 'http://c/compute/v2.1/servers/0e44cc9c' },
      { rel: 'bookmark', href: 'http://c/compute/servers/0e44cc9c' },
    ],
  });
  expect(shown['hostId']).toMatch(/^[0-9a-f]{56}$/);
  expect(serverView(row, view(46))['flavor']).toEqual({
    id: '1',
    links: [{ rel: 'bookmark', href: 'http://c/compute/flavors/1' }],
  });
  expect(addressesOf([port])).toEqual({
    private: [
      { version: 4, addr: '192.168.1.30', 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': port.mac },
      { version: 4, addr: '192.0.2.7', 'OS-EXT-IPS:type': 'floating', 'OS-EXT-IPS-MAC:mac_addr': port.mac },
    ],
  });
});

test('an update answers without extended attributes before 2.75', () => {
  const keys = Object.keys(updatedView(row, view(73, true)));
  expect(
    keys.filter((key) =>
      /^(OS-EXT|OS-SRV|os-ext|host_status|key_name|config_drive|security_groups)/.test(key),
    ),
  ).toEqual([]);
  expect(updatedView(row, view(73))['server_groups']).toEqual(['g']);
  expect(updatedView(row, view(73))['addresses']).toEqual({
    private: [
      { version: 4, addr: '192.168.1.30' },
      { version: 4, addr: '192.0.2.7' },
    ],
  });
});

test('a fault is shown only in ERROR', () => {
  const failed = { ...row, error: 'no disk', error_at: 1_378_180_892_000 };
  expect(serverView(failed, view(1))).toMatchObject({
    status: 'ERROR',
    fault: { code: 500, created: '2013-09-03T04:01:32Z', message: 'no disk' },
  });
  expect(serverView(row, view(1))).not.toHaveProperty('fault');
});

test('what was encoded is kept per revision, representation and role', () => {
  const encoder = createServerEncoder();
  const text = encoder.encode(row, view(1));
  expect(encoder.cached(row.id, row.revision, view(2))).toBe(text);
  for (const [revision, other] of [
    [4, view(1)],
    [3, view(3)],
    [3, view(1, true)],
  ] as const)
    expect(encoder.cached(row.id, revision, other)).toBeUndefined();
  expect(JSON.parse(withFields(text, { host_status: 'UP' }).toString())).toMatchObject({
    id: row.id,
    host_status: 'UP',
  });
});
