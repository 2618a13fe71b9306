// The verbs of ports.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import type { Collection } from '../collection.ts';
import { claimQuota, disallowed, invalidInput, ownerOf } from '../faults.ts';
import { forgetFixedIps } from '../floating-ips/association.ts';
import { bindPolicy } from '../qos/bindings.ts';
import { readableNetwork } from '../networks/schema.ts';
import type { NetworkRow } from '../networks/table.ts';
import { sharedWith } from '../rbac/visible.ts';
import { expectRevision, flag, touched } from '../rows.ts';
import { defaultGroup } from '../security-groups/groups.ts';
import { subnetsLock } from '../subnets/subnets.ts';
import { addressText, parseAddress } from '../subnets/addressing.ts';
import { releaseAddresses } from './addresses.ts';
import { joinOptions, optionsOf } from './dhcp-options.ts';
import {
  deletePorts,
  insertPort,
  membershipChanged,
  subnetFor,
  subnetsOf,
  takeFixedIps,
  type FixedIpRequest,
} from './insert.ts';
import {
  checkFields,
  checkMac,
  checkPairs,
  checkSecurity,
  MAX_FIXED_IPS,
  requireGroups,
  type AddressPair,
  type NetworkUse,
} from './rules.ts';
import { DHCP_OWNER, renewDhcpPort } from './dhcp-port.ts';
import {
  portCreate,
  portList,
  portUpdate,
  portViews,
  readablePort,
  visiblePorts,
  type PortCreate,
  type PortUpdate,
} from './schema.ts';
import type { PortRow } from './table.ts';

/** Owners of ports that only routers and floating IPs make and remove. */
const managed = new Set([
  'network:router_interface',
  'network:router_gateway',
  'network:floatingip',
  DHCP_OWNER,
]);

/** Tells the compute service that what it shows of these servers changed. */
export type ServersChanged = (tx: Tx, serverIds: string[]) => Promise<void>;

function checkWishes(input: PortUpdate): void {
  const wishes = input.fixed_ips ?? [];
  if (wishes.length > MAX_FIXED_IPS)
    throw invalidInput(
      `Exceeded maximum amount of fixed ips per port (${wishes.length} of ${MAX_FIXED_IPS})`,
    );
  for (const wish of wishes)
    if (wish.subnet_id === undefined && wish.ip_address === undefined)
      throw invalidInput('IP allocation requires subnet_id or ip_address');
}

async function insertOne(
  tx: Tx,
  ctx: Ctx,
  owner: string,
  network: NetworkRow,
  input: PortCreate,
): Promise<PortRow> {
  const security = input.port_security_enabled ?? network.port_security_enabled === 1;
  const isDevice = (input.device_owner ?? '').startsWith('network:');
  const given = input.security_groups ?? undefined;
  const groups =
    given !== undefined
      ? await requireGroups(tx, owner, given)
      : security && !isDevice
        ? [await defaultGroup(tx, ctx, owner)]
        : [];
  const mac = input.mac_address === undefined ? undefined : checkMac(input.mac_address);
  const row = await insertPort(tx, ctx, {
    project_id: owner,
    network_id: network.id,
    ...(mac === undefined ? {} : { mac_address: mac }),
    name: input.name ?? '',
    description: input.description ?? '',
    admin_state_up: flag(input.admin_state_up ?? true),
    device_id: input.device_id ?? '',
    device_owner: input.device_owner ?? '',
    port_security_enabled: flag(security),
    binding_host: input['binding:host_id'] ?? '',
    binding_profile: JSON.stringify(input['binding:profile'] ?? {}),
    extra_dhcp_opts: JSON.stringify(joinOptions([], input.extra_dhcp_opts ?? [])),
  });
  const pairs = checkPairs(input.allowed_address_pairs, row.mac_address);
  checkSecurity(security, groups, pairs);
  if (pairs.length > 0)
    await tx
      .updateTable('ports')
      .set({ allowed_address_pairs: JSON.stringify(pairs) })
      .where('id', '=', row.id)
      .execute();
  await takeFixedIps(tx, row, await subnetsOf(tx, [network.id]), input.fixed_ips);
  await setGroups(tx, row.id, groups);
  await bindPolicy(tx, ctx, 'port', row.id, input.qos_policy_id);
  await membershipChanged(tx, ctx, groups);
  await audit(tx, ctx, 'port', row.id);
  return row;
}

