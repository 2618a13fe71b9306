// Projects: a tree in each domain; what every other service's objects belong to.
import type { Migration } from '../../../kernel/db/index.ts';

export type ProjectRow = {
  id: string;
  domain_id: string;
  /** Another project, or the domain for the roots of its tree. */
  parent_id: string;
  name: string;
  /** In lower case: unique in the domain. */
  name_key: string;
  description: string;
  enabled: number;
  /** JSON: string[]. */
  tags: string;
  /** 1: neither changed nor deleted before that is taken back. */
  immutable: number;
  /** JSON: what clients store with it. */
  extra: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    projects: ProjectRow;
  }
}

export const projectMigrations: Migration[] = [
  {
    id: 'identity-0002-projects',
    async up(db) {
      await db.schema
        .createTable('projects')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('domain_id', 'text', (c) => c.notNull())
        .addColumn('parent_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('name_key', 'text', (c) => c.notNull())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('enabled', 'bigint', (c) => c.notNull())
        .addColumn('tags', 'text', (c) => c.notNull())
        .addUniqueConstraint('projects_name', ['domain_id', 'name_key'])
        .execute();
      await db.schema.createIndex('projects_parent').on('projects').column('parent_id').execute();
    },
  },
  {
    id: 'identity-0017-project-options',
    async up(db) {
      await db.schema
        .alterTable('projects')
        .addColumn('immutable', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
      await db.schema
        .alterTable('projects')
        .addColumn('extra', 'text', (c) => c.notNull().defaultTo('{}'))
        .execute();
    },
  },
];
