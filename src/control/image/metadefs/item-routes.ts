// Glance v2: the objects, properties and tags of a namespace. Objects and properties share their verbs; tags have a few
// of their own.
import { Type, type TObject } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { text } from '../../../kernel/schema.ts';
import { ObjectBody, PropertyBody, TagBody, TagsBody } from './bodies.ts';
import { createItem, deleteItem, deleteItems, putTags, readItem, updateItem } from './items.ts';
import { associationsOf, itemsOf, readNamespace, type ItemRow } from './namespaces.ts';
import type { MetadefKind } from './table.ts';
import { namespaceUrl, objectView, propertyView, tagView } from './wire.ts';

const base = '/v2/metadefs/namespaces/:namespace';
const ids = { namespace: 'metadef-namespace' } as const;
const withName = { ...ids, name: 'none' } as const;
const read = 'image:metadefs:read';
const write = 'image:metadefs:write';

type Form = {
  kind: MetadefKind;
  plural: 'objects' | 'properties' | 'tags';
  body: TObject;
  view(row: ItemRow, prefix?: string): object;
};
const forms: Readonly<Record<MetadefKind, Form>> = {
  object: { kind: 'object', plural: 'objects', body: ObjectBody, view: (row) => objectView(row) },
  property: { kind: 'property', plural: 'properties', body: PropertyBody, view: propertyView },
  tag: { kind: 'tag', plural: 'tags', body: TagBody, view: (row) => tagView(row) },
};

/** What the names of properties begin with on the resource type that the query names. */
const OfType = Type.Object({ resource_type: Type.Optional(text(80)) });

function commonRoutes({ kind, plural, body, view }: Form): Route[] {
  const path = `${base}/${plural}` as const;
  return [
    route({
      method: 'GET',
      path,
      ids,
      policy: read,
      summary: `List the ${plural} of a namespace`,
      async handler({ ctx, params }) {
        const db = ctx.platform.db.read;
        await readNamespace(db, ctx, params.namespace);
        const rows = await itemsOf(db, params.namespace, kind);
        return {
          body: {
            [plural]:
              kind === 'property'
                ? Object.fromEntries(rows.map((row) => [row.name, view(row)]))
                : rows.map((row) => view(row)),
            ...(kind === 'property'
              ? {}
              : {
                  first: `${namespaceUrl(params.namespace)}/${plural}`,
                  schema: `/v2/schemas/metadefs/${plural}`,
                }),
          },
        };
      },
    }),
    route({
      method: 'DELETE',
      path,
      ids,
      policy: write,
      summary: `Delete all ${plural} of a namespace`,
      status: 204,
      async handler({ ctx, params }) {
        await deleteItems(ctx, params.namespace, kind);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: `${path}/:name`,
      ids: withName,
      policy: read,
      summary: `Show one of the ${plural} of a namespace`,
      query: OfType,
      async handler({ ctx, params, query }) {
        const associations =
          query.resource_type === undefined
            ? []
            : await associationsOf(ctx.platform.db.read, [params.namespace]);
        const prefix = associations.find(({ name }) => name === query.resource_type)?.prefix ?? '';
        const plain =
          prefix !== '' && params.name.startsWith(prefix) ? params.name.slice(prefix.length) : params.name;
        return { body: view(await readItem(ctx, params.namespace, kind, plain), prefix) };
      },
    }),
    route({
      method: 'PUT',
      path: `${path}/:name`,
      ids: withName,
      policy: write,
      summary: `Change one of the ${plural} of a namespace`,
      body,
      handler: async ({ ctx, params, body: asked }) => ({
        body: view(
          await updateItem(ctx, params.namespace, kind, params.name, asked as unknown as { name: string }),
        ),
      }),
    }),
    route({
      method: 'DELETE',
      path: `${path}/:name`,
      ids: withName,
      policy: write,
      summary: `Delete one of the ${plural} of a namespace`,
      status: 204,
      async handler({ ctx, params }) {
        await deleteItem(ctx, params.namespace, kind, params.name);
        return {};
      },
    }),
  ];
}

const createRoute = ({ kind, plural, body, view }: Form): Route =>
  route({
    method: 'POST',
    path: `${base}/${plural}` as const,
    ids,
    policy: write,
    summary: `Add to the ${plural} of a namespace`,
    status: 201,
    body,
    async handler({ ctx, params, body: asked }) {
      const row = await createItem(ctx, params.namespace, kind, asked as unknown as { name: string });
      const url = `${namespaceUrl(params.namespace)}/${plural}/${encodeURIComponent(row.name)}`;
      return { headers: { location: `${ctx.platform.publicUrl}/image${url}` }, body: view(row) };
    },
  });

export const itemRoutes: readonly Route[] = [
  ...Object.values(forms).flatMap(commonRoutes),
  createRoute(forms.object),
  createRoute(forms.property),
  route({
    method: 'POST',
    path: `${base}/tags`,
    ids,
    policy: write,
    summary: 'Set the tags of a namespace; with X-OpenStack-Append: true, add to them',
    status: 201,
    body: TagsBody,
    async handler({ ctx, params, body, headers }) {
      const names = body.tags.map(({ name }) => name);
      const append = String(headers['x-openstack-append'] ?? '').toLowerCase() === 'true';
      await putTags(ctx, params.namespace, names, append);
      return { body: { tags: names.map((name) => ({ name })) } };
    },
  }),
  route({
    method: 'POST',
    path: `${base}/tags/:name`,
    ids: withName,
    policy: write,
    summary: 'Add a tag to a namespace',
    status: 201,
    handler: async ({ ctx, params }) => ({
      body: tagView(await createItem(ctx, params.namespace, 'tag', { name: params.name.slice(0, 80) })),
    }),
  }),
];
