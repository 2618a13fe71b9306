// Arithmetic of IP addresses, for forms that propose and check before they send. Pure.
import ipaddr from 'ipaddr.js';

type Range = { start: string; end: string };

export const isAddress = (text: string): boolean => ipaddr.IPv6.isValid(text) || isIpv4(text);

const isIpv4 = (text: string): boolean => ipaddr.IPv4.isValidFourPartDecimal(text);

export const versionOf = (text: string): 4 | 6 | null =>
  isIpv4(text) ? 4 : ipaddr.IPv6.isValid(text) ? 6 : null;

/** '10.0.0.0/24' -> 4; null: not a network. */
export function cidrVersion(text: string): 4 | 6 | null {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const version = versionOf(address);
  if (version === null || rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return null;
  return Number(prefix) <= (version === 4 ? 32 : 128) ? version : null;
}

/** Whether an address lies in a network; false when either is none. */
export function inCidr(address: string, cidr: string): boolean {
  const version = versionOf(address);
  if (version === null || cidrVersion(cidr) !== version) return false;
  return ipaddr.parse(address).match(ipaddr.parseCIDR(cidr) as [ipaddr.IPv4, number]);
}

const numberOf = (address: string): bigint =>
  ipaddr
    .parse(address)
    .toByteArray()
    .reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);

/** How many addresses pools hold. */
export const poolSize = (pools: readonly Range[]): number =>
  Number(pools.reduce((sum, { start, end }) => sum + numberOf(end) - numberOf(start) + 1n, 0n));

const ipv4Bounds = (cidr: string): [first: number, last: number] => {
  const [address, prefix] = ipaddr.IPv4.parseCIDR(cidr);
  const size = 2 ** (32 - prefix);
  const number = Number(numberOf(address.toString()));
  const first = number - (number % size);
  return [first, first + size - 1];
};

/**
 * A private /24 that overlaps none of `taken`, so that networks can be joined by a router later: of 10.0.0.0/16 the
 * lowest from 10.0.1.0/24 on, then of the next /16. Networks of IPv6 among `taken` do not count.
 */
export function freeSubnet(taken: readonly string[]): string {
  const used = taken.filter((cidr) => cidrVersion(cidr) === 4).map(ipv4Bounds);
  for (let second = 0; second < 256; second += 1)
    for (let third = second === 0 ? 1 : 0; third < 256; third += 1) {
      const cidr = `10.${second}.${third}.0/24`;
      const [first, last] = ipv4Bounds(cidr);
      if (used.every(([from, to]) => last < from || to < first)) return cidr;
    }
  return '192.168.0.0/24';
}

/** Use of the IPv4 subnets among `subnets`: nobody sees the end of a /64 coming, but everybody that of a /24. */
export function ipv4Use(
  subnets: readonly { ip_version: 4 | 6; total_ips: number; used_ips: number }[],
): { used: number; total: number } | null {
  const four = subnets.filter(({ ip_version: version }) => version === 4);
  if (four.length === 0) return null;
  return {
    used: four.reduce((sum, { used_ips: used }) => sum + used, 0),
    total: four.reduce((sum, { total_ips: total }) => sum + total, 0),
  };
}
