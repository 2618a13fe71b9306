// Shelving servers and backing them up, over HTTP on both engines, with a host that is faked.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { fakeCompute, type FakeCompute } from '../../../testkit/compute-cloud.ts';
import { eventually } from '../fakes.ts';

onBothEngines('shelving and backups', (engine) => {
  let compute: FakeCompute;
  let server: FakeCompute['server'];
  let cloud: FakeCompute['cloud'];
  let host: FakeCompute['host'];
  let platform: FakeCompute['platform'];
  const base = '/compute/v2.1';

  beforeEach(async () => {
    compute = await fakeCompute(engine);
    ({ server, cloud, host, platform } = compute);
  });
  afterEach(() => compute.close());

  const show = (id: string, as = 'root') => compute.show(id, as);
  const until = (id: string, status: string) => compute.untilStatus(id, status, 'root');
  const act = (id: string, body: object, minor = 1, as = 'alice') =>
    server.call(as, 'POST', `${base}/servers/${id}/action`, body, {
      'openstack-api-version': `compute 2.${minor}`,
    });
  const active = async (imageRef = 'tiny'): Promise<string> => {
    const made = await server.call('alice', 'POST', `${base}/servers`, {
      server: { name: 'web', flavorRef: '1', imageRef },
    });
    const { id } = made.json.server;
    await until(id, 'ACTIVE');
    return id;
  };
  const shelved = async (id: string) => {
    expect((await act(id, { shelve: null })).status).toBe(202);
    return until(id, 'SHELVED_OFFLOADED');
  };

  test('a shelved server leaves its host with an image of its root, and comes back made of that', async () => {
    const id = await active();
    const before = await show(id);
    expect(await shelved(id)).toMatchObject({
      'OS-EXT-STS:vm_state': 'shelved_offloaded',
      'OS-EXT-STS:power_state': 4,
      'OS-EXT-SRV-ATTR:host': null,
      hostId: '',
      image: { id: 'tiny' },
      addresses: before.addresses,
    });
    expect(cloud.images.reserved[0]).toMatchObject({
      name: 'web-shelved',
      owner: 'p1',
      properties: { image_type: 'snapshot', instance_uuid: id, base_image_ref: 'tiny' },
    });
    expect([host.bodies.size, cloud.placement.claimed.size]).toEqual([0, 0]);
    expect(cloud.images.contents.get('image-1')).toBe(`disk of ${id}`);
    for (const body of [
      { 'os-start': null },
      { shelve: null },
      { reboot: { type: 'HARD' } },
      { createImage: { name: 'x' } },
    ])
      expect([body, (await act(id, body)).status]).toEqual([body, 409]);

    expect((await act(id, { unshelve: null })).status).toBe(202);
    expect(await until(id, 'ACTIVE')).toMatchObject({
      'OS-EXT-SRV-ATTR:host': 'node-1',
      image: { id: 'tiny' },
      addresses: before.addresses,
    });
    expect(host.bodies.get(id)?.body.image).toMatchObject({ id: 'image-1' });
    expect([cloud.images.discarded, cloud.placement.claimed.size]).toEqual([['image-1'], 1]);
    expect((await act(id, { unshelve: null })).status).toBe(409);
    const { instanceActions } = (
      await server.call('alice', 'GET', `${base}/servers/${id}/os-instance-actions`)
    ).json;
    expect(instanceActions.map((one: { action: string }) => one.action)).toEqual([
      'unshelve',
      'shelve',
      'create',
    ]);
  });

  test('when no image can be made of it, it runs on where it was', async () => {
    const id = await active();
    host.exportServer = async () => {
      // As if it had failed so often before.
      await platform.db.tx((tx) => tx.updateTable('server_images').set({ tries: 100 }).execute());
      throw new Error('the disk is damaged');
    };
    expect((await act(id, { shelve: null })).status).toBe(202);
    expect((await show(id)).status).toBe('ACTIVE');
    await eventually(
      async () => cloud.images.abandoned.length,
      (one) => one > 0,
    );
    expect((await until(id, 'ACTIVE'))['OS-EXT-SRV-ATTR:host']).toBe('node-1');
    const { instanceActions } = (
      await server.call('alice', 'GET', `${base}/servers/${id}/os-instance-actions`)
    ).json;
    expect(instanceActions[0]).toMatchObject({ action: 'shelve', message: 'Error' });
  });

  test('it comes back where it is asked to, or not at all with the reason', async () => {
    const id = await active();
    await shelved(id);
    expect((await act(id, { unshelve: { availability_zone: 'nova' } }, 76)).status).toBe(400);
    expect((await act(id, { unshelve: { availability_zone: 'nowhere' } }, 77)).status).toBe(400);
    expect((await act(id, { unshelve: { host: 'node-1' } }, 91)).status).toBe(403);
    expect((await act(id, { unshelve: null }, 1, 'bob')).status).toBe(404);
    const known = cloud.images.known.get('image-1');
    cloud.images.known.delete('image-1');
    const imageless = await act(id, { unshelve: null });
    expect([imageless.status, imageless.text]).toEqual([
      409,
      expect.stringContaining('image-1 cannot be used'),
    ]);
    if (known !== undefined) cloud.images.known.set('image-1', known);
    cloud.placement.claimed.clear();
    cloud.placement.hosts.clear();
    const nowhere = await act(id, { unshelve: null });
    expect([nowhere.status, nowhere.text]).toEqual([400, expect.stringContaining('No valid host was found')]);
    expect((await show(id)).status).toBe('SHELVED_OFFLOADED');
    cloud.placement.hosts.set('node-1', host.id);
    expect((await act(id, { unshelve: { host: 'node-1' } }, 91, 'root')).status).toBe(202);
    expect((await until(id, 'ACTIVE')).status).toBe('ACTIVE');
  });

  test('deleted while it is shelved it takes its image along', async () => {
    const id = await active();
    await shelved(id);
    expect((await server.call('alice', 'DELETE', `${base}/servers/${id}`)).status).toBe(204);
    expect((await server.call('alice', 'GET', `${base}/servers/${id}`)).status).toBe(404);
    expect(cloud.images.discarded).toEqual(['image-1']);
  });

  test('a container, which nobody can copy, is not shelved; nobody but an operator offloads', async () => {
    const id = await active('box');
    const refused = await act(id, { shelve: null });
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('cannot snapshot those')]);
    expect((await act(id, { shelveOffload: null })).status).toBe(403);
    expect((await act(id, { shelveOffload: null }, 1, 'root')).status).toBe(409);
    expect((await show(id)).status).toBe('ACTIVE');
  });

  test('a guest is interrupted where its hypervisor can; passwords and deleted servers do not come back', async () => {
    const id = await active();
    expect((await act(id, { trigger_crash_dump: null }, 16)).status).toBe(400);
    expect((await act(id, { trigger_crash_dump: null }, 17)).status).toBe(202);
    expect(host.interrupted).toEqual([id]);
    expect((await act(await active('box'), { trigger_crash_dump: null }, 17)).status).toBe(409);
    expect((await act(id, { changePassword: { adminPass: 'x' } })).text).toContain('has no agent');
    expect((await act(id, { restore: null })).status).toBe(409);
    expect((await act(id, { forceDelete: null }, 1, 'bob')).status).toBe(404);
    expect((await act(id, { forceDelete: null })).status).toBe(202);
    const gone = await eventually(
      () => server.call('alice', 'GET', `${base}/servers/${id}`),
      (one) => one.status === 404,
    );
    expect(gone.status).toBe(404);
  });

  test('of backups of one kind as many are kept as the newest says', async () => {
    const id = await active();
    const backup = async (backup_type: string, rotation: number): Promise<number> => {
      const answer = await act(id, { createBackup: { name: 'b', backup_type, rotation } });
      await until(id, 'ACTIVE');
      return answer.status;
    };
    for (const kind of ['daily', 'weekly', 'daily', 'daily']) expect(await backup(kind, 2)).toBe(202);
    expect(cloud.images.reserved[0]?.properties).toMatchObject({
      image_type: 'backup',
      backup_type: 'daily',
    });
    expect([...cloud.images.contents.keys()]).toEqual(['image-2', 'image-3', 'image-4']);
    expect(await backup('daily', 0)).toBe(202);
    expect([...cloud.images.contents.keys()]).toEqual(['image-2']);
    expect((await act(id, { createBackup: { name: 'b', backup_type: 'daily', rotation: -1 } })).status).toBe(
      400,
    );
  });
});
