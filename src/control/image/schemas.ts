// The schema documents of Glance v2: clients read them at start, and Horizon draws its forms from them.
import { route, type Route } from '../../kernel/http/route.ts';
import { rules, type Policies } from '../../kernel/policy.ts';
import { CONTAINER_FORMATS, DISK_FORMATS } from './images/wire.ts';
import { MEMBER_STATUSES } from './members/table.ts';
import { metadefSchemas } from './metadefs/schemas.ts';

export const schemaPolicies: Policies = {
  'image:schemas': { description: 'Read schema documents', anyOf: [rules.authenticated] },
};

type Schema = { name: string; properties: Record<string, unknown> } & Record<string, unknown>;

/** The schema of what a list answers with. */
export const listOf = (name: string, item: object, paged = false): Schema => ({
  name,
  properties: {
    [name]: { type: 'array', items: item },
    schema: { type: 'string' },
    ...(paged ? { first: { type: 'string' }, next: { type: 'string' } } : {}),
  },
  links: [
    ...(paged
      ? [
          { rel: 'first', href: '{first}' },
          { rel: 'next', href: '{next}' },
        ]
      : []),
    { rel: 'describedby', href: '{schema}' },
  ],
});

const nullableString = { type: ['null', 'string'] };
const readOnlyInteger = { type: ['null', 'integer'], readOnly: true };
const imageSchema = {
  name: 'image',
  additionalProperties: { type: 'string' },
  properties: {
    id: { type: 'string' },
    name: { ...nullableString, maxLength: 255 },
    status: {
      type: 'string',
      readOnly: true,
      enum: ['queued', 'saving', 'uploading', 'importing', 'active', 'deactivated'],
    },
    visibility: { type: 'string', enum: ['community', 'public', 'private', 'shared'] },
    protected: { type: 'boolean' },
    os_hidden: { type: 'boolean' },
    checksum: { ...nullableString, readOnly: true },
    os_hash_algo: { ...nullableString, readOnly: true },
    os_hash_value: { ...nullableString, readOnly: true },
    owner: nullableString,
    size: readOnlyInteger,
    virtual_size: readOnlyInteger,
    container_format: { ...nullableString, enum: [null, ...CONTAINER_FORMATS] },
    disk_format: { ...nullableString, enum: [null, ...DISK_FORMATS] },
    created_at: { type: 'string', readOnly: true },
    updated_at: { type: 'string', readOnly: true },
    tags: { type: 'array', items: { type: 'string', maxLength: 255 } },
    min_ram: { type: 'integer' },
    min_disk: { type: 'integer' },
    stores: { type: 'string', readOnly: true },
    self: { type: 'string', readOnly: true },
    file: { type: 'string', readOnly: true },
    schema: { type: 'string', readOnly: true },
  },
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
};

const text = { type: 'string' };
const memberSchema = {
  name: 'member',
  properties: {
    created_at: text,
    image_id: text,
    member_id: text,
    schema: { ...text, readOnly: true },
    status: { type: 'string', enum: MEMBER_STATUSES },
    updated_at: text,
  },
};
const nullableText = { type: ['null', 'string'] };
const nullableObject = { type: ['null', 'object'] };
const taskSchema = {
  name: 'task',
  properties: {
    id: text,
    type: { type: 'string', enum: ['api_image_import'] },
    status: { type: 'string', enum: ['pending', 'processing', 'success', 'failure'] },
    input: nullableObject,
    result: nullableObject,
    owner: text,
    message: text,
    image_id: nullableText,
    request_id: nullableText,
    user_id: nullableText,
    expires_at: nullableText,
    created_at: text,
    updated_at: text,
    self: { ...text, readOnly: true },
    schema: { ...text, readOnly: true },
  },
};

const schemas: Readonly<Record<string, object>> = {
  image: imageSchema,
  images: listOf('images', imageSchema, true),
  member: memberSchema,
  members: listOf('members', memberSchema),
  task: taskSchema,
  tasks: listOf('tasks', taskSchema, true),
  ...metadefSchemas,
};

export const schemaRoutes: readonly Route[] = Object.entries(schemas).map(([name, schema]) =>
  route({
    method: 'GET',
    path: `/v2/schemas/${name}` as '/v2/schemas/image',
    policy: 'image:schemas',
    summary: `The schema of ${name}`,
    handler: async () => ({ body: schema }),
  }),
);
