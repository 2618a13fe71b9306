// Subnets as the API gives them, and what can be done with them.
import { api } from '../../kit/api.ts';
import { listOf } from '../lists.ts';

export type Ipv6Mode = 'slaac' | 'dhcpv6-stateless' | 'dhcpv6-stateful';

export type Subnet = {
  id: string;
  name: string;
  description: string;
  project_id: string;
  network_id: string;
  ip_version: 4 | 6;
  cidr: string;
  gateway_ip: string | null;
  enable_dhcp: boolean;
  allocation_pools: { start: string; end: string }[];
  dns_nameservers: string[];
  host_routes: { destination: string; nexthop: string }[];
  ipv6_ra_mode: Ipv6Mode | null;
  ipv6_address_mode: Ipv6Mode | null;
};

/** `gateway_ip` absent: the first address; null: none. */
export type SubnetBody = Partial<
  Pick<
    Subnet,
    | 'name'
    | 'cidr'
    | 'ip_version'
    | 'gateway_ip'
    | 'enable_dhcp'
    | 'allocation_pools'
    | 'dns_nameservers'
    | 'host_routes'
    | 'ipv6_ra_mode'
    | 'ipv6_address_mode'
  >
>;

export const subnetsQuery = (networkId?: string) =>
  listOf<Subnet>('subnets', 'subnets', 'subnets', { network_id: networkId });

export const createSubnet = (networkId: string, subnet: SubnetBody): Promise<void> =>
  api.post('/network/v2.0/subnets', { subnet: { network_id: networkId, ...subnet } });

export const updateSubnet = (id: string, subnet: SubnetBody): Promise<void> =>
  api.put(`/network/v2.0/subnets/${id}`, { subnet });

export const deleteSubnet = (id: string): Promise<void> => api.delete(`/network/v2.0/subnets/${id}`);
