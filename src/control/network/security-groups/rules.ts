// What makes a security group rule valid, as Neutron judges it. Pure.
import { badRequest } from '../../../kernel/errors.ts';
import { bitsOf, parseAddress, parseCidr } from '../subnets/addressing.ts';

/** IP protocol numbers by the names that Neutron takes (IANA). */
const numbers: Readonly<Record<string, number>> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  icmp: 1,
  igmp: 2,
  ipip: 4,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-icmp': 58,
  icmpv6: 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
  ospf: 89,
  pgm: 113,
  rsvp: 46,
  sctp: 132,
  tcp: 6,
  udp: 17,
  udplite: 136,
  vrrp: 112,
  hopopt: 0,
};
const ICMP = 1;
const ICMPV6 = 58;
/** tcp, udp, dccp, sctp, udplite. */
const withPorts = new Set([6, 17, 33, 132, 136]);
const onlyIpv6 = new Set([41, 43, 44, 58, 59, 60]);

export type RuleInput = {
  direction: 'ingress' | 'egress';
  ethertype?: string | null;
  protocol?: string | number | null;
  port_range_min?: number | null;
  port_range_max?: number | null;
  remote_ip_prefix?: string | null;
  remote_group_id?: string | null;
};
export type Rule = {
  direction: 'ingress' | 'egress';
  ethertype: 'IPv4' | 'IPv6';
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  /** As it was given, where that has bits of a host: Neutron shows it so. null: as remote_ip_prefix. */
  given_prefix: string | null;
  remote_group_id: string | null;
};

/** null: any protocol. Undefined: not a protocol. */
export function protocolNumber(protocol: string | null): number | null | undefined {
  if (protocol === null || protocol === 'any') return null;
  const name = protocol.toLowerCase();
  if (Object.hasOwn(numbers, name)) return numbers[name];
  return /^\d{1,3}$/.test(name) && Number(name) <= 255 ? Number(name) : undefined;
}

function checkPorts(
  number: number | null,
  protocol: string | null,
  min: number | null,
  max: number | null,
): void {
  if (min === null && max === null) return;
  if (number === null)
    throw badRequest(
      'Must also specify protocol if port range is given.',
      'SecurityGroupProtocolRequiredWithPorts',
    );
  if (number === ICMP || number === ICMPV6) {
    for (const [value, field, name] of [
      [min, 'port_range_min', 'type'],
      [max, 'port_range_max', 'code'],
    ] as const)
      if (value !== null && (value < 0 || value > 255))
        throw badRequest(
          `Invalid value for ICMP ${name} (${field}) ${value}. It must be 0 to 255.`,
          'SecurityGroupInvalidIcmpValue',
        );
    if (min === null)
      throw badRequest(
        `ICMP code (port-range-max) ${max} is provided but ICMP type (port-range-min) is missing.`,
        'SecurityGroupMissingIcmpType',
      );
    return;
  }
  if (!withPorts.has(number))
    throw badRequest(
      `Invalid protocol ${protocol} for port range, only supported for TCP, UDP, UDPLITE, SCTP and DCCP.`,
      'SecurityGroupInvalidProtocolForPort',
    );
  for (const value of [min, max])
    if (value !== null && (value < 1 || value > 65535))
      throw badRequest(
        `Invalid value for port ${value}. It must be 1 to 65535.`,
        'SecurityGroupInvalidPortValue',
      );
  if (min === null || max === null || min > max)
    throw badRequest(
      'For TCP/UDP protocols, port_range_min must be <= port_range_max, and both must be given.',
      'SecurityGroupInvalidPortRange',
    );
}

/** The rule as it is kept; throws Neutron's 400 when it is not valid. */
export function normalizeRule(input: RuleInput): Rule {
  const wanted = input.ethertype ?? 'IPv4';
  const ethertype = ['IPv4', 'IPv6'].find((name) => name.toLowerCase() === wanted.toLowerCase()) as
    | 'IPv4'
    | 'IPv6'
    | undefined;
  if (ethertype === undefined)
    throw badRequest(
      `Security group rule for ethertype '${wanted}' not supported. Allowed values are IPv4 and IPv6.`,
      'SecurityGroupRuleInvalidEtherType',
    );
  const written =
    input.protocol === null ||
    input.protocol === undefined ||
    input.protocol === '' ||
    input.protocol === 'any'
      ? null
      : String(input.protocol).toLowerCase();
  const number = protocolNumber(written);
  if (number === undefined)
    throw badRequest(
      `Security group rule protocol ${written} not supported. Only protocol values [${Object.keys(numbers).join(', ')}] and integer representations [0 to 255] are supported.`,
      'SecurityGroupRuleInvalidProtocol',
    );
  if (number !== null && onlyIpv6.has(number) && ethertype === 'IPv4')
    throw badRequest(
      `Invalid ethertype ${ethertype} for protocol ${written}.`,
      'SecurityGroupEthertypeConflictWithProtocol',
    );
  // Neutron reads icmp in an IPv6 rule as ICMPv6.
  const [min, max] = [input.port_range_min ?? null, input.port_range_max ?? null];
  checkPorts(number, written, min, max);
  const remoteGroup = input.remote_group_id ?? null;
  let prefix = input.remote_ip_prefix === '' ? null : (input.remote_ip_prefix ?? null);
  let given: string | null = null;
  if (prefix !== null && remoteGroup !== null)
    throw badRequest(
      'Only remote_ip_prefix or remote_group_id may be provided.',
      'SecurityGroupRemoteGroupAndRemoteIpPrefix',
    );
  if (prefix !== null) {
    const address = parseAddress(prefix);
    const cidr = parseCidr(address === null ? prefix : `${prefix}/${bitsOf(address.version)}`);
    if (cidr === null) throw badRequest(`Invalid CIDR ${prefix} given as IP prefix.`, 'InvalidCIDR');
    if (`IPv${cidr.version}` !== ethertype)
      throw badRequest(
        `Conflicting value ethertype ${ethertype} for CIDR ${prefix}`,
        'SecurityGroupRuleParameterConflict',
      );
    if (address === null && prefix !== cidr.text) given = prefix;
    prefix = cidr.text;
  }
  return {
    direction: input.direction,
    ethertype,
    protocol: written,
    port_range_min: min,
    port_range_max: max,
    remote_ip_prefix: prefix,
    given_prefix: given,
    remote_group_id: remoteGroup,
  };
}

/** The protocol number that the hosts filter by: `icmp` in an IPv6 rule means ICMPv6. */
export function effectiveProtocol(rule: Pick<Rule, 'protocol' | 'ethertype'>): number | null {
  const number = protocolNumber(rule.protocol) ?? null;
  return number === ICMP && rule.ethertype === 'IPv6' ? ICMPV6 : number;
}

/** Equal for rules that allow the same: names and numbers of a protocol, a prefix of all and none. */
export function ruleDigest(rule: Rule): string {
  const anywhere = rule.remote_ip_prefix !== null && rule.remote_ip_prefix.endsWith('/0');
  return JSON.stringify([
    rule.direction,
    rule.ethertype,
    effectiveProtocol(rule),
    rule.port_range_min,
    rule.port_range_max,
    anywhere ? null : rule.remote_ip_prefix,
    rule.remote_group_id,
  ]);
}
