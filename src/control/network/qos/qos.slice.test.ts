// QoS over HTTP: policies and rules, what they may be bound to, and the limits that hosts are told.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type Name, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('QoS', (engine) => {
  let cloud: TestCloud;
  let hostId: string;
  let serial = 0;
  beforeAll(async () => {
    cloud = await testCloud(engine, { router: -1 });
    hostId = await cloud.addHost('host-1');
  });
  afterAll(() => cloud.close());
  const policy = async (as: Name = 'admin', more: object = {}): Promise<string> =>
    (await cloud.make(as, '/qos/policies', { policy: { name: 'slow', project_id: 'project-a', ...more } }))
      .id;
  const limit = (id: string, body: object) =>
    cloud.call('admin', 'POST', `/qos/policies/${id}/bandwidth_limit_rules`, { bandwidth_limit_rule: body });
  const bind = (path: string, qos_policy_id: string | null, as: Name = 'alice') =>
    cloud.call(as, 'PUT', path, { [path.split('/')[1]?.slice(0, -1) ?? '']: { qos_policy_id } });
  const told = async (portId: string) => {
    await cloud.server.settle();
    const body = (await cloud.items(hostId, 'port')).find((item) => item.id === portId)?.body;
    return {
      egress: body?.egressKbps ?? null,
      ingress: body?.ingressKbps ?? null,
      dscp: body?.dscpMark ?? null,
    };
  };

  test('a policy holds one limit a direction and one mark, and shows them; only kinds that work are offered', async () => {
    const id = await policy();
    const rule = (await limit(id, { max_kbps: 10_000 })).json.bandwidth_limit_rule;
    expect(rule).toEqual({
      id: expect.any(String),
      max_kbps: 10_000,
      max_burst_kbps: 0,
      direction: 'egress',
    });
    expect(typeOf(await limit(id, { max_kbps: 20_000 }))).toBe('QoSRulesConflict');
    expect((await limit(id, { max_kbps: 20_000, direction: 'ingress', max_burst_kbps: 500 })).status).toBe(
      201,
    );
    const mark = (dscp_mark: number) =>
      cloud.call('admin', 'POST', `/qos/policies/${id}/dscp_marking_rules`, {
        dscp_marking_rule: { dscp_mark },
      });
    expect((await mark(3)).status).toBe(400);
    expect((await mark(26)).status).toBe(201);
    expect((await cloud.call('alice', 'GET', `/qos/policies/${id}`)).json.policy).toMatchObject({
      shared: false,
      is_default: false,
      rules: expect.arrayContaining([
        { ...rule, type: 'bandwidth_limit', qos_policy_id: id },
        { id: expect.any(String), dscp_mark: 26, type: 'dscp_marking', qos_policy_id: id },
      ]),
    });
    const alias = `/qos/alias-bandwidth-limit-rules/${rule.id}`;
    expect((await cloud.call('alice', 'GET', alias)).json.bandwidth_limit_rule).toEqual({
      ...rule,
      qos_policy_id: id,
    });
    expect((await cloud.call('bob', 'GET', alias)).status).toBe(404);
    const changed = await cloud.call('admin', 'PUT', alias, {
      bandwidth_limit_rule: { direction: 'ingress' },
    });
    expect(typeOf(changed)).toBe('QoSRulesConflict');
    expect((await cloud.call('admin', 'DELETE', alias)).status).toBe(204);
    expect(
      (await cloud.call('alice', 'GET', `/qos/policies/${id}/bandwidth_limit_rules?direction=ingress`)).json
        .bandwidth_limit_rules,
    ).toMatchObject([{ max_kbps: 20_000, max_burst_kbps: 500 }]);
    const types = (await cloud.call('alice', 'GET', '/qos/rule-types')).json.rule_types;
    expect(types).toEqual([{ type: 'bandwidth_limit' }, { type: 'dscp_marking' }]);
    expect((await cloud.call('alice', 'GET', '/qos/rule-types/minimum_bandwidth')).status).toBe(404);
    expect(
      (await cloud.call('alice', 'GET', '/qos/rule-types/dscp_marking')).json.rule_type.drivers,
    ).toHaveLength(1);
    expect((await cloud.call('admin', 'DELETE', `/qos/policies/${id}`)).status).toBe(204);
  });

  test('members only use policies; others do not see them unless they are shared', async () => {
    const id = await policy();
    expect((await cloud.call('alice', 'POST', '/qos/policies', { policy: { name: 'x' } })).status).toBe(403);
    expect((await cloud.call('alice', 'DELETE', `/qos/policies/${id}`)).status).toBe(403);
    expect((await cloud.call('bob', 'GET', `/qos/policies/${id}`)).status).toBe(404);
    const net = await cloud.make('bob', '/networks', { network: { name: 'n' } });
    expect((await bind(`/networks/${net.id}`, id, 'bob')).status).toBe(404);
    expect(
      (await cloud.call('admin', 'PUT', `/qos/policies/${id}`, { policy: { shared: true } })).status,
    ).toBe(200);
    expect((await bind(`/networks/${net.id}`, id, 'bob')).json.network.qos_policy_id).toBe(id);
    const unshare = await cloud.call('admin', 'PUT', `/qos/policies/${id}`, { policy: { shared: false } });
    expect(typeOf(unshare)).toBe('RbacPolicyInUse');
    expect(typeOf(await cloud.call('admin', 'DELETE', `/qos/policies/${id}`))).toBe('QosPolicyInUse');
    expect((await bind(`/networks/${net.id}`, null, 'bob')).json.network.qos_policy_id).toBeNull();
    // What an operator put on a tenant's network is not the tenant's to take off.
    const theirs = await policy('admin', { project_id: 'project-admin' });
    expect((await bind(`/networks/${net.id}`, theirs, 'admin')).status).toBe(200);
    expect(typeOf(await bind(`/networks/${net.id}`, null, 'bob'))).toBe('PolicyRemoveAuthorizationError');
    expect((await cloud.call('bob', 'DELETE', `/networks/${net.id}`)).status).toBe(204);
    for (const one of [id, theirs])
      expect((await cloud.call('admin', 'DELETE', `/qos/policies/${one}`)).status).toBe(204);
  });

  test('a project has one default policy, which its new networks get unless they say otherwise', async () => {
    const id = await policy('admin', { is_default: true });
    const second = await cloud.call('admin', 'POST', '/qos/policies', {
      policy: { project_id: 'project-a', is_default: true },
    });
    expect(typeOf(second)).toBe('QoSPolicyDefaultAlreadyExists');
    const made = await cloud.make('alice', '/networks', { network: {} });
    expect(made.qos_policy_id).toBe(id);
    const free = await cloud.make('alice', '/networks', { network: { qos_policy_id: null } });
    expect(free.qos_policy_id).toBeNull();
    expect((await cloud.make('bob', '/networks', { network: {} })).qos_policy_id).toBeNull();
    expect(
      (await cloud.call('alice', 'GET', `/networks?qos_policy_id=${id}&fields=id`)).json.networks,
    ).toEqual([{ id: made.id }]);
    for (const one of [made.id, free.id]) await cloud.call('alice', 'DELETE', `/networks/${one}`);
    expect((await cloud.call('admin', 'DELETE', `/qos/policies/${id}`)).status).toBe(204);
  });

  test('hosts are told the port’s own policy, else its network’s; a changed rule reaches every port that it holds for', async () => {
    const [slow, slower] = [await policy(), await policy()];
    const rule = (await limit(slow, { max_kbps: 10_000 })).json.bandwidth_limit_rule;
    await limit(slower, { max_kbps: 1_000, direction: 'ingress' });
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const a = await cloud.boot('alice', `server-${serial++}`, hostId, networkId);
    const b = await cloud.boot('alice', `server-${serial++}`, hostId, networkId);
    const none = { egress: null, ingress: null, dscp: null };
    expect(await told(a)).toEqual(none);
    await bind(`/networks/${networkId}`, slow);
    expect([await told(a), await told(b)]).toEqual([
      { ...none, egress: 10_000 },
      { ...none, egress: 10_000 },
    ]);
    const own = await bind(`/ports/${b}`, slower);
    expect(own.json.port).toMatchObject({ qos_policy_id: slower, qos_network_policy_id: slow });
    expect([await told(a), await told(b)]).toEqual([
      { ...none, egress: 10_000 },
      { ...none, ingress: 1_000 },
    ]);
    await cloud.call('admin', 'PUT', `/qos/policies/${slow}/bandwidth_limit_rules/${rule.id}`, {
      bandwidth_limit_rule: { max_kbps: 5_000 },
    });
    expect(await told(a)).toEqual({ ...none, egress: 5_000 });
    await cloud.call('admin', 'POST', `/qos/policies/${slow}/dscp_marking_rules`, {
      dscp_marking_rule: { dscp_mark: 10 },
    });
    expect(await told(a)).toEqual({ ...none, egress: 5_000, dscp: 10 });
    await cloud.call('admin', 'DELETE', `/qos/policies/${slow}/bandwidth_limit_rules/${rule.id}`);
    expect(await told(a)).toEqual({ ...none, dscp: 10 });
    await bind(`/ports/${b}`, null);
    expect(await told(b)).toEqual({ ...none, dscp: 10 });
    await bind(`/networks/${networkId}`, null);
    expect([await told(a), await told(b)]).toEqual([none, none]);
  });

  test('a floating IP has its own policy or its network’s, and its router is told', async () => {
    const external = await cloud.external();
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.0.1.0/24');
    const router = await cloud.make('alice', '/routers', {
      router: { external_gateway_info: { network_id: external.networkId } },
    });
    await cloud.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
    const portId = await cloud.boot('alice', `server-${serial++}`, hostId, networkId);
    const id = await policy();
    await limit(id, { max_kbps: 2_000, direction: 'ingress', max_burst_kbps: 100 });
    const fip = await cloud.make('alice', '/floatingips', {
      floatingip: { floating_network_id: external.networkId, port_id: portId, qos_policy_id: id },
    });
    expect(fip).toMatchObject({ qos_policy_id: id, qos_network_policy_id: null });
    const limits = async () => {
      await cloud.server.settle();
      return (await cloud.items(hostId, 'router')).find((item) => item.id === router.id)?.body?.addressLimits;
    };
    expect(await limits()).toEqual([
      { address: fip.floating_ip_address, ingressKbps: 2_000, ingressBurstKb: 100 },
    ]);
    await bind(`/floatingips/${fip.id}`, null);
    expect(await limits()).toBeUndefined();
    await bind(`/networks/${external.networkId}`, id, 'admin');
    expect(await limits()).toHaveLength(1);
    expect((await cloud.call('alice', 'GET', `/floatingips/${fip.id}`)).json.floatingip).toMatchObject({
      qos_policy_id: null,
      qos_network_policy_id: id,
      port_id: portId,
    });
    await cloud.call('alice', 'DELETE', `/floatingips/${fip.id}`);
    expect(await limits()).toBeUndefined();
  });
});
