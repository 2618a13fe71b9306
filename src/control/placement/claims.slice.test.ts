// Claims: no interleaving over-allocates a host, what rolls back is as if it had never been, releases return all.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createHostService, hostMigrations, listHosts } from '../host/index.ts';
import { migrate } from '../../kernel/db/index.ts';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../testkit/database.ts';
import { testPlatform } from '../../testkit/http.ts';
import { createPlacementService, type PlacementApi, type PlacementRequest } from './index.ts';

const want = (serverId: string, more: Partial<PlacementRequest> = {}): PlacementRequest => ({
  serverId,
  type: 'vm',
  vcpus: 1,
  memoryMib: 1024,
  diskGib: 1,
  zone: null,
  hostname: null,
  architecture: null,
  capabilities: [],
  group: null,
  ...more,
});

onBothEngines('placement claims', (engine) => {
  let test: TestDatabase;
  let api: PlacementApi;
  let platform: ReturnType<typeof testPlatform>;
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    platform = testPlatform(test.db);
    const placement = createPlacementService(platform);
    api = placement.api;
    await migrate(test.db, 1, [...hostMigrations, ...placement.service.migrations]);
    const { link } = createHostService(platform, { openImage: () => Promise.reject(new Error('none')) });
    for (const hostname of ['one', 'two'])
      await link.register(
        {
          hostname,
          architecture: 'x86_64',
          vcpus: 4,
          memoryMib: 10 * 1024 + 512,
          diskGib: 100,
          address: '',
          cpuModel: '',
          guests: [
            { type: 'vm', driver: 'sim', hypervisorType: 'sim', hypervisorVersion: 1, capabilities: [] },
          ],
        },
        { consoleLog: async () => '' },
      );
  });
  afterEach(() => test.remove());
  const claim = (id: string, more: Partial<PlacementRequest> = {}) =>
    test.db.tx((tx) => api.claim(tx, want(id, more)));

  it('grants exactly what fits of 50 concurrent claims', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => claim(`s${at}`)));
    expect(answers.filter((answer) => answer.placed)).toHaveLength(20);
    for (const host of await listHosts(test.db.read))
      expect([host.usedMemoryMib, host.servers]).toEqual([10 * 1024, 10]);
    const refused = answers.find((answer) => !answer.placed);
    expect(refused?.explanation.refused).toEqual({ memory: 2 });
  });

  it('refuses nobody because of a claim that was rolled back', async () => {
    await test.db
      .tx(async (tx) => {
        for (let at = 0; at < 20; at++) await api.claim(tx, want(`gone-${at}`));
        throw new Error('the create fails');
      })
      .catch(() => {});
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => claim(`s${at}`)));
    expect(answers.every((answer) => answer.placed)).toBe(true);
  });

  it('previews where many would go together, and claims nothing', async () => {
    const preview = (count: number, more: Partial<PlacementRequest> = {}) =>
      test.db.tx((tx) => api.preview(tx, want('', more), count));
    const all = await preview(25);
    expect(all.hosts).toHaveLength(20);
    expect(all.explanation.refused).toEqual({ memory: 2 });
    const spread = await preview(3, { group: { policy: 'anti-affinity', hostIds: [] } });
    expect(spread.hosts.map((host) => host.hostname).toSorted()).toEqual(['one', 'two']);
    expect(spread.explanation.refused).toEqual({ group: 2 });
    for (const host of await listHosts(test.db.read))
      expect([host.usedMemoryMib, host.servers]).toEqual([0, 0]);
    expect((await claim('s')).placed).toBe(true);
    expect((await preview(25)).hosts).toHaveLength(19);
  });

  it('returns all that a server had claimed, once', async () => {
    await claim('s', { memoryMib: 2048, diskGib: 7, vcpus: 3 });
    for (let times = 0; times < 2; times++) await test.db.tx((tx) => api.release(tx, 's'));
    for (const host of await listHosts(test.db.read))
      expect([host.usedVcpus, host.usedMemoryMib, host.usedDiskGib, host.servers]).toEqual([0, 0, 0, 0]);
  });
});
