// What creating servers takes of the project's quota: the limits API says what there is, the form what it wants.
import type { Flavor } from '../api.ts';

/** "absolute" of the limits API; -1: no limit. Memory in MiB. */
export type Limits = {
  maxTotalInstances: number;
  totalInstancesUsed: number;
  maxTotalCores: number;
  totalCoresUsed: number;
  maxTotalRAMSize: number;
  totalRAMUsed: number;
};

export type QuotaLine = {
  /** As the quota API calls it, e.g. 'instances'. */
  resource: string;
  used: number;
  /** What the create would add. */
  takes: number;
  /** Below 0: there is none. */
  limit: number;
  fits: boolean;
};

export const quotaLine = (resource: string, used: number, takes: number, limit: number): QuotaLine => ({
  resource,
  used,
  takes,
  limit,
  fits: limit < 0 || used + takes <= limit,
});

export function quotaLines(
  limits: Limits,
  flavor: Pick<Flavor, 'vcpus' | 'ram'> | undefined,
  count: number,
): readonly QuotaLine[] {
  const { vcpus = 0, ram = 0 } = flavor ?? {};
  return [
    quotaLine('instances', limits.totalInstancesUsed, count, limits.maxTotalInstances),
    quotaLine('cores', limits.totalCoresUsed, vcpus * count, limits.maxTotalCores),
    quotaLine('ram', limits.totalRAMUsed, ram * count, limits.maxTotalRAMSize),
  ];
}

/** How many servers of a flavor the quota has room for; null: as many as anybody likes. */
export function roomFor(limits: Limits, flavor: Pick<Flavor, 'vcpus' | 'ram'>): number | null {
  const rooms = quotaLines(limits, flavor, 1)
    .filter(({ limit, takes }) => limit >= 0 && takes > 0)
    .map(({ limit, used, takes }) => Math.max(0, Math.floor((limit - used) / takes)));
  return rooms.length === 0 ? null : Math.min(...rooms);
}
