// Network agents over the API: what each host does, and which networks and routers it serves.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { idOf, prose, strict } from '../../../kernel/schema.ts';
import { listViews, viewQuery } from '../in-memory.ts';
import { pick } from '../listing.ts';
import { readableNetwork, networkViews, visibleNetworks } from '../networks/schema.ts';
import { readableRouter, routers } from '../routers/routers.ts';
import { agentById, agentView, listAgents, type Agent } from './agents.ts';
import { dhcpAgents, schedule, serveDhcp, stopDhcp, unschedule } from './scheduling.ts';

const ids = { agent_id: 'agent' };
const query = viewQuery({
  id: 'agent',
  agent_type: null,
  binary: null,
  topic: null,
  host: null,
  availability_zone: null,
  admin_state_up: null,
  alive: null,
  description: null,
});

/** What the part has to do, as operators look it up. */
async function configurations(ctx: Ctx, agent: Agent): Promise<object> {
  const db = ctx.platform.db.read;
  if (agent.type === 'L3 agent') {
    const { n } = await db
      .selectFrom('routers')
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .where('host_id', '=', agent.host.id)
      .executeTakeFirstOrThrow();
    return { agent_mode: 'legacy', handle_internal_only_routers: true, routers: Number(n) };
  }
  if (agent.type === 'Linux bridge agent') {
    const { n } = await db
      .selectFrom('ports')
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .where('host_id', '=', agent.host.id)
      .executeTakeFirstOrThrow();
    return { tunnel_types: ['vxlan'], devices: Number(n) };
  }
  return {};
}

const show = async (ctx: Ctx, id: string): Promise<Record<string, unknown>> => {
  const agent = await agentById(ctx.platform.db.read, id);
  return agentView(ctx.platform, agent, await configurations(ctx, agent));
};

