// Lists of volumes and snapshots: filters, sorting and paging as Cinder has them.
import { badRequest, notFound } from '../../kernel/errors.ts';
import { applyPage, cutPage, nextLink, parseSort, type SortKey } from '../../kernel/paging.ts';
import type { Ctx } from '../../kernel/platform.ts';
import { canSee, isAdmin, projectOf } from '../../kernel/policy.ts';
import { VOLUME_PREFIX } from './routing.ts';
import { isSet, type PageQuery } from './volumes/schema.ts';
import type { SnapshotRow } from './snapshots/table.ts';
import type { VolumeRow } from './volumes/table.ts';

/** Cinder's osapi_max_limit. */
const MAX_PAGE = 1000;

/** `sort=key:dir,...` or the older sort_key and sort_dir; the newest first. */
function sortOf(query: PageQuery, columns: Readonly<Record<string, string>>): SortKey[] {
  const pairs = (query.sort ?? '')
    .split(',')
    .filter((pair) => pair !== '')
    .map((pair) => pair.split(':'));
  const keys =
    pairs.length > 0
      ? pairs.map(([key]) => key ?? '')
      : query.sort_key === undefined
        ? []
        : query.sort_key.split(',');
  const directions =
    pairs.length > 0
      ? pairs.map(([, direction]) => direction ?? 'desc')
      : (query.sort_dir ?? 'desc').split(',');
  return parseSort(
    columns,
    keys.map((key) => key.trim()),
    directions.map((one) => one.trim()),
    [{ column: 'created_at', direction: query.sort_dir === 'asc' ? 'asc' : 'desc' }],
  );
}

/** {'key': 'value'} as Python writes it, or JSON. */
function metadataFilter(given: string): Record<string, string> {
  for (const text of [given, given.replace(/\bu'/g, "'").replaceAll("'", '"')]) {
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
        return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key, String(value)]));
    } catch {
      // the other notation
    }
  }
  throw badRequest(
    `Invalid input for query parameters. Value: ${given.slice(0, 100)}. metadata must be an object of strings.`,
  );
}

/** JSON of one member, as it stands within a stored object; LIKE's own characters match themselves by the check that follows. */
const holds = (json: string, wanted: Record<string, string>): boolean => {
  const has = JSON.parse(json) as Record<string, string>;
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(has, key) && has[key] === value);
};

type Table = 'volumes' | 'volume_snapshots';
type Row<T extends Table> = T extends 'volumes' ? VolumeRow : SnapshotRow;

const columnsOf: Record<Table, Record<string, string>> = {
  volumes: {
    id: 'id',
    created_at: 'created_at',
    status: 'status',
    size: 'size_gib',
    availability_zone: 'zone',
    bootable: 'bootable',
    host: 'created_at',
    user_id: 'user_id',
    name: 'name',
    display_name: 'name',
    updated_at: 'created_at',
    volume_type_id: 'type_id',
  },
  volume_snapshots: {
    id: 'id',
    created_at: 'created_at',
    status: 'status',
    size: 'size_gib',
    volume_id: 'volume_id',
    name: 'name',
    display_name: 'name',
    updated_at: 'created_at',
  },
};

export type Page<R> = { rows: R[]; links: { rel: string; href: string }[] | null; total: number | null };

export async function listPage<T extends Table>(
  ctx: Ctx,
  table: T,
  query: PageQuery,
  rawQuery: Readonly<Record<string, string | string[]>>,
  path: string,
): Promise<Page<Row<T>>> {
  const db = ctx.platform.db.read;
  const everywhere = isAdmin(ctx.actor) && isSet(query.all_tenants);
  let rows = db.selectFrom(table as 'volumes').selectAll();
  if (!everywhere) rows = rows.where('project_id', '=', projectOf(ctx.actor));
  else if (query.project_id !== undefined) rows = rows.where('project_id', '=', query.project_id);
  const equal = (column: string, value: unknown): void => {
    if (value !== undefined) rows = rows.where(column as 'id', '=', value as never);
  };
  equal('id', query.id);
  equal('name', query.name ?? query.display_name);
  if (query['name~'] !== undefined)
    rows = rows.where('name', 'like', `%${query['name~'].replace(/[%_\\]/g, '')}%`);
  if (query.status !== undefined) rows = rows.where('status', 'in', query.status.split(','));
  if (table === 'volumes') {
    equal('zone', query.availability_zone);
    equal('bootable', query.bootable === undefined ? undefined : isSet(query.bootable) ? 1 : 0);
    equal('size_gib', query.size);
    equal('user_id', query.user_id);
    equal('group_id', query.group_id);
    equal('source_volume_id', query.source_volid);
    equal('source_snapshot_id', query.snapshot_id);
    if (query.volume_type !== undefined) {
      const { volume_type: type } = query;
      rows = rows.where('type_id', 'in', (eb) =>
        eb
          .selectFrom('volume_types')
          .select('id')
          .where((or) => or.or([or('id', '=', type), or('name', '=', type)])),
      );
    }
  } else {
    equal('volume_id', query.volume_id);
    equal('hidden', 0);
  }

  const wanted = query.metadata === undefined ? null : metadataFilter(query.metadata);
  const sort = sortOf(query, columnsOf[table]);
  let marker: Record<string, unknown> | null = null;
  if (query.marker !== undefined) {
    const row = await db
      .selectFrom(table as 'volumes')
      .selectAll()
      .where('id', '=', query.marker)
      .executeTakeFirst();
    if (row === undefined || !canSee(ctx.actor, row.project_id))
      throw notFound(table === 'volumes' ? 'Volume' : 'Snapshot', query.marker);
    marker = { ...row };
  }
  const limit = Math.min(query.limit ?? MAX_PAGE, MAX_PAGE);
  const offset = query.offset ?? 0;
  // Metadata is looked at row by row: few rows have it, and no engine knows JSON as another does.
  const found = await (
    wanted === null ? applyPage(rows, sort, marker, limit + offset) : applyPage(rows, sort, marker, null)
  ).execute();
  const matching = wanted === null ? found : found.filter((row) => holds(row.metadata, wanted));
  const page =
    limit === 0 ? { rows: [], more: false } : cutPage(matching.slice(offset, offset + limit + 1), limit);
  const last = page.rows.at(-1);
  let total: number | null = null;
  if (isSet(query.with_count))
    total =
      wanted === null
        ? (
            await rows
              .clearSelect()
              .select((eb) => eb.fn.countAll<number>().as('n'))
              .execute()
          ).reduce((sum, row) => sum + Number(row.n), 0)
        : matching.length;
  return {
    rows: page.rows as unknown as Row<T>[],
    links:
      // As Cinder: a full page has a next one, which may be empty.
      last !== undefined && page.rows.length === limit
        ? [
            {
              rel: 'next',
              href: nextLink(
                `${ctx.platform.publicUrl}${VOLUME_PREFIX}/v3/${projectOf(ctx.actor)}/${path}`,
                withoutOffset(rawQuery),
                last.id,
              ),
            },
          ]
        : null,
    total,
  };
}

const withoutOffset = (
  query: Readonly<Record<string, string | string[]>>,
): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(query).filter(([name]) => name !== 'offset'));
