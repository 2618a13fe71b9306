// Users: who can log in.
import type { Migration } from '../../../kernel/db/index.ts';

export type UserRow = {
  id: string;
  domain_id: string;
  name: string;
  /** In lower case: unique in the domain. */
  name_key: string;
  /** As password-hash.ts writes it; null: no login by password. */
  password_hash: string | null;
  email: string | null;
  description: string | null;
  default_project_id: string | null;
  enabled: number;
  /** Wrong passwords in a row, and when the last one was. */
  failed_logins: number;
  failed_at: number;
  /** JSON list of hashes: what the user may not go back to. */
  old_passwords: string;
  /** JSON: as options.ts has it. */
  options: string;
  /** JSON: what clients store with it. */
  extra: string;
  /** When the password was set, and when it has to be changed (null: never); milliseconds since the epoch. */
  password_created_at: number;
  password_expires_at: number | null;
  /** 1: the user has chosen it. */
  password_by_self: number;
  /** The last login, kept to the day; 0: none since this is written down. */
  last_active_at: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    users: UserRow;
  }
}

export const userMigrations: Migration[] = [
  {
    id: 'identity-0003-users',
    async up(db) {
      await db.schema
        .createTable('users')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('domain_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('name_key', 'text', (c) => c.notNull())
        .addColumn('password_hash', 'text')
        .addColumn('email', 'text')
        .addColumn('description', 'text')
        .addColumn('default_project_id', 'text')
        .addColumn('enabled', 'bigint', (c) => c.notNull())
        .addUniqueConstraint('users_name', ['domain_id', 'name_key'])
        .execute();
    },
  },
  {
    id: 'identity-0011-password-rules',
    async up(db) {
      for (const column of ['failed_logins', 'failed_at'])
        await db.schema
          .alterTable('users')
          .addColumn(column, 'bigint', (c) => c.notNull().defaultTo(0))
          .execute();
      await db.schema
        .alterTable('users')
        .addColumn('old_passwords', 'text', (c) => c.notNull().defaultTo('[]'))
        .execute();
    },
  },
  {
    id: 'identity-0016-user-options',
    async up(db) {
      for (const column of ['options', 'extra'])
        await db.schema
          .alterTable('users')
          .addColumn(column, 'text', (c) => c.notNull().defaultTo('{}'))
          .execute();
      for (const column of ['password_created_at', 'password_by_self', 'last_active_at'])
        await db.schema
          .alterTable('users')
          .addColumn(column, 'bigint', (c) => c.notNull().defaultTo(0))
          .execute();
      await db.schema.alterTable('users').addColumn('password_expires_at', 'bigint').execute();
    },
  },
];
