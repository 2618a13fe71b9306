// What the form of a rule holds, its presets, and the rules that it means. Pure.
import { cidrVersion, versionOf } from '../addresses.ts';
import { portRange } from '../floating-ips/targets.ts';
import type { RuleBody } from './api.ts';

export const presets = [
  'ssh',
  'http',
  'https',
  'rdp',
  'ping',
  'icmp',
  'tcp',
  'udp',
  'everything',
  'custom',
] as const;
export type Preset = (typeof presets)[number];

export const protocols = ['tcp', 'udp', 'icmp', 'any', 'other'] as const;

export type RuleValues = {
  direction: 'ingress' | 'egress';
  preset: Preset;
  /** Of a custom rule. */
  protocol: (typeof protocols)[number];
  /** Name or number of another protocol. */
  other?: string;
  /** '80' or '8000-8010'; empty: all. */
  ports?: string;
  icmpType?: number | null;
  icmpCode?: number | null;
  peer: 'everyone' | 'network' | 'group';
  /** Network or address; its version is that of the rule. */
  cidr?: string;
  groupId?: string;
  versions: 'IPv4' | 'IPv6' | 'both';
  description?: string;
};

export const newRule: RuleValues = {
  direction: 'ingress',
  preset: 'ssh',
  protocol: 'tcp',
  peer: 'everyone',
  versions: 'IPv4',
};

type Traffic = Pick<RuleBody, 'protocol' | 'port_range_min' | 'port_range_max'>;

const onPort = (port: number): Traffic => ({ protocol: 'tcp', port_range_min: port, port_range_max: port });

const icmpOf = (version: 'IPv4' | 'IPv6'): string => (version === 'IPv4' ? 'icmp' : 'ipv6-icmp');

function customTraffic(values: RuleValues, version: 'IPv4' | 'IPv6'): Traffic {
  if (values.protocol === 'any') return {};
  if (values.protocol === 'icmp')
    return {
      protocol: icmpOf(version),
      ...(values.icmpType === undefined || values.icmpType === null
        ? {}
        : { port_range_min: values.icmpType, port_range_max: values.icmpCode ?? null }),
    };
  if (values.protocol === 'other') return { protocol: values.other?.trim() ?? '' };
  const [first, last] = portRange(values.ports ?? '')?.split(':') ?? [];
  return {
    protocol: values.protocol,
    ...(first === undefined ? {} : { port_range_min: Number(first), port_range_max: Number(last ?? first) }),
  };
}

function trafficOf(values: RuleValues, version: 'IPv4' | 'IPv6'): Traffic {
  switch (values.preset) {
    case 'ssh':
      return onPort(22);
    case 'http':
      return onPort(80);
    case 'https':
      return onPort(443);
    case 'rdp':
      return onPort(3389);
    case 'ping':
      return { protocol: icmpOf(version), port_range_min: version === 'IPv4' ? 8 : 128, port_range_max: 0 };
    case 'icmp':
      return { protocol: icmpOf(version) };
    case 'tcp':
    case 'udp':
      return { protocol: values.preset };
    case 'everything':
      return {};
    case 'custom':
      return customTraffic(values, version);
  }
}

/** 4 or 6 of an address or a network; null: it is neither. */
export const prefixVersion = (text: string): 4 | 6 | null => versionOf(text) ?? cidrVersion(text);

/** One rule for each IP version that is meant. */
export function rulesOf(values: RuleValues): RuleBody[] {
  const prefix = values.peer === 'network' ? (values.cidr?.trim() ?? '') : '';
  const version = prefixVersion(prefix);
  const typed = version === 6 ? 'IPv6' : 'IPv4';
  const wanted = values.peer === 'network' ? typed : values.versions;
  const versions = wanted === 'both' ? (['IPv4', 'IPv6'] as const) : [wanted];
  return versions.map((ethertype) => ({
    direction: values.direction,
    ethertype,
    ...trafficOf(values, ethertype),
    ...(prefix === '' ? {} : { remote_ip_prefix: prefix }),
    ...(values.peer === 'group' && values.groupId !== undefined ? { remote_group_id: values.groupId } : {}),
    ...(values.description === undefined || values.description.trim() === ''
      ? {}
      : { description: values.description.trim() }),
  }));
}
