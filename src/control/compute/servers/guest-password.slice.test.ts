// The sealed password of a server, told by its host and shown to its user, on both engines.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../../testkit/database.ts';
import { testActor, testPlatform, testServer, type TestServer } from '../../../testkit/http.ts';
import { eventually, fakeCloud, fakeHost } from '../fakes.ts';
import { computeQuotas, createComputeService } from '../index.ts';

onBothEngines('sealed passwords', (engine) => {
  let database: TestDatabase;
  let server: TestServer;

  beforeEach(async () => {
    database = await openTestDatabase(engine);
  });
  afterEach(async () => {
    await server.close();
    await database.remove();
  });

  test('the host of a server tells it once; its user reads it, and takes it away for another', async () => {
    const platform = testPlatform(database.db, computeQuotas);
    const cloud = fakeCloud(platform);
    const compute = createComputeService(platform, cloud);
    server = await testServer(platform, [compute.service], {
      alice: testActor('alice', 'p1'),
      bob: testActor('bob', 'p2'),
      reader: testActor('reader', 'p1', ['reader']),
    });
    await compute.bootstrap();
    const host = await fakeHost(cloud.hosts.link, 'node-1');
    cloud.placement.hosts.set('node-1', host.id);
    const call = (as: string, method: string, path: string, body?: unknown) =>
      server.call(as, method, `/compute/v2.1${path}`, body);
    const made = await call('alice', 'POST', '/servers', {
      server: { name: 'web', flavorRef: '1', imageRef: 'tiny' },
    });
    const { id } = made.json.server;
    await eventually(
      async () => (await call('alice', 'GET', `/servers/${id}`)).json.server,
      (one) => one.status === 'ACTIVE',
    );
    const path = `/servers/${id}/os-server-password`;
    const shown = async (as = 'alice') => (await call(as, 'GET', path)).json.password;
    expect(await shown()).toBe('');
    expect(await cloud.hosts.link.guestPassword('another-host', id, 'c2VhbGVk')).toBe(false);
    expect(await cloud.hosts.link.guestPassword(host.id, id, 'c2VhbGVk')).toBe(true);
    expect(await cloud.hosts.link.guestPassword(host.id, id, 'b3RoZXI=')).toBe(false);
    expect([await shown(), await shown('reader')]).toEqual(['c2VhbGVk', 'c2VhbGVk']);
    expect((await call('bob', 'GET', path)).status).toBe(404);
    expect((await call('bob', 'DELETE', path)).status).toBe(404);
    expect((await call('reader', 'DELETE', path)).status).toBe(403);
    expect((await call('alice', 'DELETE', path)).status).toBe(204);
    expect(await shown()).toBe('');
    expect(await cloud.hosts.link.guestPassword(host.id, id, 'b3RoZXI=')).toBe(true);
    await call('alice', 'DELETE', `/servers/${id}`);
    await eventually(
      () => call('alice', 'GET', path),
      (answer) => answer.status === 404,
    );
    expect(await platform.db.read.selectFrom('server_passwords').selectAll().execute()).toEqual([]);
  });
});
