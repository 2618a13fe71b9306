// /v3/policies: documents that services may fetch, deprecated since 2014. They are kept and shown; the policies of this
// program are in its source, and nothing here changes them.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Migration } from '../../../kernel/db/index.ts';
import { forbidden, notFound } from '../../../kernel/errors.ts';
import type { Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { prose, strict, text } from '../../../kernel/schema.ts';
import { collectionRoutes } from '../collection.ts';
import type { Rows } from '../identity.ts';
import { extraOf, extraView, open, requireSameId, urlOf } from '../wire.ts';

export type PolicyRow = { id: string; type: string; blob: string; extra: string };

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    policy_documents: PolicyRow;
  }
}

export const policyMigrations: Migration[] = [
  {
    id: 'identity-0023-policies',
    async up(db) {
      await db.schema
        .createTable('policy_documents')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('type', 'text', (c) => c.notNull())
        .addColumn('blob', 'text', (c) => c.notNull())
        .addColumn('extra', 'text', (c) => c.notNull())
        .execute();
    },
  },
];

const MAX_ROWS = 1000;
const blob = prose(65_536);
const create = open({ type: text(255, 1), blob });
const update = open({ type: Type.Optional(text(255, 1)), blob: Type.Optional(blob) });

const view = (platform: Platform, row: PolicyRow): object => ({
  ...extraView(row),
  id: row.id,
  type: row.type,
  blob: row.blob,
  links: { self: urlOf(platform, `/v3/policies/${row.id}`) },
});

async function policyFor(rows: Rows, _: Ctx, id: string): Promise<PolicyRow> {
  const row = await rows.selectFrom('policy_documents').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Policy', id);
  return row;
}

export const policyRoutes: Route[] = collectionRoutes({
  singular: 'policy',
  plural: 'policies',
  path: '/v3/policies',
  kind: 'policy',
  named: false,
  filters: Type.Object({ type: Type.Optional(text()) }),
  rows: (ctx) => ctx.platform.db.read.selectFrom('policy_documents').selectAll(),
  filter: (rows, asked) => (asked.type === undefined ? rows : rows.where('type', '=', asked.type)),
  find: policyFor,
  view,
  create: {
    body: strict({ policy: create }),
    make: (ctx, { policy: body }) =>
      ctx.platform.db.tx(async (tx) => {
        const { used } = await tx
          .selectFrom('policy_documents')
          .select((eb) => eb.fn.countAll<number>().as('used'))
          .executeTakeFirstOrThrow();
        if (Number(used) >= MAX_ROWS) throw forbidden(`There are at most ${MAX_ROWS} policies.`);
        const row = {
          id: ctx.platform.ids.hex(),
          type: body.type,
          blob: body.blob,
          extra: extraOf(body, create),
        };
        await tx.insertInto('policy_documents').values(row).execute();
        await audit(tx, ctx, 'policy', row.id);
        return row;
      }),
  },
  update: {
    body: strict({ policy: update }),
    change: (ctx, id, { policy: body }) =>
      ctx.platform.db.tx(async (tx) => {
        const row = await policyFor(tx, ctx, id);
        requireSameId(body, id);
        const changed = {
          ...row,
          type: body.type ?? row.type,
          blob: body.blob ?? row.blob,
          extra: extraOf(body, update, row.extra),
        };
        await tx.updateTable('policy_documents').set(changed).where('id', '=', id).execute();
        await audit(tx, ctx, 'policy', id);
        return changed;
      }),
  },
  remove: (ctx, id) =>
    ctx.platform.db.tx(async (tx) => {
      await policyFor(tx, ctx, id);
      await tx.deleteFrom('policy_documents').where('id', '=', id).execute();
      await audit(tx, ctx, 'policy', id);
    }),
});
