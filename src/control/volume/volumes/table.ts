// Volumes: what is wanted and what the host says lie in separate columns; `status` is written from both by store.ts.
import type { Kysely } from 'kysely';
import type { Migration, Reader, Tables } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volumes: VolumeRow;
  }
}

export type Db = Pick<Reader, 'selectFrom'>;

export type VolumeRow = {
  id: string;
  project_id: string;
  user_id: string;
  name: string | null;
  description: string | null;
  created_at: number;
  /** null: as it was made. */
  updated_at: number | null;
  /** Volume type. */
  type_id: string;
  zone: string;
  /** null: no host could take it. */
  host_id: string | null;
  host_name: string | null;
  bootable: number;
  /** 0: never said; 1: yes; 2: no. */
  read_only: number;
  /** JSON objects of strings. */
  metadata: string;
  image_metadata: string;
  source_volume_id: string | null;
  source_snapshot_id: string | null;
  source_image_id: string | null;

  /** The group that it belongs to. */
  group_id: string | null;

  /** Desired. GiB. */
  size_gib: number;
  /** JSON of the item's source, as long as it does not exist; 'null' afterwards. */
  source: string;
  deleting: number;
  revert_count: number;
  revert_to: string | null;
  /** Generation of the item that was compiled; 0: none yet. */
  item_generation: number;

  /** Observed. */
  created: number;
  observed_size_gib: number;
  observed_revert_count: number;
  error: string | null;

  /** What control itself does with it or waits for: 'uploading', 'awaiting-transfer', 'attaching', 'detaching'. */
  task: string | null;
  /** What an operator set; null: what is true. */
  forced_status: string | null;
  /** Derived. */
  status: string;
};

const text = ['project_id', 'user_id', 'type_id', 'zone', 'metadata', 'image_metadata', 'source', 'status'];
const textOrNull = [
  'name',
  'description',
  'host_id',
  'host_name',
  'source_volume_id',
  'source_snapshot_id',
  'source_image_id',
  'revert_to',
  'error',
  'task',
  'forced_status',
];
const numbers = [
  'created_at',
  'bootable',
  'read_only',
  'size_gib',
  'deleting',
  'revert_count',
  'item_generation',
  'created',
  'observed_size_gib',
  'observed_revert_count',
];

export const volumeMigrations: Migration[] = [
  {
    id: 'volume-0001-volumes',
    async up(db: Kysely<Tables>) {
      let table = db.schema.createTable('volumes').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of text) table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of numbers) table = table.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of textOrNull) table = table.addColumn(column, 'text');
      await table.addColumn('updated_at', 'bigint').execute();
      await db.schema
        .createIndex('volumes_project')
        .on('volumes')
        .columns(['project_id', 'created_at', 'id'])
        .execute();
      await db.schema.createIndex('volumes_host').on('volumes').column('host_id').execute();
      await db.schema.createIndex('volumes_type').on('volumes').column('type_id').execute();
    },
  },
];
