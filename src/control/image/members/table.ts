// The projects that an image is shared with, and what each thinks of it.
import type { CreateTableBuilder } from 'kysely';
import type { Migration } from '../../../kernel/db/index.ts';

export const MEMBER_STATUSES = ['pending', 'accepted', 'rejected'] as const;
export type MemberStatus = (typeof MEMBER_STATUSES)[number];

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    image_members: {
      image_id: string;
      /** Project id. */
      member_id: string;
      status: MemberStatus;
      created_at: number;
      updated_at: number;
    };
  }
}

export const memberMigrations: Migration[] = [
  {
    id: 'image-0003-members',
    async up(db) {
      let table: CreateTableBuilder<'image_members', string> = db.schema.createTable('image_members');
      for (const column of ['image_id', 'member_id', 'status'])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['created_at', 'updated_at'])
        table = table.addColumn(column, 'bigint', (c) => c.notNull());
      await table.addPrimaryKeyConstraint('image_members_pk', ['image_id', 'member_id']).execute();
      await db.schema
        .createIndex('image_members_member')
        .on('image_members')
        .columns(['member_id', 'status'])
        .execute();
    },
  },
];
