// Floating IPs as the compute service hands them on: Nova's older clients allocate them from pools (the external
// networks, by name), and put them on servers by address.
import { badRequest, CloudError, conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { visibleNetworks } from '../networks/schema.ts';
import type { ServersChanged } from '../ports/ports.ts';
import { portsOf } from '../server-ports/read.ts';
import { floatingIps } from './floating-ips.ts';

export type PooledAddress = {
  id: string;
  address: string;
  fixedAddress: string | null;
  serverId: string | null;
  /** Name of the external network. */
  pool: string;
};

type Server = { id: string; projectId: string };

export type FloatingIpApi = {
  /** External networks that the actor may read. */
  pools(ctx: Ctx): Promise<{ id: string; name: string }[]>;
  /** Those of the token's project. */
  list(ctx: Ctx): Promise<PooledAddress[]>;
  show(ctx: Ctx, id: string): Promise<PooledAddress>;
  /** `pool`: name or id; null: the only one there is. 404: there is no such pool. */
  allocate(ctx: Ctx, pool: string | null): Promise<PooledAddress>;
  remove(ctx: Ctx, id: string): Promise<void>;
  /** `fixedAddress` null: the server's first IPv4 address. 400 when the server has none, or one that has a floating IP already. */
  associate(ctx: Ctx, server: Server, address: string, fixedAddress: string | null): Promise<void>;
  /** 409 when it is not this server's. */
  dissociate(ctx: Ctx, server: Server, address: string): Promise<void>;
};

const isPool = (ctx: Ctx) =>
  visibleNetworks(ctx.platform.db.read, ctx.actor)
    .where('networks.external', '=', 1)
    .orderBy('networks.created_at')
    .orderBy('networks.id');

/** Floating IPs that the actor may see, with what Nova shows of them. */
const seen = (ctx: Ctx, serversChanged: ServersChanged) =>
  floatingIps(serversChanged)
    .rows(ctx.platform.db.read, ctx.actor)
    .leftJoin('networks as pool', 'pool.id', 'floating_ips.floating_network_id')
    .leftJoin('ports as fixed', 'fixed.id', 'floating_ips.fixed_port_id')
    .select(['pool.name as pool_name', 'fixed.server_id as server_id'])
    .orderBy('floating_ips.created_at')
    .orderBy('floating_ips.id');
type Seen = Awaited<ReturnType<ReturnType<typeof seen>['execute']>>[number];

const shown = (row: Seen): PooledAddress => ({
  id: row.id,
  address: row.floating_ip_address,
  fixedAddress: row.fixed_ip_address,
  serverId: row.server_id === '' ? null : row.server_id,
  pool: row.pool_name ?? '',
});

export function floatingIpApi(serversChanged: ServersChanged): FloatingIpApi {
  const of = floatingIps(serversChanged);

  const show = async (ctx: Ctx, id: string): Promise<PooledAddress> => {
    const row = await seen(ctx, serversChanged).where('floating_ips.id', '=', id).executeTakeFirst();
    if (row === undefined) throw notFound('Floating IP', id);
    return shown(row);
  };
  const byAddress = async (ctx: Ctx, projectId: string, address: string): Promise<PooledAddress> => {
    const row = await seen(ctx, serversChanged)
      .where('floating_ips.floating_ip_address', '=', address)
      .where('floating_ips.project_id', '=', projectId)
      .executeTakeFirst();
    if (row === undefined) throw notFound('Floating IP with address', address);
    return shown(row);
  };

  return {
    async pools(ctx) {
      return (await isPool(ctx).execute()).map(({ id, name }) => ({ id, name }));
    },
    async list(ctx) {
      const scope = ctx.actor.scope.type === 'project' ? ctx.actor.scope.id : '';
      const rows = await seen(ctx, serversChanged).where('floating_ips.project_id', '=', scope).execute();
      return rows.map(shown);
    },
    show,
    async allocate(ctx, pool) {
      const pools = await isPool(ctx).execute();
      const named = pool === null ? pools : pools.filter((one) => one.id === pool || one.name === pool);
      const [network] = named;
      if (network === undefined) throw notFound('Floating IP pool', pool ?? 'default');
      if (named.length > 1)
        throw badRequest(
          `Multiple floating IP pools match '${pool ?? ''}': ${named.map((one) => one.id).join(', ')}. Name one by its id.`,
        );
      const [id = ''] = await of.make(ctx, [{ floating_network_id: network.id }]);
      return show(ctx, id);
    },
    remove: (ctx, id) => of.remove(ctx, id),
    async associate(ctx, server, address, fixedAddress) {
      const { id } = await byAddress(ctx, server.projectId, address);
      const ports = (await portsOf(ctx.platform.db.read, [server.id])).get(server.id) ?? [];
      const fixed = ports
        .flatMap((port) => port.fixedIps.map((ip) => ({ portId: port.portId, ...ip })))
        .find((ip) => (fixedAddress === null ? ip.version === 4 : ip.ipAddress === fixedAddress));
      if (fixed === undefined)
        throw badRequest(
          fixedAddress === null
            ? `No fixed IP addresses available: instance ${server.id} has no IPv4 address.`
            : `Specified fixed address ${fixedAddress} not assigned to instance ${server.id}.`,
        );
      try {
        await of.change?.(ctx, id, { port_id: fixed.portId, fixed_ip_address: fixed.ipAddress });
      } catch (error) {
        if (error instanceof CloudError && (error.status === 409 || error.status === 404))
          throw badRequest(`Floating IP ${address} association has failed: ${error.publicMessage}`);
        throw error;
      }
    },
    async dissociate(ctx, server, address) {
      const one = await byAddress(ctx, server.projectId, address);
      if (one.serverId !== server.id)
        throw conflict(`Floating IP ${address} is not associated with instance ${server.id}.`);
      await of.change?.(ctx, one.id, { port_id: null });
    },
  };
}
