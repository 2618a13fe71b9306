// Trusts: a user (the trustor) hands some of the own roles on a project to another (the trustee), for a while.
import type { Migration, Tx } from '../../../kernel/db/index.ts';

export type TrustRow = {
  id: string;
  trustor_user_id: string;
  trustee_user_id: string;
  project_id: string;
  /** 1: tokens of it are the trustor's, not the trustee's. */
  impersonation: number;
  /** JSON list of role ids. */
  roles: string;
  /** Microseconds since the epoch; null: never. */
  expires_at: number | null;
  /** Tokens that may still be made of it; null: any number. */
  remaining_uses: number | null;
  /** How often the trustee may hand it on, one after the other. */
  redelegation_count: number;
  /** The trust that this one was made with. */
  redelegated_trust_id: string | null;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    trusts: TrustRow;
  }
}

export const trustMigrations: Migration[] = [
  {
    id: 'identity-0021-trusts',
    async up(db) {
      await db.schema
        .createTable('trusts')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('trustor_user_id', 'text', (c) => c.notNull())
        .addColumn('trustee_user_id', 'text', (c) => c.notNull())
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('impersonation', 'bigint', (c) => c.notNull())
        .addColumn('roles', 'text', (c) => c.notNull())
        .addColumn('expires_at', 'bigint')
        .addColumn('remaining_uses', 'bigint')
        .addColumn('redelegation_count', 'bigint', (c) => c.notNull())
        .addColumn('redelegated_trust_id', 'text')
        .execute();
      for (const column of ['trustor_user_id', 'trustee_user_id', 'redelegated_trust_id'] as const)
        await db.schema.createIndex(`trusts_${column}`).on('trusts').column(column).execute();
    },
  },
];

/** After users, projects or trusts were deleted: what was handed on ends with its source. At most as often as a chain is long. */
export async function forgetOrphanTrusts(tx: Tx): Promise<void> {
  for (let more = true; more;) {
    const { numDeletedRows } = await tx
      .deleteFrom('trusts')
      .where((eb) =>
        eb.or([
          eb('trustor_user_id', 'not in', tx.selectFrom('users').select('id')),
          eb('trustee_user_id', 'not in', tx.selectFrom('users').select('id')),
          eb('project_id', 'not in', tx.selectFrom('projects').select('id')),
          eb.and([
            eb('redelegated_trust_id', 'is not', null),
            eb('redelegated_trust_id', 'not in', tx.selectFrom('trusts as parents').select('parents.id')),
          ]),
        ]),
      )
      .executeTakeFirstOrThrow();
    more = numDeletedRows > 0n;
  }
}
