// Making and removing port rows, for whoever needs a port: users, servers, DHCP, routers, floating IPs.
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { invalidInput } from '../faults.ts';
import { deleteTags, newRow } from '../rows.ts';
import {
  addressText,
  contains,
  parseAddress,
  parseCidr,
  slaacAddress,
  usable,
  within,
} from '../subnets/addressing.ts';
import { isSlaac } from '../subnets/rules.ts';
import type { SubnetRow } from '../subnets/table.ts';
import { unbindAll } from '../qos/bindings.ts';
import { releaseAddresses, takeAddress, takeNextAddress, type Holder } from './addresses.ts';
import type { PortRow } from './table.ts';

/** What a port asks of the network's subnets: one address of a subnet, one address by name, or both. */
export type FixedIpRequest = { subnet_id?: string; ip_address?: string };
export type SubnetOfPort = Pick<SubnetRow, 'id' | 'network_id' | 'ip_version' | 'cidr' | 'ipv6_address_mode'>;

const MAC_TRIES = 12;
const randomMac = (ctx: Ctx): string => {
  const octet = (): string =>
    Math.floor(ctx.platform.rng() * 256)
      .toString(16)
      .padStart(2, '0');
  return `fa:16:3e:${octet()}:${octet()}:${octet()}`;
};

export const subnetsOf = (tx: Tx, networkIds: readonly string[]) =>
  tx
    .selectFrom('subnets')
    .select(['id', 'network_id', 'ip_version', 'cidr', 'ipv6_address_mode'])
    .where('network_id', 'in', [...networkIds])
    .orderBy('created_at')
    .orderBy('id')
    .execute();

export type NewPort = Pick<PortRow, 'project_id' | 'network_id'> &
  Partial<Omit<PortRow, 'id' | 'created_at' | 'updated_at' | 'revision'>>;

/** Inserts the row; without a MAC it gets a random one that is unique in the network. */
export async function insertPort(tx: Tx, ctx: Ctx, given: NewPort): Promise<PortRow> {
  for (let tries = 0; tries < MAC_TRIES; tries++) {
    const row: PortRow = {
      name: '',
      admin_state_up: 1,
      status: 'DOWN',
      device_id: '',
      device_owner: '',
      port_security_enabled: 1,
      allowed_address_pairs: '[]',
      server_id: '',
      server_made: 0,
      server_position: 0,
      server_tag: null,
      leave_generation: null,
      plug: '',
      hostname: '',
      host_id: '',
      binding_host: '',
      binding_profile: '{}',
      extra_dhcp_opts: '[]',
      error: '',
      ...newRow(ctx, given.project_id, given.description),
      ...given,
      mac_address: given.mac_address ?? randomMac(ctx),
    };
    const inserted = await tx
      .insertInto('ports')
      .values(row)
      .onConflict((oc) => oc.columns(['network_id', 'mac_address']).doNothing())
      .executeTakeFirst();
    if (inserted.numInsertedOrUpdatedRows !== 0n) return row;
    if (given.mac_address !== undefined)
      throw conflict(
        `Unable to complete operation for network ${given.network_id}. The mac address ${given.mac_address} is in use.`,
        'MacAddressInUse',
      );
  }
  throw conflict(
    `Unable to generate unique mac on network ${given.network_id}.`,
    'MacAddressGenerationFailure',
  );
}

const exhausted = (networkId: string) =>
  conflict(`No more IP addresses available on network ${networkId}.`, 'IpAddressGenerationFailure');
const holderOf = (port: PortRow, position: number): Holder => ({
  portId: port.id,
  networkId: port.network_id,
  position,
});

async function takeGiven(
  tx: Tx,
  port: PortRow,
  subnet: SubnetOfPort,
  ip: string,
  position: number,
): Promise<string> {
  const cidr = parseCidr(subnet.cidr);
  const address = parseAddress(ip);
  if (address === null) throw invalidInput(`'${ip}' is not a valid IP address`);
  if (
    cidr === null ||
    !contains(cidr, address) ||
    (cidr.version === 4 && !within(usable(cidr), address.value))
  )
    throw badRequest(
      `IP address ${ip} is not a valid IP for the specified subnet ${subnet.id} (${subnet.cidr}).`,
      'InvalidIpForSubnet',
    );
  const text = addressText(address.version, address.value);
  if (!(await takeAddress(tx, subnet, text, holderOf(port, position))))
    throw conflict(
      `IP address ${text} already allocated in subnet ${subnet.id}`,
      'IpAddressAlreadyAllocated',
    );
  return text;
}

