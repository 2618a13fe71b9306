// What a form of a subnet holds, and the request that it means. Pure.
import type { Ipv6Mode, Subnet, SubnetBody } from './api.ts';

export type SubnetValues = {
  subnetName?: string;
  version: 4 | 6;
  cidr: string;
  gateway: 'auto' | 'none' | 'own';
  gatewayIp?: string;
  dhcp: boolean;
  mode: Ipv6Mode | 'none';
  dns: string[];
  pools: { start?: string; end?: string }[];
  routes: { destination?: string; nexthop?: string }[];
};

export const newSubnet = (cidr: string): SubnetValues => ({
  version: 4,
  cidr,
  gateway: 'auto',
  dhcp: true,
  mode: 'slaac',
  dns: [],
  pools: [],
  routes: [],
});

export const valuesOf = (subnet: Subnet): SubnetValues => ({
  subnetName: subnet.name,
  version: subnet.ip_version,
  cidr: subnet.cidr,
  gateway: subnet.gateway_ip === null ? 'none' : 'own',
  ...(subnet.gateway_ip === null ? {} : { gatewayIp: subnet.gateway_ip }),
  dhcp: subnet.enable_dhcp,
  mode: subnet.ipv6_address_mode ?? 'none',
  dns: subnet.dns_nameservers,
  pools: subnet.allocation_pools,
  routes: subnet.host_routes,
});

const full = <A extends string, B extends string>(
  rows: readonly Partial<Record<A | B, string>>[],
  one: A,
  other: B,
): Record<A | B, string>[] =>
  rows.flatMap((row) => {
    const [a, b] = [row[one]?.trim() ?? '', row[other]?.trim() ?? ''];
    return a === '' && b === '' ? [] : [{ [one]: a, [other]: b } as Record<A | B, string>];
  });

const changeable = (values: SubnetValues): SubnetBody => ({
  name: values.subnetName?.trim() ?? '',
  dns_nameservers: values.dns.map((one) => one.trim()),
  host_routes: full(values.routes, 'destination', 'nexthop'),
  ...(values.gateway === 'auto'
    ? {}
    : { gateway_ip: values.gateway === 'none' ? null : (values.gatewayIp?.trim() ?? '') }),
});

/** Of a new subnet. IPv6 has no DHCP of its own switch: the mode says who gives addresses. */
export function createBody(values: SubnetValues): SubnetBody {
  const pools = full(values.pools, 'start', 'end');
  return {
    ...changeable(values),
    ip_version: values.version,
    cidr: values.cidr.trim(),
    ...(pools.length === 0 ? {} : { allocation_pools: pools }),
    ...(values.version === 4
      ? { enable_dhcp: values.dhcp }
      : values.mode === 'none'
        ? { enable_dhcp: false }
        : { enable_dhcp: true, ipv6_ra_mode: values.mode, ipv6_address_mode: values.mode }),
  };
}

/** Of a subnet that is there: what may still change of it. */
export const updateBody = (values: SubnetValues): SubnetBody => ({
  ...changeable(values),
  allocation_pools: full(values.pools, 'start', 'end'),
  ...(values.version === 4 ? { enable_dhcp: values.dhcp } : {}),
});
