// Volume types, who may use the private ones, and QoS specifications.
import type { Migration } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_types: TypeRow;
    volume_type_access: { type_id: string; project_id: string };
    volume_qos: QosRow;
  }
}

export type TypeRow = {
  id: string;
  name: string;
  description: string | null;
  is_public: number;
  /** JSON object of strings. */
  extra_specs: string;
  qos_id: string | null;
  created_at: number;
};
/** `specs`: JSON object of strings. */
export type QosRow = { id: string; name: string; consumer: string; specs: string; created_at: number };

export const typeMigrations: Migration[] = [
  {
    id: 'volume-0004-types',
    async up(db) {
      await db.schema
        .createTable('volume_types')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('description', 'text')
        .addColumn('is_public', 'bigint', (c) => c.notNull())
        .addColumn('extra_specs', 'text', (c) => c.notNull())
        .addColumn('qos_id', 'text')
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('volume_type_access')
        .addColumn('type_id', 'text', (c) => c.notNull())
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('volume_type_access_pk', ['type_id', 'project_id'])
        .execute();
      await db.schema
        .createTable('volume_qos')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('consumer', 'text', (c) => c.notNull())
        .addColumn('specs', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute();
    },
  },
];
