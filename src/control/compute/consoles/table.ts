// Tokens of remote consoles: what a WebSocket is opened with, once. Only their hashes are kept, and not for long.
import type { Kysely } from 'kysely';
import type { Migration, Tables } from '../../../kernel/db/index.ts';
import type { ConsoleKind } from '../../../protocol/link.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    console_tokens: ConsoleTokenRow;
  }
}

export type ConsoleTokenRow = {
  /** SHA-256 of the token, hexadecimal. */
  token_hash: string;
  server_id: string;
  kind: ConsoleKind;
  user_id: string;
  /** Project of the user's own token; '' without one. */
  project_id: string;
  /** JSON of the actor's `rights`; null: it has none that could be taken away. */
  rights: string | null;
  /** Of the request that asked for the console. */
  request_id: string;
  expires_at: number;
};

export const consoleMigrations: Migration[] = [
  {
    id: 'compute-0103-console-tokens',
    async up(db: Kysely<Tables>) {
      await db.schema
        .createTable('console_tokens')
        .addColumn('token_hash', 'text', (c) => c.primaryKey())
        .addColumn('server_id', 'text', (c) => c.notNull())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('rights', 'text')
        .addColumn('request_id', 'text', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('console_tokens_expires')
        .on('console_tokens')
        .column('expires_at')
        .execute();
    },
  },
];
