// Snapshots of volumes: the content of a volume at one moment, on the volume's host.
import type { Migration } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_snapshots: SnapshotRow;
  }
}

export type SnapshotRow = {
  id: string;
  project_id: string;
  user_id: string;
  volume_id: string;
  name: string | null;
  description: string | null;
  /** GiB, as the volume was. */
  size_gib: number;
  /** JSON object of strings. */
  metadata: string;
  created_at: number;
  updated_at: number | null;
  host_id: string | null;
  deleting: number;
  item_generation: number;
  /** Observed. */
  created: number;
  error: string | null;
  forced_status: string | null;
  /** What somebody else who takes it says of it; null: what is true. */
  progress: string | null;
  /** 1: of a backup that is under way; nobody sees it and nobody pays for it. */
  hidden: number;
  group_snapshot_id: string | null;
  /** Derived. */
  status: string;
};

export function snapshotStatus(
  row: Pick<SnapshotRow, 'deleting' | 'forced_status' | 'created' | 'error'>,
): string {
  if (row.deleting === 1) return 'deleting';
  if (row.forced_status !== null) return row.forced_status;
  if (row.error !== null) return 'error';
  return row.created === 1 ? 'available' : 'creating';
}

export const snapshotMigrations: Migration[] = [
  {
    id: 'volume-0003-snapshots',
    async up(db) {
      let table = db.schema.createTable('volume_snapshots').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of ['project_id', 'user_id', 'volume_id', 'metadata', 'status'])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['size_gib', 'created_at', 'deleting', 'item_generation', 'created'])
        table = table.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of ['name', 'description', 'host_id', 'error', 'forced_status'])
        table = table.addColumn(column, 'text');
      await table.addColumn('updated_at', 'bigint').execute();
      await db.schema
        .createIndex('volume_snapshots_project')
        .on('volume_snapshots')
        .columns(['project_id', 'created_at', 'id'])
        .execute();
      await db.schema
        .createIndex('volume_snapshots_volume')
        .on('volume_snapshots')
        .column('volume_id')
        .execute();
    },
  },
];

export const snapshotColumns: Migration[] = [
  {
    id: 'volume-0009-snapshot-columns',
    async up(db) {
      await db.schema.alterTable('volume_snapshots').addColumn('progress', 'text').execute();
      await db.schema
        .alterTable('volume_snapshots')
        .addColumn('hidden', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
      await db.schema.alterTable('volume_snapshots').addColumn('group_snapshot_id', 'text').execute();
    },
  },
];
