// Attachments: who uses a volume. Those of servers are completed and ended by what the server's host reports; those
// that clients make for themselves by the clients.
import type { Migration } from '../../../kernel/db/index.ts';
import type { AttachmentState } from '../volumes/status.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_attachments: AttachmentRow;
  }
}

export type AttachmentRow = {
  id: string;
  volume_id: string;
  project_id: string;
  /** '': none named. */
  server_id: string;
  host_name: string | null;
  device: string | null;
  /** 'rw' or 'ro'. */
  mode: string;
  state: AttachmentState;
  /** 1: of a server of this cloud, which its host completes and ends. */
  managed: number;
  boot: number;
  delete_on_termination: number;
  tag: string | null;
  /** Generations of the server's item from which on it has, and has not any more, the volume; 0: not compiled yet. */
  attach_generation: number;
  detach_generation: number;
  /** Why the host could not attach it. */
  error: string | null;
  /** JSON of what the client said of itself. */
  connector: string;
  created_at: number;
  attached_at: number | null;
  /** JSON of IoLimits, as the type of the volume had them when it was attached or retyped. */
  limits: string;
};

export const attachmentMigrations: Migration[] = [
  {
    id: 'volume-0002-attachments',
    async up(db) {
      let table = db.schema.createTable('volume_attachments').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of ['volume_id', 'project_id', 'server_id', 'mode', 'state', 'connector'])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of [
        'managed',
        'boot',
        'delete_on_termination',
        'attach_generation',
        'detach_generation',
        'created_at',
      ])
        table = table.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of ['host_name', 'device', 'tag', 'error']) table = table.addColumn(column, 'text');
      await table.addColumn('attached_at', 'bigint').execute();
      await db.schema
        .createIndex('volume_attachments_volume')
        .on('volume_attachments')
        .column('volume_id')
        .execute();
      await db.schema
        .createIndex('volume_attachments_server')
        .on('volume_attachments')
        .column('server_id')
        .execute();
    },
  },
];

export const attachmentLimits: Migration[] = [
  {
    id: 'volume-0012-attachment-limits',
    async up(db) {
      await db.schema
        .alterTable('volume_attachments')
        .addColumn('limits', 'text', (c) => c.notNull().defaultTo('{}'))
        .execute();
    },
  },
];
