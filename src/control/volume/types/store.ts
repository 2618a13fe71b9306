// Finding volume types: by id or name, and only those that the actor may use.
import { notFound } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import type { Db } from '../volumes/table.ts';
import type { QosRow, TypeRow } from './table.ts';

export const DEFAULT_TYPE = '__DEFAULT__';

export async function visibleTypes(db: Db, ctx: Ctx): Promise<TypeRow[]> {
  const rows = await db
    .selectFrom('volume_types')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  if (isAdmin(ctx.actor)) return rows;
  const mine = await db
    .selectFrom('volume_type_access')
    .select('type_id')
    .where('project_id', '=', projectOf(ctx.actor))
    .execute();
  const granted = new Set(mine.map((row) => row.type_id));
  return rows.filter((row) => row.is_public === 1 || granted.has(row.id));
}

/** null: the default type. 404 when the actor may not use it. */
export async function findType(db: Db, ctx: Ctx, idOrName: string | null): Promise<TypeRow> {
  const wanted = idOrName ?? DEFAULT_TYPE;
  const found =
    (await visibleTypes(db, ctx)).find((row) => row.id === wanted) ??
    (await visibleTypes(db, ctx)).find((row) => row.name === wanted);
  if (found === undefined) throw notFound('Volume type', wanted);
  return found;
}

export async function findQos(db: Db, id: string): Promise<QosRow> {
  const row = await db.selectFrom('volume_qos').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('QoS specs', id);
  return row;
}

/** Type id -> name, for views of many volumes. */
export async function typeNames(db: Db): Promise<Map<string, string>> {
  return new Map(
    (await db.selectFrom('volume_types').select(['id', 'name']).execute()).map((row) => [row.id, row.name]),
  );
}

/** Makes the default type of a new cloud. Repeatable. */
export async function bootstrapTypes(platform: Platform): Promise<void> {
  await platform.db.tx(async (tx) => {
    await tx
      .insertInto('volume_types')
      .values({
        id: platform.ids.uuid(),
        name: DEFAULT_TYPE,
        description: 'Default Volume Type',
        is_public: 1,
        extra_specs: '{}',
        qos_id: null,
        created_at: platform.clock.now(),
      })
      .onConflict((oc) => oc.column('name').doNothing())
      .execute();
  });
}
