// What uses a port, by its device_owner (the API reference's names). Pure.
import type { Port } from './api.ts';

export type Owner = 'server' | 'router' | 'gateway' | 'dhcp' | 'floatingIp' | 'other' | 'nobody';

export function ownerOf({
  device_owner: owner,
  device_id: id,
}: Pick<Port, 'device_owner' | 'device_id'>): Owner {
  if (owner.startsWith('compute:')) return 'server';
  if (owner === 'network:router_gateway') return 'gateway';
  if (owner.startsWith('network:router') || owner === 'network:ha_router_replicated_interface')
    return 'router';
  if (owner === 'network:dhcp') return 'dhcp';
  if (owner === 'network:floatingip') return 'floatingIp';
  return owner === '' && id === '' ? 'nobody' : 'other';
}
