// Subnet pools over HTTP, on both engines.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('subnet pools', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine);
  });
  afterAll(() => cloud.close());

  const pool = (as: 'alice' | 'admin', body: object) =>
    cloud.make(as, '/subnetpools', { subnetpool: { prefixes: ['10.8.0.0/16'], ...body } });

  test('a pool looks as in Neutron, is changed, and only grows', async () => {
    const made = await pool('alice', {
      name: 'blue',
      prefixes: ['10.1.0.0/16', '10.0.0.0/16'],
      default_prefixlen: '24',
    });
    expect(made).toMatchObject({
      name: 'blue',
      prefixes: ['10.0.0.0/15'],
      ip_version: 4,
      min_prefixlen: 8,
      max_prefixlen: 32,
      default_prefixlen: 24,
      default_quota: null,
      shared: false,
      is_default: false,
      address_scope_id: null,
      project_id: 'project-a',
      tags: [],
    });
    const grown = await cloud.call('alice', 'PUT', `/subnetpools/${made.id}`, {
      subnetpool: { name: 'green', prefixes: ['10.0.0.0/15', '10.4.0.0/16'] },
    });
    expect(grown.json.subnetpool).toMatchObject({
      name: 'green',
      prefixes: ['10.0.0.0/15', '10.4.0.0/16'],
      revision_number: 1,
    });
    const shrunk = await cloud.call('alice', 'PUT', `/subnetpools/${made.id}`, {
      subnetpool: { prefixes: ['10.4.0.0/16'] },
    });
    expect([shrunk.status, typeOf(shrunk)]).toEqual([400, 'IllegalSubnetPoolPrefixUpdate']);
    expect((await cloud.call('bob', 'GET', `/subnetpools/${made.id}`)).status).toBe(404);
    expect((await cloud.call('alice', 'DELETE', `/subnetpools/${made.id}`)).status).toBe(204);
    expect((await cloud.call('alice', 'GET', `/subnetpools/${made.id}`)).status).toBe(404);
  });

  test('what is not a pool is refused, and only operators share one or make it the default', async () => {
    for (const [body, status] of [
      [{ prefixes: ['10.0.0.0/16', '2001:db8::/32'] }, 400],
      [{ prefixes: ['x'] }, 400],
      [{ prefixes: [] }, 400],
      [{ min_prefixlen: 24, max_prefixlen: 20 }, 400],
      [{ default_prefixlen: 33 }, 400],
      [{ shared: true }, 403],
      [{ is_default: true }, 403],
    ] as const)
      expect([
        body,
        (
          await cloud.call('alice', 'POST', '/subnetpools', {
            subnetpool: { prefixes: ['10.8.0.0/16'], ...body },
          })
        ).status,
      ]).toEqual([body, status]);
  });

  test('subnets take pieces that do not overlap, until the pool or its quota is used up', async () => {
    const shared = await pool('admin', {
      prefixes: ['192.168.0.0/23'],
      default_prefixlen: 24,
      shared: true,
      default_quota: 300,
    });
    const network = await cloud.make('alice', '/networks', { network: {} });
    const take = (more: object) =>
      cloud.call('alice', 'POST', '/subnets', {
        subnet: { network_id: network.id, ip_version: 4, subnetpool_id: shared.id, ...more },
      });
    const first = await take({});
    expect(first.json.subnet).toMatchObject({ cidr: '192.168.0.0/24', subnetpool_id: shared.id });
    expect(typeOf(await take({}))).toBe('SubnetPoolQuotaExceeded');
    expect((await take({ prefixlen: 27 })).json.subnet.cidr).toBe('192.168.1.0/27');
    expect(typeOf(await take({ cidr: '192.168.0.128/28' }))).toBe('SubnetAllocationError');
    expect(typeOf(await take({ cidr: '10.0.0.0/24' }))).toBe('SubnetAllocationError');
    expect((await take({ cidr: '192.168.1.32/29', prefixlen: 29 })).status).toBe(400);
    expect((await cloud.call('admin', 'DELETE', `/subnetpools/${shared.id}`)).status).toBe(409);
    expect(
      (
        await cloud.call('bob', 'POST', '/subnets', {
          subnet: { network_id: network.id, ip_version: 4, subnetpool_id: shared.id },
        })
      ).status,
    ).toBe(404);
  });

  test('the default pool is used by name of its purpose', async () => {
    const standard = await pool('admin', {
      prefixes: ['172.20.0.0/16'],
      default_prefixlen: 26,
      is_default: true,
      shared: true,
    });
    expect(
      (
        await cloud.call('admin', 'POST', '/subnetpools', {
          subnetpool: { prefixes: ['172.21.0.0/16'], is_default: true },
        })
      ).status,
    ).toBe(400);
    const network = await cloud.make('alice', '/networks', { network: {} });
    const subnet = await cloud.make('alice', '/subnets', {
      subnet: { network_id: network.id, ip_version: 4, use_default_subnetpool: true },
    });
    expect(subnet).toMatchObject({ cidr: '172.20.0.0/26', subnetpool_id: standard.id });
    expect(
      (await cloud.call('alice', 'POST', '/subnets', { subnet: { network_id: network.id, ip_version: 4 } }))
        .status,
    ).toBe(400);
  });
});
