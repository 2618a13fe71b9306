// A router's address translation as nft text. Pure. Floating IPs are two maps, consulted once a connection:
// changing them leaves every established flow alone. Ports of an address that lead to guests are two more.
import type { RouterBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import { address, interfaceAddress } from './addresses.ts';
import { routerGatewayOf } from './names.ts';

/** Set on packets that came in by the gateway: they keep their source address on the way to the guest. */
const fromOutside = 1;

const ends = (first: number, last: number): string => (first === last ? `${first}` : `${first}-${last}`);

/**
 * `moved`: address, protocol and ports to address and one port. `kept`: the port stays what it was, for ranges that
 * keep their numbers. A range that moves is an element for each port, because nft has no offset.
 */
function forwardingElements(
  field: string,
  body: RouterBody,
  associated: ReadonlyMap<string, string>,
): { moved: Map<string, string>; kept: Map<string, string> } {
  const moved = new Map<string, string>();
  const kept = new Map<string, string>();
  const taken: Record<string, { first: number; last: number }[]> = {};
  for (const one of body.portForwardings ?? []) {
    const { protocol, externalFirst: first, externalLast: last } = one;
    const floating = address(`${field}: floating IP`, one.floatingAddress, 4);
    const inside = address(`${field}: internal address`, one.internalAddress, 4);
    const size = one.internalLast - one.internalFirst;
    if (associated.has(floating))
      throw new DriverError(
        'refused',
        `${field}: floating IP ${floating} is associated as a whole, so its ports cannot be forwarded.`,
      );
    if (last < first || size < 0 || (size > 0 && size !== last - first))
      throw new DriverError(
        'refused',
        `${field}: ports ${ends(first, last)} of ${floating} must lead to as many ports or to one, not to ${one.internalFirst}-${one.internalLast}.`,
      );
    const same = (taken[`${floating} ${protocol}`] ??= []);
    if (same.some((other) => other.first <= last && first <= other.last))
      throw new DriverError(
        'refused',
        `${field}: ${protocol} port ${ends(first, last)} of floating IP ${floating} is forwarded twice.`,
      );
    same.push({ first, last });
    const key = (from: number, to: number): string => `${floating} . ${protocol} . ${ends(from, to)}`;
    if (size === 0) moved.set(key(first, last), `${inside} . ${one.internalFirst}`);
    else if (one.internalFirst === first) kept.set(key(first, last), inside);
    else
      for (let at = 0; at <= size; at++)
        moved.set(key(first + at, first + at), `${inside} . ${one.internalFirst + at}`);
  }
  return { moved, kept };
}

/** DHCPv6 is the network's own (`input`): what advertises here would answer too. */
export function routerRules(id: string, body: RouterBody): string {
  const { gateway } = body;
  const field = `Router ${id}`;
  const orphan = [...body.floatingIps, ...(body.portForwardings ?? [])][0];
  if (gateway === null && orphan !== undefined)
    throw new DriverError(
      'refused',
      `${field}: floating IP ${orphan.floatingAddress} needs an external gateway.`,
    );
  const device = gateway === null ? null : routerGatewayOf(gateway.portId);
  const source = gateway?.addresses
    .map((text) => interfaceAddress(`${field}: gateway address`, text))
    .find(({ family }) => family === 4)?.address;
  const into = new Map<string, string>();
  const out = new Map<string, string>();
  for (const { floatingAddress, fixedAddress } of body.floatingIps) {
    const [floating, fixed] = [
      address(`${field}: floating IP`, floatingAddress, 4),
      address(`${field}: fixed address`, fixedAddress, 4),
    ];
    if (into.has(floating))
      throw new DriverError('refused', `${field}: floating IP ${floating} is given twice.`);
    into.set(floating, fixed);
    if (!out.has(fixed)) out.set(fixed, floating);
  }
  const { moved, kept } = forwardingElements(field, body, into);
  const elements = (name: string, entries: Map<string, string>): string =>
    entries.size === 0
      ? ''
      : `add element inet router ${name} { ${[...entries].map(([key, value]) => `${key} : ${value}`).join(', ')} }\n`;
  const outside: string[] = [];
  if (device !== null) {
    outside.push(`add rule inet router forward iifname "${device}" meta mark set ${fromOutside}`);
    // With SNAT the inside is private: only what a floating IP or a connection from inside calls for comes in.
    if (gateway?.snat === true)
      outside.push(
        `add rule inet router forward iifname "${device}" meta nfproto ipv4 ct state new ct status & dnat == 0 drop`,
      );
    outside.push(`add rule inet router postrouting oifname "${device}" snat ip to ip saddr map @floating_of`);
    if (gateway?.snat === true && source !== undefined)
      outside.push(
        `add rule inet router postrouting oifname "${device}" meta nfproto ipv4 snat ip to ${source}`,
      );
    // Hairpin: the answer must come back through here to be translated.
    outside.push(
      `add rule inet router postrouting ct status dnat meta mark != ${fromOutside} snat ip to ip saddr map @floating_of`,
    );
    if (source !== undefined)
      outside.push(
        `add rule inet router postrouting ct status dnat meta mark != ${fromOutside} meta nfproto ipv4 snat ip to ${source}`,
      );
  }
  return `add table inet router
add map inet router fixed_of { type ipv4_addr : ipv4_addr; }
add map inet router floating_of { type ipv4_addr : ipv4_addr; }
add map inet router forwards { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; flags interval; }
add map inet router forwards_kept { type ipv4_addr . inet_proto . inet_service : ipv4_addr; flags interval; }
add chain inet router input { type filter hook input priority 0; policy accept; }
add chain inet router prerouting { type nat hook prerouting priority -100; policy accept; }
add chain inet router forward { type filter hook forward priority 0; policy accept; }
add chain inet router postrouting { type nat hook postrouting priority 100; policy accept; }
flush chain inet router input
flush chain inet router prerouting
flush chain inet router forward
flush chain inet router postrouting
flush map inet router fixed_of
flush map inet router floating_of
flush map inet router forwards
flush map inet router forwards_kept
${elements('fixed_of', into)}${elements('floating_of', out)}${elements('forwards', moved)}${elements('forwards_kept', kept)}add rule inet router input udp dport 547 drop
add rule inet router prerouting dnat ip to ip daddr map @fixed_of
add rule inet router prerouting meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport map @forwards
add rule inet router prerouting meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport map @forwards_kept
${outside.map((rule) => `${rule}\n`).join('')}`;
}
