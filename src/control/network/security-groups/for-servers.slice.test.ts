// Security groups as the compute service hands them on, on both engines.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('security groups of servers', (engine) => {
  let cloud: TestCloud;
  let hostId: string;
  beforeAll(async () => {
    cloud = await testCloud(engine);
    hostId = await cloud.addHost('node-1');
  });
  afterAll(() => cloud.close());

  const rule = {
    protocol: 'tcp',
    port_range_min: 22,
    port_range_max: 22,
    remote_ip_prefix: null,
    remote_group_id: null,
  };

  test('groups are made, changed, filled with ingress rules, and only their project sees them', async () => {
    const { groups } = cloud.network.api;
    const [alice, bob] = [cloud.ctx('alice'), cloud.ctx('bob')];
    const made = await groups.create(alice, ' web ', 'front');
    expect(made).toMatchObject({ name: ' web ', description: 'front', project_id: 'project-a' });
    const added = await groups.addRule(alice, {
      ...rule,
      security_group_id: made.id,
      remote_ip_prefix: '2001:db8::/64',
    });
    expect(added).toMatchObject({
      direction: 'ingress',
      ethertype: 'IPv6',
      protocol: 'tcp',
      port_range_min: 22,
      remote_group: null,
    });
    const named = await groups.addRule(alice, {
      ...rule,
      security_group_id: made.id,
      remote_group_id: made.id,
    });
    expect(named.remote_group).toEqual({ name: ' web ', project_id: 'project-a' });
    expect(await groups.update(alice, made.id, { name: 'site', description: '' })).toMatchObject({
      name: 'site',
      description: '',
    });
    expect((await groups.list(alice, false)).map((one) => one.name).sort()).toEqual(['default', 'site']);
    expect((await groups.list(bob, false)).map((one) => one.name)).toEqual(['default']);
    for (const refused of [
      () => groups.show(bob, made.id),
      () => groups.removeRule(bob, added.id),
      () => groups.remove(bob, made.id),
    ])
      await expect(refused()).rejects.toMatchObject({ status: 404 });
    await groups.removeRule(alice, added.id);
    await groups.remove(alice, made.id);
    await expect(groups.show(alice, made.id)).rejects.toMatchObject({ status: 404 });
  });

  test('a server is put into a group by name or id and taken out, and its ports and its host follow', async () => {
    const { groups, portsOf } = cloud.network.api;
    const alice = cloud.ctx('alice');
    const { networkId } = await cloud.networkWith('alice', '10.7.0.0/24');
    const portId = await cloud.boot('alice', 'server-1', hostId, networkId);
    const group = await groups.create(alice, 'extra', '');
    const server = { id: 'server-1', projectId: 'project-a' };
    const set = (name: string, member: boolean) =>
      cloud.tx((tx) => groups.setMember(tx, alice, server, name, member));
    const names = async () =>
      (await portsOf(cloud.platform.db.read, ['server-1']))
        .get('server-1')?.[0]
        ?.securityGroups.map((one) => one.name);
    await set('extra', true);
    await set(group.id, true);
    expect(await names()).toEqual(['default', 'extra']);
    const wanted = async () =>
      (await cloud.items(hostId, 'port')).find((item) => item.id === portId)?.body?.securityGroupIds ?? [];
    await expect.poll(wanted, { timeout: 5_000 }).toContain(group.id);
    await expect(groups.remove(alice, group.id)).rejects.toMatchObject({ status: 409 });
    await set('extra', false);
    expect(await names()).toEqual(['default']);
    await expect(set('extra', false)).rejects.toMatchObject({ status: 404 });
    await expect(set('nothing', true)).rejects.toMatchObject({ status: 404 });
    await groups.create(alice, 'twice', '');
    await groups.create(alice, 'twice', '');
    await expect(set('twice', true)).rejects.toMatchObject({ status: 400 });
  });
});
