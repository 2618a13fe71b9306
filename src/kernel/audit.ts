// The audit trail: one row a change, in the transaction of the change. Reads are not recorded.
import type { Migration, Tx } from './db/index.ts';
import { projectOf } from './policy.ts';
import type { Ctx } from './platform.ts';

declare module './db/index.ts' {
  interface Tables {
    audit: {
      id: string;
      /** Milliseconds since the epoch. */
      at: number;
      request_id: string;
      user_id: string;
      project_id: string;
      /** The policy name, e.g. 'compute:servers:create'. */
      action: string;
      target_kind: string;
      target_id: string;
    };
  }
}

export const auditMigrations: Migration[] = [
  {
    id: 'kernel-0003-audit',
    async up(db) {
      await db.schema
        .createTable('audit')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('request_id', 'text', (c) => c.notNull())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('action', 'text', (c) => c.notNull())
        .addColumn('target_kind', 'text', (c) => c.notNull())
        .addColumn('target_id', 'text', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('audit_target').on('audit').columns(['target_id', 'at']).execute();
    },
  },
];

/** Records that `ctx`'s actor changed the target; commits with the change or not at all. */
export async function audit(tx: Tx, ctx: Ctx, targetKind: string, targetId: string): Promise<void> {
  await tx
    .insertInto('audit')
    .values({
      id: ctx.platform.ids.uuid(),
      at: ctx.platform.clock.now(),
      request_id: ctx.requestId,
      user_id: ctx.actor.userId,
      project_id: projectOf(ctx.actor),
      action: ctx.action,
      target_kind: targetKind,
      target_id: targetId,
    })
    .execute();
}
