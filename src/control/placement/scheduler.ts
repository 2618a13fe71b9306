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

const fits = (name: string, unit: string, need: (w: PlacementRequest) => number, used: (h: SchedulerHost) => number, total: (h: SchedulerHost) => number): Filter => ({
  name,
  concerns: (want) => need(want) > 0,
  passes: (host, want) => used(host) + need(want) <= total(host),
  reason: (host, want) => `${name} ${need(want)} ${unit} requested, ${Math.max(total(host) - used(host), 0)} of ${total(host)} ${unit} free`,
});

/** In the order in which they run; each says, for one host, the value and the rule. */
export const filters: readonly Filter[] = [
  { name: 'state', passes: (h) => h.up && h.enabled, reason: (h) => (h.enabled ? 'the host is down' : 'the host is disabled for scheduling') },
  { name: 'host', concerns: (w) => w.hostname !== null, passes: (h, w) => h.hostname === w.hostname, reason: (_h, w) => `host ${w.hostname} was requested` },
  { name: 'zone', concerns: (w) => w.zone !== null, passes: (h, w) => h.zone === w.zone, reason: (h, w) => `zone ${w.zone} requested, the host is in ${h.zone}` },
  { name: 'type', passes: (h, w) => h.guests[w.type] !== undefined, reason: (_h, w) => `the host runs no servers of type ${w.type}` },
  { name: 'architecture', concerns: (w) => w.architecture !== null && w.type !== 'container', passes: (h, w) => h.architecture === w.architecture, reason: (h, w) => `architecture ${w.architecture} requested, the host is ${h.architecture}` },
  {
    name: 'capability',
    concerns: (w) => w.capabilities.length > 0,
    passes: (h, w) => w.capabilities.every((one) => h.guests[w.type]?.includes(one) === true),
    reason: (h, w) => `lacks ${w.capabilities.filter((one) => h.guests[w.type]?.includes(one) !== true).join(', ')}`,
  },
  fits('cpu', 'vCPU', (w) => w.vcpus, (h) => h.usedVcpus, (h) => h.vcpus),
  fits('memory', 'MiB', (w) => w.memoryMib, (h) => h.usedMemoryMib, (h) => h.memoryMib),
  fits('disk', 'GiB', (w) => w.diskGib, (h) => h.usedDiskGib, (h) => h.diskGib),
  {
    name: 'group',
    concerns: (w) => w.group !== null,
    passes: (h, w) =>
      w.group === null ||
      (w.group.policy === 'anti-affinity' ? !w.group.hostIds.includes(h.id) : w.group.policy !== 'affinity' || w.group.hostIds.length === 0 || w.group.hostIds.includes(h.id)),
    reason: (_h, w) => `the ${w.group?.policy} rule of the server group forbids it`,
  },
];

/** Higher weights win. We spread by free memory and CPU: one full host hurts more than ten half-full ones. */
export const weighers: Readonly<Record<string, (host: SchedulerHost, want: PlacementRequest) => number>> = {
  memory: (h) => (h.memoryMib === 0 ? 0 : 1 - h.usedMemoryMib / h.memoryMib),
  cpu: (h) => (h.vcpus === 0 ? 0 : 1 - h.usedVcpus / h.vcpus),
  group: (h, w) => {
    if (w.group === null || !w.group.policy.startsWith('soft-')) return 0;
    const together = w.group.hostIds.filter((id) => id === h.id).length;
    return (w.group.policy === 'soft-affinity' ? together : -together) * 10;
  },
};
const weigherList = Object.entries(weighers);
const MAX_EXAMPLES = 20;

export type Choice = { host: SchedulerHost | null; explanation: PlacementExplanation };

/** Hosts of one best score are drawn among by `rng`, so that two schedulers do not always collide. */
export function schedule(snapshot: Snapshot, want: PlacementRequest, rng: Rng): Choice {
  const counts = new Array<number>(filters.length).fill(0);
  const refusedFirst: { host: SchedulerHost; filter: Filter }[] = [];
  let best: SchedulerHost | null = null;
  let bestScore = -Infinity;
  let ties = 0;
  const active = filters.flatMap((filter, at) => (filter.concerns?.(want) === false ? [] : [{ filter, at }]));
  hosts: for (const host of snapshot) {
    for (const { filter, at } of active) {
      if (filter.passes(host, want)) continue;
      counts[at] = (counts[at] ?? 0) + 1;
      if (refusedFirst.length < MAX_EXAMPLES) refusedFirst.push({ host, filter });
      continue hosts;
    }
    let score = 0;
    for (const [, weigh] of weigherList) score += weigh(host, want);
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
      refused: Object.fromEntries(filters.flatMap((filter, at) => ((counts[at] ?? 0) > 0 ? [[filter.name, counts[at] ?? 0]] : []))),
      examples: refusedFirst.map(({ host, filter }) => ({ host: host.hostname, filter: filter.name, reason: filter.reason(host, want) })),
      scores: chosen === null ? {} : Object.fromEntries(weigherList.map(([name, weigh]) => [name, Math.round(weigh(chosen, want) * 1000) / 1000])),
    },
  };
}
