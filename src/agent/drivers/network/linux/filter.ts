// The packet filter of the switch namespace as nft text. Pure: bodies in, transactions out.
//
// A frame meets, in this order: the bridge family at -300 (source device -> mark, anti-spoofing), the inet
// family by br_netfilter (zone of the bridge, connection tracking, egress rules of the source's mark), then
// the bridge's forward hook (destination device -> mark) and the inet forward hook (ingress rules of the
// destination's mark). All steps are map look-ups, so the cost of a packet does not grow with the ports.
// Every map's value for a port is constant; what changes is the content of the port's own chains.
import type {
  AddressGroupBody,
  PortBody,
  SecurityGroupBody,
  SecurityGroupRuleBody,
} from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import {
  address,
  hexOf,
  linkLocalOf,
  mac as macAddress,
  prefix,
  smallest,
  type Prefix,
} from './addresses.ts';
import { short } from './names.ts';

/** The mark of devices that belong to the cloud itself: routers, DHCP, the host. */
export const trustedMark = 1;
export const firstPortMark = 16;
export const metadataAddress = '169.254.169.254';
/** Where Neutron answers metadata over IPv6, on every network alike. */
export const metadataAddress6 = 'fe80::a9fe:a9fe';

/** Creates or refreshes what all ports share. Maps and sets keep their elements; the base chains are swapped in one transaction. */
export const baseRules = `
add table bridge strata
add map bridge strata device_marks { type ifname : mark; }
add map bridge strata guards { type ifname : verdict; }
add map bridge strata deliveries { type ifname : verdict; }
add chain bridge strata prerouting { type filter hook prerouting priority -300; policy drop; }
add chain bridge strata forward { type filter hook forward priority -300; policy drop; }
add chain bridge strata input { type filter hook input priority -300; policy drop; }
add chain bridge strata deliver
flush chain bridge strata prerouting
flush chain bridge strata forward
flush chain bridge strata deliver
add rule bridge strata prerouting meta mark set iifname map @device_marks
add rule bridge strata prerouting iifname vmap @guards
add rule bridge strata forward meta mark set oifname map @device_marks
add rule bridge strata forward oifname vmap @deliveries
add rule bridge strata deliver ether type { ip, arp, ip6 } accept
add rule bridge strata deliver drop
add table inet strata
add map inet strata zones { typeof iifname : ct zone; }
add map inet strata egress_ports { type mark : verdict; }
add map inet strata ingress_ports { type mark : verdict; }
add set inet strata dhcp_servers { typeof iifname . ip saddr; }
add chain inet strata set_zone { type filter hook prerouting priority -450; policy accept; }
add chain inet strata check_egress { type filter hook prerouting priority -150; policy drop; }
add chain inet strata check_ingress { type filter hook forward priority 0; policy drop; }
add chain inet strata egress_common
add chain inet strata ingress_common
flush chain inet strata set_zone
flush chain inet strata check_egress
flush chain inet strata check_ingress
flush chain inet strata egress_common
flush chain inet strata ingress_common
add rule inet strata set_zone ct zone set iifname map @zones
add rule inet strata check_egress meta mark vmap @egress_ports
add rule inet strata check_ingress meta mark vmap @ingress_ports
add rule inet strata egress_common meta nfproto ipv4 udp sport 68 udp dport 67 accept
add rule inet strata egress_common ip6 saddr fe80::/10 udp sport 546 udp dport 547 accept
add rule inet strata egress_common ip daddr ${metadataAddress} tcp dport 80 accept
add rule inet strata egress_common ip6 daddr ${metadataAddress6} tcp dport 80 accept
add rule inet strata egress_common icmpv6 type { 131, 132, 133, 135, 136, 143 } accept
add rule inet strata ingress_common iifname . ip saddr @dhcp_servers udp sport 67 udp dport 68 accept
add rule inet strata ingress_common ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
add rule inet strata ingress_common ip saddr ${metadataAddress} tcp sport 80 ct state established accept
add rule inet strata ingress_common ip6 saddr ${metadataAddress6} tcp sport 80 ct state established accept
add rule inet strata ingress_common icmpv6 type { 130, 131, 132, 134, 135, 136, 143 } accept
add element inet strata egress_ports { ${trustedMark} : accept }
add element inet strata ingress_ports { ${trustedMark} : accept }
`;
// The zone is set before defragmentation (-400): fragments of two tenants with the same addresses must not meet.

