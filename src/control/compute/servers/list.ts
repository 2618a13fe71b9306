// Lists of servers: one query by index for ids and revisions, one for the rows that are not yet encoded.
import { badRequest } from '../../../kernel/errors.ts';
import type { Reply } from '../../../kernel/http/route.ts';
import { applyPage, cutPage, nextLink, parseSort } from '../../../kernel/paging.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, isAdmin } from '../../../kernel/policy.ts';
import { HOST_DOWN_MS, hostSigns } from '../../host/index.ts';
import { COMPUTE_PREFIX, pageSize } from '../links.ts';
import { applyFilters, nameMatcher } from './filters.ts';
import { listQuery, type ListQuery } from './schema.ts';
import type { Db, ServerRow } from './table.ts';
import { briefView, joinObjects, type ServerEncoder, type View, withFields } from './wire.ts';

/** What can be sorted by; columns that may be null are left out, since a marker cannot stand on them. */
const sortColumns: Readonly<Record<string, string>> = {
  access_ip_v4: 'access_ipv4',
  access_ip_v6: 'access_ipv6',
  config_drive: 'config_drive',
  created_at: 'created_at',
  display_name: 'name',
  name: 'name',
  image_ref: 'image_id',
  instance_type_id: 'flavor_id',
  flavor: 'flavor_id',
  launch_index: 'launch_index',
  project_id: 'project_id',
  updated_at: 'updated_at',
  user_id: 'user_id',
  uuid: 'id',
  id: 'id',
  vm_state: 'vm_state',
  status: 'status',
  hostname: 'hostname',
  locked: 'locked',
};

const known = new Set(Object.keys(listQuery.properties));
function refuseUnknown(ctx: Ctx, query: Readonly<Record<string, unknown>>): void {
  if (ctx.microversion < 75) return;
  const unknown = Object.keys(query).filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw badRequest(
      `Invalid input for query parameters. Additional properties are not allowed (${unknown
        .slice(0, 5)
        .map((name) => `'${name.slice(0, 60)}'`)
        .join(', ')} unexpected).`,
    );
}

export const viewFor = (ctx: Ctx): View => ({
  publicUrl: ctx.platform.publicUrl,
  minor: ctx.microversion,
  admin: isAdmin(ctx.actor),
});

/** UP, DOWN, MAINTENANCE or '' for a server without a host: host_status of api-ref, for operators. */
export async function hostStatuses(
  db: Db,
  ctx: Ctx,
  hostIds: readonly string[],
): Promise<(hostId: string | null) => string> {
  const signs = await hostSigns(db, [...new Set(hostIds)]);
  const now = ctx.platform.clock.now();
  return (hostId) => {
    const sign = hostId === null ? undefined : signs.get(hostId);
    if (sign === undefined) return '';
    if (!sign.enabled) return 'MAINTENANCE';
    return now - sign.seenAt > HOST_DOWN_MS ? 'DOWN' : 'UP';
  };
}

const MATCH_BATCH = 500;

async function pageOf(ctx: Ctx, filter: ListQuery) {
  const db = ctx.platform.db.read;
  const limit = pageSize(filter.limit);
  const query = applyFilters(
    db.selectFrom('servers').select(['id', 'name', 'revision', 'host_id']),
    ctx,
    filter,
  );
  if (query === null) return { rows: [], more: false };
  const newest = { column: 'created_at', direction: 'desc' } as const;
  const sort = parseSort(sortColumns, filter.sort_key ?? [], filter.sort_dir ?? [], [newest]);
  let marker: ServerRow | null = null;
  if (filter.marker !== undefined) {
    marker =
      (await db.selectFrom('servers').selectAll().where('id', '=', filter.marker).executeTakeFirst()) ?? null;
    if (marker === null || !canSee(ctx.actor, marker.project_id))
      throw badRequest(`Marker ${filter.marker} could not be found.`);
  }
  const matches = nameMatcher(filter);
  if (matches === null) return cutPage(await applyPage(query, sort, marker, limit).execute(), limit);
  // What the database cannot match is read in batches, until there is one more than the page holds.
  const found: Awaited<ReturnType<typeof query.execute>> = [];
  for (;;) {
    const batch = await applyPage(query, sort, marker, MATCH_BATCH).execute();
    found.push(...batch.slice(0, MATCH_BATCH).filter((row) => matches(row.name)));
    const last = batch[MATCH_BATCH - 1];
    if (found.length > limit || last === undefined || batch.length <= MATCH_BATCH) break;
    marker =
      (await db.selectFrom('servers').selectAll().where('id', '=', last.id).executeTakeFirst()) ?? null;
    if (marker === null) break;
  }
  return cutPage(found, limit);
}

