// Snapshots of groups over HTTP: api-ref "Group snapshots", from 3.14 on.
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import type { VolumeDeps } from '../deps.ts';
import { listedProject, pageOf, sorted } from '../pages.ts';
import { stamp } from '../routing.ts';
import type { SnapshotRow } from '../snapshots/table.ts';
import { pageQuery } from '../volumes/schema.ts';
import { GROUP_STATUSES } from './routes.ts';
import { createGroupSnapshot, deleteGroupSnapshot, resetGroupSnapshot } from './service.ts';
import { findGroupSnapshot, snapshotsByGroupSnapshot, snapshotsOf } from './store.ts';
import { statusOf, type GroupSnapshotRow } from './table.ts';

const ids = { group_snapshot_id: 'group-snapshot' } as const;
const since = '3.14';
const list = 'volume:groups:list';
const manage = 'volume:groups:manage';

const brief = (row: GroupSnapshotRow) => ({ id: row.id, name: row.name ?? '' });
const view = (row: GroupSnapshotRow, members: readonly SnapshotRow[]) => ({
  ...brief(row),
  group_id: row.group_id,
  group_type_id: row.group_type_id,
  description: row.description,
  status: statusOf(row, members),
  created_at: stamp(row.created_at),
});

const lists: Route[] = ([false, true] as const).map((detail) =>
  route({
    method: 'GET',
    path: detail ? '/group_snapshots/detail' : '/group_snapshots',
    policy: list,
    summary: detail ? 'List group snapshots with details' : 'List group snapshots',
    since,
    query: Type.Object({
      ...pageQuery,
      marker: Type.Optional(idOf('group-snapshot')),
      group_id: Type.Optional(idOf('volume-group')),
    }),
    async handler({ ctx, query, rawQuery }) {
      const db = ctx.platform.db.read;
      let rows = db
        .selectFrom('volume_group_snapshots')
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc');
      const project = listedProject(ctx, query);
      if (project !== null) rows = rows.where('project_id', '=', project);
      if (query.name !== undefined) rows = rows.where('name', '=', query.name);
      if (query.group_id !== undefined) rows = rows.where('group_id', '=', query.group_id);
      const all = await rows.execute();
      const members = await snapshotsByGroupSnapshot(
        db,
        all.map((row) => row.id),
      );
      const of = (row: GroupSnapshotRow): SnapshotRow[] => members.get(row.id) ?? [];
      const found = sorted(
        all.filter((row) => query.status === undefined || statusOf(row, of(row)) === query.status),
        query,
        (row, key) => (key in row ? row[key as keyof GroupSnapshotRow] : row.created_at),
      );
      return {
        body: pageOf(
          ctx,
          'group_snapshots',
          'GroupSnapshot',
          found,
          query,
          rawQuery,
          detail ? 'group_snapshots/detail' : 'group_snapshots',
          (row) => (detail ? view(row, of(row)) : brief(row)),
        ),
      };
    },
  }),
);

export const groupSnapshotRoutes = (deps: VolumeDeps): Route[] => [
  ...lists,
  route({
    method: 'POST',
    path: '/group_snapshots',
    policy: manage,
    summary: 'Take snapshots of all volumes of a group',
    since,
    status: 202,
    body: strict({
      group_snapshot: strict({
        group_id: idOf('volume-group'),
        name: Type.Optional(nullable(text(255))),
        description: Type.Optional(nullable(prose(255))),
      }),
    }),
    async handler({ ctx, body }) {
      const asked = body.group_snapshot;
      const row = await createGroupSnapshot(ctx, {
        groupId: asked.group_id,
        name: asked.name ?? null,
        description: asked.description ?? null,
      });
      return { body: { group_snapshot: { ...brief(row), group_type_id: row.group_type_id } } };
    },
  }),
  route({
    method: 'GET',
    path: '/group_snapshots/:group_snapshot_id',
    ids,
    policy: list,
    summary: 'Show a group snapshot',
    since,
    async handler({ ctx, params }) {
      const db = ctx.platform.db.read;
      const row = await findGroupSnapshot(db, ctx, params.group_snapshot_id);
      return { body: { group_snapshot: view(row, await snapshotsOf(db, row.id)) } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/group_snapshots/:group_snapshot_id',
    ids,
    policy: manage,
    summary: 'Delete a group snapshot',
    since,
    status: 202,
    async handler({ ctx, params }) {
      await deleteGroupSnapshot(ctx, deps, params.group_snapshot_id);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/group_snapshots/:group_snapshot_id/action',
    ids,
    action: 'reset_status',
    policy: 'volume:groups:force',
    summary: 'Set the status of a group snapshot',
    since: '3.19',
    status: 202,
    body: strict({ status: Type.Union(GROUP_STATUSES.map((one) => Type.Literal(one))) }),
    async handler({ ctx, params, body }) {
      await resetGroupSnapshot(ctx, params.group_snapshot_id, body.status);
      return {};
    },
  }),
];