async function setGroups(tx: Tx, portId: string, groups: readonly string[]): Promise<void> {
  if (groups.length > 0)
    await tx
      .insertInto('port_security_groups')
      .values(groups.map((id) => ({ port_id: portId, security_group_id: id })))
      .execute();
}

async function make(ctx: Ctx, inputs: PortCreate[]): Promise<string[]> {
  const owners = inputs.map((input) => ownerOf(ctx, 'create_port', input));
  inputs.forEach(checkWishes);
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, input] of inputs.entries()) {
        const owner = owners[at] ?? '';
        const network = await readableNetwork(tx, ctx.actor, input.network_id);
        const use = await useOf(tx, ctx, network);
        // Addresses of an external network are had through floating IPs and router gateways.
        if (use === 'none') throw disallowed('create_port');
        checkFields(ctx, 'create_port', input, use);
        await claimQuota(tx, ctx, owner, { port: 1 });
        ids.push((await insertOne(tx, ctx, owner, network, input)).id);
      }
      return ids;
    },
    { locks: [...owners.map(quotaLock), ...inputs.map((input) => subnetsLock(input.network_id))] },
  );
}

/** By which right the actor puts ports on the network. */
async function useOf(tx: Tx, ctx: Ctx, network: NetworkRow): Promise<NetworkUse> {
  const projectId = projectOf(ctx.actor);
  if (isAdmin(ctx.actor) || network.project_id === projectId) return 'owner';
  return (await sharedWith(tx, [network.id], projectId)).has(network.id) ? 'shared' : 'none';
}

async function writablePort(
  tx: Tx,
  ctx: Ctx,
  id: string,
  rule: string,
): Promise<{ row: PortRow; network: NetworkRow }> {
  const row = await readablePort(tx, ctx.actor, id);
  const network = await tx
    .selectFrom('networks')
    .selectAll()
    .where('id', '=', row.network_id)
    .executeTakeFirstOrThrow();
  if (
    !isAdmin(ctx.actor) &&
    row.project_id !== projectOf(ctx.actor) &&
    network.project_id !== projectOf(ctx.actor)
  )
    throw disallowed(rule);
  return { row, network };
}

/** Keeps what stays, frees what goes, takes what is new. Returns the addresses that went; null: nothing changed. */
export async function changeFixedIps(
  tx: Tx,
  ctx: Ctx,
  row: PortRow,
  asked: readonly FixedIpRequest[],
): Promise<string[] | null> {
  const held = await tx
    .selectFrom('ip_allocations')
    .select(['subnet_id', 'ip_address', 'position'])
    .where('port_id', '=', row.id)
    .orderBy('position')
    .execute();
  const subnets = await subnetsOf(tx, [row.network_id]);
  const kept = new Set<string>();
  const fresh: FixedIpRequest[] = [];
  for (const wish of [...asked].sort(
    (a, b) => Number(a.ip_address === undefined) - Number(b.ip_address === undefined),
  )) {
    const subnet = subnetFor(row.network_id, subnets, wish);
    const address = wish.ip_address === undefined ? null : parseAddress(wish.ip_address);
    const text = address === null ? undefined : addressText(address.version, address.value);
    const same = held.find(
      (one) =>
        one.subnet_id === subnet.id &&
        !kept.has(one.ip_address) &&
        (wish.ip_address === undefined || one.ip_address === text),
    );
    if (same !== undefined) kept.add(same.ip_address);
    else fresh.push(wish);
  }
  const gone = held.map((one) => one.ip_address).filter((ip) => !kept.has(ip));
  if (gone.length === 0 && fresh.length === 0) return null;
  await releaseAddresses(tx, ctx.platform.clock.now(), [row.id], gone);
  await takeFixedIps(tx, row, subnets, fresh, (held.at(-1)?.position ?? -1) + 1);
  return gone;
}

