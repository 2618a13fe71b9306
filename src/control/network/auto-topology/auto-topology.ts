// "Get me a network": a project's own network with a router to the outside, made of the cloud's default external
// network and default subnet pools, once for each project.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { text } from '../../../kernel/schema.ts';
import { claimQuota } from '../faults.ts';
import { insertNetwork, removeNetwork } from '../networks/networks.ts';
import { granted, EXTERNAL } from '../rbac/visible.ts';
import type { Queries } from '../rows.ts';
import { connectSubnet, disconnectSubnets } from '../routers/interfaces.ts';
import { insertRouter, readableRouter, removeRouter } from '../routers/routers.ts';
import { insertSubnet } from '../subnets/subnets.ts';

const lock = (projectId: string): string => `auto-topology:${projectId}`;

const missing = (what: string): Error =>
  conflict(
    `Deployment error: ${what}. An operator has to set one before networks can be allocated automatically.`,
    'AutoAllocationFailure',
  );

/** Of those that the project may use. */
async function defaults(db: Queries, projectId: string): Promise<{ external: string; versions: number[] }> {
  const external = await db
    .selectFrom('networks')
    .select('id')
    .where('is_default', '=', 1)
    .where('external', '=', 1)
    .where((eb) => eb.or([eb('project_id', '=', projectId), granted('networks.id', projectId, EXTERNAL)]))
    .executeTakeFirst();
  if (external === undefined) throw missing('No default router:external network');
  const pools = await db
    .selectFrom('subnet_pools')
    .select('ip_version')
    .where('is_default', '=', 1)
    .where((eb) => eb.or([eb('project_id', '=', projectId), granted('subnet_pools.id', projectId, null)]))
    .orderBy('ip_version')
    .execute();
  if (pools.length === 0) throw missing('No default pools defined');
  return { external: external.id, versions: pools.map((pool) => pool.ip_version) };
}

/** The project's network, made at the first call. The caller holds the locks. */
export async function ensureTopology(tx: Tx, ctx: Ctx, projectId: string): Promise<string> {
  const existing = await tx
    .selectFrom('auto_topologies as t')
    .leftJoin('networks as n', 'n.id', 't.network_id')
    .select(['t.network_id', 'n.id'])
    .where('t.project_id', '=', projectId)
    .executeTakeFirst();
  if (existing !== undefined && existing.id !== null) return existing.network_id;
  // Somebody deleted the network by hand: a new one is made.
  await tx.deleteFrom('auto_topologies').where('project_id', '=', projectId).execute();
  const { external, versions } = await defaults(tx, projectId);
  await claimQuota(tx, ctx, projectId, { network: 1, subnet: versions.length, router: 1 });
  const networkId = await insertNetwork(tx, ctx, projectId, { name: 'auto_allocated_network' });
  const subnets = [];
  for (const version of versions)
    subnets.push(
      await insertSubnet(tx, ctx, projectId, {
        name: `auto_allocated_subnet_v${version}`,
        network_id: networkId,
        ip_version: version === 6 ? 6 : 4,
        use_default_subnetpool: true,
        ...(version === 6 ? { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' } : {}),
      }),
    );
  const routerId = await insertRouter(tx, ctx, projectId, {
    name: 'auto_allocated_router',
    external_gateway_info: { network_id: external },
  });
  const router = await readableRouter(tx, ctx.actor, routerId);
  for (const subnetId of subnets) await connectSubnet(tx, ctx, router, subnetId);
  await tx
    .insertInto('auto_topologies')
    .values({ project_id: projectId, network_id: networkId, router_id: routerId })
    .execute();
  return networkId;
}

/** Takes it all down again; 409 while something uses it. */
async function removeTopology(ctx: Ctx, projectId: string): Promise<void> {
  await ctx.platform.db.tx(
    async (tx) => {
      const row = await tx
        .selectFrom('auto_topologies')
        .selectAll()
        .where('project_id', '=', projectId)
        .executeTakeFirst();
      if (row === undefined) throw notFound('Auto allocated topology', projectId);
      // Its parts are ordinary objects: what was deleted one by one is gone already.
      const router = await tx
        .selectFrom('routers')
        .selectAll()
        .where('id', '=', row.router_id)
        .executeTakeFirst();
      if (router !== undefined) {
        await disconnectSubnets(tx, ctx, router);
        await removeRouter(tx, ctx, row.router_id);
      }
      const network = await tx
        .selectFrom('networks')
        .select('id')
        .where('id', '=', row.network_id)
        .executeTakeFirst();
      if (network !== undefined) await removeNetwork(tx, ctx, row.network_id);
      await tx.deleteFrom('auto_topologies').where('project_id', '=', projectId).execute();
      await audit(tx, ctx, 'project', projectId);
    },
    { locks: [lock(projectId)] },
  );
}

const path = '/v2.0/auto-allocated-topology/:project_id';
const ids = { project_id: 'project' };
/** Clients that know no project send 'None' and mean their own. */
function target(ctx: Ctx, asked: string): string {
  const projectId = asked === 'None' || asked === 'null' ? projectOf(ctx.actor) : asked;
  if (!canSee(ctx.actor, projectId)) throw notFound('Project', asked);
  return projectId;
}

export const autoTopologyRoutes: Route[] = [
  route({
    method: 'GET',
    path,
    policy: 'get_auto_allocated_topology',
    summary: 'The network of a project that asked for no more than one; fields=dry-run only checks',
    ids,
    query: Type.Object({ fields: Type.Optional(Type.Array(text(64), { maxItems: 8 })) }),
    async handler({ ctx, params, rawQuery }) {
      const projectId = target(ctx, params.project_id);
      const both = { tenant_id: projectId, project_id: projectId };
      if ([rawQuery['fields']].flat().includes('dry-run')) {
        await defaults(ctx.platform.db.read, projectId);
        return { body: { auto_allocated_topology: { id: 'dry-run=pass', ...both } } };
      }
      const id = await ctx.platform.db.tx((tx) => ensureTopology(tx, ctx, projectId), {
        locks: [lock(projectId), quotaLock(projectId)],
      });
      return { body: { auto_allocated_topology: { id, ...both } } };
    },
  }),
  route({
    method: 'DELETE',
    path,
    policy: 'delete_auto_allocated_topology',
    summary: 'Take the automatic network of a project down',
    ids,
    status: 204,
    async handler({ ctx, params }) {
      await removeTopology(ctx, target(ctx, params.project_id));
      return {};
    },
  }),
];
