// Where a floating IP may lead to.
import { describe, expect, it } from 'vitest';
import type { Port } from '../ports/api.ts';
import { portRange, targetsOf } from './targets.ts';

const port = (id: string, owner: string, device: string, ...ips: [subnet: string, ip: string][]): Port => ({
  id,
  name: '',
  project_id: 'p1',
  network_id: 'n1',
  mac_address: '',
  status: 'ACTIVE',
  admin_state_up: true,
  device_id: device,
  device_owner: owner,
  fixed_ips: ips.map(([subnet_id, ip_address]) => ({ subnet_id, ip_address })),
  security_groups: [],
  port_security_enabled: true,
  allowed_address_pairs: [],
});
const routers = [
  { id: 'r1', external_gateway_info: { network_id: 'public' } },
  { id: 'r2', external_gateway_info: { network_id: 'other' } },
  { id: 'r3', external_gateway_info: null },
];

describe('what a floating IP can lead to', () => {
  const ports = [
    port('far', 'compute:nova', 's2', ['lonely', '10.2.0.5']),
    port('near', 'compute:nova', 's1', ['front', '10.1.0.5'], ['front6', 'fd00::5']),
    port('i1', 'network:router_interface', 'r1', ['front', '10.1.0.1']),
    port('i2', 'network:router_interface', 'r2', ['lonely', '10.2.0.1']),
    port('dhcp', 'network:dhcp', 'x', ['front', '10.1.0.2']),
  ];

  it('is every IPv4 address of a server, those behind a router of its network first', () => {
    expect(targetsOf('public', ports, routers).map(({ key, reachable }) => [key, reachable])).toEqual([
      ['near 10.1.0.5', true],
      ['far 10.2.0.5', false],
    ]);
    expect(targetsOf('other', ports, routers).find(({ reachable }) => reachable)?.portId).toBe('far');
  });
});

describe('ports in a form', () => {
  it.each([
    ['80', '80'],
    [' 8000 - 8080 ', '8000:8080'],
    ['8000:8080', '8000:8080'],
    ['5-5', '5'],
  ])('%s means %s', (text, range) => expect(portRange(text)).toBe(range));

  it.each(['', '0', '65536', '9-8', 'http', '1-2-3', '-5'])('%j is refused', (text) =>
    expect(portRange(text)).toBeNull(),
  );
});
