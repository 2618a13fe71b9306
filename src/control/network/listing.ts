// Lists as Neutron has them: filters by any attribute with repeated values, several sort keys, fields=,
// and limit/marker/page_reverse with links to both sides.
import { sql, type RawBuilder, type SelectQueryBuilder, type SqlBool } from 'kysely';
import { Type, type TObject, type TSchema } from 'typebox';
import { badRequest, notFound } from '../../kernel/errors.ts';
import { applyPage, cutPage, nextLink, parseSort } from '../../kernel/paging.ts';
import type { Actor } from '../../kernel/policy.ts';
import { idOf, text } from '../../kernel/schema.ts';

export type RawQuery = Readonly<Record<string, string | string[]>>;

/** How a query parameter narrows the list. */
export type Filter =
  | { by: 'text' | 'boolean' | 'integer'; column: string; /** resource kind, for ids */ ref?: string }
  | { by: 'custom'; where(values: string[], actor: Actor): RawBuilder<SqlBool>; ref?: string };

export type ListSpec = {
  /** As users know it, e.g. 'Network'. */
  noun: string;
  /** e.g. 'networks'. */
  plural: string;
  table: string;
  filters: Readonly<Record<string, Filter>>;
  /** API name -> NOT NULL column. */
  sortable: Readonly<Record<string, string>>;
};

const many = (name: string): string =>
  `exists (select 1 from network_tags t where t.object_id = ${name}.id and t.tag`;

/** Filters and sort keys that every resource has. */
export const standardFilters = (table: string): Record<string, Filter> => ({
  id: { by: 'text', column: `${table}.id` },
  project_id: { by: 'text', column: `${table}.project_id`, ref: 'project' },
  tenant_id: { by: 'text', column: `${table}.project_id`, ref: 'project' },
  description: { by: 'text', column: `${table}.description` },
  revision_number: { by: 'integer', column: `${table}.revision` },
  changed_since: {
    by: 'custom',
    where: (values) =>
      sql`${sql.ref(`${table}.updated_at`)} >= ${instant('changed_since', values.at(-1) ?? '')}`,
  },
  tags: {
    by: 'custom',
    where: (values) =>
      sql.join(
        splitTags(values).map((tag) => sql`${sql.raw(many(table))} = ${tag})`),
        sql` and `,
      ),
  },
  'tags-any': {
    by: 'custom',
    where: (values) => sql`${sql.raw(many(table))} in (${sql.join(splitTags(values))}))`,
  },
  'not-tags': {
    by: 'custom',
    where: (values) =>
      sql`not (${sql.join(
        splitTags(values).map((tag) => sql`${sql.raw(many(table))} = ${tag})`),
        sql` and `,
      )})`,
  },
  'not-tags-any': {
    by: 'custom',
    where: (values) => sql`not ${sql.raw(many(table))} in (${sql.join(splitTags(values))}))`,
  },
});
export const standardSort = {
  id: 'id',
  project_id: 'project_id',
  tenant_id: 'project_id',
  description: 'description',
  created_at: 'created_at',
  updated_at: 'updated_at',
  revision_number: 'revision',
};

const splitTags = (values: string[]): string[] => values.flatMap((value) => value.split(',')).slice(0, 100);
const listOf = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];
export const truth = (name: string, value: string): number => {
  if (/^(true|1|yes|on|t|y)$/i.test(value)) return 1;
  if (/^(false|0|no|off|f|n)$/i.test(value)) return 0;
  throw badRequest(`Invalid input for ${name}. Value: ${value.slice(0, 60)}. It must be true or false.`);
};
const instant = (name: string, value: string): number => {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?$/.test(value)
    ? Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(value) ? value : `${value}Z`)
    : Number.NaN;
  if (Number.isNaN(at))
    throw badRequest(
      `Invalid input for ${name}. Value: ${value.slice(0, 60)}. It must be a time as 2026-01-31T12:00:00.`,
    );
  return at;
};
export const whole = (name: string, value: string): number => {
  if (!/^-?\d{1,15}$/.test(value))
    throw badRequest(`Invalid input for ${name}. Value: ${value.slice(0, 60)}. It must be an integer.`);
  return Number(value);
};

