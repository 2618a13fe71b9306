// Roles, and which role implies which.
import { sql } from 'kysely';
import type { Migration } from '../../../kernel/db/index.ts';

export type RoleRow = {
  id: string;
  /** '' for a role of the whole cloud. Roles of a domain stand in no token, only what they imply does. */
  domain_id: string;
  name: string;
  /** In lower case: unique in the domain. */
  name_key: string;
  description: string;
  /** 1: neither changed nor deleted before that is taken back. */
  immutable: number;
  /** 1: made by the bootstrap; policies rest on it, so that it stays immutable. */
  builtin: number;
  /** JSON: what clients store with it. */
  extra: string;
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
  {
    // Names are unique in a domain now, not in the cloud: a constraint that only a new table can have.
    id: 'identity-0013-domain-roles',
    async up(db) {
      await db.schema
        .createTable('roles_next')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('domain_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('name_key', 'text', (c) => c.notNull())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('immutable', 'bigint', (c) => c.notNull())
        .addColumn('builtin', 'bigint', (c) => c.notNull())
        .addColumn('extra', 'text', (c) => c.notNull())
        .addUniqueConstraint('roles_name', ['domain_id', 'name_key'])
        .execute();
      await sql`insert into roles_next select id, '', name, name_key, description, immutable, immutable, '{}' from roles`.execute(
        db,
      );
      await db.schema.dropTable('roles').execute();
      await db.schema.alterTable('roles_next').renameTo('roles').execute();
    },
  },
];
