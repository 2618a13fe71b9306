// Networks and subnets over HTTP, on both engines.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('networks and subnets', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine);
  });
  afterAll(() => cloud.close());

  test('a network looks as in Neutron', async () => {
    const network = await cloud.make('alice', '/networks', { network: { name: 'blue', description: 'x' } });
    expect(network).toMatchObject({
      name: 'blue',
      description: 'x',
      project_id: 'project-a',
      tenant_id: 'project-a',
      status: 'ACTIVE',
      admin_state_up: true,
      shared: false,
      'router:external': false,
      port_security_enabled: true,
      mtu: 1450,
      subnets: [],
      tags: [],
      revision_number: 0,
    });
    expect(network).not.toHaveProperty('provider:segmentation_id');
    const seen = await cloud.call('admin', 'GET', `/networks/${network.id}`);
    expect(seen.json.network).toMatchObject({ 'provider:network_type': 'vxlan' });
  });

  test('another tenant finds no network, and a reader may not write', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.1.0.0/24');
    for (const [method, path, body] of [
      ['GET', `/networks/${networkId}`],
      ['PUT', `/networks/${networkId}`, { network: { name: 'x' } }],
      ['DELETE', `/networks/${networkId}`],
      ['GET', `/subnets/${subnetId}`],
      ['PUT', `/subnets/${subnetId}`, { subnet: { name: 'x' } }],
      ['DELETE', `/subnets/${subnetId}`],
      ['POST', '/subnets', { subnet: { network_id: networkId, ip_version: 4, cidr: '10.9.0.0/24' } }],
      ['POST', '/ports', { port: { network_id: networkId } }],
      ['PUT', `/networks/${networkId}/tags`, { tags: ['x'] }],
    ] as const) {
      const answer = await cloud.call('bob', method, path, body);
      expect([method, path, answer.status]).toEqual([method, path, 404]);
    }
    expect((await cloud.call('bob', 'GET', `/networks?id=${networkId}`)).json.networks).toEqual([]);
    expect((await cloud.call('rita', 'GET', `/networks/${networkId}`)).status).toBe(200);
    expect(
      (await cloud.call('rita', 'PUT', `/networks/${networkId}`, { network: { name: 'x' } })).status,
    ).toBe(403);
    expect(
      (await cloud.call('bob', 'POST', '/networks', { network: { project_id: 'project-a' } })).status,
    ).toBe(403);
  });

  test('shared and external networks are visible to all, and only operators make them', async () => {
    for (const field of ['shared', 'router:external'])
      expect((await cloud.call('alice', 'POST', '/networks', { network: { [field]: true } })).status).toBe(
        403,
      );
    expect(
      (await cloud.call('alice', 'POST', '/networks', { network: { 'provider:segmentation_id': 7 } })).status,
    ).toBe(403);
    const shared = await cloud.make('admin', '/networks', { network: { name: 'shared', shared: true } });
    expect((await cloud.call('bob', 'GET', `/networks/${shared.id}`)).status).toBe(200);
    expect(
      (await cloud.call('bob', 'PUT', `/networks/${shared.id}`, { network: { name: 'mine' } })).status,
    ).toBe(403);
    expect(
      (
        await cloud.call('bob', 'POST', '/subnets', {
          subnet: { network_id: shared.id, ip_version: 4, cidr: '10.2.0.0/24' },
        })
      ).status,
    ).toBe(403);
    const { networkId } = await cloud.external('198.51.100.0/24');
    expect((await cloud.call('bob', 'GET', `/networks/${networkId}`)).json.network['router:external']).toBe(
      true,
    );
    expect((await cloud.call('bob', 'POST', '/ports', { port: { network_id: networkId } })).status).toBe(403);
  });

  test('a change or deletion that names another revision is refused with 412 and changes nothing', async () => {
    const made = await cloud.make('alice', '/networks', { network: { name: 'one' } });
    const path = `/networks/${made.id}`;
    const at = (revision: number | string) => ({ 'if-match': `revision_number=${revision}` });
    const named = (name: string) => ({ network: { name } });
    expect((await cloud.call('alice', 'PUT', path, named('two'), at(0))).json.network.revision_number).toBe(
      1,
    );
    const late = await cloud.call('alice', 'PUT', path, named('three'), at(0));
    expect([late.status, late.json.NeutronError.message]).toEqual([
      412,
      'Constrained to 0, but current revision is 1',
    ]);
    expect((await cloud.call('alice', 'DELETE', path, undefined, at(0))).status).toBe(412);
    expect((await cloud.call('alice', 'DELETE', path, undefined, at('x'))).status).toBe(400);
    expect((await cloud.call('alice', 'GET', path)).json.network.name).toBe('two');
    expect((await cloud.call('alice', 'DELETE', path, undefined, at(1))).status).toBe(204);
  });

  test('a filter that does not exist is refused, not ignored; changed_since finds what is newer', async () => {
    const wrong = await cloud.call('alice', 'GET', '/networks?colour=blue');
    expect(wrong.status).toBe(400);
    expect(wrong.json.NeutronError.message).toContain("['colour'] is invalid attribute for filtering");
    await cloud.make('alice', '/networks', { network: { name: 'recent' } });
    const since = async (time: string) =>
      (await cloud.call('alice', 'GET', `/networks?name=recent&changed_since=${time}`)).json.networks.length;
    expect([await since('1970-01-01T00:00:00Z'), await since('2970-01-01T00:00:00')]).toEqual([1, 0]);
    expect((await cloud.call('alice', 'GET', '/networks?changed_since=yesterday')).status).toBe(400);
    const typed = async (query: string) =>
      (await cloud.call('admin', 'GET', `/networks?name=recent&${query}`)).json.networks.length;
    expect(await typed('provider:network_type=vxlan')).toBe(1);
    expect(await typed('provider:network_type=flat')).toBe(0);
    expect(await typed('provider:physical_network=public')).toBe(0);
  });

  test('an external network takes its unused floating IPs along, and their quota', async () => {
    const { networkId } = await cloud.external('192.0.2.0/24');
    const ask = { floatingip: { floating_network_id: networkId } };
    const floating = await cloud.make('bob', '/floatingips', ask);
    expect((await cloud.call('admin', 'DELETE', `/networks/${networkId}`)).status).toBe(204);
    expect((await cloud.call('bob', 'GET', `/floatingips/${floating.id}`)).status).toBe(404);
    const usage = (await cloud.call('bob', 'GET', '/quotas/project-b/details.json')).json.quota;
    expect(usage.floatingip.used).toBe(0);
  });

  test('lists filter, sort, page in both directions and pick fields', async () => {
    for (const name of ['p1', 'p2', 'p3', 'p4', 'p5'])
      await cloud.make('bob', '/networks', { network: { name } });
    const names = async (query: string): Promise<string[]> =>
      (await cloud.call('bob', 'GET', `/networks?${query}`)).json.networks.map(
        (one: { name: string }) => one.name,
      );
    expect(await names('name=p1&name=p3&sort_key=name&sort_dir=desc')).toEqual(['p3', 'p1']);
    expect(await names('shared=False&router:external=False&sort_key=name')).toEqual([
      'p1',
      'p2',
      'p3',
      'p4',
      'p5',
    ]);
    expect(
      (await cloud.call('bob', 'GET', '/networks?name=p2&fields=name&fields=mtu')).json.networks,
    ).toEqual([{ name: 'p2', mtu: 1450 }]);
    const own = 'shared=False&router:external=False&sort_key=name&limit=2';
    const first = (await cloud.call('bob', 'GET', `/networks?${own}`)).json;
    expect(first.networks_links.map((link: { rel: string }) => link.rel)).toEqual(['next']);
    const follow = async (page: typeof first, rel: string) => {
      const href = String(page.networks_links.find((link: { rel: string }) => link.rel === rel).href);
      return (await cloud.server.call('bob', 'GET', href.slice('http://cloud.test'.length))).json;
    };
    const second = await follow(first, 'next');
    expect(second.networks.map((one: { name: string }) => one.name)).toEqual(['p3', 'p4']);
    const third = await follow(second, 'next');
    expect(third.networks.map((one: { name: string }) => one.name)).toEqual(['p5']);
    const back = await follow(third, 'previous');
    expect(back.networks.map((one: { name: string }) => one.name)).toEqual(['p3', 'p4']);
    expect((await cloud.call('bob', 'GET', '/networks?sort_key=nonsense')).status).toBe(400);
    expect((await cloud.call('bob', 'GET', '/networks?marker=nobody&limit=1')).status).toBe(404);
    expect((await cloud.call('bob', 'GET', '/networks?limit=minus')).status).toBe(400);
  });

  test('several objects are created in one request, or none', async () => {
    const before = (await cloud.call('bob', 'GET', '/networks')).json.networks.length;
    const refused = await cloud.call('bob', 'POST', '/networks', {
      networks: [{ name: 'a' }, { name: 'b', shared: true }],
    });
    expect(refused.status).toBe(403);
    expect((await cloud.call('bob', 'GET', '/networks')).json.networks.length).toBe(before);
    const made = await cloud.call('bob', 'POST', '/networks', { networks: [{ name: 'a' }, { name: 'b' }] });
    expect(made.json.networks.map((one: { name: string }) => one.name)).toEqual(['a', 'b']);
    expect((await cloud.call('bob', 'POST', '/networks', {})).status).toBe(400);
    expect((await cloud.call('bob', 'POST', '/networks', { network: { nmae: 'x' } })).status).toBe(400);
  });

  test('a subnet gets its gateway, its pools and the address of DHCP', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.3.0.0/24', {
      dns_nameservers: ['9.9.9.9'],
    });
    const { subnet } = (await cloud.call('alice', 'GET', `/subnets/${subnetId}`)).json;
    expect(subnet).toMatchObject({
      gateway_ip: '10.3.0.1',
      allocation_pools: [{ start: '10.3.0.2', end: '10.3.0.254' }],
      enable_dhcp: true,
      dns_nameservers: ['9.9.9.9'],
      host_routes: [],
      ip_version: 4,
      cidr: '10.3.0.0/24',
      ipv6_ra_mode: null,
      ipv6_address_mode: null,
      subnetpool_id: null,
    });
    const { ports } = (
      await cloud.call('alice', 'GET', `/ports?network_id=${networkId}&device_owner=network:dhcp`)
    ).json;
    expect(ports[0].fixed_ips).toEqual([{ subnet_id: subnetId, ip_address: '10.3.0.2' }]);
    const none = await cloud.make('alice', '/subnets', {
      subnet: {
        network_id: networkId,
        ip_version: 4,
        cidr: '10.4.0.0/29',
        gateway_ip: null,
        enable_dhcp: false,
      },
    });
    expect(none).toMatchObject({
      gateway_ip: null,
      allocation_pools: [{ start: '10.4.0.1', end: '10.4.0.6' }],
    });
    const v6 = await cloud.make('alice', '/subnets', {
      subnet: {
        network_id: networkId,
        ip_version: 6,
        cidr: 'fd00:1::/64',
        ipv6_ra_mode: 'slaac',
        ipv6_address_mode: 'slaac',
      },
    });
    expect(v6).toMatchObject({
      gateway_ip: 'fd00:1::1',
      allocation_pools: [{ start: 'fd00:1::2', end: 'fd00:1::ffff:ffff:ffff:ffff' }],
    });
  });

  test.each([
    [{ cidr: '10.5.0.1/24' }, 400],
    [{ cidr: 'nonsense' }, 400],
    [{ cidr: '10.5.0.0/33' }, 400],
    [{ cidr: '0.0.0.0/0' }, 400],
    [{ cidr: '224.0.0.0/24' }, 400],
    [{ cidr: '127.0.0.0/24' }, 400],
    [{ cidr: '10.5.0.0/31' }, 400],
    [{ cidr: 'fd00::/64' }, 400],
    [{ cidr: '10.5.0.0/24', gateway_ip: '10.6.0.1' }, 400],
    [{ cidr: '10.5.0.0/24', gateway_ip: '10.5.0.255' }, 400],
    [{ cidr: '10.5.0.0/24', gateway_ip: 'what' }, 400],
    [{ cidr: '10.5.0.0/24', allocation_pools: [{ start: '10.5.0.1', end: '10.5.0.9' }] }, 409],
    [{ cidr: '10.5.0.0/24', allocation_pools: [{ start: '10.5.0.9', end: '10.5.0.5' }] }, 400],
    [{ cidr: '10.5.0.0/24', allocation_pools: [{ start: '10.5.0.9', end: '10.5.1.5' }] }, 400],
    [
      {
        cidr: '10.5.0.0/24',
        allocation_pools: [
          { start: '10.5.0.10', end: '10.5.0.20' },
          { start: '10.5.0.20', end: '10.5.0.30' },
        ],
      },
      409,
    ],
    [{ cidr: '10.5.0.0/24', dns_nameservers: ['9.9.9.9\n10.0.0.1'] }, 400],
    [{ cidr: '10.5.0.0/24', dns_nameservers: ['9.9.9.9', '9.9.9.9'] }, 400],
    [{ cidr: '10.5.0.0/24', host_routes: [{ destination: '10.0.0.0/8', nexthop: '::1' }] }, 400],
    [{ cidr: '10.5.0.0/24', ipv6_ra_mode: 'slaac' }, 400],
    [{ cidr: 'fd00::/80', ip_version: 6, ipv6_address_mode: 'slaac' }, 400],
    [{ cidr: 'fd00::/64', ip_version: 6, ipv6_address_mode: 'slaac', ipv6_ra_mode: 'dhcpv6-stateful' }, 400],
    [{ cidr: '10.5.0.0/24', name: 'a\nb' }, 400],
    [{ cidr: '10.5.0.0/24', allocation_pools: [] }, 409],
  ])('a subnet with %j is refused with %i and nothing is left', async (input, status) => {
    const network = await cloud.make('alice', '/networks', { network: {} });
    const answer = await cloud.call('alice', 'POST', '/subnets', {
      subnet: { network_id: network.id, ip_version: 4, ...input },
    });
    expect([answer.status, answer.text]).toEqual([status, answer.text]);
    expect((await cloud.call('alice', 'GET', `/subnets?network_id=${network.id}`)).json.subnets).toEqual([]);
    expect((await cloud.call('alice', 'GET', `/ports?network_id=${network.id}`)).json.ports).toEqual([]);
    await cloud.call('alice', 'DELETE', `/networks/${network.id}`);
  });

  test('subnets of one network never overlap, those of two may', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.7.0.0/16');
    const answer = await cloud.call('alice', 'POST', '/subnets', {
      subnet: { network_id: networkId, ip_version: 4, cidr: '10.7.8.0/24' },
    });
    expect([answer.status, typeOf(answer)]).toEqual([400, 'InvalidInput']);
    await cloud.networkWith('bob', '10.7.0.0/16');
  });

  test('changing pools and gateway keeps what is held and refuses conflicts', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.8.0.0/24', {
      allocation_pools: [{ start: '10.8.0.10', end: '10.8.0.12' }],
    });
    const put = (subnet: object) => cloud.call('alice', 'PUT', `/subnets/${subnetId}`, { subnet });
    expect((await put({ gateway_ip: '10.8.0.11' })).status).toBe(409);
    expect((await put({ gateway_ip: '10.9.0.1' })).status).toBe(400);
    const changed = await put({
      gateway_ip: null,
      allocation_pools: [{ start: '10.8.0.10', end: '10.8.0.11' }],
      name: 'n',
    });
    expect(changed.json.subnet).toMatchObject({ gateway_ip: null, name: 'n', revision_number: 1 });
    const port = await cloud.make('alice', '/ports', { port: { network_id: networkId } });
    expect(port.fixed_ips[0].ip_address).toBe('10.8.0.11'); // .10 is DHCP's
    const full = await cloud.call('alice', 'POST', '/ports', { port: { network_id: networkId } });
    expect([full.status, typeOf(full)]).toEqual([409, 'IpAddressGenerationFailure']);
    expect((await put({ enable_dhcp: false })).status).toBe(200);
    expect(
      (await cloud.make('alice', '/ports', { port: { network_id: networkId } })).fixed_ips[0].ip_address,
    ).toBe('10.8.0.10');
  });

  test('a network or subnet in use stays; DHCP alone is no use', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.10.0.0/24');
    const port = await cloud.make('alice', '/ports', { port: { network_id: networkId } });
    const refused = await cloud.call('alice', 'DELETE', `/networks/${networkId}`);
    expect([refused.status, typeOf(refused)]).toEqual([409, 'NetworkInUse']);
    expect(typeOf(await cloud.call('alice', 'DELETE', `/subnets/${subnetId}`))).toBe('SubnetInUse');
    expect((await cloud.call('alice', 'DELETE', `/ports/${port.id}`)).status).toBe(204);
    expect((await cloud.call('alice', 'DELETE', `/networks/${networkId}`)).status).toBe(204);
    expect((await cloud.call('alice', 'GET', `/subnets/${subnetId}`)).status).toBe(404);
    expect((await cloud.call('alice', 'GET', `/ports?network_id=${networkId}`)).json.ports).toEqual([]);
  });

  test('tags are set, listed, filtered by and removed', async () => {
    const { id } = await cloud.make('bob', '/networks', { network: { name: 'tagged' } });
    expect((await cloud.call('bob', 'PUT', `/networks/${id}/tags`, { tags: ['red', 'blue'] })).json).toEqual({
      tags: ['blue', 'red'],
    });
    expect((await cloud.call('bob', 'PUT', `/networks/${id}/tags/green`)).status).toBe(201);
    const count = async (query: string): Promise<number> =>
      (await cloud.call('bob', 'GET', `/networks?name=tagged&${query}`)).json.networks.length;
    expect([
      await count('tags=red,blue'),
      await count('tags=red,pink'),
      await count('tags-any=red,pink'),
      await count('not-tags=red'),
      await count('not-tags-any=pink'),
    ]).toEqual([1, 0, 1, 0, 1]);
    expect((await cloud.call('bob', 'GET', `/networks/${id}/tags/pink`)).status).toBe(404);
    expect((await cloud.call('bob', 'DELETE', `/networks/${id}/tags/red`)).status).toBe(204);
    expect((await cloud.call('bob', 'GET', `/networks/${id}`)).json.network.tags).toEqual(['blue', 'green']);
  });

  test('of fifty concurrent creates exactly what the quota allows is made', async () => {
    expect((await cloud.call('bob', 'PUT', '/quotas/project-b', { quota: { network: 3 } })).status).toBe(403);
    const used = (await cloud.call('bob', 'GET', '/quotas/project-b/details.json')).json.quota.network.used;
    expect(
      (await cloud.call('admin', 'PUT', '/quotas/project-b', { quota: { network: used + 20 } })).json.quota
        .network,
    ).toBe(used + 20);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => cloud.call('bob', 'POST', '/networks', { network: {} })),
    );
    expect(answers.filter((answer) => answer.status === 201).length).toBe(20);
    expect(
      new Set(
        answers
          .filter((answer) => answer.status !== 201)
          .map((answer) => `${answer.status} ${typeOf(answer)}`),
      ),
    ).toEqual(new Set(['409 OverQuota']));
    expect((await cloud.call('bob', 'GET', '/quotas/project-b/details')).json.quota.network).toEqual({
      limit: used + 20,
      used: used + 20,
      reserved: 0,
    });
    expect((await cloud.call('bob', 'GET', '/quotas/project-a')).status).toBe(404);
    expect((await cloud.call('admin', 'DELETE', '/quotas/project-b')).status).toBe(204);
    expect((await cloud.call('bob', 'GET', '/quotas/project-b')).json.quota).toMatchObject({
      network: 100,
      subnet: 100,
      port: 500,
      router: 10,
      floatingip: 50,
    });
  });

  test('discovery needs no token, extensions do', async () => {
    expect((await cloud.server.call(null, 'GET', '/network')).json.versions[0].id).toBe('v2.0');
    expect((await cloud.server.call(null, 'GET', '/networking/v2.0/')).json.resources[0].collection).toBe(
      'networks',
    );
    expect((await cloud.call(null, 'GET', '/extensions')).status).toBe(401);
    expect((await cloud.call('rita', 'GET', '/extensions/router')).json.extension.alias).toBe('router');
    expect((await cloud.call('rita', 'GET', '/extensions/dvr')).status).toBe(404);
  });
});