/** The encoded servers of these ids in their order; a server that is gone meanwhile is left out. */
async function encodeAll(
  ctx: Ctx,
  encoder: ServerEncoder,
  page: readonly { id: string; revision: number }[],
  view: View,
): Promise<(Buffer | undefined)[]> {
  const texts = page.map((row) => encoder.cached(row.id, row.revision, view));
  const missing = page.filter((_, at) => texts[at] === undefined).map((row) => row.id);
  if (missing.length === 0) return texts;
  const fresh = new Map<string, Buffer>();
  for (let at = 0; at < missing.length; at += 500) {
    const rows = await ctx.platform.db.read
      .selectFrom('servers')
      .selectAll()
      .where('id', 'in', missing.slice(at, at + 500))
      .execute();
    for (const row of rows) fresh.set(row.id, encoder.encode(row, view));
  }
  return page.map((row, at) => texts[at] ?? fresh.get(row.id));
}

export async function listServers(
  ctx: Ctx,
  encoder: ServerEncoder,
  detail: boolean,
  filter: ListQuery,
  rawQuery: Readonly<Record<string, string | string[]>>,
): Promise<Reply> {
  refuseUnknown(ctx, rawQuery);
  const { rows, more } = await pageOf(ctx, filter);
  const { publicUrl } = ctx.platform;
  const last = rows.at(-1);
  const links =
    more && last !== undefined
      ? `,"servers_links":${JSON.stringify([{ rel: 'next', href: nextLink(`${publicUrl}${COMPUTE_PREFIX}/v2.1/servers${detail ? '/detail' : ''}`, rawQuery, last.id) }])}`
      : '';
  if (!detail)
    return { body: `{"servers":${JSON.stringify(rows.map((row) => briefView(row, publicUrl)))}${links}}` };
  const view = viewFor(ctx);
  let texts = await encodeAll(ctx, encoder, rows, view);
  if (view.admin && view.minor >= 16) {
    const statusOf = await hostStatuses(
      ctx.platform.db.read,
      ctx,
      rows.flatMap((row) => row.host_id ?? []),
    );
    texts = texts.map((text, at) =>
      text === undefined ? undefined : withFields(text, { host_status: statusOf(rows[at]?.host_id ?? null) }),
    );
  }
  return {
    body: joinObjects(
      '{"servers":[',
      texts.filter((text) => text !== undefined),
      `]${links}}`,
    ),
  };
}

/** One server with what only `show` has: host_status and server_groups. */
export async function encodeShown(ctx: Ctx, encoder: ServerEncoder, row: ServerRow): Promise<Buffer> {
  const view = viewFor(ctx);
  const extra: Record<string, unknown> = {};
  if (view.admin && view.minor >= 16) {
    const statusOf = await hostStatuses(ctx.platform.db.read, ctx, row.host_id === null ? [] : [row.host_id]);
    extra['host_status'] = statusOf(row.host_id);
  }
  if (view.minor >= 71) extra['server_groups'] = row.group_id === null ? [] : [row.group_id];
  const text = encoder.encode(row, view);
  return Object.keys(extra).length === 0 ? text : withFields(text, extra);
}
