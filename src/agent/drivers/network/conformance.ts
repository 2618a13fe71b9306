// What every network driver must do, run against the simulation and against the kernel alike: so that a test of
// the cloud on simulated hosts says something about real ones.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type {
  NetworkBody,
  PortBody,
  RouterBody,
  SecurityGroupRuleBody,
  SubnetBody,
} from '../../../protocol/items.ts';
import { DriverError } from '../errors.ts';
import type { NetworkDriver } from './driver.ts';

export const subnetBody = (over: Partial<SubnetBody> = {}): SubnetBody => ({
  id: 'subnet-1',
  ipVersion: 4,
  cidr: '10.20.0.0/24',
  gatewayIp: '10.20.0.1',
  enableDhcp: true,
  dhcpIp: '10.20.0.2',
  dhcpMac: 'fa:16:3e:00:00:02',
  dnsNameservers: ['192.0.2.53'],
  hostRoutes: [],
  ...over,
});

export const networkBody = (over: Partial<NetworkBody> = {}): NetworkBody => ({
  segment: 7,
  mtu: 1450,
  external: false,
  adminUp: true,
  subnets: [subnetBody()],
  ...over,
});

/** Port number n of `network-1`: address .1n, server `server-n`. */
export const portBody = (n: number, over: Partial<PortBody> = {}): PortBody => ({
  networkId: 'network-1',
  mac: `fa:16:3e:00:01:${n.toString(16).padStart(2, '0')}`,
  fixedIps: [{ subnetId: 'subnet-1', ipAddress: `10.20.0.${10 + n}` }],
  allowedAddressPairs: [],
  portSecurity: true,
  securityGroupIds: ['group-1'],
  adminUp: true,
  hostname: `host-${n}`,
  serverId: `server-${n}`,
  plug: 'netns',
  ...over,
});

export const ruleBody = (id: string, over: Partial<SecurityGroupRuleBody> = {}): SecurityGroupRuleBody => ({
  id,
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  portMin: null,
  portMax: null,
  remoteCidr: null,
  remoteGroupId: null,
  ...over,
});

/** What Neutron puts into a new group. */
export const egressRules: SecurityGroupRuleBody[] = [
  ruleBody('egress-4', { direction: 'egress' }),
  ruleBody('egress-6', { direction: 'egress', ethertype: 'IPv6' }),
];

export const routerBody = (over: Partial<RouterBody> = {}): RouterBody => ({
  adminUp: true,
  interfaces: [
    {
      portId: 'router-port-1',
      networkId: 'network-1',
      mac: 'fa:16:3e:00:02:01',
      addresses: ['10.20.0.1/24'],
    },
  ],
  gateway: null,
  floatingIps: [],
  routes: [],
  ...over,
});

const nothing = { networks: [], ports: [], routers: [], securityGroups: [], addressGroups: [] };

