// JSON patch on an image (RFC 6902's add, replace and remove, one level deep, as Glance takes it): a pure
// function from the attributes that are there to those that shall be.
import { Type, type Static } from 'typebox';
import { badRequest, conflict, forbidden } from '../../../kernel/errors.ts';
import { isReserved, MAX_PROPERTIES, propertyName, READ_ONLY, reserved, STANDARD } from './wire.ts';

const path = Type.String({ minLength: 2, maxLength: 300, pattern: '^/[^\\x00-\\x1f\\x7f]+$' });

export const PatchBody = Type.Array(
  Type.Object(
    {
      op: Type.Union([Type.Literal('add'), Type.Literal('replace'), Type.Literal('remove')]),
      path,
      value: Type.Optional(Type.Unknown()),
    },
    { additionalProperties: false },
  ),
  { maxItems: 256 },
);

/** Content type `application/openstack-images-v2.0-json-patch` names the operation by the key: `{"replace": "/name", "value": ...}`. */
const OldPatch = Type.Array(
  Type.Union(
    (['add', 'replace', 'remove'] as const).map((op) =>
      Type.Object({ [op]: path, value: Type.Optional(Type.Unknown()) }, { additionalProperties: false }),
    ),
  ),
  { maxItems: 256 },
);
export const AnyPatchBody = Type.Union([PatchBody, OldPatch]);

/** Either form as the newer one. */
export const patchOf = (body: readonly object[]): Static<typeof PatchBody> =>
  body.map((one) => {
    if ('op' in one) return one as Static<typeof PatchBody>[number];
    const { value, ...rest } = one as { value?: unknown };
    const [op = 'replace', target = ''] = Object.entries(rest)[0] as ['add' | 'replace' | 'remove', string];
    return { op, path: target, ...(value === undefined ? {} : { value }) };
  });

export type Attributes = Record<string, unknown>;

/** Throws 403 for read-only attributes, 409 for what is not there, 400 for the rest. Values are checked by the create schema. */
export function applyPatch(before: Attributes, patch: Static<typeof PatchBody>): Attributes {
  const after: Attributes = { ...before };
  for (const { op, path, value } of patch) {
    const [name = '', ...deeper] = path
      .slice(1)
      .split('/')
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (READ_ONLY.has(name)) throw forbidden(`Attribute '${name}' is read-only.`);
    if (isReserved(name)) throw forbidden(reserved(name));
    if (!propertyName.test(name))
      throw badRequest(
        `Invalid input for path. Value: ${path.slice(0, 100)}. A property is named with letters, digits, '_', ':', '.' and '-'.`,
      );
    if (deeper.length > 0) {
      if (name !== 'tags' || op !== 'add' || deeper.length > 1)
        throw badRequest(`Invalid input for path. Value: ${path.slice(0, 100)}. It must be one level deep.`);
      const tags = after['tags'];
      if (!Array.isArray(tags) || typeof value !== 'string')
        throw badRequest(
          `Invalid input for ${path.slice(0, 100)}. A tag is a string, added to a list of them.`,
        );
      after['tags'] = [...new Set([...(tags as unknown[]), value])];
      continue;
    }
    const present = Object.hasOwn(after, name);
    if (op !== 'add' && !present) throw conflict(`Property ${name} does not exist.`);
    if (op === 'remove') {
      if (STANDARD.has(name)) throw forbidden(`Attribute '${name}' may not be removed.`);
      delete after[name];
      continue;
    }
    if (value === undefined) throw badRequest(`Operation '${op}' on ${path.slice(0, 100)} needs a value.`);
    after[name] = value;
  }
  const custom = Object.keys(after).filter((name) => !STANDARD.has(name));
  if (custom.length > MAX_PROPERTIES)
    throw badRequest(
      `An image has at most ${MAX_PROPERTIES} properties; this one would have ${custom.length}.`,
    );
  return after;
}
