// Port forwardings over HTTP: what fits beside what, what goes with what, and what the router is told.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('port forwardings', (engine) => {
  let cloud: TestCloud;
  let external: { networkId: string; subnetId: string };
  let own: { networkId: string; subnetId: string };
  let routerId: string;
  let hostId: string;
  const port = async (): Promise<{ id: string; ip: string }> => {
    const made = await cloud.make('alice', '/ports', { port: { network_id: own.networkId } });
    return { id: made.id, ip: made.fixed_ips[0].ip_address };
  };
  const address = async (more: object = {}): Promise<string> =>
    (
      await cloud.make('alice', '/floatingips', {
        floatingip: { floating_network_id: external.networkId, ...more },
      })
    ).id;
  const path = (fip: string, id = ''): string =>
    `/floatingips/${fip}/port_forwardings${id === '' ? '' : `/${id}`}`;
  const forward = (fip: string, body: object) =>
    cloud.call('alice', 'POST', path(fip), { port_forwarding: body });
  const tcp = (internalPortId: string, outside: number, inside = 22) => ({
    protocol: 'tcp',
    external_port: outside,
    internal_port: inside,
    internal_port_id: internalPortId,
  });
  const told = async () => {
    await cloud.server.settle();
    return (await cloud.items(hostId, 'router')).find((item) => item.id === routerId)?.body;
  };

  beforeAll(async () => {
    cloud = await testCloud(engine, { router: -1, port_forwarding: 12 });
    hostId = await cloud.addHost('host-1');
    external = await cloud.external();
    own = await cloud.networkWith('alice', '10.0.0.0/24');
    routerId = (
      await cloud.make('alice', '/routers', {
        router: { external_gateway_info: { network_id: external.networkId } },
      })
    ).id;
    await cloud.call('alice', 'PUT', `/routers/${routerId}/add_router_interface`, {
      subnet_id: own.subnetId,
    });
  });
  afterAll(() => cloud.close());

  test('two servers answer behind one address, each on its port', async () => {
    const [fip, a, b] = [await address(), await port(), await port()];
    const first = await forward(fip, { ...tcp(a.id, 2201), description: 'a' });
    expect(first.status).toBe(201);
    expect(first.json.port_forwarding).toMatchObject({
      protocol: 'tcp',
      external_port: 2201,
      external_port_range: '2201:2201',
      internal_port: 22,
      internal_ip_address: a.ip,
      internal_port_id: a.id,
      description: 'a',
    });
    const second = await forward(fip, { ...tcp(b.id, 2202), internal_ip_address: b.ip });
    expect(second.status).toBe(201);
    const shown = (await cloud.call('alice', 'GET', `/floatingips/${fip}`)).json.floatingip;
    expect(shown).toMatchObject({
      router_id: routerId,
      port_id: null,
      fixed_ip_address: null,
      port_forwardings: [
        { external_port: 2201, internal_ip_address: a.ip, internal_port_id: a.id },
        { external_port: 2202, internal_ip_address: b.ip },
      ],
    });
    expect((await told())?.portForwardings).toEqual(
      expect.arrayContaining([
        {
          floatingIpId: fip,
          floatingAddress: shown.floating_ip_address,
          protocol: 'tcp',
          externalFirst: 2201,
          externalLast: 2201,
          internalAddress: a.ip,
          internalFirst: 22,
          internalLast: 22,
        },
      ]),
    );
    expect((await told())?.floatingIps).toEqual([]);
    await cloud.converge(hostId);
    expect((await cloud.call('alice', 'GET', `/floatingips/${fip}`)).json.floatingip.status).toBe('ACTIVE');
    const listed = await cloud.call('alice', 'GET', `${path(fip)}?external_port=2202&fields=id`);
    expect(listed.json.port_forwardings).toEqual([{ id: second.json.port_forwarding.id }]);
    const put = (id: string, body: object) =>
      cloud.call('alice', 'PUT', path(fip, id), { port_forwarding: body });
    const { id } = second.json.port_forwarding;
    expect((await put(id, { external_port: 2201 })).status).toBe(400);
    expect((await put(id, { external_port_range: '3000:3009' })).json.port_forwarding).toMatchObject({
      external_port_range: '3000:3009',
      internal_port: 22,
    });
    expect((await put(id, { internal_port_range: '80:85' })).status).toBe(400);
    expect(
      (await put(id, { protocol: 'udp', internal_port_range: '80:89' })).json.port_forwarding,
    ).toMatchObject({
      protocol: 'udp',
      internal_port_range: '80:89',
    });
    expect((await put(id, { internal_ip_address: '10.0.0.250' })).status).toBe(400);
    expect((await cloud.call('alice', 'DELETE', `/ports/${b.id}`)).status).toBe(204);
    expect((await cloud.call('alice', 'GET', path(fip, id))).status).toBe(404);
    expect((await cloud.call('alice', 'DELETE', `/floatingips/${fip}`)).status).toBe(409);
    expect((await cloud.call('alice', 'DELETE', path(fip, first.json.port_forwarding.id))).status).toBe(204);
    expect((await cloud.call('alice', 'GET', `/floatingips/${fip}`)).json.floatingip).toMatchObject({
      router_id: null,
      status: 'DOWN',
      port_forwardings: [],
    });
    expect((await told())?.portForwardings).toEqual([]);
    expect((await cloud.call('alice', 'DELETE', `/floatingips/${fip}`)).status).toBe(204);
  });

  test('an address is associated as a whole or by its ports, not both', async () => {
    const [fip, whole, a] = [await address(), await port(), await port()];
    const associated = await address({ port_id: whole.id });
    expect(typeOf(await forward(associated, tcp(a.id, 80)))).toBe('FloatingIPPortAlreadyAssociated');
    expect(typeOf(await forward(fip, tcp(whole.id, 80)))).toBe('PortHasBindingFloatingIP');
    expect((await forward(fip, tcp(a.id, 80))).status).toBe(201);
    const put = await cloud.call('alice', 'PUT', `/floatingips/${fip}`, { floatingip: { port_id: a.id } });
    expect([put.status, typeOf(put)]).toEqual([409, 'FipInUseByPortForwarding']);
    const kept = await cloud.call('alice', 'PUT', `/floatingips/${fip}`, {
      floatingip: { port_id: null, description: 'shared' },
    });
    expect(kept.json.floatingip).toMatchObject({ description: 'shared', router_id: routerId });
    expect(typeOf(await cloud.call('alice', 'DELETE', `/floatingips/${fip}`))).toBe(
      'FipInUseByPortForwarding',
    );
    expect(
      typeOf(
        await cloud.call('alice', 'PUT', `/routers/${routerId}/remove_router_interface`, {
          subnet_id: own.subnetId,
        }),
      ),
    ).toBe('RouterInterfaceInUseByFloatingIP');
    expect(
      typeOf(
        await cloud.call('alice', 'PUT', `/routers/${routerId}`, { router: { external_gateway_info: {} } }),
      ),
    ).toBe('RouterExternalGatewayInUseByFloatingIp');
    // Of an address that the port loses, nothing is forwarded any more.
    await cloud.call('alice', 'PUT', `/ports/${a.id}`, {
      port: { fixed_ips: [{ ip_address: '10.0.0.77' }] },
    });
    expect((await cloud.call('alice', 'GET', path(fip))).json.port_forwardings).toEqual([]);
    for (const id of [fip, associated])
      expect((await cloud.call('alice', 'DELETE', `/floatingips/${id}`)).status).toBe(204);
  });

  test.each([
    ['a protocol without ports', { protocol: 'icmp' }, 'protocol'],
    ['a port that is none', { external_port: 70_000 }, 'external_port'],
    ['no port at all', { internal_port: null }, 'internal_port'],
    ['an address of somebody else', { internal_ip_address: '10.0.0.240' }, '10.0.0.240'],
    ['ranges that do not fit', { internal_port: null, internal_port_range: '1:5' }, 'N-N or 1-N'],
  ])('%s is refused with 400', async (_, over, why) => {
    const [fip, a] = [await address(), await port()];
    const answer = await forward(fip, { ...tcp(a.id, 80), ...over });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(why);
    expect((await cloud.call('alice', 'DELETE', `/floatingips/${fip}`)).status).toBe(204);
  });

  test('what is others’ is not there, an unreachable network is named, readers read, and the quota counts', async () => {
    const [fip, a] = [await address(), await port()];
    const elsewhere = await cloud.networkWith('alice', '10.1.0.0/24');
    const far = await cloud.make('alice', '/ports', { port: { network_id: elsewhere.networkId } });
    expect((await forward(fip, tcp(far.id, 80))).text).toContain('is not reachable from subnet');
    const theirs = await cloud.networkWith('bob', '10.0.0.0/24');
    const bobs = await cloud.make('bob', '/ports', { port: { network_id: theirs.networkId } });
    expect((await forward(fip, tcp(bobs.id, 80))).status).toBe(404);
    const body = { port_forwarding: tcp(a.id, 80) };
    expect((await cloud.call('bob', 'POST', path(fip), body)).status).toBe(404);
    expect((await cloud.call('bob', 'GET', path(fip))).status).toBe(404);
    expect((await cloud.call('rita', 'POST', path(fip), body)).status).toBe(403);
    const made = (await forward(fip, tcp(a.id, 80))).json.port_forwarding;
    expect((await cloud.call('rita', 'GET', path(fip))).json.port_forwardings).toHaveLength(1);
    expect((await cloud.call('bob', 'DELETE', path(fip, made.id))).status).toBe(404);
    const other = await address();
    expect((await cloud.call('alice', 'GET', path(other, made.id))).status).toBe(404);
    const answers = [];
    for (let n = 0; n < 14; n++) answers.push(await forward(fip, tcp(a.id, 1_000 + n, 100 + n)));
    expect(typeOf(answers.at(-1) as never)).toBe('OverQuota');
    expect((await cloud.call('alice', 'GET', `${path(fip)}?limit=5`)).json).toMatchObject({
      port_forwardings: Array.from({ length: 5 }, () => expect.anything()),
      port_forwardings_links: [{ rel: 'next' }],
    });
  });
});
