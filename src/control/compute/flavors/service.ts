// The verbs of flavors, and the flavor that a server is made with.
import { audit } from '../../../kernel/audit.ts';
import { type Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import { applyPage, cutPage, parseSort } from '../../../kernel/paging.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import type { Db, FlavorRow } from './table.ts';

/** The flavor, when the actor may use it; 404 otherwise. */
export async function findFlavor(db: Db, ctx: Ctx, id: string): Promise<FlavorRow> {
  const row = await db.selectFrom('flavors').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Flavor', id);
  if (row.is_public === 0 && !isAdmin(ctx.actor)) {
    const access = await db
      .selectFrom('flavor_projects')
      .select('flavor_id')
      .where('flavor_id', '=', id)
      .where('project_id', '=', projectOf(ctx.actor))
      .executeTakeFirst();
    if (access === undefined) throw notFound('Flavor', id);
  }
  return row;
}

export type FlavorFilter = {
  /** null: all, operators only. */
  isPublic: boolean | null;
  minRam: number;
  minDisk: number;
  sortKeys: string[];
  sortDirs: string[];
  limit: number;
  marker: string | null;
};

const sortColumns = {
  created_at: 'created_at',
  description: 'name',
  ephemeral_gb: 'ephemeral_gib',
  flavorid: 'id',
  id: 'id',
  is_public: 'is_public',
  memory_mb: 'memory_mib',
  name: 'name',
  root_gb: 'disk_gib',
  rxtx_factor: 'rxtx_factor',
  swap: 'swap_mib',
  vcpus: 'vcpus',
} as const;

export async function listFlavors(
  ctx: Ctx,
  filter: FlavorFilter,
): Promise<{ rows: FlavorRow[]; more: boolean }> {
  const db = ctx.platform.db.read;
  let query = db.selectFrom('flavors').selectAll();
  if (!isAdmin(ctx.actor)) {
    query = query.where((eb) =>
      eb.or([
        eb('is_public', '=', 1),
        eb(
          'id',
          'in',
          eb.selectFrom('flavor_projects').select('flavor_id').where('project_id', '=', projectOf(ctx.actor)),
        ),
      ]),
    );
  } else if (filter.isPublic !== null) query = query.where('is_public', '=', filter.isPublic ? 1 : 0);
  if (filter.minRam > 0) query = query.where('memory_mib', '>=', filter.minRam);
  if (filter.minDisk > 0) query = query.where('disk_gib', '>=', filter.minDisk);
  let marker: FlavorRow | null = null;
  if (filter.marker !== null) {
    marker =
      (await db.selectFrom('flavors').selectAll().where('id', '=', filter.marker).executeTakeFirst()) ?? null;
    if (marker === null) throw badRequest(`Marker ${filter.marker} could not be found.`);
  }
  const sort = parseSort(sortColumns, filter.sortKeys, filter.sortDirs, [{ column: 'id', direction: 'asc' }]);
  return cutPage(await applyPage(query, sort, marker, filter.limit).execute(), filter.limit);
}

export async function createFlavor(
  ctx: Ctx,
  flavor: Omit<FlavorRow, 'id' | 'created_at'> & { id: string | null },
): Promise<FlavorRow> {
  const row: FlavorRow = {
    ...flavor,
    id: flavor.id ?? ctx.platform.ids.uuid(),
    created_at: ctx.platform.clock.now(),
  };
  return ctx.platform.db.tx(
    async (tx) => {
      const same = await tx
        .selectFrom('flavors')
        .select(['id', 'name'])
        .where((eb) => eb.or([eb('id', '=', row.id), eb('name', '=', row.name)]))
        .executeTakeFirst();
      if (same !== undefined)
        throw conflict(
          same.id === row.id
            ? `Flavor with ID ${row.id} already exists.`
            : `Flavor with name ${row.name} already exists.`,
        );
      await tx.insertInto('flavors').values(row).execute();
      await audit(tx, ctx, 'flavor', row.id);
      return row;
    },
    { locks: ['flavors'] },
  );
}

/** One change of a stored flavor, in a transaction with its audit record. */
async function changeFlavor<T>(
  ctx: Ctx,
  id: string,
  change: (tx: Tx, row: FlavorRow) => Promise<T>,
): Promise<T> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await findFlavor(tx, ctx, id);
    const result = await change(tx, row);
    await audit(tx, ctx, 'flavor', id);
    return result;
  });
}

