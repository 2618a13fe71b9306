// What a rule of a security group means, apart from any language. Pure.
import type { Rule } from './api.ts';

export type Peer =
  /** Every address of the rule's IP version. */
  | { kind: 'everyone' }
  | { kind: 'address'; address: string }
  | { kind: 'network'; cidr: string }
  /** `own`: the group that the rule belongs to. */
  | { kind: 'group'; id: string; own: boolean };

export type Traffic =
  | { kind: 'everything' }
  | {
      kind: 'ports';
      /** e.g. 'TCP' */
      protocol: string;
      /** null: all. */
      ports: { first: number; last: number } | null;
      /** e.g. 'SSH' */
      service: string | null;
    }
  | { kind: 'icmp'; version: 4 | 6; type: number | null; code: number | null; ping: boolean }
  | { kind: 'protocol'; protocol: string };

export type Meaning = { direction: Rule['direction']; version: 4 | 6; peer: Peer; traffic: Traffic };

/** What can be judged of a rule that is not sent yet, too. */
export type RuleLike = Pick<
  Rule,
  | 'direction'
  | 'ethertype'
  | 'protocol'
  | 'port_range_min'
  | 'port_range_max'
  | 'remote_ip_prefix'
  | 'remote_group_id'
> & { security_group_id: string };

// https://www.iana.org/assignments/service-names-port-numbers
const services: Readonly<Record<string, string>> = {
  'TCP 22': 'SSH',
  'TCP 25': 'SMTP',
  'TCP 53': 'DNS',
  'UDP 53': 'DNS',
  'UDP 67': 'DHCP',
  'TCP 80': 'HTTP',
  'UDP 123': 'NTP',
  'TCP 443': 'HTTPS',
  'UDP 443': 'HTTP/3',
  'TCP 3306': 'MySQL',
  'TCP 3389': 'RDP',
  'TCP 5432': 'PostgreSQL',
  'TCP 6379': 'Redis',
  'TCP 6443': 'Kubernetes API',
};

const portNames: Readonly<Record<string, string>> = {
  tcp: 'TCP',
  '6': 'TCP',
  udp: 'UDP',
  '17': 'UDP',
  sctp: 'SCTP',
  '132': 'SCTP',
  dccp: 'DCCP',
  '33': 'DCCP',
  udplite: 'UDPLite',
  '136': 'UDPLite',
};

function trafficOf({ protocol, port_range_min: min, port_range_max: max, ethertype }: RuleLike): Traffic {
  const name = protocol?.toLowerCase() ?? 'any';
  if (name === 'any' || name === '') return { kind: 'everything' };
  // Neutron reads icmp in a rule of IPv6 as ICMPv6.
  if (['icmp', '1', 'icmpv6', 'ipv6-icmp', '58'].includes(name)) {
    const version = ethertype === 'IPv6' ? 6 : 4;
    return { kind: 'icmp', version, type: min, code: max, ping: min === (version === 4 ? 8 : 128) };
  }
  const shown = portNames[name];
  if (shown === undefined) return { kind: 'protocol', protocol: name };
  // Without ports, or with all of them, it is the same.
  const ports =
    min === null || max === null || (min === 1 && max === 65_535) ? null : { first: min, last: max };
  const service = ports !== null && ports.first === ports.last ? services[`${shown} ${ports.first}`] : null;
  return { kind: 'ports', protocol: shown, ports, service: service ?? null };
}

function peerOf(rule: RuleLike): Peer {
  const { remote_group_id: group, remote_ip_prefix: prefix, ethertype } = rule;
  if (group !== null) return { kind: 'group', id: group, own: group === rule.security_group_id };
  if (prefix === null || prefix.endsWith('/0')) return { kind: 'everyone' };
  const [address = '', length] = prefix.split('/');
  const single = length === undefined || length === (ethertype === 'IPv4' ? '32' : '128');
  return single ? { kind: 'address', address } : { kind: 'network', cidr: prefix };
}

export const meaningOf = (rule: RuleLike): Meaning => ({
  direction: rule.direction,
  version: rule.ethertype === 'IPv6' ? 6 : 4,
  peer: peerOf(rule),
  traffic: trafficOf(rule),
});

/** Lets everybody in to everything, or to all ports of a protocol: worth a second look. */
export function isWideOpen(rule: RuleLike): boolean {
  const { direction, peer, traffic } = meaningOf(rule);
  return (
    direction === 'ingress' &&
    peer.kind === 'everyone' &&
    (traffic.kind === 'everything' || (traffic.kind === 'ports' && traffic.ports === null))
  );
}