/** Lets a device of the cloud itself (router, DHCP, host) onto its bridge. */
export const trustedDeviceRules = (device: string): string =>
  `add element bridge strata device_marks { "${device}" : ${trustedMark} }
add element bridge strata guards { "${device}" : accept }
add element bridge strata deliveries { "${device}" : accept }
`;

export const removeTrustedDeviceRules = (device: string): string =>
  `${trustedDeviceRules(device)}delete element bridge strata device_marks { "${device}" }
delete element bridge strata guards { "${device}" }
delete element bridge strata deliveries { "${device}" }
`;

export const zoneRules = (bridge: string, zone: number): string =>
  `add element inet strata zones { "${bridge}" : ${zone} }\n`;
export const removeZoneRules = (bridge: string, zone: number): string =>
  `${zoneRules(bridge, zone)}delete element inet strata zones { "${bridge}" }\n`;

/** The addresses under which DHCP answers on a bridge. `before` is what the set holds of it now. */
export function dhcpServerRules(bridge: string, before: string[], after: string[]): string {
  const element = (ip: string): string => `{ "${bridge}" . ${ip} }`;
  const gone = before.filter((ip) => !after.includes(ip));
  return [
    ...after.map((ip) => `add element inet strata dhcp_servers ${element(ip)}\n`),
    ...gone.map((ip) => `delete element inet strata dhcp_servers ${element(ip)}\n`),
  ].join('');
}

const chain = (family: 'bridge' | 'inet', name: string, rules: string[]): string =>
  `add chain ${family} strata ${name}\nflush chain ${family} strata ${name}\n${rules.map((rule) => `add rule ${family} strata ${name} ${rule}\n`).join('')}`;

const set = (entries: readonly string[]): string => `{ ${entries.join(', ')} }`;

export const guardChain = (portId: string): string => `guard_${short(portId)}`;
export const ingressChain = (portId: string): string => `in_${short(portId)}`;
export const egressChain = (portId: string): string => `out_${short(portId)}`;
export const groupIngressChain = (groupId: string): string => `sgi_${groupId}`;
export const groupEgressChain = (groupId: string): string => `sge_${groupId}`;
export const addressSet = (groupId: string, family: 4 | 6): string => `ag${family}_${groupId}`;

/** What a guest may claim as its own: per source MAC, the addresses it may send from. */
function identities(portId: string, body: PortBody): Map<string, Prefix[]> {
  const own = body.fixedIps.map(({ ipAddress }) =>
    prefix(`Port ${portId}: fixed IP`, address(`Port ${portId}: fixed IP`, ipAddress)),
  );
  const result = new Map([[macAddress(`Port ${portId}: MAC`, body.mac), own]]);
  for (const pair of body.allowedAddressPairs) {
    const entry = prefix(`Port ${portId}: allowed address pair`, pair.ipAddress);
    const mac = macAddress(`Port ${portId}: MAC of an allowed address pair`, pair.mac ?? body.mac);
    result.set(mac, [...(result.get(mac) ?? []), entry]);
  }
  for (const [mac, entries] of result)
    result.set(mac, smallest([...entries, prefix('link-local address', linkLocalOf(mac))]));
  return result;
}

/** The metadata service knows a guest by its source address: only the port's own addresses may ask it, whatever else the guest may send. */
function metadataGuard(portId: string, body: PortBody): string[] {
  const own = body.fixedIps
    .map(({ ipAddress }) => prefix(`Port ${portId}: fixed IP`, ipAddress))
    .filter(({ family }) => family === 4);
  const from = own.length === 0 ? '' : `ip saddr != ${set(smallest(own).map(({ text }) => text))} `;
  return [
    `ip daddr ${metadataAddress} ${from}drop`,
    `ip6 daddr ${metadataAddress6} ip6 saddr != ${linkLocalOf(macAddress(`Port ${portId}: MAC`, body.mac))} drop`,
  ];
}

/** The mark of its QoS policy, before anything is decided. */
const marking = ({ dscpMark }: PortBody): string[] =>
  dscpMark === undefined ? [] : [`ip dscp set ${dscpMark}`, `ip6 dscp set ${dscpMark}`];

