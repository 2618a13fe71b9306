// Links as Nova writes them, and the fields that many of its requests share.
import { Type, type Static } from 'typebox';
import { badRequest } from '../../kernel/errors.ts';
import { integer, text } from '../../kernel/schema.ts';

export const COMPUTE_PREFIX = '/compute';

export type Link = { rel: string; href: string };

/** self and bookmark, e.g. .../compute/v2.1/servers/ID and .../compute/servers/ID. */
export const linksOf = (publicUrl: string, collection: string, id: string): Link[] => [
  { rel: 'self', href: `${publicUrl}${COMPUTE_PREFIX}/v2.1/${collection}/${id}` },
  { rel: 'bookmark', href: `${publicUrl}${COMPUTE_PREFIX}/${collection}/${id}` },
];

/** The bookmark of an object of another collection, as servers show their image and flavor. */
export const bookmarkOf = (publicUrl: string, collection: string, id: string): Link[] => [
  { rel: 'bookmark', href: `${publicUrl}${COMPUTE_PREFIX}/${collection}/${id}` },
];

/** Nova takes booleans also as the strings that its old clients send. */
export const flag = () =>
  Type.Union([Type.Boolean(), Type.String({ pattern: '^(?:[Tt]rue|TRUE|1|[Ff]alse|FALSE|0)$' })]);
export const isSet = (value: boolean | string | undefined): boolean =>
  value === true || (typeof value === 'string' && /^(?:true|1)$/i.test(value));

/** A whole number, which Nova also takes as a string of digits. */
export const count = (minimum: number, maximum: number) =>
  Type.Union([integer(minimum, maximum), Type.String({ pattern: '^-?[0-9]{1,10}$' })]);
/** The number of a `count` field; 400 when a string of digits lies outside of the range. */
export function countOf(value: number | string, field: string, minimum: number, maximum: number): number {
  const parsed = Number(value);
  if (parsed < minimum || parsed > maximum)
    throw badRequest(
      `Invalid input for field/attribute ${field}. Value: ${parsed}. It must be between ${minimum} and ${maximum}.`,
    );
  return parsed;
}

/** Nova's page size: a larger limit is cut to it. */
export const MAX_PAGE = 1000;
export const pageQuery = {
  limit: Type.Optional(integer(0, 2_147_483_647)),
  marker: Type.Optional(text(255)),
};
/** For lists that are paged by position. */
export const offsetQuery = {
  limit: pageQuery.limit,
  offset: Type.Optional(integer(0, 2_147_483_647)),
};
export const pageSize = (limit: number | undefined): number => Math.min(limit ?? MAX_PAGE, MAX_PAGE);

/** The body of actions that take no argument. */
export const nothing = Type.Union([Type.Null(), Type.Object({}, { additionalProperties: false })]);
export type Nothing = Static<typeof nothing>;

/** A record's own value: what users name must not reach what every object inherits. */
export const ownValue = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
