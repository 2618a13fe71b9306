// The agent over made-up controllers and a made-up control, on a virtual clock: order, waiting, retries, adoption.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Item } from '../protocol/items.ts';
import { network, port, server, world } from '../testkit/agent-world.ts';
import { keyOf, referencesOf, type Key } from './controller.ts';
import { DriverError } from './drivers/errors.ts';

const all = [server('s', ['p']), port('p', 'n'), network('n')];
const has = (w: ReturnType<typeof world>): string[] => [...w.truth.keys()].sort();

it('creates in the order of dependence and removes in the reverse order, whatever the order of the items', async () => {
  const w = world();
  const agent = w.agent();
  await agent.start();
  w.want(...all);
  await w.pass(1000);
  expect(w.calls).toEqual(['ensure network/n@1', 'ensure port/p@1', 'ensure server/s@1']);
  expect(w.reports.map((one) => [one.kind, one.state])).toEqual([
    ['network', 'applied'],
    ['port', 'applied'],
    ['server', 'applied'],
  ]);
  w.calls.length = 0;
  w.want();
  await w.pass(1000);
  expect(w.calls).toEqual(['remove server/s', 'remove port/p', 'remove network/n']);
  expect(w.reports.slice(3).map((one) => [one.kind, one.state])).toEqual([
    ['server', 'gone'],
    ['port', 'gone'],
    ['network', 'gone'],
  ]);
  expect([agent.idle(), w.disk.size, w.truth.size]).toEqual([true, 0, 0]);
  await agent.stop();
});

it('keeps the order of removal for what an earlier agent made', async () => {
  const w = world();
  const first = w.agent();
  await first.start();
  w.want(...all);
  await w.pass(1000);
  await first.stop();
  w.want();
  w.restarted();
  w.calls.length = 0;
  const second = w.agent();
  await second.start();
  await w.pass(1000);
  expect(w.calls).toEqual(['remove server/s', 'remove port/p', 'remove network/n']);
  await second.stop();
});

it('lets the failure of one item block only what depends on it, and retries with growing pauses', async () => {
  const w = world();
  w.state.fail = (_verb, key) => (key === 'network/bad' ? new Error('cannot') : null);
  const agent = w.agent();
  await agent.start();
  w.want(network('bad'), port('pb', 'bad'), ...all);
  await w.pass(10_000);
  expect(has(w)).toEqual(['network/n', 'port/p', 'server/s']);
  const tries = w.calls.filter((one) => one.includes('network/bad')).length;
  expect(tries).toBeGreaterThan(3);
  expect(tries).toBeLessThan(7);
  expect(w.reports.find((one) => one.id === 'bad')).toMatchObject({
    state: 'failed',
    error: 'The host could not apply network bad; it will try again.',
  });
  w.state.fail = () => null;
  await w.pass(31_000);
  expect(has(w)).toContain('port/pb');
  await agent.stop();
});

it('what a failed first try may have made keeps what it uses until it is removed', async () => {
  const w = world();
  w.state.fail = (_verb, key) => (key === 'server/s' ? new DriverError('refused', 'half of it') : null);
  const agent = w.agent();
  await agent.start();
  w.want(...all);
  await w.pass(1000);
  w.state.fail = (_verb, key) => (key === 'server/s' ? new Error('busy') : null);
  w.calls.length = 0;
  w.want();
  await w.pass(1000);
  expect([...new Set(w.calls)]).toEqual(['remove server/s']);
  w.state.fail = () => null;
  await w.pass(60_000);
  expect([...new Set(w.calls)]).toEqual(['remove server/s', 'remove port/p', 'remove network/n']);
  expect(has(w)).toEqual([]);
  await agent.stop();
});

it('what an item that is being applied uses is not removed meanwhile, whatever is wanted since', async () => {
  const w = world();
  const agent = w.agent();
  await agent.start();
  w.want(network('n'), port('p', 'n'), server('s', []));
  await w.pass(1000);
  const gate = Promise.withResolvers<void>();
  w.state.gate = gate.promise;
  w.want(network('n'), port('p', 'n'), server('s', ['p'], 2));
  await w.pass(1000);
  w.calls.length = 0;
  w.want(network('n'), server('s', [], 3));
  await w.pass(1000);
  expect(w.calls).toEqual([]);
  gate.resolve();
  w.state.gate = null;
  await w.pass(1000);
  expect(w.calls).toEqual(['ensure server/s@3', 'remove port/p']);
  await agent.stop();
});

