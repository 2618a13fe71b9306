// What a guest's interface must look like: addresses, routes, DNS and MTU of one port, from the bodies alone.
// DHCP tells it to virtual machines; containers get it configured.
import type { NetworkBody, PortBody, SubnetBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import { address, contains, mac, prefix } from './addresses.ts';
import { metadataAddress } from './filter.ts';

export type Route = { destination: string; via: string };

export type SubnetConfig = {
  subnet: SubnetBody;
  prefixLength: number;
  /** In the order in which they are installed: the metadata route first, the default route last (RFC 3442: it belongs into option 121 too). */
  routes: Route[];
  dns: string[];
};

/** Checks every string of a subnet; what comes out is canonical and safe for configuration files. */
export function subnetConfig(subnet: SubnetBody): SubnetConfig {
  const field = `Subnet ${subnet.id}`;
  const family = subnet.ipVersion;
  const network = prefix(`${field}: cidr`, subnet.cidr, family);
  const routes: Route[] = [];
  if (subnet.dhcpMac !== null) mac(`${field}: DHCP MAC`, subnet.dhcpMac);
  if (subnet.dhcpIp !== null) {
    const dhcpIp = address(`${field}: DHCP address`, subnet.dhcpIp, family);
    if (!contains(network, prefix(field, dhcpIp)))
      throw new DriverError(
        'refused',
        `${field}: the DHCP address ${dhcpIp} must be inside ${network.text}.`,
      );
    if (family === 4) routes.push({ destination: `${metadataAddress}/32`, via: dhcpIp });
  }
  for (const route of subnet.hostRoutes) {
    const destination = prefix(`${field}: host route destination`, route.destination, family);
    routes.push({
      destination: destination.text.includes('/')
        ? destination.text
        : `${destination.text}/${destination.length}`,
      via: address(`${field}: host route next hop`, route.nexthop, family),
    });
  }
  if (subnet.gatewayIp !== null)
    routes.push({
      destination: family === 4 ? '0.0.0.0/0' : '::/0',
      via: address(`${field}: gateway`, subnet.gatewayIp, family),
    });
  return {
    subnet,
    prefixLength: network.length,
    routes,
    dns: subnet.dnsNameservers.map((ip) => address(`${field}: DNS server`, ip)),
  };
}

export type GuestConfig = { addresses: string[]; routes: Route[]; dns: string[]; mtu: number };

/** Throws 'refused' when the port names a subnet that its network does not have, or an address outside it. */
export function guestConfig(portId: string, port: PortBody, network: NetworkBody): GuestConfig {
  const addresses: string[] = [];
  mac(`Port ${portId}: MAC`, port.mac);
  const routes = new Map<string, Route>();
  const dns = new Set<string>();
  for (const { subnetId, ipAddress } of port.fixedIps) {
    const subnet = network.subnets.find(({ id }) => id === subnetId);
    if (subnet === undefined)
      throw new DriverError(
        'refused',
        `Port ${portId}: its fixed IP ${ipAddress} names the subnet ${subnetId}, which is not in network ${port.networkId}.`,
      );
    const own = address(`Port ${portId}: fixed IP`, ipAddress, subnet.ipVersion);
    if (!contains(prefix('cidr', subnet.cidr), prefix('fixed IP', own)))
      throw new DriverError(
        'refused',
        `Port ${portId}: its fixed IP ${own} must be inside ${subnet.cidr} of subnet ${subnetId}.`,
      );
    const config = subnetConfig(subnet);
    addresses.push(`${own}/${config.prefixLength}`);
    for (const route of config.routes)
      if (!routes.has(route.destination)) routes.set(route.destination, route);
    for (const ip of config.dns) dns.add(ip);
  }
  return { addresses, routes: [...routes.values()], dns: [...dns], mtu: network.mtu };
}

export const resolvConf = (dns: readonly string[]): string => dns.map((ip) => `nameserver ${ip}\n`).join('');

/** Subnets with a DHCP port: where metadata answers, whether or not DHCP does. */
export const servingSubnets = (network: NetworkBody): NetworkBody['subnets'] =>
  network.subnets.filter((subnet) => subnet.dhcpIp !== null);

/** IPv6 guests find metadata at a link-local address on each network with such a subnet. */
export const servesIpv6 = (network: NetworkBody): boolean =>
  servingSubnets(network).some(({ ipVersion }) => ipVersion === 6);

export const hasDhcpInterface = (network: NetworkBody): boolean => servingSubnets(network).length > 0;
