// "Get me a network", the counts of addresses, zones and atomic routes, over HTTP, on both engines.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('automatic networks and what operators look up', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine);
  });
  afterAll(() => cloud.close());
  const topology = (project: string, query = '') => `/auto-allocated-topology/${project}${query}`;

  test('without a default pool or external network nothing can be had, and the answer says what is missing', async () => {
    const dry = await cloud.call('alice', 'GET', topology('project-a', '?fields=dry-run'));
    expect([dry.status, typeOf(dry)]).toEqual([409, 'AutoAllocationFailure']);
    expect(dry.json.NeutronError.message).toContain('No default router:external network');
  });

  test('a project gets one network with a router to the outside, the same at each call, and gives it back', async () => {
    await cloud.network.bootstrap({
      projectId: 'project-admin',
      externalCidr: '203.0.113.0/24',
      externalGateway: '203.0.113.1',
    });
    const dry = (await cloud.call('alice', 'GET', topology('project-a', '?fields=dry-run'))).json;
    expect(dry.auto_allocated_topology.id).toBe('dry-run=pass');
    expect((await cloud.call('alice', 'GET', '/networks?project_id=project-a')).json.networks).toEqual([]);
    const ask = async () => (await cloud.call('alice', 'GET', topology('None'))).json.auto_allocated_topology;
    const made = await ask();
    expect(made).toEqual({ id: made.id, tenant_id: 'project-a', project_id: 'project-a' });
    expect(await ask()).toEqual(made);
    const network = (await cloud.call('alice', 'GET', `/networks/${made.id}`)).json.network;
    expect(network.subnets).toHaveLength(1);
    const [router] = (await cloud.call('alice', 'GET', '/routers')).json.routers;
    expect(router.external_gateway_info.external_fixed_ips).toHaveLength(1);
    expect((await cloud.call('bob', 'GET', topology('project-a'))).status).toBe(404);
    expect((await cloud.call('rita', 'GET', topology('project-a'))).status).toBe(403);
    const port = await cloud.make('alice', '/ports', { port: { network_id: made.id } });
    expect((await cloud.call('alice', 'DELETE', topology('project-a'))).status).toBe(409);
    expect((await cloud.call('alice', 'GET', '/routers')).json.routers).toHaveLength(1);
    await cloud.call('alice', 'DELETE', `/ports/${port.id}`);
    expect((await cloud.call('alice', 'DELETE', topology('project-a'))).status).toBe(204);
    const usage = (await cloud.call('alice', 'GET', '/quotas/project-a/details.json')).json.quota;
    expect([usage.network.used, usage.subnet.used, usage.router.used, usage.port.used]).toEqual([0, 0, 0, 0]);
    expect((await cloud.call('alice', 'DELETE', topology('project-a'))).status).toBe(404);
  });

  test('a server that asks for an automatic network gets it made, and the next one the same', async () => {
    const claim = (id: string) =>
      cloud.tx((tx) =>
        cloud.network.api.claimPorts(
          tx,
          cloud.ctx('bob'),
          { id, projectId: 'project-b', hostname: id, type: 'vm' },
          'allocate',
          null,
        ),
      );
    const [first] = await claim('server-1');
    const [second] = await claim('server-2');
    expect(first?.networkName).toBe('auto_allocated_network');
    expect(second?.networkId).toBe(first?.networkId);
  });

  test('addresses are counted by subnet, for operators', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.1.0.0/24');
    await cloud.make('alice', '/ports', { port: { network_id: networkId } });
    const path = `/network-ip-availabilities/${networkId}`;
    const one = (await cloud.call('admin', 'GET', path)).json.network_ip_availability;
    // The pool without the gateway; DHCP and the port hold one each.
    expect(one).toMatchObject({
      network_id: networkId,
      project_id: 'project-a',
      total_ips: 253,
      used_ips: 2,
    });
    expect(one.subnet_ip_availability).toMatchObject([
      { subnet_id: subnetId, cidr: '10.1.0.0/24', ip_version: 4 },
    ]);
    const list = async (query: string) =>
      (await cloud.call('admin', 'GET', `/network-ip-availabilities?network_id=${networkId}${query}`)).json
        .network_ip_availabilities;
    expect(await list('')).toHaveLength(1);
    expect((await list('&ip_version=6'))[0]).toMatchObject({ total_ips: 0, subnet_ip_availability: [] });
    expect((await cloud.call('alice', 'GET', path)).status).toBe(403);
    expect((await cloud.call('admin', 'GET', '/network-ip-availabilities/none')).status).toBe(404);
  });

  test('a router goes to a host of the zone that it asks for; a zone that is not there is 404', async () => {
    await cloud.addHost('host-1');
    const wrong = await cloud.call('alice', 'POST', '/routers', {
      router: { availability_zone_hints: ['mars'] },
    });
    expect([wrong.status, typeOf(wrong)]).toEqual([404, 'AvailabilityZoneNotFound']);
    const { subnetId } = await cloud.networkWith('alice', '10.2.0.0/24');
    const router = await cloud.make('alice', '/routers', { router: { availability_zone_hints: ['nova'] } });
    expect([router.availability_zone_hints, router.availability_zones]).toEqual([['nova'], []]);
    await cloud.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
    await cloud.server.settle();
    const placed = (await cloud.call('alice', 'GET', `/routers/${router.id}`)).json.router;
    expect(placed.availability_zones).toEqual(['nova']);
  });

  test('extra routes are added and taken one by one, whatever others are there', async () => {
    const { subnetId } = await cloud.networkWith('alice', '10.3.0.0/24');
    const router = await cloud.make('alice', '/routers', { router: {} });
    await cloud.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
    const route = (destination: string) => ({ destination, nexthop: '10.3.0.9' });
    const edit = async (verb: string, ...destinations: string[]) =>
      cloud.call('alice', 'PUT', `/routers/${router.id}/${verb}_extraroutes`, {
        router: { routes: destinations.map(route) },
      });
    const [a, b, c] = ['192.0.2.0/25', '192.0.2.128/25', '198.51.100.0/24'] as const;
    expect((await edit('add', a, b)).json.router.routes).toEqual([route(a), route(b)]);
    expect((await edit('add', b, c)).json.router.routes).toEqual([route(a), route(b), route(c)]);
    expect((await edit('remove', b, '203.0.113.0/24')).json.router.routes).toEqual([route(a), route(c)]);
    const far = await cloud.call('alice', 'PUT', `/routers/${router.id}/add_extraroutes`, {
      router: { routes: [{ destination: b, nexthop: '10.200.0.1' }] },
    });
    expect([far.status, typeOf(far)]).toEqual([400, 'InvalidRoutes']);
    expect(
      (await cloud.call('bob', 'PUT', `/routers/${router.id}/add_extraroutes`, { router: { routes: [] } }))
        .status,
    ).toBe(404);
  });
});
