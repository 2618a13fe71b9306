// The ports of a new server: taken over or made, with addresses, groups and quota, in the transaction that
// makes the server. This is the hot path of server creation: no query that the request does not need.
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict, forbidden } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { ensureTopology } from '../auto-topology/auto-topology.ts';
import type { NetworkApi, PortRequest, PortRequests, ServerPort } from '../index.ts';
import {
  insertPort,
  membershipChanged,
  subnetsOf,
  takeFixedIps,
  type SubnetOfPort,
} from '../ports/insert.ts';
import { defaultGroup } from '../security-groups/groups.ts';
import type { NetworkRow } from '../networks/table.ts';
import { granted, grantedTo, EXTERNAL, SHARED } from '../rbac/visible.ts';
import { portsOf } from './read.ts';

type Server = Parameters<NetworkApi['claimPorts']>[2];
type Group = { id: string; name: string };

const plugOf = (server: Server): string => (server.type === 'vm' ? 'tap' : 'netns');

/** The network that a server without any wish gets: the project's only one, else the only shared one. */
async function autoNetwork(tx: Tx, projectId: string): Promise<NetworkRow | null> {
  const found = await tx
    .selectFrom('networks')
    .selectAll()
    .where('external', '=', 0)
    .where((eb) => eb.or([eb('project_id', '=', projectId), granted('networks.id', projectId, SHARED)]))
    .execute();
  const own = found.filter((row) => row.project_id === projectId);
  const [first, ...others] = own.length > 0 ? own : found;
  if (others.length > 0)
    throw conflict(
      'Multiple possible networks found, use a Network ID to be more specific.',
      'NetworkAmbiguous',
    );
  return first ?? null;
}

async function requireNetworks(
  tx: Tx,
  ctx: Ctx,
  server: Pick<Server, 'projectId'>,
  ids: readonly string[],
): Promise<NetworkRow[]> {
  if (ids.length === 0) return [];
  const rows = await tx
    .selectFrom('networks')
    .selectAll()
    .where('id', 'in', [...ids])
    .execute();
  const foreign = rows.filter((row) => row.project_id !== server.projectId).map((row) => row.id);
  const shared = await grantedTo(tx, foreign, server.projectId, SHARED);
  const external = await grantedTo(tx, foreign, server.projectId, EXTERNAL);
  for (const id of ids) {
    const row = rows.find((one) => one.id === id);
    const mine = row !== undefined && (row.project_id === server.projectId || isAdmin(ctx.actor));
    if (row === undefined || (!mine && !shared.has(id) && !external.has(id)))
      throw badRequest(`Network ${id} could not be found.`, 'NetworkNotFound');
    if (!mine && !shared.has(id))
      throw forbidden(
        `It is not allowed to create an interface on external network ${id}. Attach to a tenant network and use a floating IP.`,
        'ExternalNetworkAttachForbidden',
      );
  }
  return rows;
}

/** 400 for a name that nothing has; but the group `default`, which is made when it is first needed, may be absent. */
async function findGroups(tx: Tx, projectId: string, wanted: readonly string[]): Promise<(Group | null)[]> {
  if (wanted.length === 0) return [];
  const named = await tx
    .selectFrom('security_groups')
    .select(['id', 'name'])
    .where((eb) =>
      eb.or([
        eb.and([eb('project_id', '=', projectId), eb.or([eb('id', 'in', wanted), eb('name', 'in', wanted)])]),
        eb.and([eb('id', 'in', wanted), granted('security_groups.id', projectId, SHARED)]),
      ]),
    )
    .execute();
  return wanted.map((one) => {
    const found = named.filter((group) => group.id === one || group.name === one);
    if (found.length > 1)
      throw conflict(
        `Multiple security groups found matching '${one}'. Use an ID to be more specific.`,
        'NoUniqueMatch',
      );
    if (found[0] === undefined && one !== 'default')
      throw badRequest(`Security group ${one.slice(0, 255)} not found.`, 'SecurityGroupNotFound');
    return found[0] ?? null;
  });
}

