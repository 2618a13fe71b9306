// Extra DHCP options of ports over HTTP, on both engines.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, type TestCloud } from '../../../testkit/network-cloud.ts';

onBothEngines('extra DHCP options', (engine) => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await testCloud(engine);
  });
  afterAll(() => cloud.close());

  const option = (name: string, value: string | null, more: object = {}) => ({
    opt_name: name,
    opt_value: value,
    ...more,
  });

  test('they are kept, joined by name and version, and reach the port’s host', async () => {
    const host = await cloud.addHost('host-1');
    const { networkId } = await cloud.networkWith('alice', '10.1.0.0/24');
    const port = await cloud.boot('alice', 'server-1', host, networkId);
    const put = async (...extra_dhcp_opts: object[]) =>
      (await cloud.call('alice', 'PUT', `/ports/${port}`, { port: { extra_dhcp_opts } })).json.port
        .extra_dhcp_opts;
    expect(await put(option('bootfile-name', 'pxelinux.0'), option('42', '203.0.113.9'))).toEqual([
      { opt_name: 'bootfile-name', opt_value: 'pxelinux.0', ip_version: 4 },
      { opt_name: '42', opt_value: '203.0.113.9', ip_version: 4 },
    ]);
    expect(
      await put(
        option('42', null),
        option('bootfile-name', 'other.0'),
        option('bootfile-url', 'tftp://x/y', { ip_version: 6 }),
      ),
    ).toEqual([
      { opt_name: 'bootfile-name', opt_value: 'other.0', ip_version: 4 },
      { opt_name: 'bootfile-url', opt_value: 'tftp://x/y', ip_version: 6 },
    ]);
    await cloud.server.settle();
    const [item] = await cloud.items(host, 'port');
    expect(item?.body?.dhcpOptions).toEqual([
      { ipVersion: 4, name: 'bootfile-name', value: 'other.0' },
      { ipVersion: 6, name: 'bootfile-url', value: 'tftp://x/y' },
    ]);
  });

  test('what DHCP does not know, and what could break its files, is refused with the rule', async () => {
    const { networkId } = await cloud.networkWith('alice', '10.2.0.0/24');
    for (const wrong of [
      option('no-such-option', 'x'),
      option('255', 'x'),
      option('bootfile-url', 'x'), // of DHCPv6 only
      option('bootfile-name', 'x\ndhcp-script=/bin/sh'),
      option('bootfile-name', 'x # y'),
      option('bootfile-name', '"x'),
      option('bootfile-name', ''),
    ]) {
      const answer = await cloud.call('alice', 'POST', '/ports', {
        port: { network_id: networkId, extra_dhcp_opts: [wrong] },
      });
      expect([wrong, answer.status]).toEqual([wrong, 400]);
    }
  });
});
