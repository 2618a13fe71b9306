// Metadata definitions over HTTP: what operators write, what tenants read, and what a cloud starts with.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../../testkit/database.ts';
import { testActor, testPlatform, testServer, type TestServer } from '../../../testkit/http.ts';
import { createImageService, type ImageService } from '../index.ts';
import { RESOURCE_TYPES, STANDARD_NAMESPACES } from './standard.ts';

onBothEngines('metadata definitions', (engine) => {
  let test: TestDatabase;
  let server: TestServer;
  let images: ImageService;
  let dir: string;
  const actors = {
    a: testActor('a', 'pa'),
    b: testActor('b', 'pb'),
    admin: testActor('admin', 'padmin', ['admin']),
  };
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    dir = mkdtempSync(join(tmpdir(), 'strata-metadefs-'));
    const platform = testPlatform(test.db);
    images = await createImageService(platform, { dir });
    server = await testServer(platform, [images.service], actors);
  });
  afterEach(async () => {
    await server.close();
    await test.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const M = '/image/v2/metadefs';
  const N = `${M}/namespaces`;
  const make = (body: object, as = 'admin') => server.call(as, 'POST', N, body);
  const full = {
    namespace: 'OS::Example',
    display_name: 'Example',
    visibility: 'public',
    resource_type_associations: [{ name: 'OS::Glance::Image', prefix: 'x_' }],
    properties: { size: { title: 'Size', type: 'integer', minimum: 0, default: 4 } },
    objects: [{ name: 'Both', required: ['size'], properties: { size: { title: 'Size', type: 'integer' } } }],
    tags: [{ name: 'one' }],
  };

  it('starts with what this cloud honours, once, and says it in Glance’s words', async () => {
    await images.bootstrap('padmin');
    await images.bootstrap('padmin');
    const { namespaces } = (await server.call('a', 'GET', N)).json;
    expect(namespaces.map((one: { namespace: string }) => one.namespace).sort()).toEqual(
      STANDARD_NAMESPACES.map((one) => one.namespace).sort(),
    );
    const shown = (await server.call('a', 'GET', `${N}/Strata::Compute::VirtualMachine`)).json;
    expect(shown).toMatchObject({
      protected: true,
      visibility: 'public',
      properties: { hw_disk_bus: { name: 'hw_disk_bus', enum: ['virtio', 'scsi', 'sata'] } },
    });
    const types = (await server.call('a', 'GET', `${M}/resource_types`)).json.resource_types;
    expect(types.map((one: { name: string }) => one.name)).toEqual([...RESOURCE_TYPES]);
    expect((await server.call('admin', 'DELETE', `${N}/Strata::Compute::Container`)).status).toBe(403);
    const open = { namespace: 'Strata::Compute::Container', visibility: 'public' };
    await server.call('admin', 'PUT', `${N}/Strata::Compute::Container`, open);
    expect((await server.call('admin', 'DELETE', `${N}/Strata::Compute::Container`)).status).toBe(204);
    await images.bootstrap('padmin');
    expect((await server.call('a', 'GET', `${N}/Strata::Compute::Container`)).status).toBe(404);
  });

  it('takes a namespace with all that it holds, renames it, and deletes it whole', async () => {
    const made = await make(full);
    expect([made.status, made.headers['location'], made.json.owner]).toEqual([
      201,
      'http://cloud.test/image/v2/metadefs/namespaces/OS%3A%3AExample',
      'padmin',
    ]);
    expect((await make(full)).status).toBe(409);
    const shown = (await server.call('a', 'GET', `${N}/OS::Example?resource_type=OS::Glance::Image`)).json;
    expect([Object.keys(shown.properties), shown.objects[0].name, shown.tags]).toEqual([
      ['x_size'],
      'Both',
      [{ name: 'one' }],
    ]);
    expect(
      (
        await server.call('admin', 'PUT', `${N}/OS::Example`, {
          namespace: 'OS::Other',
          visibility: 'public',
        })
      ).json.namespace,
    ).toBe('OS::Other');
    expect((await server.call('a', 'GET', `${N}/OS::Example`)).status).toBe(404);
    expect((await server.call('a', 'GET', `${N}/OS::Other/objects`)).json.objects).toHaveLength(1);
    expect(
      (await server.call('a', 'GET', `${N}?resource_types=OS::Glance::Image`)).json.namespaces,
    ).toHaveLength(1);
    expect((await server.call('a', 'GET', `${N}?resource_types=OS::Nova::Flavor`)).json.namespaces).toEqual(
      [],
    );
    expect((await server.call('admin', 'DELETE', `${N}/OS::Other`)).status).toBe(204);
    expect((await make({ ...full, objects: [], properties: {}, tags: [] })).json.objects).toBeUndefined();
  });

  it('lets tenants read what is public or their own, and change nothing', async () => {
    await make({ namespace: 'hers', owner: 'pa' });
    await make({ namespace: 'everybodys', visibility: 'public' });
    const names = async (as: string) =>
      (await server.call(as, 'GET', `${N}?sort_key=namespace&sort_dir=asc`)).json.namespaces.map(
        (one: { namespace: string }) => one.namespace,
      );
    expect([await names('a'), await names('b')]).toEqual([['everybodys', 'hers'], ['everybodys']]);
    for (const path of ['', '/objects', '/properties', '/tags', '/resource_types', '/objects/x', '/tags/x'])
      expect((await server.call('b', 'GET', `${N}/hers${path}`)).status, path).toBe(404);
    expect((await make({ namespace: 'mine' }, 'a')).status).toBe(403);
    expect((await server.call('a', 'DELETE', `${N}/hers`)).status).toBe(403);
    const page = await server.call('a', 'GET', `${N}?limit=1&sort_key=namespace&sort_dir=asc`);
    expect(page.json.next).toContain('marker=everybodys');
    expect((await server.call('b', 'GET', `${N}?marker=hers`)).status).toBe(400);
  });

  it('has the same verbs for objects, properties and tags', async () => {
    await make({ namespace: 'n', visibility: 'public' });
    const bodies = {
      objects: (name: string) => ({ name, description: 'd' }),
      properties: (name: string) => ({ name, title: 'T', type: 'string', enum: ['a', 'b'] }),
    } as const;
    for (const [plural, body] of Object.entries(bodies)) {
      const url = `${N}/n/${plural}`;
      expect((await server.call('admin', 'POST', url, body('one'))).status).toBe(201);
      expect((await server.call('admin', 'POST', url, body('one'))).status).toBe(409);
      expect((await server.call('admin', 'PUT', `${url}/one`, body('two'))).json.name).toBe('two');
      expect((await server.call('a', 'GET', `${url}/one`)).status).toBe(404);
      expect((await server.call('a', 'GET', `${url}/two`)).json).toMatchObject(body('two'));
      expect((await server.call('admin', 'DELETE', `${url}/two`)).status).toBe(204);
      expect((await server.call('admin', 'DELETE', `${url}/two`)).status).toBe(404);
    }
    expect((await server.call('a', 'GET', `${N}/n/properties`)).json).toEqual({ properties: {} });
    const tags = async () =>
      (await server.call('a', 'GET', `${N}/n/tags`)).json.tags.map((one: { name: string }) => one.name);
    await server.call('admin', 'POST', `${N}/n/tags`, { tags: [{ name: 'x' }, { name: 'y' }] });
    await server.call(
      'admin',
      'POST',
      `${N}/n/tags`,
      { tags: [{ name: 'z' }] },
      { 'x-openstack-append': 'True' },
    );
    expect(await tags()).toEqual(['x', 'y', 'z']);
    await server.call('admin', 'POST', `${N}/n/tags`, { tags: [{ name: 'only' }] });
    expect((await server.call('admin', 'POST', `${N}/n/tags/more`)).status).toBe(201);
    await server.call('admin', 'PUT', `${N}/n/tags/more`, { name: 'renamed' });
    expect(await tags()).toEqual(['only', 'renamed']);
    expect((await server.call('admin', 'DELETE', `${N}/n/tags`)).status).toBe(204);
    expect(await tags()).toEqual([]);
    for (const bad of [
      { name: 'x' },
      { name: 'x', title: 'T', type: 'nonsense' },
      { name: 'a/b', title: 'T', type: 'string' },
    ])
      expect((await server.call('admin', 'POST', `${N}/n/properties`, bad)).status).toBe(400);
    expect((await server.call('admin', 'POST', `${N}/n/resource_types`, { name: 'New::Type' })).status).toBe(
      201,
    );
    expect((await server.call('admin', 'POST', `${N}/n/resource_types`, { name: 'New::Type' })).status).toBe(
      409,
    );
    expect(
      (await server.call('a', 'GET', `${N}/n/resource_types`)).json.resource_type_associations,
    ).toHaveLength(1);
    expect((await server.call('admin', 'DELETE', `${N}/n/resource_types/New::Type`)).status).toBe(204);
    expect((await server.call('admin', 'DELETE', `${N}/n/resource_types/New::Type`)).status).toBe(404);
  });

  it('has a schema for everything it answers with', async () => {
    for (const name of [
      'image',
      'images',
      'member',
      'members',
      'task',
      'tasks',
      'metadefs/namespace',
      'metadefs/tags',
    ])
      expect((await server.call('a', 'GET', `/image/v2/schemas/${name}`)).json.name).toBe(
        name.split('/').at(-1),
      );
  });
});
