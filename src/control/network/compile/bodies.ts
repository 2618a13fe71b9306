// Rows to item bodies: what a host is told of a network, a port, a group and a router. Pure.
import type {
  AddressGroupBody,
  NetworkBody,
  PortBody,
  RouterBody,
  SecurityGroupBody,
  SubnetBody,
} from '../../../protocol/items.ts';
import type { PortForwardingRow } from '../port-forwardings/table.ts';
import type { NetworkRow } from '../networks/table.ts';
import { optionsOf } from '../ports/dhcp-options.ts';
import type { PortRow } from '../ports/table.ts';
import type { Limits } from '../qos/bindings.ts';
import { GATEWAY, type RouterAddress } from '../routers/ports.ts';
import type { RouterRow } from '../routers/table.ts';
import { effectiveProtocol } from '../security-groups/rules.ts';
import type { SecurityGroupRow, SecurityGroupRuleRow } from '../security-groups/table.ts';
import type { HostRoute } from '../subnets/rules.ts';
import type { SubnetRow } from '../subnets/table.ts';

const version = (value: number): 4 | 6 => (value === 4 ? 4 : 6);
const orNull = (text: string): string | null => (text === '' ? null : text);
const prefixOf = (cidr: string): string => cidr.slice(cidr.indexOf('/'));

type Ipv6Mode = NonNullable<SubnetBody['ipv6RaMode']>;
const modes = (
  subnet: Pick<SubnetRow, 'ipv6_ra_mode' | 'ipv6_address_mode'>,
): Pick<SubnetBody, 'ipv6RaMode' | 'ipv6AddressMode'> => ({
  ...(subnet.ipv6_ra_mode === '' ? {} : { ipv6RaMode: subnet.ipv6_ra_mode as Ipv6Mode }),
  ...(subnet.ipv6_address_mode === '' ? {} : { ipv6AddressMode: subnet.ipv6_address_mode as Ipv6Mode }),
});

export const networkBody = (
  row: NetworkRow,
  subnets: readonly SubnetRow[],
  dhcp: ReadonlyMap<string, { ip_address: string; mac_address: string }>,
  noDhcpOn: readonly string[],
): NetworkBody => ({
  segment: row.segment,
  mtu: row.mtu,
  external: row.external === 1,
  adminUp: row.admin_state_up === 1,
  subnets: subnets.map((subnet) => ({
    id: subnet.id,
    ipVersion: version(subnet.ip_version),
    cidr: subnet.cidr,
    gatewayIp: orNull(subnet.gateway_ip),
    enableDhcp: subnet.enable_dhcp === 1,
    dhcpIp: dhcp.get(subnet.id)?.ip_address ?? null,
    dhcpMac: dhcp.get(subnet.id)?.mac_address ?? null,
    dnsNameservers: JSON.parse(subnet.dns_nameservers) as string[],
    hostRoutes: JSON.parse(subnet.host_routes) as HostRoute[],
    ...modes(subnet),
  })),
  ...(noDhcpOn.length > 0 ? { noDhcpOn: [...noDhcpOn] } : {}),
});

export const portBody = (
  row: PortRow,
  fixedIps: readonly { subnet_id: string; ip_address: string }[],
  groups: readonly string[],
  limits: Limits = {},
): PortBody => ({
  networkId: row.network_id,
  mac: row.mac_address,
  fixedIps: fixedIps.map((one) => ({ subnetId: one.subnet_id, ipAddress: one.ip_address })),
  allowedAddressPairs: pairsOf(row).map((pair) => ({
    ipAddress: cidrOf(pair.ip_address),
    mac: pair.mac_address,
  })),
  portSecurity: row.port_security_enabled === 1,
  securityGroupIds: [...groups],
  adminUp: row.admin_state_up === 1,
  hostname: row.hostname,
  serverId: row.server_id,
  plug: row.plug === 'netns' ? 'netns' : 'tap',
  ...limits,
  ...(row.extra_dhcp_opts === '[]' ? {} : { dhcpOptions: optionsOf(row) }),
});

export const pairsOf = (row: {
  allowed_address_pairs: string;
}): { ip_address: string; mac_address: string }[] =>
  JSON.parse(row.allowed_address_pairs) as { ip_address: string; mac_address: string }[];
