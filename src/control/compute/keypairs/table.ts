// Key pairs belong to a user, not to a project. Only the public key is kept.
import type { Migration, Reader } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    keypairs: KeypairRow;
  }
}

export type KeypairRow = {
  user_id: string;
  name: string;
  /** The number that old clients see. */
  number: number;
  public_key: string;
  fingerprint: string;
  created_at: number;
};
export type Db = Pick<Reader, 'selectFrom'>;

export const keypairMigrations: Migration[] = [
  {
    id: 'compute-0002-keypairs',
    async up(db) {
      await db.schema
        .createTable('keypairs')
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('number', 'bigint', (c) => c.notNull())
        .addColumn('public_key', 'text', (c) => c.notNull())
        .addColumn('fingerprint', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('keypairs_pk', ['user_id', 'name'])
        .execute();
    },
  },
];
