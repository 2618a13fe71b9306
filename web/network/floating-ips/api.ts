// Floating IPs and their port forwardings as the API gives them, and what can be done with them.
import { api } from '../../kit/api.ts';
import { listOf } from '../lists.ts';

export type PortForwarding = {
  id: string;
  protocol: string;
  internal_port_id: string;
  internal_ip_address: string;
  /** '80' or '80:90' */
  external_port_range: string;
  internal_port_range: string;
};

export type FloatingIp = {
  id: string;
  description: string;
  project_id: string;
  status: string;
  floating_network_id: string;
  floating_ip_address: string;
  /** null: not associated. */
  fixed_ip_address: string | null;
  port_id: string | null;
  router_id: string | null;
  port_forwardings: PortForwarding[];
  created_at: string;
};

export type PortForwardingBody = {
  protocol: 'tcp' | 'udp';
  internal_port_id: string;
  internal_ip_address: string;
  external_port_range: string;
  internal_port_range: string;
};

export const floatingIpsQuery = () => listOf<FloatingIp>('floating-ips', 'floatingips', 'floatingips');

export const allocate = (floating: {
  floating_network_id: string;
  floating_ip_address?: string;
  description?: string;
  port_id?: string;
  fixed_ip_address?: string;
}): Promise<void> => api.post('/network/v2.0/floatingips', { floatingip: floating });

export const associate = (id: string, portId: string, fixedIp: string): Promise<void> =>
  api.put(`/network/v2.0/floatingips/${id}`, {
    floatingip: { port_id: portId, fixed_ip_address: fixedIp },
  });

export const disassociate = (id: string): Promise<void> =>
  api.put(`/network/v2.0/floatingips/${id}`, { floatingip: { port_id: null } });

export const release = (id: string): Promise<void> => api.delete(`/network/v2.0/floatingips/${id}`);

export const addForwarding = (id: string, forwarding: PortForwardingBody): Promise<void> =>
  api.post(`/network/v2.0/floatingips/${id}/port_forwardings`, { port_forwarding: forwarding });

export const removeForwarding = (id: string, forwardingId: string): Promise<void> =>
  api.delete(`/network/v2.0/floatingips/${id}/port_forwardings/${forwardingId}`);
