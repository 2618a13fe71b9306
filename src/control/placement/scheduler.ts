// The scheduler: a pure function of a snapshot. Filters, then weighers, then a seeded tie-break; it returns its
// explanation with its answer. Numbers are in flat arrays, so that five thousand hosts cost microseconds.
import type { Rng } from '../../kernel/ids.ts';
import type { PlacementExplanation, PlacementRequest } from './index.ts';

/** One host as the scheduler sees it. Totals are after the allocation ratio. */
export type SchedulerHost = {
  id: string;
  hostname: string;
  zone: string;
  architecture: string;
  /** Guest type -> capabilities of its driver. */
  guests: Readonly<Record<string, readonly string[]>>;
  up: boolean;
  enabled: boolean;
  vcpus: number;
  memoryMib: number;
  diskGib: number;
  usedVcpus: number;
  usedMemoryMib: number;
  usedDiskGib: number;
};

export type Snapshot = readonly SchedulerHost[];

type Filter = {
  name: string;
  /** False: the request asks nothing of it, so that it is not run for any host. Absent: it always runs. */
  concerns?(want: PlacementRequest): boolean;
  passes(host: SchedulerHost, want: PlacementRequest): boolean;
  reason(host: SchedulerHost, want: PlacementRequest): string;
};

const short = (name: string, unit: string, need: number, used: number, total: number): string =>
  `${name} ${need} ${unit} requested, ${Math.max(total - used, 0)} of ${total} ${unit} free`;

/** In the order in which they run; each says, for one host, the value and the rule. */
export const filters: readonly Filter[] = [
  {
    name: 'state',
    passes: (h) => h.up && h.enabled,
    reason: (h) => (h.enabled ? 'the host is down' : 'the host is disabled for scheduling'),
  },
  {
    name: 'host',
    concerns: (w) => w.hostname !== null,
    passes: (h, w) => h.hostname === w.hostname,
    reason: (_h, w) => `host ${w.hostname} was requested`,
  },
  {
    name: 'zone',
    concerns: (w) => w.zone !== null,
    passes: (h, w) => h.zone === w.zone,
    reason: (h, w) => `zone ${w.zone} requested, the host is in ${h.zone}`,
  },
  {
    name: 'type',
    passes: (h, w) => h.guests[w.type] !== undefined,
    reason: (_h, w) => `the host runs no servers of type ${w.type}`,
  },
  {
    name: 'architecture',
    concerns: (w) => w.architecture !== null && w.type !== 'container',
    passes: (h, w) => h.architecture === w.architecture,
    reason: (h, w) => `architecture ${w.architecture} requested, the host is ${h.architecture}`,
  },
  {
    name: 'capability',
    concerns: (w) => w.capabilities.length > 0,
    passes: (h, w) => w.capabilities.every((one) => h.guests[w.type]?.includes(one) === true),
    reason: (h, w) =>
      `lacks ${w.capabilities.filter((one) => h.guests[w.type]?.includes(one) !== true).join(', ')}`,
  },
  {
    name: 'cpu',
    concerns: (w) => w.vcpus > 0,
    passes: (h, w) => h.usedVcpus + w.vcpus <= h.vcpus,
    reason: (h, w) => short('cpu', 'vCPU', w.vcpus, h.usedVcpus, h.vcpus),
  },
  {
    name: 'memory',
    concerns: (w) => w.memoryMib > 0,
    passes: (h, w) => h.usedMemoryMib + w.memoryMib <= h.memoryMib,
    reason: (h, w) => short('memory', 'MiB', w.memoryMib, h.usedMemoryMib, h.memoryMib),
  },
  {
    name: 'disk',
    concerns: (w) => w.diskGib > 0,
    passes: (h, w) => h.usedDiskGib + w.diskGib <= h.diskGib,
    reason: (h, w) => short('disk', 'GiB', w.diskGib, h.usedDiskGib, h.diskGib),
  },
  {
    name: 'group',
    concerns: (w) => w.group !== null,
    passes: (h, w) =>
      w.group === null ||
      (w.group.policy === 'anti-affinity'
        ? w.group.hostIds.filter((id) => id === h.id).length < (w.group.maxPerHost ?? 1)
        : w.group.policy !== 'affinity' || w.group.hostIds.length === 0 || w.group.hostIds.includes(h.id)),
    reason: (_h, w) => `the ${w.group?.policy} rule of the server group forbids it`,
  },
  {
    name: 'hint',
    concerns: (w) => w.hinted !== undefined,
    passes: (h, w) =>
      w.hinted === undefined || (w.hinted.among?.includes(h.id) !== false && !w.hinted.not.includes(h.id)),
    reason: (h, w) =>
      w.hinted?.not.includes(h.id) === true
        ? 'a server that different_host names is on it'
        : 'no server that same_host names is on it',
  },
];

