// Tasks: what becomes of an import. A task outlives its image, so that one can still read why there is none.
import type { Migration } from '../../../kernel/db/index.ts';

export type TaskStatus = 'pending' | 'processing' | 'success' | 'failure';
export const METHODS = ['glance-direct', 'web-download', 'glance-download'] as const;
export type ImportMethod = (typeof METHODS)[number];

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    image_tasks: {
      id: string;
      image_id: string;
      /** Project id. */
      owner: string;
      user_id: string;
      request_id: string;
      status: TaskStatus;
      method: ImportMethod;
      /** The request as it came, JSON. */
      input: string;
      /** Where the content comes from: a URL, or an image that the asker might read; '' where there is nothing to name. */
      source: string;
      message: string;
      created_at: number;
      updated_at: number;
      /** When it is forgotten; null while it is not at its end. */
      expires_at: number | null;
    };
  }
}

export const taskMigrations: Migration[] = [
  {
    id: 'image-0004-tasks',
    async up(db) {
      let table = db.schema.createTable('image_tasks').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of [
        'image_id',
        'owner',
        'user_id',
        'request_id',
        'status',
        'method',
        'input',
        'source',
        'message',
      ])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['created_at', 'updated_at'])
        table = table.addColumn(column, 'bigint', (c) => c.notNull());
      await table.addColumn('expires_at', 'bigint').execute();
      await db.schema.createIndex('image_tasks_image').on('image_tasks').column('image_id').execute();
      await db.schema.createIndex('image_tasks_created').on('image_tasks').column('created_at').execute();
    },
  },
];
