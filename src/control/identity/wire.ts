// What all of Keystone's documents have in common: links, lists, names and their look-up keys.
import { Type, type TSchema } from 'typebox';
import { isUniqueViolation } from '../../kernel/db/index.ts';
import { badRequest, conflict } from '../../kernel/errors.ts';
import { cutPage, nextLink, type SortKey } from '../../kernel/paging.ts';
import type { Ctx, Platform } from '../../kernel/platform.ts';
import { idOf, integer, strict } from '../../kernel/schema.ts';

export const PREFIX = '/identity';
export const urlOf = (platform: Platform, path: string): string => `${platform.publicUrl}${PREFIX}${path}`;

/** A name: not empty, not only blanks, no control characters. */
export const nameOf = (maxLength: number): ReturnType<typeof Type.String> =>
  Type.String({
    minLength: 1,
    maxLength,
    pattern: '^[^\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$',
  });
/** By which names are unique. */
export const keyOf = (name: string): string => name.toLowerCase();
/** Options are Keystone's switches for single objects; none is offered, so only the empty set is taken. */
export const noOptions = Type.Optional(strict({}));

type RawQuery = Readonly<Record<string, string | string[]>>;

/** The query of a list: its filters, and the page. */
export const listQuery = <P extends Record<string, TSchema>>(kind: string, filters: P) =>
  Type.Object({ ...filters, limit: Type.Optional(integer(1, 1000)), marker: Type.Optional(idOf(kind)) });

export const byName: readonly SortKey[] = [
  { column: 'name_key', direction: 'asc' },
  { column: 'id', direction: 'asc' },
];

/** The row a page begins after; 400 when there is none, or none that the actor sees. */
export async function markerRow<R>(
  marker: string | undefined,
  find: (id: string) => Promise<R | undefined>,
): Promise<R | null> {
  if (marker === undefined) return null;
  const row = await find(marker);
  if (row === undefined)
    throw badRequest(
      `Invalid input for marker. Value: ${marker.slice(0, 100)}. It must be the id of an object in this list.`,
    );
  return row;
}

/** `rows` has one row more than `limit` where there is a next page. */
export function collection<R extends { id: string }>(
  ctx: Ctx,
  path: string,
  key: string,
  rows: R[],
  view: (platform: Platform, row: R) => object,
  page: { limit: number | null; rawQuery: RawQuery } = { limit: null, rawQuery: {} },
): { body: object } {
  const cut = cutPage(rows, page.limit);
  const self = urlOf(ctx.platform, path);
  const last = cut.rows.at(-1);
  return {
    body: {
      [key]: cut.rows.map((row) => view(ctx.platform, row)),
      links: {
        self,
        previous: null,
        next: cut.more && last !== undefined ? nextLink(self, page.rawQuery, last.id) : null,
      },
    },
  };
}

/** Keystone's flags are on by their mere presence: `?effective`, `?effective=True`, but not `?effective=0`. */
export const flag = (value: string | undefined): boolean =>
  value !== undefined && !/^(0|false|no|off)$/i.test(value);

/** A transaction whose unique violation means that the name is taken. */
export async function uniquely<T>(kind: string, name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isUniqueViolation(error))
      throw conflict(
        `Conflict occurred attempting to store ${kind} - it is not permitted to have two with the name ${name}: names are compared without regard to case.`,
      );
    throw error;
  }
}
