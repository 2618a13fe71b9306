// Deferred deletion over HTTP: api-ref "Force-Delete Server" and "Restore Soft-Deleted Instance". Deletion is never
// deferred here, as in Nova with its default reclaim_instance_interval: there is nothing to restore.
import { route, type Route } from '../../../kernel/http/route.ts';
import type { ComputeDeps } from '../deps.ts';
import { nothing } from '../links.ts';
import { deleteServer, wrongState } from './lifecycle.ts';
import { stateOf } from './status.ts';
import { findServer } from './store.ts';

const ids = { server_id: 'server' } as const;
const ACTION = '/v2.1/servers/:server_id/action';

export const deferredDeleteRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'forceDelete',
    policy: 'compute:servers:delete',
    summary: 'Delete a server, also one whose deletion was deferred',
    status: 202,
    body: nothing,
    async handler({ ctx, params }) {
      await deleteServer(ctx, deps, params.server_id);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'restore',
    policy: 'compute:servers:delete',
    summary: 'Restore a server whose deletion was deferred: there are none',
    status: 202,
    body: nothing,
    async handler({ ctx, params }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      throw wrongState('restore', row, 'vm_state', stateOf(row).vmState);
    },
  }),
];
