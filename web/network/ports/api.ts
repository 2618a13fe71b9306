// Ports as the API gives them, and what can be done with them.
import { api } from '../../kit/api.ts';
import { listOf } from '../lists.ts';
import type { Query } from '../../kit/api.ts';

export type AddressPair = { ip_address: string; mac_address?: string };

export type Port = {
  id: string;
  name: string;
  project_id: string;
  network_id: string;
  mac_address: string;
  status: string;
  admin_state_up: boolean;
  device_id: string;
  device_owner: string;
  fixed_ips: { subnet_id: string; ip_address: string }[];
  security_groups: string[];
  port_security_enabled: boolean;
  allowed_address_pairs: AddressPair[];
};

export type PortBody = {
  name?: string;
  admin_state_up?: boolean;
  fixed_ips?: { subnet_id?: string; ip_address?: string }[];
  mac_address?: string;
  security_groups?: string[];
  port_security_enabled?: boolean;
  allowed_address_pairs?: AddressPair[];
};

export const portsQuery = (query: Query = {}) => listOf<Port>('ports', 'ports', 'ports', query);

export const createPort = (networkId: string, port: PortBody): Promise<void> =>
  api.post('/network/v2.0/ports', { port: { network_id: networkId, ...port } });

export const updatePort = (id: string, port: PortBody): Promise<void> =>
  api.put(`/network/v2.0/ports/${id}`, { port });

export const deletePort = (id: string): Promise<void> => api.delete(`/network/v2.0/ports/${id}`);
