// Usage, the history of what is gone, external events, hosts and quota classes over HTTP, on both engines.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../../testkit/database.ts';
import { testActor, testPlatform, testServer, type TestServer } from '../../../testkit/http.ts';
import { eventually, type FakeCloud, fakeCloud, fakeHost } from '../fakes.ts';
import { computeQuotas, createComputeService } from '../index.ts';

onBothEngines('usage and hosts', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  let cloud: FakeCloud;
  let platform: ReturnType<typeof testPlatform>;

  beforeEach(async () => {
    database = await openTestDatabase(engine);
    platform = testPlatform(database.db, computeQuotas);
    cloud = fakeCloud(platform);
    const compute = createComputeService(platform, cloud);
    server = await testServer(platform, [compute.service], {
      alice: testActor('alice', 'p1'),
      bob: testActor('bob', 'p2'),
      root: testActor('root', 'p0', ['admin']),
    });
    await compute.bootstrap();
    const host = await fakeHost(cloud.hosts.link, 'node-1');
    cloud.placement.hosts.set('node-1', host.id);
  });
  afterEach(async () => {
    await server.close();
    await database.remove();
  });

  const call = (as: string, method: string, path: string, body?: unknown, minor = 1) =>
    server.call(as, method, `/compute/v2.1${path}`, body, { 'openstack-api-version': `compute 2.${minor}` });
  const active = async (as = 'alice'): Promise<string> => {
    const body = { server: { name: 'web', flavorRef: '1', imageRef: 'tiny' } };
    const { id } = (await call(as, 'POST', '/servers', body)).json.server;
    await eventually(
      async () => (await call(as, 'GET', `/servers/${id}`)).json.server,
      (one) => one.status === 'ACTIVE',
    );
    return id;
  };
  const gone = async (id: string, as = 'alice'): Promise<void> => {
    expect((await call(as, 'DELETE', `/servers/${id}`)).status).toBe(204);
    await eventually(
      () => call(as, 'GET', `/servers/${id}`),
      (answer) => answer.status === 404,
    );
  };
  const stamp = (ms: number): string => new Date(ms).toISOString().replace('Z', '000');
  const day = 86_400_000;
  const period = () => `start=${stamp(Date.now() - day)}&end=${stamp(Date.now() + day)}`;

  test('usage counts what runs and what is gone, is paged from 2.40 on, and is the own project for tenants', async () => {
    const [kept, ended] = [await active(), await active()];
    await active('bob');
    await gone(ended);
    const one = (await call('alice', 'GET', `/os-simple-tenant-usage/p1?${period()}`)).json.tenant_usage;
    expect(one.server_usages.map((each: { instance_id: string }) => each.instance_id).sort()).toEqual(
      [kept, ended].sort(),
    );
    expect(
      one.server_usages.find((each: { instance_id: string }) => each.instance_id === ended),
    ).toMatchObject({ state: 'terminated', ended_at: expect.any(String) });
    expect((await call('alice', 'GET', `/os-simple-tenant-usage/p2?${period()}`)).status).toBe(404);
    expect((await call('alice', 'GET', `/os-simple-tenant-usage?${period()}`)).status).toBe(403);
    const all = (await call('root', 'GET', `/os-simple-tenant-usage?${period()}`)).json.tenant_usages;
    expect(all.map((each: { tenant_id: string }) => each.tenant_id)).toEqual(['p1', 'p2']);
    expect(all[0]).not.toHaveProperty('server_usages');
    let path = `/os-simple-tenant-usage?detailed=1&limit=1&${period()}`;
    const seen: string[] = [];
    for (let page = 0; page < 4; page += 1) {
      const { json } = await call('root', 'GET', path, undefined, 40);
      for (const usage of json.tenant_usages)
        seen.push(...usage.server_usages.map((each: { instance_id: string }) => each.instance_id));
      const next = json.tenant_usages_links?.[0].href;
      if (next === undefined) break;
      path = next.slice(next.indexOf('/os-simple'));
    }
    expect(new Set(seen).size).toBe(3);
    expect(seen).toHaveLength(3);
    expect((await call('root', 'GET', '/os-simple-tenant-usage?start=yesterday')).status).toBe(400);
  });

  test('a server that is gone keeps its history for clients of 2.21 and newer', async () => {
    const id = await active();
    await gone(id);
    expect((await call('alice', 'GET', `/servers/${id}/os-instance-actions`, undefined, 20)).status).toBe(
      404,
    );
    const { instanceActions } = (
      await call('alice', 'GET', `/servers/${id}/os-instance-actions?limit=1`, undefined, 58)
    ).json;
    expect(instanceActions).toMatchObject([{ action: 'delete' }]);
    const shown = await call(
      'alice',
      'GET',
      `/servers/${id}/os-instance-actions/${instanceActions[0].request_id}`,
      undefined,
      51,
    );
    expect(shown.json.instanceAction.events[0]).toMatchObject({ result: 'Success' });
    expect((await call('bob', 'GET', `/servers/${id}/os-instance-actions`, undefined, 58)).status).toBe(404);
  });

  test('external events are answered one by one', async () => {
    const id = await active();
    const events = [
      { name: 'network-changed', server_uuid: id },
      { name: 'network-vif-plugged', server_uuid: 'nobody', tag: 'x' },
    ];
    expect((await call('alice', 'POST', '/os-server-external-events', { events })).status).toBe(403);
    const mixed = await call('root', 'POST', '/os-server-external-events', { events });
    expect([mixed.status, mixed.json.events]).toEqual([
      207,
      [
        { ...events[0], status: 'completed', code: 200 },
        { ...events[1], status: 'failed', code: 404 },
      ],
    ]);
    const newer = { events: [{ name: 'volume-extended', server_uuid: id }] };
    expect((await call('root', 'POST', '/os-server-external-events', newer)).status).toBe(400);
    expect((await call('root', 'POST', '/os-server-external-events', newer, 51)).json.events[0].code).toBe(
      400,
    );
  });

  test('hosts say what they have and who uses it, up to 2.42', async () => {
    await active();
    const { hosts } = (await call('root', 'GET', '/os-hosts?service=compute')).json;
    expect(hosts).toEqual([{ host_name: 'node-1', service: 'compute', zone: 'nova' }]);
    const { host } = (await call('root', 'GET', '/os-hosts/node-1')).json;
    expect(host.map((one: { resource: { project: string } }) => one.resource.project)).toEqual([
      '(total)',
      '(used_now)',
      '(used_max)',
      'p1',
    ]);
    const put = (body: object) => call('root', 'PUT', '/os-hosts/node-1', body);
    expect((await put({ status: 'disable' })).json).toEqual({ host: 'node-1', status: 'disabled' });
    expect((await call('root', 'GET', '/os-hypervisors')).json.hypervisors[0].status).toBe('disabled');
    expect((await put({ status: 'enable' })).json.status).toBe('enabled');
    expect((await put({})).status).toBe(400);
    expect((await put({ maintenance_mode: 'enable' })).status).toBe(501);
    expect((await call('root', 'GET', '/os-hosts/node-1/reboot')).status).toBe(501);
    expect((await call('root', 'GET', '/os-hosts', undefined, 43)).status).toBe(404);
    expect((await call('alice', 'GET', '/os-hosts')).status).toBe(403);
  });

  test('an operator changes the defaults of all projects, and limits one user of a project', async () => {
    const set = (path: string, body: object) => call('root', 'PUT', path, body);
    const defaults = '/os-quota-class-sets/default';
    expect((await set(defaults, { quota_class_set: { instances: 3, key_pairs: 7 } })).json).toMatchObject({
      quota_class_set: { instances: 3, key_pairs: 7, cores: 20 },
    });
    expect((await call('root', 'GET', defaults)).json.quota_class_set).toMatchObject({
      id: 'default',
      instances: 3,
    });
    expect((await call('alice', 'GET', '/os-quota-sets/p1')).json.quota_set.instances).toBe(3);
    expect((await call('alice', 'GET', '/limits')).json.limits.absolute.maxTotalInstances).toBe(3);
    expect((await set('/os-quota-class-sets/other', { quota_class_set: { instances: 3 } })).status).toBe(400);
    const ofUser = '/os-quota-sets/p1?user_id=user-alice';
    expect((await set(ofUser, { quota_set: { instances: 4 } })).status).toBe(400);
    expect((await set(ofUser, { quota_set: { instances: 1 } })).json.quota_set.instances).toBe(1);
    expect((await call('alice', 'GET', '/os-quota-sets/p1')).json.quota_set.instances).toBe(3);
    await active();
    const body = { server: { name: 'web', flavorRef: '1', imageRef: 'tiny' } };
    const refused = await call('alice', 'POST', '/servers', body);
    expect([refused.status, refused.json.forbidden.message]).toEqual([
      403,
      expect.stringContaining('this user may have'),
    ]);
    await call('root', 'DELETE', ofUser);
    expect((await call('alice', 'POST', '/servers', body)).status).toBe(202);
  });
});
