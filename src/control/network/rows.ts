// What the rows of all Neutron resources have in common (its "standard attributes"), and their tags.
import type { CreateTableBuilder } from 'kysely';
import type { Migration, Reader, Tx } from '../../kernel/db/index.ts';
import { badRequest, CloudError } from '../../kernel/errors.ts';
import type { Ctx } from '../../kernel/platform.ts';

/** Rows of the committed state or of the transaction under way. */
export type Queries = Pick<Reader, 'selectFrom'>;

export type StandardColumns = {
  id: string;
  /** '' for objects that belong to the cloud itself (gateway and floating IP ports). */
  project_id: string;
  description: string;
  /** Milliseconds since the epoch. */
  created_at: number;
  updated_at: number;
  /** Grows with each change, from 0 on. */
  revision: number;
};

declare module '../../kernel/db/index.ts' {
  interface Tables {
    network_tags: { object_id: string; tag: string };
  }
}

/** A table with the standard columns; `text` and `bigint` name further NOT NULL columns. */
export function standardTable(
  builder: CreateTableBuilder<string, never>,
  text: readonly string[],
  bigint: readonly string[],
): CreateTableBuilder<string, never> {
  let table = builder.addColumn('id' as never, 'text', (c) => c.primaryKey());
  for (const column of ['project_id', 'description', ...text])
    table = table.addColumn(column as never, 'text', (c) => c.notNull());
  for (const column of ['created_at', 'updated_at', 'revision', ...bigint])
    table = table.addColumn(column as never, 'bigint', (c) => c.notNull());
  return table as CreateTableBuilder<string, never>;
}

export const tagMigration: Migration = {
  id: 'network-0001-tags',
  async up(db) {
    await db.schema
      .createTable('network_tags')
      .addColumn('object_id', 'text', (c) => c.notNull())
      .addColumn('tag', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('network_tags_pk', ['object_id', 'tag'])
      .execute();
  },
};

export function newRow(ctx: Ctx, projectId: string, description: string | undefined): StandardColumns {
  const now = ctx.platform.clock.now();
  return {
    id: ctx.platform.ids.uuid(),
    project_id: projectId,
    description: description ?? '',
    created_at: now,
    updated_at: now,
    revision: 0,
  };
}

/** Throws 412 when the request is for another revision of the object than the one that is stored. */
export function expectRevision(ctx: Ctx, row: { revision: number }): void {
  const wanted = /^revision_number=(.*)$/.exec(ctx.ifMatch ?? '')?.[1];
  if (wanted === undefined) return;
  if (!/^\d{1,15}$/.test(wanted))
    throw badRequest(
      `Invalid If-Match: revision_number=${wanted.slice(0, 40)}, the revision must be a number.`,
      'HTTPBadRequest',
    );
  if (Number(wanted) !== row.revision)
    throw new CloudError(
      412,
      'HTTPPreconditionFailed',
      `Constrained to ${wanted}, but current revision is ${row.revision}`,
    );
}

/** The columns that every change sets; the change is refused when it is meant for another revision. */
export function touched(ctx: Ctx, row: { revision: number }): { updated_at: number; revision: number } {
  expectRevision(ctx, row);
  return { updated_at: ctx.platform.clock.now(), revision: row.revision + 1 };
}

export const flag = (value: boolean): number => (value ? 1 : 0);

/** Cuts `ids` into lists short enough for one query. */
export function chunks<T>(ids: readonly T[], size = 500): T[][] {
  const out: T[][] = [];
  for (let at = 0; at < ids.length; at += size) out.push(ids.slice(at, at + size));
  return out;
}

export async function tagsOf(db: Queries, ids: readonly string[]): Promise<Map<string, string[]>> {
  const out = new Map<string, string[]>();
  for (const part of chunks(ids)) {
    const rows = await db
      .selectFrom('network_tags')
      .selectAll()
      .where('object_id', 'in', part)
      .orderBy('tag')
      .execute();
    for (const row of rows) out.set(row.object_id, [...(out.get(row.object_id) ?? []), row.tag]);
  }
  return out;
}

export async function deleteTags(tx: Tx, ...ids: string[]): Promise<void> {
  await tx.deleteFrom('network_tags').where('object_id', 'in', ids).execute();
}
