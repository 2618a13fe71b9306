// Migrations over HTTP: api-ref "Migrations", "Server migrations", and the action that moves a server. Roots are files on
// their hosts, so that what migrations there are are resizes in place, and a move finds no valid host.
import { Type } from 'typebox';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage, cutPage, nextLink } from '../../../kernel/paging.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, integer, nullable, since, strict, text } from '../../../kernel/schema.ts';
import { COMPUTE_PREFIX, MAX_PAGE, nothing, pageSize } from '../links.ts';
import { timeOf } from './filters.ts';
import { refuseLocked, wrongState } from './lifecycle.ts';
import type { ServerMigrationRow } from './server-migrations.ts';
import { stateOf } from './status.ts';
import { findServer } from './store.ts';

const time = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000');

/** Nova shows its own row numbers of flavors here, which are nobody's id: a number that is the same for the same flavor. */
function flavorNumber(id: string): number {
  if (/^[0-9]{1,9}$/.test(id)) return Number(id);
  let hash = 0x811c9dc5;
  for (const char of id) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return hash & 0x7fffffff;
}

const view = (ctx: Ctx, row: ServerMigrationRow): object => ({
  id: row.id,
  ...(ctx.microversion >= 59 ? { uuid: row.uuid } : {}),
  instance_uuid: row.server_id,
  status: row.status,
  ...(ctx.microversion >= 23 ? { migration_type: 'resize' } : {}),
  source_compute: row.host_name,
  source_node: row.host_name,
  dest_compute: row.host_name,
  dest_node: row.host_name,
  dest_host: null,
  old_instance_type_id: flavorNumber(row.old_flavor_id),
  new_instance_type_id: flavorNumber(row.new_flavor_id),
  created_at: time(row.created_at),
  updated_at: time(row.updated_at),
  ...(ctx.microversion >= 80 ? { user_id: row.user_id, project_id: row.project_id } : {}),
});

const query = Type.Object({
  host: Type.Optional(text(255)),
  instance_uuid: Type.Optional(idOf('server')),
  migration_type: Type.Optional(text(255)),
  source_compute: Type.Optional(text(255)),
  status: Type.Optional(text(255)),
  limit: since('2.59', Type.Optional(integer(0, 2_147_483_647))),
  marker: since('2.59', Type.Optional(text(64))),
  'changes-since': since('2.59', Type.Optional(text(64))),
  'changes-before': since('2.66', Type.Optional(text(64))),
  user_id: since('2.80', Type.Optional(idOf('user'))),
  project_id: since('2.80', Type.Optional(idOf('project'))),
});

const listRoute = route({
  method: 'GET',
  path: '/v2.1/os-migrations',
  policy: 'compute:migrations',
  summary: 'List migrations',
  query,
  async handler({ ctx, query: asked, rawQuery }) {
    const { read } = ctx.platform.db;
    const minor = ctx.microversion;
    let rows = read.selectFrom('server_migrations').selectAll();
    if (asked.instance_uuid !== undefined) rows = rows.where('server_id', '=', asked.instance_uuid);
    if (asked.status !== undefined) rows = rows.where('status', '=', asked.status as never);
    for (const host of [asked.host, asked.source_compute])
      if (host !== undefined) rows = rows.where('host_name', '=', host);
    if (asked.migration_type !== undefined && asked.migration_type !== 'resize')
      return { body: { migrations: [] } };
    const since_ = minor >= 59 ? asked['changes-since'] : undefined;
    const before = minor >= 66 ? asked['changes-before'] : undefined;
    const from = since_ === undefined ? null : timeOf(since_, 'changes-since');
    const to = before === undefined ? null : timeOf(before, 'changes-before');
    if (from !== null && to !== null && from > to)
      throw badRequest('The value of changes-since must be less than or equal to changes-before.');
    if (from !== null) rows = rows.where('updated_at', '>=', from);
    if (to !== null) rows = rows.where('updated_at', '<=', to);
    if (minor >= 80 && asked.user_id !== undefined) rows = rows.where('user_id', '=', asked.user_id);
    if (minor >= 80 && asked.project_id !== undefined) rows = rows.where('project_id', '=', asked.project_id);
    let marker: ServerMigrationRow | null = null;
    if (minor >= 59 && asked.marker !== undefined) {
      marker =
        (await read
          .selectFrom('server_migrations')
          .selectAll()
          .where('uuid', '=', asked.marker)
          .executeTakeFirst()) ?? null;
      if (marker === null) throw badRequest(`Marker ${asked.marker} could not be found.`);
    }
    const limit = minor >= 59 ? pageSize(asked.limit) : MAX_PAGE;
    const sort = [
      { column: 'created_at', direction: 'desc' },
      { column: 'id', direction: 'desc' },
    ] as const;
    const page = cutPage(await applyPage(rows, sort, marker, limit).execute(), limit);
    const last = page.rows.at(-1);
    return {
      body: {
        migrations: page.rows.map((row) => view(ctx, row)),
        ...(minor >= 59 && page.more && last !== undefined
          ? {
              migrations_links: [
                {
                  rel: 'next',
                  href: nextLink(
                    `${ctx.platform.publicUrl}${COMPUTE_PREFIX}/v2.1/os-migrations`,
                    rawQuery,
                    last.uuid,
                  ),
                },
              ],
            }
          : {}),
      },
    };
  },
});

const ids = { server_id: 'server' } as const;
const PATH = '/v2.1/servers/:server_id/migrations';

/** Of live migrations in progress, of which there are none. */
const noMigration = async (ctx: Ctx, serverId: string, id: string): Promise<never> => {
  await findServer(ctx.platform.db.read, ctx, serverId);
  throw notFound(`Migration of server ${serverId}`, id);
};

export const migrationRoutes: Route[] = [
  listRoute,
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy: 'compute:migrations',
    summary: 'List the live migrations of a server that are in progress',
    since: '2.23',
    async handler({ ctx, params }) {
      await findServer(ctx.platform.db.read, ctx, params.server_id);
      return { body: { migrations: [] } };
    },
  }),
  route({
    method: 'GET',
    path: `${PATH}/:migration_id`,
    ids: { ...ids, migration_id: 'none' },
    policy: 'compute:migrations',
    summary: 'Show a live migration of a server that is in progress',
    since: '2.23',
    handler: ({ ctx, params }) => noMigration(ctx, params.server_id, params.migration_id),
  }),
  route({
    method: 'DELETE',
    path: `${PATH}/:migration_id`,
    ids: { ...ids, migration_id: 'none' },
    policy: 'compute:migrations',
    summary: 'Abort a live migration of a server',
    since: '2.24',
    status: 202,
    handler: ({ ctx, params }) => noMigration(ctx, params.server_id, params.migration_id),
  }),
  route({
    method: 'POST',
    path: '/v2.1/servers/:server_id/action',
    ids,
    action: 'migrate',
    policy: 'compute:servers:migrate',
    summary: 'Move a server to another host',
    status: 202,
    body: Type.Union([nothing, since('2.56', strict({ host: Type.Optional(nullable(text(255, 1))) }))]),
    async handler({ ctx, params }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      refuseLocked(ctx, row);
      const { vmState, taskState } = stateOf(row);
      if (vmState !== 'active' && vmState !== 'stopped')
        throw wrongState('migrate', row, 'vm_state', vmState);
      if (taskState !== null) throw wrongState('migrate', row, 'task_state', taskState);
      throw badRequest(
        `No valid host was found. The disks of instance ${row.id} are files on host ${row.host_name ?? ''}, and no other host has them. Make an image of it and create it anew there.`,
        'NoValidHost',
      );
    },
  }),
];
