// Address scopes: schemas, JSON and verbs, and what binds subnet pools to one.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf, type Actor } from '../../../kernel/policy.ts';
import { idOf, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { adminOnly, ownedBy, ownerOf } from '../faults.ts';
import { truth, type ListSpec } from '../listing.ts';
import { shareWithEverybody } from '../rbac/sharing.ts';
import { sharedFilter, sharedWith, visible } from '../rbac/visible.ts';
import { deleteObject } from '../removal.ts';
import { newRow, touched, type Queries } from '../rows.ts';
import { overlaps, parseCidr, type Cidr } from '../subnets/addressing.ts';
import type { AddressScopeRow } from './table.ts';

const scopeUpdate = strict({ name: Type.Optional(text()), shared: Type.Optional(Type.Boolean()) });
const scopeCreate = strict({
  name: Type.Optional(text()),
  ip_version: Type.Union([Type.Literal(4), Type.Literal(6), Type.Literal('4'), Type.Literal('6')]),
  shared: Type.Optional(Type.Boolean()),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});

const list: ListSpec = {
  noun: 'Address scope',
  plural: 'address_scopes',
  table: 'address_scopes',
  filters: {
    id: { by: 'text', column: 'address_scopes.id', ref: 'address-scope' },
    name: { by: 'text', column: 'address_scopes.name' },
    ip_version: { by: 'integer', column: 'address_scopes.ip_version' },
    project_id: { by: 'text', column: 'address_scopes.project_id', ref: 'project' },
    tenant_id: { by: 'text', column: 'address_scopes.project_id', ref: 'project' },
    shared: {
      by: 'custom',
      where: (values, actor) =>
        sharedFilter('address_scopes', truth('shared', values.at(-1) ?? '') === 1, actor),
    },
  },
  sortable: {
    id: 'id',
    name: 'name',
    ip_version: 'ip_version',
    project_id: 'project_id',
    tenant_id: 'project_id',
  },
};

/** Own scopes, and what is shared with the project. */
const rows = (db: Queries, actor: Actor) =>
  db.selectFrom('address_scopes').selectAll('address_scopes').where(visible('address_scopes', actor));

export async function readableScope(db: Queries, actor: Actor, id: string): Promise<AddressScopeRow> {
  const row = await rows(db, actor).where('address_scopes.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Address scope', id);
  return row;
}

export const scopeView = (row: AddressScopeRow, shared: boolean): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  ip_version: row.ip_version,
  shared,
});

async function views(db: Queries, ctx: Ctx, found: readonly AddressScopeRow[]): Promise<object[]> {
  const ids = found.map((row) => row.id);
  const shared = await sharedWith(db, ids, projectOf(ctx.actor));
  return found.map((row) => scopeView(row, shared.has(row.id)));
}

async function make(ctx: Ctx, inputs: Static<typeof scopeCreate>[]): Promise<string[]> {
  const owners = inputs.map((input) => {
    if (input.shared === true) adminOnly(ctx, 'create_address_scope', input, ['shared']);
    return ownerOf(ctx, 'create_address_scope', input);
  });
  return ctx.platform.db.tx(async (tx) => {
    const ids: string[] = [];
    for (const [at, input] of inputs.entries()) {
      const row: AddressScopeRow = {
        ...newRow(ctx, owners[at] ?? '', ''),
        name: input.name ?? '',
        ip_version: Number(input.ip_version),
      };
      await tx.insertInto('address_scopes').values(row).execute();
      if (input.shared === true) await shareWithEverybody(tx, ctx, 'address_scope', row);
      await audit(tx, ctx, 'address-scope', row.id);
      ids.push(row.id);
    }
    return ids;
  });
}

async function change(ctx: Ctx, id: string, input: Static<typeof scopeUpdate>): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = ownedBy(ctx, await readableScope(tx, ctx.actor, id), 'update_address_scope');
    if (input.shared !== undefined) adminOnly(ctx, 'update_address_scope', input, ['shared']);
    if (input.shared === false && (await sharedWith(tx, [id], '')).has(id))
      throw badRequest(
        `Unable to update address scope ${id}: Shared address scope can't be unshared.`,
        'AddressScopeUpdateError',
      );
    if (input.shared === true) await shareWithEverybody(tx, ctx, 'address_scope', row);
    await tx
      .updateTable('address_scopes')
      .set({ name: input.name ?? row.name, ...touched(ctx, row) })
      .where('id', '=', id)
      .execute();
    await audit(tx, ctx, 'address-scope', id);
  });
}

async function remove(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(
    async (tx) => {
      const row = ownedBy(ctx, await readableScope(tx, ctx.actor, id), 'delete_address_scope');
      const used = await tx
        .selectFrom('subnet_pools')
        .select('id')
        .where('address_scope_id', '=', id)
        .limit(1)
        .executeTakeFirst();
      if (used !== undefined)
        throw conflict(
          `Unable to complete operation on address scope ${id}. There are one or more subnet pools in use on the address scope (e.g. ${used.id}).`,
          'AddressScopeInUse',
        );
      await deleteObject(tx, ctx, { table: 'address_scopes', kind: 'address-scope', quota: null }, row);
    },
    { locks: [scopeLock(id)] },
  );
}

/** Pools join one scope one after the other. */
export const scopeLock = (scopeId: string): string => `address-scope:${scopeId}`;

type Pool = { id: string; ip_version: number; shared: boolean };

/** Checks that the pool may join the scope and overlaps no other of it. The caller holds scopeLock. */
export async function joinScope(
  tx: Tx,
  ctx: Ctx,
  scopeId: string,
  pool: Pool,
  prefixes: readonly Cidr[],
): Promise<void> {
  const scope = await readableScope(tx, ctx.actor, scopeId);
  if (scope.ip_version !== pool.ip_version)
    throw badRequest(
      `Illegal subnetpool association: subnetpool ${pool.id} of IPv${pool.ip_version} cannot associate with address scope ${scopeId} because its ip version is IPv${scope.ip_version}.`,
      'IllegalSubnetPoolIpVersionAssociation',
    );
  if (pool.shared && !(await sharedWith(tx, [scopeId], '')).has(scopeId))
    throw badRequest(
      `Illegal subnetpool association: subnetpool ${pool.id} cannot be associated with address scope ${scopeId}: a shared pool needs a shared scope.`,
      'IllegalSubnetPoolAssociationToAddressScope',
    );
  const others = await tx
    .selectFrom('subnet_pools')
    .select(['id', 'prefixes'])
    .where('address_scope_id', '=', scopeId)
    .where('id', '!=', pool.id)
    .execute();
  for (const other of others)
    for (const taken of (JSON.parse(other.prefixes) as string[]).flatMap((one) => parseCidr(one) ?? []))
      if (prefixes.some((one) => overlaps(one, taken)))
        throw conflict(
          `Failed to associate address scope: subnetpools within an address scope must have unique prefixes (${taken.text} is in subnet pool ${other.id}).`,
          'AddressScopePrefixConflict',
        );
}

export const addressScopes: Collection<
  'address_scopes',
  AddressScopeRow,
  typeof scopeCreate,
  typeof scopeUpdate
> = {
  singular: 'address_scope',
  path: '/v2.0/address-scopes',
  kind: 'address-scope',
  list,
  create: scopeCreate,
  update: scopeUpdate,
  rows,
  views,
  make,
  change,
  remove,
  tags: false,
};
