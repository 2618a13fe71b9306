// Application credentials: secrets with which programs act for a user, in one project, with some of the user's roles.
import { effectiveRoles, impliedRoles, type Role } from '../assignments/effective.ts';
import { forgetOrphanCredentials } from '../credentials/table.ts';
import type { Rows } from '../identity.ts';
import { forgetOrphanTrusts } from '../trusts/table.ts';
import type { Migration, Tx } from '../../../kernel/db/index.ts';

export type ApplicationCredentialRow = {
  id: string;
  user_id: string;
  project_id: string;
  name: string;
  description: string | null;
  secret_hash: string;
  /** JSON list of role ids. */
  roles: string;
  /** Microseconds since the epoch, as its users write it; null: never. */
  expires_at: number | null;
  /** 1: its tokens may make and delete further credentials. */
  unrestricted: number;
  /** 1: access-rules.ts has the only requests that it allows. */
  has_rules: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    application_credentials: ApplicationCredentialRow;
  }
}

export const applicationCredentialMigrations: Migration[] = [
  {
    id: 'identity-0010-application-credentials',
    async up(db) {
      await db.schema
        .createTable('application_credentials')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('description', 'text')
        .addColumn('secret_hash', 'text', (c) => c.notNull())
        .addColumn('roles', 'text', (c) => c.notNull())
        .addColumn('expires_at', 'bigint')
        .addColumn('unrestricted', 'bigint', (c) => c.notNull())
        .addUniqueConstraint('application_credentials_name', ['user_id', 'name'])
        .execute();
    },
  },
];

/** After users or projects were deleted: what their credentials and trusts gave is gone, and so are these. */
export async function forgetOrphans(tx: Tx): Promise<void> {
  await tx
    .deleteFrom('application_credentials')
    .where((eb) =>
      eb.or([
        eb('user_id', 'not in', tx.selectFrom('users').select('id')),
        eb('project_id', 'not in', tx.selectFrom('projects').select('id')),
      ]),
    )
    .execute();
  await tx
    .deleteFrom('application_credential_rules')
    .where('credential_id', 'not in', tx.selectFrom('application_credentials').select('id'))
    .execute();
  await tx
    .deleteFrom('access_rules')
    .where('user_id', 'not in', tx.selectFrom('users').select('id'))
    .execute();
  await forgetOrphanCredentials(tx);
  await forgetOrphanTrusts(tx);
}

/** The roles of a credential that the user still has on its project, with what they imply. */
export async function rolesOf(
  rows: Rows,
  row: Pick<ApplicationCredentialRow, 'user_id' | 'project_id' | 'roles'>,
): Promise<Role[]> {
  const held = await effectiveRoles(rows, row.user_id, 'project', row.project_id);
  const expand = await impliedRoles(rows);
  const given = new Set((JSON.parse(row.roles) as string[]).flatMap((id) => [...expand(id)]));
  return held.filter((role) => given.has(role.id));
}