/** `make` gives a fresh host; `driver()` a driver on it, as after a restart of the agent; `dispose` removes all. */
export function networkDriverConformance(
  name: string,
  make: () => Promise<{ driver(): NetworkDriver; dispose(): Promise<void> }>,
): void {
  describe(`${name} keeps the contract of network drivers`, () => {
    let host: Awaited<ReturnType<typeof make>>;
    let driver: NetworkDriver;
    beforeEach(async () => {
      host = await make();
      driver = host.driver();
      await driver.start(() => null);
    });
    afterEach(async () => {
      await driver.close();
      await host.dispose();
    });

    const build = async (): Promise<void> => {
      await driver.ensureNetwork('network-1', networkBody());
      await driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.11/32'] });
      await driver.ensureSecurityGroup('group-1', {
        stateful: true,
        rules: [...egressRules, ruleBody('in', { remoteGroupId: 'group-1' })],
      });
      await driver.ensureRouter('router-1', routerBody());
      await driver.ensurePort('port-1', portBody(1));
      await driver.ensurePort('port-2', portBody(2, { plug: 'tap' }));
    };
    const all = {
      networks: ['network-1'],
      ports: ['port-1', 'port-2'],
      routers: ['router-1'],
      securityGroups: ['group-1'],
      addressGroups: ['group-1'],
    };

    test('what was ensured is observed, by this driver and by the next one after a crash, and goes away in the reverse order', async () => {
      expect(await driver.observe()).toEqual(nothing);
      await build();
      expect(await driver.observe()).toEqual(all);
      driver = host.driver(); // the old one is not closed: it crashed
      await driver.start(() => null);
      expect(await driver.observe()).toEqual(all);
      await build();
      expect(await driver.observe()).toEqual(all);
      await driver.removePort('port-1');
      await driver.removePort('port-2');
      await driver.removeRouter('router-1');
      await driver.removeSecurityGroup('group-1');
      await driver.removeAddressGroup('group-1');
      await driver.removeNetwork('network-1');
      expect(await driver.observe()).toEqual(nothing);
    });

    test('a driver that was told nothing since its start removes what an earlier one left', async () => {
      await build();
      driver = host.driver();
      await driver.start(() => null);
      await driver.removePort('port-1');
      await driver.removePort('port-2');
      await driver.removeRouter('router-1');
      await driver.removeSecurityGroup('group-1');
      await driver.removeAddressGroup('group-1');
      await driver.removeNetwork('network-1');
      expect(await driver.observe()).toEqual(nothing);
    });

    test('a plugged port says how: the same on every call, a tap for a virtual machine, one namespace for all ports of a container', async () => {
      await build();
      const one = await driver.ensurePort('port-1', portBody(1));
      expect(await driver.ensurePort('port-1', portBody(1))).toEqual(one);
      expect(one).toMatchObject({ portId: 'port-1', mac: portBody(1).mac, mtu: 1450, plug: 'netns' });
      const second = await driver.ensurePort('port-3', portBody(3, { serverId: 'server-1' }));
      expect(second).toMatchObject({ plug: 'netns', netns: (one as { netns: string }).netns });
      expect(await driver.ensurePort('port-2', portBody(2, { plug: 'tap' }))).toMatchObject({
        plug: 'tap',
        device: expect.any(String),
        netns: expect.any(String),
      });
    });

    test('removing what is not there is no error', async () => {
      await driver.removePort('nobody');
      await driver.removeRouter('nobody');
      await driver.removeSecurityGroup('nobody');
      await driver.removeAddressGroup('nobody');
      await driver.removeNetwork('nobody');
    });

    test('a port waits for its network and its groups, and says which is missing', async () => {
      await expect(driver.ensurePort('port-1', portBody(1))).rejects.toThrow(/network network-1/);
      await driver.ensureNetwork('network-1', networkBody());
      await expect(driver.ensurePort('port-1', portBody(1))).rejects.toThrow(/security group group-1/);
      await expect(driver.ensurePort('port-1', portBody(1))).rejects.toBeInstanceOf(DriverError);
      expect((await driver.observe()).ports).toEqual([]);
    });

    test('what is still used is not removed', async () => {
      await build();
      await expect(driver.removeNetwork('network-1')).rejects.toBeInstanceOf(DriverError);
      await expect(driver.removeSecurityGroup('group-1')).rejects.toBeInstanceOf(DriverError);
      await expect(driver.removeAddressGroup('group-1')).rejects.toBeInstanceOf(DriverError);
      expect(await driver.observe()).toEqual(all);
    });

    test('a port with an address of a subnet that its network lacks is refused for good, and nothing of it stays', async () => {
      await build();
      const bad = portBody(4, { fixedIps: [{ subnetId: 'elsewhere', ipAddress: '10.99.0.4' }] });
      await expect(driver.ensurePort('port-4', bad)).rejects.toMatchObject({ code: 'refused' });
      expect(await driver.observe()).toEqual(all);
    });

    test('ports of a floating IP lead to several guests; one that would lead to two is refused, and the router stays as it was', async () => {
      await build();
      const forwarding = (first: number, last = first) => ({
        floatingIpId: 'floating-1',
        floatingAddress: '198.19.251.9',
        protocol: 'tcp' as const,
        externalFirst: first,
        externalLast: last,
        internalAddress: '10.20.0.11',
        internalFirst: 22,
        internalLast: 22,
      });
      await driver.ensureNetwork('network-2', networkBody({ segment: 8, external: true, subnets: [] }));
      const gateway = {
        portId: 'router-gateway',
        networkId: 'network-2',
        mac: 'fa:16:3e:00:02:fe',
        addresses: ['198.19.251.8/24'],
        nexthop: null,
        snat: true,
      };
      await expect(
        driver.ensureRouter('router-1', routerBody({ portForwardings: [forwarding(80)] })),
      ).rejects.toMatchObject({ code: 'refused' });
      const body = routerBody({ gateway, portForwardings: [forwarding(80), forwarding(90, 99)] });
      await driver.ensureRouter('router-1', body);
      await expect(
        driver.ensureRouter('router-1', { ...body, portForwardings: [forwarding(80, 95), forwarding(90)] }),
      ).rejects.toMatchObject({ code: 'refused' });
      await driver.ensureRouter('router-1', body);
      await driver.ensureRouter('router-1', routerBody());
      await driver.removeNetwork('network-2');
      expect(await driver.observe()).toEqual(all);
    });

    test('objects that are ensured at the same time all come to be', async () => {
      await build();
      await Promise.all(
        [3, 4, 5, 6, 7, 8].map((n) =>
          driver.ensurePort(`port-${n}`, portBody(n, { plug: n % 2 === 0 ? 'tap' : 'netns' })),
        ),
      );
      expect((await driver.observe()).ports).toHaveLength(8);
      await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => driver.removePort(`port-${n}`)));
      expect((await driver.observe()).ports).toEqual([]);
    });
  });
}
