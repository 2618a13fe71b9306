// Actions that need the guest's help: api-ref "Servers - run an action".
import { audit } from '../../../kernel/audit.ts';
import { CloudError, conflict, unavailable } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';
import type { ComputeDeps } from '../deps.ts';
import { nothing } from '../links.ts';
import { refuseIncapable, refuseLocked, wrongState } from './lifecycle.ts';
import { stateOf } from './status.ts';
import { findServer, recordAction } from './store.ts';
import type { ServerRow } from './table.ts';

const ids = { server_id: 'server' } as const;
const ACTION = '/v2.1/servers/:server_id/action';
const crashable = ['active', 'paused', 'rescued', 'resized', 'error'];

async function interruptible(ctx: Ctx, serverId: string): Promise<ServerRow> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    refuseLocked(ctx, row);
    const { vmState } = stateOf(row);
    if (!crashable.includes(vmState) || row.host_id === null)
      throw wrongState('trigger_crash_dump', row, 'vm_state', vmState);
    await refuseIncapable(tx, row, { name: 'trigger_crash_dump', capability: 'nmi' });
    await recordAction(tx, ctx, row, 'trigger_crash_dump', { done: true });
    await audit(tx, ctx, 'server', row.id);
    return row;
  });
}

export const guestActionRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'changePassword',
    policy: 'compute:servers:change-password',
    summary: 'Set the password of the guest',
    status: 202,
    body: strict({ adminPass: text(255) }),
    async handler({ ctx, params }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      refuseLocked(ctx, row);
      const { vmState, taskState } = stateOf(row);
      if (vmState !== 'active') throw wrongState('changePassword', row, 'vm_state', vmState);
      if (taskState !== null) throw wrongState('changePassword', row, 'task_state', taskState);
      throw conflict(
        `Failed to set admin password on ${row.id} because its guest has no agent that would do it (QEMU guest agent is not enabled). Log in with a key pair instead.`,
      );
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'trigger_crash_dump',
    policy: 'compute:servers:crash-dump',
    summary: 'Interrupt a guest, so that its kernel dumps',
    since: '2.17',
    status: 202,
    body: nothing,
    async handler({ ctx, params }) {
      const row = await interruptible(ctx, params.server_id);
      const host = deps.hosts.queries(row.host_id ?? '');
      if (host?.interruptServer === undefined)
        throw unavailable(`The host of instance ${row.id} is not connected; try again when it is back.`);
      await host.interruptServer(row.id).catch((error: unknown) => {
        throw new CloudError(
          409,
          'Conflict',
          `Failed to trigger a crash dump of instance ${row.id}: its guest does not run, or does not answer.`,
          { cause: error },
        );
      });
      return {};
    },
  }),
];
