// Pages of lists that are short enough to be cut in memory: what a project or an operator makes by hand.
import { notFound } from '../../kernel/errors.ts';
import { nextLink } from '../../kernel/paging.ts';
import type { Ctx } from '../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../kernel/policy.ts';
import { VOLUME_PREFIX } from './routing.ts';
import { isSet } from './volumes/schema.ts';

const MAX_PAGE = 1000;

type Asked = {
  limit?: number | undefined;
  offset?: number | undefined;
  marker?: string | undefined;
  with_count?: string | undefined;
};

/** `name`: of the list in the answer. A full page has a next one, as Cinder has it. */
export function pageOf<R extends { id: string }>(
  ctx: Ctx,
  name: string,
  what: string,
  rows: readonly R[],
  query: Asked,
  rawQuery: Readonly<Record<string, string | string[]>>,
  path: string,
  view: (row: R) => object,
): Record<string, unknown> {
  const start = query.marker === undefined ? 0 : rows.findIndex((row) => row.id === query.marker) + 1;
  if (query.marker !== undefined && start === 0) throw notFound(what, query.marker);
  const limit = Math.min(query.limit ?? MAX_PAGE, MAX_PAGE);
  const first = start + (query.offset ?? 0);
  const page = rows.slice(first, first + limit);
  const last = page.at(-1);
  const { offset: _offset, ...rest } = rawQuery;
  return {
    [name]: page.map(view),
    ...(last !== undefined && page.length === limit
      ? {
          [`${name}_links`]: [
            {
              rel: 'next',
              href: nextLink(
                `${ctx.platform.publicUrl}${VOLUME_PREFIX}/v3/${projectOf(ctx.actor)}/${path}`,
                rest,
                last.id,
              ),
            },
          ],
        }
      : {}),
    ...(isSet(query.with_count) ? { count: rows.length } : {}),
  };
}

/** The project whose rows a list shows; null: those of all, for operators who ask for it. */
export const listedProject = (
  ctx: Ctx,
  query: { all_tenants?: string | undefined; project_id?: string | undefined },
): string | null => {
  if (!isAdmin(ctx.actor) || !isSet(query.all_tenants)) return projectOf(ctx.actor);
  return query.project_id ?? null;
};

/** `key:dir,key:dir` or sort_key and sort_dir, on rows in memory. */
export function sorted<R>(
  rows: readonly R[],
  query: { sort?: string | undefined; sort_key?: string | undefined; sort_dir?: string | undefined },
  value: (row: R, key: string) => string | number | null,
): R[] {
  const keys = (query.sort ?? query.sort_key ?? '').split(',').filter((key) => key !== '');
  const order = keys.map((key) => {
    const [name = '', direction] = key.split(':');
    return { name, down: (direction ?? query.sort_dir ?? 'desc') !== 'asc' };
  });
  return rows.toSorted((a, b) => {
    for (const { name, down } of order) {
      const [left, right] = [value(a, name) ?? '', value(b, name) ?? ''];
      if (left !== right) return left < right === down ? 1 : -1;
    }
    return 0;
  });
}
