// Backups: the content of a volume at one moment, kept apart from volumes and hosts. They outlive what they are of.
import type { Migration } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_backups: BackupRow;
  }
}

export type BackupRow = {
  id: string;
  project_id: string;
  user_id: string;
  name: string | null;
  description: string | null;
  /** May be gone. */
  volume_id: string;
  /** What the client named to be backed up; null: the volume as it was. */
  snapshot_id: string | null;
  /** The hidden snapshot that is read; null: none, or over. */
  reading_id: string | null;
  container: string;
  /** Beginning of the keys of its objects. */
  prefix: string;
  zone: string | null;
  /** GiB. */
  size_gib: number;
  /** The backup that this one is an increment of. */
  parent_id: string | null;
  metadata: string;
  /** JSON: name, type, bootable, metadata and image metadata of the volume, for the one that is restored. */
  facts: string;
  created_at: number;
  updated_at: number | null;
  /** When the content was what it is. */
  data_at: number;
  deleting: number;
  /** Id of the volume that is being restored from it. */
  restoring_id: string | null;
  /** Observed. */
  created: number;
  object_count: number;
  /** sha256 of the manifest; '': none yet. */
  manifest: string;
  error: string | null;
  forced_status: string | null;
  /** Derived. */
  status: string;
};

export const backupStatus = (
  row: Pick<BackupRow, 'deleting' | 'forced_status' | 'created' | 'error' | 'restoring_id'>,
): string => {
  if (row.deleting === 1) return 'deleting';
  if (row.forced_status !== null) return row.forced_status;
  if (row.error !== null) return 'error';
  if (row.created === 0) return 'creating';
  return row.restoring_id === null ? 'available' : 'restoring';
};

export const backupMigrations: Migration[] = [
  {
    id: 'volume-0010-backups',
    async up(db) {
      let table = db.schema.createTable('volume_backups').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of [
        'project_id',
        'user_id',
        'volume_id',
        'container',
        'prefix',
        'metadata',
        'facts',
        'manifest',
        'status',
      ])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['size_gib', 'created_at', 'data_at', 'deleting', 'created', 'object_count'])
        table = table.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of [
        'name',
        'description',
        'snapshot_id',
        'reading_id',
        'zone',
        'parent_id',
        'restoring_id',
        'error',
        'forced_status',
      ])
        table = table.addColumn(column, 'text');
      await table.addColumn('updated_at', 'bigint').execute();
      for (const column of ['project_id', 'volume_id', 'parent_id', 'reading_id', 'restoring_id'])
        await db.schema.createIndex(`volume_backups_${column}`).on('volume_backups').column(column).execute();
    },
  },
];
