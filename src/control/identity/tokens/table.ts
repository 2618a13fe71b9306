// Revocation events: which tokens, issued before the event, are no longer good.
import type { Migration } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    revocations: {
      /** From the counter 'identity-revocation': ordered as the commits are. */
      sequence: number;
      /** What the tokens have in common, as `subjects` in revocations.ts writes it. */
      subject: string;
      /** Milliseconds since the epoch; after it no token that the event is about can still be valid. */
      expires_at: number;
      /** When it was written; 0: before that was kept. */
      revoked_at: number;
    };
  }
}

export const tokenMigrations: Migration[] = [
  {
    id: 'identity-0007-revocations',
    async up(db) {
      await db.schema
        .createTable('revocations')
        .addColumn('sequence', 'bigint', (c) => c.primaryKey())
        .addColumn('subject', 'text', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('revocations_expiry').on('revocations').column('expires_at').execute();
    },
  },
  {
    id: 'identity-0018-revocation-times',
    async up(db) {
      await db.schema
        .alterTable('revocations')
        .addColumn('revoked_at', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
    },
  },
];
