// Glance v2: images, their content, tags, and the schemas that clients read at start.
import { sql } from 'kysely';
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { badRequest, CloudError } from '../../../kernel/errors.ts';
import { applyPage, cutPage, nextLink, parseSort } from '../../../kernel/paging.ts';
import type { Policies } from '../../../kernel/policy.ts';
import { isAdmin, projectOf, rules } from '../../../kernel/policy.ts';
import { integer, text } from '../../../kernel/schema.ts';
import type { Contents } from './content.ts';
import { AnyPatchBody, patchOf } from './patch.ts';
import { createImage, deleteImage, readImage, setActive, setTag, updateImage } from './service.ts';
import { CONTAINER_FORMATS, CreateImage, DISK_FORMATS, imageView, propertyName } from './wire.ts';

const members = [rules.admin, rules.projectMember];
const readers = [rules.admin, rules.systemReader, rules.projectReader];
export const imagePolicies: Policies = {
  'image:discover': { description: 'Read version and schema documents', anyOf: [rules.anyone] },
  'image:schemas': { description: 'Read schema documents', anyOf: [rules.authenticated] },
  'image:images:list': { description: 'List images', anyOf: readers },
  'image:images:show': { description: 'Show an image', anyOf: readers },
  'image:images:create': { description: 'Create an image', anyOf: members },
  'image:images:update': { description: 'Change an image', anyOf: members },
  'image:images:delete': { description: 'Delete an image', anyOf: members },
  'image:images:upload': { description: 'Upload the content of an image', anyOf: members },
  'image:images:download': {
    description: 'Download the content of an image',
    anyOf: [rules.admin, rules.projectMember],
  },
  'image:images:deactivate': { description: 'Deactivate or reactivate an image', anyOf: [rules.admin] },
};

const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 1000;
const columns = {
  name: 'name', status: 'status', created_at: 'created_at', updated_at: 'updated_at', id: 'id', disk_format: 'disk_format',
  container_format: 'container_format', min_ram: 'min_ram', min_disk: 'min_disk', visibility: 'visibility', owner: 'owner',
}; // prettier-ignore

const ListQuery = Type.Object({
  limit: Type.Optional(integer(0, 2 ** 31 - 1)),
  marker: Type.Optional(Type.String({ maxLength: 255, 'x-ref': 'image' })),
  sort: Type.Optional(text(500)),
  sort_key: Type.Optional(Type.Array(text(100))),
  sort_dir: Type.Optional(Type.Array(text(10))),
  name: Type.Optional(text(300)),
  id: Type.Optional(text()),
  status: Type.Optional(text()),
  visibility: Type.Optional(text(20)),
  owner: Type.Optional(text()),
  disk_format: Type.Optional(text(40)),
  container_format: Type.Optional(text(40)),
  protected: Type.Optional(Type.Boolean()),
  os_hidden: Type.Optional(Type.Boolean()),
  size: Type.Optional(integer(0, Number.MAX_SAFE_INTEGER)),
  size_min: Type.Optional(integer(0, Number.MAX_SAFE_INTEGER)),
  size_max: Type.Optional(integer(0, Number.MAX_SAFE_INTEGER)),
  tag: Type.Optional(Type.Array(text())),
  member_status: Type.Optional(text(20)),
});