/** The schema of the list's query: for /docs, the fuzzer and the cross-tenant matrix. */
export function querySchema(spec: ListSpec): TObject {
  const properties: Record<string, TSchema> = {
    limit: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }),
    marker: text(),
    page_reverse: Type.Boolean(),
    sort_key: Type.Array(text(64), { maxItems: 8 }),
    sort_dir: Type.Array(text(8), { maxItems: 8 }),
    fields: Type.Array(text(64), { maxItems: 100 }),
  };
  for (const [name, filter] of Object.entries(spec.filters))
    properties[name] = Type.Array(
      filter.ref === undefined ? Type.String({ maxLength: 1024 }) : idOf(filter.ref),
      { maxItems: 1000 },
    );
  return Type.Object(
    Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)])),
  );
}

/** A filter that nobody knows would otherwise look as if everything matched it. */
export function refuseUnknownFilters(known: readonly string[], raw: RawQuery): void {
  const unknown = Object.keys(raw).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw badRequest(
      `[${unknown
        .slice(0, 5)
        .map((name) => `'${name.slice(0, 60)}'`)
        .join(', ')}] is invalid attribute for filtering. It must be one of ${known.join(', ')}.`,
      'HTTPBadRequest',
    );
}

export function applyFilters<DB, T extends keyof DB, O>(
  spec: ListSpec,
  query: SelectQueryBuilder<DB, T, O>,
  raw: RawQuery,
  actor: Actor,
): SelectQueryBuilder<DB, T, O> {
  let out = query;
  for (const [name, filter] of Object.entries(spec.filters)) {
    const values = listOf(raw[name]);
    if (values.length === 0) continue;
    if (filter.by === 'custom') out = out.where(filter.where(values, actor));
    else {
      const typed = values.map((value) =>
        filter.by === 'boolean' ? truth(name, value) : filter.by === 'integer' ? whole(name, value) : value,
      );
      out = out.where(sql<SqlBool>`${sql.ref(filter.column)} in (${sql.join(typed)})`);
    }
  }
  return out;
}

export type PageLink = { rel: 'next' | 'previous'; href: string };

/** One page of `query` (which holds what the actor may see), with links when a limit was given. */
export async function listPage<DB, T extends keyof DB, O extends { id: string }>(
  spec: ListSpec,
  query: SelectQueryBuilder<DB, T, O>,
  raw: RawQuery,
  base: string,
  actor: Actor,
): Promise<{ rows: O[]; links: PageLink[] }> {
  const one = (name: string): string | undefined => listOf(raw[name]).at(-1);
  const asked = one('limit');
  const limit = asked === undefined || asked === '0' ? null : Number(asked);
  const reverse = truth('page_reverse', one('page_reverse') ?? 'false') === 1;
  const order = parseSort(spec.sortable, listOf(raw['sort_key']), listOf(raw['sort_dir']), [
    { column: 'id', direction: 'asc' },
  ]);
  const sort = order.map(
    (key) =>
      ({
        column: `${spec.table}.${key.column}`,
        direction: reverse ? (key.direction === 'asc' ? 'desc' : 'asc') : key.direction,
      }) as const,
  );
  const markerId = one('marker');
  let marker: Record<string, unknown> | null = null;
  if (markerId !== undefined) {
    const row = (await query
      .where(sql<SqlBool>`${sql.ref(`${spec.table}.id`)} = ${markerId}`)
      .executeTakeFirst()) as Record<string, unknown> | undefined;
    if (row === undefined) throw notFound(spec.noun, markerId);
    marker = Object.fromEntries(order.map((key) => [`${spec.table}.${key.column}`, row[key.column]]));
  }
  const found = (await applyPage(
    applyFilters(spec, query, raw, actor),
    sort,
    marker,
    limit,
  ).execute()) as O[];
  const { rows, more } = cutPage(found, limit);
  if (reverse) rows.reverse();
  if (limit === null || rows.length === 0) return { rows, links: [] };
  const { page_reverse: _, ...forward } = raw;
  const links: PageLink[] = [];
  const last = rows.at(-1);
  const first = rows[0];
  if (last !== undefined && (reverse ? markerId !== undefined : more))
    links.push({ rel: 'next', href: nextLink(base, forward, last.id) });
  if (first !== undefined && (reverse ? more : markerId !== undefined))
    links.push({ rel: 'previous', href: nextLink(base, { ...forward, page_reverse: 'True' }, first.id) });
  return { rows, links };
}

/** Keeps the attributes that fields= names; all when it names none. */
export function pick(view: object, raw: RawQuery): object {
  const fields = new Set(listOf(raw['fields']));
  return fields.size === 0
    ? view
    : Object.fromEntries(Object.entries(view).filter(([name]) => fields.has(name)));
}
