// Backups over HTTP: api-ref "Backups".
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { idOf, nullable, prose, since, strict, text } from '../../../kernel/schema.ts';
import type { VolumeDeps } from '../deps.ts';
import { listedProject, pageOf, sorted } from '../pages.ts';
import { linksOf, stamp, stampOrNull } from '../routing.ts';
import { flag, isSet, metadata, pageQuery } from '../volumes/schema.ts';
import { mapOf } from '../volumes/store.ts';
import { isContainer, type BackupObjects } from './objects.ts';
import { exportRecord, parseRecord } from './record.ts';
import {
  createBackup,
  deleteBackup,
  importBackup,
  resetBackup,
  restoreBackup,
  updateBackup,
} from './service.ts';
import { findBackup, parentsAmong } from './store.ts';
import type { BackupRow } from './table.ts';

const ids = { backup_id: 'backup' } as const;
/** What operators may set, as in Cinder: the others say what goes on. */
const STATUSES = ['available', 'error'];

const brief = (ctx: Ctx, row: BackupRow) => ({
  id: row.id,
  name: row.name,
  links: linksOf(ctx, 'backups', row.id),
});
const named = (ctx: Ctx, row: BackupRow) => ({
  ...brief(ctx, row),
  ...(ctx.microversion >= 43 ? { metadata: mapOf(row.metadata) } : {}),
});

const view = (ctx: Ctx, row: BackupRow, dependents: boolean) => ({
  ...named(ctx, row),
  status: row.status,
  size: row.size_gib,
  object_count: row.object_count,
  container: row.container,
  description: row.description,
  availability_zone: row.zone,
  created_at: stamp(row.created_at),
  updated_at: stampOrNull(row.updated_at),
  data_timestamp: stamp(row.data_at),
  volume_id: row.volume_id,
  snapshot_id: row.snapshot_id,
  fail_reason: row.error,
  is_incremental: row.parent_id !== null,
  has_dependent_backups: dependents,
  ...(ctx.microversion >= 18 && isAdmin(ctx.actor)
    ? { 'os-backup-project-attr:project_id': row.project_id }
    : {}),
  ...(ctx.microversion >= 56 ? { user_id: row.user_id } : {}),
  ...(ctx.microversion >= 64 ? { encryption_key_id: null } : {}),
});

const name = () => Type.Optional(nullable(text(255)));
const description = () => Type.Optional(nullable(prose(255)));

const lists: Route[] = ([false, true] as const).map((detail) =>
  route({
    method: 'GET',
    path: detail ? '/backups/detail' : '/backups',
    policy: 'volume:backups:list',
    summary: detail ? 'List backups with details' : 'List backups',
    query: Type.Object({
      ...pageQuery,
      marker: Type.Optional(idOf('backup')),
      volume_id: Type.Optional(idOf('volume')),
      snapshot_id: Type.Optional(idOf('snapshot')),
    }),
    async handler({ ctx, query, rawQuery }) {
      const db = ctx.platform.db.read;
      let rows = db
        .selectFrom('volume_backups')
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc');
      const project = listedProject(ctx, query);
      if (project !== null) rows = rows.where('project_id', '=', project);
      for (const [column, value] of [
        ['name', query.name],
        ['status', query.status],
        ['volume_id', query.volume_id],
        ['snapshot_id', query.snapshot_id],
      ] as const)
        if (value !== undefined) rows = rows.where(column, '=', value);
      if (query['name~'] !== undefined)
        rows = rows.where('name', 'like', `%${query['name~'].replace(/[%_\\]/g, '')}%`);
      const found = sorted(await rows.execute(), query, (row, key) =>
        key === 'size' ? row.size_gib : key in row ? row[key as keyof BackupRow] : row.created_at,
      );
      const parents = detail
        ? await parentsAmong(
            db,
            found.map((row) => row.id),
          )
        : new Set<string>();
      return {
        body: pageOf(
          ctx,
          'backups',
          'Backup',
          found,
          query,
          rawQuery,
          detail ? 'backups/detail' : 'backups',
          (row) => (detail ? view(ctx, row, parents.has(row.id)) : brief(ctx, row)),
        ),
      };
    },
  }),
);

