// The files of one network's dnsmasq, from bodies alone. Everything in them passed an allow-list: addresses
// and MACs are canonical, a hostname that is not a DNS label is left out.
import type { NetworkBody, PortBody, SubnetBody } from '../../../../protocol/items.ts';
import { address, netmask, prefix } from './addresses.ts';
import { subnetConfig } from './guest-config.ts';
import { dhcpInterface, short } from './names.ts';

export type DhcpFiles = {
  pid: string;
  config: string;
  hosts: string;
  options: string;
  /** Of single ports: the MACs that carry a tag, and the options of these tags. */
  portMacs: string;
  portOptions: string;
};

export const dhcpFiles = (runDir: string, networkId: string): DhcpFiles => {
  const dir = `${runDir}/dhcp/${short(networkId)}`;
  return {
    pid: `${dir}/pid`,
    config: `${dir}/dnsmasq.conf`,
    hosts: `${dir}/hosts`,
    options: `${dir}/options`,
    portMacs: `${dir}/port-macs`,
    portOptions: `${dir}/port-options`,
  };
};

/**
 * Guests get their addresses of it by DHCP: IPv4, and IPv6 in the stateful mode, which is also what a subnet without
 * modes gets (as in Neutron). Where they form their own, DHCPv6 tells at most the rest ('dhcpv6-stateless').
 */
const leased = (subnet: SubnetBody): boolean =>
  subnet.ipVersion === 4 ||
  subnet.ipv6AddressMode === 'dhcpv6-stateful' ||
  (subnet.ipv6AddressMode === undefined && subnet.ipv6RaMode === undefined);

/** Subnets that DHCP or DHCPv6 serves here. */
export const servedSubnets = (network: NetworkBody): NetworkBody['subnets'] =>
  network.subnets.filter(
    (subnet) =>
      subnet.enableDhcp &&
      subnet.dhcpIp !== null &&
      (leased(subnet) || subnet.ipv6AddressMode === 'dhcpv6-stateless'),
  );

const tagOf = (subnetId: string): string => `s${short(subnetId)}`;
/** Seconds. Leases are static; this is how soon guests learn of changed options. */
const leaseSeconds = 86_400;

/** Changes only with the subnets' ranges: then dnsmasq restarts. All else is re-read on SIGHUP. */
export function dnsmasqConfig(network: NetworkBody, files: DhcpFiles): string {
  const ranges = servedSubnets(network).map((subnet) => {
    const range = prefix(`Subnet ${subnet.id}: cidr`, subnet.cidr, subnet.ipVersion);
    const first = range.text.split('/')[0] ?? '';
    const mask = subnet.ipVersion === 4 ? netmask(range.length) : `${range.length}`;
    return `dhcp-range=set:${tagOf(subnet.id)},${first},static,${mask},${leaseSeconds}`;
  });
  return [
    'port=0',
    'no-resolv',
    'no-hosts',
    'no-ping',
    `interface=${dhcpInterface}`,
    'except-interface=lo',
    'bind-interfaces',
    'dhcp-authoritative',
    'dhcp-ignore-clid',
    'leasefile-ro',
    'dhcp-lease-max=65536',
    'quiet-dhcp',
    'quiet-dhcp6',
    'log-facility=/dev/null',
    'user=nobody',
    'group=nogroup',
    `pid-file=${files.pid}`,
    `dhcp-hostsfile=${files.hosts}`,
    `dhcp-optsfile=${files.options}`,
    // Read after those of the network: what a port has of its own takes precedence.
    `dhcp-optsfile=${files.portOptions}`,
    `conf-file=${files.portMacs}`,
    ...ranges,
    '',
  ].join('\n');
}

export function dhcpOptions(network: NetworkBody): string {
  return servedSubnets(network)
    .flatMap((subnet) => {
      const { routes, dns } = subnetConfig(subnet);
      const tag = `tag:${tagOf(subnet.id)}`;
      if (subnet.ipVersion === 6) {
        const servers6 = dns.filter((ip) => ip.includes(':')).map((ip) => `,[${ip}]`);
        return servers6.length === 0 ? [] : [`${tag},option6:dns-server${servers6.join('')}`];
      }
      const servers = dns.filter((ip) => !ip.includes(':'));
      const gateway = subnet.gatewayIp === null ? '' : `,${address('gateway', subnet.gatewayIp, 4)}`;
      return [
        // An option without a value keeps dnsmasq from naming itself.
        `${tag},option:router${gateway}`,
        `${tag},option:dns-server${servers.map((ip) => `,${ip}`).join('')}`,
        `${tag},option:mtu,${network.mtu}`,
        ...(routes.length === 0
          ? []
          : [
              `${tag},option:classless-static-route,${routes.map(({ destination, via }) => `${destination},${via}`).join(',')}`,
            ]),
      ];
    })
    .map((line) => `${line}\n`)
    .join('');
}

const label = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** `ip` '' : no IPv4 address. */
export type DhcpHost = { mac: string; ip: string; ip6: string[]; hostname: string };

/** The entry of a port; null: DHCP has no address for it. */
export function dhcpHost(port: PortBody, network: NetworkBody): DhcpHost | null {
  const served = new Map(servedSubnets(network).map((subnet) => [subnet.id, subnet]));
  const own = port.fixedIps.flatMap(({ subnetId, ipAddress }) => {
    const subnet = served.get(subnetId);
    return subnet !== undefined && leased(subnet)
      ? [{ family: subnet.ipVersion, ip: address('fixed IP', ipAddress, subnet.ipVersion) }]
      : [];
  });
  if (own.length === 0) return null;
  // The domain of a full name belongs to DNS; a label that is none would make dnsmasq refuse the whole line.
  const first = port.hostname.split('.')[0] ?? '';
  return {
    mac: port.mac,
    ip: own.find(({ family }) => family === 4)?.ip ?? '',
    ip6: own.filter(({ family }) => family === 6).map(({ ip }) => ip),
    hostname: label.test(first) ? first : '',
  };
}

/**
 * One line a port, keyed by MAC only. The comment carries the port, so that the file is its own index after a restart.
 * Never a `set:` tag here: on SIGHUP dnsmasq (2.86 to 2.90) frees the tags of a host that it has served and crashes.
 */
export const hostLine = (portShort: string, host: DhcpHost): string =>
  `${[host.mac, host.ip, ...host.ip6.map((ip) => `[${ip}]`), host.hostname].filter((part) => part !== '').join()} # ${portShort}`;

export function parseHosts(content: string): Map<string, DhcpHost> {
  const hosts = new Map<string, DhcpHost>();
  for (const line of content.split('\n')) {
    const [entry = '', portShort = ''] = line.split(' # ');
    const [mac = '', ...rest] = entry.split(',');
    const ip = rest.find((part) => /^\d+\.\d+\.\d+\.\d+$/.test(part)) ?? '';
    const ip6 = rest.filter((part) => part.startsWith('[')).map((part) => part.slice(1, -1));
    const hostname = rest.find((part) => part !== ip && !part.startsWith('[')) ?? '';
    if (portShort !== '' && (ip !== '' || ip6.length > 0)) hosts.set(portShort, { mac, ip, ip6, hostname });
  }
  return hosts;
}