function guardRules(portId: string, body: PortBody): string[] {
  const macs = identities(portId, body);
  const rules = [
    ...marking(body),
    ...(body.allowedAddressPairs.length === 0 ? [] : metadataGuard(portId, body)),
    // VLAN tags and anything else that br_netfilter would not show to the rules.
    'ether type != { ip, arp, ip6 } drop',
    `ether saddr != ${set([...macs.keys()])} drop`,
    'ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept',
    'udp sport { 67, 547 } drop',
    'icmpv6 type { 134, 137 } drop',
    'ip6 saddr :: icmpv6 type { 131, 133, 135, 143 } accept',
  ];
  for (const [mac, entries] of macs) {
    const v4 = entries.filter(({ family }) => family === 4).map(({ text }) => text);
    const v6 = entries.filter(({ family }) => family === 6);
    const senders = smallest([
      prefix('probe', '0.0.0.0'),
      ...entries.filter(({ family }) => family === 4),
    ]).map(({ text }) => text);
    const from = `ether saddr ${mac}`;
    // A sender of 0.0.0.0 only asks (RFC 5227); it enters no cache.
    rules.push(`${from} arp saddr ether ${mac} arp saddr ip ${set(senders)} accept`);
    if (v4.length > 0) rules.push(`${from} ip saddr ${set(v4)} accept`);
    const targets = v6.map((entry) => {
      const last = entry.bits + (1n << BigInt(128 - entry.length)) - 1n;
      return entry.length === 128 ? hexOf(entry) : `${hexOf(entry)}-0x${last.toString(16).padStart(32, '0')}`;
    });
    // The target of a neighbour advertisement is 8 bytes into the ICMPv6 message (RFC 4861, section 4.4).
    rules.push(`${from} icmpv6 type 136 @th,64,128 != ${set(targets)} drop`);
    rules.push(`${from} ip6 saddr ${set(v6.map(({ text }) => text))} accept`);
  }
  return [...rules, 'drop'];
}

/** All of one port's rules in one transaction. */
export function portRules(portId: string, device: string, mark: number, body: PortBody): string {
  const groups = [...new Set(body.securityGroupIds)];
  const open = body.portSecurity && body.adminUp ? null : [body.adminUp ? 'accept' : 'drop'];
  const [guard, into, out] = [guardChain(portId), ingressChain(portId), egressChain(portId)];
  return [
    chain(
      'bridge',
      guard,
      open === null ? guardRules(portId, body) : [...marking(body), ...metadataGuard(portId, body), ...open],
    ),
    chain('bridge', `to_${short(portId)}`, open ?? ['goto deliver']),
    chain(
      'inet',
      into,
      open ?? [...groups.map((id) => `jump ${groupIngressChain(id)}`), 'jump ingress_common', 'drop'],
    ),
    chain(
      'inet',
      out,
      open ?? [...groups.map((id) => `jump ${groupEgressChain(id)}`), 'jump egress_common', 'drop'],
    ),
    `add element bridge strata device_marks { "${device}" : ${mark} }\n`,
    `add element bridge strata guards { "${device}" : goto ${guard} }\n`,
    `add element bridge strata deliveries { "${device}" : goto to_${short(portId)} }\n`,
    `add element inet strata ingress_ports { ${mark} : goto ${into} }\n`,
    `add element inet strata egress_ports { ${mark} : goto ${out} }\n`,
  ].join('');
}

/** Removes what `portRules` made; only valid while it stands. `hash` is the port's short, by which a leftover is known too. */
export const removePortRules = (hash: string, device: string, mark: number): string =>
  `delete element bridge strata device_marks { "${device}" }
delete element bridge strata guards { "${device}" }
delete element bridge strata deliveries { "${device}" }
delete element inet strata ingress_ports { ${mark} }
delete element inet strata egress_ports { ${mark} }
flush chain inet strata in_${hash}
flush chain inet strata out_${hash}
flush chain bridge strata to_${hash}
delete chain bridge strata guard_${hash}
delete chain bridge strata to_${hash}
delete chain inet strata in_${hash}
delete chain inet strata out_${hash}
`;

const withPorts = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [33, 'dccp'],
  [132, 'sctp'],
  [136, 'udplite'],
]);

