// Row changes write exactly the items that depend on them.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { itemBodies, type ItemKind } from '../../../protocol/items.ts';
import { Compile } from 'typebox/compile';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, type TestCloud } from '../../../testkit/network-cloud.ts';
import { chooseHost } from './routers.ts';

onBothEngines('rows become items', (engine) => {
  let cloud: TestCloud;
  let serial = 0;
  beforeAll(async () => {
    cloud = await testCloud(engine, { router: -1, security_group: -1 });
  });
  afterAll(() => cloud.close());
  const host = () => cloud.addHost(`host-${serial++}`);
  const server = () => `server-${serial++}`;
  const ids = async (hostId: string, kind: ItemKind): Promise<string[]> =>
    (await cloud.items(hostId, kind)).map((item) => item.id).sort();
  const revisions = async () =>
    new Map(
      (await cloud.platform.db.read.selectFrom('items').select(['kind', 'id', 'revision']).execute()).map(
        (row) => [`${row.kind} ${row.id}`, row.revision],
      ),
    );
  const allValid = async (hostId: string): Promise<void> => {
    for (const item of (await cloud.hosts.link.pull(hostId, 0)).items)
      if (item.body !== null)
        expect([item.kind, [...Compile(itemBodies[item.kind]).Errors(item.body)]]).toEqual([item.kind, []]);
  };

  test('a bound port brings its network, its groups and their members to its host only', async () => {
    const [here, there] = [await host(), await host()];
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.0.0.0/24', {
      dns_nameservers: ['9.9.9.9'],
    });
    const serverId = server();
    const portId = await cloud.boot('alice', serverId, here, networkId);
    await cloud.server.settle();
    const { port } = (await cloud.call('alice', 'GET', `/ports/${portId}`)).json;
    const [item] = await cloud.items(here, 'port');
    expect(item?.body).toEqual({
      networkId,
      mac: port.mac_address,
      fixedIps: [{ subnetId, ipAddress: port.fixed_ips[0].ip_address }],
      allowedAddressPairs: [],
      portSecurity: true,
      securityGroupIds: port.security_groups,
      adminUp: true,
      hostname: serverId,
      serverId,
      plug: 'tap',
    });
    const [network] = await cloud.items(here, 'network');
    expect(network?.body).toMatchObject({
      mtu: 1450,
      external: false,
      adminUp: true,
      subnets: [
        {
          id: subnetId,
          cidr: '10.0.0.0/24',
          gatewayIp: '10.0.0.1',
          enableDhcp: true,
          dhcpIp: '10.0.0.2',
          dnsNameservers: ['9.9.9.9'],
        },
      ],
    });
    expect(await ids(here, 'security-group')).toEqual(port.security_groups);
    const [members] = await cloud.items(here, 'address-group');
    expect(members).toMatchObject({
      id: port.security_groups[0],
      body: { addresses: [`${port.fixed_ips[0].ip_address}/32`] },
    });
    expect((await cloud.hosts.link.pull(there, 0)).items).toEqual([]);
    await allValid(here);
  });

  test("reports become the port's status, and its failure is kept", async () => {
    const hostId = await host();
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const portId = await cloud.boot('alice', server(), hostId, networkId);
    await cloud.server.settle();
    const status = async (): Promise<string> =>
      (await cloud.call('alice', 'GET', `/ports/${portId}`)).json.port.status;
    expect(await status()).toBe('DOWN');
    await cloud.converge(hostId);
    expect(await status()).toBe('ACTIVE');
    expect(
      (await cloud.call('alice', 'GET', `/ports?network_id=${networkId}&device_owner=network:dhcp`)).json
        .ports[0].status,
    ).toBe('ACTIVE');
    await cloud.hosts.link.report(hostId, [
      { kind: 'port', id: portId, generation: 1, state: 'failed', error: 'no tap' },
    ]);
    expect(await status()).toBe('DOWN');
    expect(
      await cloud.platform.db.read
        .selectFrom('ports')
        .select('error')
        .where('id', '=', portId)
        .executeTakeFirst(),
    ).toEqual({ error: 'no tap' });
    await cloud.hosts.link.report(hostId, [
      { kind: 'port', id: portId, generation: 1, state: 'applied', error: null },
    ]);
    expect(await status()).toBe('ACTIVE');
    await cloud.hosts.link.report(hostId, [
      { kind: 'network', id: networkId, generation: 1, state: 'failed', error: 'no bridge' },
    ]);
    expect((await cloud.call('alice', 'GET', `/networks/${networkId}`)).json.network.status).toBe('ERROR');
    await cloud.converge(hostId);
    expect((await cloud.call('alice', 'GET', `/networks/${networkId}`)).json.network.status).toBe('ACTIVE');
  });

  test('the last port of a host takes network and groups with it', async () => {
    const [hostId, other] = [await host(), await host()];
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const [first, second] = [server(), server()];
    await cloud.boot('alice', first, hostId, networkId);
    await cloud.boot('alice', second, hostId, networkId);
    await cloud.server.settle();
    await cloud.tx((tx) => cloud.network.api.bindPorts(tx, first, other));
    await cloud.server.settle();
    expect([await ids(hostId, 'network'), await ids(other, 'network')]).toEqual([[networkId], [networkId]]);
    expect([(await ids(hostId, 'port')).length, (await ids(other, 'port')).length]).toEqual([1, 1]);
    await cloud.tx((tx) => cloud.network.api.releasePorts(tx, second));
    await cloud.server.settle();
    for (const kind of ['port', 'network', 'security-group', 'address-group'] as const)
      expect([kind, await ids(hostId, kind)]).toEqual([kind, []]);
    await cloud.converge(hostId);
    expect((await cloud.hosts.link.pull(hostId, 0)).items).toEqual([]);
    await cloud.tx((tx) => cloud.network.api.bindPorts(tx, first, null));
    await cloud.server.settle();
    expect(await ids(other, 'network')).toEqual([]);
  });

  test('changing one port among many writes only what depends on it', async () => {
    const hostId = await host();
    const { networkId } = await cloud.networkWith('bob', '10.0.0.0/16');
    const ports: string[] = [];
    for (let at = 0; at < 40; at++) ports.push(await cloud.boot('bob', server(), hostId, networkId));
    await cloud.server.settle();
    const changed = async (work: () => Promise<unknown>): Promise<string[]> => {
      const before = await revisions();
      await work();
      await cloud.server.settle();
      const after = await revisions();
      return [...after].flatMap(([key, revision]) => (before.get(key) === revision ? [] : [key])).sort();
    };
    const port = ports[7] ?? '';
    const groupId = (await cloud.call('bob', 'GET', '/security-groups?name=default')).json.security_groups[0]
      .id;
    expect(
      await changed(() => cloud.call('bob', 'PUT', `/ports/${port}`, { port: { name: 'only a name' } })),
    ).toEqual([]);
    expect(
      await changed(() => cloud.call('bob', 'PUT', `/ports/${port}`, { port: { admin_state_up: false } })),
    ).toEqual([`port ${port}`]);
    expect(
      await changed(() => cloud.call('bob', 'PUT', `/ports/${port}`, { port: { security_groups: [] } })),
    ).toEqual([`address-group ${groupId}`, `port ${port}`]);
    expect(
      await changed(() =>
        cloud.make('bob', '/security-group-rules', {
          security_group_rule: {
            security_group_id: groupId,
            direction: 'ingress',
            protocol: 'tcp',
            port_range_min: 22,
            port_range_max: 22,
          },
        }),
      ),
    ).toEqual([`security-group ${groupId}`]);
    // Twenty ports that change at once are one write of the group's members.
    const before = (await cloud.items(hostId, 'address-group'))[0]?.generation ?? 0;
    await cloud.tx(async (tx) => {
      for (let at = 0; at < 20; at++)
        await cloud.network.api.claimPorts(
          tx,
          cloud.ctx('bob'),
          { id: `batch-${at}`, projectId: 'project-b', hostname: 'h', type: 'container' },
          [{ networkId, fixedIp: null }],
          null,
        );
    });
    await cloud.server.settle();
    const [members] = await cloud.items(hostId, 'address-group');
    expect([members?.generation, members?.body?.addresses.length]).toEqual([before + 1, 59]);
  });

  test('a rule that names another group brings its members, and its end takes them away', async () => {
    const hostId = await host();
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const [web, clients] = [
      await cloud.make('alice', '/security-groups', { security_group: { name: `web-${serial}` } }),
      await cloud.make('alice', '/security-groups', { security_group: { name: `clients-${serial}` } }),
    ];
    const [serverPort, client] = [
      await cloud.boot('alice', server(), hostId, networkId),
      await cloud.make('alice', '/ports', {
        port: {
          network_id: networkId,
          security_groups: [clients.id],
          allowed_address_pairs: [{ ip_address: '10.0.0.200' }],
        },
      }),
    ];
    await cloud.call('alice', 'PUT', `/ports/${serverPort}`, { port: { security_groups: [web.id] } });
    await cloud.server.settle();
    expect(await ids(hostId, 'address-group')).toEqual([]);
    const rule = await cloud.make('alice', '/security-group-rules', {
      security_group_rule: {
        security_group_id: web.id,
        direction: 'ingress',
        protocol: 'icmp',
        ethertype: 'IPv6',
        remote_group_id: clients.id,
      },
    });
    await cloud.server.settle();
    expect((await cloud.items(hostId, 'address-group'))[0]).toMatchObject({
      id: clients.id,
      body: { addresses: ['10.0.0.200/32', `${client.fixed_ips[0].ip_address}/32`].sort() },
    });
    expect(
      (await cloud.items(hostId, 'security-group'))[0]?.body?.rules.find((one) => one.id === rule.id),
    ).toMatchObject({ protocol: 58, remoteGroupId: clients.id, ethertype: 'IPv6' });
    await cloud.call('alice', 'DELETE', `/security-group-rules/${rule.id}`);
    await cloud.server.settle();
    expect(await ids(hostId, 'address-group')).toEqual([]);
    await allValid(hostId);
  });

  test('a router lives on one host with its networks and floating IPs, and goes when nothing is connected', async () => {
    const external = await cloud.external('198.51.100.0/24');
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const portId = await cloud.boot('alice', server(), await host(), networkId);
    const router = await cloud.make('alice', '/routers', {
      router: { external_gateway_info: { network_id: external.networkId } },
    });
    await cloud.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
    const floating = await cloud.make('alice', '/floatingips', {
      floatingip: { floating_network_id: external.networkId, port_id: portId },
    });
    await cloud.server.settle();
    const row = await cloud.platform.db.read
      .selectFrom('routers')
      .selectAll()
      .where('id', '=', router.id)
      .executeTakeFirstOrThrow();
    const item = (await cloud.items(row.host_id, 'router')).find((one) => one.id === router.id);
    expect(item?.body).toMatchObject({
      adminUp: true,
      interfaces: [{ networkId, addresses: ['10.0.0.1/24'] }],
      gateway: { networkId: external.networkId, snat: true, nexthop: '198.51.100.1' },
      floatingIps: [
        {
          id: floating.id,
          floatingAddress: floating.floating_ip_address,
          fixedAddress: floating.fixed_ip_address,
        },
      ],
      routes: [],
    });
    expect(await ids(row.host_id, 'network')).toEqual(
      expect.arrayContaining([networkId, external.networkId]),
    );
    const status = async (): Promise<string> =>
      (await cloud.call('alice', 'GET', `/floatingips/${floating.id}`)).json.floatingip.status;
    expect(await status()).toBe('DOWN');
    await cloud.hosts.link.report(row.host_id, [
      {
        kind: 'router',
        id: router.id,
        generation: (item?.generation ?? 0) - 1,
        state: 'applied',
        error: null,
      },
    ]);
    expect(await status()).toBe('DOWN');
    await cloud.converge(row.host_id);
    expect(await status()).toBe('ACTIVE');
    await allValid(row.host_id);
    await cloud.call('alice', 'DELETE', `/floatingips/${floating.id}`);
    await cloud.call('alice', 'PUT', `/routers/${router.id}/remove_router_interface`, {
      subnet_id: subnetId,
    });
    await cloud.call('alice', 'PUT', `/routers/${router.id}`, { router: { external_gateway_info: null } });
    await cloud.server.settle();
    expect(await ids(row.host_id, 'router')).not.toContain(router.id);
    expect(await ids(row.host_id, 'network')).not.toContain(external.networkId);
  });

  test('a router that was made before any host is placed when one registers', async () => {
    const fresh = await testCloud(engine);
    try {
      const { subnetId } = await fresh.networkWith('alice', '10.0.0.0/24');
      const router = await fresh.make('alice', '/routers', { router: {} });
      await fresh.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
      await fresh.server.settle();
      const hostId = await fresh.addHost('late');
      await fresh.server.settle();
      expect((await fresh.items(hostId, 'router')).map((one) => one.id)).toEqual([router.id]);
    } finally {
      await fresh.close();
    }
  });
});

test('routers spread over hosts, and move only when their own host goes', () => {
  const hosts = Array.from({ length: 8 }, (_, at) => `host-${at}`);
  const routers = Array.from({ length: 800 }, (_, at) => `router-${at}`);
  const counts = Map.groupBy(routers, (id) => chooseHost(id, hosts));
  for (const id of hosts) expect(counts.get(id)?.length ?? 0).toBeGreaterThan(50);
  for (const id of routers) {
    const chosen = chooseHost(id, hosts);
    const without = hosts.filter((one) => one !== 'host-3');
    if (chosen !== 'host-3') expect(chooseHost(id, without)).toBe(chosen);
  }
  expect(chooseHost('r', [])).toBeNull();
});
