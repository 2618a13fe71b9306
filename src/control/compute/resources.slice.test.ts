// Discovery, flavors, key pairs and quotas over HTTP, on both engines.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../testkit/database.ts';
import { testActor, testPlatform, testServer, type TestServer } from '../../testkit/http.ts';
import { fakeCloud } from './fakes.ts';
import { computeQuotas, createComputeService } from './index.ts';

onBothEngines('compute resources', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  let platform: ReturnType<typeof testPlatform>;
  const base = '/compute/v2.1';

  beforeEach(async () => {
    database = await openTestDatabase(engine);
    platform = testPlatform(database.db, computeQuotas);
    const compute = createComputeService(platform, fakeCloud(platform));
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

  test('discovery needs no token and says which microversions are served', async () => {
    const root = await server.call(null, 'GET', '/compute');
    expect(root.json.versions[1]).toMatchObject({
      id: 'v2.1',
      status: 'CURRENT',
      version: '2.96',
      min_version: '2.1',
      links: [{ rel: 'self', href: 'http://cloud.test/compute/v2.1/' }],
    });
    for (const url of ['/compute/v2.1', '/compute/v2.1/'])
      expect((await server.call(null, 'GET', url)).json.version.version).toBe('2.96');
    expect((await server.call(null, 'GET', `${base}/servers`)).status).toBe(401);
    const limits = await call('alice', 'GET', '/limits', undefined, 57);
    expect(limits.headers).toMatchObject({
      'openstack-api-version': 'compute 2.57',
      'x-openstack-nova-api-version': '2.57',
    });
    expect(
      (
        await server.call('alice', 'GET', `${base}/limits`, undefined, {
          'x-openstack-nova-api-version': '2.97',
        })
      ).status,
    ).toBe(406);
  });

  test("flavors: DevStack's set is public; operators make, restrict and delete others", async () => {
    const { flavors } = (await call('alice', 'GET', '/flavors/detail')).json;
    expect(flavors.find((one: { id: string }) => one.id === '42')).toMatchObject({
      name: 'm1.nano',
      ram: 128,
      vcpus: 1,
      disk: 1,
      swap: '',
      'os-flavor-access:is_public': true,
    });
    expect(
      (await call('alice', 'POST', '/flavors', { flavor: { name: 'x', ram: 1, vcpus: 1, disk: 1 } })).status,
    ).toBe(403);
    const made = (
      await call(
        'root',
        'POST',
        '/flavors',
        { flavor: { name: 'big', ram: '2048', vcpus: 2, disk: 10, 'os-flavor-access:is_public': false } },
        61,
      )
    ).json.flavor;
    expect(made).toMatchObject({
      ram: 2048,
      extra_specs: {},
      description: null,
      'os-flavor-access:is_public': false,
    });
    expect(
      (await call('root', 'POST', '/flavors', { flavor: { name: 'big', ram: 1, vcpus: 1, disk: 1 } })).status,
    ).toBe(409);
    expect((await call('alice', 'GET', `/flavors/${made.id}`)).status).toBe(404);
    expect(
      (await call('root', 'POST', `/flavors/${made.id}/action`, { addTenantAccess: { tenant: 'p1' } })).json
        .flavor_access,
    ).toEqual([{ flavor_id: made.id, tenant_id: 'p1' }]);
    expect((await call('alice', 'GET', `/flavors/${made.id}`)).status).toBe(200);
    expect((await call('bob', 'GET', `/flavors/${made.id}`)).status).toBe(404);
    expect(
      (
        await call('root', 'POST', `/flavors/${made.id}/os-extra_specs`, {
          extra_specs: { 'hw:cpu_policy': 'shared' },
        })
      ).json,
    ).toEqual({ extra_specs: { 'hw:cpu_policy': 'shared' } });
    expect((await call('alice', 'GET', `/flavors/${made.id}/os-extra_specs/hw:cpu_policy`)).json).toEqual({
      'hw:cpu_policy': 'shared',
    });
    expect((await call('root', 'DELETE', `/flavors/${made.id}/os-extra_specs/hw:cpu_policy`)).status).toBe(
      200,
    );
    const page = (await call('alice', 'GET', '/flavors?limit=2&minRam=4096')).json;
    expect([page.flavors.length, page.flavors_links[0].href]).toEqual([
      2,
      expect.stringContaining('marker=4'),
    ]);
    expect((await call('root', 'DELETE', `/flavors/${made.id}`)).status).toBe(202);
    expect((await call('root', 'GET', `/flavors/${made.id}`)).status).toBe(404);
    for (const bad of [
      { ram: 0 },
      { vcpus: -1 },
      { disk: 3e9 },
      { ram: '99999999999' },
      { name: 'a\u0001' },
      { rxtx_factor: 0 },
    ])
      expect(
        (
          await call('root', 'POST', '/flavors', {
            flavor: { name: 'bad', ram: 1, vcpus: 1, disk: 1, ...bad },
          })
        ).status,
      ).toBe(400);
  });

  test('key pairs belong to a user; old clients may have one generated, new ones not', async () => {
    const made = await call('alice', 'POST', '/os-keypairs', { keypair: { name: 'k1' } });
    expect([made.status, made.json.keypair.private_key]).toEqual([
      200,
      expect.stringContaining('BEGIN RSA PRIVATE KEY'),
    ]);
    const { public_key } = made.json.keypair;
    const imported = await call(
      'alice',
      'POST',
      '/os-keypairs',
      { keypair: { name: 'k2', public_key, type: 'ssh' } },
      2,
    );
    expect([imported.status, imported.json.keypair.type, imported.json.keypair.private_key]).toEqual([
      201,
      'ssh',
      undefined,
    ]);
    expect(
      (await call('alice', 'POST', '/os-keypairs', { keypair: { name: 'k2', public_key } })).status,
    ).toBe(409);
    expect((await call('alice', 'POST', '/os-keypairs', { keypair: { name: 'k3' } }, 92)).status).toBe(400);
    expect(
      (await call('alice', 'POST', '/os-keypairs', { keypair: { name: 'k3', public_key: 'nonsense' } }))
        .status,
    ).toBe(400);
    expect(
      (await call('alice', 'POST', '/os-keypairs', { keypair: { name: 'a/b', public_key } })).status,
    ).toBe(400);
    const page = (await call('alice', 'GET', '/os-keypairs?limit=1', undefined, 35)).json;
    expect([page.keypairs.length, page.keypairs[0].keypair.name, page.keypairs_links[0].rel]).toEqual([
      1,
      'k1',
      'next',
    ]);
    expect((await call('bob', 'GET', '/os-keypairs')).json).toEqual({ keypairs: [] });
    expect((await call('bob', 'GET', '/os-keypairs/k1')).status).toBe(404);
    expect((await call('bob', 'GET', '/os-keypairs?user_id=user-alice', undefined, 10)).status).toBe(404);
    expect(
      (await call('root', 'GET', '/os-keypairs?user_id=user-alice', undefined, 10)).json.keypairs,
    ).toHaveLength(2);
    expect((await call('alice', 'GET', '/os-keypairs/k1')).json.keypair).toMatchObject({
      name: 'k1',
      user_id: 'user-alice',
      deleted: false,
      id: expect.any(Number),
    });
    expect((await call('alice', 'DELETE', '/os-keypairs/k1')).status).toBe(202);
    expect((await call('alice', 'DELETE', '/os-keypairs/k2', undefined, 2)).status).toBe(204);
  });

  test('quotas are shown to their project, changed by operators, and kept above what is used', async () => {
    expect((await call('alice', 'GET', '/os-quota-sets/p1')).json.quota_set).toMatchObject({
      id: 'p1',
      instances: 10,
      ram: 51_200,
      key_pairs: 100,
      fixed_ips: -1,
      injected_files: 5,
    });
    expect(
      Object.keys((await call('alice', 'GET', '/os-quota-sets/p1', undefined, 57)).json.quota_set).sort(),
    ).toEqual([
      'cores',
      'id',
      'instances',
      'key_pairs',
      'metadata_items',
      'ram',
      'server_group_members',
      'server_groups',
    ]);
    expect((await call('alice', 'GET', '/os-quota-sets/p2')).status).toBe(404);
    expect((await call('alice', 'PUT', '/os-quota-sets/p1', { quota_set: { instances: 99 } })).status).toBe(
      403,
    );
    expect(
      (await call('root', 'PUT', '/os-quota-sets/p1', { quota_set: { instances: '7', cores: -1 } })).json
        .quota_set,
    ).toMatchObject({ instances: 7, cores: -1 });
    expect((await call('alice', 'GET', '/limits')).json.limits.absolute).toMatchObject({
      maxTotalInstances: 7,
      maxTotalCores: -1,
      totalInstancesUsed: 0,
    });
    expect((await call('alice', 'GET', '/os-quota-sets/p1/detail')).json.quota_set.instances).toEqual({
      limit: 7,
      in_use: 0,
      reserved: 0,
    });
    await platform.db.tx((tx) => platform.quotas.claim(tx, 'p1', { instances: 5 }));
    expect((await call('root', 'PUT', '/os-quota-sets/p1', { quota_set: { instances: 4 } })).status).toBe(
      400,
    );
    expect(
      (await call('root', 'PUT', '/os-quota-sets/p1', { quota_set: { instances: 4, force: true } })).status,
    ).toBe(200);
    expect((await call('root', 'DELETE', '/os-quota-sets/p1')).status).toBe(202);
    expect((await call('alice', 'GET', '/os-quota-sets/p1')).json.quota_set.instances).toBe(10);
  });
});