export const deleteFlavor = (ctx: Ctx, id: string): Promise<void> =>
  changeFlavor(ctx, id, async (tx) => {
    await tx.deleteFrom('flavor_projects').where('flavor_id', '=', id).execute();
    await tx.deleteFrom('flavors').where('id', '=', id).execute();
  });

export const describeFlavor = (ctx: Ctx, id: string, description: string | null): Promise<FlavorRow> =>
  changeFlavor(ctx, id, async (tx, row) => {
    await tx.updateTable('flavors').set({ description }).where('id', '=', id).execute();
    return { ...row, description };
  });

export type ExtraSpecs = Record<string, string>;
export const extraSpecsOf = (row: Pick<FlavorRow, 'extra_specs'>): ExtraSpecs =>
  JSON.parse(row.extra_specs) as ExtraSpecs;

const MAX_EXTRA_SPECS = 128;
/** Changes the extra specs and returns them. */
export const changeExtraSpecs = (
  ctx: Ctx,
  id: string,
  change: (specs: ExtraSpecs) => ExtraSpecs,
): Promise<ExtraSpecs> =>
  changeFlavor(ctx, id, async (tx, row) => {
    const specs = change(extraSpecsOf(row));
    if (Object.keys(specs).length > MAX_EXTRA_SPECS)
      throw badRequest(
        `Invalid input for extra_specs. A flavor has at most ${MAX_EXTRA_SPECS} extra specs; this makes ${Object.keys(specs).length}.`,
      );
    await tx
      .updateTable('flavors')
      .set({ extra_specs: JSON.stringify(specs) })
      .where('id', '=', id)
      .execute();
    return specs;
  });

/** Projects that may use a flavor that is not public; 404 for a public one, as Nova has it. */
export async function flavorAccess(db: Db, ctx: Ctx, id: string): Promise<string[]> {
  const row = await findFlavor(db, ctx, id);
  if (row.is_public === 1) throw notFound('Flavor access list', id);
  const rows = await db
    .selectFrom('flavor_projects')
    .select('project_id')
    .where('flavor_id', '=', id)
    .orderBy('project_id')
    .execute();
  return rows.map((one) => one.project_id);
}

export const grantFlavor = (ctx: Ctx, id: string, projectId: string): Promise<string[]> =>
  changeFlavor(ctx, id, async (tx, row) => {
    if (row.is_public === 1) throw conflict('Can not add access to a public flavor.');
    const before = await flavorAccess(tx, ctx, id);
    if (before.includes(projectId))
      throw conflict(`Flavor access already exists for flavor ${id} and project ${projectId} combination.`);
    await tx.insertInto('flavor_projects').values({ flavor_id: id, project_id: projectId }).execute();
    return [...before, projectId];
  });

export const revokeFlavor = (ctx: Ctx, id: string, projectId: string): Promise<string[]> =>
  changeFlavor(ctx, id, async (tx, row) => {
    if (row.is_public === 1) throw conflict('Can not remove access from a public flavor.');
    const before = await flavorAccess(tx, ctx, id);
    if (!before.includes(projectId)) throw notFound('Flavor access', `${id} / ${projectId}`);
    await tx
      .deleteFrom('flavor_projects')
      .where('flavor_id', '=', id)
      .where('project_id', '=', projectId)
      .execute();
    return before.filter((one) => one !== projectId);
  });

/** DevStack's public flavors: id, name, vcpus, MiB, GiB. */
const standard = [
  ['42', 'm1.nano', 1, 128, 1],
  ['1', 'm1.tiny', 1, 512, 1],
  ['2', 'm1.small', 1, 2048, 20],
  ['3', 'm1.medium', 2, 4096, 40],
  ['4', 'm1.large', 4, 8192, 80],
  ['5', 'm1.xlarge', 8, 16384, 160],
] as const;

/** Makes the public flavors on a cloud that has none; an operator who deleted some does not get them back. */
export async function bootstrapFlavors(platform: Platform): Promise<void> {
  await platform.db.tx(async (tx) => {
    if ((await tx.selectFrom('flavors').select('id').limit(1).executeTakeFirst()) !== undefined) return;
    const created_at = platform.clock.now();
    await tx
      .insertInto('flavors')
      .values(
        standard.map(([id, name, vcpus, memory_mib, disk_gib]) => ({
          id,
          name,
          vcpus,
          memory_mib,
          disk_gib,
          ephemeral_gib: 0,
          swap_mib: 0,
          rxtx_factor: 1,
          is_public: 1,
          description: null,
          extra_specs: '{}',
          created_at,
        })),
      )
      .execute();
  });
}
