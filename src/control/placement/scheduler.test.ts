// The scheduler, by properties: whom it chooses passes every filter, and its explanation adds up.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seededRng } from '../../kernel/ids.ts';
import type { PlacementRequest } from './index.ts';
import { filters, schedule, weighers, type SchedulerHost } from './scheduler.ts';

const zones = fc.constantFrom('nova', 'az1');
const names = ['a', 'b', 'c', 'd', 'e', 'f'];
const host: fc.Arbitrary<Omit<SchedulerHost, 'id' | 'hostname'>> = fc.record({
  zone: zones,
  architecture: fc.constantFrom('x86_64', 'aarch64'),
  guests: fc.constantFrom<SchedulerHost['guests']>({ vm: ['pause', 'suspend'] }, { vm: [], container: ['pause'] }, { container: [] }, {}),
  up: fc.boolean(), enabled: fc.boolean(),
  vcpus: fc.integer({ min: 0, max: 8 }), memoryMib: fc.integer({ min: 0, max: 8 }), diskGib: fc.integer({ min: 0, max: 8 }),
  usedVcpus: fc.integer({ min: 0, max: 9 }), usedMemoryMib: fc.integer({ min: 0, max: 9 }), usedDiskGib: fc.integer({ min: 0, max: 9 }),
}); // prettier-ignore
const hosts = fc
  .array(host, { maxLength: 6 })
  .map((all) =>
    all.map((one, at): SchedulerHost => ({ ...one, id: `id-${names[at]}`, hostname: names[at] ?? '' })),
  );
const request: fc.Arbitrary<PlacementRequest> = fc.record({
  serverId: fc.constant('s'),
  type: fc.constantFrom('vm' as const, 'container' as const),
  vcpus: fc.integer({ min: 0, max: 4 }), memoryMib: fc.integer({ min: 0, max: 4 }), diskGib: fc.integer({ min: 0, max: 4 }),
  zone: fc.option(zones), hostname: fc.option(fc.constantFrom(...names, 'nowhere'), { freq: 5 }), architecture: fc.option(fc.constantFrom('x86_64', 'aarch64')),
  capabilities: fc.subarray(['pause', 'suspend']),
  group: fc.option(fc.record({ policy: fc.constantFrom('affinity' as const, 'anti-affinity' as const, 'soft-affinity' as const, 'soft-anti-affinity' as const), hostIds: fc.array(fc.constantFrom(...names.map((name) => `id-${name}`)), { maxLength: 3 }), maxPerHost: fc.integer({ min: 1, max: 3 }) })),
  hinted: fc.option(fc.record({ among: fc.option(fc.array(fc.constantFrom(...names.map((name) => `id-${name}`)), { maxLength: 2 })), not: fc.array(fc.constantFrom(...names.map((name) => `id-${name}`)), { maxLength: 2 }) }), { nil: undefined }),
}); // prettier-ignore

it('chooses a best host among those that pass every filter, and refuses only when none does', () => {
  fc.assert(
    fc.property(hosts, request, fc.integer(), (snapshot, want, seed) => {
      const passing = snapshot.filter((one) =>
        filters.every((filter) => filter.concerns?.(want) === false || filter.passes(one, want)),
      );
      const score = (one: SchedulerHost): number =>
        Object.values(weighers).reduce((sum, weigh) => sum + weigh(one, want), 0);
      const { host: chosen, explanation } = schedule(snapshot, want, seededRng(seed));
      if (passing.length === 0) expect(chosen).toBe(null);
      else {
        expect(passing).toContain(chosen);
        expect(score(chosen as SchedulerHost)).toBeCloseTo(Math.max(...passing.map(score)), 9);
      }
      const refused = Object.values(explanation.refused).reduce((sum, count) => sum + count, 0);
      expect([explanation.considered, refused]).toEqual([snapshot.length, snapshot.length - passing.length]);
      expect(explanation.examples.length).toBe(refused);
      for (const example of explanation.examples)
        expect(explanation.refused[example.filter]).toBeGreaterThan(0);
      expect(Object.keys(explanation.scores)).toEqual(chosen === null ? [] : Object.keys(weighers));
    }),
    { numRuns: 3000 },
  );
});

it('is a pure function of snapshot, request and seed', () => {
  fc.assert(
    fc.property(hosts, request, fc.integer(), (snapshot, want, seed) => {
      const before = JSON.stringify(snapshot);
      expect(schedule(snapshot, want, seededRng(seed))).toEqual(schedule(snapshot, want, seededRng(seed)));
      expect(JSON.stringify(snapshot)).toBe(before);
    }),
  );
});

it('says of each refused host the value and the rule, of at most twenty', () => {
  const small: SchedulerHost = {
    id: 'i',
    hostname: 'node-1',
    zone: 'nova',
    architecture: 'x86_64',
    guests: { vm: ['pause'] },
    up: true,
    enabled: true,
    vcpus: 4,
    memoryMib: 2048,
    diskGib: 10,
    usedVcpus: 3,
    usedMemoryMib: 1920,
    usedDiskGib: 0,
  };
  const want: PlacementRequest = {
    serverId: 's',
    type: 'vm',
    vcpus: 1,
    memoryMib: 512,
    diskGib: 0,
    zone: null,
    hostname: null,
    architecture: null,
    capabilities: [],
    group: null,
  };
  const reason = (change: Partial<SchedulerHost>, ask: Partial<PlacementRequest>): string | undefined =>
    schedule([{ ...small, ...change }], { ...want, ...ask }, () => 0).explanation.examples[0]?.reason;
  expect(reason({}, {})).toBe('memory 512 MiB requested, 128 of 2048 MiB free');
  expect(reason({}, { vcpus: 2 })).toBe('cpu 2 vCPU requested, 1 of 4 vCPU free');
  expect(reason({ up: false }, {})).toBe('the host is down');
  expect(reason({ enabled: false }, {})).toBe('the host is disabled for scheduling');
  expect(reason({}, { zone: 'az9' })).toBe('zone az9 requested, the host is in nova');
  expect(reason({}, { type: 'container' })).toBe('the host runs no servers of type container');
  expect(reason({}, { architecture: 'aarch64' })).toBe('architecture aarch64 requested, the host is x86_64');
  expect(reason({}, { capabilities: ['pause', 'suspend'] })).toBe('lacks suspend');
  const many = schedule(
    Array.from({ length: 50 }, () => small),
    want,
    () => 0,
  );
  expect([many.explanation.examples.length, many.explanation.refused]).toEqual([20, { memory: 50 }]);
});
