// Flavors: what a server gets. They never change in size; a server keeps a copy of the flavor it was made with.
import type { Migration, Reader } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    flavors: {
      id: string;
      name: string;
      vcpus: number;
      memory_mib: number;
      /** GiB. */
      disk_gib: number;
      ephemeral_gib: number;
      swap_mib: number;
      rxtx_factor: number;
      is_public: number;
      description: string | null;
      /** JSON object of strings. */
      extra_specs: string;
      created_at: number;
    };
    /** Projects that may use a flavor that is not public. */
    flavor_projects: { flavor_id: string; project_id: string };
  }
}

export type FlavorRow = {
  id: string;
  name: string;
  vcpus: number;
  memory_mib: number;
  disk_gib: number;
  ephemeral_gib: number;
  swap_mib: number;
  rxtx_factor: number;
  is_public: number;
  description: string | null;
  extra_specs: string;
  created_at: number;
};
export type Db = Pick<Reader, 'selectFrom'>;

export const flavorMigrations: Migration[] = [
  {
    id: 'compute-0001-flavors',
    async up(db) {
      await db.schema
        .createTable('flavors')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('vcpus', 'bigint', (c) => c.notNull())
        .addColumn('memory_mib', 'bigint', (c) => c.notNull())
        .addColumn('disk_gib', 'bigint', (c) => c.notNull())
        .addColumn('ephemeral_gib', 'bigint', (c) => c.notNull())
        .addColumn('swap_mib', 'bigint', (c) => c.notNull())
        .addColumn('rxtx_factor', 'double precision', (c) => c.notNull())
        .addColumn('is_public', 'bigint', (c) => c.notNull())
        .addColumn('description', 'text')
        .addColumn('extra_specs', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('flavor_projects')
        .addColumn('flavor_id', 'text', (c) => c.notNull())
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('flavor_projects_pk', ['flavor_id', 'project_id'])
        .execute();
    },
  },
];
