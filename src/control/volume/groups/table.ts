// Groups of volumes, the types that say what may be asked of a group, and snapshots of whole groups. What becomes of a
// group is read from its volumes, and of a group snapshot from its snapshots.
import type { Migration } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_group_types: GroupTypeRow;
    volume_groups: GroupRow;
    volume_group_snapshots: GroupSnapshotRow;
  }
}

export type GroupTypeRow = {
  id: string;
  name: string;
  description: string | null;
  is_public: number;
  /** JSON object of strings. */
  specs: string;
  created_at: number;
};

export type GroupRow = {
  id: string;
  project_id: string;
  user_id: string;
  name: string | null;
  description: string | null;
  zone: string;
  group_type_id: string;
  /** JSON list of volume type ids. */
  volume_types: string;
  group_snapshot_id: string | null;
  source_group_id: string | null;
  created_at: number;
  deleting: number;
  forced_status: string | null;
};

export type GroupSnapshotRow = {
  id: string;
  group_id: string;
  project_id: string;
  user_id: string;
  name: string | null;
  description: string | null;
  group_type_id: string;
  created_at: number;
  deleting: number;
  forced_status: string | null;
};

type Member = { status: string };

/** `members`: the volumes of a group, or the snapshots of a group snapshot. */
export function statusOf(
  row: Pick<GroupRow, 'deleting' | 'forced_status'>,
  members: readonly Member[],
): string {
  if (row.deleting === 1) return 'deleting';
  if (row.forced_status !== null) return row.forced_status;
  if (members.some((one) => one.status === 'creating')) return 'creating';
  return members.some((one) => one.status === 'error') ? 'error' : 'available';
}

export const groupMigrations: Migration[] = [
  {
    id: 'volume-0011-groups',
    async up(db) {
      await db.schema
        .createTable('volume_group_types')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('description', 'text')
        .addColumn('is_public', 'bigint', (c) => c.notNull())
        .addColumn('specs', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute();
      let groups = db.schema.createTable('volume_groups').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of ['project_id', 'user_id', 'zone', 'group_type_id', 'volume_types'])
        groups = groups.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['created_at', 'deleting'])
        groups = groups.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of ['name', 'description', 'group_snapshot_id', 'source_group_id', 'forced_status'])
        groups = groups.addColumn(column, 'text');
      await groups.execute();
      let snapshots = db.schema
        .createTable('volume_group_snapshots')
        .addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of ['group_id', 'project_id', 'user_id', 'group_type_id'])
        snapshots = snapshots.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['created_at', 'deleting'])
        snapshots = snapshots.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of ['name', 'description', 'forced_status'])
        snapshots = snapshots.addColumn(column, 'text');
      await snapshots.execute();
      await db.schema.alterTable('volumes').addColumn('group_id', 'text').execute();
      for (const [table, column] of [
        ['volumes', 'group_id'],
        ['volume_snapshots', 'group_snapshot_id'],
        ['volume_groups', 'project_id'],
        ['volume_group_snapshots', 'project_id'],
        ['volume_group_snapshots', 'group_id'],
      ] as const)
        await db.schema.createIndex(`${table}_by_${column}`).on(table).column(column).execute();
    },
  },
];
