// RBAC policies over HTTP, on both engines: what is shared is usable by whom it is shared with, and by nobody else.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type Name, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('RBAC policies', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine);
  });
  afterAll(() => cloud.close());

  const share = (as: Name, type: string, id: string, target: string, action = 'access_as_shared') =>
    cloud.call(as, 'POST', '/rbac-policies', {
      rbac_policy: { object_type: type, object_id: id, action, target_tenant: target },
    });
  const status = async (as: Name, path: string): Promise<number> =>
    (await cloud.call(as, 'GET', path)).status;

  test('a network shared with one project is seen and used by it, and shown as shared to it alone', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', '10.1.0.0/24');
    expect(await status('bob', `/networks/${networkId}`)).toBe(404);
    const policy = await share('alice', 'network', networkId, 'project-b');
    expect(policy.status).toBe(201);
    expect(policy.json.rbac_policy).toEqual({
      id: policy.json.rbac_policy.id,
      project_id: 'project-a',
      tenant_id: 'project-a',
      object_type: 'network',
      object_id: networkId,
      action: 'access_as_shared',
      target_tenant: 'project-b',
    });
    const shown = async (as: Name) =>
      (await cloud.call(as, 'GET', `/networks/${networkId}`)).json.network.shared;
    expect([await shown('alice'), await shown('bob'), await shown('admin')]).toEqual([false, true, false]);
    expect(await status('bob', `/subnets/${subnetId}`)).toBe(200);
    const listed = (await cloud.call('bob', 'GET', '/networks?shared=true')).json.networks;
    expect(listed.map((one: { id: string }) => one.id)).toContain(networkId);
    const port = await cloud.make('bob', '/ports', { port: { network_id: networkId } });
    expect(
      (await cloud.call('bob', 'PUT', `/networks/${networkId}`, { network: { name: 'x' } })).status,
    ).toBe(403);

    const id = policy.json.rbac_policy.id as string;
    expect(await status('bob', `/rbac-policies/${id}`)).toBe(404);
    const refused = await cloud.call('alice', 'DELETE', `/rbac-policies/${id}`);
    expect([refused.status, typeOf(refused)]).toEqual([409, 'RbacPolicyInUse']);
    const moved = await cloud.call('alice', 'PUT', `/rbac-policies/${id}`, {
      rbac_policy: { target_tenant: 'project-c' },
    });
    expect(moved.status).toBe(409);
    await cloud.call('bob', 'DELETE', `/ports/${port.id}`);
    expect((await cloud.call('alice', 'DELETE', `/rbac-policies/${id}`)).status).toBe(204);
    expect(await status('bob', `/networks/${networkId}`)).toBe(404);
    expect(await status('bob', `/subnets/${subnetId}`)).toBe(404);
  });

  test('only owners share, only operators share with everybody or as external, and twice is refused', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.2.0.0/24');
    expect((await share('bob', 'network', networkId, 'project-b')).status).toBe(404);
    expect((await share('alice', 'network', networkId, '*')).status).toBe(403);
    expect((await share('alice', 'network', networkId, 'project-b', 'access_as_external')).status).toBe(403);
    expect((await share('alice', 'network', networkId, 'project-b', 'access_as_owner')).status).toBe(400);
    const group = await cloud.make('alice', '/security-groups', { security_group: { name: 'g' } });
    const wrong = await share('alice', 'security_group', group.id, 'project-b', 'access_as_external');
    expect([wrong.status, typeOf(wrong)]).toEqual([400, 'InvalidAction']);
    expect((await share('admin', 'network', networkId, 'project-b')).status).toBe(201);
    const twice = await share('alice', 'network', networkId, 'project-b');
    expect([twice.status, typeOf(twice)]).toEqual([409, 'DuplicatePolicy']);
    // Who was only let in cannot let others in.
    const handedOn = await share('bob', 'network', networkId, 'project-c');
    expect([handedOn.status, typeOf(handedOn)]).toEqual([400, 'InvalidInput']);
  });

  test('shared of a network is the policy with everybody, and goes while nobody else needs it', async () => {
    const network = await cloud.make('admin', '/networks', { network: { name: 's', shared: true } });
    const policies = async () =>
      (await cloud.call('admin', 'GET', `/rbac-policies?object_id=${network.id}`)).json.rbac_policies;
    expect(await policies()).toMatchObject([{ target_tenant: '*', action: 'access_as_shared' }]);
    const port = await cloud.make('bob', '/ports', { port: { network_id: network.id } });
    const off = { network: { shared: false } };
    const refused = await cloud.call('admin', 'PUT', `/networks/${network.id}`, off);
    expect([refused.status, typeOf(refused)]).toEqual([409, 'InvalidSharedSetting']);
    // Another policy that covers the same project makes this one dispensable.
    expect((await share('admin', 'network', network.id, 'project-b')).status).toBe(201);
    expect((await cloud.call('admin', 'PUT', `/networks/${network.id}`, off)).json.network.shared).toBe(
      false,
    );
    expect(await status('bob', `/networks/${network.id}`)).toBe(200);
    expect(await status('alice', `/networks/${network.id}`)).toBe(404);
    await cloud.call('bob', 'DELETE', `/ports/${port.id}`);
    expect((await cloud.call('admin', 'DELETE', `/networks/${network.id}`)).status).toBe(204);
    expect(await policies()).toEqual([]);
  });

  test('a network that is external for one project gives floating IPs to that project only', async () => {
    const { networkId } = await cloud.external('198.51.100.0/24');
    const [policy] = (await cloud.call('admin', 'GET', `/rbac-policies?object_id=${networkId}`)).json
      .rbac_policies;
    expect(policy).toMatchObject({ action: 'access_as_external', target_tenant: '*' });
    expect((await share('admin', 'network', networkId, 'project-b', 'access_as_external')).status).toBe(201);
    expect((await cloud.call('admin', 'DELETE', `/rbac-policies/${policy.id}`)).status).toBe(204);
    expect(await status('alice', `/networks/${networkId}`)).toBe(404);
    const seen = (await cloud.call('bob', 'GET', `/networks/${networkId}`)).json.network;
    expect([seen['router:external'], seen.shared]).toEqual([true, false]);
    const ask = { floatingip: { floating_network_id: networkId } };
    expect((await cloud.call('alice', 'POST', '/floatingips', ask)).status).toBe(404);
    const floating = await cloud.make('bob', '/floatingips', ask);
    const [own] = (await cloud.call('admin', 'GET', `/rbac-policies?object_id=${networkId}`)).json
      .rbac_policies;
    expect((await cloud.call('admin', 'DELETE', `/rbac-policies/${own.id}`)).status).toBe(409);
    await cloud.call('bob', 'DELETE', `/floatingips/${floating.id}`);
    expect((await cloud.call('admin', 'DELETE', `/rbac-policies/${own.id}`)).status).toBe(204);
  });

  test('a shared security group filters the ports of whom it is shared with, and stays its owner’s', async () => {
    const group = await cloud.make('alice', '/security-groups', { security_group: { name: 'web' } });
    const { networkId } = await cloud.networkWith('bob', '10.3.0.0/24');
    const ask = { port: { network_id: networkId, security_groups: [group.id] } };
    expect((await cloud.call('bob', 'POST', '/ports', ask)).status).toBe(404);
    const policy = await share('alice', 'security_group', group.id, 'project-b');
    const port = await cloud.make('bob', '/ports', ask);
    expect(port.security_groups).toEqual([group.id]);
    expect((await cloud.call('bob', 'GET', `/security-groups/${group.id}`)).json.security_group.shared).toBe(
      true,
    );
    for (const [method, path, body] of [
      ['PUT', `/security-groups/${group.id}`, { security_group: { name: 'mine' } }],
      ['DELETE', `/security-groups/${group.id}`, undefined],
      [
        'POST',
        '/security-group-rules',
        { security_group_rule: { security_group_id: group.id, direction: 'ingress' } },
      ],
    ] as const)
      expect([method, (await cloud.call('bob', method, path, body)).status]).toEqual([method, 403]);
    const path = `/rbac-policies/${policy.json.rbac_policy.id}`;
    expect((await cloud.call('alice', 'DELETE', path)).status).toBe(409);
    await cloud.call('bob', 'DELETE', `/ports/${port.id}`);
    expect((await cloud.call('alice', 'DELETE', path)).status).toBe(204);
  });

  test('a shared subnet pool gives subnets to whom it is shared with', async () => {
    const pool = await cloud.make('alice', '/subnetpools', { subnetpool: { prefixes: ['10.77.0.0/16'] } });
    const made = await cloud.make('bob', '/networks', { network: {} });
    const ask = { subnet: { network_id: made.id, ip_version: 4, subnetpool_id: pool.id, prefixlen: 24 } };
    expect((await cloud.call('bob', 'POST', '/subnets', ask)).status).toBe(404);
    const policy = await share('alice', 'subnetpool', pool.id, 'project-b');
    expect((await cloud.call('bob', 'POST', '/subnets', ask)).status).toBe(201);
    const path = `/rbac-policies/${policy.json.rbac_policy.id}`;
    expect((await cloud.call('alice', 'DELETE', path)).status).toBe(409);
  });

  test('each policy counts, and the eleventh is too many', async () => {
    const { networkId } = await cloud.networkWith('bob', '10.4.0.0/24');
    const answers = [];
    for (let at = 0; at < 11; at++)
      answers.push((await share('bob', 'network', networkId, `project-${at}`)).status);
    expect(answers).toEqual([...Array<number>(10).fill(201), 409]);
    expect((await cloud.call('bob', 'DELETE', `/networks/${networkId}`)).status).toBe(204);
    const usage = (await cloud.call('bob', 'GET', '/quotas/project-b/details.json')).json.quota.rbac_policy;
    expect(usage).toEqual({ limit: 10, used: 0, reserved: 0 });
  });
});
