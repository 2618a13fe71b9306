// Block storage over HTTP, on both engines, with a real agent over simulated disks.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onBothEngines } from '../../testkit/database.ts';
import type { Answer } from '../../testkit/http.ts';
import { openTestCloud, type TestCloud } from '../../testkit/routes/cloud.ts';
import { createTenant, type Tenant } from '../../testkit/routes/fixtures.ts';

const compute = '/compute/v2.1';

onBothEngines('block storage', (engine) => {
  let cloud: TestCloud;
  let alice: Tenant;
  let bob: Tenant;
  let token: string;
  let base: string;
  beforeAll(async () => {
    cloud = await openTestCloud(engine);
    alice = await createTenant(cloud, 'alice');
    bob = await createTenant(cloud, 'bob');
    token = alice.tokens.member;
    base = `/volume/v3/${alice.projectId}`;
  });
  afterAll(() => cloud.close());

  const call = (method: string, path: string, body?: unknown, version = 'latest'): Promise<Answer> =>
    cloud.call(token, method, `${base}${path}`, body, { 'openstack-api-version': `volume ${version}` });
  const must = async (method: string, path: string, body?: unknown, version = 'latest') => {
    const answer = await call(method, path, body, version);
    expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
    return answer.text === '' ? undefined : answer.json;
  };
  const volume = async (id: string) => (await must('GET', `/volumes/${id}`)).volume;
  const create = async (body: object): Promise<string> => {
    const { id } = (await must('POST', '/volumes', { volume: body })).volume;
    await cloud.settle();
    return id as string;
  };
  const remove = async (id: string): Promise<void> => {
    await must('DELETE', `/volumes/${id}?cascade=true`);
    await cloud.settle();
    expect((await call('GET', `/volumes/${id}`)).status).toBe(404);
  };
  const used = async () => (await must('GET', `/os-quota-sets/${alice.projectId}?usage=true`)).quota_set;
  let servers = 0;
  const server = async (more: object = {}): Promise<string> => {
    const images = await cloud.must(token, 'GET', '/image/v2/images?name=disk');
    const image = images.images[0]?.id ?? (await imageOf());
    const flavors = await cloud.must(cloud.admin, 'GET', `${compute}/flavors`);
    servers += 1;
    const made = await cloud.must(token, 'POST', `${compute}/servers`, {
      server: {
        name: `s${servers}`,
        flavorRef: flavors.flavors[0].id,
        imageRef: image,
        networks: 'none',
        ...more,
      },
    });
    await cloud.settle();
    return made.server.id as string;
  };
  const imageOf = async (): Promise<string> => {
    const image = await cloud.must(token, 'POST', '/image/v2/images', {
      name: 'disk',
      disk_format: 'raw',
      container_format: 'bare',
    });
    await cloud.must(token, 'PUT', `/image/v2/images/${image.id}/file`, Buffer.alloc(4096, 'x'), {
      'content-type': 'application/octet-stream',
    });
    return image.id as string;
  };
  const attachments = (serverId: string): string => `${compute}/servers/${serverId}/os-volume_attachments`;

  it('discovery says which versions there are', async () => {
    const answer = await cloud.call(null, 'GET', '/volume/');
    expect(answer.status).toBe(300);
    expect(answer.json.versions[0]).toMatchObject({
      id: 'v3.0',
      status: 'CURRENT',
      min_version: '3.0',
      version: '3.70',
    });
    expect((await call('GET', '/volumes', undefined, '3.71')).status).toBe(406);
    expect(
      (
        await cloud.call(token, 'GET', '/volume/v3/volumes', undefined, {
          'openstack-api-version': 'volume 3.66',
        })
      ).status,
    ).toBe(404);
    expect((await cloud.call(token, 'GET', '/volume/v3/volumes')).status).toBe(200);
    expect((await cloud.call(token, 'GET', `/volume/v3/${bob.projectId}/volumes`)).status).toBe(404);
  });

  it('a volume is made, shown, changed, extended and deleted, and the quota follows', async () => {
    const before = await used();
    // As the older client library sends it.
    const made = await must('POST', '/volumes', {
      volume: { name: 'v', size: 1, metadata: { a: 'b' }, backup_id: null },
    });
    expect(made.volume).toMatchObject({
      status: 'creating',
      size: 1,
      bootable: 'false',
      attachments: [],
      volume_type: '__DEFAULT__',
    });
    await cloud.settle();
    const { id } = made.volume;
    expect(await volume(id)).toMatchObject({
      status: 'available',
      metadata: { a: 'b' },
      'os-vol-tenant-attr:tenant_id': alice.projectId,
    });
    expect(
      (await must('PUT', `/volumes/${id}`, { volume: { name: 'w', description: 'd' } })).volume,
    ).toMatchObject({ name: 'w', description: 'd' });
    expect(
      (await must('GET', "/volumes/detail?metadata={'a': 'b'}&status=available&name=w")).volumes,
    ).toHaveLength(1);
    expect((await must('GET', "/volumes?metadata={'a': 'c'}")).volumes).toEqual([]);
    await must('POST', `/volumes/${id}/action`, { 'os-extend': { new_size: 3 } });
    await cloud.settle();
    expect(await volume(id)).toMatchObject({ status: 'available', size: 3 });
    expect((await call('POST', `/volumes/${id}/action`, { 'os-extend': { new_size: 2 } })).status).toBe(400);
    expect((await used()).gigabytes.in_use).toBe(before.gigabytes.in_use + 3);
    await remove(id);
    expect(await used()).toEqual(before);
    expect(cloud.host.volumes.volumes.has(id)).toBe(false);
  });

  it('snapshots and copies are made of volumes, and hold what they are made of', async () => {
    const source = await create({ size: 2 });
    const disk = cloud.host.volumes.volumes.get(source);
    if (disk !== undefined) disk.content = 'first';
    const { snapshot } = await must('POST', '/snapshots', { snapshot: { volume_id: source, name: 's' } });
    await cloud.settle();
    expect((await must('GET', `/snapshots/${snapshot.id}`)).snapshot).toMatchObject({
      status: 'available',
      size: 2,
    });
    if (disk !== undefined) disk.content = 'second';
    const [ofSnapshot, ofVolume] = [
      await create({ snapshot_id: snapshot.id }),
      await create({ source_volid: source, size: 3 }),
    ];
    expect(cloud.host.volumes.volumes.get(ofSnapshot)?.content).toBe('first');
    expect(cloud.host.volumes.volumes.get(ofVolume)?.content).toBe('second');
    expect((await call('DELETE', `/volumes/${source}`)).status).toBe(400);
    await must('POST', `/volumes/${source}/action`, { revert: { snapshot_id: snapshot.id } });
    await cloud.settle();
    expect(await volume(source)).toMatchObject({ status: 'available' });
    expect(cloud.host.volumes.volumes.get(source)?.content).toBe('first');
    for (const id of [source, ofSnapshot, ofVolume]) await remove(id);
    expect(cloud.host.volumes.snapshots.size).toBe(0);
  });

  it('an attachment outside of this cloud is ended by force, and the volume is available whatever was said of it', async () => {
    const id = await create({ size: 1 });
    const force = (action: object) =>
      cloud.must(cloud.admin, 'POST', `/volume/v3/volumes/${id}/action`, action);
    await must('POST', `/volumes/${id}/action`, {
      'os-attach': { host_name: 'elsewhere', mountpoint: '/dev/vdb' },
    });
    expect(await volume(id)).toMatchObject({ status: 'in-use' });
    await force({ 'os-reset_status': { status: 'error' } });
    expect(await volume(id)).toMatchObject({ status: 'error' });
    await force({ 'os-force_detach': {} });
    expect(await volume(id)).toMatchObject({ status: 'available', attachments: [] });
    await remove(id);
  });

  it('a volume is attached to one server at a time and free when its guest let go of it', async () => {
    const [one, two] = [await server(), await server()];
    const id = await create({ size: 1 });
    const attached = await cloud.must(token, 'POST', attachments(one), {
      volumeAttachment: { volumeId: id },
    });
    expect(attached.volumeAttachment).toMatchObject({ volumeId: id, serverId: one, device: '/dev/vdb' });
    expect(
      (await cloud.call(token, 'POST', attachments(two), { volumeAttachment: { volumeId: id } })).status,
    ).toBe(400);
    await cloud.settle();
    expect(await volume(id)).toMatchObject({
      status: 'in-use',
      attachments: [{ server_id: one, device: '/dev/vdb', volume_id: id, id }],
    });
    expect(cloud.host.volumes.volumes.get(id)?.holder).toBe(one);
    expect(
      (await cloud.must(token, 'GET', `${compute}/servers/${one}`)).server[
        'os-extended-volumes:volumes_attached'
      ],
    ).toEqual([{ id, delete_on_termination: false }]);
    expect((await call('DELETE', `/volumes/${id}`)).status).toBe(400);
    expect((await call('POST', `/volumes/${id}/action`, { 'os-detach': {} })).status).toBe(409);
    // The operator's word does not make it free.
    await cloud.must(cloud.admin, 'POST', `/volume/v3/volumes/${id}/action`, {
      'os-reset_status': { status: 'available' },
    });
    expect(
      (await cloud.call(token, 'POST', attachments(two), { volumeAttachment: { volumeId: id } })).status,
    ).toBe(400);
    await cloud.must(cloud.admin, 'POST', `/volume/v3/volumes/${id}/action`, {
      'os-reset_status': { status: 'in-use' },
    });
    await cloud.must(token, 'DELETE', `${attachments(one)}/${id}`);
    await cloud.settle();
    expect(await volume(id)).toMatchObject({ status: 'available', attachments: [] });
    expect(cloud.host.volumes.volumes.get(id)?.holder).toBeNull();
    await cloud.must(token, 'POST', attachments(two), {
      volumeAttachment: { volumeId: id, device: '/dev/vdd' },
    });
    await cloud.settle();
    expect((await volume(id)).attachments[0].device).toBe('/dev/vdd');
    for (const which of [one, two]) await cloud.must(token, 'DELETE', `${compute}/servers/${which}`);
    await cloud.settle();
    expect((await volume(id)).status).toBe('available');
    await remove(id);
  });

  it('a server boots from a volume, and takes with it what is to go', async () => {
    const image = await imageOf();
    const kept = await create({ size: 1 });
    const before = await used();
    const id = await server({
      imageRef: '',
      block_device_mapping_v2: [
        {
          boot_index: 0,
          source_type: 'image',
          destination_type: 'volume',
          uuid: image,
          volume_size: 2,
          delete_on_termination: true,
        },
        { boot_index: -1, source_type: 'volume', destination_type: 'volume', uuid: kept },
      ],
    });
    const shown = (await cloud.must(token, 'GET', `${compute}/servers/${id}`)).server;
    expect(shown).toMatchObject({ status: 'ACTIVE', image: '' });
    const [root, data] = (await cloud.must(token, 'GET', attachments(id))).volumeAttachments;
    expect(root).toMatchObject({ device: '/dev/vda', delete_on_termination: true });
    expect(data).toMatchObject({ device: '/dev/vdb', volumeId: kept, delete_on_termination: false });
    expect(await volume(root.volumeId)).toMatchObject({ status: 'in-use', bootable: 'true', size: 2 });
    expect((await cloud.call(token, 'DELETE', `${attachments(id)}/${root.volumeId}`)).status).toBe(403);
    expect(
      (await cloud.call(token, 'POST', `${compute}/servers/${id}/action`, { suspend: null })).status,
    ).toBe(409);
    await cloud.must(token, 'DELETE', `${compute}/servers/${id}`);
    await cloud.settle();
    expect((await call('GET', `/volumes/${root.volumeId}`)).status).toBe(404);
    expect((await volume(kept)).status).toBe('available');
    expect(await used()).toEqual(before);
    await remove(kept);
  });

  it('bad requests about disks are refused and leave nothing', async () => {
    const before = await used();
    const plain = await create({ size: 1 });
    const mapping = (one: object) => ({
      imageRef: '',
      block_device_mapping_v2: [{ boot_index: 0, destination_type: 'volume', ...one }],
    });
    const image = await imageOf();
    for (const more of [
      mapping({ source_type: 'volume', uuid: plain }), // not bootable
      mapping({ source_type: 'volume', uuid: crypto.randomUUID() }),
      mapping({ source_type: 'image', uuid: image }), // no size
      mapping({ source_type: 'blank', volume_size: 1, boot_index: -1 }), // nothing to boot from
      {
        imageRef: image,
        block_device_mapping_v2: [
          { source_type: 'blank', destination_type: 'local', boot_index: -1, volume_size: 1 },
        ],
      },
      {
        imageRef: image,
        max_count: 2,
        block_device_mapping_v2: [
          { source_type: 'volume', destination_type: 'volume', uuid: plain, boot_index: -1 },
        ],
      },
    ]) {
      const flavors = await cloud.must(cloud.admin, 'GET', `${compute}/flavors`);
      const answer = await cloud.call(token, 'POST', `${compute}/servers`, {
        server: { name: 'bad', flavorRef: flavors.flavors[0].id, networks: 'none', ...more },
      });
      expect(answer.status, JSON.stringify(more)).toBe(400);
    }
    for (const body of [
      { size: 0 },
      { size: '-1' },
      { size: 'x' },
      {},
      { size: 1, volume_type: 'nope' },
      { size: 1, snapshot_id: crypto.randomUUID() },
      { size: 1, source_volid: crypto.randomUUID() },
      { size: 1, availability_zone: 'moon' },
    ])
      expect(
        (await call('POST', '/volumes', { volume: body })).status,
        JSON.stringify(body),
      ).toBeGreaterThanOrEqual(400);
    await remove(plain);
    expect(await used()).toEqual(before);
  });

  it('the quota refuses with 413 and gives back what a refused request took', async () => {
    await cloud.must(cloud.admin, 'PUT', `/volume/v3/os-quota-sets/${alice.projectId}`, {
      quota_set: { gigabytes: 4, volumes: 3 },
    });
    const id = await create({ size: 3 });
    expect((await call('POST', '/volumes', { volume: { size: 2 } })).status).toBe(413);
    expect((await call('POST', '/snapshots', { snapshot: { volume_id: id } })).status).toBe(413);
    expect((await call('POST', `/volumes/${id}/action`, { 'os-extend': { new_size: 9 } })).status).toBe(413);
    const many = await Promise.all(
      Array.from({ length: 6 }, () => call('POST', '/volumes', { volume: { size: 1 } })),
    );
    expect(many.filter((one) => one.status === 202)).toHaveLength(1);
    await cloud.settle();
    for (const one of (await must('GET', '/volumes')).volumes) await remove(one.id);
    expect((await used()).gigabytes.in_use).toBe(0);
    await cloud.must(cloud.admin, 'DELETE', `/volume/v3/os-quota-sets/${alice.projectId}`);
  });

  it('a volume goes to another project by its key only', async () => {
    const id = await create({ size: 1 });
    const { transfer } = await must('POST', '/volume-transfers', { transfer: { volume_id: id } });
    expect((await volume(id)).status).toBe('awaiting-transfer');
    const accept = (key: string): Promise<Answer> =>
      cloud.call(bob.tokens.member, 'POST', `/volume/v3/volume-transfers/${transfer.id}/accept`, {
        accept: { auth_key: key },
      });
    expect((await accept('0123456789abcdef')).status).toBe(404);
    expect((await accept(transfer.auth_key)).status).toBe(202);
    expect((await call('GET', `/volumes/${id}`)).status).toBe(404);
    const theirs = await cloud.must(bob.tokens.member, 'GET', `/volume/v3/volumes/${id}`);
    expect(theirs.volume).toMatchObject({
      status: 'available',
      'os-vol-tenant-attr:tenant_id': bob.projectId,
    });
    expect((await used()).volumes.in_use).toBe(0);
    await cloud.must(bob.tokens.member, 'DELETE', `/volume/v3/volumes/${id}`);
    await cloud.settle();
  });

  it('lists are sorted, paged and counted', async () => {
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) ids.push(await create({ size: 1, name }));
    const first = await must('GET', '/volumes/detail?limit=2&sort=name:asc&with_count=true');
    expect(first).toMatchObject({ count: 3, volumes: [{ name: 'a' }, { name: 'b' }] });
    const next = await cloud.must(
      token,
      'GET',
      new URL(first.volumes_links[0].href).pathname + new URL(first.volumes_links[0].href).search,
    );
    expect(next.volumes).toMatchObject([{ name: 'c' }]);
    expect((await must('GET', '/volumes?limit=0')).volumes).toEqual([]);
    expect((await call('GET', `/volumes?marker=${crypto.randomUUID()}`)).status).toBe(404);
    for (const id of ids) await remove(id);
  });
});
