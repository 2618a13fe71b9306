// What the form of a subnet sends.
import { describe, expect, it } from 'vitest';
import type { Subnet } from './api.ts';
import { createBody, newSubnet, updateBody, valuesOf } from './form.ts';

const subnet: Subnet = {
  id: 's1',
  name: 'front',
  description: '',
  project_id: 'p1',
  network_id: 'n1',
  ip_version: 4,
  cidr: '10.0.1.0/24',
  gateway_ip: '10.0.1.1',
  enable_dhcp: true,
  allocation_pools: [{ start: '10.0.1.2', end: '10.0.1.254' }],
  dns_nameservers: ['9.9.9.9'],
  host_routes: [],
  ipv6_ra_mode: null,
  ipv6_address_mode: null,
};

describe('the form of a subnet', () => {
  it('leaves to the cloud what its user left as proposed', () => {
    expect(createBody(newSubnet('10.0.1.0/24'))).toEqual({
      name: '',
      ip_version: 4,
      cidr: '10.0.1.0/24',
      enable_dhcp: true,
      dns_nameservers: [],
      host_routes: [],
    });
  });

  it('sets both modes of IPv6, or none', () => {
    const six = { ...newSubnet('fd00::/64'), version: 6 as const };
    expect(createBody(six)).toMatchObject({ ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' });
    const none = createBody({ ...six, mode: 'none' });
    expect(none).toMatchObject({ enable_dhcp: false });
    expect(none).not.toHaveProperty('ipv6_ra_mode');
  });

  it('tells no gateway from the first address', () => {
    expect(createBody(newSubnet('10.0.1.0/24'))).not.toHaveProperty('gateway_ip');
    expect(createBody({ ...newSubnet('10.0.1.0/24'), gateway: 'none' })).toMatchObject({ gateway_ip: null });
  });

  it('sends half of a pool, so that the cloud says what is wrong with it, and no empty one', () => {
    const values = { ...newSubnet('10.0.1.0/24'), pools: [{}, { start: '10.0.1.9' }] };
    expect(createBody(values).allocation_pools).toEqual([{ start: '10.0.1.9', end: '' }]);
  });

  it('changes nothing of a subnet that was opened and saved', () => {
    const { name, gateway_ip, enable_dhcp, allocation_pools, dns_nameservers, host_routes } = subnet;
    expect(updateBody(valuesOf(subnet))).toEqual({
      name,
      gateway_ip,
      enable_dhcp,
      allocation_pools,
      dns_nameservers,
      host_routes,
    });
  });
});
