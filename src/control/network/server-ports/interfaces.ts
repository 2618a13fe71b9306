// Interfaces that come and go while their server is there. An attachment is one transaction: the port, its addresses,
// its quota and what the server's host is to have. A detached port is given back once its host says that the guest has
// let go of it, so that nobody else gets its address before.
import type { Reader, Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import type { PortRequest, ServerPort } from '../index.ts';
import { forgetFixedIps } from '../floating-ips/association.ts';
import { membershipChanged, subnetsOf, type FixedIpRequest } from '../ports/insert.ts';
import { changeFixedIps, type ServersChanged } from '../ports/ports.ts';
import { MAX_FIXED_IPS } from '../ports/rules.ts';
import type { PortRow } from '../ports/table.ts';
import { touched } from '../rows.ts';
import { isSlaac } from '../subnets/rules.ts';
import { bindPorts, giveBack } from './bind.ts';
import { claimPorts } from './claim.ts';

/** Most interfaces that a server may have: each takes a slot of its bus. */
const MAX_INTERFACES = 32;

export type InterfaceState = {
  status: 'ACTIVE' | 'DOWN';
  /** Why its host could not plug it; '': nothing is wrong. */ error: string;
};

export type ServerInterfaces = {
  /** Makes or takes over a port and binds it where the server is. `'auto'`: as for a new server. */
  attach(
    tx: Tx,
    ctx: Ctx,
    server: { id: string; projectId: string; hostname: string; type: 'vm' | 'container'; hostId: string },
    request: PortRequest | 'auto',
  ): Promise<ServerPort>;
  /** The guest is to let go of the port; see `compiled` and `reported`. 404 when the server does not have it. */
  detach(tx: Tx, serverId: string, portId: string): Promise<void>;
  /** The server's item was compiled at this generation, without the ports that leave. */
  compiled(tx: Tx, serverId: string, generation: number): Promise<void>;
  /** The host has what the server's item says at this generation: ports that have left it by then are given back. True: some were. */
  reported(
    tx: Tx,
    serverId: string,
    generation: number,
    failed: readonly { id: string; error: string }[],
  ): Promise<boolean>;
  /** Another address of the network for the server's interface there. 404 when it has none there. */
  addFixedIp(tx: Tx, ctx: Ctx, serverId: string, networkId: string): Promise<void>;
  removeFixedIp(tx: Tx, ctx: Ctx, serverId: string, address: string): Promise<void>;
  /** By port id. */
  states(db: Pick<Reader, 'selectFrom'>, serverId: string): Promise<Map<string, InterfaceState>>;
};

const heldBy = (tx: Tx, portId: string) =>
  tx
    .selectFrom('ip_allocations')
    .select(['subnet_id', 'ip_address'])
    .where('port_id', '=', portId)
    .orderBy('position')
    .execute();

export function serverInterfaces(platform: Platform, changed: ServersChanged): ServerInterfaces {
  async function setFixedIps(
    tx: Tx,
    ctx: Ctx,
    port: PortRow,
    asked: readonly FixedIpRequest[],
  ): Promise<void> {
    const gone = await changeFixedIps(tx, ctx, port, asked);
    if (gone === null) return;
    await forgetFixedIps(tx, ctx, port.id, gone);
    await tx.updateTable('ports').set(touched(ctx, port)).where('id', '=', port.id).execute();
    const groups = await tx
      .selectFrom('port_security_groups')
      .select('security_group_id')
      .where('port_id', '=', port.id)
      .execute();
    await membershipChanged(
      tx,
      ctx,
      groups.map((one) => one.security_group_id),
    );
    await platform.work.enqueue(tx, 'port', [port.id]);
    await changed(tx, [port.server_id]);
  }

  return {
    async attach(tx, ctx, server, request) {
      const there = await tx
        .selectFrom('ports')
        .select('server_position')
        .where('server_id', '=', server.id)
        .orderBy('server_position', 'desc')
        .execute();
      if (there.length >= MAX_INTERFACES)
        throw conflict(
          `Server ${server.id} has ${there.length} interfaces; a server may have ${MAX_INTERFACES}. Detach one first.`,
        );
      // All of the server's, in their order, where one was taken over.
      const ports = await claimPorts(
        tx,
        ctx,
        server,
        request === 'auto' ? 'auto' : [request],
        null,
        (there[0]?.server_position ?? -1) + 1,
      );
      const port = ports.at(-1);
      if (port === undefined)
        throw conflict(
          `There is no network that server ${server.id} could get an interface on; make one, or name it by net_id.`,
        );
      await bindPorts(tx, platform, server.id, server.hostId);
      await changed(tx, [server.id]);
      return port;
    },
    async detach(tx, serverId, portId) {
      const port = await tx
        .selectFrom('ports')
        .select(['id', 'leave_generation'])
        .where('id', '=', portId)
        .where('server_id', '=', serverId)
        .executeTakeFirst();
      if (port === undefined) throw notFound('Port', portId);
      if (port.leave_generation !== null) return;
      await tx.updateTable('ports').set({ leave_generation: 0 }).where('id', '=', portId).execute();
      await changed(tx, [serverId]);
    },
    async compiled(tx, serverId, generation) {
      await tx
        .updateTable('ports')
        .set({ leave_generation: generation })
        .where('server_id', '=', serverId)
        .where('leave_generation', '=', 0)
        .execute();
    },
    async reported(tx, serverId, generation, failed) {
      const left = await tx
        .selectFrom('ports')
        .select(['id', 'project_id', 'server_made'])
        .where('server_id', '=', serverId)
        .where('leave_generation', '>', 0)
        .where('leave_generation', '<=', generation)
        .execute();
      for (const one of failed)
        await tx
          .updateTable('ports')
          .set({ status: 'DOWN', error: one.error })
          .where('id', '=', one.id)
          .where('server_id', '=', serverId)
          .execute();
      if (left.length === 0) return false;
      await giveBack(tx, platform, left);
      await changed(tx, [serverId]);
      return true;
    },
    async addFixedIp(tx, ctx, serverId, networkId) {
      const port = await tx
        .selectFrom('ports')
        .selectAll()
        .where('server_id', '=', serverId)
        .where('network_id', '=', networkId)
        .where('leave_generation', 'is', null)
        .orderBy('server_position')
        .executeTakeFirst();
      if (port === undefined) throw notFound('Network', networkId);
      const held = await heldBy(tx, port.id);
      if (held.length >= MAX_FIXED_IPS)
        throw badRequest(
          `Port ${port.id} has ${held.length} addresses; a port may have ${MAX_FIXED_IPS}. Remove one first.`,
        );
      const subnet = (await subnetsOf(tx, [networkId])).find((one) => one.ip_version === 4 && !isSlaac(one));
      if (subnet === undefined) throw badRequest(`Network ${networkId} has no subnet to take an address of.`);
      await setFixedIps(tx, ctx, port, [...held, { subnet_id: subnet.id }]);
    },
    async removeFixedIp(tx, ctx, serverId, address) {
      const ports = await tx
        .selectFrom('ports as p')
        .innerJoin('ip_allocations as a', 'a.port_id', 'p.id')
        .selectAll('p')
        .where('p.server_id', '=', serverId)
        .where('a.ip_address', '=', address)
        .execute();
      const [port] = ports;
      if (port === undefined)
        throw badRequest(`Fixed IP ${address} was not found among the addresses of server ${serverId}.`);
      await setFixedIps(
        tx,
        ctx,
        port,
        (await heldBy(tx, port.id)).filter((one) => one.ip_address !== address),
      );
    },
    async states(db, serverId) {
      const rows = await db
        .selectFrom('ports')
        .select(['id', 'status', 'error'])
        .where('server_id', '=', serverId)
        .execute();
      return new Map(
        rows.map(({ id, status, error }) => [
          id,
          { status: status === 'ACTIVE' ? ('ACTIVE' as const) : ('DOWN' as const), error },
        ]),
      );
    },
  };
}
