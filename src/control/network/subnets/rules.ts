// What makes a subnet valid, by itself: CIDR, gateway, allocation pools, name servers, routes, IPv6 modes. Pure.
import { badRequest, conflict } from '../../../kernel/errors.ts';
import { invalidInput } from '../faults.ts';
import {
  addressText,
  bitsOf,
  contains,
  lastOf,
  parseAddress,
  parseCidr,
  usable,
  within,
  without,
  type Cidr,
  type Range,
} from './addressing.ts';

export type Pool = { start: string; end: string };
export type HostRoute = { destination: string; nexthop: string };
const MAX_NAMESERVERS = 5;
const MAX_ROUTES = 20;

/** Ranges that no guest network may use: unspecified, loopback, multicast and reserved. */
const unusable = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '224.0.0.0/3',
  '::/128',
  '::1/128',
  'fe80::/10',
  'ff00::/8',
].map((text) => parseCidr(text));

export function checkCidr(text: string, ipVersion: number): Cidr {
  const cidr = parseCidr(text);
  if (cidr === null)
    throw badRequest(`Invalid input for cidr. Reason: '${text}' is not a valid IP subnet.`, 'HTTPBadRequest');
  if (!cidr.canonical)
    throw badRequest(
      `Invalid input for cidr. Reason: '${text}' isn't a recognized IP subnet cidr, '${cidr.text}' is recommended.`,
      'HTTPBadRequest',
    );
  if (cidr.version !== ipVersion)
    throw invalidInput(`cidr '${text}' does not match the ip_version '${ipVersion}'`);
  if (cidr.prefix === 0) throw invalidInput(`cidr '${text}': 0 is not allowed as CIDR prefix length`);
  for (const bad of unusable)
    if (
      bad !== null &&
      bad.version === cidr.version &&
      bad.network <= lastOf(cidr) &&
      cidr.network <= lastOf(bad)
    )
      throw invalidInput(
        `cidr '${text}' overlaps ${bad.text}, which guests cannot use (unspecified, loopback, link-local, multicast or reserved)`,
      );
  return cidr;
}

export function checkDhcp(cidr: Cidr, enabled: boolean): void {
  if (enabled && bitsOf(cidr.version) - cidr.prefix < 2)
    throw badRequest(
      `Invalid input for operation: Subnet has a prefix length that is incompatible with DHCP service enabled (cidr '${cidr.text}').`,
      'InvalidInput',
    );
}

/** An address inside the subnet that is neither its network nor its broadcast address; canonical text. */
export function checkInside(cidr: Cidr, text: string, field: string): string {
  const address = parseAddress(text);
  if (address === null) throw invalidInput(`${field} '${text}' is not an IP address`);
  if (!contains(cidr, address) || (cidr.version === 4 && !within(usable(cidr), address.value)))
    throw invalidInput(`${field} '${text}' is not a valid address of the subnet '${cidr.text}'`);
  return addressText(address.version, address.value);
}

/** undefined: the first address; null or '': none. A gateway may be link-local in IPv6. */
export function gatewayFor(cidr: Cidr, asked: string | null | undefined): string {
  if (asked === null || asked === '') return '';
  if (asked === undefined) return addressText(cidr.version, usable(cidr).first);
  const address = parseAddress(asked);
  if (address === null)
    throw badRequest(
      `Invalid input for gateway_ip. Reason: '${asked}' is not a valid IP address.`,
      'HTTPBadRequest',
    );
  const linkLocal = address.version === 6 && address.value >> 118n === 0x3fan;
  if (address.version === cidr.version && linkLocal) return addressText(6, address.value);
  return checkInside(cidr, asked, 'gateway_ip');
}

const rangeOf = (pool: Pool): Range & { version: number } => {
  const [start, end] = [parseAddress(pool.start), parseAddress(pool.end)];
  if (start === null || end === null || start.version !== end.version || start.value > end.value)
    throw badRequest(`The allocation pool ${pool.start}-${pool.end} is not valid.`, 'InvalidAllocationPool');
  return { first: start.value, last: end.value, version: start.version };
};

