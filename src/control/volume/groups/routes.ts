// Generic volume groups over HTTP: api-ref "Generic volume groups", from 3.13 on.
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import type { VolumeDeps } from '../deps.ts';
import { listedProject, pageOf, sorted } from '../pages.ts';
import { stamp } from '../routing.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { flag, isSet, pageQuery } from '../volumes/schema.ts';
import type { VolumeRow } from '../volumes/table.ts';
import { createGroup, createGroupFrom, deleteGroup, resetGroup, updateGroup } from './service.ts';
import { findGroup, volumesByGroup, volumesOf } from './store.ts';
import { statusOf, type GroupRow } from './table.ts';

const ids = { group_id: 'volume-group' } as const;
const since = '3.13';
const list = 'volume:groups:list';
const manage = 'volume:groups:manage';
export const GROUP_STATUSES = ['creating', 'available', 'deleting', 'error', 'error_deleting', 'updating'];

const brief = (row: GroupRow) => ({ id: row.id, name: row.name ?? '' });
const view = (ctx: Ctx, row: GroupRow, members: readonly VolumeRow[], withVolumes: boolean) => ({
  ...brief(row),
  status: statusOf(row, members),
  description: row.description,
  availability_zone: row.zone,
  created_at: stamp(row.created_at),
  group_type: row.group_type_id,
  volume_types: JSON.parse(row.volume_types) as string[],
  ...(ctx.microversion >= 14
    ? { group_snapshot_id: row.group_snapshot_id, source_group_id: row.source_group_id }
    : {}),
  ...(ctx.microversion >= 25 && withVolumes ? { volumes: members.map((one) => one.id) } : {}),
  ...(ctx.microversion >= 38 ? { replication_status: 'disabled' } : {}),
});

const lists: Route[] = ([false, true] as const).map((detail) =>
  route({
    method: 'GET',
    path: detail ? '/groups/detail' : '/groups',
    policy: list,
    summary: detail ? 'List groups with details' : 'List groups',
    since,
    query: Type.Object({
      ...pageQuery,
      marker: Type.Optional(idOf('volume-group')),
      list_volume: Type.Optional(text(10)),
      group_snapshot_id: Type.Optional(idOf('group-snapshot')),
      source_group_id: Type.Optional(idOf('volume-group')),
    }),
    async handler({ ctx, query, rawQuery }) {
      const db = ctx.platform.db.read;
      let rows = db
        .selectFrom('volume_groups')
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc');
      const project = listedProject(ctx, query);
      if (project !== null) rows = rows.where('project_id', '=', project);
      for (const [column, value] of [
        ['name', query.name],
        ['group_snapshot_id', query.group_snapshot_id],
        ['source_group_id', query.source_group_id],
      ] as const)
        if (value !== undefined) rows = rows.where(column, '=', value);
      const all = await rows.execute();
      const members = await volumesByGroup(
        db,
        all.map((row) => row.id),
      );
      const of = (row: GroupRow): VolumeRow[] => members.get(row.id) ?? [];
      const found = sorted(
        all.filter((row) => query.status === undefined || statusOf(row, of(row)) === query.status),
        query,
        (row, key) => (key in row ? row[key as keyof GroupRow] : row.created_at),
      );
      return {
        body: pageOf(
          ctx,
          'groups',
          'Group',
          found,
          query,
          rawQuery,
          detail ? 'groups/detail' : 'groups',
          (row) => (detail ? view(ctx, row, of(row), isSet(query.list_volume)) : brief(row)),
        ),
      };
    },
  }),
);

const name = () => Type.Optional(nullable(text(255)));
const description = () => Type.Optional(nullable(prose(255)));
/** Ids with commas between them. */
const idList = () => Type.Optional(nullable(text(16_384)));

