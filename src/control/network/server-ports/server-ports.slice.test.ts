// What the compute service does with ports.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CloudError } from '../../../kernel/errors.ts';
import { onBothEngines } from '../../../testkit/database.ts';
import type { PortRequest, ServerPort } from '../index.ts';
import { testCloud, type Name, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('ports of servers', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine, { port: 40 });
  });
  afterAll(() => cloud.close());
  const claim = (
    as: Name,
    serverId: string,
    requests: readonly PortRequest[] | 'auto' | 'none',
    groups: readonly string[] | null = null,
  ): Promise<ServerPort[]> =>
    cloud.tx((tx) =>
      cloud.network.api.claimPorts(
        tx,
        cloud.ctx(as),
        { id: serverId, projectId: as === 'bob' ? 'project-b' : 'project-a', hostname: serverId, type: 'vm' },
        requests,
        groups,
      ),
    );
  const refused = async (work: Promise<unknown>): Promise<[number, string]> => {
    try {
      await work;
    } catch (error) {
      if (error instanceof CloudError) return [error.status, error.code];
      throw error;
    }
    return [200, ''];
  };
  const used = async (project: string): Promise<number> =>
    (await cloud.call('admin', 'GET', `/quotas/${project}/details`)).json.quota.port.used;

  test('without a wish a server gets the only network there is', async () => {
    expect(await claim('bob', 'auto-0', 'auto')).toEqual([]);
    expect(await claim('bob', 'auto-none', 'none')).toEqual([]);
    await cloud.external();
    const { networkId, subnetId } = await cloud.networkWith('bob', '10.0.0.0/24');
    const [port] = await claim('bob', 'auto-1', 'auto');
    expect(port).toMatchObject({
      networkId,
      networkName: 'net',
      fixedIps: [{ subnetId, ipAddress: '10.0.0.3', version: 4, floatingIp: null }],
      securityGroups: [{ name: 'default' }],
    });
    expect((await cloud.tx((tx) => cloud.network.api.portsOf(tx, ['auto-1']))).get('auto-1')).toEqual([port]);
    await cloud.networkWith('bob', '10.1.0.0/24');
    expect(await refused(claim('bob', 'auto-2', 'auto'))).toEqual([409, 'NetworkAmbiguous']);
  });

  test("what does not fit is refused in Nova's words and leaves nothing", async () => {
    const { networkId } = await cloud.networkWith('alice', '10.2.0.0/24');
    const free = await cloud.make('alice', '/ports', { port: { network_id: networkId } });
    const before = await used('project-a');
    const empty = await cloud.make('alice', '/networks', { network: {} });
    const external = (await cloud.call('alice', 'GET', '/networks?router:external=true')).json.networks[0].id;
    for (const [requests, groups, expected] of [
      [[{ networkId: 'nowhere', fixedIp: null }], null, [400, 'NetworkNotFound']],
      [[{ networkId: empty.id, fixedIp: null }], null, [400, 'NetworkRequiresSubnet']],
      [[{ networkId: external, fixedIp: null }], null, [403, 'ExternalNetworkAttachForbidden']],
      [
        [
          { networkId, fixedIp: null },
          { networkId, fixedIp: '10.9.0.1' },
        ],
        null,
        [400, 'InvalidIpForNetwork'],
      ],
      [[{ networkId, fixedIp: free.fixed_ips[0].ip_address }], null, [400, 'FixedIpAlreadyInUse']],
      [[{ portId: 'nowhere' }], null, [400, 'PortNotFound']],
      [[{ networkId, fixedIp: null }], ['nobody'], [400, 'SecurityGroupNotFound']],
    ] as const)
      expect([requests, await refused(claim('alice', 'bad', requests, groups))]).toEqual([
        requests,
        expected,
      ]);
    expect(await refused(claim('bob', 'theft', [{ portId: free.id }]))).toEqual([400, 'PortNotFound']);
    expect(await refused(claim('bob', 'theft', [{ networkId, fixedIp: null }]))).toEqual([
      400,
      'NetworkNotFound',
    ]);
    expect(await used('project-a')).toBe(before);
    expect((await cloud.call('alice', 'GET', '/ports?device_id=bad')).json.ports).toEqual([]);
  });

  test('an existing port is taken over, shown, and given back; a made one goes with the server', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.3.0.0/24');
    const group = await cloud.make('alice', '/security-groups', { security_group: { name: 'web' } });
    const own = await cloud.make('alice', '/ports', { port: { network_id: networkId } });
    const hostId = await cloud.addHost(`take-${engine}`);
    const before = await used('project-a');
    const ports = await claim(
      'alice',
      'server-1',
      [{ portId: own.id }, { networkId, fixedIp: '10.3.0.50' }],
      ['web'],
    );
    expect(ports.map((port) => port.fixedIps[0]?.ipAddress)).toEqual([
      own.fixed_ips[0].ip_address,
      '10.3.0.50',
    ]);
    expect(ports[1]?.securityGroups).toEqual([{ id: group.id, name: 'web' }]);
    expect(await refused(claim('alice', 'server-2', [{ portId: own.id }]))).toEqual([409, 'PortInUse']);
    await cloud.tx((tx) => cloud.network.api.bindPorts(tx, 'server-1', hostId));
    expect((await cloud.call('alice', 'GET', `/ports/${own.id}`)).json.port).toMatchObject({
      device_id: 'server-1',
      device_owner: 'compute:nova',
    });
    expect((await cloud.call('admin', 'GET', `/ports/${own.id}`)).json.port['binding:host_id']).toBe(
      `take-${engine}`,
    );
    await cloud.tx((tx) => cloud.network.api.releasePorts(tx, 'server-1'));
    await cloud.tx((tx) => cloud.network.api.releasePorts(tx, 'server-1'));
    expect((await cloud.call('alice', 'GET', `/ports/${own.id}`)).json.port).toMatchObject({
      device_id: '',
      device_owner: '',
    });
    expect((await cloud.call('alice', 'GET', `/ports/${ports[1]?.portId}`)).status).toBe(404);
    expect(await used('project-a')).toBe(before);
  });

  test('the compute service hears when what it shows of a server changed', async () => {
    const heard: string[] = [];
    cloud.network.api.onServerPortsChanged(async (_tx, serverIds) => void heard.push(...serverIds));
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.4.0.0/24');
    const external = (await cloud.call('alice', 'GET', '/networks?router:external=true')).json.networks[0].id;
    const router = await cloud.make('alice', '/routers', {
      router: { external_gateway_info: { network_id: external } },
    });
    await cloud.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
    const [port] = await claim('alice', 'server-3', [{ networkId, fixedIp: null }]);
    const floating = await cloud.make('alice', '/floatingips', {
      floatingip: { floating_network_id: external, port_id: port?.portId },
    });
    expect(heard).toEqual(['server-3']);
    const shown = (await cloud.tx((tx) => cloud.network.api.portsOf(tx, ['server-3', 'other']))).get(
      'server-3',
    );
    expect(shown?.[0]?.fixedIps[0]?.floatingIp).toBe(floating.floating_ip_address);
    await cloud.call('alice', 'PUT', `/ports/${port?.portId}`, { port: { security_groups: [] } });
    await cloud.call('alice', 'PUT', `/ports/${port?.portId}`, { port: { name: 'only a name' } });
    await cloud.call('alice', 'DELETE', `/floatingips/${floating.id}`);
    expect(heard).toEqual(['server-3', 'server-3', 'server-3']);
  });

  test('fifty servers at once get as many ports as the quota has left, each with its own address', async () => {
    const { networkId } = await cloud.networkWith('bob', '10.5.0.0/24');
    const left = 40 - (await used('project-b'));
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, (_, at) => claim('bob', `many-${at}`, [{ networkId, fixedIp: null }])),
    );
    const made = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    expect(made.length).toBe(left);
    expect(new Set(made.map((port) => port.fixedIps[0]?.ipAddress)).size).toBe(left);
    expect(await used('project-b')).toBe(40);
  });
});