it('does not repeat what was refused, until it is another generation', async () => {
  const w = world();
  w.state.fail = () => new DriverError('refused', 'never');
  const agent = w.agent();
  await agent.start();
  w.want(network('n'));
  await w.pass(100_000);
  expect(w.calls).toEqual(['ensure network/n@1']);
  w.state.fail = () => null;
  w.want(network('n', 2));
  await w.pass(1000);
  expect(w.calls).toEqual(['ensure network/n@1', 'ensure network/n@2']);
  await agent.stop();
});

it('removes what the host has and should not have, but nothing before the first full answer of control', async () => {
  const w = world();
  w.truth.set('network/left', 1);
  w.truth.set('server/left', 1);
  w.state.away = true;
  const agent = w.agent();
  await agent.start();
  await w.quiet();
  w.changes.get('server')?.('left');
  await w.pass(100_000);
  expect(w.calls).toEqual([]);
  w.state.away = false;
  await w.pass(40_000);
  expect(w.calls.toSorted()).toEqual(['remove network/left', 'remove server/left']);
  expect(has(w)).toEqual([]);
  await agent.stop();
});

it('converges to what is on disk while control is away, whether it answers nothing or only registers', async () => {
  const w = world();
  const first = w.agent();
  await first.start();
  w.want(...all);
  await w.pass(1000);
  await first.stop();
  w.truth.clear(); // the host rebooted
  w.state.away = true;
  const second = w.agent('boot-2');
  await second.start();
  await w.pass(1000);
  expect(has(w)).toEqual(['network/n', 'port/p', 'server/s']);
  expect([...w.disk.values()].map((one) => one.boot)).toEqual(['boot-2', 'boot-2', 'boot-2']);
  await second.stop();
});

it('finishes a removal that it knew of, after a restart without control', async () => {
  const w = world();
  const first = w.agent();
  await first.start();
  w.want(...all);
  await w.pass(1000);
  w.state.fail = (verb) => (verb === 'remove' ? new Error('busy') : null);
  w.want();
  await w.pass(1000);
  await first.stop();
  w.state.fail = () => null;
  w.state.away = true;
  const second = w.agent();
  await second.start();
  await w.pass(5000);
  expect(has(w)).toEqual([]);
  await second.stop();
});

it('batches reports, repeats them while control fails, and keeps only the latest of each item', async () => {
  const w = world();
  w.state.reportsFail = true;
  const agent = w.agent();
  await agent.start();
  w.want(network('n'), network('m'));
  await w.pass(2000);
  for (let generation = 2; generation < 30; generation++) {
    w.want(network('n', generation), network('m'));
    await w.pass(500);
  }
  expect([w.reports.length, agent.idle()]).toEqual([0, false]);
  w.state.reportsFail = false;
  await w.pass(31_000);
  expect(w.reports.map((one) => [one.id, one.generation]).toSorted()).toEqual([
    ['m', 1],
    ['n', 29],
  ]);
  expect(agent.idle()).toBe(true);
  await agent.stop();
});

it('makes again what is wanted again while it is removed, and keeps it on disk', async () => {
  const w = world();
  const agent = w.agent();
  await agent.start();
  w.want(network('n'));
  await w.pass(1000);
  const gate = Promise.withResolvers<void>();
  w.state.gate = gate.promise;
  w.want();
  await w.quiet();
  w.want(network('n'));
  await w.quiet();
  gate.resolve();
  w.state.gate = null;
  await w.pass(1000);
  expect(w.calls).toEqual(['ensure network/n@1', 'remove network/n', 'ensure network/n@1']);
  expect([
    w.truth.get('network/n'),
    w.disk.get('network/n')?.applied,
    w.disk.get('network/n')?.leaving,
  ]).toEqual([1, 1, undefined]);
  expect(w.reports.at(-1)?.state).toBe('applied');
  await agent.stop();
});

