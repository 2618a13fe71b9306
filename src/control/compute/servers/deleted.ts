// What is kept of a server once it is gone: for the usage of its project, for its history (2.21), and for the lists
// of operators and of clients that ask what has changed. Rows are forgotten after RETENTION_MS.
import type { Kysely } from 'kysely';
import type { Migration, Tables, Tx } from '../../../kernel/db/index.ts';
import { notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee } from '../../../kernel/policy.ts';
import type { Db, ServerRow } from './table.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    deleted_servers: DeletedServerRow;
  }
}

export type DeletedServerRow = {
  id: string;
  project_id: string;
  name: string;
  launched_at: number | null;
  deleted_at: number;
  /** JSON of FlavorCopy. */
  flavor: string;
  /** JSON of the ServerRow as it was at last. */
  row: string;
};

/** A year and a month: the usage of a billing period can still be asked for a year later. */
export const RETENTION_MS = 400 * 24 * 3600 * 1000;
/** Most that one deletion forgets of others. */
const FORGET_BATCH = 20;

export const deletedServerMigration: Migration = {
  id: 'compute-0101-deleted-servers',
  async up(db: Kysely<Tables>) {
    await db.schema
      .createTable('deleted_servers')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('launched_at', 'bigint')
      .addColumn('deleted_at', 'bigint', (c) => c.notNull())
      .addColumn('flavor', 'text', (c) => c.notNull())
      .addColumn('row', 'text', (c) => c.notNull())
      .execute();
    await db.schema
      .createIndex('deleted_servers_project')
      .on('deleted_servers')
      .columns(['project_id', 'deleted_at'])
      .execute();
    await db.schema
      .createIndex('deleted_servers_deleted')
      .on('deleted_servers')
      .column('deleted_at')
      .execute();
  },
};

/** Called in the transaction that ends the server; forgets some that are past retention. */
export async function keepDeleted(tx: Tx, row: ServerRow, now: number): Promise<void> {
  await tx
    .insertInto('deleted_servers')
    .values({
      id: row.id,
      project_id: row.project_id,
      name: row.name,
      launched_at: row.launched_at,
      deleted_at: now,
      flavor: row.flavor,
      // Neither the user's data nor what was attached is of use any more.
      row: JSON.stringify({ ...row, user_data: null, public_key: null, ports: '[]', volumes: '[]' }),
    })
    .onConflict((oc) => oc.column('id').doNothing())
    .execute();
  await tx
    .updateTable('server_actions')
    .set({ finished_at: now, result: 'Success' })
    .where('server_id', '=', row.id)
    .where('finished_at', 'is', null)
    .execute();
  const old = await tx
    .selectFrom('deleted_servers')
    .select('id')
    .where('deleted_at', '<', now - RETENTION_MS)
    .limit(FORGET_BATCH)
    .execute();
  if (old.length === 0) return;
  const ids = old.map((one) => one.id);
  await tx.deleteFrom('server_actions').where('server_id', 'in', ids).execute();
  await tx.deleteFrom('deleted_servers').where('id', 'in', ids).execute();
}

/** A server that is there, or was: 404 when the actor may not see it. */
export async function findServerOrDeleted(
  db: Db,
  ctx: Ctx,
  id: string,
): Promise<{ row: ServerRow; deletedAt: number | null }> {
  const row = await db.selectFrom('servers').selectAll().where('id', '=', id).executeTakeFirst();
  const deleted =
    row === undefined
      ? await db.selectFrom('deleted_servers').selectAll().where('id', '=', id).executeTakeFirst()
      : undefined;
  const found = row ?? (deleted === undefined ? undefined : (JSON.parse(deleted.row) as ServerRow));
  if (found === undefined || !canSee(ctx.actor, found.project_id)) throw notFound('Instance', id);
  return { row: found, deletedAt: deleted?.deleted_at ?? null };
}
