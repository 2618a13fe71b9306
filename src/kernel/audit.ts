// The audit trail: one row a change, in the transaction of the change. Reads are not recorded.
import { sql } from 'kysely';
import type { Migration, Reader, Tables, Tx } from './db/index.ts';
import { applyPage } from './paging.ts';
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
  {
    id: 'kernel-0004-audit-lists',
    async up(db) {
      const index = (name: string, columns: ('at' | 'id' | 'project_id' | 'user_id')[]) =>
        db.schema.createIndex(name).on('audit').columns(columns).execute();
      await index('audit_at', ['at', 'id']);
      await index('audit_project', ['project_id', 'at', 'id']);
      await index('audit_user', ['user_id', 'at', 'id']);
    },
  },
];

export type AuditRow = Tables['audit'];

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

/** What a list is narrowed to; absent: not by that. */
export type AuditFilter = {
  projectId?: string | undefined;
  userId?: string | undefined;
  /** A policy name; with a `*` at its end all names that begin so. */
  action?: string | undefined;
  targetKind?: string | undefined;
  targetId?: string | undefined;
  /** Milliseconds since the epoch: not before `since`, before `until`. */
  since?: number | undefined;
  until?: number | undefined;
};

export const findAudit = (db: Pick<Reader, 'selectFrom'>, id: string): Promise<AuditRow | undefined> =>
  db.selectFrom('audit').selectAll().where('id', '=', id).executeTakeFirst();

/** Newest first, after the row `marker`; one row more than `limit` when there is a next page. */
export function listAudit(
  db: Pick<Reader, 'selectFrom'>,
  filter: AuditFilter,
  marker: AuditRow | null,
  limit: number,
): Promise<AuditRow[]> {
  let rows = db.selectFrom('audit').selectAll();
  if (filter.projectId !== undefined) rows = rows.where('project_id', '=', filter.projectId);
  if (filter.userId !== undefined) rows = rows.where('user_id', '=', filter.userId);
  if (filter.action !== undefined)
    rows = filter.action.endsWith('*')
      ? rows.where(sql<boolean>`action like ${startingWith(filter.action.slice(0, -1))} escape '!'`)
      : rows.where('action', '=', filter.action);
  if (filter.targetKind !== undefined) rows = rows.where('target_kind', '=', filter.targetKind);
  if (filter.targetId !== undefined) rows = rows.where('target_id', '=', filter.targetId);
  if (filter.since !== undefined) rows = rows.where('at', '>=', filter.since);
  if (filter.until !== undefined) rows = rows.where('at', '<', filter.until);
  // Says nothing new, but lets the index begin at the page.
  if (marker !== null) rows = rows.where('at', '<=', marker.at);
  return applyPage(
    rows,
    [
      { column: 'at', direction: 'desc' },
      { column: 'id', direction: 'desc' },
    ],
    marker,
    limit,
  ).execute();
}

const startingWith = (text: string): string => `${text.replace(/[!%_]/g, '!$&')}%`;