const groupsAsked = (asked: readonly string[] | null): string[] => [...new Set(asked ?? ['default'])];

async function resolveGroups(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  asked: readonly string[] | null,
): Promise<Group[]> {
  const groups: Group[] = [];
  for (const group of await findGroups(tx, projectId, groupsAsked(asked)))
    groups.push(group ?? { id: await defaultGroup(tx, ctx, projectId), name: 'default' });
  return groups.filter((group, at) => groups.findIndex((other) => other.id === group.id) === at);
}

/** The port, when it is there for the project to use and nobody uses it. */
async function freePort(tx: Tx, ctx: Ctx, projectId: string, portId: string) {
  const port = await tx
    .selectFrom('ports')
    .select(['id', 'project_id', 'network_id', 'device_id', 'server_id', 'revision'])
    .where('id', '=', portId)
    .executeTakeFirst();
  if (port === undefined || (port.project_id !== projectId && !isAdmin(ctx.actor)))
    throw badRequest(`Port id ${portId} could not be found.`, 'PortNotFound');
  if (port.device_id !== '' || port.server_id !== '')
    throw conflict(`Port ${portId} is still in use.`, 'PortInUse');
  return port;
}

async function takeOver(
  tx: Tx,
  ctx: Ctx,
  server: Server,
  { portId, tag }: { portId: string; tag?: string | null },
  position: number,
): Promise<void> {
  const port = await freePort(tx, ctx, server.projectId, portId);
  await tx
    .updateTable('ports')
    .set({
      server_id: server.id,
      server_made: 0,
      server_position: position,
      server_tag: tag ?? null,
      plug: plugOf(server),
      hostname: server.hostname,
      device_id: server.id,
      device_owner: 'compute:nova',
      revision: port.revision + 1,
      updated_at: ctx.platform.clock.now(),
    })
    .where('id', '=', portId)
    .execute();
}

function requireSubnet(networkId: string, subnets: readonly SubnetOfPort[]): void {
  if (!subnets.some((one) => one.network_id === networkId))
    throw badRequest(
      `Network ${networkId} requires a subnet in order to boot instances on.`,
      'NetworkRequiresSubnet',
    );
}

async function makePort(
  tx: Tx,
  ctx: Ctx,
  server: Server,
  network: NetworkRow,
  subnets: readonly SubnetOfPort[],
  { fixedIp, tag }: { fixedIp: string | null; tag?: string | null },
  groups: readonly Group[],
  position: number,
): Promise<ServerPort> {
  requireSubnet(network.id, subnets);
  const security = network.port_security_enabled === 1;
  const port = await insertPort(tx, ctx, {
    project_id: server.projectId,
    network_id: network.id,
    device_id: server.id,
    device_owner: 'compute:nova',
    port_security_enabled: network.port_security_enabled,
    server_id: server.id,
    server_made: 1,
    server_position: position,
    server_tag: tag ?? null,
    plug: plugOf(server),
    hostname: server.hostname,
  });
  const taken = await takeFixedIps(
    tx,
    port,
    subnets,
    fixedIp === null ? undefined : [{ ip_address: fixedIp }],
  );
  const applied = security ? groups : [];
  if (applied.length > 0)
    await tx
      .insertInto('port_security_groups')
      .values(applied.map((group) => ({ port_id: port.id, security_group_id: group.id })))
      .execute();
  return {
    portId: port.id,
    mac: port.mac_address,
    networkId: network.id,
    networkName: network.name,
    fixedIps: taken.map((one) => ({
      ...one,
      version: one.ipAddress.includes(':') ? 6 : 4,
      floatingIp: null,
    })),
    securityGroups: [...applied],
    ...(tag === undefined || tag === null ? {} : { tag }),
  };
}

