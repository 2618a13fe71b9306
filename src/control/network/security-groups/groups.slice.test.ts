// Security groups and their rules over HTTP.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, typeOf, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('security groups', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine);
  });
  afterAll(() => cloud.close());
  const rule = (as: 'alice' | 'bob', body: object) =>
    cloud.call(as, 'POST', '/security-group-rules', { security_group_rule: body });

  test("every project has its default group from its first list on, with Neutron's rules", async () => {
    const lists = await Promise.all([1, 2, 3].map(() => cloud.call('alice', 'GET', '/security-groups')));
    for (const answer of lists)
      expect(answer.json.security_groups.map((group: { name: string }) => group.name)).toEqual(['default']);
    const [group] = lists[0]?.json.security_groups ?? [];
    const shown = group.security_group_rules.map((one: Record<string, unknown>) => [
      one['direction'],
      one['ethertype'],
      one['remote_group_id'],
    ]);
    expect(shown.sort()).toEqual([
      ['egress', 'IPv4', null],
      ['egress', 'IPv6', null],
      ['ingress', 'IPv4', group.id],
      ['ingress', 'IPv6', group.id],
    ]);
    expect(typeOf(await cloud.call('alice', 'DELETE', `/security-groups/${group.id}`))).toBe(
      'SecurityGroupCannotRemoveDefault',
    );
    expect(
      typeOf(
        await cloud.call('alice', 'PUT', `/security-groups/${group.id}`, {
          security_group: { name: 'mine' },
        }),
      ),
    ).toBe('SecurityGroupCannotUpdateDefault');
    expect(
      typeOf(await cloud.call('alice', 'POST', '/security-groups', { security_group: { name: 'default' } })),
    ).toBe('SecurityGroupDefaultAlreadyExists');
    expect(
      (await cloud.call('alice', 'GET', '/quotas/project-a/details')).json.quota.security_group.used,
    ).toBe(1);
    expect((await cloud.call('bob', 'GET', `/security-groups/${group.id}`)).status).toBe(404);
  });

  test('a group lets everything out, takes rules, and goes when no port has it', async () => {
    const group = await cloud.make('alice', '/security-groups', {
      security_group: { name: 'web', description: 'd' },
    });
    expect(group).toMatchObject({ name: 'web', stateful: true, project_id: 'project-a' });
    expect(group.security_group_rules.length).toBe(2);
    const made = await cloud.make('alice', '/security-group-rules', {
      security_group_rule: {
        security_group_id: group.id,
        direction: 'ingress',
        protocol: 'tcp',
        port_range_min: 80,
        port_range_max: 80,
        remote_ip_prefix: '10.0.0.5',
      },
    });
    expect(made).toMatchObject({
      protocol: 'tcp',
      ethertype: 'IPv4',
      port_range_min: 80,
      remote_ip_prefix: '10.0.0.5/32',
      remote_group_id: null,
    });
    const range = { security_group_id: group.id, direction: 'ingress', protocol: 'tcp' };
    const given = (await rule('alice', { ...range, remote_ip_prefix: '10.2.3.124/24' })).json
      .security_group_rule;
    expect(given).toMatchObject({ remote_ip_prefix: '10.2.3.124/24', normalized_cidr: '10.2.3.0/24' });
    expect((await rule('alice', { ...range, remote_ip_prefix: '10.2.3.0/24' })).status).toBe(409);
    await cloud.call('alice', 'DELETE', `/security-group-rules/${given.id}`);
    const same = await rule('alice', {
      security_group_id: group.id,
      direction: 'ingress',
      protocol: '6',
      port_range_min: 80,
      port_range_max: 80,
      remote_ip_prefix: '10.0.0.5/32',
    });
    expect([same.status, typeOf(same)]).toEqual([409, 'SecurityGroupRuleExists']);
    expect(
      (
        await cloud.call(
          'alice',
          'GET',
          `/security-group-rules?security_group_id=${group.id}&direction=ingress`,
        )
      ).json.security_group_rules.length,
    ).toBe(1);
    const { networkId } = await cloud.networkWith('alice', '10.0.0.0/24');
    const port = await cloud.make('alice', '/ports', {
      port: { network_id: networkId, security_groups: [group.id] },
    });
    expect(typeOf(await cloud.call('alice', 'DELETE', `/security-groups/${group.id}`))).toBe(
      'SecurityGroupInUse',
    );
    await cloud.call('alice', 'DELETE', `/ports/${port.id}`);
    expect((await cloud.call('alice', 'DELETE', `/security-group-rules/${made.id}`)).status).toBe(204);
    expect((await cloud.call('alice', 'DELETE', `/security-groups/${group.id}`)).status).toBe(204);
    const { quota } = (await cloud.call('alice', 'GET', '/quotas/project-a/details')).json;
    expect([quota.security_group.used, quota.security_group_rule.used]).toEqual([1, 4]);
  });

  test('rules are checked as Neutron does', async () => {
    const { id } = await cloud.make('alice', '/security-groups', { security_group: { name: 'strict' } });
    for (const [body, type] of [
      [{ protocol: 'nonsense' }, 'SecurityGroupRuleInvalidProtocol'],
      [{ protocol: '256' }, 'SecurityGroupRuleInvalidProtocol'],
      [{ port_range_min: 80, port_range_max: 80 }, 'SecurityGroupProtocolRequiredWithPorts'],
      [{ protocol: 'tcp', port_range_min: 90, port_range_max: 80 }, 'SecurityGroupInvalidPortRange'],
      [{ protocol: 'tcp', port_range_min: 90 }, 'SecurityGroupInvalidPortRange'],
      [{ protocol: 'tcp', port_range_min: 0, port_range_max: 80 }, 'SecurityGroupInvalidPortValue'],
      [{ protocol: 'vrrp', port_range_min: 1, port_range_max: 80 }, 'SecurityGroupInvalidProtocolForPort'],
      [{ protocol: 'icmp', port_range_min: 256 }, 'SecurityGroupInvalidIcmpValue'],
      [{ protocol: 'icmp', port_range_max: 0 }, 'SecurityGroupMissingIcmpType'],
      [{ ethertype: 'IPv5' }, 'SecurityGroupRuleInvalidEtherType'],
      [{ remote_ip_prefix: 'fd00::/64' }, 'SecurityGroupRuleParameterConflict'],
      [{ remote_ip_prefix: '10.0.0.0/99' }, 'InvalidCIDR'],
      [{ remote_ip_prefix: '10.0.0.0/24', remote_group_id: id }, 'SecurityGroupRemoteGroupAndRemoteIpPrefix'],
      [{ protocol: 'ipv6-icmp' }, 'SecurityGroupEthertypeConflictWithProtocol'],
    ] as const) {
      const answer = await rule('alice', { security_group_id: id, direction: 'ingress', ...body });
      expect([body, answer.status, typeOf(answer)]).toEqual([body, 400, type]);
    }
    for (const body of [
      { direction: 'up' },
      { protocol: 'tcp\n' },
      { port_range_min: 70000 },
      { remote_ip_prefix: '10.0.0.0/8\n' },
    ])
      expect((await rule('alice', { security_group_id: id, direction: 'ingress', ...body })).status).toBe(
        400,
      );
    expect(
      (
        await rule('alice', {
          security_group_id: id,
          direction: 'ingress',
          protocol: 'icmp',
          port_range_min: 8,
          port_range_max: 0,
        })
      ).status,
    ).toBe(201);
    expect(
      (await cloud.call('alice', 'GET', `/security-groups/${id}`)).json.security_group.security_group_rules
        .length,
    ).toBe(3);
  });

  test("rules of another tenant's group, or naming one, are not found", async () => {
    const { id } = await cloud.make('alice', '/security-groups', { security_group: { name: 'private' } });
    const own = await cloud.make('bob', '/security-groups', { security_group: { name: 'own' } });
    expect((await rule('bob', { security_group_id: id, direction: 'ingress' })).status).toBe(404);
    expect(
      (await rule('bob', { security_group_id: own.id, direction: 'ingress', remote_group_id: id })).status,
    ).toBe(404);
    const group = (await cloud.call('alice', 'GET', `/security-groups/${id}`)).json.security_group;
    for (const method of ['GET', 'DELETE'])
      expect(
        (await cloud.call('bob', method, `/security-group-rules/${group.security_group_rules[0].id}`)).status,
      ).toBe(404);
    expect((await cloud.call('bob', 'DELETE', `/security-groups/${id}`)).status).toBe(404);
  });

  test('of fifty concurrent groups the quota of ten leaves nine beside the default', async () => {
    const before = (await cloud.call('bob', 'GET', '/quotas/project-b/details')).json.quota.security_group
      .used;
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        cloud.call('bob', 'POST', '/security-groups', { security_group: { name: `g${at}` } }),
      ),
    );
    expect(answers.filter((answer) => answer.status === 201).length).toBe(10 - before);
    expect((await cloud.call('bob', 'GET', '/security-groups')).json.security_groups.length).toBe(10);
  });
});
