// Address scopes over HTTP, on both engines.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type Name, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('address scopes', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine);
  });
  afterAll(() => cloud.close());

  const scope = (as: Name, more: object = {}) =>
    cloud.make(as, '/address-scopes', { address_scope: { name: 's', ip_version: 4, ...more } });
  const pool = (as: Name, more: object) => cloud.call(as, 'POST', '/subnetpools', { subnetpool: more });

  test('a scope looks as in Neutron, is its project’s own, and goes while no pool is in it', async () => {
    const made = await scope('alice');
    expect(made).toEqual({
      id: made.id,
      name: 's',
      project_id: 'project-a',
      tenant_id: 'project-a',
      ip_version: 4,
      shared: false,
    });
    expect((await cloud.call('bob', 'GET', `/address-scopes/${made.id}`)).status).toBe(404);
    const inside = await pool('alice', { prefixes: ['10.0.0.0/16'], address_scope_id: made.id });
    expect(inside.json.subnetpool.address_scope_id).toBe(made.id);
    const refused = await cloud.call('alice', 'DELETE', `/address-scopes/${made.id}`);
    expect([refused.status, typeOf(refused)]).toEqual([409, 'AddressScopeInUse']);
    await cloud.call('alice', 'PUT', `/subnetpools/${inside.json.subnetpool.id}`, {
      subnetpool: { address_scope_id: null },
    });
    expect((await cloud.call('alice', 'DELETE', `/address-scopes/${made.id}`)).status).toBe(204);
  });

  test('pools of one scope never overlap, neither when made, nor when moved, nor when they grow', async () => {
    const made = await scope('alice');
    await pool('alice', { prefixes: ['10.1.0.0/16'], address_scope_id: made.id });
    const clash = await pool('alice', { prefixes: ['10.1.5.0/24'], address_scope_id: made.id });
    expect([clash.status, typeOf(clash)]).toEqual([409, 'AddressScopePrefixConflict']);
    const outside = await pool('alice', { prefixes: ['10.1.6.0/24'] });
    const path = `/subnetpools/${outside.json.subnetpool.id}`;
    const put = (change: object) => cloud.call('alice', 'PUT', path, { subnetpool: change });
    expect((await put({ address_scope_id: made.id })).status).toBe(409);
    const beside = await pool('alice', { prefixes: ['10.2.0.0/16'], address_scope_id: made.id });
    const grown = await cloud.call('alice', 'PUT', `/subnetpools/${beside.json.subnetpool.id}`, {
      subnetpool: { prefixes: ['10.2.0.0/16', '10.1.128.0/24'] },
    });
    expect(grown.status).toBe(409);
    const six = await pool('alice', { prefixes: ['fd00::/48'], address_scope_id: made.id });
    expect([six.status, typeOf(six)]).toEqual([400, 'IllegalSubnetPoolIpVersionAssociation']);
    expect((await pool('bob', { prefixes: ['10.9.0.0/16'], address_scope_id: made.id })).status).toBe(404);
  });

  test('a network shows the scope of its subnets, and is found by it', async () => {
    const made = await scope('alice');
    const own = await pool('alice', { prefixes: ['10.3.0.0/16'], address_scope_id: made.id });
    const network = await cloud.make('alice', '/networks', { network: {} });
    expect(network.ipv4_address_scope).toBe(null);
    await cloud.make('alice', '/subnets', {
      subnet: { network_id: network.id, ip_version: 4, prefixlen: 24, subnetpool_id: own.json.subnetpool.id },
    });
    const shown = (await cloud.call('alice', 'GET', `/networks/${network.id}`)).json.network;
    expect([shown.ipv4_address_scope, shown.ipv6_address_scope]).toEqual([made.id, null]);
    const found = (await cloud.call('alice', 'GET', `/networks?ipv4_address_scope=${made.id}`)).json.networks;
    expect(found.map((one: { id: string }) => one.id)).toEqual([network.id]);
  });

  test('shared by operators it stays shared; shared by a policy it serves one project', async () => {
    expect(
      (
        await cloud.call('alice', 'POST', '/address-scopes', {
          address_scope: { ip_version: 4, shared: true },
        })
      ).status,
    ).toBe(403);
    const all = await scope('admin', { shared: true });
    expect((await cloud.call('bob', 'GET', `/address-scopes/${all.id}`)).json.address_scope.shared).toBe(
      true,
    );
    const off = await cloud.call('admin', 'PUT', `/address-scopes/${all.id}`, {
      address_scope: { shared: false },
    });
    expect([off.status, typeOf(off)]).toEqual([400, 'AddressScopeUpdateError']);
    const made = await scope('alice');
    const policy = await cloud.make('alice', '/rbac-policies', {
      rbac_policy: {
        object_type: 'address_scope',
        object_id: made.id,
        action: 'access_as_shared',
        target_tenant: 'project-b',
      },
    });
    expect((await pool('bob', { prefixes: ['10.4.0.0/16'], address_scope_id: made.id })).status).toBe(201);
    expect((await cloud.call('alice', 'DELETE', `/rbac-policies/${policy.id}`)).status).toBe(409);
  });
});
