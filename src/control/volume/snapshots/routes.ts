// Snapshots over HTTP: api-ref "Volume snapshots".
import { Type } from 'typebox';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import type { VolumeDeps } from '../deps.ts';
import { listPage } from '../listing.ts';
import { stamp, stampOrNull } from '../routing.ts';
import { flag, isSet, metadata, snapshotQuery } from '../volumes/schema.ts';
import { without } from '../volumes/service.ts';
import { mapOf, type StringMap } from '../volumes/store.ts';
import { createSnapshot, deleteSnapshot, reportProgress, updateSnapshot } from './service.ts';
import { findSnapshot } from './store.ts';
import type { SnapshotRow } from './table.ts';

const ids = { snapshot_id: 'snapshot' } as const;

export const snapshotView = (ctx: Ctx, row: SnapshotRow) => ({
  id: row.id,
  created_at: stamp(row.created_at),
  updated_at: stampOrNull(row.updated_at),
  name: row.name,
  description: row.description,
  volume_id: row.volume_id,
  status: row.status,
  size: row.size_gib,
  metadata: mapOf(row.metadata),
  ...(ctx.microversion >= 14 ? { group_snapshot_id: row.group_snapshot_id } : {}),
  ...(ctx.microversion >= 41 ? { user_id: row.user_id } : {}),
  ...(ctx.microversion >= 65 ? { consumes_quota: true } : {}),
});
const detailView = (ctx: Ctx, row: SnapshotRow) => ({
  ...snapshotView(ctx, row),
  'os-extended-snapshot-attributes:progress': row.progress ?? (row.created === 1 ? '100%' : '0%'),
  'os-extended-snapshot-attributes:project_id': row.project_id,
});

const name = () => Type.Optional(nullable(text(255)));
const description = () => Type.Optional(nullable(prose(255)));

const changeMetadata = async (
  ctx: Ctx,
  id: string,
  apply: (before: StringMap) => StringMap,
): Promise<StringMap> => {
  const after = apply(mapOf((await findSnapshot(ctx.platform.db.read, ctx, id)).metadata));
  await updateSnapshot(ctx, id, { metadata: JSON.stringify(after) });
  return after;
};

const STATUSES = ['creating', 'available', 'deleting', 'error', 'error_deleting'];