export const groupRoutes = (deps: VolumeDeps): Route[] => [
  ...lists,
  route({
    method: 'POST',
    path: '/groups',
    policy: manage,
    summary: 'Create a group',
    since,
    status: 202,
    body: strict({
      group: strict({
        name: name(),
        description: description(),
        group_type: text(255, 1),
        volume_types: Type.Array(idOf('volume-type'), { minItems: 1, maxItems: 100 }),
        availability_zone: Type.Optional(nullable(text(255))),
      }),
    }),
    async handler({ ctx, body }) {
      const asked = body.group;
      return {
        body: {
          group: brief(
            await createGroup(ctx, {
              name: asked.name ?? null,
              description: asked.description ?? null,
              groupType: asked.group_type,
              volumeTypes: asked.volume_types,
              zone: asked.availability_zone ?? null,
            }),
          ),
        },
      };
    },
  }),
  route({
    method: 'POST',
    path: '/groups/action',
    action: 'create-from-src',
    policy: manage,
    summary: 'Create a group of copies',
    since: '3.14',
    status: 202,
    body: strict({
      name: name(),
      description: description(),
      group_snapshot_id: Type.Optional(nullable(idOf('group-snapshot'))),
      source_group_id: Type.Optional(nullable(idOf('volume-group'))),
    }),
    async handler({ ctx, body }) {
      const [groupSnapshotId, sourceGroupId] = [body.group_snapshot_id ?? null, body.source_group_id ?? null];
      if ((groupSnapshotId === null) === (sourceGroupId === null))
        throw badRequest("Either 'group_snapshot_id' or 'source_group_id' must be provided, and not both.");
      return {
        body: {
          group: brief(
            await createGroupFrom(ctx, deps, {
              name: body.name ?? null,
              description: body.description ?? null,
              groupSnapshotId,
              sourceGroupId,
            }),
          ),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/groups/:group_id',
    ids,
    policy: list,
    summary: 'Show a group',
    since,
    query: Type.Object({ list_volume: Type.Optional(text(10)) }),
    async handler({ ctx, params, query }) {
      const db = ctx.platform.db.read;
      const row = await findGroup(db, ctx, params.group_id);
      return {
        body: { group: view(ctx, row, await volumesOf(db, row.id), isSet(query.list_volume)) },
      };
    },
  }),
  route({
    method: 'PUT',
    path: '/groups/:group_id',
    ids,
    policy: manage,
    summary: 'Change a group, add volumes to it and remove them',
    since,
    status: 202,
    body: strict({
      group: strict({
        name: name(),
        description: description(),
        add_volumes: idList(),
        remove_volumes: idList(),
      }),
    }),
    async handler({ ctx, params, body }) {
      await findGroup(ctx.platform.db.read, ctx, params.group_id);
      const { name: newName, description: text, add_volumes: add, remove_volumes: remove } = body.group;
      if ([newName, text, add, remove].every((one) => one === undefined))
        throw badRequest(
          'Name, description, add_volumes, and remove_volumes can not be all empty in the request body.',
        );
      await updateGroup(ctx, params.group_id, {
        ...(newName === undefined ? {} : { name: newName }),
        ...(text === undefined ? {} : { description: text }),
        add: add ?? '',
        remove: remove ?? '',
      });
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/groups/:group_id/action',
    ids,
    action: 'delete',
    policy: manage,
    summary: 'Delete a group',
    since,
    status: 202,
    body: strict({ 'delete-volumes': Type.Optional(flag()) }),
    async handler({ ctx, params, body }) {
      await deleteGroup(ctx, deps, params.group_id, isSet(body['delete-volumes']));
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/groups/:group_id/action',
    ids,
    action: 'reset_status',
    policy: 'volume:groups:force',
    summary: 'Set the status of a group',
    since: '3.20',
    status: 202,
    body: strict({ status: Type.Union(GROUP_STATUSES.map((one) => Type.Literal(one))) }),
    async handler({ ctx, params, body }) {
      await resetGroup(ctx, params.group_id, body.status);
      return {};
    },
  }),
];
