// User messages: why something that was accepted failed afterwards, for those who cannot read the operator's log.
// Api-ref "Messages", from 3.3 on.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Migration, Tx } from '../../../kernel/db/index.ts';
import { notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { canSee } from '../../../kernel/policy.ts';
import { idOf } from '../../../kernel/schema.ts';
import { listedProject, pageOf, sorted } from '../pages.ts';
import { linksOf, stamp } from '../routing.ts';
import { pageQuery } from '../volumes/schema.ts';
import type { Db } from '../volumes/table.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_messages: MessageRow;
  }
}

type MessageRow = {
  id: string;
  project_id: string;
  request_id: string;
  resource_type: string;
  resource_id: string;
  event_id: string;
  text: string;
  created_at: number;
  expires_at: number;
};

export const messageMigrations: Migration[] = [
  {
    id: 'volume-0008-messages',
    async up(db) {
      let table = db.schema.createTable('volume_messages').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of ['project_id', 'request_id', 'resource_type', 'resource_id', 'event_id', 'text'])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['created_at', 'expires_at'])
        table = table.addColumn(column, 'bigint', (c) => c.notNull());
      await table.execute();
      await db.schema
        .createIndex('volume_messages_project')
        .on('volume_messages')
        .columns(['project_id', 'created_at'])
        .execute();
      await db.schema
        .createIndex('volume_messages_expiry')
        .on('volume_messages')
        .column('expires_at')
        .execute();
    },
  },
];

/** As Cinder keeps them by default. */
const KEPT_MS = 30 * 24 * 3_600_000;

/** What was attempted: Cinder's action ids, and how the message begins. */
const actions = {
  'schedule allocate volume': '001',
  'create volume': '003',
  'extend volume': '008',
  'create snapshot': '009',
  'revert volume': '012',
  'copy image to volume': '005',
  'create backup': '013',
  'restore backup': '015',
  'delete backup': '014',
} as const;
export type FailedAction = keyof typeof actions;

/** Leaves a message for the project; once for each reason. `requestId` is '' where no request is under way. */
export async function tell(
  tx: Tx,
  platform: Platform,
  about: {
    projectId: string;
    type: 'VOLUME' | 'VOLUME_SNAPSHOT' | 'VOLUME_BACKUP';
    id: string;
    requestId?: string;
  },
  action: FailedAction,
  reason: string,
): Promise<void> {
  const now = platform.clock.now();
  const text = `${action}:${reason}`;
  await tx.deleteFrom('volume_messages').where('expires_at', '<', now).execute();
  const told = await tx
    .selectFrom('volume_messages')
    .select('id')
    .where('project_id', '=', about.projectId)
    .where('resource_id', '=', about.id)
    .where('text', '=', text)
    .executeTakeFirst();
  if (told !== undefined) return;
  const row: MessageRow = {
    id: platform.ids.uuid(),
    project_id: about.projectId,
    request_id: about.requestId ?? '',
    resource_type: about.type,
    resource_id: about.id,
    event_id: `VOLUME_${about.type}_${actions[action]}_001`,
    text,
    created_at: now,
    expires_at: now + KEPT_MS,
  };
  await tx.insertInto('volume_messages').values(row).execute();
}

const ids = { message_id: 'volume-message' } as const;
const view = (ctx: Ctx, row: MessageRow) => ({
  id: row.id,
  event_id: row.event_id,
  user_message: row.text,
  message_level: 'ERROR',
  created_at: stamp(row.created_at),
  guaranteed_until: stamp(row.expires_at),
  request_id: row.request_id,
  resource_type: row.resource_type,
  resource_uuid: row.resource_id,
  links: linksOf(ctx, 'messages', row.id),
});

async function findMessage(db: Db, ctx: Ctx, id: string): Promise<MessageRow> {
  const row = await db.selectFrom('volume_messages').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !canSee(ctx.actor, row.project_id)) throw notFound('Message', id);
  return row;
}

export const messageRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/messages',
    policy: 'volume:messages:list',
    summary: 'List messages about what failed',
    since: '3.3',
    query: Type.Object({
      ...pageQuery,
      marker: Type.Optional(idOf('volume-message')),
      resource_type: Type.Optional(Type.String({ maxLength: 255 })),
      // Of whatever kind it is.
      resource_uuid: Type.Optional(idOf('volume')),
      message_level: Type.Optional(Type.String({ maxLength: 255 })),
    }),
    async handler({ ctx, query, rawQuery }) {
      let rows = ctx.platform.db.read
        .selectFrom('volume_messages')
        .selectAll()
        .where('expires_at', '>=', ctx.platform.clock.now())
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc');
      const project = listedProject(ctx, query);
      if (project !== null) rows = rows.where('project_id', '=', project);
      for (const [column, value] of [
        ['resource_type', query.resource_type],
        ['resource_id', query.resource_uuid],
      ] as const)
        if (value !== undefined) rows = rows.where(column, '=', value);
      const found =
        query.message_level === undefined || query.message_level === 'ERROR' ? await rows.execute() : [];
      const ordered = sorted(found, query, (row, key) =>
        key in row ? row[key as keyof MessageRow] : row.created_at,
      );
      return {
        body: pageOf(ctx, 'messages', 'Message', ordered, query, rawQuery, 'messages', (row) =>
          view(ctx, row),
        ),
      };
    },
  }),
  route({
    method: 'GET',
    path: '/messages/:message_id',
    ids,
    policy: 'volume:messages:list',
    summary: 'Show a message',
    since: '3.3',
    handler: async ({ ctx, params }) => ({
      body: { message: view(ctx, await findMessage(ctx.platform.db.read, ctx, params.message_id)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/messages/:message_id',
    ids,
    policy: 'volume:messages:delete',
    summary: 'Delete a message',
    since: '3.3',
    status: 204,
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await findMessage(tx, ctx, params.message_id);
        await tx.deleteFrom('volume_messages').where('id', '=', row.id).execute();
        await audit(tx, ctx, 'volume-message', row.id);
      });
      return {};
    },
  }),
];
