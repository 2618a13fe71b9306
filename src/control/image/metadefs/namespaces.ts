// Namespaces of metadata definitions: operators write them, everybody reads the public ones and those of the own project.
import { audit } from '../../../kernel/audit.ts';
import type { Reader, Tables, Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, projectOf } from '../../../kernel/policy.ts';
import type { AssociationBody, NamespaceBody } from './bodies.ts';
import type { MetadefKind } from './table.ts';

export type NamespaceRow = Tables['metadef_namespaces'];
export type ItemRow = Tables['metadef_items'];
export type AssociationRow = Tables['metadef_associations'];
type Db = Pick<Reader, 'selectFrom'>;

/** Throws 404 when it is not there or not for this actor to see. */
export async function readNamespace(db: Db, ctx: Ctx, namespace: string): Promise<NamespaceRow> {
  const row = await db
    .selectFrom('metadef_namespaces')
    .selectAll()
    .where('namespace', '=', namespace)
    .executeTakeFirst();
  if (row === undefined || (row.visibility !== 'public' && !canSee(ctx.actor, row.owner)))
    throw notFound('Metadata definition namespace', namespace);
  return row;
}

const PARTS = ['metadef_items', 'metadef_associations'] as const;

export const itemsOf = (db: Db, namespace: string, kind?: MetadefKind): Promise<ItemRow[]> => {
  const rows = db.selectFrom('metadef_items').selectAll().where('namespace', '=', namespace);
  return (kind === undefined ? rows : rows.where('kind', '=', kind)).orderBy('name').execute();
};
export const associationsOf = (db: Db, namespaces: readonly string[]): Promise<AssociationRow[]> =>
  namespaces.length === 0
    ? Promise.resolve([])
    : db
        .selectFrom('metadef_associations')
        .selectAll()
        .where('namespace', 'in', [...namespaces])
        .orderBy('name')
        .execute();

export const itemBody = (body: object): string => {
  const { name, created_at, updated_at, self, schema, ...kept } = body as Record<string, unknown>;
  void [name, created_at, updated_at, self, schema];
  return JSON.stringify(kept);
};

export async function associate(
  tx: Tx,
  now: number,
  namespace: string,
  body: AssociationBody,
): Promise<AssociationRow> {
  const row: AssociationRow = {
    namespace,
    name: body.name,
    prefix: body.prefix ?? null,
    properties_target: body.properties_target ?? null,
    created_at: now,
    updated_at: now,
  };
  await tx
    .insertInto('metadef_resource_types')
    .values({ name: body.name, created_at: now, updated_at: now })
    .onConflict((oc) => oc.doNothing())
    .execute();
  await tx.insertInto('metadef_associations').values(row).execute();
  return row;
}

/** A namespace with all that the body brings along. */
export async function insertNamespace(
  tx: Tx,
  now: number,
  owner: string,
  body: NamespaceBody,
): Promise<NamespaceRow> {
  const { namespace } = body;
  const row: NamespaceRow = {
    namespace,
    display_name: body.display_name ?? null,
    description: body.description ?? null,
    visibility: body.visibility ?? 'private',
    is_protected: body.protected === true ? 1 : 0,
    owner,
    created_at: now,
    updated_at: now,
  };
  await tx.insertInto('metadef_namespaces').values(row).execute();
  const items: [MetadefKind, string, object][] = [
    ...(body.objects ?? []).map((one): [MetadefKind, string, object] => ['object', one.name, one]),
    ...Object.entries(body.properties ?? {}).map(([name, one]): [MetadefKind, string, object] => [
      'property',
      name,
      one as object,
    ]),
    ...(body.tags ?? []).map((one): [MetadefKind, string, object] => ['tag', one.name, one]),
  ];
  const names = items.map(([kind, name]) => `${kind} ${name}`);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw conflict(`Namespace ${namespace} would have ${twice.slice(0, 200)} twice.`);
  if (items.length > 0)
    await tx
      .insertInto('metadef_items')
      .values(
        items.map(([kind, name, one]) => ({
          namespace,
          kind,
          name,
          body: itemBody(one),
          created_at: now,
          updated_at: now,
        })),
      )
      .execute();
  const associations = body.resource_type_associations ?? [];
  if (new Set(associations.map(({ name }) => name)).size !== associations.length)
    throw conflict(`Namespace ${namespace} would be associated with a resource type twice.`);
  for (const one of associations) await associate(tx, now, namespace, one);
  return row;
}

