// Networks as the API gives them, and what can be done with them.
import { queryOptions } from '@tanstack/react-query';
import { all, api } from '../../kit/api.ts';
import { listOf, oneOf } from '../lists.ts';
import { createSubnet, type SubnetBody } from '../subnets/api.ts';

export type Network = {
  id: string;
  name: string;
  description: string;
  project_id: string;
  status: string;
  admin_state_up: boolean;
  shared: boolean;
  'router:external': boolean;
  port_security_enabled: boolean;
  /** Bytes. */
  mtu: number;
  subnets: string[];
  created_at: string;
  updated_at: string;
  /** These only for operators. */
  'provider:network_type'?: string;
  'provider:physical_network'?: string | null;
  'provider:segmentation_id'?: number | null;
};

export type NetworkBody = {
  name?: string;
  description?: string;
  admin_state_up?: boolean;
  port_security_enabled?: boolean;
  mtu?: number;
  /** These two only by operators. */
  shared?: boolean;
  'router:external'?: boolean;
};

export type Availability = {
  id: string;
  network_id: string;
  subnet_ip_availability: { ip_version: 4 | 6; total_ips: number; used_ips: number }[];
};

export const networksQuery = () => listOf<Network>('networks', 'networks', 'networks');
export const networkQuery = (id: string) => oneOf<Network>('networks', 'networks', 'network', id);

/** How many addresses of each network are in use; only operators may ask. */
export const availabilityQuery = () =>
  queryOptions({
    queryKey: ['ports', 'availability'],
    queryFn: ({ signal }) =>
      all<Availability>('/network/v2.0/network-ip-availabilities', 'network_ip_availabilities', {}, signal),
    staleTime: 15_000,
  });

/** A network and its first subnet; without the subnet there is no network either. */
export async function createNetwork(network: NetworkBody, subnet: SubnetBody | null): Promise<string> {
  const made = await api.post<{ network: Network }>('/network/v2.0/networks', { network });
  const { id } = made.network;
  if (subnet === null) return id;
  try {
    await createSubnet(id, subnet);
  } catch (error) {
    await deleteNetwork(id);
    throw error;
  }
  return id;
}

export const updateNetwork = (id: string, network: NetworkBody): Promise<void> =>
  api.put(`/network/v2.0/networks/${id}`, { network });

export const deleteNetwork = (id: string): Promise<void> => api.delete(`/network/v2.0/networks/${id}`);
