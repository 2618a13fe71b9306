// How many addresses each network has, and how many are in use: what operators plan by.
import { Type } from 'typebox';
import { notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { listViews, viewQuery } from '../in-memory.ts';
import { pick } from '../listing.ts';
import { visibleNetworks } from '../networks/schema.ts';
import { poolsOf, rangesOf } from '../ports/addresses.ts';
import { bitsOf, usable } from '../subnets/addressing.ts';
import { cidrOf } from '../subnets/subnets.ts';

type Subnet = { cidr: string; allocation_pools: string };

/** What ports may get: the pools, or all that the subnet has when it has no pool. A number, also where it is not exact (IPv6). */
export function totalOf(subnet: Subnet): number {
  const pools = rangesOf(poolsOf(subnet));
  const cidr = cidrOf(subnet);
  const ranges = pools.length > 0 ? pools : [usable(cidr)];
  const sum = ranges.reduce((total, { first, last }) => total + last - first + 1n, 0n);
  return Number(sum > 1n << BigInt(bitsOf(cidr.version)) ? 0n : sum);
}

async function availabilities(ctx: Ctx, networkId: string | null): Promise<Record<string, unknown>[]> {
  const db = ctx.platform.db.read;
  const networks = await visibleNetworks(db, ctx.actor)
    .$if(networkId !== null, (query) => query.where('networks.id', '=', networkId ?? ''))
    .orderBy('networks.id')
    .execute();
  const subnets = await db.selectFrom('subnets').selectAll().orderBy('created_at').orderBy('id').execute();
  const used = new Map(
    (
      await db
        .selectFrom('ip_allocations')
        .select(['subnet_id', (eb) => eb.fn.countAll<number>().as('n')])
        .groupBy('subnet_id')
        .execute()
    ).map((row) => [row.subnet_id, Number(row.n)]),
  );
  const byNetwork = Map.groupBy(subnets, (row) => row.network_id);
  return networks.map((network) => {
    const own = (byNetwork.get(network.id) ?? []).map((row) => ({
      subnet_id: row.id,
      subnet_name: row.name,
      cidr: row.cidr,
      ip_version: row.ip_version,
      total_ips: totalOf(row),
      used_ips: used.get(row.id) ?? 0,
    }));
    return {
      network_id: network.id,
      network_name: network.name,
      tenant_id: network.project_id,
      project_id: network.project_id,
      total_ips: own.reduce((sum, one) => sum + one.total_ips, 0),
      used_ips: own.reduce((sum, one) => sum + one.used_ips, 0),
      subnet_ip_availability: own,
    };
  });
}

const query = Type.Object({
  ...viewQuery({
    network_id: 'network',
    network_name: null,
    tenant_id: 'project',
    project_id: 'project',
    ip_version: null,
  }).properties,
});

/** Counts only the subnets of the versions asked for. */
function ofVersions(view: Record<string, unknown>, versions: readonly string[]): Record<string, unknown> {
  if (versions.length === 0) return view;
  const own = (
    view['subnet_ip_availability'] as { ip_version: number; total_ips: number; used_ips: number }[]
  ).filter((one) => versions.includes(String(one.ip_version)));
  return {
    ...view,
    total_ips: own.reduce((sum, one) => sum + one.total_ips, 0),
    used_ips: own.reduce((sum, one) => sum + one.used_ips, 0),
    subnet_ip_availability: own,
  };
}

export const ipAvailabilityRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.0/network-ip-availabilities',
    policy: 'get_network_ip_availability',
    summary: 'Addresses of all networks, and how many are in use',
    query,
    async handler({ ctx, rawQuery }) {
      const { ip_version: asked, ...rest } = rawQuery;
      const versions = asked === undefined ? [] : Array.isArray(asked) ? asked : [asked];
      const views = (await availabilities(ctx, null)).map((view) => ofVersions(view, versions));
      return {
        body: { network_ip_availabilities: listViews(query, rest, 'Network', 'network_id', views) },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/network-ip-availabilities/:network_id',
    policy: 'get_network_ip_availability',
    summary: 'Addresses of a network, and how many are in use',
    ids: { network_id: 'network' },
    async handler({ ctx, params, rawQuery }) {
      const [view] = await availabilities(ctx, params.network_id);
      if (view === undefined) throw notFound('Network', params.network_id);
      return { body: { network_ip_availability: pick(view, rawQuery) } };
    },
  }),
];
