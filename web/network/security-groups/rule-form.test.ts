// The rules that the form of a rule means.
import { describe, expect, it } from 'vitest';
import { newRule, presets, rulesOf, type RuleValues } from './rule-form.ts';

const made = (over: Partial<RuleValues>) => rulesOf({ ...newRule, ...over });

describe('the form of a rule', () => {
  it('means SSH from everywhere over IPv4 where nothing was changed', () => {
    expect(made({})).toEqual([
      { direction: 'ingress', ethertype: 'IPv4', protocol: 'tcp', port_range_min: 22, port_range_max: 22 },
    ]);
  });

  it('makes a rule for each IP version, with the ICMP of that version', () => {
    expect(made({ preset: 'ping', versions: 'both' })).toMatchObject([
      { ethertype: 'IPv4', protocol: 'icmp', port_range_min: 8 },
      { ethertype: 'IPv6', protocol: 'ipv6-icmp', port_range_min: 128 },
    ]);
  });

  it('takes the IP version from a network or an address that was typed', () => {
    const six = made({ peer: 'network', cidr: ' fd00::/8 ', versions: 'IPv4' });
    expect(six).toMatchObject([{ ethertype: 'IPv6', remote_ip_prefix: 'fd00::/8' }]);
    expect(made({ peer: 'network', cidr: '10.0.0.5', versions: 'IPv6' })).toMatchObject([
      { ethertype: 'IPv4', remote_ip_prefix: '10.0.0.5' },
    ]);
  });

  it('takes custom ports, ranges of them, or all', () => {
    const custom = { preset: 'custom', protocol: 'udp' } as const;
    expect(made({ ...custom, ports: '53' })).toMatchObject([{ port_range_min: 53, port_range_max: 53 }]);
    expect(made({ ...custom, ports: '8000-8010' })).toMatchObject([
      { port_range_min: 8000, port_range_max: 8010 },
    ]);
    expect(made(custom)[0]).not.toHaveProperty('port_range_min');
    expect(made({ ...custom, protocol: 'other', other: ' vrrp ' })).toMatchObject([{ protocol: 'vrrp' }]);
  });

  it('forgets what was typed for another choice', () => {
    const [rule] = made({ peer: 'everyone', cidr: '10.0.0.0/8', groupId: 'g1', ports: '80', other: 'vrrp' });
    expect(rule).not.toHaveProperty('remote_ip_prefix');
    expect(rule).not.toHaveProperty('remote_group_id');
    expect(rule).toMatchObject({ protocol: 'tcp', port_range_min: 22 });
  });

  it('has a meaning for every preset', () => {
    for (const preset of presets) expect(made({ preset }), preset).toHaveLength(1);
  });
});