const cidrOf = (address: string): string =>
  address.includes('/') ? address : `${address}/${address.includes(':') ? 128 : 32}`;

export const securityGroupBody = (
  row: SecurityGroupRow,
  rules: readonly SecurityGroupRuleRow[],
): SecurityGroupBody => ({
  stateful: row.stateful === 1,
  rules: rules.map((rule) => ({
    id: rule.id,
    direction: rule.direction === 'egress' ? 'egress' : 'ingress',
    ethertype: rule.ethertype === 'IPv6' ? 'IPv6' : 'IPv4',
    protocol: effectiveProtocol({
      protocol: rule.protocol,
      ethertype: rule.ethertype === 'IPv6' ? 'IPv6' : 'IPv4',
    }),
    portMin: rule.port_range_min,
    portMax: rule.port_range_max,
    remoteCidr: rule.remote_ip_prefix,
    remoteGroupId: rule.remote_group_id,
  })),
});

/** Each address once, in a fixed order, so that an unchanged membership is an unchanged body. */
export const addressGroupBody = (addresses: readonly string[]): AddressGroupBody => ({
  addresses: [...new Set(addresses.map(cidrOf))].sort(),
});

export function routerBody(
  row: RouterRow,
  addresses: readonly RouterAddress[],
  floatingIps: readonly { id: string; floating_ip_address: string; fixed_ip_address: string | null }[],
  forwardings: readonly (PortForwardingRow & { floating_ip_address: string })[],
  limits: readonly ({ address: string } & Limits)[] = [],
): RouterBody {
  const ports = [...Map.groupBy(addresses, (one) => one.port_id).values()].map((ofPort) => {
    const first = ofPort[0] as RouterAddress;
    return {
      first,
      all: ofPort,
      body: {
        portId: first.port_id,
        networkId: first.network_id,
        mac: first.mac_address,
        addresses: ofPort.map((one) => `${one.ip_address}${prefixOf(one.cidr)}`),
      },
      advertise: ofPort.flatMap((one) =>
        one.ipv6_ra_mode === ''
          ? []
          : [
              {
                cidr: one.cidr,
                mode: one.ipv6_ra_mode as Ipv6Mode,
                dnsNameservers: (JSON.parse(one.dns_nameservers) as string[]).filter((ip) =>
                  ip.includes(':'),
                ),
              },
            ],
      ),
    };
  });
  const gateway = ports.find((port) => port.first.device_owner === GATEWAY);
  const nexthop =
    gateway?.all.find((one) => one.ip_version === 4 && one.gateway_ip !== '') ??
    gateway?.all.find((one) => one.gateway_ip !== '');
  const nexthop6 = gateway?.all.find((one) => one.ip_version === 6 && one.gateway_ip !== '');
  return {
    adminUp: row.admin_state_up === 1,
    interfaces: ports
      .filter((port) => port !== gateway)
      .map((port) => (port.advertise.length === 0 ? port.body : { ...port.body, advertise: port.advertise })),
    gateway:
      gateway === undefined
        ? null
        : {
            ...gateway.body,
            nexthop: nexthop?.gateway_ip ?? null,
            ...(nexthop?.ip_version === 4 && nexthop6 !== undefined ? { nexthop6: nexthop6.gateway_ip } : {}),
            snat: row.enable_snat === 1,
          },
    floatingIps: floatingIps.map((one) => ({
      id: one.id,
      floatingAddress: one.floating_ip_address,
      fixedAddress: one.fixed_ip_address ?? '',
    })),
    portForwardings: forwardings.map((one) => ({
      floatingIpId: one.floating_ip_id,
      floatingAddress: one.floating_ip_address,
      protocol: one.protocol === 'udp' ? 'udp' : 'tcp',
      externalFirst: one.external_first,
      externalLast: one.external_last,
      internalAddress: one.internal_ip_address,
      internalFirst: one.internal_first,
      internalLast: one.internal_last,
    })),
    ...(limits.length === 0
      ? {}
      : {
          // A mark is put where the guest sends, at its port.
          addressLimits: limits.map(({ dscpMark: _, ...limit }) => limit),
        }),
    routes: JSON.parse(row.routes) as HostRoute[],
  };
}
