// What was done to a server, over HTTP: api-ref "Servers actions". From 2.21 on also of servers that are gone.
import { sql } from 'kysely';
import { Type } from 'typebox';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { nextLink } from '../../../kernel/paging.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { integer, since, text } from '../../../kernel/schema.ts';
import { COMPUTE_PREFIX, pageSize } from '../links.ts';
import { findServerOrDeleted } from './deleted.ts';
import { timeOf } from './filters.ts';
import { findServer } from './store.ts';
import type { ServerActionRow, ServerRow } from './table.ts';
import { hostIdOf } from './wire.ts';

/** Events of actions that Nova's compute manager does not name `compute_ACTION_instance`. */
const EVENTS: Record<string, string> = {
  addFixedIp: 'compute_add_fixed_ip_to_instance',
  attach_interface: 'compute_attach_interface',
  attach_volume: 'compute_attach_volume',
  changePassword: 'compute_set_admin_password',
  confirmResize: 'compute_confirm_resize',
  create: 'compute__do_build_and_run_instance',
  createBackup: 'compute_backup_instance',
  createImage: 'compute_snapshot_instance',
  delete: 'compute_terminate_instance',
  detach_interface: 'compute_detach_interface',
  detach_volume: 'compute_detach_volume',
  extend_volume: 'compute_extend_volume',
  removeFixedIp: 'compute_remove_fixed_ip_from_instance',
  revertResize: 'compute_revert_resize',
  shelveOffload: 'compute_shelve_offload_instance',
  trigger_crash_dump: 'compute_trigger_crash_dump',
};
const eventOf = (action: string): string => EVENTS[action] ?? `compute_${action}_instance`;

const ids = { server_id: 'server' } as const;
const PATH = '/v2.1/servers/:server_id/os-instance-actions';
const PAGED_SINCE = 58;

const microseconds = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000');

const actionView = (row: ServerActionRow, ctx: Ctx) => ({
  instance_uuid: row.server_id,
  action: row.action,
  request_id: row.request_id,
  user_id: row.user_id === '' ? null : row.user_id,
  project_id: row.project_id,
  start_time: microseconds(row.started_at),
  message: row.message,
  ...(ctx.microversion >= PAGED_SINCE ? { updated_at: microseconds(row.finished_at ?? row.started_at) } : {}),
});

async function serverOf(ctx: Ctx, id: string): Promise<ServerRow> {
  const db = ctx.platform.db.read;
  return ctx.microversion >= 21 ? (await findServerOrDeleted(db, ctx, id)).row : findServer(db, ctx, id);
}

export const historyRoutes: Route[] = [
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy: 'compute:servers:actions',
    summary: 'List what was done to a server',
    query: Type.Object({
      limit: since('2.58', Type.Optional(integer(0, 2_147_483_647))),
      marker: since('2.58', Type.Optional(text(255))),
      'changes-since': since('2.58', Type.Optional(text(64))),
      'changes-before': since('2.66', Type.Optional(text(64))),
    }),
    async handler({ ctx, params, query, rawQuery }) {
      const server = await serverOf(ctx, params.server_id);
      const limit = pageSize(query.limit);
      const updated = sql<number>`coalesce(finished_at, started_at)`;
      let rows = ctx.platform.db.read
        .selectFrom('server_actions')
        .selectAll()
        .where('server_id', '=', server.id)
        .orderBy('started_at', 'desc')
        .orderBy('version', 'desc')
        .orderBy('id', 'desc');
      if (query['changes-since'] !== undefined)
        rows = rows.where(updated, '>=', timeOf(query['changes-since'], 'changes-since'));
      if (query['changes-before'] !== undefined)
        rows = rows.where(updated, '<=', timeOf(query['changes-before'], 'changes-before'));
      let found = await rows.execute();
      if (query.marker !== undefined) {
        const at = found.findIndex((row) => row.request_id === query.marker);
        if (at < 0) throw badRequest(`Marker ${query.marker} could not be found.`);
        found = found.slice(at + 1);
      }
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const path = `${ctx.platform.publicUrl}${COMPUTE_PREFIX}/v2.1/servers/${server.id}/os-instance-actions`;
      return {
        body: {
          instanceActions: page.map((row) => actionView(row, ctx)),
          ...(ctx.microversion >= PAGED_SINCE && found.length > page.length && last !== undefined
            ? { links: [{ rel: 'next', href: nextLink(path, rawQuery, last.request_id) }] }
            : {}),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: `${PATH}/:request_id`,
    ids: { ...ids, request_id: 'none' },
    policy: 'compute:servers:actions',
    summary: 'Show one thing that was done to a server',
    async handler({ ctx, params }) {
      const server = await serverOf(ctx, params.server_id);
      const row = await ctx.platform.db.read
        .selectFrom('server_actions')
        .selectAll()
        .where('server_id', '=', server.id)
        .where('request_id', '=', params.request_id)
        .executeTakeFirst();
      if (row === undefined) throw notFound('Action for request_id', params.request_id);
      const admin = isAdmin(ctx.actor);
      const event = {
        event: eventOf(row.action),
        start_time: microseconds(row.started_at),
        finish_time: row.finished_at === null ? null : microseconds(row.finished_at),
        result: row.result,
        ...(admin ? { traceback: null } : {}),
        ...(ctx.microversion >= 62
          ? { hostId: hostIdOf(server), ...(admin ? { host: server.host_name } : {}) }
          : {}),
        ...(ctx.microversion >= 84 ? { details: row.message } : {}),
      };
      return {
        body: {
          instanceAction: {
            ...actionView(row, ctx),
            ...(admin || ctx.microversion >= 51 ? { events: [event] } : {}),
          },
        },
      };
    },
  }),
];
