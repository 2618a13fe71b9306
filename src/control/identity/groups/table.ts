// Groups of users, to which roles are given like to users.
import type { Migration } from '../../../kernel/db/index.ts';

export type GroupRow = {
  id: string;
  domain_id: string;
  name: string;
  /** In lower case: unique in the domain. */
  name_key: string;
  description: string;
  /** JSON: what clients store with it. */
  extra: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    groups: GroupRow;
    group_members: { group_id: string; user_id: string };
  }
}

export const groupMigrations: Migration[] = [
  {
    id: 'identity-0004-groups',
    async up(db) {
      await db.schema
        .createTable('groups')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('domain_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('name_key', 'text', (c) => c.notNull())
        .addColumn('description', 'text', (c) => c.notNull())
        .addUniqueConstraint('groups_name', ['domain_id', 'name_key'])
        .execute();
      await db.schema
        .createTable('group_members')
        .addColumn('group_id', 'text', (c) => c.notNull())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('group_members_pk', ['group_id', 'user_id'])
        .execute();
      await db.schema.createIndex('group_members_user').on('group_members').column('user_id').execute();
    },
  },
  {
    id: 'identity-0015-group-extra',
    async up(db) {
      await db.schema
        .alterTable('groups')
        .addColumn('extra', 'text', (c) => c.notNull().defaultTo('{}'))
        .execute();
    },
  },
];