/** 'in:a,b' lists values, anything else is one. */
const oneOrMany = (value: string): string[] =>
  value.startsWith('in:')
    ? (value.slice(3).match(/"[^"]*"|[^,]+/g) ?? ['']).map((one) => one.replaceAll('"', ''))
    : [value];

export function imageRoutes(contents: Contents): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v2/images',
      policy: 'image:images:list',
      summary: 'List images',
      query: ListQuery,
      async handler({ ctx, query, rawQuery }) {
        const own = projectOf(ctx.actor);
        const { read } = ctx.platform.db;
        const pairs = (query.sort ?? '')
          .split(',')
          .filter((pair) => pair !== '')
          .map((pair) => pair.split(':'));
        const sort = parseSort(
          columns,
          [...(query.sort_key ?? []), ...pairs.map(([key]) => key ?? '')],
          [
            ...(query.sort_dir ?? (query.sort_key === undefined ? [] : ['desc'])),
            ...pairs.map(([, direction]) => direction ?? 'desc'),
          ],
          [{ column: 'created_at', direction: 'desc' }],
        );
        const limit = Math.min(query.limit ?? DEFAULT_LIMIT, MAX_LIMIT);
        const marker =
          query.marker === undefined ? null : await readImage(read, ctx, query.marker).catch(() => null);
        if (query.marker !== undefined && marker === null)
          throw badRequest(
            `Invalid input for marker. Value: ${query.marker}. No image that you may read has this id.`,
          );
        let rows = read.selectFrom('images').selectAll();
        rows = rows.where((eb) =>
          eb.or([
            eb('visibility', '=', 'public'),
            ...(query.visibility === 'community' ? [eb('visibility', '=', 'community')] : []),
            ...(own === '' ? [] : [eb('owner', '=', own)]),
            ...(isAdmin(ctx.actor) ? [eb('visibility', '!=', 'community'), eb('owner', '=', own)] : []),
          ]),
        );
        for (const name of ['name', 'id', 'status', 'disk_format', 'container_format'] as const) {
          const value = query[name];
          if (value !== undefined) rows = rows.where(name, 'in', oneOrMany(value) as never);
        }
        if (query.visibility !== undefined && query.visibility !== 'all')
          rows = rows.where('visibility', '=', query.visibility as never);
        if (query.owner !== undefined) rows = rows.where('owner', '=', query.owner);
        if (query.protected !== undefined) rows = rows.where('is_protected', '=', query.protected ? 1 : 0);
        rows = rows.where('is_hidden', '=', query.os_hidden === true ? 1 : 0);
        if (query.size !== undefined) rows = rows.where('size', '=', query.size);
        if (query.size_min !== undefined) rows = rows.where('size', '>=', query.size_min);
        if (query.size_max !== undefined) rows = rows.where('size', '<=', query.size_max);
        // JSON on both engines: a member stands behind the bracket or a comma, and in it every quote is escaped.
        const holds = (column: string, open: '[' | '{', member: string) =>
          sql<boolean>`(replace(${sql.ref(column)}, ${open + member}, '') <> ${sql.ref(column)} or replace(${sql.ref(column)}, ${`,${member}`}, '') <> ${sql.ref(column)})`;
        for (const tag of query.tag ?? []) rows = rows.where(holds('tags', '[', JSON.stringify(tag)));
        for (const [name, value] of Object.entries(rawQuery))
          if (
            !Object.hasOwn(ListQuery.properties, name) &&
            typeof value === 'string' &&
            propertyName.test(name)
          )
            rows = rows.where(holds('properties', '{', `${JSON.stringify(name)}:${JSON.stringify(value)}`));
        if (limit === 0) return { body: { images: [], first: '/v2/images', schema: '/v2/schemas/images' } };
        const page = cutPage(await applyPage(rows, sort, marker, limit).execute(), limit);
        const last = page.rows.at(-1);
        const first = new URLSearchParams(
          Object.entries(rawQuery).flatMap(([name, value]) =>
            name === 'marker' ? [] : [[name, String(value)] as [string, string]],
          ),
        ).toString();
        return {
          body: {
            images: page.rows.map(imageView),
            first: first === '' ? '/v2/images' : `/v2/images?${first}`,
            ...(page.more && last !== undefined ? { next: nextLink('/v2/images', rawQuery, last.id) } : {}),
            schema: '/v2/schemas/images',
          },
        };
      },
    }),
    route({
      method: 'POST',
      path: '/v2/images',
      policy: 'image:images:create',
      summary: 'Create an image',
      status: 201,
      body: CreateImage,
      async handler({ ctx, body }) {
        const row = await createImage(ctx, body);
        return {
          headers: { location: `${ctx.platform.publicUrl}/image/v2/images/${row.id}` },
          body: imageView(row),
        };
      },
    }),
    route({
      method: 'GET',
      path: '/v2/images/:image_id',
      ids: { image_id: 'image' },
      policy: 'image:images:show',
      summary: 'Show an image',
      handler: async ({ ctx, params }) => ({
        body: imageView(await readImage(ctx.platform.db.read, ctx, params.image_id)),
      }),
    }),
    route({
      method: 'PATCH',
      path: '/v2/images/:image_id',
      ids: { image_id: 'image' },
      policy: 'image:images:update',
      summary: 'Change an image by JSON patch',
      body: AnyPatchBody,
      async handler({ ctx, params, body, headers }) {
        if (
          !/^application\/(openstack-images-v2\.[01]-json-patch|json)/.test(
            String(headers['content-type'] ?? ''),
          )
        )
          throw new CloudError(
            415,
            'UnsupportedMediaType',
            'The content type must be application/openstack-images-v2.1-json-patch.',
          );
        return { body: imageView(await updateImage(ctx, params.image_id, patchOf(body))) };
      },
    }),
    route({
      method: 'DELETE',
      path: '/v2/images/:image_id',
      ids: { image_id: 'image' },
      policy: 'image:images:delete',
      summary: 'Delete an image',
      status: 204,
      async handler({ ctx, params }) {
        await deleteImage(ctx, params.image_id);
        return {};
      },
    }),
    route({
      method: 'PUT',
      path: '/v2/images/:image_id/file',
      ids: { image_id: 'image' },
      policy: 'image:images:upload',
      summary: 'Upload the content of an image',
      status: 204,
      streams: true,
      async handler({ ctx, params, headers, stream }) {
        if (headers['content-type'] !== 'application/octet-stream')
          throw new CloudError(
            415,
            'UnsupportedMediaType',
            'The content type must be application/octet-stream.',
          );
        await contents.upload(ctx, params.image_id, stream);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/v2/images/:image_id/file',
      ids: { image_id: 'image' },
      policy: 'image:images:download',
      summary: 'Download the content of an image',
      async handler({ ctx, params, headers }) {
        const row = await readImage(ctx.platform.db.read, ctx, params.image_id);
        if (row.status === 'deactivated' && !isAdmin(ctx.actor))
          throw new CloudError(
            403,
            'Forbidden',
            `The requested image ${row.id} has been deactivated; its content cannot be read.`,
          );
        if (row.status === 'queued' || row.status === 'saving') return { status: 204 };
        const range = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(String(headers['range'] ?? ''));
        const total = row.size ?? 0;
        const wanted =
          range === null
            ? undefined
            : {
                start: Number(range[1]),
                end: range[2] === '' ? total - 1 : Math.min(Number(range[2]), total - 1),
              };
        const { stream } = await contents.open(row, wanted);
        return {
          status: wanted === undefined ? 200 : 206,
          headers: {
            'content-type': 'application/octet-stream',
            'content-length': String(wanted === undefined ? total : wanted.end - wanted.start + 1),
            ...(wanted === undefined
              ? {}
              : { 'content-range': `bytes ${wanted.start}-${wanted.end}/${total}` }),
            ...(row.checksum === null ? {} : { 'content-md5': row.checksum }),
          },
          body: stream,
        };
      },
    }),
    ...([true, false] as const).map((present) =>
      route({
        method: present ? 'PUT' : 'DELETE',
        path: '/v2/images/:image_id/tags/:tag',
        ids: { image_id: 'image', tag: 'none' },
        policy: 'image:images:update',
        summary: present ? 'Add a tag' : 'Remove a tag',
        status: 204,
        async handler({ ctx, params }) {
          await setTag(ctx, params.image_id, params.tag, present);
          return {};
        },
      }),
    ),
    ...(['deactivate', 'reactivate'] as const).map((verb) =>
      route({
        method: 'POST',
        path: `/v2/images/:image_id/actions/${verb}`,
        ids: { image_id: 'image' },
        policy: 'image:images:deactivate',
        summary: verb === 'deactivate' ? 'Deactivate an image' : 'Reactivate an image',
        status: 204,
        async handler({ ctx, params }) {
          await setActive(ctx, params.image_id, verb === 'reactivate');
          return {};
        },
      }),
    ),
    route({
      method: 'GET',
      path: '/v2/schemas/image',
      policy: 'image:schemas',
      summary: 'The schema of an image',
      handler: async () => ({ body: imageSchema }),
    }),
    route({
      method: 'GET',
      path: '/v2/schemas/images',
      policy: 'image:schemas',
      summary: 'The schema of an image list',
      handler: async () => ({
        body: {
          name: 'images',
          properties: {
            images: { type: 'array', items: imageSchema },
            first: { type: 'string' },
            next: { type: 'string' },
            schema: { type: 'string' },
          },
        },
      }),
    }),
    ...(['', '/versions', '/v2'] as const).map((path) =>
      route({
        method: 'GET',
        path: path === '' ? '/' : path,
        policy: 'image:discover',
        summary: 'Versions',
        // Glance answers the choice of versions with 300, as its clients expect.
        status: path === '/versions' ? 200 : 300,
        handler: async ({ ctx }) => ({
          body: {
            versions: [
              ['v2.9', 'CURRENT'],
              ['v2.7', 'SUPPORTED'],
              ['v2.5', 'SUPPORTED'],
              ['v2.3', 'SUPPORTED'],
              ['v2.2', 'SUPPORTED'],
              ['v2.1', 'SUPPORTED'],
              ['v2.0', 'SUPPORTED'],
            ].map(([id, status]) => ({
              id,
              status,
              links: [{ rel: 'self', href: `${ctx.platform.publicUrl}/image/v2/` }],
            })),
          },
        }),
      }),
    ),
  ];
}

const nullableString = { type: ['null', 'string'] };
const readOnlyInteger = { type: ['null', 'integer'], readOnly: true };
const imageSchema = {
  name: 'image',
  additionalProperties: { type: 'string' },
  properties: {
    id: { type: 'string' },
    name: { ...nullableString, maxLength: 255 },
    status: { type: 'string', readOnly: true, enum: ['queued', 'saving', 'active', 'deactivated'] },
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
