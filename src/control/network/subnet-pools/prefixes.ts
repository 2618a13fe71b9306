// Arithmetic of subnet pools: merging prefixes, and finding room for one more subnet. Pure.
import { bitsOf, lastOf, parseCidr, addressText, type Cidr, type IpVersion } from '../subnets/addressing.ts';

const cidrAt = (version: IpVersion, network: bigint, prefix: number): Cidr => ({
  version,
  network,
  prefix,
  text: `${addressText(version, network)}/${prefix}`,
  canonical: true,
});

const sizeOf = (version: IpVersion, prefix: number): bigint => 1n << BigInt(bitsOf(version) - prefix);
const byNetwork = (a: Cidr, b: Cidr): number =>
  a.network < b.network ? -1 : a.network > b.network ? 1 : a.prefix - b.prefix;

/** Ordered, without what another contains, and two halves of a larger prefix as that prefix. */
export function compact(cidrs: readonly Cidr[]): Cidr[] {
  const out: Cidr[] = [];
  for (const cidr of cidrs.toSorted(byNetwork)) {
    const last = out.at(-1);
    if (last !== undefined && lastOf(cidr) <= lastOf(last)) continue;
    out.push(cidr);
    for (let merged = merge(out.at(-2), out.at(-1)); merged !== null; merged = merge(out.at(-2), out.at(-1)))
      out.splice(-2, 2, merged);
  }
  return out;
}

function merge(low: Cidr | undefined, high: Cidr | undefined): Cidr | null {
  if (low === undefined || high === undefined || low.prefix !== high.prefix || low.prefix === 0) return null;
  const parent = parseCidr(`${addressText(low.version, low.network)}/${low.prefix - 1}`);
  return parent !== null &&
    parent.network === low.network &&
    high.network === low.network + sizeOf(low.version, low.prefix)
    ? parent
    : null;
}

/** The first piece of this length in the pool's prefixes that overlaps nothing of what is taken; null: there is none. */
export function freePiece(prefixes: readonly Cidr[], taken: readonly Cidr[], prefix: number): Cidr | null {
  for (const pool of prefixes) {
    if (prefix < pool.prefix) continue;
    const size = sizeOf(pool.version, prefix);
    let at = pool.network;
    for (const used of taken.filter((one) => one.version === pool.version).toSorted(byNetwork)) {
      if (lastOf(used) < at) continue;
      if (used.network >= at + size) break;
      // Behind what is in the way, at the next address where a piece of this length can begin.
      at = ((lastOf(used) + size) / size) * size;
    }
    if (at + size - 1n <= lastOf(pool)) return cidrAt(pool.version, at, prefix);
  }
  return null;
}

export const inside = (prefixes: readonly Cidr[], cidr: Cidr): boolean =>
  prefixes.some(
    (pool) => pool.version === cidr.version && pool.network <= cidr.network && lastOf(cidr) <= lastOf(pool),
  );

/** As Neutron counts a pool's quota: addresses in IPv4, /64 networks in IPv6 (at least one a subnet). */
export function quotaUnits(cidr: Cidr): number {
  if (cidr.version === 4) return 2 ** (32 - cidr.prefix);
  return cidr.prefix >= 64 ? 1 : 2 ** (64 - cidr.prefix);
}