const changeWith =
  (serversChanged: ServersChanged) =>
  async (ctx: Ctx, id: string, input: PortUpdate): Promise<void> => {
    checkWishes(input);
    await ctx.platform.db.tx(async (tx) => {
      const { row, network } = await writablePort(tx, ctx, id, 'update_port');
      checkFields(ctx, 'update_port', input, await useOf(tx, ctx, network));
      checkDevice(row, input);
      await bindPolicy(tx, ctx, 'port', id, input.qos_policy_id);
      if (input.fixed_ips !== undefined && managed.has(row.device_owner))
        await refuseMove(tx, row, input.fixed_ips);
      const mac = input.mac_address === undefined ? row.mac_address : checkMac(input.mac_address);
      if (mac !== row.mac_address) await refuseMac(tx, row, mac);
      const before = (
        await tx
          .selectFrom('port_security_groups')
          .select('security_group_id')
          .where('port_id', '=', id)
          .execute()
      ).map((one) => one.security_group_id);
      const groups =
        input.security_groups === undefined
          ? before
          : await requireGroups(tx, row.project_id, input.security_groups ?? []);
      const security = input.port_security_enabled ?? row.port_security_enabled === 1;
      const pairs =
        input.allowed_address_pairs === undefined
          ? (JSON.parse(row.allowed_address_pairs) as AddressPair[])
          : checkPairs(input.allowed_address_pairs, mac);
      checkSecurity(security, groups, pairs);
      const gone = input.fixed_ips === undefined ? null : await changeFixedIps(tx, ctx, row, input.fixed_ips);
      if (gone !== null) await forgetFixedIps(tx, ctx, id, gone);
      const next = {
        name: input.name ?? row.name,
        description: input.description ?? row.description,
        admin_state_up: flag(input.admin_state_up ?? row.admin_state_up === 1),
        mac_address: mac,
        device_id: input.device_id ?? row.device_id,
        device_owner: input.device_owner ?? row.device_owner,
        port_security_enabled: flag(security),
        allowed_address_pairs: JSON.stringify(pairs),
        extra_dhcp_opts: JSON.stringify(joinOptions(optionsOf(row), input.extra_dhcp_opts ?? [])),
        binding_host:
          input['binding:host_id'] === undefined ? row.binding_host : (input['binding:host_id'] ?? ''),
        binding_profile:
          input['binding:profile'] === undefined
            ? row.binding_profile
            : JSON.stringify(input['binding:profile'] ?? {}),
      };
      await tx
        .updateTable('ports')
        .set({ ...next, ...touched(ctx, row) })
        .where('id', '=', id)
        .execute();
      const [added, removed] = [
        groups.filter((group) => !before.includes(group)),
        before.filter((group) => !groups.includes(group)),
      ];
      if (removed.length > 0)
        await tx
          .deleteFrom('port_security_groups')
          .where('port_id', '=', id)
          .where('security_group_id', 'in', removed)
          .execute();
      await setGroups(tx, id, added);
      const pairsChanged = next.allowed_address_pairs !== row.allowed_address_pairs;
      await membershipChanged(
        tx,
        ctx,
        gone !== null || pairsChanged ? [...groups, ...removed] : [...added, ...removed],
      );
      await ctx.platform.work.enqueue(tx, 'port', [id]);
      await recompileOwner(tx, ctx, row);
      if (row.server_id !== '' && (gone !== null || added.length + removed.length > 0))
        await serversChanged(tx, [row.server_id]);
      await audit(tx, ctx, 'port', id);
    });
  };

