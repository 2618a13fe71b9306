// Glance v2: namespaces of metadata definitions, and the resource types that they are for.
import { Type } from 'typebox';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage, cutPage, nextLink, parseSort } from '../../../kernel/paging.ts';
import { isAdmin, projectOf, rules, type Policies } from '../../../kernel/policy.ts';
import { integer, text } from '../../../kernel/schema.ts';
import { AssociationBody, NamespaceBody, NamespaceUpdate } from './bodies.ts';
import { itemRoutes } from './item-routes.ts';
import {
  associate,
  associationsOf,
  changeable,
  createNamespace,
  deleteNamespace,
  itemsOf,
  readNamespace,
  requireUnprotected,
  updateNamespace,
} from './namespaces.ts';
import { associationView, fullNamespaceView, namespaceUrl, namespaceView, resourceTypeView } from './wire.ts';

export const metadefPolicies: Policies = {
  'image:metadefs:read': {
    description: 'Read metadata definitions',
    anyOf: [rules.admin, rules.systemReader, rules.projectReader],
  },
  'image:metadefs:write': { description: 'Change metadata definitions', anyOf: [rules.admin] },
};

const namespaces = '/v2/metadefs/namespaces';
const one = `${namespaces}/:namespace` as const;
const ids = { namespace: 'metadef-namespace' } as const;
const read = 'image:metadefs:read';
const write = 'image:metadefs:write';

