// The objects, properties and tags of a namespace: three kinds, the same verbs.
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { changeable, itemBody, readNamespace, requireUnprotected, type ItemRow } from './namespaces.ts';
import type { MetadefKind } from './table.ts';

const MAX_ITEMS = 1024;

const keyed = (tx: Pick<Tx, 'selectFrom'>, namespace: string, kind: MetadefKind, name: string) =>
  tx
    .selectFrom('metadef_items')
    .selectAll()
    .where('namespace', '=', namespace)
    .where('kind', '=', kind)
    .where('name', '=', name)
    .executeTakeFirst();

export async function readItem(
  ctx: Ctx,
  namespace: string,
  kind: MetadefKind,
  name: string,
): Promise<ItemRow> {
  const { read } = ctx.platform.db;
  await readNamespace(read, ctx, namespace);
  const row = await keyed(read, namespace, kind, name);
  if (row === undefined) throw notFound(`Metadata definition ${kind}`, name);
  return row;
}

async function requireFree(tx: Tx, namespace: string, kind: MetadefKind, name: string): Promise<void> {
  if ((await keyed(tx, namespace, kind, name)) !== undefined)
    throw conflict(`Metadata definition ${kind} ${name} already exists in namespace ${namespace}.`);
}

export async function createItem(
  ctx: Ctx,
  namespace: string,
  kind: MetadefKind,
  body: { name: string },
): Promise<ItemRow> {
  return ctx.platform.db.tx(async (tx) => {
    await changeable(tx, ctx, namespace);
    await requireFree(tx, namespace, kind, body.name);
    const { count } = await tx
      .selectFrom('metadef_items')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('namespace', '=', namespace)
      .executeTakeFirstOrThrow();
    if (Number(count) >= MAX_ITEMS)
      throw conflict(`Namespace ${namespace} holds ${count} definitions; it can hold ${MAX_ITEMS} at most.`);
    const now = ctx.platform.clock.now();
    const row: ItemRow = {
      namespace,
      kind,
      name: body.name,
      body: itemBody(body),
      created_at: now,
      updated_at: now,
    };
    await tx.insertInto('metadef_items').values(row).execute();
    return row;
  });
}

export async function updateItem(
  ctx: Ctx,
  namespace: string,
  kind: MetadefKind,
  name: string,
  body: { name: string },
): Promise<ItemRow> {
  return ctx.platform.db.tx(async (tx) => {
    await changeable(tx, ctx, namespace);
    const row = await keyed(tx, namespace, kind, name);
    if (row === undefined) throw notFound(`Metadata definition ${kind}`, name);
    if (body.name !== name) await requireFree(tx, namespace, kind, body.name);
    const next: ItemRow = {
      ...row,
      name: body.name,
      body: itemBody(body),
      updated_at: ctx.platform.clock.now(),
    };
    await tx
      .updateTable('metadef_items')
      .set(next)
      .where('namespace', '=', namespace)
      .where('kind', '=', kind)
      .where('name', '=', name)
      .execute();
    return next;
  });
}

export async function deleteItem(
  ctx: Ctx,
  namespace: string,
  kind: MetadefKind,
  name: string,
): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    requireUnprotected(await changeable(tx, ctx, namespace), `${kind} ${name}`);
    const gone = await tx
      .deleteFrom('metadef_items')
      .where('namespace', '=', namespace)
      .where('kind', '=', kind)
      .where('name', '=', name)
      .executeTakeFirst();
    if (gone.numDeletedRows === 0n) throw notFound(`Metadata definition ${kind}`, name);
  });
}

export async function deleteItems(ctx: Ctx, namespace: string, kind: MetadefKind): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    requireUnprotected(await changeable(tx, ctx, namespace), `its definitions of kind ${kind}`);
    await tx
      .deleteFrom('metadef_items')
      .where('namespace', '=', namespace)
      .where('kind', '=', kind)
      .execute();
  });
}

/** All tags of a namespace at once; `append` keeps those that are there. */
export async function putTags(
  ctx: Ctx,
  namespace: string,
  names: readonly string[],
  append: boolean,
): Promise<void> {
  const unique = new Set(names);
  if (unique.size !== names.length) throw conflict(`A tag is named twice for namespace ${namespace}.`);
  await ctx.platform.db.tx(async (tx) => {
    await changeable(tx, ctx, namespace);
    const tags = tx.deleteFrom('metadef_items').where('namespace', '=', namespace).where('kind', '=', 'tag');
    if (!append) await tags.execute();
    else for (const name of unique) await requireFree(tx, namespace, 'tag', name);
    const now = ctx.platform.clock.now();
    if (unique.size > 0)
      await tx
        .insertInto('metadef_items')
        .values(
          [...unique].map((name) => ({
            namespace,
            kind: 'tag' as const,
            name,
            body: '{}',
            created_at: now,
            updated_at: now,
          })),
        )
        .execute();
  });
}
