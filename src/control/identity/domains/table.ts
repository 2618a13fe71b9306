// Domains: the namespaces of users, groups and projects.
import type { Migration } from '../../../kernel/db/index.ts';

export type DomainRow = {
  id: string;
  name: string;
  /** The name in lower case: unique, because Keystone's names do not differ by case alone. */
  name_key: string;
  description: string;
  enabled: number;
  immutable: number;
  /** JSON: what clients store with it. */
  extra: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    domains: DomainRow;
  }
}

export const domainMigrations: Migration[] = [
  {
    id: 'identity-0001-domains',
    async up(db) {
      await db.schema
        .createTable('domains')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('name_key', 'text', (c) => c.notNull().unique())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('enabled', 'bigint', (c) => c.notNull())
        .execute();
    },
  },
  {
    id: 'identity-0014-domain-options',
    async up(db) {
      await db.schema
        .alterTable('domains')
        .addColumn('immutable', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
      await db.schema
        .alterTable('domains')
        .addColumn('extra', 'text', (c) => c.notNull().defaultTo('{}'))
        .execute();
    },
  },
];
