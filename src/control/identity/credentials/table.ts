// Secrets that users keep here: EC2 and S3 keys, seeds of one-time passwords, certificates. Sealed: vault.ts.
import type { Migration, Tx } from '../../../kernel/db/index.ts';

export type CredentialRow = {
  id: string;
  user_id: string;
  project_id: string | null;
  /** 'ec2', 'totp', 'cert' or what else a client calls it. */
  type: string;
  /** As the vault seals it; never in clear. */
  blob: string;
  /** Of 'ec2': the SHA-256 of the access key, by which a signature finds the credential. */
  access_hash: string | null;
  /** The application credential with whose token it was made: it gives no more than that one. */
  application_credential_id: string | null;
  /** Of 'totp': the last interval whose password was used; each is good once. */
  last_step: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    credentials: CredentialRow;
  }
}

export const credentialMigrations: Migration[] = [
  {
    id: 'identity-0019-credentials',
    async up(db) {
      await db.schema
        .createTable('credentials')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('project_id', 'text')
        .addColumn('type', 'text', (c) => c.notNull())
        .addColumn('blob', 'text', (c) => c.notNull())
        .addColumn('access_hash', 'text', (c) => c.unique())
        .addColumn('application_credential_id', 'text')
        .addColumn('last_step', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('credentials_user').on('credentials').column('user_id').execute();
    },
  },
];

/** After users, projects or application credentials were deleted: what was made for or from them goes too. */
export async function forgetOrphanCredentials(tx: Tx): Promise<void> {
  await tx
    .deleteFrom('credentials')
    .where((eb) =>
      eb.or([
        eb('user_id', 'not in', tx.selectFrom('users').select('id')),
        eb.and([
          eb('project_id', 'is not', null),
          eb('project_id', 'not in', tx.selectFrom('projects').select('id')),
        ]),
        eb.and([
          eb('application_credential_id', 'is not', null),
          eb('application_credential_id', 'not in', tx.selectFrom('application_credentials').select('id')),
        ]),
      ]),
    )
    .execute();
}
