// Roles, and which role implies which.
import type { Migration } from '../../../kernel/db/index.ts';

export type RoleRow = {
  id: string;
  name: string;
  /** In lower case: unique. */
  name_key: string;
  description: string;
  /** 1: made by the bootstrap; policies rest on it, so that it can be neither renamed nor deleted. */
  immutable: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    roles: RoleRow;
    implied_roles: { prior_id: string; implied_id: string };
  }
}

export const roleMigrations: Migration[] = [
  {
    id: 'identity-0005-roles',
    async up(db) {
      await db.schema
        .createTable('roles')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('name_key', 'text', (c) => c.notNull().unique())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('immutable', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('implied_roles')
        .addColumn('prior_id', 'text', (c) => c.notNull())
        .addColumn('implied_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('implied_roles_pk', ['prior_id', 'implied_id'])
        .execute();
    },
  },
];
