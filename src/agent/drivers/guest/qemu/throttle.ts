// Limits of a volume in QEMU's own words. All six rates are always said: what is left out would stay as it was.
import type { IoLimits } from '../../../../protocol/items.ts';

const rates = {
  bps: 'total_bytes_sec',
  bps_rd: 'read_bytes_sec',
  bps_wr: 'write_bytes_sec',
  iops: 'total_iops_sec',
  iops_rd: 'read_iops_sec',
  iops_wr: 'write_iops_sec',
} as const;
type Rate = keyof typeof rates;
/** 0: no limit. Bursts are there only where they are limited. */
export type Throttle = Record<Rate, number> & Partial<Record<`${Rate}_max`, number>>;

const names = Object.keys(rates) as Rate[];

export function throttleOf(limits: IoLimits): Throttle {
  const out: Partial<Throttle> = {};
  for (const name of names) {
    out[name] = limits[rates[name]] ?? 0;
    const burst = limits[`${rates[name]}_max`];
    if (burst !== undefined) out[`${name}_max`] = burst;
  }
  return out as Throttle;
}

/** As query-block has them among what is inserted. */
export function throttleIn(inserted: Readonly<Record<string, unknown>>): Throttle {
  const out: Partial<Throttle> = {};
  for (const name of names) {
    out[name] = Number(inserted[name] ?? 0);
    const burst = Number(inserted[`${name}_max`] ?? 0);
    if (burst > 0) out[`${name}_max`] = burst;
  }
  return out as Throttle;
}

export const sameThrottle = (a: Throttle, b: Throttle): boolean =>
  names.every((name) => a[name] === b[name] && (a[`${name}_max`] ?? 0) === (b[`${name}_max`] ?? 0));
