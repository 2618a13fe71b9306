// IP addresses and prefixes: parsing with an error that names the field, canonical text, and the smallest
// set of prefixes, because nft refuses overlapping intervals in one set.
import ipaddr from 'ipaddr.js';
import { DriverError } from '../../errors.ts';

export type Family = 4 | 6;
export type Prefix = { family: Family; bits: bigint; length: number; text: string };

const widthOf = (family: Family): number => (family === 4 ? 32 : 128);

function bytesToBits(bytes: number[]): bigint {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  return bits;
}

function bitsToText(family: Family, bits: bigint): string {
  const bytes: number[] = [];
  for (let shift = BigInt(widthOf(family) - 8); shift >= 0n; shift -= 8n)
    bytes.push(Number((bits >> shift) & 255n));
  return ipaddr.fromByteArray(bytes).toString();
}

function parse(text: string): { family: Family; bits: bigint } | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text))
    return { family: 4, bits: bytesToBits(ipaddr.IPv4.parse(text).toByteArray()) };
  // A zone (fe80::1%eth0) is a name of this host and never valid in a body.
  if (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text))
    return { family: 6, bits: bytesToBits(ipaddr.IPv6.parse(text).toByteArray()) };
  return null;
}

const refused = (field: string, value: string, rule: string): DriverError =>
  new DriverError('refused', `${field} ${JSON.stringify(value.slice(0, 60))} must be ${rule}.`);

/** Canonical text of one address. */
export function address(field: string, text: string, family?: Family): string {
  const parsed = parse(text);
  if (parsed === null || (family !== undefined && parsed.family !== family))
    throw refused(field, text, family === undefined ? 'an IP address' : `an IPv${family} address`);
  return bitsToText(parsed.family, parsed.bits);
}

/** A MAC as the schema has it; checked again where it enters a rule or a configuration file. */
export function mac(field: string, text: string): string {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text))
    throw refused(field, text, 'a MAC address such as fa:16:3e:00:00:01');
  return text;
}

export const familyOf = (text: string): Family => (text.includes(':') ? 6 : 4);

/** A prefix; host bits are cleared, and an address without a length is a host prefix. */
export function prefix(field: string, text: string, family?: Family): Prefix {
  const slash = text.indexOf('/');
  const parsed = parse(slash < 0 ? text : text.slice(0, slash));
  const lengthText = slash < 0 ? null : text.slice(slash + 1);
  const width = parsed === null ? 0 : widthOf(parsed.family);
  const length = lengthText === null ? width : /^\d{1,3}$/.test(lengthText) ? Number(lengthText) : -1;
  if (parsed === null || length < 0 || length > width || (family !== undefined && parsed.family !== family))
    throw refused(
      field,
      text,
      family === undefined ? 'an IP prefix in CIDR notation' : `an IPv${family} prefix in CIDR notation`,
    );
  const spare = BigInt(width - length);
  const bits = (parsed.bits >> spare) << spare;
  const first = bitsToText(parsed.family, bits);
  return { family: parsed.family, bits, length, text: length === width ? first : `${first}/${length}` };
}

/** `address/length` with the host bits kept, as for an interface. */
export function interfaceAddress(
  field: string,
  text: string,
): { family: Family; address: string; length: number; text: string } {
  const network = prefix(field, text);
  const own = address(field, text.split('/')[0] ?? '');
  return { family: network.family, address: own, length: network.length, text: `${own}/${network.length}` };
}

export function contains(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const spare = BigInt(widthOf(outer.family) - outer.length);
  return outer.bits >> spare === inner.bits >> spare;
}

/** Drops duplicates and prefixes inside another one. Prefixes nest or are disjoint, so the rest never overlaps. */
export function smallest(prefixes: Prefix[]): Prefix[] {
  const sorted = [...prefixes].sort(
    (a, b) => a.family - b.family || (a.bits < b.bits ? -1 : a.bits > b.bits ? 1 : a.length - b.length),
  );
  const kept: Prefix[] = [];
  for (const candidate of sorted) {
    const last = kept.at(-1);
    if (last === undefined || !contains(last, candidate)) kept.push(candidate);
  }
  return kept;
}

export function netmask(length: number): string {
  const bits = (0xffffffffn << BigInt(32 - length)) & 0xffffffffn;
  return bitsToText(4, bits);
}

/** The first usable address of an IPv4 prefix, with its length. */
export function firstHost(network: Prefix): string {
  return `${bitsToText(4, network.bits + 1n)}/${network.length}`;
}

/** EUI-64 link-local address of a MAC (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  return bitsToText(6, (0xfe80n << 112n) | bytesToBits([a ^ 2, b, c, 0xff, 0xfe, d, e, f]));
}

/** 128-bit hexadecimal, for raw payload matches. */
export const hexOf = (entry: Prefix): string => `0x${entry.bits.toString(16).padStart(32, '0')}`;
