// The one thing outside our namespaces: the host's link to the external network, and the masquerading of
// that network towards the world.
import { readFile, writeFile } from 'node:fs/promises';
import { run } from '../../../../kernel/run.ts';
import type { NetworkBody } from '../../../../protocol/items.ts';
import { contains, firstHost, prefix } from './addresses.ts';
import { driverError, ip, ipJson } from './commands.ts';
import { trustedDeviceRules } from './filter.ts';
import { hostPort, type CloudNames } from './names.ts';

export const hostRules = (names: CloudNames, externalCidr: string): string => {
  const table = `inet ${names.hostTable}`;
  const external = prefix('The external prefix', externalCidr, 4).text;
  const host = names.hostDevice;
  return `add table ${table}
add chain ${table} postrouting { type nat hook postrouting priority 100; policy accept; }
add chain ${table} forward { type filter hook forward priority 0; policy accept; }
flush chain ${table} postrouting
flush chain ${table} forward
add rule ${table} postrouting ip saddr ${external} oifname != "${host}" masquerade
add rule ${table} forward iifname "${host}" accept
add rule ${table} forward oifname "${host}" accept
`;
};

/** Link, address, masquerading and forwarding on the host. Repeatable; leaves what is there. */
export async function ensureHostLink(
  names: CloudNames,
  externalCidr: string,
  nft: (text: string, what: string) => Promise<void>,
): Promise<void> {
  const what = 'Setting up the host’s link to the external network';
  const host = names.hostDevice;
  const links = await ipJson(null, ['link', 'show'], what);
  await nft(trustedDeviceRules(hostPort), what);
  if (!links.some((link) => link['ifname'] === host))
    await ip(null, [`link add ${host} type veth peer name ${hostPort} netns ${names.switchNs}`], what);
  try {
    await writeFile(`/proc/sys/net/ipv6/conf/${host}/disable_ipv6`, '1').catch(() => {}); // a kernel without IPv6
    await ip(
      null,
      [
        `addr replace ${firstHost(prefix('The external prefix', externalCidr, 4))} dev ${host}`,
        `link set ${host} up`,
      ],
      what,
    );
    await run(['nft', '-f', '-'], { input: hostRules(names, externalCidr) });
    const forwarding = '/proc/sys/net/ipv4/ip_forward';
    if ((await readFile(forwarding, 'utf8')).trim() === '0') await writeFile(forwarding, '1');
  } catch (error) {
    throw driverError(what, 'nft', error);
  }
}

/** The host is on the external network whose subnet lies in the host's prefix. */
export const hasHost = (network: NetworkBody, externalCidr: string): boolean =>
  network.external &&
  network.subnets.some((subnet) => {
    if (subnet.ipVersion !== 4) return false;
    const [outer, inner] = [
      prefix('The external prefix', externalCidr, 4),
      prefix(`Subnet ${subnet.id}: cidr`, subnet.cidr, 4),
    ];
    return contains(outer, inner) || contains(inner, outer);
  });
