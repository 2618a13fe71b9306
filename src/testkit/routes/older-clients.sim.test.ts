// What clients older than Glance, Cinder and Neutron ask of compute: one request after another as such a client
// sends them, against the real services, and the same addresses gone for newer clients.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCloud, type TestCloud } from './cloud.ts';
import { createFurnishedTenant, type Tenant } from './fixtures.ts';

let cloud: TestCloud;
let own: Tenant;
let other: Tenant;
const base = '/compute/v2.1';
const older = { 'openstack-api-version': 'compute 2.35' };
beforeAll(async () => {
  cloud = await openTestCloud('sqlite');
  own = await createFurnishedTenant(cloud, 'quokka');
  other = await createFurnishedTenant(cloud, 'zebra');
  await cloud.settle();
});
afterAll(() => cloud.close());

const call = (method: string, path: string, body?: unknown, headers = older) =>
  cloud.call(own.tokens.member, method, base + path, body, headers);
const must = async (method: string, path: string, body?: unknown) => {
  const answer = await call(method, path, body);
  expect(answer.status, answer.text).toBeLessThan(300);
  return answer.text === '' ? null : answer.json;
};

it('a floating IP is allocated from a pool, put on a server, moved, taken off and given back', async () => {
  const { floating_ip_pools: pools } = await must('GET', '/os-floating-ip-pools');
  expect(pools).toContainEqual({ name: 'public' });
  expect((await call('POST', '/os-floating-ips', { pool: 'nowhere' })).status).toBe(404);
  const { floating_ip: made } = await must('POST', '/os-floating-ips', { pool: 'public' });
  expect(made).toEqual({ id: made.id, ip: made.ip, fixed_ip: null, instance_id: null, pool: 'public' });
  const server = own.ids['server'] ?? '';
  const act = (body: object, id = server) => call('POST', `/servers/${id}/action`, body);
  expect((await act({ addFloatingIp: { address: made.ip, fixed_address: '10.9.9.9' } })).status).toBe(400);
  expect((await act({ addFloatingIp: { address: made.ip } })).status).toBe(202);
  expect((await must('GET', `/os-floating-ips/${made.id}`)).floating_ip).toMatchObject({
    instance_id: server,
    fixed_ip: expect.stringMatching(/^10\./),
  });
  expect((await act({ addFloatingIp: { address: '172.24.4.250' } })).status).toBe(404);
  const { floating_ip: second } = await must('POST', '/os-floating-ips', { pool: 'public' });
  expect((await act({ addFloatingIp: { address: second.ip } })).status).toBe(400);
  expect((await act({ removeFloatingIp: { address: second.ip } })).status).toBe(409);
  expect((await act({ removeFloatingIp: { address: made.ip } })).status).toBe(202);
  expect((await act({ removeFloatingIp: { address: made.ip } })).status).toBe(409);
  await must('DELETE', `/os-floating-ips/${made.id}`);
  expect((await call('GET', `/os-floating-ips/${made.id}`)).status).toBe(404);
});

it("another project's floating IP is not there by its address either", async () => {
  const theirs = (await cloud.call(other.tokens.member, 'GET', `${base}/os-floating-ips`, undefined, older))
    .json.floating_ips[0];
  for (const action of ['addFloatingIp', 'removeFloatingIp'])
    expect(
      (await call('POST', `/servers/${own.ids['server']}/action`, { [action]: { address: theirs.ip } }))
        .status,
    ).toBe(404);
  const after = await cloud.call(other.tokens.member, 'GET', `${base}/os-floating-ips`, undefined, older);
  expect(after.json.floating_ips[0]).toEqual(theirs);
});

it('networks are listed by their labels', async () => {
  const { networks } = await must('GET', '/os-tenant-networks');
  expect(networks).toContainEqual({
    id: own.ids['network'],
    label: 'quokka-network',
    cidr: 'None',
  });
  expect((await must('GET', `/os-networks/${own.ids['network']}`)).network).toMatchObject({
    label: 'quokka-network',
    cidr: null,
  });
  expect((await call('GET', `/os-networks/${other.ids['network']}`)).status).toBe(404);
  expect((await call('POST', '/os-networks', { network: {} })).status).toBe(410);
});

it('a volume and its snapshot are made, shown and deleted', async () => {
  const { volume } = await must('POST', '/os-volumes', {
    volume: { size: '1', display_name: 'data', metadata: { a: 'b' } },
  });
  expect(volume).toMatchObject({ displayName: 'data', size: 1, metadata: { a: 'b' }, attachments: [{}] });
  await cloud.settle();
  const { snapshot } = await must('POST', '/os-snapshots', {
    snapshot: { volume_id: volume.id, display_name: 'then' },
  });
  await cloud.settle();
  expect((await must('GET', '/os-snapshots/detail')).snapshots[0]).toMatchObject({
    id: snapshot.id,
    volumeId: volume.id,
    displayName: 'then',
    status: 'available',
  });
  expect((await must('GET', '/os-volumes?limit=1')).volumes).toHaveLength(1);
  expect((await call('POST', '/os-volumes', { volume: { size: '0' } })).status).toBe(400);
  await must('DELETE', `/os-snapshots/${snapshot.id}`);
  await cloud.settle();
  await must('DELETE', `/os-volumes/${volume.id}`);
  await cloud.settle();
  expect((await call('GET', `/os-volumes/${volume.id}`)).status).toBe(404);
});

it('the metadata of an image is its custom properties, and images are listed by what they are', async () => {
  const path = `/images/${own.ids['image']}/metadata`;
  expect((await must('PUT', path, { metadata: { os_distro: 'x', os_version: '1' } })).metadata).toEqual({
    os_distro: 'x',
    os_version: '1',
  });
  expect((await must('POST', path, { metadata: { os_version: '2' } })).metadata).toEqual({
    os_distro: 'x',
    os_version: '2',
  });
  expect((await must('PUT', `${path}/os_distro`, { meta: { os_distro: 'y' } })).meta).toEqual({
    os_distro: 'y',
  });
  await must('DELETE', `${path}/os_version`);
  expect((await call('GET', `${path}/os_version`)).status).toBe(404);
  expect((await must('GET', path)).metadata).toEqual({ os_distro: 'y' });
  expect((await call('PUT', path, { metadata: { owner: 'p' } })).status).toBe(400);
  const names = async (query: string): Promise<string[]> =>
    (await must('GET', `/images?${query}`)).images.map((one: { name: string }) => one.name);
  expect(await names('name=quokka-image')).toEqual(['quokka-image']);
  expect(await names('name=quokka-image&status=SAVING')).toEqual([]);
  expect(await names('type=snapshot')).toEqual([]);
});

it('newer clients find none of this', async () => {
  const newer = { 'openstack-api-version': 'compute 2.44' };
  for (const path of ['os-floating-ips', 'os-floating-ip-pools', 'os-networks', 'os-tenant-networks'])
    expect((await call('GET', `/${path}`, undefined, newer)).status).toBe(404);
  for (const path of ['os-volumes', 'os-snapshots', 'images', `images/${own.ids['image']}/metadata`])
    expect((await call('GET', `/${path}`, undefined, newer)).status).toBe(404);
  const action = { addFloatingIp: { address: '172.24.4.9' } };
  expect((await call('POST', `/servers/${own.ids['server']}/action`, action, newer)).status).toBe(400);
});
