// What a metadata definition may say, as Glance's schemas have it.
import { Type, type Static } from 'typebox';
import { idOf, integer, nullable, prose, strict, text } from '../../../kernel/schema.ts';

const MAX_ITEMS = 512;
/** Stands in an address, so that it holds neither slash nor control character. */
export const metadefName = (maxLength = 80) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\x00-\\x1f\\x7f/]+$' });
const number = Type.Number({ minimum: -(2 ** 53), maximum: 2 ** 53 });
const scalar = Type.Union([prose(4096), number, Type.Boolean()]);
const count = integer(0, 2 ** 31 - 1);
const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'] as const;
const typeName = Type.Union(types.map((name) => Type.Literal(name)));

const propertyFields = {
  title: text(255, 1),
  type: typeName,
  description: Type.Optional(prose(4096)),
  operators: Type.Optional(Type.Array(text(255), { maxItems: 64 })),
  readonly: Type.Optional(Type.Boolean()),
  minimum: Type.Optional(number),
  maximum: Type.Optional(number),
  minLength: Type.Optional(count),
  maxLength: Type.Optional(count),
  pattern: Type.Optional(text(255)),
  enum: Type.Optional(Type.Array(scalar, { maxItems: MAX_ITEMS })),
  default: Type.Optional(Type.Union([scalar, Type.Array(scalar, { maxItems: MAX_ITEMS })])),
  minItems: Type.Optional(count),
  maxItems: Type.Optional(count),
  uniqueItems: Type.Optional(Type.Boolean()),
  additionalItems: Type.Optional(Type.Boolean()),
  items: Type.Optional(
    strict({
      type: Type.Optional(typeName),
      enum: Type.Optional(Type.Array(scalar, { maxItems: MAX_ITEMS })),
    }),
  ),
};
const PropertyInObject = strict(propertyFields);
/** Read-only fields that clients send back as they got them. */
const echoes = {
  created_at: Type.Optional(text(64)),
  updated_at: Type.Optional(text(64)),
  self: Type.Optional(text(1024)),
  schema: Type.Optional(text(1024)),
};
export const PropertyBody = strict({ name: metadefName(), ...propertyFields });
export const ObjectBody = strict({
  name: metadefName(),
  description: Type.Optional(nullable(prose(4096))),
  required: Type.Optional(Type.Array(text(255), { maxItems: MAX_ITEMS })),
  properties: Type.Optional(
    Type.Object({}, { additionalProperties: PropertyInObject, maxProperties: MAX_ITEMS }),
  ),
  ...echoes,
});
export const TagBody = strict({ name: metadefName(), ...echoes });
export const TagsBody = strict({ tags: Type.Array(TagBody, { maxItems: MAX_ITEMS }) });
export const AssociationBody = strict({
  name: metadefName(),
  prefix: Type.Optional(nullable(text(80))),
  properties_target: Type.Optional(nullable(text(80))),
  created_at: Type.Optional(text(64)),
  updated_at: Type.Optional(text(64)),
});

const namespaceFields = {
  namespace: metadefName(),
  display_name: Type.Optional(nullable(text(80))),
  description: Type.Optional(nullable(prose(500))),
  visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
  protected: Type.Optional(Type.Boolean()),
  owner: Type.Optional(idOf('project')),
  ...echoes,
};
export const NamespaceUpdate = strict(namespaceFields);
export const NamespaceBody = strict({
  ...namespaceFields,
  resource_type_associations: Type.Optional(Type.Array(AssociationBody, { maxItems: 64 })),
  objects: Type.Optional(Type.Array(ObjectBody, { maxItems: MAX_ITEMS })),
  properties: Type.Optional(
    Type.Object({}, { additionalProperties: PropertyInObject, maxProperties: MAX_ITEMS }),
  ),
  tags: Type.Optional(Type.Array(TagBody, { maxItems: MAX_ITEMS })),
});
export type NamespaceBody = Static<typeof NamespaceBody>;
export type AssociationBody = Static<typeof AssociationBody>;
