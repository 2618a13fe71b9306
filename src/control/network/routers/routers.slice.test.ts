// Routers, interfaces, gateways and floating IPs over HTTP.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('routers and floating IPs', (engine) => {
  let cloud: TestCloud;
  let external: { networkId: string; subnetId: string };
  beforeAll(async () => {
    cloud = await testCloud(engine, { router: -1 });
    external = await cloud.external();
  });
  afterAll(() => cloud.close());
  const add = (as: 'alice' | 'bob', id: string, body: object) =>
    cloud.call(as, 'PUT', `/routers/${id}/add_router_interface`, body);
  const removeInterface = (as: 'alice' | 'bob', id: string, body: object) =>
    cloud.call(as, 'PUT', `/routers/${id}/remove_router_interface`, body);
  const gatewayed = () =>
    cloud.make('alice', '/routers', {
      router: { external_gateway_info: { network_id: external.networkId } },
    });

  test('a router gets a gateway address, SNAT, and loses them', async () => {
    const router = await gatewayed();
    expect(router).toMatchObject({
      status: 'ACTIVE',
      admin_state_up: true,
      routes: [],
      external_gateway_info: {
        network_id: external.networkId,
        enable_snat: true,
        external_fixed_ips: [{ subnet_id: external.subnetId }],
      },
    });
    expect(
      (
        await cloud.call('alice', 'PUT', `/routers/${router.id}`, {
          router: { external_gateway_info: { network_id: external.networkId, enable_snat: false } },
        })
      ).status,
    ).toBe(403);
    const admin = await cloud.call('admin', 'PUT', `/routers/${router.id}`, {
      router: {
        external_gateway_info: {
          network_id: external.networkId,
          enable_snat: false,
          external_fixed_ips: [{ ip_address: '203.0.113.77' }],
        },
      },
    });
    expect(admin.json.router.external_gateway_info).toEqual({
      network_id: external.networkId,
      enable_snat: false,
      external_fixed_ips: [{ subnet_id: external.subnetId, ip_address: '203.0.113.77' }],
    });
    expect(
      (await cloud.call('alice', 'PUT', `/routers/${router.id}`, { router: { external_gateway_info: {} } }))
        .json.router.external_gateway_info,
    ).toBeNull();
    const own = await cloud.networkWith('alice', '10.50.0.0/24');
    expect(
      (
        await cloud.call('alice', 'PUT', `/routers/${router.id}`, {
          router: { external_gateway_info: { network_id: own.networkId } },
        })
      ).status,
    ).toBe(400);
    expect(
      (
        await cloud.call('alice', 'PUT', `/routers/${router.id}`, {
          router: { external_gateway_info: { network_id: 'nowhere' } },
        })
      ).status,
    ).toBe(404);
    expect((await cloud.call('alice', 'DELETE', `/routers/${router.id}`)).status).toBe(204);
  });

  test("interfaces take the gateway's address, refuse overlaps, and keep subnet and router", async () => {
    const router = await cloud.make('alice', '/routers', { router: { name: 'r' } });
    const a = await cloud.networkWith('alice', '10.51.0.0/24');
    const b = await cloud.networkWith('alice', '10.51.0.0/25');
    const answer = await add('alice', router.id, { subnet_id: a.subnetId });
    expect(answer.json).toMatchObject({
      id: router.id,
      subnet_id: a.subnetId,
      subnet_ids: [a.subnetId],
      network_id: a.networkId,
      project_id: 'project-a',
    });
    const port = (await cloud.call('alice', 'GET', `/ports/${answer.json.port_id}`)).json.port;
    expect(port).toMatchObject({
      device_owner: 'network:router_interface',
      device_id: router.id,
      fixed_ips: [{ ip_address: '10.51.0.1', subnet_id: a.subnetId }],
    });
    expect((await add('alice', router.id, { subnet_id: b.subnetId })).status).toBe(400);
    expect((await add('alice', router.id, { subnet_id: a.subnetId })).status).toBe(400);
    expect((await add('alice', router.id, {})).status).toBe(400);
    expect((await add('alice', router.id, { subnet_id: a.subnetId, port_id: port.id })).status).toBe(400);
    expect(typeOf(await cloud.call('alice', 'DELETE', `/ports/${port.id}`))).toBe('ServicePortInUse');
    expect(typeOf(await cloud.call('alice', 'DELETE', `/routers/${router.id}`))).toBe('RouterInUse');
    expect(typeOf(await cloud.call('alice', 'DELETE', `/subnets/${a.subnetId}`))).toBe('SubnetInUse');
    expect(typeOf(await cloud.call('alice', 'DELETE', `/networks/${a.networkId}`))).toBe('NetworkInUse');
    expect(
      typeOf(
        await cloud.call('alice', 'PUT', `/subnets/${a.subnetId}`, { subnet: { gateway_ip: '10.51.0.1' } }),
      ),
    ).not.toBe('GatewayIpInUse');
    expect(
      typeOf(await cloud.call('alice', 'PUT', `/subnets/${a.subnetId}`, { subnet: { gateway_ip: null } })),
    ).toBe('GatewayIpInUse');
    expect(typeOf(await removeInterface('alice', router.id, { subnet_id: b.subnetId }))).toBe(
      'RouterInterfaceNotFoundForSubnet',
    );
    expect(typeOf(await removeInterface('alice', router.id, { port_id: 'nowhere' }))).toBe(
      'RouterInterfaceNotFound',
    );
    expect((await removeInterface('alice', router.id, { subnet_id: a.subnetId })).json.port_id).toBe(port.id);
    expect((await cloud.call('alice', 'GET', `/ports/${port.id}`)).status).toBe(404);
  });

  test('a free port becomes an interface; one in use does not', async () => {
    const router = await cloud.make('alice', '/routers', { router: {} });
    const { networkId } = await cloud.networkWith('alice', '10.52.0.0/24');
    const port = await cloud.make('alice', '/ports', {
      port: { network_id: networkId, fixed_ips: [{ ip_address: '10.52.0.254' }] },
    });
    const used = (await cloud.call('alice', 'GET', '/quotas/project-a/details')).json.quota.port.used;
    expect((await add('alice', router.id, { port_id: port.id })).status).toBe(200);
    expect((await cloud.call('alice', 'GET', '/quotas/project-a/details')).json.quota.port.used).toBe(
      used - 1,
    );
    expect(
      typeOf(
        await add('alice', (await cloud.make('alice', '/routers', { router: {} })).id, { port_id: port.id }),
      ),
    ).toBe('PortInUse');
    const routes = (list: object[]) =>
      cloud.call('alice', 'PUT', `/routers/${router.id}`, { router: { routes: list } });
    expect(
      (await routes([{ destination: '192.168.0.0/16', nexthop: '10.52.0.9' }])).json.router.routes,
    ).toEqual([{ destination: '192.168.0.0/16', nexthop: '10.52.0.9' }]);
    expect(typeOf(await routes([{ destination: '192.168.0.0/16', nexthop: '10.99.0.9' }]))).toBe(
      'InvalidRoutes',
    );
    expect(typeOf(await removeInterface('alice', router.id, { port_id: port.id }))).toBe(
      'RouterInterfaceInUseByRoute',
    );
    expect((await routes([])).status).toBe(200);
    expect((await removeInterface('alice', router.id, { port_id: port.id })).status).toBe(200);
  });

  test('another tenant finds neither router nor subnet nor floating IP', async () => {
    const router = await gatewayed();
    const { subnetId } = await cloud.networkWith('alice', '10.53.0.0/24');
    const floating = await cloud.make('alice', '/floatingips', {
      floatingip: { floating_network_id: external.networkId },
    });
    const own = await cloud.make('bob', '/routers', { router: {} });
    expect((await add('bob', own.id, { subnet_id: subnetId })).status).toBe(404);
    expect((await add('bob', router.id, { subnet_id: subnetId })).status).toBe(404);
    expect((await removeInterface('bob', router.id, { subnet_id: subnetId })).status).toBe(404);
    for (const path of [`/routers/${router.id}`, `/floatingips/${floating.id}`])
      for (const method of ['GET', 'DELETE'])
        expect((await cloud.call('bob', method, path)).status).toBe(404);
    expect(
      (await cloud.call('bob', 'PUT', `/floatingips/${floating.id}`, { floatingip: { port_id: null } }))
        .status,
    ).toBe(404);
    expect((await cloud.call('bob', 'GET', `/ports?device_id=${router.id}`)).json.ports).toEqual([]);
  });

  test('a floating IP is associated through a router with a gateway, once a fixed address, and let go', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.54.0.0/24');
    const port = await cloud.make('alice', '/ports', { port: { network_id: networkId } });
    const make = (body: object) =>
      cloud.call('alice', 'POST', '/floatingips', {
        floatingip: { floating_network_id: external.networkId, ...body },
      });
    const unreachable = await make({ port_id: port.id });
    expect([unreachable.status, typeOf(unreachable)]).toEqual([404, 'ExternalGatewayForFloatingIPNotFound']);
    const router = await gatewayed();
    await add('alice', router.id, { subnet_id: subnetId });
    const floating = (await make({ port_id: port.id })).json.floatingip;
    expect(floating).toMatchObject({
      status: 'DOWN',
      port_id: port.id,
      fixed_ip_address: port.fixed_ips[0].ip_address,
      router_id: router.id,
      floating_network_id: external.networkId,
      port_details: { network_id: networkId },
    });
    expect(floating.floating_ip_address).toMatch(/^203\.0\.113\./);
    expect(typeOf(await make({ port_id: port.id }))).toBe('FloatingIPPortAlreadyAssociated');
    expect((await make({ port_id: port.id, fixed_ip_address: '10.54.0.99' })).status).toBe(400);
    expect((await make({ floating_ip_address: '203.0.113.9' })).status).toBe(403);
    expect(
      (await cloud.call('alice', 'POST', '/floatingips', { floatingip: { floating_network_id: networkId } }))
        .status,
    ).toBe(400);
    expect(typeOf(await removeInterface('alice', router.id, { subnet_id: subnetId }))).toBe(
      'RouterInterfaceInUseByFloatingIP',
    );
    expect(
      typeOf(
        await cloud.call('alice', 'PUT', `/routers/${router.id}`, {
          router: { external_gateway_info: null },
        }),
      ),
    ).toBe('RouterExternalGatewayInUseByFloatingIp');
    const put = (body: object) =>
      cloud.call('alice', 'PUT', `/floatingips/${floating.id}`, { floatingip: body });
    expect((await put({ description: 'd' })).json.floatingip).toMatchObject({
      description: 'd',
      port_id: port.id,
    });
    expect((await put({ port_id: null })).json.floatingip).toMatchObject({
      port_id: null,
      fixed_ip_address: null,
      router_id: null,
      port_details: null,
      status: 'DOWN',
    });
    expect((await put({ port_id: port.id })).json.floatingip.port_id).toBe(port.id);
    expect(
      (await cloud.call('alice', 'GET', `/floatingips?port_id=${port.id}`)).json.floatingips.length,
    ).toBe(1);
    expect((await cloud.call('alice', 'DELETE', `/ports/${port.id}`)).status).toBe(204);
    expect(
      (await cloud.call('alice', 'GET', `/floatingips/${floating.id}`)).json.floatingip.port_id,
    ).toBeNull();
    expect((await cloud.call('alice', 'DELETE', `/floatingips/${floating.id}`)).status).toBe(204);
    expect((await cloud.call('admin', 'GET', `/ports?device_id=${floating.id}`)).json.ports).toEqual([]);
  });

  test('the external network and its subnet are made once, whatever the number of starts', async () => {
    const options = {
      projectId: 'project-admin',
      externalCidr: '192.0.2.0/24',
      externalGateway: '192.0.2.1',
    };
    const fresh = await testCloud(engine);
    try {
      await Promise.all([fresh.network.bootstrap(options), fresh.network.bootstrap(options)]);
      await fresh.network.bootstrap(options);
      const { networks } = (await fresh.call('alice', 'GET', '/networks?router:external=True')).json;
      expect(networks).toMatchObject([
        { name: 'public', 'router:external': true, subnets: [expect.any(String)] },
      ]);
      expect((await fresh.call('admin', 'GET', '/subnets')).json.subnets).toMatchObject([
        { enable_dhcp: false, gateway_ip: '192.0.2.1', project_id: 'project-admin' },
      ]);
    } finally {
      await fresh.close();
    }
  });
});
