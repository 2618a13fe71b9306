// Imports over HTTP: staged content, the web, other images; what fails, and what a crash leaves.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../../testkit/database.ts';
import { testActor, testPlatform, testServer, type Answer, type TestServer } from '../../../testkit/http.ts';
import { imageQuotas, MIB } from '../images/limits.ts';
import { createImageService, type ImageService } from '../index.ts';

onBothEngines('imports of images', (engine) => {
  let test: TestDatabase;
  let server: TestServer;
  let images: ImageService;
  let web: Server;
  let origin: string;
  let dir: string;
  let platform: ReturnType<typeof testPlatform>;
  const actors = {
    a: testActor('a', 'pa'),
    b: testActor('b', 'pb'),
    admin: testActor('admin', 'padmin', ['admin']),
  };
  beforeEach(async () => {
    web = createServer((request, response) => {
      if (request.url === '/disk') response.end(Buffer.alloc(4096, 'w'));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    test = await openTestDatabase(engine);
    dir = mkdtempSync(join(tmpdir(), 'strata-import-'));
    platform = testPlatform(test.db, imageQuotas);
    images = await createImageService(platform, { dir, downloadFrom: [origin, 'http://*'] });
    server = await testServer(platform, [images.service], actors);
  });
  afterEach(async () => {
    await server.close();
    await test.remove();
    web.closeAllConnections();
    await new Promise((resolve) => web.close(resolve));
    rmSync(dir, { recursive: true, force: true });
  });
  const I = '/image/v2/images';
  const raw = { disk_format: 'raw', container_format: 'bare' };
  const create = async (body: object = raw, as = 'a'): Promise<string> =>
    (await server.call(as, 'POST', I, { name: 'x', ...body })).json.id as string;
  const send = (id: string, what: 'file' | 'stage', content: Buffer | Readable, as = 'a'): Promise<Answer> =>
    server.call(as, 'PUT', `${I}/${id}/${what}`, content, { 'content-type': 'application/octet-stream' });
  const ask = (id: string, method: object, as = 'a', more: object = {}): Promise<Answer> =>
    server.call(as, 'POST', `${I}/${id}/import`, { method, ...more });
  const show = async (id: string) => (await server.call('admin', 'GET', `${I}/${id}`)).json;
  const tasks = async (id: string) => (await server.call('a', 'GET', `${I}/${id}/tasks`)).json.tasks;
  const files = () => readdirSync(dir).sort();
  const direct = { name: 'glance-direct' };

  it('makes staged content the image, and tells by a task', async () => {
    const made = await server.call('a', 'POST', I, { name: 'x', ...raw });
    expect(made.headers['openstack-image-import-methods']).toBe('glance-direct,web-download,glance-download');
    expect(made.headers['openstack-image-store-ids']).toBe('file');
    const id = made.json.id as string;
    expect((await ask(id, direct)).status).toBe(409);
    expect((await send(id, 'stage', Buffer.alloc(3000, 's'))).status).toBe(204);
    expect([(await show(id)).status, files()]).toEqual(['uploading', [`${id}-stage`]]);
    for (const what of ['stage', 'file'] as const)
      expect((await send(id, what, Buffer.from('again'))).status).toBe(409);
    const asked = await ask(id, direct, 'a', { all_stores: true });
    expect([asked.status, asked.text]).toEqual([202, '']);
    await server.settle();
    expect(await show(id)).toMatchObject({
      status: 'active',
      size: 3000,
      stores: 'file',
      os_hash_algo: 'sha512',
    });
    expect(files()).toEqual([id]);
    expect(await tasks(id)).toMatchObject([
      {
        status: 'success',
        type: 'api_image_import',
        request_id: asked.headers['x-openstack-request-id'],
        owner: 'pa',
        input: { import_req: { method: direct } },
      },
    ]);
    expect((await ask(id, direct)).status).toBe(409);
  });

  it('downloads from where the operator allows it', async () => {
    const id = await create();
    expect((await ask(id, { name: 'web-download', uri: `${origin}/disk` })).status).toBe(202);
    await server.settle();
    expect(await show(id)).toMatchObject({ status: 'active', size: 4096 });
    for (const uri of [
      'https://elsewhere.test/',
      `${origin.replace('127.0.0.1', 'localhost')}/`,
      'file:///x',
    ])
      expect((await ask(await create(), { name: 'web-download', uri })).status, uri).toBe(400);
    expect((await ask(await create(), { name: 'web-download' })).status).toBe(400);
  });

  it('queues the image again when its content cannot be had or is refused, and says why', async () => {
    const missing = await create();
    await ask(missing, { name: 'web-download', uri: `${origin}/none` });
    const metadata = await create();
    await ask(metadata, { name: 'web-download', uri: 'http://169.254.169.254/latest' });
    const wrong = await create({ ...raw, disk_format: 'qcow2' });
    await send(wrong, 'stage', Buffer.from('no qcow2'));
    await ask(wrong, direct);
    await server.settle();
    for (const [id, why] of [
      [missing, 'status 404'],
      [metadata, 'not public'],
      [wrong, 'disk_format is qcow2'],
    ] as const) {
      expect(await show(id)).toMatchObject({ status: 'queued', os_glance_failed_import: 'file' });
      expect(await tasks(id)).toMatchObject([{ status: 'failure', message: expect.stringContaining(why) }]);
    }
    expect(files()).toEqual([]);
    expect((await send(missing, 'file', Buffer.from('by hand'))).status).toBe(204);
    expect((await show(missing)).os_glance_failed_import).toBeUndefined();
  });

  it('takes over another image with what its content needs, if the asker may read it', async () => {
    const source = await create({ ...raw, hw_disk_bus: 'scsi', os_distro: 'debian', speed: 'high' });
    await send(source, 'file', Buffer.alloc(2048, 'z'));
    const from = (id: string, region = 'RegionOne') => ({
      name: 'glance-download',
      glance_image_id: id,
      glance_region: region,
      glance_service_interface: 'public',
    });
    const copy = await create({ disk_format: 'iso', container_format: 'ovf', os_distro: 'other' });
    expect((await ask(copy, from(source))).status).toBe(202);
    await server.settle();
    expect(await show(copy)).toMatchObject({ ...raw, hw_disk_bus: 'scsi', os_distro: 'debian', size: 2048 });
    expect((await show(copy)).speed).toBeUndefined();
    await server.call(
      'a',
      'PATCH',
      `${I}/${source}`,
      [{ op: 'replace', path: '/visibility', value: 'private' }],
      {
        'content-type': 'application/openstack-images-v2.1-json-patch',
      },
    );
    const stolen = await create(raw, 'b');
    expect((await ask(stolen, from(source), 'b')).status).toBe(202);
    const nowhere = await create();
    expect((await ask(nowhere, from(source, 'elsewhere'))).status).toBe(202);
    await server.settle();
    expect([(await show(stolen)).status, (await show(nowhere)).status]).toEqual(['queued', 'queued']);
    expect((await ask(await create(), from('no-uuid'))).text).toContain('does not look like a UUID');
  });

  it('refuses what it does not offer, and what is not the asker’s', async () => {
    const id = await create();
    for (const [method, more] of [
      [{ name: 'copy-image' }, {}],
      [direct, { stores: ['elsewhere'] }],
      [direct, { stores: ['file'], all_stores: true }],
    ] as const)
      expect((await ask(id, method, 'a', more)).status).toBe(400);
    expect((await ask(await create({ name: 'y' }), direct)).status).toBe(400);
    expect((await ask(id, direct, 'b')).status).toBe(404);
    expect((await send(id, 'stage', Buffer.from('x'), 'b')).status).toBe(404);
    expect((await server.call('a', 'GET', '/image/v2/tasks')).status).toBe(403);
    expect((await server.call('a', 'DELETE', `/image/v2/stores/file/${id}`)).status).toBe(404);
  });

  it('begins an import anew that a crash cut off, and leaves nothing of one whose image is gone', async () => {
    const id = await create();
    await send(id, 'stage', Buffer.alloc(3000, 's'));
    await platform.work.stop();
    await ask(id, direct);
    // As a process leaves it that was killed with the content stored and the row not yet written.
    await test.db.tx((tx) => tx.updateTable('image_tasks').set({ status: 'processing' }).execute());
    const again = await createImageService(testPlatform(test.db, imageQuotas), { dir });
    const { work } = again.service;
    const [task] = await test.db.read.selectFrom('image_tasks').select('id').execute();
    const handler = work['image-import'];
    if (handler?.mode !== 'effect') throw new Error('no effect');
    await handler.run(task?.id ?? '');
    await handler.run(task?.id ?? '');
    expect(await show(id)).toMatchObject({ status: 'active', size: 3000 });
    const upkeep = work['image-content'];
    if (upkeep?.mode === 'effect') await upkeep.run(id);
    const other = await create();
    await send(other, 'stage', Buffer.alloc(3000, 's'));
    await ask(other, direct);
    expect((await server.call('a', 'DELETE', `${I}/${other}`)).status).toBe(204);
    const rows = await test.db.read
      .selectFrom('image_tasks')
      .selectAll()
      .where('image_id', '=', other)
      .execute();
    await handler.run(rows[0]?.id ?? '');
    await images.bootstrap('padmin');
    expect(files()).toEqual([id]);
    const shown = await server.call('admin', 'GET', `/image/v2/tasks/${rows[0]?.id}`);
    expect(shown.json).toMatchObject({ status: 'failure', message: expect.stringContaining('deleted') });
    expect((await server.call('admin', 'GET', '/image/v2/tasks?limit=1')).json.next).toContain('marker=');
  });

  it('queues an image again whose staging was cut off', async () => {
    const id = await create();
    await send(
      id,
      'stage',
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

  it('holds projects to their limits, and shows them', async () => {
    const limit = (limits: Record<string, number>) =>
      test.db.tx((tx) => platform.quotas.setLimits(tx, 'pa', limits));
    await limit({
      image_count_total: 2,
      image_size_total: 2,
      image_stage_total: 1,
      image_count_uploading: 1,
    });
    const [one, two] = [await create(), await create()];
    expect((await server.call('a', 'POST', I, { name: 'third', ...raw })).status).toBe(413);
    expect((await send(one, 'stage', Buffer.alloc(MIB + 1))).status).toBe(413);
    expect((await send(one, 'stage', Buffer.alloc(1000))).status).toBe(204);
    expect((await send(two, 'file', Buffer.alloc(1000))).status).toBe(413);
    expect((await server.call('a', 'GET', '/image/v2/info/usage')).json).toEqual({
      usage: {
        image_size_total: { limit: 2, usage: 0 },
        image_stage_total: { limit: 1, usage: 1 },
        image_count_total: { limit: 2, usage: 2 },
        image_count_uploading: { limit: 1, usage: 1 },
      },
    });
    await ask(one, direct);
    await server.settle();
    expect((await send(two, 'file', Buffer.alloc(MIB + 1000))).status).toBe(413);
    expect((await send(two, 'file', Buffer.alloc(MIB))).status).toBe(204);
    await server.settle();
    expect(files()).toEqual([one, two].sort());
  });

  it('leaves alone what another process receives, and takes over when that one ended', async () => {
    const id = await create();
    const half = (status: 'saving', lease: number) =>
      test.db.tx((tx) =>
        tx.updateTable('images').set({ status, lease_until: lease }).where('id', '=', id).execute(),
      );
    await half('saving', platform.clock.now() + 60_000);
    await images.bootstrap('padmin');
    await server.settle();
    expect((await show(id)).status).toBe('saving');
    await half('saving', platform.clock.now() - 1);
    await images.bootstrap('padmin');
    await server.settle();
    expect((await show(id)).status).toBe('queued');
  });
});