export const backupRoutes = (deps: VolumeDeps, objects: BackupObjects): Route[] => [
  ...lists,
  route({
    method: 'POST',
    path: '/backups',
    policy: 'volume:backups:create',
    summary: 'Back up a volume',
    status: 202,
    body: strict({
      backup: strict({
        volume_id: idOf('volume'),
        snapshot_id: Type.Optional(nullable(idOf('snapshot'))),
        name: name(),
        description: description(),
        container: Type.Optional(nullable(text(255))),
        incremental: Type.Optional(nullable(flag())),
        force: Type.Optional(nullable(flag())),
        metadata: since('3.43', Type.Optional(nullable(metadata))),
        availability_zone: since('3.51', Type.Optional(nullable(text(255, 1)))),
      }),
    }),
    async handler({ ctx, body }) {
      const asked = body.backup;
      const container = asked.container ?? null;
      if (container !== null && !isContainer(container))
        throw badRequest(
          `Invalid input for field/attribute container. Value: ${container}. It must be at most 128 letters, digits, dots, underscores and hyphens, beginning with a letter or digit.`,
        );
      const row = await createBackup(ctx, {
        volumeId: asked.volume_id,
        snapshotId: asked.snapshot_id ?? null,
        name: asked.name ?? null,
        description: asked.description ?? null,
        container,
        incremental: isSet(asked.incremental),
        force: isSet(asked.force),
        metadata: asked.metadata ?? {},
        zone: asked.availability_zone ?? null,
      });
      return { body: { backup: named(ctx, row) } };
    },
  }),
  // Before the address of one backup, whose id could be this word.
  route({
    method: 'POST',
    path: '/backups/import_record',
    policy: 'volume:backups:records',
    summary: 'Import the record of a backup that is in the store',
    status: 201,
    body: strict({
      'backup-record': strict({
        backup_service: text(255, 1),
        backup_url: Type.String({ minLength: 1, maxLength: 262_144, pattern: '^[A-Za-z0-9+/=_-]+$' }),
      }),
    }),
    async handler({ ctx, body }) {
      const record = body['backup-record'];
      if (record.backup_service !== objects.service)
        throw badRequest(
          `Invalid input for field/attribute backup_service. Value: ${record.backup_service}. It must be ${objects.service}, where this cloud keeps backups.`,
        );
      return {
        body: { backup: brief(ctx, await importBackup(ctx, parseRecord(record.backup_url))) },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/backups/:backup_id',
    ids,
    policy: 'volume:backups:list',
    summary: 'Show a backup',
    async handler({ ctx, params }) {
      const db = ctx.platform.db.read;
      const row = await findBackup(db, ctx, params.backup_id);
      return { body: { backup: view(ctx, row, (await parentsAmong(db, [row.id])).has(row.id)) } };
    },
  }),
  route({
    method: 'PUT',
    path: '/backups/:backup_id',
    ids,
    policy: 'volume:backups:create',
    summary: 'Change a backup',
    since: '3.9',
    body: strict({
      backup: strict({
        name: name(),
        description: description(),
        metadata: since('3.43', Type.Optional(nullable(metadata))),
      }),
    }),
    async handler({ ctx, params, body }) {
      await findBackup(ctx.platform.db.read, ctx, params.backup_id);
      const { name: newName, description: text, metadata: map } = body.backup;
      if (newName === undefined && text === undefined && map === undefined)
        throw badRequest('Missing required element: name, description or metadata of the backup.');
      const row = await updateBackup(ctx, params.backup_id, {
        ...(newName === undefined ? {} : { name: newName }),
        ...(text === undefined ? {} : { description: text }),
        ...(map === undefined || map === null ? {} : { metadata: JSON.stringify(map) }),
      });
      return { body: { backup: named(ctx, row) } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/backups/:backup_id',
    ids,
    policy: 'volume:backups:create',
    summary: 'Delete a backup',
    status: 202,
    async handler({ ctx, params }) {
      await deleteBackup(ctx, params.backup_id, false);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/backups/:backup_id/restore',
    ids,
    policy: 'volume:backups:restore',
    summary: 'Restore a backup to a volume',
    status: 202,
    body: strict({
      restore: strict({ volume_id: Type.Optional(nullable(idOf('volume'))), name: name() }),
    }),
    async handler({ ctx, params, body }) {
      const { backup, volumeId, volumeName } = await restoreBackup(ctx, deps, params.backup_id, {
        volumeId: body.restore.volume_id ?? null,
        name: body.restore.name ?? null,
      });
      return { body: { restore: { backup_id: backup.id, volume_id: volumeId, volume_name: volumeName } } };
    },
  }),
  route({
    method: 'GET',
    path: '/backups/:backup_id/export_record',
    ids,
    policy: 'volume:backups:records',
    summary: 'Export the record of a backup',
    async handler({ ctx, params }) {
      const row = await findBackup(ctx.platform.db.read, ctx, params.backup_id);
      if (row.status !== 'available')
        throw badRequest(
          `Invalid backup: Backup status must be available and not ${row.status}.`,
          'InvalidBackup',
        );
      return {
        body: { 'backup-record': { backup_service: objects.service, backup_url: exportRecord(row) } },
      };
    },
  }),
  route({
    method: 'POST',
    path: '/backups/:backup_id/action',
    ids,
    action: 'os-reset_status',
    policy: 'volume:backups:force',
    summary: 'Set the status of a backup',
    status: 202,
    body: strict({ status: Type.Union(STATUSES.map((one) => Type.Literal(one))) }),
    async handler({ ctx, params, body }) {
      await resetBackup(ctx, params.backup_id, body.status);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/backups/:backup_id/action',
    ids,
    action: 'os-force_delete',
    policy: 'volume:backups:force',
    summary: 'Delete a backup whatever its status',
    status: 202,
    body: Type.Union([Type.Null(), Type.Object({})]),
    async handler({ ctx, params }) {
      await deleteBackup(ctx, params.backup_id, true);
      return {};
    },
  }),
];