function portMatch(field: string, rule: SecurityGroupRuleBody, protocol: number): string {
  const { portMin, portMax } = rule;
  if (portMin === null && portMax === null) return '';
  if (protocol === 1 || protocol === 58) {
    if ((portMin ?? 0) > 255 || (portMax ?? 0) > 255)
      throw new DriverError(
        'refused',
        `${field}: ICMP type ${portMin} and code ${portMax} must be 0 to 255.`,
      );
    if (portMin === null)
      throw new DriverError('refused', `${field}: an ICMP code (${portMax}) needs a type.`);
    const family = protocol === 1 ? 'icmp' : 'icmpv6';
    return `${family} type ${portMin} ${portMax === null ? '' : `${family} code ${portMax} `}`;
  }
  if (!withPorts.has(protocol))
    throw new DriverError(
      'refused',
      `${field}: protocol ${protocol} has no ports, but a port range is given.`,
    );
  const [low, high] = [portMin ?? 0, portMax ?? 65535];
  if (low > high)
    throw new DriverError('refused', `${field}: portMin (${low}) must not be larger than portMax (${high}).`);
  return `th dport ${low === high ? low : `${low}-${high}`} `;
}

/** One rule as nft matches and `accept`. */
export function ruleText(rule: SecurityGroupRuleBody): string {
  const field = `Security group rule ${rule.id}`;
  const family = rule.ethertype === 'IPv4' ? 4 : 6;
  const ip = family === 4 ? 'ip' : 'ip6';
  const side = rule.direction === 'ingress' ? 'saddr' : 'daddr';
  // Neutron's "icmp" means ICMPv6 in an IPv6 rule.
  const protocol = rule.protocol === 1 && family === 6 ? 58 : rule.protocol;
  if (protocol === null && (rule.portMin !== null || rule.portMax !== null))
    throw new DriverError('refused', `${field}: a port range needs a protocol.`);
  let text = `meta nfproto ipv${family} `;
  if (protocol !== null) text += `meta l4proto ${protocol} ${portMatch(field, rule, protocol)}`;
  if (rule.remoteCidr !== null) {
    const remote = prefix(`${field}: remote prefix`, rule.remoteCidr, family);
    if (remote.length > 0) text += `${ip} ${side} ${remote.text} `;
  }
  if (rule.remoteGroupId !== null) text += `${ip} ${side} @${addressSet(rule.remoteGroupId, family)} `;
  return `${text}accept`;
}

/** The chain pair of one group, shared by its ports. `hash` comes back from the kernel after a restart. */
export function groupRules(groupId: string, body: SecurityGroupBody, hash: string): string {
  const state = body.stateful
    ? ['ct state vmap { established : accept, related : accept, invalid : drop }']
    : [];
  const rulesOf = (direction: 'ingress' | 'egress'): string[] => [
    ...state,
    ...new Set(body.rules.filter((rule) => rule.direction === direction).map(ruleText)),
    `return comment "${hash}"`,
  ];
  return (
    chain('inet', groupIngressChain(groupId), rulesOf('ingress')) +
    chain('inet', groupEgressChain(groupId), rulesOf('egress'))
  );
}

export const removeGroupRules = (groupId: string): string =>
  [groupIngressChain(groupId), groupEgressChain(groupId)]
    .map(
      (name) =>
        `add chain inet strata ${name}\nflush chain inet strata ${name}\ndelete chain inet strata ${name}\n`,
    )
    .join('');

/** The elements that an address group's set pair holds. */
export const addressGroupElements = (groupId: string, body: AddressGroupBody): string[] =>
  smallest(body.addresses.map((text) => prefix(`Address group ${groupId}: address`, text))).map(
    ({ text }) => text,
  );

/** From `before` to `after` by difference. */
export function addressGroupRules(
  groupId: string,
  before: ReadonlySet<string>,
  after: readonly string[],
): string {
  const wanted = new Set(after);
  const change = (verb: 'add' | 'delete', entries: string[]): string =>
    ([4, 6] as const)
      .map((family) => {
        const own = entries.filter((text) => text.includes(':') === (family === 6));
        return own.length === 0
          ? ''
          : `${verb} element inet strata ${addressSet(groupId, family)} ${set(own)}\n`;
      })
      .join('');
  return [
    `add set inet strata ${addressSet(groupId, 4)} { type ipv4_addr; flags interval; }\n`,
    `add set inet strata ${addressSet(groupId, 6)} { type ipv6_addr; flags interval; }\n`,
    change(
      'delete',
      [...before].filter((text) => !wanted.has(text)),
    ),
    change(
      'add',
      after.filter((text) => !before.has(text)),
    ),
  ].join('');
}

export const removeAddressGroupRules = (groupId: string): string =>
  ([4, 6] as const)
    .map((family) => {
      const name = addressSet(groupId, family);
      return `add set inet strata ${name} { type ipv${family}_addr; flags interval; }\ndelete set inet strata ${name}\n`;
    })
    .join('');
