// Rebuilding servers and making images of them, over HTTP on both engines, with a host that is faked.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { fakeCompute, type FakeCompute } from '../../../testkit/compute-cloud.ts';
import { eventually, testImage } from '../fakes.ts';

onBothEngines('rebuild and images', (engine) => {
  let compute: FakeCompute;
  let server: FakeCompute['server'];
  let cloud: FakeCompute['cloud'];
  let host: FakeCompute['host'];
  const base = '/compute/v2.1';

  beforeEach(async () => {
    compute = await fakeCompute(engine);
    ({ server, cloud, host } = compute);
  });
  afterEach(() => compute.close());

  const show = (id: string, as = 'alice') => compute.show(id, as);
  const until = (id: string, status: string) => compute.untilStatus(id, status, 'alice');
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

  test('a rebuild shows while it lasts, reaches the host with the other image, and keeps what it does not name', async () => {
    cloud.images.known.set('other', testImage('other', { properties: { hw_disk_bus: 'scsi' } }));
    const id = await active();
    const before = await show(id);
    host.answer = () => null;
    const answer = await act(id, {
      rebuild: { imageRef: 'other', name: 'anew', metadata: { a: 'b' }, accessIPv6: '0:0::1' },
    });
    expect(answer.status).toBe(202);
    expect(answer.json.server).toMatchObject({
      id,
      name: 'anew',
      status: 'REBUILD',
      image: { id: 'other' },
      metadata: { a: 'b' },
      accessIPv6: '::1',
    });
    expect(await show(id)).toMatchObject({
      status: 'REBUILD',
      'OS-EXT-STS:task_state': 'rebuilding',
      addresses: before.addresses,
    });
    expect((await act(id, { rebuild: { imageRef: 'other' } })).status).toBe(409);
    const { body } =
      (await eventually(
        async () => host.bodies.get(id),
        (one) => one?.body.rebuildCount === 1,
      )) ?? {};
    expect(body).toMatchObject({
      image: { id: 'other' },
      power: 'running',
      properties: { hw_disk_bus: 'scsi' },
    });
    await host.report(id, { power: 'running', rebuildCount: 1 });
    expect(await until(id, 'ACTIVE')).toMatchObject({ name: 'anew', image: { id: 'other' } });
    const { instanceActions } = (
      await server.call('alice', 'GET', `${base}/servers/${id}/os-instance-actions`)
    ).json;
    expect(instanceActions[0].action).toBe('rebuild');
  });

  test('a server that is off stays off, and what does not fit is refused without a change', async () => {
    cloud.images.known.set('arm', testImage('arm', { properties: { hw_architecture: 'aarch64' } }));
    cloud.images.known.set('large', testImage('large', { minDisk: 100 }));
    const id = await active();
    await act(id, { 'os-stop': null });
    await until(id, 'SHUTOFF');
    for (const imageRef of ['box', 'arm', 'large', 'nothing'])
      expect([imageRef, (await act(id, { rebuild: { imageRef } })).status]).toEqual([imageRef, 400]);
    expect((await act(id, { rebuild: { imageRef: 'tiny' } }, 1, 'bob')).status).toBe(404);
    expect((await act(id, { rebuild: { imageRef: 'tiny', key_name: null } })).status).toBe(400);
    expect((await show(id)).status).toBe('SHUTOFF');
    expect((await act(id, { rebuild: { imageRef: 'tiny' } })).status).toBe(202);
    expect((await until(id, 'SHUTOFF')).image.id).toBe('tiny');
    expect(host.bodies.get(id)?.body).toMatchObject({ power: 'stopped', rebuildCount: 1 });
  });

  test('an image of a server is filled by its host and says where it comes from', async () => {
    const id = await active();
    const old = await act(id, { createImage: { name: 'golden', metadata: { stage: 'one' } } });
    expect([old.status, old.headers['location']]).toEqual([202, 'http://cloud.test/image/v2/images/image-1']);
    expect(cloud.images.reserved[0]).toMatchObject({
      name: 'golden',
      owner: 'p1',
      diskFormat: 'qcow2',
      minDisk: 1,
      properties: { image_type: 'snapshot', instance_uuid: id, base_image_ref: 'tiny', stage: 'one' },
    });
    await eventually(
      async () => cloud.images.contents.get('image-1'),
      (one) => one === `disk of ${id}`,
    );
    await until(id, 'ACTIVE');
    expect((await act(id, { createImage: { name: 'again' } }, 45)).json).toEqual({ image_id: 'image-2' });
    expect((await act(id, { createImage: { name: 'not mine' } }, 1, 'bob')).status).toBe(404);
  });

  test('while it is made nothing else begins; a host that fails is asked again', async () => {
    const id = await active();
    let calls = 0;
    const gate = Promise.withResolvers<void>();
    const honest = host.exportServer;
    host.exportServer = async (serverId) => {
      calls += 1;
      if (calls === 1) throw new Error('the disk is busy');
      await gate.promise;
      return honest(serverId);
    };
    await act(id, { createImage: { name: 'golden' } });
    expect((await show(id))['OS-EXT-STS:task_state']).toBe('image_uploading');
    expect((await act(id, { createImage: { name: 'second' } })).status).toBe(409);
    gate.resolve();
    await eventually(
      async () => cloud.images.contents.get('image-1'),
      (one) => one === `disk of ${id}`,
    );
    await until(id, 'ACTIVE');
    expect([calls, cloud.images.abandoned]).toEqual([2, []]);
  });

  test('a container, which nobody can copy, is refused with the reason', async () => {
    const id = await active('box');
    const refused = await act(id, { createImage: { name: 'x' } });
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('cannot snapshot those')]);
  });

  test('a server that boots from a volume has no disk to copy or to replace, and is left as it is', async () => {
    const id = await active();
    // As the row of such a server is; there are no volumes here.
    await compute.platform.db.tx(async (tx) => {
      await tx.updateTable('servers').set({ image_id: '' }).where('id', '=', id).execute();
    });
    const image = await act(id, { createImage: { name: 'golden' } });
    expect([image.status, image.text]).toEqual([400, expect.stringContaining('snapshot')]);
    expect(cloud.images.reserved).toEqual([]);
    const rebuild = await act(id, { rebuild: { imageRef: 'tiny' } });
    expect([rebuild.status, rebuild.text]).toEqual([400, expect.stringContaining('boots from a volume')]);
    expect(await show(id)).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null });
  });
});
