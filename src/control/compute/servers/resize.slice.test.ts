// Resizing servers over HTTP on both engines, with a host that is faked: what is claimed at each step, and who decides.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { fakeCompute, type FakeCompute } from '../../../testkit/compute-cloud.ts';
import { eventually } from '../fakes.ts';

onBothEngines('resize', (engine) => {
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

  const show = (id: string, as = 'alice') => compute.show(id, as);
  const until = (id: string, status: string) => compute.untilStatus(id, status, 'alice');
  const act = (id: string, body: object, as = 'alice') =>
    server.call(as, 'POST', `${base}/servers/${id}/action`, body);
  const resize = (id: string, flavorRef: string) => act(id, { resize: { flavorRef } });
  const active = async (flavorRef = '1'): Promise<string> => {
    const made = await server.call('alice', 'POST', `${base}/servers`, {
      server: { name: 'web', flavorRef, imageRef: 'tiny' },
    });
    const { id } = made.json.server;
    await until(id, 'ACTIVE');
    return id;
  };
  const usage = async () => {
    const { instances, cores, ram } = await platform.quotas.usage(platform.db.read, 'p1');
    return [instances, cores, ram];
  };
  const migrations = async () =>
    (await server.call('root', 'GET', `${base}/os-migrations`)).json.migrations as Record<string, unknown>[];

  test('a resize waits for its user with both flavors claimed, and confirmed it keeps the new one', async () => {
    const id = await active('1');
    expect((await resize(id, '2')).status).toBe(202);
    const waiting = await until(id, 'VERIFY_RESIZE');
    expect(waiting).toMatchObject({
      'OS-EXT-STS:vm_state': 'resized',
      'OS-EXT-STS:power_state': 1,
      flavor: { id: '2' },
    });
    expect(host.bodies.get(id)?.body).toMatchObject({ resizeCount: 1, original: 'keep', memoryMib: 2048 });
    expect([await usage(), cloud.placement.claimed.size]).toEqual([[1, 1, 2048], 2]);
    for (const body of [
      { 'os-stop': null },
      { resize: { flavorRef: '3' } },
      { rebuild: { imageRef: 'tiny' } },
    ])
      expect([body, (await act(id, body)).status]).toEqual([body, 409]);
    expect((await act(id, { confirmResize: null })).status).toBe(204);
    expect((await until(id, 'ACTIVE')).flavor.id).toBe('2');
    await server.settle();
    expect(host.bodies.get(id)?.body).toMatchObject({ resizeCount: 1, original: 'drop', memoryMib: 2048 });
    expect([await usage(), cloud.placement.claimed.size]).toEqual([[1, 1, 2048], 1]);
    expect((await act(id, { confirmResize: null })).status).toBe(409);
    const { instanceActions } = (
      await server.call('alice', 'GET', `${base}/servers/${id}/os-instance-actions`)
    ).json;
    expect(instanceActions.map((one: { action: string }) => one.action)).toEqual([
      'confirmResize',
      'resize',
      'create',
    ]);
  });

  test('reverted it has its old flavor again, off if it was off, and nothing more is claimed', async () => {
    const id = await active('2');
    await act(id, { 'os-stop': null });
    await until(id, 'SHUTOFF');
    expect((await resize(id, '3')).status).toBe(202);
    expect((await until(id, 'VERIFY_RESIZE'))['OS-EXT-STS:power_state']).toBe(4);
    expect(await usage()).toEqual([1, 2, 4096]);
    expect((await act(id, { revertResize: null })).status).toBe(202);
    expect((await until(id, 'SHUTOFF')).flavor.id).toBe('2');
    await server.settle();
    expect(host.bodies.get(id)?.body).toMatchObject({ resizeCount: 2, original: 'drop', memoryMib: 2048 });
    expect([await usage(), cloud.placement.claimed]).toEqual([[1, 1, 2048], new Set([id])]);
    expect((await act(id, { revertResize: null })).status).toBe(409);
  });

  test('what the host cannot do is undone by itself: the server runs on as it was, and the history says why', async () => {
    const id = await active('1');
    host.answer = (_id, body) =>
      body.original === 'keep'
        ? { state: 'failed', error: 'the disk of its host is full' }
        : { state: 'applied', error: null, power: body.power };
    expect((await resize(id, '2')).status).toBe(202);
    expect((await until(id, 'ACTIVE')).flavor.id).toBe('1');
    await server.settle();
    expect(host.bodies.get(id)?.body).toMatchObject({ resizeCount: 2, original: 'drop', memoryMib: 512 });
    expect([await usage(), cloud.placement.claimed]).toEqual([[1, 1, 512], new Set([id])]);
    expect((await migrations())[0]).toMatchObject({ instance_uuid: id, status: 'error' });
    const { instanceActions } = (
      await server.call('alice', 'GET', `${base}/servers/${id}/os-instance-actions`)
    ).json;
    expect(instanceActions[0]).toMatchObject({ action: 'resize', message: 'Error' });
  });

  test('what cannot be is refused in the words of Nova, and claims nothing', async () => {
    const id = await active('2');
    const before = await usage();
    for (const [flavorRef, status, message] of [
      ['2', 400, 'must change flavor'],
      ['nothing', 400, 'Flavor nothing could not be found'],
      ['1', 400, 'disks do not shrink'],
      ['5', 403, 'Quota exceeded'],
    ] as const) {
      if (status === 403) await platform.db.tx((tx) => platform.quotas.setLimits(tx, 'p1', { ram: 4096 }));
      const refused = await resize(id, flavorRef);
      expect([flavorRef, refused.status, refused.text]).toEqual([
        flavorRef,
        status,
        expect.stringContaining(message),
      ]);
    }
    cloud.placement.hosts.clear();
    const nowhere = await resize(id, '3');
    expect([nowhere.status, nowhere.text]).toEqual([400, expect.stringContaining('No valid host was found')]);
    expect((await act(id, { resize: { flavorRef: '3' } }, 'bob')).status).toBe(404);
    expect((await act(id, { confirmResize: null })).status).toBe(409);
    expect([await usage(), (await show(id)).status]).toEqual([before, 'ACTIVE']);
    expect(await migrations()).toEqual([]);
  });

  test('a server that is deleted while it waits gives both claims back', async () => {
    const id = await active('1');
    await resize(id, '2');
    await until(id, 'VERIFY_RESIZE');
    expect((await server.call('alice', 'DELETE', `${base}/servers/${id}`)).status).toBe(204);
    await eventually(
      () => server.call('alice', 'GET', `${base}/servers/${id}`),
      (one) => one.status === 404,
    );
    expect([await usage(), cloud.placement.claimed.size]).toEqual([[0, 0, 0], 0]);
    expect((await migrations())[0]).toMatchObject({ instance_uuid: id, status: 'confirmed' });
  });
});
