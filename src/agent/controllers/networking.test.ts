// The networking controllers hand each body to the driver as this host is to have it.
import { expect, test } from 'vitest';
import type { NetworkBody } from '../../protocol/items.ts';
import { networkingControllers } from './networking.ts';

test('a network is without DHCP on the hosts that it names, and with DHCP on all others', async () => {
  const body: NetworkBody = {
    segment: 1,
    mtu: 1450,
    external: false,
    adminUp: true,
    noDhcpOn: ['host-1'],
    subnets: [
      {
        id: 'subnet-1',
        ipVersion: 4,
        cidr: '10.0.0.0/24',
        gatewayIp: '10.0.0.1',
        enableDhcp: true,
        dhcpIp: '10.0.0.2',
        dhcpMac: 'fa:16:3e:00:00:01',
        dnsNameservers: [],
        hostRoutes: [],
      },
    ],
  };
  const served = async (hostname: string): Promise<boolean | undefined> => {
    let given: NetworkBody | undefined;
    const driver = { ensureNetwork: async (_id: string, as: NetworkBody) => void (given = as) };
    const { network } = networkingControllers(driver as never, new Map(), hostname);
    await network.ensure({ kind: 'network', id: 'n', generation: 1, body }, {} as never);
    return given?.subnets[0]?.enableDhcp;
  };
  expect([await served('host-1'), await served('host-2')]).toEqual([false, true]);
});
