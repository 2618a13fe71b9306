// Images over HTTP: their life, their content, who may what, and what is refused.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../testkit/database.ts';
import { testActor, testPlatform, testServer, type Answer, type TestServer } from '../../testkit/http.ts';
import { makeImage, MIB } from './content/real-images.ts';
import { createImageService, type ImageService } from './index.ts';

onBothEngines('images', (engine) => {
  let test: TestDatabase;
  let server: TestServer;
  let images: ImageService;
  let dir: string;
  let platform: ReturnType<typeof testPlatform>;
  const actors = {
    a: testActor('a', 'pa'),
    b: testActor('b', 'pb'),
    reader: testActor('r', 'pa', ['reader']),
    admin: testActor('admin', 'padmin', ['admin']),
    system: { ...testActor('admin', 'padmin', ['admin']), scope: { type: 'system' as const } },
    domain: {
      ...testActor('admin', 'padmin', ['admin']),
      scope: { type: 'domain' as const, id: 'default', name: 'Default' },
    },
  };
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    dir = mkdtempSync(join(tmpdir(), 'strata-image-'));
    platform = testPlatform(test.db);
    images = await createImageService(platform, { dir });
    server = await testServer(platform, [images.service], actors);
  });
  afterEach(async () => {
    await server.close();
    await test.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const I = '/image/v2/images';
  const raw = { disk_format: 'raw', container_format: 'bare' };
  const create = async (body: object = {}, as = 'a'): Promise<string> => {
    const made = await server.call(as, 'POST', I, { name: 'x', ...raw, ...body });
    expect([made.status, made.text.slice(0, 300)]).toEqual([201, expect.anything()]);
    return made.json.id as string;
  };
  const upload = (id: string, content: Buffer | Readable, as = 'a'): Promise<Answer> =>
    server.call(as, 'PUT', `${I}/${id}/file`, content, { 'content-type': 'application/octet-stream' });
  const show = async (id: string) => (await server.call('admin', 'GET', `${I}/${id}`)).json;
  const patch = (id: string, body: object[], as = 'a') =>
    server.call(as, 'PATCH', `${I}/${id}`, body, {
      'content-type': 'application/openstack-images-v2.1-json-patch',
    });
  const files = () => readdirSync(dir);

  it('stores what is uploaded, and hands it out whole or in ranges', async () => {
    const id = await create({ pipe: 'a property', tags: ['t'] });
    expect((await server.call('a', 'GET', `${I}/${id}/file`)).status).toBe(204);
    const content = Buffer.from('hello, image '.repeat(1000));
    expect((await upload(id, content)).status).toBe(204);
    expect(await show(id)).toMatchObject({
      status: 'active',
      size: content.length,
      virtual_size: 13000,
      os_hash_algo: 'sha512',
      pipe: 'a property',
    });
    const whole = await server.call('a', 'GET', `${I}/${id}/file`);
    expect([whole.status, whole.text === content.toString(), whole.headers['content-md5']]).toEqual([
      200,
      true,
      (await show(id)).checksum,
    ]);
    const part = await server.call('a', 'GET', `${I}/${id}/file`, undefined, { range: 'bytes=7-11' });
    expect([part.status, part.text, part.headers['content-range']]).toEqual([
      206,
      'image',
      `bytes 7-11/${content.length}`,
    ]);
    for (const range of ['bytes=99999-', 'bytes=9-3'])
      expect((await server.call('a', 'GET', `${I}/${id}/file`, undefined, { range })).status).toBe(416);
    expect((await server.call('a', 'HEAD', `${I}/${id}/file`)).text).toBe('');
    expect((await upload(id, content)).status).toBe(409);
    expect((await server.call('reader', 'GET', `${I}/${id}/file`)).status).toBe(403);
  });

  it('makes no image without an owner for a token without a project', async () => {
    for (const as of ['system', 'domain']) {
      const refused = await server.call(as, 'POST', I, { name: 'x', ...raw });
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('belongs to a project')]);
      expect((await server.call(as, 'POST', I, { name: 'x', ...raw, owner: 'pa' })).json.owner).toBe('pa');
      const id = await create();
      expect(
        (
          await server.call(as, 'PATCH', `${I}/${id}`, [{ op: 'replace', path: '/owner', value: '' }], {
            'content-type': 'application/openstack-images-v2.1-json-patch',
          })
        ).status,
      ).toBe(400);
    }
    expect(
      (await platform.db.read.selectFrom('images').select('id').where('owner', '=', '').execute()).length,
    ).toBe(0);
  });

  it('lists with filters, order and pages', async () => {
    for (const [at, name] of ['c', 'a', 'b', 'a,z'].entries())
      await create({
        name,
        tags: at % 2 === 0 ? ['x_y', 'Even'] : ['xzy'],
        os_type: at < 2 ? 'linux' : 'other',
      });
    const names = async (query: string): Promise<string[]> =>
      (await server.call('a', 'GET', `${I}?${query}`)).json.images.map((one: { name: string }) => one.name);
    expect(await names('sort=name:asc')).toEqual(['a', 'a,z', 'b', 'c']);
    expect(await names('sort_key=name')).toEqual(['c', 'b', 'a,z', 'a']);
    expect((await names('tag=x_y')).sort()).toEqual(['b', 'c']);
    expect(await names('tag=even')).toEqual([]);
    expect((await names('os_type=linux')).sort()).toEqual(['a', 'c']);
    expect((await names('name=in:"a,z",b')).sort()).toEqual(['a,z', 'b']);
    const pages: string[] = [];
    for (let url: string | undefined = `${I}?limit=1&sort=name:asc`; url !== undefined;) {
      const { json }: Answer = await server.call('a', 'GET', url);
      pages.push(...json.images.map((one: { name: string }) => one.name));
      url = json.next === undefined ? undefined : `/image${json.next}`;
    }
    expect(pages).toEqual(['a', 'a,z', 'b', 'c']);
    expect((await server.call('a', 'GET', `${I}?marker=nope`)).status).toBe(400);
    expect((await server.call('a', 'GET', `${I}?${'sort_key=name&'.repeat(500)}`)).status).toBe(200);
  });

  it('changes by JSON patch what may be changed, and says why it does not', async () => {
    const id = await create({ old: '1' });
    const good = await patch(id, [
      { op: 'replace', path: '/name', value: 'new' },
      { op: 'add', path: '/k', value: 'v' },
      { op: 'remove', path: '/old' },
      { op: 'add', path: '/tags/-', value: 't' },
    ]);
    expect([good.status, good.json.name, good.json.k, good.json.old, good.json.tags]).toEqual([
      200,
      'new',
      'v',
      undefined,
      ['t'],
    ]);
    const bad: [object, number][] = [
      [{ op: 'replace', path: '/status', value: 'active' }, 403], [{ op: 'replace', path: '/size', value: 1 }, 403], [{ op: 'remove', path: '/name' }, 403], [{ op: 'replace', path: '/none', value: 'x' }, 409],
      [{ op: 'add', path: '/k', value: 7 }, 400], [{ op: 'add', path: '/k/deep', value: 'x' }, 400], [{ op: 'move', path: '/k' }, 400], [{ op: 'add', path: '/tags/-', value: {} }, 400], [{ op: 'replace', path: '/tags', value: 'x' }, 400],
      [{ op: 'add', path: '/bad name', value: 'x' }, 400], [{ op: 'add', path: '/k' }, 400], [{ op: 'replace', path: '/visibility', value: 'public' }, 403], [{ op: 'replace', path: '/owner', value: 'pb' }, 403],
    ]; // prettier-ignore
    for (const [one, status] of bad) expect([one, (await patch(id, [one])).status]).toEqual([one, status]);
    expect(
      (
        await patch(id, [
          { op: 'replace', path: '/tags', value: 7 },
          { op: 'add', path: '/tags/-', value: 'x' },
        ])
      ).status,
    ).toBe(400);
    expect((await show(id)).name).toBe('new');
    await patch(id, [{ op: 'replace', path: '/visibility', value: 'public' }], 'admin');
    expect((await patch(id, [{ op: 'replace', path: '/name', value: 'still mine' }])).status).toBe(200);
  });

  it('keeps tenants apart', async () => {
    const id = await create();
    for (const [method, url, body] of [
      ['GET', ''],
      ['PATCH', '', []],
      ['DELETE', ''],
      ['GET', '/file'],
      ['PUT', '/tags/x'],
      ['DELETE', '/tags/x'],
    ] as const) {
      const answer = await server.call('b', method, `${I}/${id}${url}`, body);
      expect([method, url, answer.status]).toEqual([method, url, 404]);
    }
    expect((await upload(id, Buffer.from('x'), 'b')).status).toBe(404);
    expect((await server.call('b', 'GET', I)).json.images).toEqual([]);
    await patch(id, [{ op: 'replace', path: '/visibility', value: 'public' }], 'admin');
    expect((await server.call('b', 'GET', `${I}/${id}`)).status).toBe(200);
    expect((await server.call('b', 'DELETE', `${I}/${id}`)).status).toBe(403);
  });

  it('deletes the content with the image, but nothing that is protected', async () => {
    const id = await create({ protected: true });
    await upload(id, Buffer.from('data'));
    expect((await server.call('a', 'DELETE', `${I}/${id}`)).status).toBe(403);
    await patch(id, [{ op: 'replace', path: '/protected', value: false }]);
    expect((await server.call('a', 'DELETE', `${I}/${id}`)).status).toBe(204);
    await server.settle();
    expect(files()).toEqual([]);
  });

  it('gives the content of a deactivated image to operators only', async () => {
    const id = await create();
    await upload(id, Buffer.from('data'));
    expect((await server.call('reader', 'POST', `${I}/${id}/actions/deactivate`)).status).toBe(403);
    expect((await server.call('b', 'POST', `${I}/${id}/actions/deactivate`)).status).toBe(404);
    expect((await server.call('a', 'POST', `${I}/${id}/actions/deactivate`)).status).toBe(204);
    expect((await server.call('a', 'GET', `${I}/${id}/file`)).status).toBe(403);
    expect((await server.call('admin', 'GET', `${I}/${id}/file`)).status).toBe(200);
    expect((await server.call('admin', 'POST', `${I}/${id}/actions/reactivate`)).status).toBe(204);
    expect((await server.call('a', 'GET', `${I}/${id}/file`)).status).toBe(200);
  });

  it('refuses content that is not what it says, keeps nothing of it, and takes another upload', async () => {
    const qcow2 = await makeImage('qcow2', MIB);
    const backed = Buffer.from(qcow2);
    backed.writeBigUInt64BE(512n, 8);
    backed.writeUInt32BE(11, 16);
    backed.write('/etc/passwd', 512);
    const cases: [object, Buffer][] = [
      [raw, qcow2],
      [{ ...raw, disk_format: 'qcow2' }, Buffer.from('no')],
      [{ ...raw, disk_format: 'qcow2' }, backed],
      [{ disk_format: 'raw', container_format: 'docker' }, Buffer.from('no tar')],
    ];
    for (const [declared, content] of cases) {
      const id = await create(declared);
      const answer = await upload(id, content);
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('refused')]);
      expect([(await show(id)).status, files()]).toEqual(['queued', []]);
    }
    const id = await create({ disk_format: 'qcow2' });
    await upload(id, Buffer.from('no'));
    expect((await upload(id, qcow2)).status).toBe(204);
  });

  it('queues an upload that was cut off again, and keeps nothing of it', async () => {
    const id = await create();
    await upload(
      id,
      Readable.from(
        (async function* () {
          yield Buffer.alloc(100_000);
          throw new Error('the client is gone');
        })(),
      ),
    ).catch(() => null);
    for (let tries = 0; tries < 200 && (await show(id)).status !== 'queued'; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect([(await show(id)).status, files()]).toEqual(['queued', []]);
  });

  it('lets one of two uploads win, and loses the content of an image that is deleted meanwhile', async () => {
    const id = await create();
    const both = await Promise.all([
      upload(id, Buffer.alloc(200_000, 1)),
      upload(id, Buffer.alloc(200_000, 2)),
    ]);
    expect(both.map((one) => one.status).sort()).toEqual([204, 409]);
    const other = await create();
    const slow = upload(
      other,
      Readable.from(
        (async function* () {
          for (let at = 0; at < 20; at++) {
            yield Buffer.alloc(10_000);
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
        })(),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect((await server.call('a', 'DELETE', `${I}/${other}`)).status).toBe(204);
    expect((await slow).status).toBe(404);
    await server.settle();
    expect(files()).toEqual([id]);
  });

  it('makes a bootable copy of a disk that guests cannot boot', async () => {
    const id = await create({ disk_format: 'vmdk' });
    expect((await upload(id, await makeImage('vmdk', MIB, ['subformat=streamOptimized']))).status).toBe(204);
    const ctx = { platform, actor: actors.a, requestId: 'r', microversion: 0, action: 'x' };
    await server.settle();
    const boot = await images.api.forBoot(test.db.read, ctx, id);
    expect([boot.diskFormat, boot.hash.length, existsSync(join(dir, `${id}-boot`))]).toEqual([
      'qcow2',
      128,
      true,
    ]);
    await server.call('a', 'DELETE', `${I}/${id}`);
    await server.settle();
    expect(files()).toEqual([]);
  });

  it('sweeps away at start what a crash left', async () => {
    const id = await create();
    await upload(id, Buffer.from('data'));
    const orphan = await create();
    await upload(orphan, Buffer.from('data'));
    await test.db.tx((tx) =>
      tx.updateTable('images').set({ status: 'saving' }).where('id', '=', orphan).execute(),
    );
    await images.bootstrap('padmin');
    await server.settle();
    expect([files(), (await show(orphan)).status]).toEqual([[id], 'queued']);
  });
});
