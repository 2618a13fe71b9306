// Volumes of others, where the matrix cannot look: the devices that a new server names in all their forms, and the servers
// that clients connect a free volume to. Nothing of another tenant is read, attached or changed.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCloud, type TestCloud } from './cloud.ts';
import { createFurnishedTenant, SHARED_KINDS, type Tenant } from './fixtures.ts';
import { tableNames, tenantRows } from './rows.ts';

let cloud: TestCloud;
let own: Tenant;
let other: Tenant;
let tables: string[];
beforeAll(async () => {
  cloud = await openTestCloud('sqlite');
  own = await createFurnishedTenant(cloud, 'quokka');
  other = await createFurnishedTenant(cloud, 'zebra');
  await cloud.settle();
  tables = await tableNames(cloud.control.platform.db);
});
afterAll(() => cloud.close());

const member = () => own.tokens.member;
const theirs = (kind: string): string => other.ids[kind] ?? '';
const NOBODYS = '3fa85f64-5717-4562-b3fc-2c963f66afa6';

it("a server cannot boot from another tenant's volume, snapshot or image, nor have one, however it names it", async () => {
  const rows = () => tenantRows(cloud.control.platform.db, tables, other, SHARED_KINDS);
  const before = await rows();
  const forms: Record<string, (id: string) => object> = {
    volume: (uuid) => ({ block_device_mapping_v2: [{ source_type: 'volume', uuid, boot_index: 0 }] }),
    snapshot: (uuid) => ({
      block_device_mapping_v2: [{ source_type: 'snapshot', destination_type: 'volume', uuid, boot_index: 0 }],
    }),
    image: (uuid) => ({
      block_device_mapping_v2: [
        { source_type: 'image', destination_type: 'volume', uuid, boot_index: 0, volume_size: 1 },
      ],
    }),
    'volume by volume_id': (id) => ({
      block_device_mapping_v2: [{ source_type: 'volume', volume_id: id, boot_index: 0 }],
    }),
    'snapshot by snapshot_id': (id) => ({
      block_device_mapping_v2: [
        { source_type: 'snapshot', destination_type: 'volume', snapshot_id: id, boot_index: 0 },
      ],
    }),
    'volume in the older form': (id) => ({
      block_device_mapping: [{ volume_id: id, device_name: 'vda' }],
    }),
    'snapshot in the older form': (id) => ({
      block_device_mapping: [{ snapshot_id: id, device_name: 'vda' }],
    }),
    'volume beside the image': (uuid) => ({
      imageRef: own.ids['image'],
      block_device_mapping_v2: [
        { source_type: 'image', destination_type: 'local', uuid: own.ids['image'], boot_index: 0 },
        { source_type: 'volume', uuid, boot_index: -1 },
      ],
    }),
    'volume-type of a new volume': (id) => ({
      imageRef: own.ids['image'],
      block_device_mapping_v2: [
        { source_type: 'image', destination_type: 'local', uuid: own.ids['image'], boot_index: 0 },
        { source_type: 'blank', destination_type: 'volume', volume_size: 1, volume_type: id },
      ],
    }),
  };
  const ask = async (form: (id: string) => object, id: string): Promise<string> => {
    const { status, text } = await cloud.call(member(), 'POST', '/compute/v2.1/servers', {
      server: {
        name: 'thief',
        flavorRef: own.ids['flavor'],
        networks: [{ uuid: own.ids['network'] }],
        ...form(id),
      },
    });
    return `${status} ${text.replaceAll(id, 'ID').replace(/req-[0-9a-f-]{36}/g, '')}`;
  };
  for (const [what, form] of Object.entries(forms)) {
    const kind = what.split(' ')[0] ?? '';
    const answer = await ask(form, theirs(kind));
    expect(answer, what).toMatch(/^40[04] .*(could not be found|ID)/);
    expect(answer, what).toBe(await ask(form, NOBODYS));
    expect(answer, what).not.toContain(other.marker);
  }
  await cloud.settle();
  expect(await rows()).toBe(before);
});

it("a free volume is not connected to another tenant's server, which is told like one of nobody", async () => {
  const volume = (await cloud.must(member(), 'POST', '/volume/v3/volumes', { volume: { size: 1 } })).volume
    .id as string;
  await cloud.settle();
  const shown = async (): Promise<string> =>
    JSON.stringify(await cloud.must(member(), 'GET', `/volume/v3/volumes/${volume}`));
  const before = await shown();
  const ways: ((server: string) => [string, object])[] = [
    (server) => ['attachments', { attachment: { volume_uuid: volume, instance_uuid: server } }],
    (server) => [
      `volumes/${volume}/action`,
      { 'os-attach': { instance_uuid: server, mountpoint: '/dev/vdb' } },
    ],
  ];
  for (const way of ways)
    for (const server of [theirs('server'), NOBODYS]) {
      const [path, body] = way(server);
      const answer = await cloud.call(member(), 'POST', `/volume/v3/${path}`, body);
      expect(answer.status, `${path} ${answer.text}`).toBe(404);
      expect(answer.text).toContain(`${server} could not be found`);
      expect(await shown()).toBe(before);
    }
});
