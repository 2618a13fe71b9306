// What hosts are told of IPv6 subnets: how guests get addresses, and what their routers advertise.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('IPv6 subnets become items', (engine) => {
  let cloud: TestCloud;
  let hostId: string;
  beforeAll(async () => {
    cloud = await testCloud(engine);
    hostId = await cloud.addHost('host-1');
  });
  afterAll(() => cloud.close());

  test.each(['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless'])(
    'the mode %s is told to DHCP, and by the router to guests; changed name servers follow',
    async (mode) => {
      const { networkId, subnetId } = await cloud.networkWith('alice', 'fd00:1::/64', {
        ipv6_ra_mode: mode,
        ipv6_address_mode: mode,
        dns_nameservers: ['fd00:53::1', '192.0.2.1'],
      });
      const router = await cloud.make('alice', '/routers', { router: {} });
      await cloud.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
      const told = async () => {
        await cloud.server.settle();
        return (await cloud.items(hostId, 'router')).find((item) => item.id === router.id)?.body?.interfaces;
      };
      expect(await told()).toMatchObject([
        {
          addresses: ['fd00:1::1/64'],
          advertise: [{ cidr: 'fd00:1::/64', mode, dnsNameservers: ['fd00:53::1'] }],
        },
      ]);
      const network = (await cloud.items(hostId, 'network')).find((item) => item.id === networkId);
      expect(network?.body?.subnets).toMatchObject([{ ipv6RaMode: mode, ipv6AddressMode: mode }]);
      await cloud.call('alice', 'PUT', `/subnets/${subnetId}`, { subnet: { dns_nameservers: [] } });
      expect(await told()).toMatchObject([{ advertise: [{ dnsNameservers: [] }] }]);
    },
  );

  test('what guests make for themselves comes and goes with its subnet, on ports that are there already', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.6.0.0/24');
    const portId = await cloud.boot('alice', `self-${engine}`, hostId, networkId);
    const told = async () => {
      await cloud.server.settle();
      return (await cloud.items(hostId, 'port')).find((item) => item.id === portId)?.body?.fixedIps;
    };
    const ipv4 = await told();
    expect(ipv4).toHaveLength(1);
    const subnet = await cloud.make('alice', '/subnets', {
      subnet: {
        network_id: networkId,
        ip_version: 6,
        cidr: 'fd00:6::/64',
        ipv6_ra_mode: 'slaac',
        ipv6_address_mode: 'slaac',
      },
    });
    expect(await told()).toHaveLength(2);
    const { port } = (await cloud.call('alice', 'GET', `/ports/${portId}`)).json;
    expect(port.fixed_ips[1].subnet_id).toBe(subnet.id);
    expect(port.fixed_ips[1].ip_address).toMatch(/^fd00:6::.*ff:fe/);
    const router = await cloud.make('alice', '/routers', { router: {} });
    const path = `/routers/${router.id}`;
    await cloud.call('alice', 'PUT', `${path}/add_router_interface`, { subnet_id: subnet.id });
    expect((await cloud.call('alice', 'DELETE', `/subnets/${subnet.id}`)).status).toBe(409);
    expect(await told()).toHaveLength(2);
    await cloud.call('alice', 'PUT', `${path}/remove_router_interface`, { subnet_id: subnet.id });
    expect((await cloud.call('alice', 'DELETE', `/subnets/${subnet.id}`)).status).toBe(204);
    expect(await told()).toEqual(ipv4);
    expect((await cloud.call('alice', 'GET', `/ports/${portId}`)).json.port.fixed_ips).toHaveLength(1);
  });

  test('a subnet without modes is advertised by nobody, as IPv4 is', async () => {
    const { networkId, subnetId } = await cloud.networkWith('alice', 'fd00:2::/64');
    const router = await cloud.make('alice', '/routers', { router: {} });
    await cloud.call('alice', 'PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: subnetId });
    await cloud.server.settle();
    const item = (await cloud.items(hostId, 'router')).find((one) => one.id === router.id);
    expect(item?.body?.interfaces).toEqual([
      { portId: expect.any(String), networkId, mac: expect.any(String), addresses: ['fd00:2::1/64'] },
    ]);
  });

  test('an external network with both families gives a router both default routes', async () => {
    const external = await cloud.external('198.51.100.0/24');
    await cloud.make('admin', '/subnets', {
      subnet: { network_id: external.networkId, ip_version: 6, cidr: '2001:db8::/64', enable_dhcp: false },
    });
    const router = await cloud.make('alice', '/routers', {
      router: { external_gateway_info: { network_id: external.networkId } },
    });
    await cloud.server.settle();
    const item = (await cloud.items(hostId, 'router')).find((one) => one.id === router.id);
    expect(item?.body?.gateway).toMatchObject({ nexthop: '198.51.100.1', nexthop6: '2001:db8::1' });
  });
});
