// What compute shows and administers of hosts, and server groups, over HTTP, on both engines.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../testkit/database.ts';
import { testActor, testPlatform, testServer, type TestServer } from '../../testkit/http.ts';
import { eventually, type FakeCloud, fakeCloud, fakeHost } from './fakes.ts';
import { computeQuotas, createComputeService } from './index.ts';

onBothEngines('hosts in compute', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  let cloud: FakeCloud;
  let platform: ReturnType<typeof testPlatform>;
  const base = '/compute/v2.1';

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
  });
  afterEach(async () => {
    await server.close();
    await database.remove();
  });

  const at = (minor: number) => ({ 'openstack-api-version': `compute 2.${minor}` });
  const call = (as: string | null, method: string, path: string, body?: unknown, minor = 1) =>
    server.call(as, method, base + path, body, at(minor));

  test('hosts show as hypervisors, services and zones, with the ids of each microversion', async () => {
    const host = await fakeHost(cloud.hosts.link, 'node-1');
    await fakeHost(cloud.hosts.link, 'node-2');
    expect((await call('alice', 'GET', '/os-hypervisors')).status).toBe(403);
    expect((await call('root', 'GET', '/os-hypervisors')).json.hypervisors[0]).toEqual({
      id: 1,
      hypervisor_hostname: 'node-1',
      state: 'up',
      status: 'enabled',
    });
    const [old] = (await call('root', 'GET', '/os-hypervisors/detail')).json.hypervisors;
    expect(old).toMatchObject({
      vcpus: 8,
      memory_mb: 16_384,
      free_ram_mb: 16_384,
      local_gb: 100,
      hypervisor_type: 'QEMU',
      cpu_info: expect.any(String),
      service: { id: 1, host: 'node-1', disabled_reason: null },
    });
    const shown = (await call('root', 'GET', `/os-hypervisors/${host.id}`, undefined, 88)).json.hypervisor;
    expect(shown).toMatchObject({ id: host.id, uptime: null });
    expect(shown).not.toHaveProperty('vcpus');
    expect(
      (await call('root', 'GET', '/os-hypervisors?limit=1', undefined, 53)).json.hypervisors_links[0].href,
    ).toContain(`marker=${host.id}`);
    expect(
      (await call('root', 'GET', '/os-hypervisors/statistics')).json.hypervisor_statistics,
    ).toMatchObject({ count: 2, vcpus: 16 });
    expect((await call('root', 'GET', '/os-hypervisors/1/uptime')).status).toBe(501);
    const { services } = (await call('root', 'GET', '/os-services', undefined, 53)).json;
    expect(services.map((one: { binary: string }) => one.binary)).toEqual([
      'nova-conductor',
      'nova-scheduler',
      'nova-compute',
      'nova-compute',
    ]);
    const off = (
      await call(
        'root',
        'PUT',
        `/os-services/${host.id}`,
        { status: 'disabled', disabled_reason: 'repair' },
        53,
      )
    ).json.service;
    expect(off).toMatchObject({ status: 'disabled', state: 'up', disabled_reason: 'repair', zone: 'nova' });
    expect(
      (await call('root', 'PUT', '/os-services/enable', { host: 'node-1', binary: 'nova-compute' })).json
        .service.status,
    ).toBe('enabled');
    expect((await call('alice', 'GET', '/os-availability-zone')).json).toEqual({
      availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true }, hosts: null }],
    });
    expect(
      (await call('root', 'GET', '/os-availability-zone/detail')).json.availabilityZoneInfo[1].hosts[
        'node-1'
      ]['nova-compute'],
    ).toMatchObject({ available: true, active: true });
  });

  test("an aggregate's zone becomes the zone of its hosts, and not under servers", async () => {
    const host = await fakeHost(cloud.hosts.link, 'node-1');
    cloud.placement.hosts.set('node-1', host.id);
    const made = (
      await call(
        'root',
        'POST',
        '/os-aggregates',
        { aggregate: { name: 'rack', availability_zone: 'east' } },
        41,
      )
    ).json.aggregate;
    expect(made).toMatchObject({
      id: expect.any(Number),
      uuid: expect.any(String),
      availability_zone: 'east',
    });
    const path = `/os-aggregates/${made.id}`;
    expect(
      (await call('root', 'POST', `${path}/action`, { add_host: { host: 'node-1' } })).json.aggregate.hosts,
    ).toEqual(['node-1']);
    expect((await call('root', 'POST', `${path}/action`, { add_host: { host: 'node-1' } })).status).toBe(409);
    expect((await call('root', 'POST', `${path}/action`, { add_host: { host: 'nope' } })).status).toBe(404);
    expect((await call('alice', 'GET', '/os-availability-zone')).json.availabilityZoneInfo[0].zoneName).toBe(
      'east',
    );
    expect((await call('root', 'DELETE', path)).status).toBe(400);
    const boot = await call('alice', 'POST', '/servers', {
      server: { name: 's', flavorRef: '1', imageRef: 'tiny', availability_zone: 'east' },
    });
    expect(boot.status).toBe(202);
    expect((await call('root', 'POST', `${path}/action`, { remove_host: { host: 'node-1' } })).status).toBe(
      409,
    );
    expect(
      (
        await call('root', 'POST', `${path}/action`, {
          set_metadata: { metadata: { ssd: 'true', availability_zone: 'west' } },
        })
      ).status,
    ).toBe(409);
    await call('alice', 'DELETE', `/servers/${boot.json.server.id}`);
    await eventually(
      () => call('alice', 'GET', `/servers/${boot.json.server.id}`),
      (one) => one.status === 404,
    );
    expect(
      (
        await call('root', 'POST', `${path}/action`, {
          set_metadata: { metadata: { ssd: 'true', availability_zone: null } },
        })
      ).json.aggregate,
    ).toMatchObject({ metadata: { ssd: 'true' }, availability_zone: null });
    expect(
      (await call('root', 'POST', `${path}/action`, { remove_host: { host: 'node-1' } })).json.aggregate
        .hosts,
    ).toEqual([]);
    expect((await call('root', 'DELETE', path)).status).toBe(200);
    expect((await call('alice', 'GET', '/os-aggregates')).status).toBe(403);
  });

  test('server groups have the shape of their microversion, members and a quota', async () => {
    const host = await fakeHost(cloud.hosts.link, 'node-1');
    cloud.placement.hosts.set('node-1', host.id);
    const group = (
      await call('alice', 'POST', '/os-server-groups', {
        server_group: { name: 'g', policies: ['affinity'] },
      })
    ).json.server_group;
    expect(group).toMatchObject({ policies: ['affinity'], metadata: {}, members: [] });
    expect(
      (
        await call('alice', 'POST', '/os-server-groups', {
          server_group: { name: 'g', policies: ['soft-affinity'] },
        })
      ).status,
    ).toBe(400);
    expect(
      (
        await call(
          'alice',
          'POST',
          '/os-server-groups',
          { server_group: { name: 'g', policy: 'soft-affinity' } },
          64,
        )
      ).json.server_group,
    ).toMatchObject({ policy: 'soft-affinity', rules: {}, project_id: 'p1' });
    const body = {
      server: { name: 's', flavorRef: '1', imageRef: 'tiny', networks: 'none' },
      'os:scheduler_hints': { group: group.id },
    };
    const { id } = (await call('alice', 'POST', '/servers', body, 71)).json.server;
    expect((await call('alice', 'GET', `/servers/${id}`, undefined, 71)).json.server.server_groups).toEqual([
      group.id,
    ]);
    expect((await call('alice', 'GET', `/os-server-groups/${group.id}`)).json.server_group.members).toEqual([
      id,
    ]);
    expect((await call('bob', 'GET', `/os-server-groups/${group.id}`)).status).toBe(404);
    expect((await call('bob', 'POST', '/servers', body, 71)).status).toBe(400);
    expect((await call('bob', 'DELETE', `/os-server-groups/${group.id}`)).status).toBe(404);
    expect((await call('alice', 'DELETE', `/os-server-groups/${group.id}`)).status).toBe(204);
    expect((await call('alice', 'GET', `/servers/${id}`, undefined, 71)).json.server.server_groups).toEqual(
      [],
    );
    expect((await platform.quotas.usage(platform.db.read, 'p1'))['server_groups']).toBe(1);
  });

  test('a host that is forced down takes no servers and shows as down until that is taken back', async () => {
    const host = await fakeHost(cloud.hosts.link, 'node-1');
    const one = `/os-services/${host.id}`;
    const put = (body: object, minor = 53) => call('root', 'PUT', one, body, minor);
    const seen = async () =>
      (await call('root', 'GET', '/os-services?binary=nova-compute', undefined, 53)).json.services[0];
    expect(await seen()).toMatchObject({ state: 'up', forced_down: false });
    expect((await put({ forced_down: true })).json.service).toMatchObject({
      state: 'down',
      forced_down: true,
    });
    await cloud.hosts.link.heartbeat(host.id);
    expect(await seen()).toMatchObject({ state: 'down', status: 'enabled', forced_down: true });
    expect(
      (await call('root', 'GET', `/os-hypervisors/${host.id}`, undefined, 88)).json.hypervisor,
    ).toMatchObject({
      state: 'down',
      uptime: null,
    });
    expect(
      (await put({ forced_down: false, status: 'disabled', disabled_reason: 'fan' })).json.service,
    ).toMatchObject({ state: 'up', status: 'disabled', disabled_reason: 'fan' });
    expect((await put({ disabled_reason: 'x' })).status).toBe(400);
    const older = { host: 'node-1', binary: 'nova-compute', forced_down: true };
    expect((await call('root', 'PUT', '/os-services/force-down', older, 11)).json.service).toEqual(older);
    expect((await seen()).forced_down).toBe(true);
    expect((await call('root', 'PUT', '/os-services/force-down', older, 53)).status).toBe(404);
  });

  test('an anti-affinity group may let several of its servers share a host', async () => {
    const group = (policy: string, rules: object) =>
      call('alice', 'POST', '/os-server-groups', { server_group: { name: 'g', policy, rules } }, 64);
    expect((await group('anti-affinity', { max_server_per_host: 2 })).json.server_group.rules).toEqual({
      max_server_per_host: 2,
    });
    expect((await group('affinity', { max_server_per_host: 2 })).status).toBe(400);
    expect((await group('anti-affinity', { max_server_per_host: 0 })).status).toBe(400);
  });
});