/** The only one there is; with 'allocate' one is made for a project that has none. */
async function networkFor(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  requests: 'auto' | 'allocate',
): Promise<NetworkRow | null> {
  const there = await autoNetwork(tx, projectId);
  if (there !== null || requests === 'auto') return there;
  try {
    const id = await ensureTopology(tx, ctx, projectId);
    return await tx.selectFrom('networks').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  } catch (error) {
    if (error instanceof CloudError && error.code === 'AutoAllocationFailure')
      throw badRequest(
        `Unable to automatically allocate a network for project ${projectId}. ${error.publicMessage}`,
        'UnableToAutoAllocateNetwork',
      );
    throw error;
  }
}

/** What claimPorts would refuse, addresses and quota apart; how many ports it would make. */
export async function checkPorts(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  requests: PortRequests,
  securityGroups: readonly string[] | null,
): Promise<number> {
  if (requests === 'none') return 0;
  let networkIds: string[] = [];
  if (requests === 'auto' || requests === 'allocate') {
    const auto = await autoNetwork(tx, projectId);
    if (auto === null) return requests === 'allocate' ? 1 : 0;
    networkIds = [auto.id];
  } else {
    for (const wish of requests)
      if ('portId' in wish) await freePort(tx, ctx, projectId, wish.portId);
      else networkIds.push(wish.networkId);
    await requireNetworks(tx, ctx, { projectId }, [...new Set(networkIds)]);
  }
  if (networkIds.length === 0) return 0;
  const subnets = await subnetsOf(tx, [...new Set(networkIds)]);
  for (const id of networkIds) requireSubnet(id, subnets);
  await findGroups(tx, projectId, groupsAsked(securityGroups));
  return networkIds.length;
}

export async function claimPorts(
  tx: Tx,
  ctx: Ctx,
  server: Server,
  requests: PortRequests,
  securityGroups: readonly string[] | null,
  firstPosition = 0,
): Promise<ServerPort[]> {
  if (requests === 'none') return [];
  const any = requests === 'auto' || requests === 'allocate';
  const auto = any ? await networkFor(tx, ctx, server.projectId, requests) : null;
  const wishes: readonly PortRequest[] = !any
    ? requests
    : auto === null
      ? []
      : [{ networkId: auto.id, fixedIp: null }];
  const toMake = wishes.flatMap((wish) => ('networkId' in wish ? [wish] : []));
  const networkIds = [...new Set(toMake.map((wish) => wish.networkId))];
  const networks = auto !== null ? [auto] : await requireNetworks(tx, ctx, server, networkIds);
  const subnets = networkIds.length === 0 ? [] : await subnetsOf(tx, networkIds);
  const groups = toMake.length === 0 ? [] : await resolveGroups(tx, ctx, server.projectId, securityGroups);
  if (toMake.length > 0) await ctx.platform.quotas.claim(tx, server.projectId, { port: toMake.length });
  const made: ServerPort[] = [];
  for (const [at, wish] of wishes.entries()) {
    const position = firstPosition + at;
    if ('portId' in wish) await takeOver(tx, ctx, server, wish, position);
    else {
      const network = networks.find((one) => one.id === wish.networkId);
      if (network === undefined)
        throw badRequest(`Network ${wish.networkId} could not be found.`, 'NetworkNotFound');
      made.push(
        await inNovasWords(
          makePort(
            tx,
            ctx,
            server,
            network,
            subnets.filter((one) => one.network_id === network.id),
            wish,
            groups,
            position,
          ),
        ),
      );
    }
  }
  if (made.some((port) => port.securityGroups.length > 0))
    await membershipChanged(
      tx,
      ctx,
      groups.map((group) => group.id),
    );
  return made.length === wishes.length ? made : ((await portsOf(tx, [server.id])).get(server.id) ?? []);
}

/** A fixed address that does not fit is the server request's fault. */
async function inNovasWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof CloudError && error.code === 'IpAddressAlreadyAllocated')
      throw badRequest(error.publicMessage, 'FixedIpAlreadyInUse');
    throw error;
  }
}
