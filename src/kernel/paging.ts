// limit/marker paging and multi-key sorting as the OpenStack API reference has them: keyset, so that a page
// costs the same wherever it starts, and a marker that is gone is a clear 400.
import { sql, type ExpressionBuilder, type SelectQueryBuilder } from 'kysely';
import { badRequest } from './errors.ts';

export type SortKey = {
  column: string;
  direction: 'asc' | 'desc';
  /** A number that may be NULL, which counts as 0: the engines do not agree where it belongs. */
  orZero?: boolean;
};

/**
 * Parses sort_key/sort_dir lists (Nova, Neutron, Glance) or `sort=key:dir,key:dir` (Glance, Cinder).
 * `columns` maps what the API calls a key to a NOT NULL column; 400 names an unknown key. `id` is always
 * the last key, so that an order is total.
 */
export function parseSort(
  columns: Readonly<Record<string, string>>,
  keys: readonly string[],
  directions: readonly string[],
  fallback: readonly SortKey[],
): SortKey[] {
  const named = keys.map((key, at): SortKey => {
    const column = Object.hasOwn(columns, key) ? columns[key] : undefined;
    if (column === undefined)
      throw badRequest(
        `Invalid input for sort_key. Value: ${key.slice(0, 100)}. It must be one of ${Object.keys(columns).join(', ')}.`,
      );
    const direction = directions[at] ?? directions.at(-1) ?? 'asc';
    if (direction !== 'asc' && direction !== 'desc')
      throw badRequest(
        `Invalid input for sort_dir. Value: ${direction.slice(0, 100)}. It must be asc or desc.`,
      );
    return { column, direction };
  });
  // A key that is named again decides nothing any more.
  const sort = named.filter((key, at) => named.findIndex((other) => other.column === key.column) === at);
  const order = sort.length > 0 ? sort : [...fallback];
  return order.some((key) => key.column === 'id')
    ? order
    : [...order, { column: 'id', direction: order[0]?.direction ?? 'asc' }];
}

/**
 * Applies order, marker and limit. `marker` is the row of the marker (all sort columns present), null for the
 * first page. Asks for one row more than `limit`, so that the caller knows whether there is a next page.
 */
export function applyPage<DB, T extends keyof DB, O>(
  query: SelectQueryBuilder<DB, T, O>,
  sort: readonly SortKey[],
  marker: Readonly<Record<string, unknown>> | null,
  limit: number | null,
): SelectQueryBuilder<DB, T, O> {
  let out = query;
  const column = (key: SortKey) =>
    key.orZero === true ? sql<number>`coalesce(${sql.ref(key.column)}, 0)` : sql.ref(key.column);
  const at = (key: SortKey): unknown => marker?.[key.column] ?? (key.orZero === true ? 0 : null);
  if (marker !== null) {
    out = out.where((eb: ExpressionBuilder<DB, T>) =>
      eb.or(
        sort.map((key, index) =>
          eb.and([
            ...sort.slice(0, index).map((earlier) => eb(column(earlier), '=', at(earlier))),
            eb(column(key), key.direction === 'asc' ? '>' : '<', at(key)),
          ]),
        ),
      ),
    );
  }
  for (const key of sort) out = out.orderBy(column(key), key.direction);
  return limit === null ? out : out.limit(limit + 1);
}

/** Cuts the extra row off; `more` says that it was there. */
export function cutPage<R>(rows: R[], limit: number | null): { rows: R[]; more: boolean } {
  return limit !== null && rows.length > limit
    ? { rows: rows.slice(0, limit), more: true }
    : { rows, more: false };
}

/** The address of the next page: the request's own query with another marker. */
export function nextLink(
  base: string,
  query: Readonly<Record<string, string | string[]>>,
  marker: string,
): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (name === 'marker') continue;
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, one);
  }
  params.set('marker', marker);
  return `${base}?${params.toString()}`;
}
