// What all of Keystone's documents have in common: links, lists, names and their look-up keys.
import { Type, type TSchema } from 'typebox';
import { isUniqueViolation } from '../../kernel/db/index.ts';
import { badRequest, conflict, forbidden } from '../../kernel/errors.ts';
import { cutPage, nextLink, type SortKey } from '../../kernel/paging.ts';
import type { Ctx, Platform } from '../../kernel/platform.ts';
import { nullable, strict } from '../../kernel/schema.ts';

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
/** Switches of single objects. What is immutable is neither changed nor deleted before that is taken back. */
export const objectOptions = Type.Optional(strict({ immutable: Type.Optional(nullable(Type.Boolean())) }));
export type ObjectOptions = { immutable?: boolean | null } | undefined;
export const immutableNow = (options: ObjectOptions, before: number): number =>
  options?.immutable === undefined ? before : Number(options.immutable === true);
export const optionsView = (row: { immutable: number }): object =>
  row.immutable === 1 ? { immutable: true } : {};
/** A change that takes the switch back may change the rest along. */
export function requireMutable(
  kind: string,
  row: { name: string; immutable: number },
  options?: ObjectOptions,
): void {
  if (row.immutable === 1 && options?.immutable !== false && options?.immutable !== null)
    throw forbidden(
      `The ${kind} ${row.name} is immutable: it can be neither changed nor deleted before its option immutable is set to false.`,
    );
}

/** An object that also keeps what clients store with it, as Keystone's do. */
export const open = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: true });
const MAX_EXTRA = 4_000;
/** What a body says beyond its schema, over what is stored; null removes. JSON of at most 4000 characters. */
export function extraOf(body: object, schema: { properties: object }, before = '{}'): string {
  const extra: Record<string, unknown> = { ...(JSON.parse(before) as object) };
  for (const [name, value] of Object.entries(body)) {
    if (Object.hasOwn(schema.properties, name) || name === 'id' || name === 'links') continue;
    if (value === null) delete extra[name];
    else extra[name] = value;
  }
  const text = JSON.stringify(extra);
  if (text.length > MAX_EXTRA)
    throw badRequest(
      `Invalid input for body. What it holds beyond the fields of the API must not exceed ${MAX_EXTRA} characters of JSON.`,
    );
  return text;
}
/** First in a view, so that nothing that the API says itself can be overwritten. */
export const extraView = (row: { extra: string }): object => JSON.parse(row.extra) as object;
/** An update may repeat the id, but not another one. */
export function requireSameId(body: object, id: string): void {
  const own = (body as { id?: unknown }).id;
  if (own !== undefined && own !== id)
    throw badRequest('Invalid input for field id. The id of an object cannot be changed.');
}

type RawQuery = Readonly<Record<string, string | string[]>>;

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
      ...(cut.more ? { truncated: true } : {}),
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
