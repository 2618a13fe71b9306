// The dry run of a create against the real services: it says what the create then does, refuses what it refuses, and
// leaves nothing behind.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { openTestCloud, type TestCloud } from '../../../testkit/routes/cloud.ts';
import { createTenant, fixtures, type Tenant } from '../../../testkit/routes/fixtures.ts';
import { rowCounts, tableNames } from '../../../testkit/routes/rows.ts';

const compute = '/compute/v2.1';
const DRY_RUN = `${compute}/strata-dry-run/servers`;

onBothEngines('the dry run of a create', (engine) => {
  let cloud: TestCloud;
  let tenant: Tenant;

  beforeEach(async () => {
    cloud = await openTestCloud(engine);
    tenant = await createTenant(cloud, 'quokka');
    for (const kind of ['network', 'subnet', 'flavor', 'image'])
      tenant.ids[kind] = (await fixtures[kind]?.(cloud, tenant)) ?? '';
    await cloud.settle();
  });
  afterEach(() => cloud.close());

  const server = (more: object = {}) => ({
    server: {
      name: 'probe',
      flavorRef: tenant.ids['flavor'],
      imageRef: tenant.ids['image'],
      networks: [{ uuid: tenant.ids['network'] }],
      ...more,
    },
  });
  const dryRun = (body: object, token = tenant.tokens.member) => cloud.call(token, 'POST', DRY_RUN, body);

  test('says that the server would be placed, what of the quota it takes, and to operators where', async () => {
    const tables = await tableNames(cloud.control.platform.db);
    const before = await rowCounts(cloud.control.platform.db, [...tables, 'audit', 'work']);
    const { placement } = (await dryRun(server({ min_count: 2 }))).json;
    expect(placement).toEqual({
      possible: true,
      message: null,
      servers: 2,
      placed: 2,
      zone: 'nova',
      host: null,
      quota: expect.arrayContaining([
        { resource: 'instances', of: 'project', requested: 2, in_use: 0, limit: 10, fits: true },
        { resource: 'ram', of: 'project', requested: 128, in_use: 0, limit: 51_200, fits: true },
        { resource: 'port', of: 'project', requested: 2, in_use: expect.any(Number), limit: 500, fits: true },
      ]),
      considered: 1,
      reasons: [],
    });
    const admin = { flavorRef: tenant.ids['flavor'], networks: 'none' };
    expect((await dryRun(server(admin), cloud.admin)).json.placement.host).toBe('sim-host');
    expect(await rowCounts(cloud.control.platform.db, [...tables, 'audit', 'work'])).toEqual(before);
    expect((await dryRun(server(), tenant.tokens.reader)).status).toBe(403);
  });

  test('says which quota does not suffice, of the project and of the user, as the create then does', async () => {
    await cloud.must(cloud.admin, 'PUT', `${compute}/os-quota-sets/${tenant.projectId}`, {
      quota_set: { ram: 100 },
    });
    const body = server({ min_count: 2 });
    const { placement } = (await dryRun(body)).json;
    const refused = await cloud.call(tenant.tokens.member, 'POST', `${compute}/servers`, body);
    expect(refused.status).toBe(403);
    expect(placement.message).toBe(refused.json.forbidden.message);
    expect(placement).toMatchObject({ possible: false, placed: 2 });
    await cloud.must(
      cloud.admin,
      'PUT',
      `${compute}/os-quota-sets/${tenant.projectId}?user_id=${tenant.users.member}`,
      { quota_set: { instances: 0 } },
    );
    expect((await dryRun(server())).json.placement.quota).toContainEqual({
      resource: 'instances',
      of: 'user',
      requested: 1,
      in_use: 0,
      limit: 0,
      fits: false,
    });
    const volumes = server({
      block_device_mapping_v2: [
        { source_type: 'blank', destination_type: 'volume', volume_size: 3, boot_index: -1 },
      ],
    });
    expect((await dryRun(volumes)).json.placement.quota).toContainEqual(
      expect.objectContaining({ resource: 'gigabytes', requested: 3, fits: true }),
    );
  });

  test('says filter by filter why there is no host, in the words of the fault of the create', async () => {
    const services = await cloud.must(cloud.admin, 'GET', `${compute}/os-services?binary=nova-compute`);
    await cloud.must(cloud.admin, 'PUT', `${compute}/os-services/${services.services[0].id}`, {
      status: 'disabled',
    });
    const { placement } = (await dryRun(server())).json;
    expect(placement).toMatchObject({
      possible: false,
      placed: 0,
      zone: null,
      considered: 1,
      reasons: [
        {
          filter: 'state',
          hosts: 1,
          examples: [{ host: 'sim-host', message: 'the host is disabled for scheduling' }],
        },
      ],
    });
    const made = await cloud.must(tenant.tokens.member, 'POST', `${compute}/servers`, server());
    const shown = await cloud.must(tenant.tokens.member, 'GET', `${compute}/servers/${made.server.id}`);
    expect(shown.server.fault.message).toBe(placement.message);
  });

  test('refuses what the create refuses, with the same words', async () => {
    const bare = await cloud.must(tenant.tokens.member, 'POST', '/network/v2.0/networks', {
      network: { name: 'bare' },
    });
    const wrong = [
      { flavorRef: 'nothing' },
      { imageRef: 'nothing' },
      { networks: [{ uuid: 'nothing' }] },
      { networks: [{ uuid: bare.network.id }] },
      { networks: [{ port: 'nothing' }] },
      { networks: 'auto' },
      { security_groups: [{ name: 'nothing' }] },
      { key_name: 'nothing' },
      { availability_zone: 'nowhere' },
      { availability_zone: 'nova:sim-host' },
      { name: '' },
      { colour: 'red' },
      { metadata: Object.fromEntries(Array.from({ length: 129 }, (_, at) => [`k${at}`, 'v'])) },
      { block_device_mapping_v2: [{ source_type: 'volume', uuid: 'nothing', boot_index: 0 }] },
    ];
    for (const more of wrong) {
      const asked = await dryRun(server(more));
      const created = await cloud.call(tenant.tokens.member, 'POST', `${compute}/servers`, server(more));
      expect([asked.status, asked.text], JSON.stringify(more)).toEqual([created.status, created.text]);
      expect(asked.status, JSON.stringify(more)).toBeGreaterThanOrEqual(400);
      expect(asked.status, JSON.stringify(more)).toBeLessThan(500);
    }
  });
});