export const metadefRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: namespaces,
    policy: read,
    summary: 'List namespaces of metadata definitions',
    query: Type.Object({
      limit: Type.Optional(integer(0, 2 ** 31 - 1)),
      marker: Type.Optional(Type.String({ maxLength: 255, 'x-ref': 'metadef-namespace' })),
      sort_key: Type.Optional(Type.Array(text(100))),
      sort_dir: Type.Optional(Type.Array(text(10))),
      visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
      resource_types: Type.Optional(text(2000)),
    }),
    async handler({ ctx, query, rawQuery }) {
      const db = ctx.platform.db.read;
      const sort = parseSort(
        { namespace: 'namespace', created_at: 'created_at', updated_at: 'updated_at' },
        query.sort_key ?? [],
        query.sort_dir ?? ['desc'],
        [{ column: 'created_at', direction: 'desc' }],
      ).map((key) => (key.column === 'id' ? { ...key, column: 'namespace' } : key));
      const limit = Math.min(query.limit ?? 25, 1000);
      const marker =
        query.marker === undefined ? null : await readNamespace(db, ctx, query.marker).catch(() => null);
      if (query.marker !== undefined && marker === null)
        throw badRequest(`Invalid input for marker. Value: ${query.marker}. There is no such namespace.`);
      let rows = db.selectFrom('metadef_namespaces').selectAll();
      if (!isAdmin(ctx.actor))
        rows = rows.where((eb) =>
          eb.or([eb('visibility', '=', 'public'), eb('owner', '=', projectOf(ctx.actor))]),
        );
      if (query.visibility !== undefined)
        rows = rows.where('visibility', '=', query.visibility as 'public' | 'private');
      if (query.resource_types !== undefined)
        rows = rows.where('namespace', 'in', (eb) =>
          eb
            .selectFrom('metadef_associations')
            .select('namespace')
            .where('name', 'in', (query.resource_types ?? '').split(',').slice(0, 100)),
        );
      const page =
        limit === 0
          ? { rows: [], more: false }
          : cutPage(await applyPage(rows, sort, marker, limit).execute(), limit);
      const associations = await associationsOf(
        db,
        page.rows.map(({ namespace }) => namespace),
      );
      const last = page.rows.at(-1);
      return {
        body: {
          namespaces: page.rows.map((row) =>
            namespaceView(
              row,
              associations.filter(({ namespace }) => namespace === row.namespace),
            ),
          ),
          first: namespaces,
          ...(page.more && last !== undefined
            ? { next: nextLink(namespaces, rawQuery, last.namespace) }
            : {}),
          schema: '/v2/schemas/metadefs/namespaces',
        },
      };
    },
  }),
  route({
    method: 'POST',
    path: namespaces,
    policy: write,
    summary: 'Create a namespace of metadata definitions',
    status: 201,
    body: NamespaceBody,
    async handler({ ctx, body }) {
      const row = await createNamespace(ctx, body);
      const db = ctx.platform.db.read;
      return {
        headers: { location: `${ctx.platform.publicUrl}/image${namespaceUrl(row.namespace)}` },
        body: fullNamespaceView(
          row,
          await associationsOf(db, [row.namespace]),
          await itemsOf(db, row.namespace),
        ),
      };
    },
  }),
  route({
    method: 'GET',
    path: one,
    ids,
    policy: read,
    summary: 'Show a namespace of metadata definitions with all that it holds',
    query: Type.Object({ resource_type: Type.Optional(text(80)) }),
    async handler({ ctx, params, query }) {
      const db = ctx.platform.db.read;
      const row = await readNamespace(db, ctx, params.namespace);
      const associations = await associationsOf(db, [row.namespace]);
      const prefix = associations.find(({ name }) => name === query.resource_type)?.prefix ?? '';
      return { body: fullNamespaceView(row, associations, await itemsOf(db, row.namespace), prefix) };
    },
  }),
  route({
    method: 'PUT',
    path: one,
    ids,
    policy: write,
    summary: 'Change a namespace of metadata definitions',
    body: NamespaceUpdate,
    async handler({ ctx, params, body }) {
      const row = await updateNamespace(ctx, params.namespace, body);
      return { body: namespaceView(row, await associationsOf(ctx.platform.db.read, [row.namespace])) };
    },
  }),
  route({
    method: 'DELETE',
    path: one,
    ids,
    policy: write,
    summary: 'Delete a namespace of metadata definitions',
    status: 204,
    async handler({ ctx, params }) {
      await deleteNamespace(ctx, params.namespace);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/v2/metadefs/resource_types',
    policy: read,
    summary: 'List the resource types that metadata definitions are for',
    handler: async ({ ctx }) => ({
      body: {
        resource_types: (
          await ctx.platform.db.read
            .selectFrom('metadef_resource_types')
            .selectAll()
            .orderBy('name')
            .limit(1000)
            .execute()
        ).map(resourceTypeView),
      },
    }),
  }),
  route({
    method: 'GET',
    path: `${one}/resource_types`,
    ids,
    policy: read,
    summary: 'List the resource types of a namespace',
    async handler({ ctx, params }) {
      const db = ctx.platform.db.read;
      await readNamespace(db, ctx, params.namespace);
      const rows = await associationsOf(db, [params.namespace]);
      return { body: { resource_type_associations: rows.map(associationView) } };
    },
  }),
  route({
    method: 'POST',
    path: `${one}/resource_types`,
    ids,
    policy: write,
    summary: 'Associate a namespace with a resource type',
    status: 201,
    body: AssociationBody,
    handler: ({ ctx, params, body }) =>
      ctx.platform.db.tx(async (tx) => {
        await changeable(tx, ctx, params.namespace);
        const there = await associationsOf(tx, [params.namespace]);
        if (there.some(({ name }) => name === body.name))
          throw conflict(`Namespace ${params.namespace} is associated with ${body.name} already.`);
        if (there.length >= 64)
          throw conflict(
            `Namespace ${params.namespace} is associated with 64 resource types, the most it can.`,
          );
        const row = await associate(tx, ctx.platform.clock.now(), params.namespace, body);
        return { body: associationView(row) };
      }),
  }),
  route({
    method: 'DELETE',
    path: `${one}/resource_types/:resource_type`,
    ids: { ...ids, resource_type: 'none' },
    policy: write,
    summary: 'Remove a resource type from a namespace',
    status: 204,
    handler: ({ ctx, params }) =>
      ctx.platform.db.tx(async (tx) => {
        const row = await changeable(tx, ctx, params.namespace);
        requireUnprotected(row, `its association with ${params.resource_type}`);
        const gone = await tx
          .deleteFrom('metadef_associations')
          .where('namespace', '=', params.namespace)
          .where('name', '=', params.resource_type)
          .executeTakeFirst();
        if (gone.numDeletedRows === 0n)
          throw notFound('Metadata definition resource type association', params.resource_type);
        return {};
      }),
  }),
  ...itemRoutes,
];