export async function createNamespace(ctx: Ctx, body: NamespaceBody): Promise<NamespaceRow> {
  const owner = body.owner ?? projectOf(ctx.actor);
  if (owner === '')
    throw badRequest(
      'A namespace belongs to a project: send a token that is scoped to one, or name the owner.',
    );
  for (const name of Object.keys(body.properties ?? {}))
    // eslint-disable-next-line no-control-regex
    if (name === '' || name.length > 80 || /[\x00-\x1f\x7f/]/.test(name))
      throw badRequest(
        `Invalid input for properties. Value: ${JSON.stringify(name.slice(0, 100))}. A name has 1 to 80 characters, none of them '/'.`,
      );
  return ctx.platform.db.tx(async (tx) => {
    await requireFree(tx, body.namespace);
    const row = await insertNamespace(tx, ctx.platform.clock.now(), owner, body);
    await audit(tx, ctx, 'metadef-namespace', row.namespace);
    return row;
  });
}

async function requireFree(tx: Tx, namespace: string): Promise<void> {
  const taken = await tx
    .selectFrom('metadef_namespaces')
    .select('namespace')
    .where('namespace', '=', namespace)
    .executeTakeFirst();
  if (taken !== undefined) throw conflict(`Metadata definition namespace ${namespace} already exists.`);
}

/** As Glance: what the body does not name goes back to its default. */
export async function updateNamespace(
  ctx: Ctx,
  namespace: string,
  body: Omit<NamespaceBody, 'objects' | 'properties' | 'tags' | 'resource_type_associations'>,
): Promise<NamespaceRow> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await readNamespace(tx, ctx, namespace);
    const next: NamespaceRow = {
      ...row,
      namespace: body.namespace,
      display_name: body.display_name ?? null,
      description: body.description ?? null,
      visibility: body.visibility ?? 'private',
      is_protected: body.protected === true ? 1 : 0,
      owner: body.owner ?? row.owner,
      updated_at: ctx.platform.clock.now(),
    };
    if (next.namespace !== namespace) {
      await requireFree(tx, next.namespace);
      for (const table of PARTS)
        await tx
          .updateTable(table)
          .set({ namespace: next.namespace })
          .where('namespace', '=', namespace)
          .execute();
    }
    await tx.updateTable('metadef_namespaces').set(next).where('namespace', '=', namespace).execute();
    await audit(tx, ctx, 'metadef-namespace', namespace);
    return next;
  });
}

/** For verbs that change what a namespace holds. */
export async function changeable(tx: Tx, ctx: Ctx, namespace: string): Promise<NamespaceRow> {
  const row = await readNamespace(tx, ctx, namespace);
  await audit(tx, ctx, 'metadef-namespace', namespace);
  return row;
}

export function requireUnprotected(row: NamespaceRow, what: string): void {
  if (row.is_protected === 1)
    throw forbidden(
      `Metadata definition namespace ${row.namespace} is protected: ${what} cannot be deleted. Set protected to false first.`,
    );
}

export async function deleteNamespace(ctx: Ctx, namespace: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    requireUnprotected(await changeable(tx, ctx, namespace), 'it');
    for (const table of [...PARTS, 'metadef_namespaces'] as const)
      await tx.deleteFrom(table).where('namespace', '=', namespace).execute();
  });
}
