// The password that a guest made for its user, sealed with the user's key and told to the metadata service once: api-ref
// "Servers password (os-server-password)". What is kept here nobody but the holder of the private key can read.
import type { Kysely } from 'kysely';
import { audit } from '../../../kernel/audit.ts';
import type { Migration, Tables } from '../../../kernel/db/index.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { refuseLocked } from './lifecycle.ts';
import { findServer } from './store.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    server_passwords: { server_id: string; sealed: string };
  }
}

export const guestPasswordMigration: Migration = {
  id: 'compute-0102-server-passwords',
  async up(db: Kysely<Tables>) {
    await db.schema
      .createTable('server_passwords')
      .addColumn('server_id', 'text', (c) => c.primaryKey())
      .addColumn('sealed', 'text', (c) => c.notNull())
      .execute();
  },
};

/** Called by the host of a server; false: it has a password already, which its user can take away. */
export const guestPasswordSaid =
  (platform: Platform) =>
  (hostId: string, serverId: string, sealed: string): Promise<boolean> =>
    platform.db.tx(async (tx) => {
      const row = await tx
        .selectFrom('servers')
        .select(['id'])
        .where('id', '=', serverId)
        .where('host_id', '=', hostId)
        .where('deleting', '=', 0)
        .executeTakeFirst();
      const before = await tx
        .selectFrom('server_passwords')
        .select('server_id')
        .where('server_id', '=', serverId)
        .executeTakeFirst();
      if (row === undefined || before !== undefined) return false;
      await tx.insertInto('server_passwords').values({ server_id: serverId, sealed }).execute();
      return true;
    });

const ids = { server_id: 'server' } as const;
const PATH = '/v2.1/servers/:server_id/os-server-password';

export const guestPasswordRoutes: Route[] = [
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy: 'compute:servers:password',
    summary: 'Show the sealed password that the guest made; empty: none',
    async handler({ ctx, params }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      const said = await ctx.platform.db.read
        .selectFrom('server_passwords')
        .select('sealed')
        .where('server_id', '=', row.id)
        .executeTakeFirst();
      return { body: { password: said?.sealed ?? '' } };
    },
  }),
  route({
    method: 'DELETE',
    path: PATH,
    ids,
    policy: 'compute:servers:password:clear',
    summary: 'Forget the password that the guest made, so that it can tell another',
    status: 204,
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await findServer(tx, ctx, params.server_id);
        refuseLocked(ctx, row);
        await tx.deleteFrom('server_passwords').where('server_id', '=', row.id).execute();
        await audit(tx, ctx, 'server', row.id);
      });
      return {};
    },
  }),
];
