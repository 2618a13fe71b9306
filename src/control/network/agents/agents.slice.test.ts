// Network agents over HTTP, on both engines: what they show is what hosts do, and what operators say of them holds.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('network agents', (engine) => {
  let cloud: TestCloud;
  let one: string;
  let two: string;
  beforeAll(async () => {
    cloud = await testCloud(engine);
    one = await cloud.addHost('host-1');
    two = await cloud.addHost('host-2');
  });
  afterAll(() => cloud.close());

  const agent = async (host: string, type: string) => {
    const query = `host=${host}&agent_type=${encodeURIComponent(type)}`;
    return (await cloud.call('admin', 'GET', `/agents?${query}`)).json.agents[0];
  };
  const work = () => cloud.server.settle();

  test('each host shows its parts, to operators only', async () => {
    const { agents } = (await cloud.call('admin', 'GET', '/agents?sort_key=host&sort_key=agent_type')).json;
    expect(agents.map((a: { host: string; agent_type: string }) => `${a.host} ${a.agent_type}`)).toEqual(
      ['host-1', 'host-2'].flatMap((host) =>
        ['DHCP agent', 'L3 agent', 'Linux bridge agent', 'Metadata agent'].map((type) => `${host} ${type}`),
      ),
    );
    expect(agents[0]).toMatchObject({ alive: true, admin_state_up: true, availability_zone: 'nova' });
    expect(agents[0].heartbeat_timestamp).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    expect((await cloud.call('alice', 'GET', '/agents')).json.agents).toEqual([]);
    expect((await cloud.call('alice', 'GET', `/agents/${agents[0].id}`)).status).toBe(403);
    expect((await cloud.call('admin', 'GET', `/agents/${one}`)).status).toBe(404);
    const page = (await cloud.call('admin', 'GET', '/agents?limit=3&fields=id')).json.agents;
    const rest = (await cloud.call('admin', 'GET', `/agents?marker=${page[2].id}`)).json.agents;
    expect([page.length, rest.length]).toEqual([3, 5]);
  });

  test('a description stays; only L3 agents are taken out of service, and none is deleted', async () => {
    const dhcp = await agent('host-1', 'DHCP agent');
    const put = (id: string, body: object) => cloud.call('admin', 'PUT', `/agents/${id}`, { agent: body });
    expect((await put(dhcp.id, { description: 'rack 4' })).json.agent.description).toBe('rack 4');
    expect((await agent('host-1', 'DHCP agent')).description).toBe('rack 4');
    expect((await put(dhcp.id, { admin_state_up: false })).status).toBe(400);
    expect((await cloud.call('admin', 'DELETE', `/agents/${dhcp.id}`)).status).toBe(409);
  });

  test('a router lives on one agent, moves when an operator moves it, and waits in between', async () => {
    const { subnetId } = await cloud.networkWith('alice', '10.1.0.0/24');
    const router = await cloud.make('alice', '/routers', { router: { name: 'r' } });
    await cloud.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
    await work();
    const hosting = async () =>
      (await cloud.call('admin', 'GET', `/routers/${router.id}/l3-agents`)).json.agents.map(
        (a: { host: string }) => a.host,
      );
    const [host] = await hosting();
    const [from, to] = host === 'host-1' ? [one, two] : [two, one];
    const here = await agent(host, 'L3 agent');
    const there = await agent(host === 'host-1' ? 'host-2' : 'host-1', 'L3 agent');
    expect(here.configurations.routers).toBe(1);
    const listed = (await cloud.call('admin', 'GET', `/agents/${here.id}/l3-routers`)).json.routers;
    expect(listed.map((r: { id: string }) => r.id)).toEqual([router.id]);
    const give = (id: string) =>
      cloud.call('admin', 'POST', `/agents/${id}/l3-routers`, { router_id: router.id });
    const twice = await give(there.id);
    expect([twice.status, typeOf(twice)]).toEqual([409, 'RouterHostedByL3Agent']);
    const take = (id: string) => cloud.call('admin', 'DELETE', `/agents/${id}/l3-routers/${router.id}`);
    expect((await take(there.id)).status).toBe(409);
    expect((await take(here.id)).status).toBe(204);
    await work();
    expect(await hosting()).toEqual([]);
    expect(await cloud.items(from, 'router')).toEqual([]);
    // Whatever changes meanwhile, it waits for an operator.
    await cloud.call('alice', 'PUT', `/routers/${router.id}`, { router: { name: 'still r' } });
    await work();
    expect(await hosting()).toEqual([]);
    await cloud.call('admin', 'PUT', `/agents/${there.id}`, { agent: { admin_state_up: false } });
    expect(typeOf(await give(there.id))).toBe('InvalidL3Agent');
    await cloud.call('admin', 'PUT', `/agents/${there.id}`, { agent: { admin_state_up: true } });
    expect((await give(there.id)).status).toBe(201);
    await work();
    expect((await cloud.items(to, 'router')).map((item) => item.id)).toEqual([router.id]);
  });

  test('an L3 agent that is out of service gets no new routers', async () => {
    const down = await agent('host-1', 'L3 agent');
    await cloud.call('admin', 'PUT', `/agents/${down.id}`, { agent: { admin_state_up: false } });
    const { subnetId } = await cloud.networkWith('bob', '10.2.0.0/24');
    for (let at = 0; at < 6; at++) {
      const router = await cloud.make('bob', '/routers', { router: {} });
      const port = await cloud.make('bob', '/ports', {
        port: { network_id: (await cloud.call('bob', 'GET', `/subnets/${subnetId}`)).json.subnet.network_id },
      });
      await cloud.call('bob', 'PUT', `/routers/${router.id}/add_router_interface`, { port_id: port.id });
      await work();
      const hosts = (await cloud.call('admin', 'GET', `/routers/${router.id}/l3-agents`)).json.agents;
      expect(hosts.map((a: { host: string }) => a.host)).toEqual(['host-2']);
    }
    await cloud.call('admin', 'PUT', `/agents/${down.id}`, { agent: { admin_state_up: true } });
  });

  test('a network taken from a DHCP agent is served no more on that host, and again when given back', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.3.0.0/24');
    const serving = async () =>
      (await cloud.call('admin', 'GET', `/networks/${networkId}/dhcp-agents`)).json.agents
        .map((a: { host: string }) => a.host)
        .sort();
    expect(await serving()).toEqual(['host-1', 'host-2']);
    const dhcp = await agent('host-1', 'DHCP agent');
    await cloud.boot('alice', 'server-1', one, networkId);
    await work();
    const told = async () =>
      (await cloud.items(one, 'network')).find((item) => item.id === networkId)?.body?.noDhcpOn;
    expect(await told()).toBeUndefined();
    const path = `/agents/${dhcp.id}/dhcp-networks`;
    expect((await cloud.call('admin', 'POST', path, { network_id: networkId })).status).toBe(409);
    expect((await cloud.call('admin', 'DELETE', `${path}/${networkId}`)).status).toBe(204);
    await work();
    expect(await serving()).toEqual(['host-2']);
    expect(await told()).toEqual(['host-1']);
    const listed = (await cloud.call('admin', 'GET', path)).json.networks;
    expect(listed.map((n: { id: string }) => n.id)).not.toContain(networkId);
    expect((await cloud.call('admin', 'DELETE', `${path}/${networkId}`)).status).toBe(409);
    expect((await cloud.call('admin', 'POST', path, { network_id: networkId })).status).toBe(201);
    await work();
    expect(await told()).toBeUndefined();
    expect((await cloud.call('alice', 'GET', path)).status).toBe(403);
  });
});
