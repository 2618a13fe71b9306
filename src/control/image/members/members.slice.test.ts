// Sharing images over HTTP: who sees what in which list, and who may say so.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../../testkit/database.ts';
import { testActor, testPlatform, testServer, type TestServer } from '../../../testkit/http.ts';
import { createImageService } from '../index.ts';

onBothEngines('members of images', (engine) => {
  let test: TestDatabase;
  let server: TestServer;
  let dir: string;
  const actors = {
    a: testActor('a', 'pa'),
    b: testActor('b', 'pb'),
    c: testActor('c', 'pc'),
    reader: testActor('r', 'pb', ['reader']),
    admin: testActor('admin', 'padmin', ['admin']),
  };
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    dir = mkdtempSync(join(tmpdir(), 'strata-members-'));
    const platform = testPlatform(test.db);
    const images = await createImageService(platform, { dir });
    server = await testServer(platform, [images.service], actors);
  });
  afterEach(async () => {
    await server.close();
    await test.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const I = '/image/v2/images';
  const create = async (visibility = 'shared'): Promise<string> =>
    (
      await server.call('a', 'POST', I, {
        name: visibility,
        disk_format: 'raw',
        container_format: 'bare',
        visibility,
      })
    ).json.id as string;
  const share = (id: string, member = 'pb', as = 'a') =>
    server.call(as, 'POST', `${I}/${id}/members`, { member });
  const answer = (id: string, status: string, as = 'b', member = 'pb') =>
    server.call(as, 'PUT', `${I}/${id}/members/${member}`, { status });
  const listed = async (as: string, query = ''): Promise<string[]> =>
    (await server.call(as, 'GET', `${I}${query}`)).json.images.map((image: { id: string }) => image.id);
  const visibilityTo = (id: string, value: string) =>
    server.call('a', 'PATCH', `${I}/${id}`, [{ op: 'replace', path: '/visibility', value }], {
      'content-type': 'application/openstack-images-v2.1-json-patch',
    });

  it('shows an image to a member at once, and lists it when the member accepts', async () => {
    const id = await create();
    expect((await server.call('b', 'GET', `${I}/${id}`)).status).toBe(404);
    const made = await share(id);
    expect([made.status, made.json]).toEqual([
      200,
      expect.objectContaining({
        image_id: id,
        member_id: 'pb',
        status: 'pending',
        schema: '/v2/schemas/member',
      }),
    ]);
    expect((await server.call('b', 'GET', `${I}/${id}`)).status).toBe(200);
    expect(await listed('b')).toEqual([]);
    expect(await listed('b', '?visibility=shared&member_status=pending')).toEqual([id]);
    expect((await answer(id, 'accepted')).json.status).toBe('accepted');
    expect(await listed('b')).toEqual([id]);
    expect(await listed('b', '?visibility=shared&member_status=pending')).toEqual([]);
    await answer(id, 'rejected');
    expect(await listed('b')).toEqual([]);
    expect(await listed('b', '?visibility=shared&member_status=all')).toEqual([id]);
    expect((await server.call('a', 'DELETE', `${I}/${id}/members/pb`)).status).toBe(204);
    expect((await server.call('b', 'GET', `${I}/${id}`)).status).toBe(404);
    expect((await server.call('b', 'GET', `${I}?member_status=nonsense`)).status).toBe(400);
  });

  it('lets only the owner share, and only the member answer', async () => {
    const id = await create();
    expect((await share(id, 'pc', 'b')).status).toBe(404);
    await share(id);
    expect((await share(id)).status).toBe(409);
    expect((await share(id, 'pc', 'b')).status).toBe(403);
    expect((await answer(id, 'accepted', 'a')).status).toBe(403);
    expect((await answer(id, 'accepted', 'c')).status).toBe(404);
    expect((await answer(id, 'accepted', 'c', 'pc')).status).toBe(404);
    expect((await answer(id, 'accepted', 'reader')).status).toBe(403);
    expect((await answer(id, 'nonsense')).status).toBe(400);
    expect((await server.call('b', 'DELETE', `${I}/${id}/members/pb`)).status).toBe(403);
    expect((await server.call('b', 'DELETE', `${I}/${id}`)).status).toBe(403);
    expect((await visibilityTo(id, 'private')).status).toBe(200);
    expect((await server.call('b', 'GET', `${I}/${id}`)).status).toBe(404);
  });

  it('shows members to the owner, each to itself, and none to strangers', async () => {
    const id = await create();
    await share(id);
    await share(id, 'pc');
    const members = async (as: string) => {
      const { status, json } = await server.call(as, 'GET', `${I}/${id}/members`);
      return status === 200 ? json.members.map((one: { member_id: string }) => one.member_id) : status;
    };
    expect([await members('a'), await members('b'), await members('admin')]).toEqual([
      ['pb', 'pc'],
      ['pb'],
      ['pb', 'pc'],
    ]);
    expect((await server.call('b', 'GET', `${I}/${id}/members/pc`)).status).toBe(404);
    expect((await server.call('b', 'GET', `${I}/${id}/members/pb`)).json.status).toBe('pending');
    const secret = await create('private');
    expect((await server.call('b', 'GET', `${I}/${secret}/members`)).status).toBe(404);
    expect((await share(secret)).status).toBe(403);
    const community = await create('community');
    expect((await server.call('b', 'GET', `${I}/${community}/members`)).status).toBe(404);
  });

  it('lists the community’s images only to who asks for them', async () => {
    const [community, mine] = [await create('community'), await create('private')];
    expect((await listed('a')).sort()).toEqual([community, mine].sort());
    expect(await listed('b')).toEqual([]);
    expect(await listed('b', '?visibility=community')).toEqual([community]);
    expect(await listed('b', '?visibility=all')).toEqual([community]);
    expect((await server.call('b', 'GET', `${I}/${community}`)).status).toBe(200);
  });

  it('sorts by size whether there is content or not, page by page', async () => {
    const [empty, large, small] = [await create(), await create(), await create()];
    for (const [id, size] of [
      [large, 900],
      [small, 20],
    ] as const)
      await server.call('a', 'PUT', `${I}/${id}/file`, Buffer.alloc(size), {
        'content-type': 'application/octet-stream',
      });
    expect(await listed('a', '?sort=size:desc')).toEqual([large, small, empty]);
    expect(await listed('a', `?sort=size:asc&limit=2&marker=${empty}`)).toEqual([small, large]);
  });

  it('keeps names of the service’s own from clients', async () => {
    const refused = await server.call('a', 'POST', I, { name: 'x', os_glance_import: 'y' });
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('reserved')]);
    const id = await create();
    for (const op of ['add', 'remove'])
      expect(
        (
          await server.call('a', 'PATCH', `${I}/${id}`, [{ op, path: '/os_glance_x', value: 'y' }], {
            'content-type': 'application/openstack-images-v2.1-json-patch',
          })
        ).status,
      ).toBe(403);
  });
});
