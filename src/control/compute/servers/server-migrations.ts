// The records of resizes, as operators list them: api-ref "Migrations". They outlive their servers.
import type { Migration, Tx } from '../../../kernel/db/index.ts';
import { nextCounter } from '../../../kernel/db/index.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import type { ServerRow } from './table.ts';

export type MigrationStatus =
  | 'migrating'
  | 'finished'
  | 'confirming'
  | 'confirmed'
  | 'reverting'
  | 'reverted'
  | 'error';

export type ServerMigrationRow = {
  uuid: string;
  /** A number, as clients know it. */
  id: number;
  server_id: string;
  project_id: string;
  user_id: string;
  status: MigrationStatus;
  host_name: string;
  old_flavor_id: string;
  new_flavor_id: string;
  created_at: number;
  updated_at: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    server_migrations: ServerMigrationRow;
  }
}

export const serverMigrationMigrations: Migration[] = [
  {
    id: 'compute-0010-server-migrations',
    async up(db) {
      let table = db.schema
        .createTable('server_migrations')
        .addColumn('uuid', 'text', (c) => c.primaryKey())
        .addColumn('id', 'bigint', (c) => c.notNull());
      for (const column of [
        'server_id',
        'project_id',
        'user_id',
        'status',
        'host_name',
        'old_flavor_id',
        'new_flavor_id',
      ])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      await table
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('updated_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('server_migrations_server')
        .on('server_migrations')
        .column('server_id')
        .execute();
      await db.schema
        .createIndex('server_migrations_created')
        .on('server_migrations')
        .columns(['created_at', 'id'])
        .execute();
    },
  },
];

export async function beginMigration(
  tx: Tx,
  ctx: Ctx,
  row: Pick<ServerRow, 'id' | 'project_id' | 'host_name' | 'flavor_id'>,
  newFlavorId: string,
): Promise<string> {
  const now = ctx.platform.clock.now();
  const uuid = ctx.platform.ids.uuid();
  await tx
    .insertInto('server_migrations')
    .values({
      uuid,
      id: await nextCounter(tx, 'server-migration'),
      server_id: row.id,
      project_id: row.project_id,
      user_id: ctx.actor.userId,
      status: 'migrating',
      host_name: row.host_name ?? '',
      old_flavor_id: row.flavor_id,
      new_flavor_id: newFlavorId,
      created_at: now,
      updated_at: now,
    })
    .execute();
  return uuid;
}

export const setMigration = (tx: Tx, uuid: string, status: MigrationStatus, now: number): Promise<unknown> =>
  tx.updateTable('server_migrations').set({ status, updated_at: now }).where('uuid', '=', uuid).execute();
