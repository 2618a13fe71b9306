// The life of servers over HTTP, on both engines, with the other services and the host faked.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { fakeCompute, type FakeCompute } from '../../../testkit/compute-cloud.ts';
import { eventually } from '../fakes.ts';

onBothEngines('lists and parts of servers', (engine) => {
  let compute: FakeCompute;
  let server: FakeCompute['server'];
  let cloud: FakeCompute['cloud'];
  let host: FakeCompute['host'];
  let platform: FakeCompute['platform'];
  const base = '/compute/v2.1';
  const latest = { 'openstack-api-version': 'compute 2.96' };

  beforeEach(async () => {
    compute = await fakeCompute(engine, { instances: 50, cores: 1000, ram: 1_000_000 });
    ({ server, cloud, host, platform } = compute);
  });
  afterEach(() => compute.close());

  const untilStatus = (id: string, status: string) => compute.untilStatus(id, status, 'alice');
  const create = (more: object = {}, as = 'alice', headers = {}) =>
    server.call(
      as,
      'POST',
      `${base}/servers`,
      { server: { name: 'web', flavorRef: '1', imageRef: 'tiny', ...more } },
      headers,
    );
  const active = async (more: object = {}): Promise<string> => {
    const { id } = (await create(more)).json.server;
    expect((await untilStatus(id, 'ACTIVE')).status).toBe('ACTIVE');
    return id;
  };
  const act = (id: string, body: object, as = 'alice') =>
    server.call(as, 'POST', `${base}/servers/${id}/action`, body);
  const usage = () => platform.quotas.usage(platform.db.read, 'p1');

  test('lists page by marker, filter and sort, and say where the next page is', async () => {
    for (const name of ['a_1', 'b-2', 'c.3']) await create({ name });
    const first = (
      await server.call('alice', 'GET', `${base}/servers?limit=2&sort_key=display_name&sort_dir=asc`)
    ).json;
    expect(first.servers.map((one: { name: string }) => one.name)).toEqual(['a_1', 'b-2']);
    const second = (
      await server.call('alice', 'GET', first.servers_links[0].href.replace('http://cloud.test', ''))
    ).json;
    expect([second.servers.map((one: { name: string }) => one.name), second.servers_links]).toEqual([
      ['c.3'],
      undefined,
    ]);
    const names = async (query: string, headers = {}) =>
      ((await server.call('alice', 'GET', `${base}/servers?${query}`, undefined, headers)).json.servers ?? [])
        .map((one: { name: string }) => one.name)
        .sort();
    expect(await names('name=_')).toEqual(['a_1']);
    expect(await names('name=%5EB')).toEqual(['b-2']);
    expect(await names('name=%5C.3%24')).toEqual(['c.3']);
    expect(await names('ip=10.0.0.1%24')).toEqual(['a_1']);
    expect(await names('ip=10.0.')).toEqual(['a_1', 'b-2', 'c.3']);
    expect(await names('status=PAUSED')).toEqual([]);
    expect(await names('image=tiny&flavor=1&changes-since=2020-01-01T00:00:00Z')).toHaveLength(3);
    expect((await server.call('alice', 'GET', `${base}/servers?name=(a`)).status).toBe(400);
    expect((await server.call('alice', 'GET', `${base}/servers?marker=none`)).status).toBe(400);
    expect((await server.call('alice', 'GET', `${base}/servers?bogus=1`)).status).toBe(200);
    expect((await server.call('alice', 'GET', `${base}/servers?bogus=1`, undefined, latest)).status).toBe(
      400,
    );
  });

  test('metadata and tags have their own addresses, and tags filter lists', async () => {
    const id = await active();
    const url = `${base}/servers/${id}`;
    expect(
      (await server.call('alice', 'POST', `${url}/metadata`, { metadata: { a: '1', b: '2' } })).json,
    ).toEqual({ metadata: { a: '1', b: '2' } });
    expect((await server.call('alice', 'PUT', `${url}/metadata/a`, { meta: { a: '3' } })).json).toEqual({
      meta: { a: '3' },
    });
    expect((await server.call('alice', 'DELETE', `${url}/metadata/b`)).status).toBe(204);
    expect((await server.call('alice', 'DELETE', `${url}/metadata/b`)).status).toBe(404);
    const told = await eventually(
      async () => JSON.stringify(host.bodies.get(id)?.body.metadata.meta),
      (one) => one === '{"a":"3"}',
    );
    expect(told).toBe('{"a":"3"}');
    expect((await server.call('alice', 'PUT', `${url}/tags/blue`, undefined, latest)).status).toBe(201);
    expect((await server.call('alice', 'PUT', `${url}/tags/blue`, undefined, latest)).status).toBe(204);
    expect(
      (await server.call('alice', 'PUT', `${url}/tags`, { tags: ['green', 'red'] }, latest)).json,
    ).toEqual({ tags: ['green', 'red'] });
    const count = async (query: string) =>
      (await server.call('alice', 'GET', `${base}/servers?${query}`, undefined, latest)).json.servers.length;
    expect([
      await count('tags=green,red'),
      await count('tags=green,blue'),
      await count('tags-any=green,blue'),
      await count('not-tags=green'),
    ]).toEqual([1, 0, 1, 0]);
    expect((await server.call('alice', 'GET', `${url}/tags`)).status).toBe(404);
  });

  test('what the network says of its ports shows at once, also in lists that were encoded before', async () => {
    const id = await active();
    await server.call('alice', 'GET', `${base}/servers/detail`);
    const [port] = cloud.network.ports.get(id) ?? [];
    if (port === undefined) throw new Error('the server has no port');
    await cloud.network.changed(platform, id, [
      { ...port, fixedIps: port.fixedIps.map((ip) => ({ ...ip, floatingIp: '192.0.2.9' })) },
    ]);
    const [listed] = (await server.call('alice', 'GET', `${base}/servers/detail`)).json.servers;
    expect(listed.addresses.net[1]).toMatchObject({ addr: '192.0.2.9', 'OS-EXT-IPS:type': 'floating' });
  });

  test('several servers are made together or not at all', async () => {
    const made = await create({ min_count: 2, max_count: 3, return_reservation_id: true });
    expect(made.json.reservation_id).toMatch(/^r-/);
    const { servers } = (
      await server.call('alice', 'GET', `${base}/servers?reservation_id=${made.json.reservation_id}`)
    ).json;
    expect(servers.map((one: { name: string }) => one.name).sort()).toEqual(['web-1', 'web-2', 'web-3']);
    expect((await create({ min_count: 48 })).status).toBe(403);
    expect(await usage()).toMatchObject({ instances: 3 });
  });

  test('the console log is asked from the host', async () => {
    const id = await active();
    expect((await act(id, { 'os-getConsoleOutput': { length: 5 } })).json).toEqual({
      output: `console of ${id}, lines 5\n`,
    });
    expect((await act(id, { 'os-getConsoleOutput': {} })).json.output).toContain('lines all');
  });

  test('bad input is a clear 4xx and leaves nothing behind', async () => {
    const bad: [object, string][] = [
      [{ flavorRef: 'no' }, 'flavorRef'],
      [{ imageRef: 'no' }, 'imageRef'],
      [{ key_name: 'no' }, 'key_name'],
      [{ networks: [{ uuid: 'nowhere' }] }, 'nowhere'],
      [{ name: '' }, 'name'],
      [{ name: 'a\u0007' }, 'name'],
      [{ user_data: '%%%' }, 'user_data'],
      [{ user_data: 'abc' }, 'user_data'],
      [{ bogus: 1 }, 'bogus'],
      [{ availability_zone: 'mars' }, 'mars'],
      [
        { block_device_mapping_v2: [{ source_type: 'volume', uuid: 'v', boot_index: 0 }] },
        'could not be found',
      ],
      [{ min_count: 0 }, 'min_count'],
      [{ networks: 'auto' }, 'networks'],
      [{ metadata: { ['k'.repeat(256)]: 'v' } }, 'metadata'],
      [{ tags: ['a'] }, 'tags'],
      [{ networks: [{}] }, 'networks'],
    ];
    for (const [more, word] of bad) {
      const answer = await create(more);
      expect([JSON.stringify(more).slice(0, 60), answer.status]).toEqual([
        JSON.stringify(more).slice(0, 60),
        400,
      ]);
      expect(answer.json.badRequest.message).toContain(word);
    }
    expect((await create({ availability_zone: 'nova:node-1' })).status).toBe(403);
    expect((await create({ networks: undefined }, 'alice', latest)).status).toBe(400);
    expect(
      (
        await create({
          imageRef: 'tiny',
          block_device_mapping_v2: [
            { uuid: 'tiny', source_type: 'image', destination_type: 'local', boot_index: 0 },
          ],
        })
      ).status,
    ).toBe(202);
    expect(await usage()).toMatchObject({ instances: 1 });
    const unknown = await act('nope', { 'os-fly': null });
    expect([unknown.status, unknown.json.badRequest.message]).toEqual([
      400,
      'There is no such action: os-fly',
    ]);
  });
});