const fields = Type.Object({ fields: Type.Optional(Type.Array(Type.String({ maxLength: 64 }))) });
export const agentRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.0/agents',
    policy: 'get_agent',
    summary: 'List network agents',
    query,
    async handler({ ctx, rawQuery }) {
      const views = [];
      // Operators' own: others get an empty list, as from Neutron.
      if (isAdmin(ctx.actor))
        for (const agent of await listAgents(ctx.platform.db.read))
          views.push(agentView(ctx.platform, agent, await configurations(ctx, agent)));
      return { body: { agents: listViews(query, rawQuery, 'Agent', 'id', views) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/agents/:agent_id',
    policy: 'manage_agent',
    summary: 'Show a network agent',
    ids,
    query: fields,
    handler: async ({ ctx, params, rawQuery }) => ({
      body: { agent: pick(await show(ctx, params.agent_id), rawQuery) },
    }),
  }),
  route({
    method: 'PUT',
    path: '/v2.0/agents/:agent_id',
    policy: 'manage_agent',
    summary: 'Describe a network agent, or take it out of service',
    ids,
    body: strict({
      agent: strict({
        admin_state_up: Type.Optional(Type.Boolean()),
        description: Type.Optional(prose(255)),
      }),
    }),
    async handler({ ctx, params, body: { agent: input } }) {
      await ctx.platform.db.tx(async (tx) => {
        const agent = await agentById(tx, params.agent_id);
        if (input.admin_state_up === false && agent.type !== 'L3 agent')
          throw badRequest(
            `Invalid input for admin_state_up. Value: false. A ${agent.type} serves the guests of its own host and cannot be taken out of service alone: disable the compute service of ${agent.host.hostname}.`,
          );
        const row = {
          id: agent.id,
          host_id: agent.host.id,
          description: input.description ?? agent.description,
          admin_state_up: (input.admin_state_up ?? agent.adminStateUp) ? 1 : 0,
        };
        await tx
          .insertInto('network_agents')
          .values(row)
          .onConflict((oc) => oc.column('id').doUpdateSet(row))
          .execute();
        await audit(tx, ctx, 'agent', agent.id);
      });
      return { body: { agent: await show(ctx, params.agent_id) } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v2.0/agents/:agent_id',
    policy: 'manage_agent',
    summary: 'Delete a network agent: refused, it is as long as its host is',
    ids,
    status: 204,
    async handler({ ctx, params }) {
      const agent = await agentById(ctx.platform.db.read, params.agent_id);
      throw conflict(
        `Agent ${agent.id} cannot be deleted: it is a part of host ${agent.host.hostname} and exists as long as that is registered.`,
        'AgentInUse',
      );
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/agents/:agent_id/dhcp-networks',
    policy: 'manage_agent',
    summary: 'Networks that a DHCP agent serves',
    ids,
    async handler({ ctx, params }) {
      const db = ctx.platform.db.read;
      const agent = await agentById(db, params.agent_id, 'DHCP agent');
      const rows = !agent.host.enabled
        ? []
        : await visibleNetworks(db, ctx.actor)
            .where(
              'networks.id',
              'not in',
              db.selectFrom('dhcp_exclusions').select('network_id').where('host_id', '=', agent.host.id),
            )
            .orderBy('networks.id')
            .execute();
      return { body: { networks: await networkViews(db, ctx, rows) } };
    },
  }),
  route({
    method: 'POST',
    path: '/v2.0/agents/:agent_id/dhcp-networks',
    policy: 'manage_agent',
    summary: 'Give a network back to a DHCP agent',
    ids,
    status: 201,
    body: strict({ network_id: idOf('network') }),
    async handler({ ctx, params, body }) {
      await serveDhcp(ctx, params.agent_id, body.network_id);
      return {};
    },
  }),
  route({
    method: 'DELETE',
    path: '/v2.0/agents/:agent_id/dhcp-networks/:network_id',
    policy: 'manage_agent',
    summary: 'Take a network from a DHCP agent: guests on its host get no DHCP there',
    ids: { ...ids, network_id: 'network' },
    status: 204,
    async handler({ ctx, params }) {
      await stopDhcp(ctx, params.agent_id, params.network_id);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/agents/:agent_id/l3-routers',
    policy: 'manage_agent',
    summary: 'Routers that an L3 agent hosts',
    ids,
    async handler({ ctx, params }) {
      const db = ctx.platform.db.read;
      const agent = await agentById(db, params.agent_id, 'L3 agent');
      const rows = await routers
        .rows(db, ctx.actor)
        .where('routers.host_id', '=', agent.host.id)
        .orderBy('routers.id')
        .execute();
      return { body: { routers: await routers.views(db, ctx, rows) } };
    },
  }),
  route({
    method: 'POST',
    path: '/v2.0/agents/:agent_id/l3-routers',
    policy: 'manage_agent',
    summary: 'Give a router to an L3 agent',
    ids,
    status: 201,
    body: strict({ router_id: idOf('router') }),
    async handler({ ctx, params, body }) {
      await schedule(ctx, params.agent_id, body.router_id);
      return {};
    },
  }),
  route({
    method: 'DELETE',
    path: '/v2.0/agents/:agent_id/l3-routers/:router_id',
    policy: 'manage_agent',
    summary: 'Take a router from an L3 agent; it waits until it is given to another',
    ids: { ...ids, router_id: 'router' },
    status: 204,
    async handler({ ctx, params }) {
      await unschedule(ctx, params.agent_id, params.router_id);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/networks/:network_id/dhcp-agents',
    policy: 'manage_agent',
    summary: 'DHCP agents that serve a network',
    ids: { network_id: 'network' },
    async handler({ ctx, params }) {
      await readableNetwork(ctx.platform.db.read, ctx.actor, params.network_id);
      const agents = await dhcpAgents(ctx, params.network_id);
      return { body: { agents: agents.map((agent) => agentView(ctx.platform, agent)) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/routers/:router_id/l3-agents',
    policy: 'manage_agent',
    summary: 'The L3 agent that hosts a router',
    ids: { router_id: 'router' },
    async handler({ ctx, params }) {
      const db = ctx.platform.db.read;
      const router = await readableRouter(db, ctx.actor, params.router_id);
      const agents = (await listAgents(db)).filter(
        (agent) => agent.type === 'L3 agent' && agent.host.id === router.host_id,
      );
      return {
        body: { agents: agents.map((agent) => ({ ...agentView(ctx.platform, agent), ha_state: null })) },
      };
    },
  }),
];