const takeAny = async (
  tx: Tx,
  port: PortRow,
  subnet: SubnetOfPort,
  position: number,
): Promise<string | null> => {
  const cidr = parseCidr(subnet.cidr);
  if (!isSlaac(subnet) || cidr === null) return takeNextAddress(tx, subnet, holderOf(port, position));
  const ip = addressText(6, slaacAddress(cidr, port.mac_address));
  return (await takeAddress(tx, subnet, ip, holderOf(port, position))) ? ip : null;
};

export type TakenIp = { subnetId: string; ipAddress: string };

/**
 * Gives the port its addresses and returns them. `asked: undefined`: one IPv4 and one IPv6 address where the
 * network has such subnets, and one of each self-configured IPv6 subnet. Positions count from `from`.
 */
export async function takeFixedIps(
  tx: Tx,
  port: PortRow,
  subnets: readonly SubnetOfPort[],
  asked: readonly FixedIpRequest[] | undefined,
  from = 0,
): Promise<TakenIp[]> {
  const taken: TakenIp[] = [];
  const take = async (subnet: SubnetOfPort, ip?: string): Promise<boolean> => {
    const position = from + taken.length;
    const got =
      ip === undefined
        ? await takeAny(tx, port, subnet, position)
        : await takeGiven(tx, port, subnet, ip, position);
    if (got !== null) taken.push({ subnetId: subnet.id, ipAddress: got });
    return got !== null;
  };
  if (asked === undefined) {
    for (const version of [4, 6]) {
      const candidates = subnets.filter((subnet) => subnet.ip_version === version && !isSlaac(subnet));
      let done = candidates.length === 0;
      for (const subnet of candidates) done = done || (await take(subnet));
      if (!done) throw exhausted(port.network_id);
    }
    for (const subnet of subnets.filter(isSlaac)) await take(subnet);
    return taken;
  }
  // Addresses by name first, so that an automatic one cannot take them.
  for (const wish of [...asked].sort(
    (a, b) => Number(a.ip_address === undefined) - Number(b.ip_address === undefined),
  ))
    if (!(await take(subnetFor(port.network_id, subnets, wish), wish.ip_address)))
      throw exhausted(port.network_id);
  return taken;
}

export function subnetFor(
  networkId: string,
  subnets: readonly SubnetOfPort[],
  wish: FixedIpRequest,
): SubnetOfPort {
  if (wish.subnet_id !== undefined) {
    const subnet = subnets.find((one) => one.id === wish.subnet_id);
    if (subnet === undefined)
      throw invalidInput(
        `Failed to create port on network ${networkId}, because fixed_ips included invalid subnet ${wish.subnet_id}`,
      );
    return subnet;
  }
  const address = parseAddress(wish.ip_address ?? '');
  if (address === null)
    throw invalidInput(
      `fixed_ips must name a subnet_id or a valid ip_address, not '${(wish.ip_address ?? '').slice(0, 60)}'`,
    );
  const subnet = subnets.find((one) => {
    const cidr = parseCidr(one.cidr);
    return cidr !== null && contains(cidr, address);
  });
  if (subnet === undefined)
    throw badRequest(
      `IP address ${wish.ip_address} is not a valid IP for any of the subnets on the specified network ${networkId}.`,
      'InvalidIpForNetwork',
    );
  return subnet;
}

/** Groups whose rules name one of these groups as remote: only their members' addresses are compiled. */
export async function membershipChanged(
  tx: Tx,
  ctx: Pick<Ctx, 'platform'>,
  groupIds: readonly string[],
): Promise<void> {
  if (groupIds.length > 0) await ctx.platform.work.enqueue(tx, 'address-group', groupIds);
}

/** Deletes rows, addresses and memberships; quota and floating IPs are the caller's. */
export async function deletePorts(
  tx: Tx,
  ctx: Pick<Ctx, 'platform'>,
  portIds: readonly string[],
): Promise<void> {
  if (portIds.length === 0) return;
  const ids = [...portIds];
  const groups = await tx
    .selectFrom('port_security_groups')
    .select('security_group_id')
    .distinct()
    .where('port_id', 'in', ids)
    .execute();
  await releaseAddresses(tx, ctx.platform.clock.now(), ids);
  await tx.deleteFrom('port_security_groups').where('port_id', 'in', ids).execute();
  await tx.deleteFrom('ports').where('id', 'in', ids).execute();
  await unbindAll(tx, ids);
  await deleteTags(tx, ...ids);
  await ctx.platform.work.enqueue(tx, 'port', ids);
  await membershipChanged(
    tx,
    ctx,
    groups.map((row) => row.security_group_id),
  );
}
