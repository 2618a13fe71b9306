// The compute service on a database of one test, with the other services and its one host faked: the set-up of the
// tests of servers.
import { openTestDatabase, type Engine } from './database.ts';
import { testActor, testPlatform, testServer, type Answer, type TestServer } from './http.ts';
import { eventually, fakeCloud, fakeHost, type FakeCloud, type FakeHost } from '../control/compute/fakes.ts';
import { computeQuotas, createComputeService } from '../control/compute/index.ts';

export type FakeCompute = {
  /** Alice and a reader of project p1, Bob of p2, and root, an admin. */
  server: TestServer;
  cloud: FakeCloud;
  host: FakeHost;
  platform: ReturnType<typeof testPlatform>;
  /** One server, as its administrator sees it. */
  show(id: string, as?: string): Promise<Answer['json']>;
  /** Waits until the server has the status and nothing is under way. */
  untilStatus(id: string, status: string, as?: string): Promise<Answer['json']>;
  close(): Promise<void>;
};

export async function fakeCompute(
  engine: Engine,
  quotas: Readonly<Record<string, number>> = {},
): Promise<FakeCompute> {
  const database = await openTestDatabase(engine);
  const platform = testPlatform(database.db, { ...computeQuotas, ...quotas });
  const cloud = fakeCloud(platform);
  const compute = createComputeService(platform, cloud);
  const server = await testServer(platform, [compute.service], {
    alice: testActor('alice', 'p1'),
    bob: testActor('bob', 'p2'),
    root: testActor('root', 'p0', ['admin']),
    reader: testActor('reader', 'p1', ['reader']),
  });
  // As at every start of the program.
  await compute.bootstrap();
  await compute.bootstrap();
  const host = await fakeHost(cloud.hosts.link, 'node-1');
  cloud.placement.hosts.set('node-1', host.id);
  const show: FakeCompute['show'] = async (id, as = 'root') =>
    (await server.call(as, 'GET', `/compute/v2.1/servers/${id}`)).json.server;
  return {
    server,
    cloud,
    host,
    platform,
    show,
    untilStatus: (id, status, as) =>
      eventually(
        () => show(id, as),
        (one) => one.status === status && one['OS-EXT-STS:task_state'] === null,
      ),
    async close() {
      await server.close();
      await database.remove();
    },
  };
}
