// What of a host can be claimed, and what is.
import type { Host } from './api.ts';

type Inventory = { total: number; reserved: number; allocation_ratio: number };
export type Inventories = Partial<Record<'VCPU' | 'MEMORY_MB' | 'DISK_GB', Inventory>>;

export const resources = ['VCPU', 'MEMORY_MB', 'DISK_GB'] as const;
export type HostResource = (typeof resources)[number];

/** What is claimed of a host, and how much can be: with what it keeps for itself and how often the same may be given. */
export function capacityOf(
  host: Host,
  resource: HostResource,
  inventories: Inventories | undefined,
): { used: number; total: number; physical: number } {
  const [used, physical] = {
    VCPU: [host.vcpus_used, host.vcpus],
    MEMORY_MB: [host.memory_mb_used, host.memory_mb],
    DISK_GB: [host.local_gb_used, host.local_gb],
  }[resource] as [number, number];
  const inventory = inventories?.[resource];
  return {
    used,
    physical,
    total:
      inventory === undefined
        ? physical
        : Math.floor((inventory.total - inventory.reserved) * inventory.allocation_ratio),
  };
}
