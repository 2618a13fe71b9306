// Arithmetic on addresses, CIDRs and allocation pools. Pure.
import ipaddr from 'ipaddr.js';

export type IpVersion = 4 | 6;
export type Address = { version: IpVersion; value: bigint };
export type Cidr = {
  version: IpVersion;
  network: bigint;
  prefix: number;
  /** as it is written without host bits */ text: string;
  canonical: boolean;
};
/** Both ends included. */
export type Range = { first: bigint; last: bigint };

export const bitsOf = (version: IpVersion): number => (version === 4 ? 32 : 128);

/** null: not an address (zone ids, octal and short IPv4 forms are not taken). */
export function parseAddress(text: string): Address | null {
  if (!/^[0-9a-fA-F:.]{2,45}$/.test(text)) return null;
  if (!text.includes(':')) {
    if (!ipaddr.IPv4.isValidFourPartDecimal(text) || /(^|\.)0\d/.test(text)) return null;
    const value = text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    return { version: 4, value: BigInt(value) };
  }
  if (!ipaddr.IPv6.isValid(text)) return null;
  const value = ipaddr.IPv6.parse(text).parts.reduce((sum, part) => (sum << 16n) | BigInt(part), 0n);
  return { version: 6, value };
}

/** The canonical text: dotted quad, or RFC 5952. */
export function addressText(version: IpVersion, value: bigint): string {
  if (version === 4) {
    const n = Number(value);
    return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
  }
  const parts = Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(16 * (7 - at))) & 0xffffn));
  return new ipaddr.IPv6(parts).toRFC5952String();
}

export function parseCidr(text: string): Cidr | null {
  const match = /^([0-9a-fA-F:.]{2,45})\/(\d{1,3})$/.exec(text);
  const address = parseAddress(match?.[1] ?? '');
  const prefix = Number(match?.[2] ?? '');
  if (address === null || prefix > bitsOf(address.version)) return null;
  const host = BigInt(bitsOf(address.version) - prefix);
  const network = (address.value >> host) << host;
  const written = `${addressText(address.version, network)}/${prefix}`;
  return { version: address.version, network, prefix, text: written, canonical: network === address.value };
}

export const lastOf = (cidr: Cidr): bigint =>
  cidr.network | ((1n << BigInt(bitsOf(cidr.version) - cidr.prefix)) - 1n);
export const contains = (cidr: Cidr, address: Address): boolean =>
  address.version === cidr.version && address.value >= cidr.network && address.value <= lastOf(cidr);
export const overlaps = (a: Cidr, b: Cidr): boolean =>
  a.version === b.version && a.network <= lastOf(b) && b.network <= lastOf(a);
export const within = (range: Range, value: bigint): boolean => value >= range.first && value <= range.last;

/**
 * The addresses that a guest may have: without network and broadcast address (IPv4, prefix below 31) and
 * without the subnet-router anycast address (IPv6, RFC 4291 2.6.1, prefix below 127).
 */
export function usable(cidr: Cidr): Range {
  const last = lastOf(cidr);
  const spare = bitsOf(cidr.version) - cidr.prefix > 1;
  return {
    first: spare ? cidr.network + 1n : cidr.network,
    last: cidr.version === 4 && spare ? last - 1n : last,
  };
}

/** `ranges` without the addresses `taken`; both ordered or not, the result is ordered. */
export function without(ranges: readonly Range[], taken: readonly bigint[]): Range[] {
  const holes = [...taken].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const out: Range[] = [];
  for (const range of [...ranges].sort((a, b) => (a.first < b.first ? -1 : 1))) {
    let from = range.first;
    for (const hole of holes) {
      if (hole < from) continue;
      if (hole > range.last) break;
      if (hole > from) out.push({ first: from, last: hole - 1n });
      from = hole + 1n;
    }
    if (from <= range.last) out.push({ first: from, last: range.last });
  }
  return out;
}

/** A fixed-width key whose text order is the order of the addresses. */
export const keyOf = (version: IpVersion, value: bigint): string =>
  value.toString(16).padStart(version === 4 ? 8 : 32, '0');
export const valueOf = (key: string): bigint => BigInt(`0x${key}`);

/** The address that stateless autoconfiguration forms (RFC 4291, appendix A: modified EUI-64). */
export function slaacAddress(cidr: Cidr, mac: string): bigint {
  const octets = mac.split(':').map((octet) => Number.parseInt(octet, 16));
  const id = [
    (octets[0] ?? 0) ^ 2,
    octets[1] ?? 0,
    octets[2] ?? 0,
    0xff,
    0xfe,
    octets[3] ?? 0,
    octets[4] ?? 0,
    octets[5] ?? 0,
  ];
  return cidr.network | id.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}