/** The pools given, checked and ordered; by default all usable addresses but the gateway. */
export function poolsFor(cidr: Cidr, gateway: string, asked: readonly Pool[] | undefined): Pool[] {
  const show = (range: Range): Pool => ({
    start: addressText(cidr.version, range.first),
    end: addressText(cidr.version, range.last),
  });
  const gatewayValue = gateway === '' ? null : (parseAddress(gateway)?.value ?? null);
  if (asked === undefined)
    return without([usable(cidr)], gatewayValue === null ? [] : [gatewayValue]).map(show);
  const all = usable(cidr);
  const ranges = asked.map((pool) => {
    const range = rangeOf(pool);
    if (range.version !== cidr.version || range.first < all.first || range.last > all.last)
      throw badRequest(
        `The allocation pool ${pool.start}-${pool.end} spans beyond the subnet cidr ${cidr.text}.`,
        'OutOfBoundsAllocationPool',
      );
    if (gatewayValue !== null && within(range, gatewayValue))
      throw conflict(
        `Gateway ip ${gateway} conflicts with allocation pool ${pool.start}-${pool.end}.`,
        'GatewayConflictWithAllocationPools',
      );
    return { first: range.first, last: range.last };
  });
  ranges.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  for (const [at, range] of ranges.entries()) {
    const next = ranges[at + 1];
    if (next !== undefined && next.first <= range.last) {
      const [a, b] = [show(range), show(next)];
      throw conflict(
        `Found overlapping allocation pools: ${a.start}-${a.end} ${b.start}-${b.end} for subnet ${cidr.text}.`,
        'OverlappingAllocationPools',
      );
    }
  }
  return ranges.map(show);
}

export function checkNameservers(list: readonly string[]): string[] {
  if (list.length > MAX_NAMESERVERS)
    throw badRequest(
      `Unable to complete operation: The number of DNS nameservers exceeds the limit ${MAX_NAMESERVERS}.`,
      'DNSNameServersExhausted',
    );
  const seen = list.map((text) => {
    const address = parseAddress(text);
    if (address === null)
      throw badRequest(
        `Invalid input for dns_nameservers. Reason: '${text}' is not a valid nameserver.`,
        'HTTPBadRequest',
      );
    return addressText(address.version, address.value);
  });
  const twice = seen.find((text, at) => seen.indexOf(text) !== at);
  if (twice !== undefined)
    throw badRequest(
      `Invalid input for dns_nameservers. Reason: Duplicate nameserver '${twice}'.`,
      'HTTPBadRequest',
    );
  return seen;
}

export function checkRoutes(list: readonly HostRoute[], field: string): HostRoute[] {
  if (list.length > MAX_ROUTES)
    throw badRequest(
      `Unable to complete operation: The number of ${field} exceeds the limit ${MAX_ROUTES}.`,
      'HostRoutesExhausted',
    );
  const seen = list.map(({ destination, nexthop }) => {
    const to = parseCidr(destination);
    const via = parseAddress(nexthop);
    if (to === null || !to.canonical)
      throw badRequest(
        `Invalid input for ${field}. Reason: destination '${destination}' is not a valid CIDR${to === null ? '' : `, '${to.text}' is recommended`}.`,
        'HTTPBadRequest',
      );
    if (via === null || via.version !== to.version)
      throw badRequest(
        `Invalid input for ${field}. Reason: nexthop '${nexthop}' is not an IP address of the destination's version.`,
        'HTTPBadRequest',
      );
    return { destination: to.text, nexthop: addressText(via.version, via.value) };
  });
  const keys = seen.map((route) => `${route.destination} ${route.nexthop}`);
  const twice = keys.find((key, at) => keys.indexOf(key) !== at);
  if (twice !== undefined)
    throw badRequest(`Invalid input for ${field}. Reason: Duplicate hostroute '${twice}'.`, 'HTTPBadRequest');
  return seen;
}

/** The IPv6 modes of a subnet: only with IPv6 and DHCP, and equal where both are given (Neutron's matrix). */
export function checkIpv6Modes(cidr: Cidr, dhcp: boolean, raMode: string, addressMode: string): void {
  if (raMode === '' && addressMode === '') return;
  if (cidr.version === 4)
    throw invalidInput(`ipv6_ra_mode or ipv6_address_mode cannot be set when ip_version is 4`);
  if (!dhcp)
    throw invalidInput(`ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False`);
  if (raMode !== '' && addressMode !== '' && raMode !== addressMode)
    throw invalidInput(
      `ipv6_ra_mode set to '${raMode}' with ipv6_address_mode set to '${addressMode}' is not valid. If both attributes are set, they must be the same value`,
    );
  if ((addressMode === 'slaac' || addressMode === 'dhcpv6-stateless') && cidr.prefix !== 64)
    throw invalidInput(
      `Invalid CIDR ${cidr.text} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64`,
    );
}
/** True when guests form their own address, which the port then holds. */
export const isSlaac = (row: { ip_version: number; ipv6_address_mode: string }): boolean =>
  row.ip_version === 6 && (row.ipv6_address_mode === 'slaac' || row.ipv6_address_mode === 'dhcpv6-stateless');
