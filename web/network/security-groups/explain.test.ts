// The words for rules of security groups, in both languages.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explanation } from './explain.ts';
import { isWideOpen, type RuleLike } from './meaning.ts';

const rule = (over: Partial<RuleLike>): RuleLike => ({
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
  security_group_id: 'g1',
  ...over,
});
const nameOf = (id: string): string => (id === 'g2' ? 'web' : '?');
const en = (over: Partial<RuleLike>): string => explanation.en.of(rule(over), nameOf);
const zh = (over: Partial<RuleLike>): string => explanation.zh.of(rule(over), nameOf);
const port = (first: number, last = first, protocol = 'tcp') => ({
  protocol,
  port_range_min: first,
  port_range_max: last,
});

describe('a rule in words', () => {
  it.each<[Partial<RuleLike>, string, string]>([
    [
      port(22),
      'Every IPv4 address may reach these servers on TCP port 22 (SSH).',
      '允许任意 IPv4 地址访问这些服务器的 TCP 22 端口（SSH）。',
    ],
    [
      { ...port(8000, 8100, 'udp'), remote_ip_prefix: '10.0.0.0/8' },
      'The network 10.0.0.0/8 may reach these servers on UDP ports 8000 to 8100.',
      '允许网段 10.0.0.0/8 访问这些服务器的 UDP 8000 至 8100 端口。',
    ],
    [
      { ...port(1, 65_535), remote_ip_prefix: '10.0.0.5/32' },
      '10.0.0.5 may reach these servers on every TCP port.',
      '允许 10.0.0.5 访问这些服务器的所有 TCP 端口。',
    ],
    [
      { remote_group_id: 'g1', ethertype: 'IPv6' },
      'Servers in this same group (IPv6) may reach these servers on every port, with every protocol.',
      '允许本安全组中的服务器（IPv6）访问这些服务器的所有协议的所有端口。',
    ],
    [
      { ...port(5432), remote_group_id: 'g2' },
      'Servers in the group web (IPv4) may reach these servers on TCP port 5432 (PostgreSQL).',
      '允许安全组 web 中的服务器（IPv4）访问这些服务器的 TCP 5432 端口（PostgreSQL）。',
    ],
    [
      { protocol: 'icmp' },
      'Every IPv4 address may reach these servers with every ICMP message (ping and others).',
      '允许任意 IPv4 地址向这些服务器发送所有 ICMP 消息（包括 ping）。',
    ],
    [
      { protocol: 'ipv6-icmp', ethertype: 'IPv6', port_range_min: 128 },
      'Every IPv6 address may reach these servers with ICMPv6 echo requests (ping).',
      '允许任意 IPv6 地址向这些服务器发送 ICMPv6 回显请求（ping）。',
    ],
    [
      { protocol: 'icmp', port_range_min: 3, port_range_max: 4, direction: 'egress' },
      'These servers may reach every IPv4 address with ICMP messages of type 3, code 4.',
      '允许这些服务器向任意 IPv4 地址发送类型为 3、代码为 4 的 ICMP 消息。',
    ],
    [
      { direction: 'egress', ethertype: 'IPv6' },
      'These servers may reach every IPv6 address on every port, with every protocol.',
      '允许这些服务器访问任意 IPv6 地址的所有协议的所有端口。',
    ],
    [
      { protocol: 'vrrp', remote_ip_prefix: '0.0.0.0/0' },
      'Every IPv4 address may reach these servers with the protocol vrrp.',
      '允许任意 IPv4 地址访问这些服务器的协议 vrrp。',
    ],
  ])('%o', (over, english, chinese) => {
    expect(en(over)).toBe(english);
    expect(zh(over)).toBe(chinese);
  });

  it('says the same of a rule by the name of its protocol and by its number', () => {
    expect(en({ ...port(80), protocol: '6' })).toBe(en(port(80)));
    expect(en({ protocol: '1' })).toBe(en({ protocol: 'icmp' }));
  });

  it('tells rules apart that let through different things', () => {
    const some = fc.record({
      direction: fc.constantFrom('ingress' as const, 'egress' as const),
      ethertype: fc.constantFrom('IPv4' as const, 'IPv6' as const),
      ports: fc.tuple(fc.integer({ min: 1, max: 400 }), fc.nat(3)),
      remote_group_id: fc.constantFrom(null, 'g1', 'g2'),
    });
    fc.assert(
      fc.property(some, some, ({ ports: a, ...one }, { ports: b, ...other }) => {
        const first = { ...one, ...port(a[0], a[0] + a[1]) };
        const second = { ...other, ...port(b[0], b[0] + b[1]) };
        const same = JSON.stringify(rule(first)) === JSON.stringify(rule(second));
        return (en(first) === en(second)) === same && (zh(first) === zh(second)) === same;
      }),
    );
  });
});

describe('a rule that is worth a second look', () => {
  it('lets everybody in to everything', () => {
    expect(isWideOpen(rule({}))).toBe(true);
    expect(isWideOpen(rule({ remote_ip_prefix: '0.0.0.0/0', ...port(1, 65_535) }))).toBe(true);
    expect(isWideOpen(rule(port(22)))).toBe(false);
    expect(isWideOpen(rule({ direction: 'egress' }))).toBe(false);
    expect(isWideOpen(rule({ remote_group_id: 'g1' }))).toBe(false);
  });
});
