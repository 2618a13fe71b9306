// What a host offers: its physical resources, less what the host itself needs, times the allocation ratios.
import { LRUCache } from 'lru-cache';
import type { Tables } from '../../kernel/db/index.ts';
import type { HostFacts } from '../../protocol/link.ts';
import { HOST_DOWN_MS } from '../host/index.ts';
import type { SchedulerHost } from './scheduler.ts';

/** Nova's defaults; memory is never over-allocated. */
export const allocationRatios = { vcpus: 16, memory: 1, disk: 1 } as const;
/** MiB kept for the host itself. */
export const RESERVED_MEMORY_MIB = 512;

export function inventoryOf(host: Pick<Tables['hosts'], 'vcpus' | 'memory_mib' | 'disk_gib'>) {
  return {
    vcpus: host.vcpus * allocationRatios.vcpus,
    memoryMib: Math.max(
      0,
      Math.floor(
        (host.memory_mib - Math.min(RESERVED_MEMORY_MIB, host.memory_mib / 4)) * allocationRatios.memory,
      ),
    ),
    diskGib: Math.floor(host.disk_gib * allocationRatios.disk),
  };
}

export const isUp = (host: Pick<Tables['hosts'], 'seen_at' | 'forced_down'>, now: number): boolean =>
  host.forced_down === 0 && now - host.seen_at < HOST_DOWN_MS;

/** Guests of hosts of one make, by their JSON: one object for all, so that the scheduler looks at it once. */
const makes = new LRUCache<string, SchedulerHost['guests']>({ max: 1000 });
function guestsOf(facts: HostFacts): SchedulerHost['guests'] {
  const key = JSON.stringify(facts.guests);
  const known = makes.get(key);
  if (known !== undefined) return known;
  const guests = Object.fromEntries(facts.guests.map((guest) => [guest.type, guest.capabilities]));
  makes.set(key, guests);
  return guests;
}

export function schedulerHost(host: Tables['hosts'], now: number): SchedulerHost {
  const facts = JSON.parse(host.facts) as HostFacts;
  return {
    id: host.id,
    hostname: host.hostname,
    zone: host.zone,
    architecture: facts.architecture,
    guests: guestsOf(facts),
    up: isUp(host, now),
    enabled: host.enabled === 1,
    ...inventoryOf(host),
    usedVcpus: host.used_vcpus,
    usedMemoryMib: host.used_memory_mib,
    usedDiskGib: host.used_disk_gib,
  };
}