it('keeps the newest wish on disk when an older one is applied meanwhile', async () => {
  const w = world();
  const agent = w.agent();
  await agent.start();
  const gate = Promise.withResolvers<void>();
  w.state.gate = gate.promise;
  w.want(network('n', 1));
  await w.quiet();
  w.want(network('n', 2));
  await w.quiet();
  w.state.fail = (_verb, _key) => (w.calls.length > 1 ? new Error('not the second') : null);
  gate.resolve();
  w.state.gate = null;
  await w.pass(200);
  expect([w.disk.get('network/n')?.item.generation, w.disk.get('network/n')?.applied]).toEqual([2, 1]);
  await agent.stop();
});

it('leaves no timer and no call behind when it stops', async () => {
  const w = world();
  w.state.fail = () => new Error('always');
  const agent = w.agent();
  await agent.start();
  w.want(...all);
  await w.pass(3000);
  const gate = Promise.withResolvers<void>();
  w.state.gate = gate.promise;
  w.want(network('other'), ...all);
  await w.quiet();
  const stopped = agent.stop();
  gate.resolve();
  await stopped;
  const calls = w.calls.length;
  expect(w.clock.next()).toBe(null);
  await w.pass(100_000);
  expect(w.calls.length).toBe(calls);
});

it('ends with exactly what was wanted last, whatever was wanted before, whatever failed, whenever it restarted', async () => {
  const item = fc.constantFrom<Item>(
    network('n0'),
    network('n1'),
    port('p0', 'n0'),
    port('p1', 'n1'),
    port('p2', 'n0'),
    server('s0', ['p0', 'p1']),
    server('s1', ['p2']),
    server('s2', []),
  );
  /** With what they refer to, as control compiles it. */
  const closed = (items: Item[], generation: number): Item[] => {
    const byKey = new Map(
      [network('n0'), network('n1'), port('p0', 'n0'), port('p1', 'n1'), port('p2', 'n0')].map((one) => [
        keyOf(one.kind, one.id),
        one,
      ]),
    );
    const out = new Map<Key, Item>();
    const add = (one: Item): void => {
      out.set(keyOf(one.kind, one.id), { ...one, generation } as Item);
      for (const ref of referencesOf(one)) add(byKey.get(ref) as Item);
    };
    items.forEach(add);
    return [...out.values()];
  };
  const step = fc.record({
    items: fc.array(item, { maxLength: 6 }),
    ms: fc.integer({ min: 0, max: 3000 }),
    failing: fc.integer({ min: 0, max: 60 }),
    away: fc.boolean(),
    restart: fc.boolean(),
    reboot: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 99 })),
      async (steps, dice) => {
        const w = world();
        const roll = (): number => dice.next().value ?? 0;
        let agent = w.agent();
        await agent.start();
        let last: Item[] = [];
        for (const [at, one] of steps.entries()) {
          w.state.fail = () => (roll() < one.failing ? new Error('chance') : null);
          w.state.away = one.away;
          last = closed(one.items, at + 1);
          w.want(...last);
          await w.pass(one.ms);
          if (one.restart || one.reboot) {
            await agent.stop();
            if (one.reboot) for (const key of [...w.truth.keys()]) if (roll() < 50) w.truth.delete(key);
            agent = w.agent(one.reboot ? `boot-${at}` : 'boot-1');
            await agent.start();
          }
        }
        w.state.fail = () => null;
        w.state.away = false;
        await w.pass(200_000);
        expect(Object.fromEntries([...w.truth].toSorted())).toEqual(
          Object.fromEntries(
            last.map((one) => [keyOf(one.kind, one.id), one.generation] as const).toSorted(),
          ),
        );
        expect([agent.idle(), [...w.disk.keys()].toSorted()]).toEqual([
          true,
          last.map((one) => keyOf(one.kind, one.id)).toSorted(),
        ]);
        await agent.stop();
        expect(w.clock.next()).toBe(null);
      },
    ),
    { numRuns: 60 },
  );
});
