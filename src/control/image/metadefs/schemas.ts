// The schema documents of metadata definitions.
const text = { type: 'string' };
const date = { type: 'string', readOnly: true };
const echoes = { created_at: date, updated_at: date, self: date, schema: date };
const positive = { type: 'integer', minimum: 0 };
const strings = { type: 'array', items: text };

const propertyFields = {
  title: text,
  description: text,
  type: { type: 'string', enum: ['array', 'boolean', 'integer', 'number', 'object', 'string'] },
  operators: strings,
  readonly: { type: 'boolean' },
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  minLength: positive,
  maxLength: positive,
  pattern: { type: 'string', format: 'regex' },
  enum: { type: 'array' },
  default: {},
  minItems: positive,
  maxItems: positive,
  uniqueItems: { type: 'boolean' },
  additionalItems: { type: 'boolean' },
  items: { type: 'object', properties: { type: text, enum: { type: 'array' } } },
};
const name = { type: 'string', maxLength: 80 };
const properties = {
  type: 'object',
  additionalProperties: { type: 'object', required: ['title', 'type'], properties: propertyFields },
};
const propertySchema = {
  name: 'property',
  required: ['name', 'title', 'type'],
  properties: { name, ...propertyFields },
};
const objectSchema = {
  name: 'object',
  required: ['name'],
  properties: { name, description: text, required: strings, properties, ...echoes },
};
const tagSchema = {
  name: 'tag',
  required: ['name'],
  properties: { name, created_at: date, updated_at: date },
};
const associationSchema = {
  name: 'resource_type_association',
  required: ['name'],
  properties: {
    name,
    prefix: name,
    properties_target: name,
    created_at: date,
    updated_at: date,
  },
};
const namespaceSchema = {
  name: 'namespace',
  required: ['namespace'],
  properties: {
    namespace: name,
    display_name: name,
    description: { type: 'string', maxLength: 500 },
    visibility: { type: 'string', enum: ['public', 'private'] },
    protected: { type: 'boolean' },
    owner: { type: 'string', maxLength: 255 },
    resource_type_associations: { type: 'array', items: associationSchema },
    properties,
    objects: { type: 'array', items: objectSchema },
    tags: { type: 'array', items: tagSchema },
    ...echoes,
  },
};

const listOf = (of: string, items: object) => ({
  name: of,
  properties: {
    [of]: { type: 'array', items },
    first: text,
    next: text,
    schema: text,
  },
  links: [
    { rel: 'first', href: '{first}' },
    { rel: 'next', href: '{next}' },
    { rel: 'describedby', href: '{schema}' },
  ],
});

/** Path below /v2/schemas -> document. */
export const metadefSchemas: Readonly<Record<string, object>> = {
  'metadefs/namespace': namespaceSchema,
  'metadefs/namespaces': listOf('namespaces', namespaceSchema),
  'metadefs/resource_type': associationSchema,
  'metadefs/resource_types': listOf('resource_type_associations', associationSchema),
  'metadefs/object': objectSchema,
  'metadefs/objects': listOf('objects', objectSchema),
  'metadefs/property': propertySchema,
  'metadefs/properties': {
    name: 'properties',
    properties: { properties: { type: 'object', additionalProperties: propertySchema } },
  },
  'metadefs/tag': tagSchema,
  'metadefs/tags': listOf('tags', tagSchema),
};