export const snapshotRoutes = (deps: VolumeDeps): Route[] => [
  ...([false, true] as const).map((detail) =>
    route({
      method: 'GET',
      path: detail ? '/snapshots/detail' : '/snapshots',
      policy: 'volume:snapshots:list',
      summary: detail ? 'List snapshots with details' : 'List snapshots',
      query: snapshotQuery,
      async handler({ ctx, query, rawQuery }) {
        const page = await listPage(
          ctx,
          'volume_snapshots',
          query,
          rawQuery,
          detail ? 'snapshots/detail' : 'snapshots',
        );
        return {
          body: {
            snapshots: page.rows.map((row) => (detail ? detailView(ctx, row) : snapshotView(ctx, row))),
            ...(page.links === null ? {} : { snapshots_links: page.links }),
            ...(page.total === null ? {} : { count: page.total }),
          },
        };
      },
    }),
  ),
  route({
    method: 'POST',
    path: '/snapshots',
    policy: 'volume:snapshots:create',
    summary: 'Create a snapshot',
    status: 202,
    body: strict({
      snapshot: strict({
        volume_id: nullable(idOf('volume')),
        name: name(),
        display_name: name(),
        description: description(),
        display_description: description(),
        force: Type.Optional(nullable(flag())),
        metadata: Type.Optional(nullable(metadata)),
      }),
    }),
    async handler({ ctx, body }) {
      const asked = body.snapshot;
      if (ctx.microversion >= 66 && asked.force !== undefined && !isSet(asked.force))
        throw badRequest(
          "Invalid input received: Invalid value 'False' for 'force'. The 'force' parameter is invalid from microversion 3.66 on: snapshots of volumes in use need no flag.",
        );
      if (asked.volume_id === null) throw notFound('Volume', 'null');
      const row = await createSnapshot(ctx, {
        volumeId: asked.volume_id,
        name: asked.name ?? asked.display_name ?? null,
        description: asked.description ?? asked.display_description ?? null,
        metadata: asked.metadata ?? {},
        force: isSet(asked.force) || ctx.microversion >= 66,
      });
      return { body: { snapshot: snapshotView(ctx, row) } };
    },
  }),
  route({
    method: 'GET',
    path: '/snapshots/:snapshot_id',
    ids,
    policy: 'volume:snapshots:show',
    summary: 'Show a snapshot',
    handler: async ({ ctx, params }) => ({
      body: { snapshot: detailView(ctx, await findSnapshot(ctx.platform.db.read, ctx, params.snapshot_id)) },
    }),
  }),
  route({
    method: 'PUT',
    path: '/snapshots/:snapshot_id',
    ids,
    policy: 'volume:snapshots:update',
    summary: 'Change a snapshot',
    body: strict({
      snapshot: strict({
        name: name(),
        display_name: name(),
        description: description(),
        display_description: description(),
      }),
    }),
    async handler({ ctx, params, body }) {
      const asked = body.snapshot;
      const newName = asked.name !== undefined ? asked.name : asked.display_name;
      const newDescription = asked.description !== undefined ? asked.description : asked.display_description;
      const row = await updateSnapshot(ctx, params.snapshot_id, {
        ...(newName === undefined ? {} : { name: newName }),
        ...(newDescription === undefined ? {} : { description: newDescription }),
      });
      return { body: { snapshot: snapshotView(ctx, row) } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/snapshots/:snapshot_id',
    ids,
    policy: 'volume:snapshots:delete',
    summary: 'Delete a snapshot',
    status: 202,
    async handler({ ctx, params }) {
      await deleteSnapshot(ctx, deps, params.snapshot_id, false);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/snapshots/:snapshot_id/metadata',
    ids,
    policy: 'volume:snapshots:show',
    summary: 'Show the metadata of a snapshot',
    handler: async ({ ctx, params }) => ({
      body: { metadata: mapOf((await findSnapshot(ctx.platform.db.read, ctx, params.snapshot_id)).metadata) },
    }),
  }),
  ...(['POST', 'PUT'] as const).map((method) =>
    route({
      method,
      path: '/snapshots/:snapshot_id/metadata',
      ids,
      policy: 'volume:snapshots:update',
      summary: method === 'POST' ? 'Add metadata to a snapshot' : 'Replace the metadata of a snapshot',
      body: strict({ metadata }),
      handler: async ({ ctx, params, body }) => ({
        body: {
          metadata: await changeMetadata(ctx, params.snapshot_id, (before) =>
            method === 'POST' ? { ...before, ...body.metadata } : body.metadata,
          ),
        },
      }),
    }),
  ),
  route({
    method: 'GET',
    path: '/snapshots/:snapshot_id/metadata/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:snapshots:show',
    summary: 'Show a metadata item of a snapshot',
    async handler({ ctx, params }) {
      const all = mapOf((await findSnapshot(ctx.platform.db.read, ctx, params.snapshot_id)).metadata);
      without(all, params.key);
      return { body: { meta: { [params.key]: all[params.key] } } };
    },
  }),
  route({
    method: 'PUT',
    path: '/snapshots/:snapshot_id/metadata/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:snapshots:update',
    summary: 'Set a metadata item of a snapshot',
    body: strict({ meta: metadata }),
    async handler({ ctx, params, body }) {
      if (Object.keys(body.meta).length !== 1 || !Object.hasOwn(body.meta, params.key))
        throw badRequest(
          `Request body and URI mismatch: meta must have exactly the key '${params.key.slice(0, 100)}' of the address.`,
        );
      await changeMetadata(ctx, params.snapshot_id, (before) => ({ ...before, ...body.meta }));
      return { body: { meta: body.meta } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/snapshots/:snapshot_id/metadata/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:snapshots:update',
    summary: 'Delete a metadata item of a snapshot',
    async handler({ ctx, params }) {
      await changeMetadata(ctx, params.snapshot_id, (before) => without(before, params.key));
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/snapshots/:snapshot_id/action',
    ids,
    action: 'os-reset_status',
    policy: 'volume:snapshots:force',
    summary: 'Set the status of a snapshot',
    status: 202,
    body: strict({ status: text(64, 1) }),
    async handler({ ctx, params, body }) {
      const status = body.status.toLowerCase();
      if (!STATUSES.includes(status))
        throw badRequest(
          `Invalid input for field/attribute status. Value: ${status}. It must be one of ${STATUSES.join(', ')}.`,
        );
      await updateSnapshot(ctx, params.snapshot_id, { forced_status: status, progress: null });
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/snapshots/:snapshot_id/action',
    ids,
    action: 'os-update_snapshot_status',
    policy: 'volume:snapshots:progress',
    summary: 'Set status and progress of a snapshot that somebody else takes',
    status: 202,
    body: strict({
      status: Type.Union(STATUSES.map((one) => Type.Literal(one))),
      progress: Type.Optional(Type.String({ pattern: '^[0-9]{1,3}%$' })),
    }),
    async handler({ ctx, params, body }) {
      await reportProgress(ctx, params.snapshot_id, body.status, body.progress ?? null);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/snapshots/:snapshot_id/action',
    ids,
    action: 'os-force_delete',
    policy: 'volume:snapshots:force',
    summary: 'Delete a snapshot whatever its status',
    status: 202,
    body: Type.Union([Type.Null(), Type.Object({})]),
    async handler({ ctx, params }) {
      await deleteSnapshot(ctx, deps, params.snapshot_id, true);
      return {};
    },
  }),
];