/** A router may get another address on the subnets that its interface serves; what else the cloud made keeps its own. */
async function refuseMove(tx: Tx, row: PortRow, asked: readonly FixedIpRequest[]): Promise<void> {
  const held = await tx
    .selectFrom('ip_allocations')
    .select('subnet_id')
    .where('port_id', '=', row.id)
    .execute();
  const subnets = await subnetsOf(tx, [row.network_id]);
  const before = held
    .map((one) => one.subnet_id)
    .sort()
    .join();
  const after = asked
    .map((wish) => subnetFor(row.network_id, subnets, wish).id)
    .sort()
    .join();
  if (row.device_owner !== 'network:router_interface' || before !== after)
    throw conflict(
      `Port ${row.id} cannot be changed directly via the port API: its addresses follow from what it serves (${row.device_owner}).`,
      'ServicePortInUse',
    );
}

/** A port that a server, a router or DHCP has cannot be given to somebody else under them. */
function checkDevice(row: PortRow, input: PortUpdate): void {
  const differs =
    (input.device_id !== undefined && input.device_id !== row.device_id) ||
    (input.device_owner !== undefined && input.device_owner !== row.device_owner);
  if (!differs) return;
  if (row.server_id !== '' || managed.has(row.device_owner))
    throw conflict(
      `Unable to complete operation on port ${row.id} for network ${row.network_id}. Port already has an attached device ${row.device_id}; detach it there first.`,
      'PortInUse',
    );
}

async function refuseMac(tx: Tx, row: PortRow, mac: string): Promise<void> {
  if (row.server_id !== '' || managed.has(row.device_owner))
    throw conflict(
      `Unable to complete operation on port ${row.id}, port is already bound, port type: bridge, old_mac ${row.mac_address}, new_mac ${mac}.`,
      'PortBound',
    );
  const other = await tx
    .selectFrom('ports')
    .select('id')
    .where('network_id', '=', row.network_id)
    .where('mac_address', '=', mac)
    .executeTakeFirst();
  if (other !== undefined)
    throw conflict(
      `Unable to complete operation for network ${row.network_id}. The mac address ${mac} is in use.`,
      'MacAddressInUse',
    );
}

async function recompileOwner(tx: Tx, ctx: Ctx, row: PortRow): Promise<void> {
  if (row.device_owner === DHCP_OWNER) await ctx.platform.work.enqueue(tx, 'network', [row.network_id]);
  if (row.device_owner === 'network:router_interface' || row.device_owner === 'network:router_gateway')
    await ctx.platform.work.enqueue(tx, 'router', [row.device_id]);
}

const removeWith =
  (serversChanged: ServersChanged) =>
  async (ctx: Ctx, id: string): Promise<void> => {
    await ctx.platform.db.tx(async (tx) => {
      const { row } = await writablePort(tx, ctx, id, 'delete_port');
      expectRevision(ctx, row);
      if (row.device_owner === DHCP_OWNER) {
        await renewDhcpPort(tx, ctx, row);
        await audit(tx, ctx, 'port', id);
        return;
      }
      if (managed.has(row.device_owner))
        throw conflict(
          `Port ${id} cannot be deleted directly via the port API: has device owner ${row.device_owner}.`,
          'ServicePortInUse',
        );
      await forgetFixedIps(tx, ctx, id, null);
      await deletePorts(tx, ctx, [id]);
      await ctx.platform.quotas.release(tx, row.project_id, { port: 1 });
      if (row.server_id !== '') await serversChanged(tx, [row.server_id]);
      await audit(tx, ctx, 'port', id);
    });
  };

export const portsCollection = (
  serversChanged: ServersChanged,
): Collection<'ports', PortRow, typeof portCreate, typeof portUpdate> => ({
  singular: 'port',
  path: '/v2.0/ports',
  kind: 'port',
  list: portList,
  create: portCreate,
  update: portUpdate,
  rows: visiblePorts,
  views: portViews,
  make,
  change: changeWith(serversChanged),
  remove: removeWith(serversChanged),
  tags: true,
});
