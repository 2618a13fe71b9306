// What the server controller asks of a guest driver, by what the guest is, what is wanted, and whether that is news.
import { expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import type { ItemOf, PowerState } from '../../protocol/items.ts';
import type { HostState } from '../controller.ts';
import type { GuestDriver, GuestPower, GuestSpec, GuestState } from '../drivers/guest/driver.ts';
import { noImageCache } from '../image-cache.ts';
import type { GuestVolumes } from './guest-volumes.ts';
import { serverController } from './server.ts';

function guest(power: GuestPower | null, rebootCount = 0, crashing = { value: false }) {
  const calls: string[] = [];
  let state: GuestState | null =
    power === null
      ? null
      : {
          id: 's',
          power,
          incarnation: null,
          rebuildCount: 0,
          resizeCount: 0,
          hasOriginal: false,
          rebootCount,
        };
  const to = (name: string, next: GuestPower) => async () => {
    calls.push(name);
    if (state !== null) state = { ...state, power: next };
  };
  const driver = {
    type: 'vm',
    get: async () => state,
    async define(spec: GuestSpec) {
      calls.push('define');
      state = { ...(state ?? { id: 's', power: 'stopped', incarnation: null, rebuildCount: 0, resizeCount: 0, hasOriginal: false }), rebootCount: spec.body.rebootCount };
    },
    start: () => to('start', crashing.value ? 'crashed' : 'running')(),
    stop: to('stop', 'stopped'), reboot: to('reboot', 'running'), pause: to('pause', 'paused'), resume: to('resume', 'running'), suspend: to('suspend', 'suspended'),
  } as unknown as GuestDriver; // prettier-ignore
  const controller = serverController({
    drivers: new Map([['vm', driver]]),
    images: noImageCache,
    plugged: new Map(),
    volumes: {
      hold: async () => ({ volumes: [], failed: [] }),
      sync: async () => [],
      gone: async () => {},
    } as unknown as GuestVolumes,
    clock: systemClock,
  });
  let applied = { generation: 1, boot: 'b' };
  return {
    calls, crashing,
    async ensure(want: PowerState, how: { generation: number; boot?: string; rebootCount?: number }) {
      calls.length = 0;
      const item = { kind: 'server', id: 's', generation: how.generation, body: { type: 'vm', power: want, rebootCount: how.rebootCount ?? 0, rebootHard: false, rebuildCount: 0, resizeCount: 0, original: 'drop', ports: [], volumes: [], image: { id: 'i' } } } as unknown as ItemOf<'server'>;
      const host = { boot: how.boot ?? 'b', stored: () => ({ item, applied: applied.generation, boot: applied.boot }) } as unknown as HostState;
      const result = await controller.ensure(item, host).then((observed) => ((applied = { generation: how.generation, boot: host.boot }), observed.power), (error: { code: string }) => error.code);
      return [calls.join(' '), result];
    },
  }; // prettier-ignore
}

const NEWS = { generation: 2 };
const OLD = { generation: 1 };
it.each<[GuestPower | null, PowerState, { generation: number }, string, string]>([
  [null, 'running', NEWS, 'define start', 'running'],
  [null, 'stopped', NEWS, 'define', 'stopped'],
  ['running', 'running', OLD, '', 'running'],
  ['running', 'running', NEWS, 'define', 'running'],
  ['stopped', 'running', OLD, '', 'stopped'], // powered itself off
  ['stopped', 'running', NEWS, 'start define', 'running'],
  ['paused', 'running', NEWS, 'resume define', 'running'],
  ['paused', 'running', OLD, '', 'paused'],
  ['suspended', 'running', NEWS, 'start define', 'running'],
  ['crashed', 'running', OLD, 'start', 'running'],
  ['running', 'stopped', OLD, 'stop', 'stopped'],
  ['crashed', 'stopped', NEWS, 'stop define', 'stopped'],
  ['running', 'paused', NEWS, 'pause define', 'paused'],
  ['stopped', 'paused', NEWS, 'start pause define', 'paused'],
  ['running', 'suspended', NEWS, 'suspend define', 'suspended'],
  ['paused', 'suspended', NEWS, 'resume suspend define', 'suspended'],
  ['suspended', 'suspended', NEWS, 'define', 'suspended'],
])('of a guest that is %s and wanted %s (%o) asks: %s', async (is, want, how, calls, result) => {
  expect(await guest(is).ensure(want, how)).toEqual([calls, result]);
});

it('starts again what should run after a reboot of the host, and only then', async () => {
  expect(await guest('stopped').ensure('running', { generation: 1, boot: 'another' })).toEqual([
    'start define',
    'running',
  ]);
});

it('repeats a reboot that a crash cut off before it was noted, and does it once otherwise', async () => {
  const one = guest('running', 0);
  expect(await one.ensure('running', { generation: 2, rebootCount: 1 })).toEqual([
    'reboot define',
    'running',
  ]);
  expect(await one.ensure('running', { generation: 2, rebootCount: 1 })).toEqual(['', 'running']);
});

it('gives up on a guest that crashes again and again, also right after its first start, until it is asked for anew', async () => {
  const one = guest(null, 0, { value: true });
  const answers: unknown[] = [];
  for (let times = 0; times < 8; times++) answers.push((await one.ensure('running', NEWS))[1]);
  expect(answers).toEqual([
    'failed',
    'failed',
    'failed',
    'refused',
    'refused',
    'refused',
    'refused',
    'refused',
  ]);
  expect(one.calls).toEqual(['define']);
  one.crashing.value = false;
  expect((await one.ensure('running', { generation: 3 }))[1]).toBe('running');
});
