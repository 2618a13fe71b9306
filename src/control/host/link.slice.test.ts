// The link between hosts and control: a pull sees every change exactly when it is needed, reports may be lost,
// repeated and late, and a change costs one row whatever the number of hosts.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrate } from '../../kernel/db/index.ts';
import type { NetworkBody } from '../../protocol/items.ts';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../testkit/database.ts';
import { testPlatform } from '../../testkit/http.ts';
import { createHostService, hostMigrations, type HostReport, type HostService } from './index.ts';

const body = (mtu: number): NetworkBody => ({ segment: 1, mtu, external: false, adminUp: true, subnets: [] });

onBothEngines('the link', (engine) => {
  let test: TestDatabase;
  let hosts: HostService;
  let heard: HostReport[];
  let poison = '';
  let [one, two] = ['', ''];
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    await migrate(test.db, 1, hostMigrations);
    hosts = createHostService(testPlatform(test.db), { openImage: () => Promise.reject(new Error('none')) });
    heard = [];
    poison = '';
    hosts.onReports('network', async (_tx, reports) => {
      if (reports.some((report) => report.id === poison)) throw new Error('cannot be recorded');
      heard.push(...reports);
    });
    const register = async (hostname: string): Promise<string> =>
      (
        await hosts.link.register(
          {
            hostname,
            architecture: 'x86_64',
            vcpus: 1,
            memoryMib: 1,
            diskGib: 1,
            address: '',
            cpuModel: '',
            guests: [],
          },
          { consoleLog: async () => '' },
        )
      ).hostId;
    one = await register('one');
    two = await register('two');
    expect(await register('one')).toBe(one);
  });
  afterEach(() => test.remove());
  const { put, subscribe, unsubscribe, drop, report } = {
    put: (id: string, mtu: number) => test.db.tx((tx) => hosts.items.put(tx, 'network', id, body(mtu))),
    subscribe: (host: string, id: string) =>
      test.db.tx((tx) => hosts.items.subscribe(tx, host, 'network', id)),
    unsubscribe: (host: string, id: string) =>
      test.db.tx((tx) => hosts.items.unsubscribe(tx, host, 'network', id)),
    drop: (id: string) => test.db.tx((tx) => hosts.items.drop(tx, 'network', id)),
    report: (host: string, id: string, state: 'applied' | 'gone' | 'failed', generation = 1) =>
      hosts.link.report(host, [{ kind: 'network', id, generation, state, error: null }]),
  };
  const pull = async (host: string, since: number) => {
    const answer = await hosts.link.pull(host, since);
    return {
      ...answer,
      seen: answer.items
        .map((item) => `${item.id}:${item.body === null ? 'gone' : (item.body as NetworkBody).mtu}`)
        .sort(),
    };
  };

  it('hands out what changed since, to those that are to have it', async () => {
    await put('a', 1000);
    await put('b', 1000);
    await subscribe(one, 'a');
    await subscribe(two, 'b');
    const first = await pull(one, 0);
    expect([first.full, first.seen]).toEqual([true, ['a:1000']]);
    expect((await pull(one, first.revision)).seen).toEqual([]);
    await put('b', 1100);
    expect((await pull(one, first.revision)).seen).toEqual([]);
    await put('a', 1000);
    expect((await pull(one, first.revision)).seen).toEqual([]);
    await put('a', 1200);
    const second = await pull(one, first.revision);
    expect([second.full, second.seen]).toEqual([false, ['a:1200']]);
    await subscribe(one, 'late');
    expect((await pull(one, second.revision)).seen).toEqual([]);
    await put('late', 1300);
    expect((await pull(one, second.revision)).seen).toEqual(['late:1300']);
  });

  it('asks a host to remove what it is not to have any more, until it says that it is gone, and tells that once', async () => {
    await put('a', 1000);
    await subscribe(one, 'a');
    const { revision } = await pull(one, 0);
    await unsubscribe(one, 'a');
    await unsubscribe(one, 'a');
    expect((await pull(one, revision)).seen).toEqual(['a:gone']);
    expect((await pull(one, 0)).seen).toEqual(['a:gone']);
    await report(one, 'a', 'gone');
    await report(one, 'a', 'gone');
    expect(heard.filter((all) => all.state === 'gone')).toHaveLength(1);
    expect((await pull(one, 0)).seen).toEqual([]);
  });

  it('brings back what is wanted again while it goes, and hears no late "gone"', async () => {
    await put('a', 1000);
    await subscribe(one, 'a');
    const { revision } = await pull(one, 0);
    await unsubscribe(one, 'a');
    await subscribe(one, 'a');
    await report(one, 'a', 'gone');
    expect(heard).toEqual([]);
    expect((await pull(one, revision)).seen).toEqual(['a:1000']);
  });

  it('never repeats a generation, also of an item that was dropped and comes back', async () => {
    const generations = [await put('a', 1000), await put('a', 1100)];
    await subscribe(one, 'a');
    expect((await pull(one, 0)).seen).toEqual(['a:1100']);
    await drop('a');
    expect((await pull(one, 0)).seen).toEqual(['a:gone']);
    generations.push(await put('a', 1300));
    await subscribe(one, 'a');
    const back = await pull(one, 0);
    expect(back.seen).toEqual(['a:1300']);
    expect(generations).toEqual([...new Set(generations)].sort((x, y) => x - y));
    expect(await put('a', 1300)).toBe(generations[2]);
  });

  it('writes one row for a change, whatever the number of subscribers, and wakes them after the commit', async () => {
    await put('a', 1000);
    let wakes = 0;
    for (const host of [one, two]) {
      await subscribe(host, 'a');
      hosts.link.onWake(host, () => (wakes += 1));
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
    const rows = () => test.db.read.selectFrom('host_items').selectAll().orderBy('host_id').execute();
    const before = await rows();
    wakes = 0;
    await put('a', 1100);
    expect(await rows()).toEqual(before);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(wakes).toBeGreaterThanOrEqual(2);
    wakes = 0;
    await test.db
      .tx(async (tx) => {
        await hosts.items.put(tx, 'network', 'a', body(1200));
        throw new Error('fails');
      })
      .catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(wakes).toBe(0);
  });

  it('records the other reports when one cannot be, of the same host and of others', async () => {
    for (const id of ['a', 'bad', 'c']) {
      await put(id, 1000);
      await subscribe(one, id);
      await subscribe(two, id);
    }
    poison = 'bad';
    const batch = (ids: string[]) =>
      ids.map((id) => ({
        kind: 'network' as const,
        id,
        generation: 1,
        state: 'applied' as const,
        error: null,
      }));
    await Promise.all([
      hosts.link.report(one, batch(['a', 'bad', 'c'])),
      hosts.link.report(two, batch(['a'])),
    ]);
    expect(heard.map((all) => `${all.hostId === one ? 1 : 2}${all.id}`).sort()).toEqual(['1a', '1c', '2a']);
    await expect(hosts.link.report(two, batch(['bad']))).rejects.toThrow('cannot be recorded');
  });

  it('hears no numbered report behind a later one', async () => {
    await put('a', 1000);
    await subscribe(one, 'a');
    const said = (generation: number, sequence: number) =>
      hosts.link.report(
        one,
        [{ kind: 'network', id: 'a', generation, state: 'applied', error: null }],
        sequence,
      );
    await said(2, 5_000_002);
    await said(1, 5_000_001);
    await said(2, 5_000_002);
    expect(heard.map((all) => all.generation)).toEqual([2]);
  });
});
