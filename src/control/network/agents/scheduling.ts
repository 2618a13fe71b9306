// Which agent serves what: routers live on one host; DHCP is served by every host to its own guests of a network,
// unless an operator took the network from it.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { readableNetwork } from '../networks/schema.ts';
import { readableRouter } from '../routers/routers.ts';
import { agentById, listAgents, type Agent } from './agents.ts';

export async function dhcpAgents(ctx: Ctx, networkId: string): Promise<Agent[]> {
  const db = ctx.platform.db.read;
  const without = new Set(
    (
      await db.selectFrom('dhcp_exclusions').select('host_id').where('network_id', '=', networkId).execute()
    ).map((row) => row.host_id),
  );
  return (await listAgents(db)).filter(
    ({ type, host }) => type === 'DHCP agent' && host.enabled && !without.has(host.id),
  );
}

export async function serveDhcp(ctx: Ctx, agentId: string, networkId: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const agent = await agentById(tx, agentId, 'DHCP agent');
    await readableNetwork(tx, ctx.actor, networkId);
    const deleted = await tx
      .deleteFrom('dhcp_exclusions')
      .where('network_id', '=', networkId)
      .where('host_id', '=', agent.host.id)
      .executeTakeFirst();
    if (deleted.numDeletedRows === 0n)
      throw conflict(
        `The network ${networkId} has been already hosted by the DHCP Agent ${agentId}.`,
        'NetworkHostedByDHCPAgent',
      );
    await ctx.platform.work.enqueue(tx, 'network', [networkId]);
    await audit(tx, ctx, 'network', networkId);
  });
}

export async function stopDhcp(ctx: Ctx, agentId: string, networkId: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const agent = await agentById(tx, agentId, 'DHCP agent');
    await readableNetwork(tx, ctx.actor, networkId);
    const row = { network_id: networkId, host_id: agent.host.id };
    const inserted = await tx
      .insertInto('dhcp_exclusions')
      .values(row)
      .onConflict((oc) => oc.columns(['network_id', 'host_id']).doNothing())
      .executeTakeFirst();
    if (inserted.numInsertedOrUpdatedRows === 0n)
      throw conflict(
        `The network ${networkId} is not hosted by the DHCP agent ${agentId}.`,
        'NetworkNotHostedByDhcpAgent',
      );
    await ctx.platform.work.enqueue(tx, 'network', [networkId]);
    await audit(tx, ctx, 'network', networkId);
  });
}

export async function schedule(ctx: Ctx, agentId: string, routerId: string): Promise<void> {
  await ctx.platform.db.tx(
    async (tx) => {
      const agent = await agentById(tx, agentId, 'L3 agent');
      const router = await readableRouter(tx, ctx.actor, routerId);
      if (!agent.adminStateUp || !agent.host.enabled)
        throw conflict(`Agent ${agentId} is not a L3 Agent or has been disabled.`, 'InvalidL3Agent');
      if (router.host_id === agent.host.id) return;
      if (router.host_id !== '')
        throw conflict(
          `The router ${routerId} has been already hosted by another L3 agent; remove it there first.`,
          'RouterHostedByL3Agent',
        );
      await place(tx, ctx, routerId, { host_id: agent.host.id, unscheduled: 0 });
    },
    { locks: [`router:${routerId}`] },
  );
}

export async function unschedule(ctx: Ctx, agentId: string, routerId: string): Promise<void> {
  await ctx.platform.db.tx(
    async (tx) => {
      const agent = await agentById(tx, agentId, 'L3 agent');
      const router = await readableRouter(tx, ctx.actor, routerId);
      if (router.host_id !== agent.host.id)
        throw conflict(
          `The router ${routerId} is not hosted by L3 agent ${agentId}.`,
          'RouterNotHostedByL3Agent',
        );
      await place(tx, ctx, routerId, { host_id: '', unscheduled: 1 });
    },
    { locks: [`router:${routerId}`] },
  );
}

async function place(
  tx: Tx,
  ctx: Ctx,
  routerId: string,
  to: { host_id: string; unscheduled: number },
): Promise<void> {
  await tx.updateTable('routers').set(to).where('id', '=', routerId).execute();
  await tx.updateTable('ports').set({ status: 'DOWN' }).where('device_id', '=', routerId).execute();
  await ctx.platform.work.enqueue(tx, 'router', [routerId]);
  await audit(tx, ctx, 'router', routerId);
}
