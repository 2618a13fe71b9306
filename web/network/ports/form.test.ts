// What the form of a port sends.
import { describe, expect, it } from 'vitest';
import { createBody, newPort, updateBody } from './form.ts';
import { ownerOf } from './owner.ts';

describe('the form of a port', () => {
  it('leaves addresses and security groups to the cloud where nothing was chosen', () => {
    expect(createBody(newPort)).toEqual({
      name: '',
      admin_state_up: true,
      port_security_enabled: true,
      allowed_address_pairs: [],
    });
  });

  it('takes groups and pairs from a port that loses its port security, as the API demands', () => {
    const open = updateBody({
      ...newPort,
      security: false,
      groups: ['g1'],
      pairs: [{ ip_address: '10.0.0.9' }],
    });
    expect(open).toMatchObject({
      port_security_enabled: false,
      security_groups: [],
      allowed_address_pairs: [],
    });
  });

  it('sends a chosen address with or without its subnet', () => {
    expect(createBody({ ...newPort, address: ' 10.0.0.9 ' }).fixed_ips).toEqual([{ ip_address: '10.0.0.9' }]);
    expect(createBody({ ...newPort, subnetId: 's1' }).fixed_ips).toEqual([{ subnet_id: 's1' }]);
  });

  it('leaves out pairs that were added and not filled in, and the MAC where there is none', () => {
    const pairs = [{}, { ip_address: '10.0.0.9', mac_address: '' }];
    expect(createBody({ ...newPort, pairs }).allowed_address_pairs).toEqual([{ ip_address: '10.0.0.9' }]);
  });
});

describe('who uses a port', () => {
  it.each([
    ['compute:nova', 'x', 'server'],
    ['network:router_interface', 'x', 'router'],
    ['network:router_gateway', 'x', 'gateway'],
    ['network:dhcp', 'x', 'dhcp'],
    ['network:floatingip', 'x', 'floatingIp'],
    ['trunk:subport', 'x', 'other'],
    ['', '', 'nobody'],
    ['', 'x', 'other'],
  ])('%s of device %s: %s', (device_owner, device_id, owner) => {
    expect(ownerOf({ device_owner, device_id })).toBe(owner);
  });
});
