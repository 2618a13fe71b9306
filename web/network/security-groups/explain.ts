// A rule of a security group in words. Pure.
import { texts } from '../../kit/language.tsx';
import { meaningOf, type Peer, type RuleLike, type Traffic } from './meaning.ts';

type NameOf = (groupId: string) => string;

const english = {
  peer(peer: Peer, version: 4 | 6, nameOf: NameOf): string {
    if (peer.kind === 'everyone') return `every IPv${version} address`;
    if (peer.kind === 'address') return peer.address;
    if (peer.kind === 'network') return `the network ${peer.cidr}`;
    return `${peer.own ? 'servers in this same group' : `servers in the group ${nameOf(peer.id)}`} (IPv${version})`;
  },
  traffic(traffic: Traffic): string {
    if (traffic.kind === 'everything') return 'on every port, with every protocol';
    if (traffic.kind === 'protocol') return `with the protocol ${traffic.protocol}`;
    if (traffic.kind === 'ports') {
      const { protocol, ports, service } = traffic;
      if (ports === null) return `on every ${protocol} port`;
      if (ports.first !== ports.last) return `on ${protocol} ports ${ports.first} to ${ports.last}`;
      return `on ${protocol} port ${ports.first}${service === null ? '' : ` (${service})`}`;
    }
    const name = traffic.version === 4 ? 'ICMP' : 'ICMPv6';
    if (traffic.ping) return `with ${name} echo requests (ping)`;
    if (traffic.type === null) return `with every ${name} message (ping and others)`;
    return `with ${name} messages of type ${traffic.type}${traffic.code === null ? '' : `, code ${traffic.code}`}`;
  },
};

const chinese = {
  peer(peer: Peer, version: 4 | 6, nameOf: NameOf): string {
    if (peer.kind === 'everyone') return `任意 IPv${version} 地址`;
    if (peer.kind === 'address') return peer.address;
    if (peer.kind === 'network') return `网段 ${peer.cidr}`;
    return `${peer.own ? '本安全组' : `安全组 ${nameOf(peer.id)}`}中的服务器（IPv${version}）`;
  },
  traffic(traffic: Traffic): string {
    if (traffic.kind === 'everything') return '所有协议的所有端口';
    if (traffic.kind === 'protocol') return `协议 ${traffic.protocol}`;
    if (traffic.kind === 'ports') {
      const { protocol, ports, service } = traffic;
      if (ports === null) return `所有 ${protocol} 端口`;
      if (ports.first !== ports.last) return `${protocol} ${ports.first} 至 ${ports.last} 端口`;
      return `${protocol} ${ports.first} 端口${service === null ? '' : `（${service}）`}`;
    }
    const name = traffic.version === 4 ? 'ICMP' : 'ICMPv6';
    if (traffic.ping) return `${name} 回显请求（ping）`;
    if (traffic.type === null) return `所有 ${name} 消息（包括 ping）`;
    return `类型为 ${traffic.type}${traffic.code === null ? '' : `、代码为 ${traffic.code}`} 的 ${name} 消息`;
  },
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A space stands between Chinese and Latin script. */
const spaced = (text: string): string =>
  text
    .replace(/(?<=\p{Script=Han})(?=[A-Za-z0-9])/gu, ' ')
    .replace(/(?<=[A-Za-z0-9])(?=\p{Script=Han})/gu, ' ');

/** `useText(explanation).of(rule, nameOf)`: one sentence. `nameOf` says how a group is called. */
export const explanation = texts(
  {
    of(rule: RuleLike, nameOf: NameOf): string {
      const { direction, version, peer, traffic } = meaningOf(rule);
      const who = english.peer(peer, version, nameOf);
      return direction === 'ingress'
        ? `${capital(who)} may reach these servers ${english.traffic(traffic)}.`
        : `These servers may reach ${who} ${english.traffic(traffic)}.`;
    },
  },
  {
    of(rule: RuleLike, nameOf: NameOf): string {
      const { direction, version, peer, traffic } = meaningOf(rule);
      const who = chinese.peer(peer, version, nameOf);
      const what = chinese.traffic(traffic);
      const sent = traffic.kind === 'icmp';
      if (direction === 'ingress')
        return spaced(sent ? `允许${who}向这些服务器发送${what}。` : `允许${who}访问这些服务器的${what}。`);
      return spaced(sent ? `允许这些服务器向${who}发送${what}。` : `允许这些服务器访问${who}的${what}。`);
    },
  },
);
