// Listing images: filters, visibility, order and pages as Glance v2 has them.
import { sql } from 'kysely';
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage, cutPage, nextLink, parseSort } from '../../../kernel/paging.ts';
import { integer, text } from '../../../kernel/schema.ts';
import { MEMBER_STATUSES, type MemberStatus } from '../members/table.ts';
import { listable, readImage } from './access.ts';
import { imageView, propertyName } from './wire.ts';

const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 1000;
const columns = {
  name: 'name', status: 'status', created_at: 'created_at', updated_at: 'updated_at', id: 'id', disk_format: 'disk_format',
  container_format: 'container_format', min_ram: 'min_ram', min_disk: 'min_disk', visibility: 'visibility', owner: 'owner',
  size: 'size',
}; // prettier-ignore

const ListQuery = Type.Object({
  limit: Type.Optional(integer(0, 2 ** 31 - 1)),
  marker: Type.Optional(Type.String({ maxLength: 255, 'x-ref': 'image' })),
  sort: Type.Optional(text(500)),
  sort_key: Type.Optional(Type.Array(text(100))),
  sort_dir: Type.Optional(Type.Array(text(10))),
  name: Type.Optional(text(300)),
  id: Type.Optional(text()),
  status: Type.Optional(text()),
  visibility: Type.Optional(text(20)),
  owner: Type.Optional(text()),
  disk_format: Type.Optional(text(40)),
  container_format: Type.Optional(text(40)),
  protected: Type.Optional(Type.Boolean()),
  os_hidden: Type.Optional(Type.Boolean()),
  size: Type.Optional(integer(0, Number.MAX_SAFE_INTEGER)),
  size_min: Type.Optional(integer(0, Number.MAX_SAFE_INTEGER)),
  size_max: Type.Optional(integer(0, Number.MAX_SAFE_INTEGER)),
  tag: Type.Optional(Type.Array(text())),
  member_status: Type.Optional(Type.Union([...MEMBER_STATUSES, 'all'].map((status) => Type.Literal(status)))),
});

/** 'in:a,b' lists values, anything else is one. */
const oneOrMany = (value: string): string[] =>
  value.startsWith('in:')
    ? (value.slice(3).match(/"[^"]*"|[^,]+/g) ?? ['']).map((one) => one.replaceAll('"', ''))
    : [value];

export const listRoute: Route = route({
  method: 'GET',
  path: '/v2/images',
  policy: 'image:images:list',
  summary: 'List images',
  query: ListQuery,
  async handler({ ctx, query, rawQuery }) {
    const { read } = ctx.platform.db;
    const pairs = (query.sort ?? '')
      .split(',')
      .filter((pair) => pair !== '')
      .map((pair) => pair.split(':'));
    const sort = parseSort(
      columns,
      [...(query.sort_key ?? []), ...pairs.map(([key]) => key ?? '')],
      [
        ...(query.sort_dir ?? (query.sort_key === undefined ? [] : ['desc'])),
        ...pairs.map(([, direction]) => direction ?? 'desc'),
      ],
      [{ column: 'created_at', direction: 'desc' }],
    ).map((key) => (key.column === 'size' ? { ...key, orZero: true } : key));
    const limit = Math.min(query.limit ?? DEFAULT_LIMIT, MAX_LIMIT);
    const marker =
      query.marker === undefined ? null : await readImage(read, ctx, query.marker).catch(() => null);
    if (query.marker !== undefined && marker === null)
      throw badRequest(
        `Invalid input for marker. Value: ${query.marker}. No image that you may read has this id.`,
      );
    let rows = read.selectFrom('images').selectAll();
    rows = rows.where(
      listable(ctx, {
        visibility: query.visibility,
        memberStatus: query.member_status as MemberStatus | 'all' | undefined,
      }),
    );
    for (const name of ['name', 'id', 'status', 'disk_format', 'container_format'] as const) {
      const value = query[name];
      if (value !== undefined) rows = rows.where(name, 'in', oneOrMany(value) as never);
    }
    if (query.visibility !== undefined && query.visibility !== 'all')
      rows = rows.where('visibility', '=', query.visibility as never);
    if (query.owner !== undefined) rows = rows.where('owner', '=', query.owner);
    if (query.protected !== undefined) rows = rows.where('is_protected', '=', query.protected ? 1 : 0);
    rows = rows.where('is_hidden', '=', query.os_hidden === true ? 1 : 0);
    if (query.size !== undefined) rows = rows.where('size', '=', query.size);
    if (query.size_min !== undefined) rows = rows.where('size', '>=', query.size_min);
    if (query.size_max !== undefined) rows = rows.where('size', '<=', query.size_max);
    // JSON on both engines: a member stands behind the bracket or a comma, and in it every quote is escaped.
    const holds = (column: string, open: '[' | '{', member: string) =>
      sql<boolean>`(replace(${sql.ref(column)}, ${open + member}, '') <> ${sql.ref(column)} or replace(${sql.ref(column)}, ${`,${member}`}, '') <> ${sql.ref(column)})`;
    for (const tag of query.tag ?? []) rows = rows.where(holds('tags', '[', JSON.stringify(tag)));
    for (const [name, value] of Object.entries(rawQuery))
      if (!Object.hasOwn(ListQuery.properties, name) && typeof value === 'string' && propertyName.test(name))
        rows = rows.where(holds('properties', '{', `${JSON.stringify(name)}:${JSON.stringify(value)}`));
    if (limit === 0) return { body: { images: [], first: '/v2/images', schema: '/v2/schemas/images' } };
    const page = cutPage(await applyPage(rows, sort, marker, limit).execute(), limit);
    const last = page.rows.at(-1);
    const first = new URLSearchParams(
      Object.entries(rawQuery).flatMap(([name, value]) =>
        name === 'marker' ? [] : [[name, String(value)] as [string, string]],
      ),
    ).toString();
    return {
      body: {
        images: page.rows.map(imageView),
        first: first === '' ? '/v2/images' : `/v2/images?${first}`,
        ...(page.more && last !== undefined ? { next: nextLink('/v2/images', rawQuery, last.id) } : {}),
        schema: '/v2/schemas/images',
      },
    };
  },
});
