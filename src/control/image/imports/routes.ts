// Glance v2: staging, importing, and the tasks that tell what became of an import.
import { Type } from 'typebox';
import { isoSeconds } from '../../../kernel/clock.ts';
import { badRequest, CloudError, forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage, cutPage, nextLink, parseSort } from '../../../kernel/paging.ts';
import { rules, type Policies } from '../../../kernel/policy.ts';
import { idOf, integer, strict, text } from '../../../kernel/schema.ts';
import type { Contents } from '../images/content.ts';
import { ownImage } from '../images/access.ts';
import { STORE } from '../images/wire.ts';
import { readTask, tasksOfImage, type Imports, type TaskRow } from './service.ts';

const members = [rules.admin, rules.projectMember];
export const importPolicies: Policies = {
  'image:images:stage': { description: 'Stage content for an import', anyOf: members },
  'image:images:import': { description: 'Import the content of an image', anyOf: members },
  'image:images:tasks': {
    description: 'List the tasks of an image',
    anyOf: [rules.admin, rules.projectReader],
  },
  'image:stores:delete': { description: 'Delete the content of an image from a store', anyOf: members },
  'image:tasks': { description: 'List and show the tasks of the cloud', anyOf: [rules.admin] },
};

export const ImportBody = strict({
  method: strict({
    name: text(64, 1),
    uri: Type.Optional(text(2048, 1)),
    glance_image_id: Type.Optional(idOf('image')),
    glance_region: Type.Optional(text(255, 1)),
    glance_service_interface: Type.Optional(text(64, 1)),
  }),
  stores: Type.Optional(Type.Array(text(255, 1), { maxItems: 16 })),
  all_stores: Type.Optional(Type.Boolean()),
  all_stores_must_succeed: Type.Optional(Type.Boolean()),
});

const taskView = (row: TaskRow) => ({
  id: row.id,
  type: 'api_image_import',
  status: row.status,
  owner: row.owner,
  image_id: row.image_id,
  user_id: row.user_id,
  request_id: row.request_id,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  ...(row.expires_at === null ? {} : { expires_at: isoSeconds(row.expires_at) }),
  self: `/v2/tasks/${row.id}`,
  schema: '/v2/schemas/task',
});

const taskDetail = (row: TaskRow) => ({
  ...taskView(row),
  input: { image_id: row.image_id, import_req: JSON.parse(row.input) as object, backend: [STORE] },
  result: row.status === 'success' ? { image_id: row.image_id } : null,
  message: row.message,
});

export function importRoutes(contents: Contents, imports: Imports): readonly Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v2/images/:image_id/stage',
      ids: { image_id: 'image' },
      policy: 'image:images:stage',
      summary: 'Stage content for an import',
      status: 204,
      streams: true,
      async handler({ ctx, params, headers, stream }) {
        if (headers['content-type'] !== 'application/octet-stream')
          throw new CloudError(
            415,
            'UnsupportedMediaType',
            'The content type must be application/octet-stream.',
          );
        await contents.stage(ctx, params.image_id, stream);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/v2/images/:image_id/import',
      ids: { image_id: 'image' },
      policy: 'image:images:import',
      summary: 'Import the content of an image',
      status: 202,
      body: ImportBody,
      async handler({ ctx, params, body }) {
        await imports.request(ctx, params.image_id, body);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: '/v2/stores/:store_id/:image_id',
      ids: { store_id: 'none', image_id: 'image' },
      policy: 'image:stores:delete',
      summary: 'Delete the content of an image from a store',
      status: 204,
      async handler({ ctx, params }) {
        const row = await ownImage(ctx.platform.db.read, ctx, params.image_id);
        if (params.store_id !== STORE || row.hash === null) throw notFound('Store', params.store_id);
        throw forbidden(`Image ${row.id} is in no other store than ${STORE}; delete the image instead.`);
      },
    }),
    route({
      method: 'GET',
      path: '/v2/images/:image_id/tasks',
      ids: { image_id: 'image' },
      policy: 'image:images:tasks',
      summary: 'List the tasks of an image',
      handler: async ({ ctx, params }) => ({
        body: { tasks: (await tasksOfImage(ctx, params.image_id)).map(taskDetail) },
      }),
    }),
    route({
      method: 'GET',
      path: '/v2/tasks',
      policy: 'image:tasks',
      summary: 'List tasks',
      query: Type.Object({
        limit: Type.Optional(integer(0, 2 ** 31 - 1)),
        marker: Type.Optional(Type.String({ maxLength: 255, 'x-ref': 'image-task' })),
        sort_key: Type.Optional(Type.Array(text(100))),
        sort_dir: Type.Optional(Type.Array(text(10))),
        status: Type.Optional(text(20)),
        type: Type.Optional(text(40)),
      }),
      async handler({ ctx, query, rawQuery }) {
        const { read } = ctx.platform.db;
        const sort = parseSort(
          { id: 'id', status: 'status', created_at: 'created_at', updated_at: 'updated_at' },
          query.sort_key ?? [],
          query.sort_dir ?? ['desc'],
          [{ column: 'created_at', direction: 'desc' }],
        );
        const limit = Math.min(query.limit ?? 25, 1000);
        const marker =
          query.marker === undefined ? null : await readTask(ctx, query.marker).catch(() => null);
        if (query.marker !== undefined && marker === null)
          throw badRequest(`Invalid input for marker. Value: ${query.marker}. There is no such task.`);
        let rows = read.selectFrom('image_tasks').selectAll();
        if (query.status !== undefined) rows = rows.where('status', '=', query.status as never);
        const none = limit === 0 || (query.type !== undefined && query.type !== 'api_image_import');
        const page = none
          ? { rows: [], more: false }
          : cutPage(await applyPage(rows, sort, marker, limit).execute(), limit);
        const last = page.rows.at(-1);
        return {
          body: {
            tasks: page.rows.map(taskView),
            first: '/v2/tasks',
            ...(page.more && last !== undefined ? { next: nextLink('/v2/tasks', rawQuery, last.id) } : {}),
            schema: '/v2/schemas/tasks',
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/v2/tasks/:task_id',
      ids: { task_id: 'image-task' },
      policy: 'image:tasks',
      summary: 'Show a task',
      handler: async ({ ctx, params }) => ({ body: taskDetail(await readTask(ctx, params.task_id)) }),
    }),
  ];
}
