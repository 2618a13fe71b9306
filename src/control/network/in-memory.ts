// Lists of what has no table of its own (agents, availability zones, address counts): filters, order, pages and fields
// over views that are all there.
import { Type, type TObject } from 'typebox';
import { notFound } from '../../kernel/errors.ts';
import { idOf, text } from '../../kernel/schema.ts';
import { pick, refuseUnknownFilters, truth, type RawQuery } from './listing.ts';

type View = Readonly<Record<string, unknown>>;

/** `filters`: attribute -> resource kind where it is an id, else null. */
export const viewQuery = (filters: Readonly<Record<string, string | null>>): TObject =>
  Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
    marker: Type.Optional(text()),
    page_reverse: Type.Optional(Type.Boolean()),
    sort_key: Type.Optional(Type.Array(text(64), { maxItems: 8 })),
    sort_dir: Type.Optional(Type.Array(text(8), { maxItems: 8 })),
    fields: Type.Optional(Type.Array(text(64), { maxItems: 100 })),
    ...Object.fromEntries(
      Object.entries(filters).map(([name, kind]) => [
        name,
        Type.Optional(
          Type.Array(kind === null ? Type.String({ maxLength: 1024 }) : idOf(kind), { maxItems: 1000 }),
        ),
      ]),
    ),
  });

const all = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

const matches = (view: View, name: string, wanted: readonly string[]): boolean => {
  const value = view[name];
  return wanted.some((one) =>
    typeof value === 'boolean' ? value === (truth(name, one) === 1) : String(value ?? '') === one,
  );
};

/** `key` is the attribute that a marker names. */
export function listViews(
  query: TObject,
  raw: RawQuery,
  noun: string,
  key: string,
  views: readonly View[],
): object[] {
  refuseUnknownFilters(Object.keys(query.properties), raw);
  const paging = new Set(['limit', 'marker', 'page_reverse', 'sort_key', 'sort_dir', 'fields']);
  let found = views.filter((view) =>
    Object.entries(raw).every(([name, value]) => paging.has(name) || matches(view, name, all(value))),
  );
  const directions = all(raw['sort_dir']);
  for (const [at, name] of [...all(raw['sort_key']).entries()].toReversed()) {
    const sign = (directions[at] ?? directions.at(-1)) === 'desc' ? -1 : 1;
    found = found.toSorted((a, b) => sign * String(a[name] ?? '').localeCompare(String(b[name] ?? '')));
  }
  const marker = all(raw['marker']).at(-1);
  if (marker !== undefined) {
    const at = found.findIndex((view) => view[key] === marker);
    if (at < 0) throw notFound(noun, marker);
    found = found.slice(at + 1);
  }
  const limit = Number(all(raw['limit']).at(-1) ?? 0);
  return (limit > 0 ? found.slice(0, limit) : found).map((view) => pick(view, raw));
}
