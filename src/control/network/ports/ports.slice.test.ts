// Ports over HTTP: who may write what, and what fits.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('ports', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine);
  });
  afterAll(() => cloud.close());
  const post = (as: 'alice' | 'bob' | 'admin', port: object) => cloud.call(as, 'POST', '/ports', { port });
  const put = (as: 'alice' | 'bob' | 'admin', id: string, port: object) =>
    cloud.call(as, 'PUT', `/ports/${id}`, { port });

  test('a port gets a MAC, an address and the default group', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const port = await cloud.make('alice', '/ports', { port: { network_id: networkId, name: 'p' } });
    expect(port).toMatchObject({
      name: 'p',
      status: 'DOWN',
      device_id: '',
      device_owner: '',
      admin_state_up: true,
      port_security_enabled: true,
      allowed_address_pairs: [],
      fixed_ips: [{ subnet_id: subnetId, ip_address: '10.0.0.3' }],
      'binding:vnic_type': 'normal',
    });
    expect(port.mac_address).toMatch(/^fa:16:3e(:[0-9a-f]{2}){3}$/);
    expect(port).not.toHaveProperty('binding:host_id');
    const group = (await cloud.call('alice', 'GET', `/security-groups/${port.security_groups[0]}`)).json
      .security_group;
    expect(group.name).toBe('default');
    expect(
      (await cloud.call('alice', 'GET', '/ports?fixed_ips=ip_address=10.0.0.3')).json.ports.map(
        (one: { id: string }) => one.id,
      ),
    ).toEqual([port.id]);
    expect(
      (await cloud.call('alice', 'GET', `/ports?fixed_ips=ip_address=10.0.0.3&fixed_ips=subnet_id=other`))
        .json.ports,
    ).toEqual([]);
    expect(
      (
        await cloud.call(
          'alice',
          'GET',
          `/ports?security_groups=${port.security_groups[0]}&network_id=${networkId}`,
        )
      ).json.ports.length,
    ).toBe(1);
  });

  test('another tenant neither sees nor changes a port, nor names its objects', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const port = await cloud.make('alice', '/ports', { port: { network_id: networkId } });
    for (const [method, body] of [['GET'], ['PUT', { port: { name: 'x' } }], ['DELETE']] as const)
      expect((await cloud.call('bob', method, `/ports/${port.id}`, body)).status).toBe(404);
    const own = await cloud.networkWith('bob', '10.0.0.0/24');
    expect(
      (await post('bob', { network_id: own.networkId, security_groups: port.security_groups })).status,
    ).toBe(404);
    expect(
      (await post('bob', { network_id: own.networkId, fixed_ips: [{ subnet_id: subnetId }] })).status,
    ).toBe(400);
    expect((await post('bob', { network_id: own.networkId, project_id: 'project-a' })).status).toBe(403);
  });

  test('addresses are asked for by name, subnet or not at all', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.0.0.0/24', {
      allocation_pools: [{ start: '10.0.0.100', end: '10.0.0.110' }],
    });
    const ips = async (fixed: object[]) =>
      (
        await cloud.make('alice', '/ports', { port: { network_id: networkId, fixed_ips: fixed } })
      ).fixed_ips.map((one: { ip_address: string }) => one.ip_address);
    expect(await ips([{ ip_address: '10.0.0.9' }])).toEqual(['10.0.0.9']);
    expect(await ips([{ subnet_id: subnetId, ip_address: '10.0.0.101' }])).toEqual(['10.0.0.101']);
    expect(await ips([{ subnet_id: subnetId }, { subnet_id: subnetId }])).toEqual([
      '10.0.0.102',
      '10.0.0.103',
    ]);
    expect(await ips([])).toEqual([]);
    for (const [fixed, status, type] of [
      [[{ ip_address: '10.0.0.9' }], 409, 'IpAddressAlreadyAllocated'],
      [[{ ip_address: '10.9.0.9' }], 400, 'InvalidIpForNetwork'],
      [[{ subnet_id: subnetId, ip_address: '10.0.0.255' }], 400, 'InvalidIpForSubnet'],
      [[{ subnet_id: subnetId, ip_address: 'ten' }], 400, 'InvalidInput'],
      [[{ subnet_id: 'nowhere' }], 400, 'InvalidInput'],
      [[{}], 400, 'InvalidInput'],
      [Array.from({ length: 6 }, () => ({ subnet_id: subnetId })), 400, 'InvalidInput'],
    ] as const) {
      const answer = await post('alice', { network_id: networkId, fixed_ips: fixed });
      expect([answer.status, typeOf(answer)]).toEqual([status, type]);
    }
  });

  test('an exhausted pool is a conflict, and what is freed serves again', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/29');
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post('alice', { network_id: networkId })),
    );
    const made = answers.filter((answer) => answer.status === 201);
    expect(made.length).toBe(4); // six usable, the gateway's and DHCP's go
    expect(new Set(answers.filter((answer) => answer.status !== 201).map(typeOf))).toEqual(
      new Set(['IpAddressGenerationFailure']),
    );
    const [first] = made;
    await cloud.call('alice', 'DELETE', `/ports/${first?.json.port.id}`);
    expect((await cloud.make('alice', '/ports', { port: { network_id: networkId } })).fixed_ips).toEqual(
      first?.json.port.fixed_ips,
    );
  });

  test('changing addresses keeps those that stay', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const port = await cloud.make('alice', '/ports', { port: { network_id: networkId } });
    const [held] = port.fixed_ips;
    const more = await put('alice', port.id, {
      fixed_ips: [held, { subnet_id: subnetId, ip_address: '10.0.0.77' }],
    });
    expect(more.json.port.fixed_ips).toEqual([held, { subnet_id: subnetId, ip_address: '10.0.0.77' }]);
    const less = await put('alice', port.id, { fixed_ips: [{ ip_address: '10.0.0.77' }] });
    expect(less.json.port.fixed_ips).toEqual([{ subnet_id: subnetId, ip_address: '10.0.0.77' }]);
    expect((await put('alice', port.id, { fixed_ips: [{ ip_address: '10.0.0.1' }] })).status).toBe(200); // no router holds the gateway's address
  });

  test('port security, address pairs and groups agree with each other', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const port = await cloud.make('alice', '/ports', {
      port: {
        network_id: networkId,
        allowed_address_pairs: [
          { ip_address: '10.0.0.200' },
          { ip_address: '10.0.1.7/24', mac_address: '52-54-00-00-00-01' },
        ],
      },
    });
    expect(port.allowed_address_pairs).toEqual([
      { ip_address: '10.0.0.200', mac_address: port.mac_address },
      { ip_address: '10.0.1.0/24', mac_address: '52:54:00:00:00:01' },
    ]);
    expect(typeOf(await put('alice', port.id, { port_security_enabled: false }))).toBe(
      'PortSecurityPortHasSecurityGroup',
    );
    expect(typeOf(await put('alice', port.id, { port_security_enabled: false, security_groups: [] }))).toBe(
      'AddressPairAndPortSecurityRequired',
    );
    expect(
      (
        await put('alice', port.id, {
          port_security_enabled: false,
          security_groups: [],
          allowed_address_pairs: [],
        })
      ).json.port,
    ).toMatchObject({ port_security_enabled: false, security_groups: [] });
    for (const pairs of [
      [{ ip_address: 'x' }],
      [{ ip_address: '10.0.0.5' }, { ip_address: '10.0.0.5' }],
      [{ ip_address: '10.0.0.5\n' }],
      Array.from({ length: 11 }, (_, at) => ({ ip_address: `10.0.3.${at}` })),
    ])
      expect((await post('alice', { network_id: networkId, allowed_address_pairs: pairs })).status).toBe(400);
  });

  test('who does not own the network may not write MAC, addresses by name, pairs or port security', async () => {
    const shared = await cloud.make('admin', '/networks', { network: { shared: true } });
    await cloud.make('admin', '/subnets', {
      subnet: { network_id: shared.id, ip_version: 4, cidr: '172.20.0.0/24' },
    });
    expect((await post('bob', { network_id: shared.id })).status).toBe(201);
    for (const field of [
      { mac_address: 'fa:16:3e:00:00:09' },
      { fixed_ips: [{ ip_address: '172.20.0.9' }] },
      { allowed_address_pairs: [] },
      { port_security_enabled: false },
      { device_owner: 'network:dhcp' },
      { 'binding:host_id': 'h' },
    ])
      expect([field, (await post('bob', { network_id: shared.id, ...field })).status]).toEqual([field, 403]);
    const own = await cloud.networkWith('bob', '10.0.0.0/24');
    const port = await cloud.make('bob', '/ports', {
      port: { network_id: own.networkId, mac_address: 'FA:16:3E:00:00:09' },
    });
    expect(port.mac_address).toBe('fa:16:3e:00:00:09');
    expect(typeOf(await post('bob', { network_id: own.networkId, mac_address: 'fa:16:3e:00:00:09' }))).toBe(
      'MacAddressInUse',
    );
    expect((await post('bob', { network_id: own.networkId, mac_address: '01:00:5e:00:00:01' })).status).toBe(
      400,
    );
    for (const field of [
      { mac_address: 'fa:16:3e:00:00:08' },
      { device_owner: 'network:router_interface' },
      { 'binding:profile': {} },
    ])
      expect((await put('bob', port.id, field)).status).toBe(403);
    expect(
      (await put('admin', port.id, { mac_address: 'fa:16:3e:00:00:08', 'binding:host_id': 'h1' })).json.port,
    ).toMatchObject({ mac_address: 'fa:16:3e:00:00:08', 'binding:host_id': 'h1' });
  });

  test('a DHCP port that its user deletes is followed by another with its addresses', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const find = async () =>
      (await cloud.call('alice', 'GET', `/ports?network_id=${networkId}&device_owner=network:dhcp`)).json
        .ports;
    const [before] = await find();
    expect((await cloud.call('alice', 'DELETE', `/ports/${before.id}`)).status).toBe(204);
    const after = await find();
    expect(after).toMatchObject([{ fixed_ips: before.fixed_ips, device_id: before.device_id }]);
    expect(after[0].id).not.toBe(before.id);
    expect((await cloud.call('alice', 'DELETE', `/networks/${networkId}`)).status).toBe(204);
  });

  test("device_owner and device_id of a server's port cannot be changed under it, and nothing is bypassed", async () => {
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const hostId = await cloud.addHost(`owner-${engine}`);
    const portId = await cloud.boot('alice', `server-owner-${engine}`, hostId, networkId);
    for (const field of [{ device_owner: 'compute:other' }, { device_owner: '' }, { device_id: 'else' }])
      expect(typeOf(await put('alice', portId, field))).toBe('PortInUse');
    const { port } = (await cloud.call('alice', 'GET', `/ports/${portId}`)).json;
    expect(port).toMatchObject({
      device_owner: 'compute:nova',
      device_id: `server-owner-${engine}`,
      port_security_enabled: true,
    });
    await cloud.server.settle();
    expect((await cloud.items(hostId, 'port'))[0]?.body).toMatchObject({
      portSecurity: true,
      securityGroupIds: port.security_groups,
    });
  });

  test('the addresses of DHCP and router ports are not changed through the port API', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const [dhcp] = (await cloud.call('alice', 'GET', `/ports?network_id=${networkId}`)).json.ports;
    for (const fixed of [[], [{ ip_address: '10.0.0.99' }]])
      expect(typeOf(await put('alice', dhcp.id, { fixed_ips: fixed }))).toBe('ServicePortInUse');
  });

  test('control characters and unknown fields are refused in every string', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    for (const field of [
      { name: 'a\nb' },
      { description: '\u0007' },
      { device_id: 'x\r' },
      { device_owner: 'a\tb' },
      { mac_address: 'fa:16:3e:00:00:09\n' },
      { nonsense: 1 },
      { fixed_ips: 'x' },
      { security_groups: [3] },
    ])
      expect([field, (await post('alice', { network_id: networkId, ...field })).status]).toEqual([
        field,
        400,
      ]);
  });
});