type Weigher = (host: SchedulerHost, want: PlacementRequest) => number;
/** Higher weights win. We spread by free memory and CPU: one full host hurts more than ten half-full ones. */
export const weighers = {
  memory: (h: SchedulerHost) => (h.memoryMib === 0 ? 0 : 1 - h.usedMemoryMib / h.memoryMib),
  cpu: (h: SchedulerHost) => (h.vcpus === 0 ? 0 : 1 - h.usedVcpus / h.vcpus),
  group: (h: SchedulerHost, w: PlacementRequest) => {
    if (w.group === null || !w.group.policy.startsWith('soft-')) return 0;
    const together = w.group.hostIds.filter((id) => id === h.id).length;
    return (w.group.policy === 'soft-affinity' ? together : -together) * 10;
  },
} satisfies Record<string, Weigher>;
const MAX_EXAMPLES = 20;

export type Choice = { host: SchedulerHost | null; explanation: PlacementExplanation };

/**
 * All filters in one, for the many hosts that pass: a fifth of the time of running them one by one, which is left to
 * the hosts that are refused, to learn why. A test holds the two together.
 */
function passesAll(want: PlacementRequest): (host: SchedulerHost) => boolean {
  const { hostname, zone, type, vcpus, memoryMib, diskGib, capabilities, group } = want;
  const architecture = type === 'container' ? null : want.architecture;
  // Hosts of one make share this object: what one of them can do is looked up once.
  let guests: SchedulerHost['guests'] | null = null;
  let able = false;
  const hintRule = filters.find((filter) => filter.name === 'hint') as Filter;
  const groupRule = filters.find((filter) => filter.name === 'group') as Filter;
  return (host) => {
    if (!host.up || !host.enabled) return false;
    if (vcpus > 0 && host.usedVcpus + vcpus > host.vcpus) return false;
    if (memoryMib > 0 && host.usedMemoryMib + memoryMib > host.memoryMib) return false;
    if (diskGib > 0 && host.usedDiskGib + diskGib > host.diskGib) return false;
    if (host.guests !== guests) {
      ({ guests } = host);
      const has = guests[type];
      able = has !== undefined && capabilities.every((one) => has.includes(one));
    }
    if (!able) return false;
    if (zone !== null && host.zone !== zone) return false;
    if (architecture !== null && host.architecture !== architecture) return false;
    if (hostname !== null && host.hostname !== hostname) return false;
    if (want.hinted !== undefined && !hintRule.passes(host, want)) return false;
    return group === null || groupRule.passes(host, want);
  };
}

/** Hosts of one best score are drawn among by `rng`, so that two schedulers do not always collide. */
export function schedule(snapshot: Snapshot, want: PlacementRequest, rng: Rng): Choice {
  const passes = passesAll(want);
  const active = filters.filter((filter) => filter.concerns?.(want) !== false);
  const counts = new Map<Filter, number>(active.map((filter) => [filter, 0]));
  const refusedFirst: { host: SchedulerHost; filter: Filter }[] = [];
  const { memory, cpu, group } = weighers;
  let best: SchedulerHost | null = null;
  let bestScore = -Infinity;
  let ties = 0;
  // A counted loop: for a snapshot of thousands, an iterator would cost more than the filters.
  for (let index = 0; index < snapshot.length; index++) {
    const host = snapshot[index] as SchedulerHost;
    if (!passes(host)) {
      const filter = active.find((one) => !one.passes(host, want)) as Filter;
      counts.set(filter, (counts.get(filter) ?? 0) + 1);
      if (refusedFirst.length < MAX_EXAMPLES) refusedFirst.push({ host, filter });
      continue;
    }
    const score = memory(host) + cpu(host) + (want.group === null ? 0 : group(host, want));
    if (score > bestScore) {
      best = host;
      bestScore = score;
      ties = 1;
    } else if (score === bestScore && rng() < 1 / ++ties) best = host;
  }
  const chosen = best;
  return {
    host: chosen,
    explanation: {
      considered: snapshot.length,
      refused: Object.fromEntries(
        [...counts].flatMap(([filter, count]) => (count > 0 ? [[filter.name, count]] : [])),
      ),
      examples: refusedFirst.map(({ host, filter }) => ({
        host: host.hostname,
        filter: filter.name,
        reason: filter.reason(host, want),
      })),
      scores:
        chosen === null
          ? {}
          : Object.fromEntries(
              Object.entries(weighers).map(([name, weigh]) => [
                name,
                Math.round(weigh(chosen, want) * 1000) / 1000,
              ]),
            ),
    },
  };
}
