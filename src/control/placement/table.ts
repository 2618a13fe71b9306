// What each server has claimed on its host.
import type { Migration } from '../../kernel/db/index.ts';

declare module '../../kernel/db/index.ts' {
  interface Tables {
    allocations: {
      server_id: string;
      host_id: string;
      vcpus: number;
      memory_mib: number;
      disk_gib: number;
    };
  }
}

export const placementMigrations: Migration[] = [
  {
    id: 'placement-0001',
    async up(db) {
      await db.schema
        .createTable('allocations')
        .addColumn('server_id', 'text', (c) => c.primaryKey())
        .addColumn('host_id', 'text', (c) => c.notNull())
        .addColumn('vcpus', 'bigint', (c) => c.notNull())
        .addColumn('memory_mib', 'bigint', (c) => c.notNull())
        .addColumn('disk_gib', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('allocations_host').on('allocations').column('host_id').execute();
    },
  },
];
