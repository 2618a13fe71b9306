// The life of servers over HTTP, on both engines, with the other services and the host faked.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { fakeCompute, type FakeCompute } from '../../../testkit/compute-cloud.ts';
import { eventually } from '../fakes.ts';

onBothEngines('servers', (engine) => {
  let compute: FakeCompute;
  let server: FakeCompute['server'];
  let cloud: FakeCompute['cloud'];
  let host: FakeCompute['host'];
  let platform: FakeCompute['platform'];
  const base = '/compute/v2.1';
  const latest = { 'openstack-api-version': 'compute 2.96' };

  beforeEach(async () => {
    compute = await fakeCompute(engine, { instances: 50, cores: 1000, ram: 1_000_000 });
    ({ server, cloud, host, platform } = compute);
  });
  afterEach(() => compute.close());

  const show = (id: string, as = 'alice') => compute.show(id, as);
  const untilStatus = (id: string, status: string) => compute.untilStatus(id, status, 'alice');
  const create = (more: object = {}, as = 'alice', headers = {}) =>
    server.call(
      as,
      'POST',
      `${base}/servers`,
      { server: { name: 'web', flavorRef: '1', imageRef: 'tiny', ...more } },
      headers,
    );
  const active = async (more: object = {}): Promise<string> => {
    const { id } = (await create(more)).json.server;
    expect((await untilStatus(id, 'ACTIVE')).status).toBe('ACTIVE');
    return id;
  };
  const act = (id: string, body: object, as = 'alice') =>
    server.call(as, 'POST', `${base}/servers/${id}/action`, body);
  const usage = () => platform.quotas.usage(platform.db.read, 'p1');

  test('a server is created, becomes ACTIVE when its host says so, and is gone after a delete, with all it had', async () => {
    const made = await create({ metadata: { role: 'web' }, security_groups: [{ name: 'default' }] });
    expect(made.status).toBe(202);
    const { id, links, adminPass, security_groups } = made.json.server;
    expect(made.headers['location']).toBe(links[0].href);
    expect(adminPass.length).toBeGreaterThan(8);
    expect(security_groups).toEqual([{ name: 'default' }]);
    const shown = await untilStatus(id, 'ACTIVE');
    expect(shown).toMatchObject({
      status: 'ACTIVE',
      'OS-EXT-STS:vm_state': 'active',
      'OS-EXT-STS:power_state': 1,
      metadata: { role: 'web' },
      key_name: null,
      config_drive: '',
      addresses: { net: [{ version: 4, 'OS-EXT-IPS:type': 'fixed' }] },
      flavor: { id: '1' },
      image: { id: 'tiny' },
      tenant_id: 'p1',
      progress: 0,
    });
    expect(shown['OS-SRV-USG:launched_at']).toMatch(/^\d{4}-.*\.\d{6}$/);
    expect(await usage()).toMatchObject({ instances: 1, cores: 1, ram: 512 });
    expect(host.bodies.get(id)?.body).toMatchObject({
      type: 'vm',
      vcpus: 1,
      memoryMib: 512,
      rootGib: 1,
      power: 'running',
      metadata: { meta: { role: 'web' } },
    });
    expect((await server.call('alice', 'DELETE', `${base}/servers/${id}`)).status).toBe(204);
    expect(
      (
        await eventually(
          () => server.call('alice', 'GET', `${base}/servers/${id}`),
          (one) => one.status === 404,
        )
      ).status,
    ).toBe(404);
    expect((await server.call('alice', 'DELETE', `${base}/servers/${id}`)).status).toBe(404);
    expect(await usage()).toMatchObject({ instances: 0, cores: 0, ram: 0 });
    expect([cloud.placement.claimed.size, cloud.network.ports.size, host.bodies.size]).toEqual([0, 0, 0]);
  });

  test('every power verb reaches the host and shows in status, task and history', async () => {
    const id = await active();
    host.answer = () => null;
    expect((await act(id, { 'os-stop': null })).status).toBe(202);
    expect(await show(id)).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': 'powering-off' });
    const busy = await act(id, { 'os-start': null });
    expect(busy.status).toBe(409);
    expect(busy.json.conflictingRequest.message).toContain(
      `Cannot 'start' instance ${id} while it is in vm_state active`,
    );
    await server.settle();
    await host.report(id, { power: 'stopped' });
    expect((await untilStatus(id, 'SHUTOFF'))['OS-EXT-STS:power_state']).toBe(4);
    host.answer = (_, body) => ({ state: 'applied', error: null, power: body.power });
    for (const [action, status] of [
      ['os-start', 'ACTIVE'],
      ['pause', 'PAUSED'],
      ['unpause', 'ACTIVE'],
      ['suspend', 'SUSPENDED'],
      ['resume', 'ACTIVE'],
    ] as const) {
      expect((await act(id, { [action]: null })).status).toBe(202);
      expect((await untilStatus(id, status)).status).toBe(status);
    }
    host.answer = () => null;
    expect((await act(id, { reboot: { type: 'SOFT' } })).status).toBe(202);
    expect((await show(id)).status).toBe('REBOOT');
    expect((await act(id, { reboot: { type: 'HARD' } })).status).toBe(202);
    expect((await show(id)).status).toBe('HARD_REBOOT');
    await server.settle();
    await eventually(
      async () => host.bodies.get(id)?.body.rebootCount,
      (one) => one === 2,
    );
    expect(host.bodies.get(id)?.body).toMatchObject({ rebootCount: 2, rebootHard: true });
    await host.report(id, { power: 'running' });
    expect((await untilStatus(id, 'ACTIVE')).status).toBe('ACTIVE');
    const { instanceActions } = (
      await server.call('alice', 'GET', `${base}/servers/${id}/os-instance-actions`)
    ).json;
    expect(instanceActions.map((one: { action: string }) => one.action)).toEqual([
      'reboot',
      'reboot',
      'resume',
      'suspend',
      'unpause',
      'pause',
      'start',
      'stop',
      'create',
    ]);
    const shown = async (requestId: string) =>
      (await server.call('root', 'GET', `${base}/servers/${id}/os-instance-actions/${requestId}`)).json
        .instanceAction;
    const one = await shown(instanceActions[0].request_id);
    expect(one.events[0]).toMatchObject({ event: 'compute_reboot_instance', result: 'Success' });
    // As Nova's compute manager names its methods: clients wait for events by their names.
    expect((await shown(instanceActions.at(-1).request_id)).events[0].event).toBe(
      'compute__do_build_and_run_instance',
    );
  });

  test('a container cannot be suspended, and the answer says why', async () => {
    const id = await active({ imageRef: 'box' });
    expect(host.bodies.get(id)?.body.type).toBe('container');
    const refused = await act(id, { suspend: null });
    expect([refused.status, refused.json.conflictingRequest.message]).toEqual([
      409,
      expect.stringContaining('podman on its host cannot suspend'),
    ]);
  });

  test('a server without a host is in ERROR with the reason, holds quota until deleted, and has no ports', async () => {
    cloud.placement.hosts.clear();
    const { id } = (await create()).json.server;
    const shown = await show(id);
    expect(shown).toMatchObject({
      status: 'ERROR',
      'OS-EXT-STS:vm_state': 'error',
      addresses: {},
      hostId: '',
      fault: { code: 500 },
    });
    expect(shown.fault.message).toBe(
      'No valid host was found. There are not enough hosts available: 1 considered, refused by memory 1. node-9: memory 512 MiB requested, 128 of 2048 MiB free.',
    );
    expect(await usage()).toMatchObject({ instances: 1 });
    expect(cloud.network.ports.size).toBe(0);
    expect((await server.call('alice', 'DELETE', `${base}/servers/${id}`)).status).toBe(204);
    expect((await server.call('alice', 'GET', `${base}/servers/${id}`)).status).toBe(404);
    expect(await usage()).toMatchObject({ instances: 0 });
  });

  test('a container does not boot from a volume, and the answer says how it can have one', async () => {
    const device = { destination_type: 'volume', volume_size: 1 };
    const booting = await create({
      imageRef: undefined,
      block_device_mapping_v2: [{ ...device, source_type: 'image', uuid: 'box', boot_index: 0 }],
    });
    expect([booting.status, booting.json.badRequest.message]).toEqual([
      400,
      'Block Device Mapping is Invalid: a container boots from its image; name it as imageRef, and volumes with boot_index -1.',
    ]);
  });

  test('a failure is a fault of the server, and heals when the host succeeds later', async () => {
    host.answer = () => ({ state: 'failed', error: 'image tiny: checksum differs; upload it again' });
    const { id } = (await create()).json.server;
    const failed = await untilStatus(id, 'ERROR');
    expect(failed.fault.message).toBe('image tiny: checksum differs; upload it again');
    await host.report(id, { power: 'running' });
    const healed = await untilStatus(id, 'ACTIVE');
    expect([healed.status, healed.fault]).toEqual(['ACTIVE', undefined]);
  });

  test('a guest that crashed is SHUTOFF and starts again only when asked', async () => {
    const id = await active();
    await host.report(id, { power: 'crashed' });
    expect((await untilStatus(id, 'SHUTOFF')).status).toBe('SHUTOFF');
    await server.settle();
    expect(host.bodies.get(id)?.body.power).toBe('stopped');
    const [last] = (await server.call('alice', 'GET', `${base}/servers/${id}/os-instance-actions`)).json
      .instanceActions;
    expect(last).toMatchObject({ action: 'stop', message: 'The guest crashed', user_id: null });
    expect((await act(id, { 'os-start': null })).status).toBe(202);
    expect((await untilStatus(id, 'ACTIVE')).status).toBe('ACTIVE');
  });

  const history = async (id: string) =>
    (await server.call('alice', 'GET', `${base}/servers/${id}/os-instance-actions`)).json.instanceActions as {
      action: string;
      message: string | null;
    }[];

  test('a guest that the host brought back stays ACTIVE, and each time is an entry in its history', async () => {
    const id = await active();
    for (const restarts of [1, 1, 2, 0, 1]) {
      await host.report(id, { power: 'running', restarts });
      expect((await show(id)).status).toBe('ACTIVE');
    }
    const back = (await history(id)).filter((one) => one.message?.includes('was started again') === true);
    expect(back.map((one) => one.action)).toEqual(['reboot', 'reboot', 'reboot']);
  });

  test('a host that gives up on a guest makes it an ERROR with a fault, from which every way that Nova allows leads back', async () => {
    const ways: [string, string, object[]][] = [
      ['alice', 'ACTIVE', [{ reboot: { type: 'HARD' } }]],
      ['alice', 'ACTIVE', [{ 'os-stop': null }, { 'os-start': null }]],
      ['root', 'ACTIVE', [{ 'os-resetState': { state: 'active' } }]],
    ];
    for (const [who, end, actions] of ways) {
      const id = await active();
      await host.report(id, {
        state: 'failed',
        error: 'it ended unexpectedly and is not restarted any more',
      });
      expect((await untilStatus(id, 'ERROR')).fault.message).toContain('not restarted any more');
      expect((await history(id))[0]?.message).toContain('failed');
      expect((await act(id, { 'os-start': null })).status).toBe(409);
      for (const action of actions) {
        expect((await act(id, action, who)).status).toBe(202);
        if ('os-stop' in action) await untilStatus(id, 'SHUTOFF');
      }
      expect((await untilStatus(id, end)).status).toBe(end);
    }
  });

  test('only operators reset the state of a server, and one that never ran is not made to look as if it did', async () => {
    const id = await active();
    const reset = (state: string, as: string, which = id) => act(which, { 'os-resetState': { state } }, as);
    expect((await reset('error', 'alice')).status).toBe(403);
    expect((await reset('paused', 'root')).status).toBe(400);
    expect((await reset('error', 'root')).status).toBe(202);
    expect((await show(id)).status).toBe('ERROR');
    expect((await reset('active', 'root')).status).toBe(202);
    expect((await show(id)).status).toBe('ACTIVE');
    host.answer = () => ({ state: 'failed', error: 'no such image' });
    const never = (await create()).json.server.id as string;
    await untilStatus(never, 'ERROR');
    expect((await reset('active', 'root', never)).status).toBe(409);
  });

  test('200 concurrent creates against a quota of 50 make exactly 50, and the ledger equals the sum', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => create()));
    const made = answers.filter((one) => one.status === 202);
    expect(made.length).toBe(50);
    expect(
      answers.filter(
        (one) => one.status === 403 && one.json.forbidden.message.includes('Quota exceeded for instances'),
      ).length,
    ).toBe(150);
    const rows = await platform.db.read.selectFrom('servers').select('id').execute();
    expect(rows.length).toBe(50);
    expect(await usage()).toMatchObject({ instances: 50, cores: 50, ram: 50 * 512 });
    await Promise.all(
      made.map((one) => server.call('alice', 'DELETE', `${base}/servers/${one.json.server.id}`)),
    );
    await eventually(
      async () => (await usage())['instances'],
      (one) => one === 0,
    );
    expect(await usage()).toMatchObject({ instances: 0, cores: 0, ram: 0 });
  });

  test("another project's server is 404 on every verb, and readers may not change theirs", async () => {
    const id = await active();
    const url = `${base}/servers/${id}`;
    for (const [method, path, body] of [
      ['GET', url],
      ['PUT', url, { server: { name: 'x' } }],
      ['DELETE', url],
      ['POST', `${url}/action`, { 'os-stop': null }],
      ['GET', `${url}/metadata`],
      ['POST', `${url}/metadata`, { metadata: {} }],
      ['GET', `${url}/ips`],
      ['GET', `${url}/os-instance-actions`],
      ['GET', `${url}/os-interface`],
      ['GET', `${url}/os-security-groups`],
    ] as const) {
      const answer = await server.call('bob', method, path, body);
      expect([path, answer.status, answer.json.itemNotFound?.code]).toEqual([path, 404, 404]);
    }
    expect((await server.call('reader', 'GET', url)).status).toBe(200);
    expect((await server.call('reader', 'DELETE', url)).status).toBe(403);
    expect((await server.call('bob', 'GET', `${base}/servers`)).json.servers).toEqual([]);
    expect((await server.call('bob', 'GET', `${base}/servers?all_tenants=1`)).status).toBe(403);
    expect(
      (await server.call('root', 'GET', `${base}/servers/detail?all_tenants=1`)).json.servers[0][
        'OS-EXT-SRV-ATTR:host'
      ],
    ).toBe('node-1');
    expect(
      (await server.call('root', 'GET', `${base}/servers/detail?all_tenants=1`, undefined, latest)).json
        .servers[0].host_status,
    ).toBe('UP');
  });

  test('a locked server refuses its owner, not an operator, and an operator lock only an operator opens', async () => {
    const id = await active();
    expect((await act(id, { lock: null })).status).toBe(202);
    expect((await act(id, { 'os-stop': null })).json.conflictingRequest.message).toBe(
      `Instance ${id} is locked.`,
    );
    expect((await server.call('alice', 'DELETE', `${base}/servers/${id}`)).status).toBe(409);
    expect((await act(id, { unlock: null })).status).toBe(202);
    await act(id, { lock: null }, 'root');
    expect((await act(id, { unlock: null })).status).toBe(403);
    expect((await act(id, { unlock: null }, 'root')).status).toBe(202);
  });
});
