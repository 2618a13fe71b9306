// An image: its record here, its content in the content store under the same id.
import type { Migration } from '../../../kernel/db/index.ts';

/** 'uploading': content is being staged or waits staged; 'importing': a task makes it the image's own. */
export type ImageStatus = 'queued' | 'saving' | 'uploading' | 'importing' | 'active' | 'deactivated';
export type Visibility = 'public' | 'private' | 'shared' | 'community';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    images: {
      id: string;
      name: string;
      status: ImageStatus;
      visibility: Visibility;
      /** Project id. */
      owner: string;
      /** '' until chosen. */
      disk_format: string;
      container_format: string;
      /** Bytes; null until there is content. */
      size: number | null;
      /** Bytes a guest sees; null: unknown, or no disk. */
      virtual_size: number | null;
      /** md5 and sha512 of the content, hex. */
      checksum: string | null;
      hash: string | null;
      /** MiB and GiB. */
      min_ram: number;
      min_disk: number;
      is_protected: number;
      is_hidden: number;
      /** JSON: string[] and Record<string, string>. */
      tags: string;
      properties: string;
      created_at: number;
      updated_at: number;
      /** The qcow2 made of content that guests cannot boot as it is: sha512 and bytes; null: none yet; '': none can be made. */
      boot_hash: string | null;
      boot_size: number | null;
      /** Bytes that wait staged; null: none, or still on their way. */
      stage_size: number | null;
      /** The stores that the last import did not reach, as Glance shows them; '' when it did. */
      failed_import: string;
      /** Until when a process says that it receives the content; 0: none does. */
      lease_until: number;
    };
  }
}

export const imageMigrations: Migration[] = [
  {
    id: 'image-0001',
    async up(db) {
      let table = db.schema.createTable('images').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of [
        'name',
        'status',
        'visibility',
        'owner',
        'disk_format',
        'container_format',
        'tags',
        'properties',
      ])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['checksum', 'hash', 'boot_hash']) table = table.addColumn(column, 'text');
      for (const column of ['min_ram', 'min_disk', 'is_protected', 'is_hidden', 'created_at', 'updated_at'])
        table = table.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of ['size', 'virtual_size', 'boot_size']) table = table.addColumn(column, 'bigint');
      await table.execute();
      await db.schema.createIndex('images_owner').on('images').columns(['owner', 'created_at']).execute();
      await db.schema
        .createIndex('images_visibility')
        .on('images')
        .columns(['visibility', 'created_at'])
        .execute();
    },
  },
  {
    id: 'image-0002-import',
    async up(db) {
      await db.schema.alterTable('images').addColumn('stage_size', 'bigint').execute();
      await db.schema
        .alterTable('images')
        .addColumn('failed_import', 'text', (c) => c.notNull().defaultTo(''))
        .execute();
      await db.schema
        .alterTable('images')
        .addColumn('lease_until', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
    },
  },
];
