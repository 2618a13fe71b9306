// Subnet pools: schemas, visibility, JSON and verbs, and how subnets take their addresses from one.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf, type Actor } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, integer, nullable, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { adminOnly, claimQuota, ownedBy, ownerOf } from '../faults.ts';
import { standardFilters, standardSort, truth, type ListSpec } from '../listing.ts';
import { shareWithEverybody } from '../rbac/sharing.ts';
import { sharedFilter, sharedWith, visible } from '../rbac/visible.ts';
import { joinScope, readableScope, scopeLock } from '../address-scopes/address-scopes.ts';
import { deleteObject } from '../removal.ts';
import { flag, newRow, tagsOf, touched, type Queries } from '../rows.ts';
import { overlaps, parseCidr, type Cidr } from '../subnets/addressing.ts';
import { compact, inside } from './prefixes.ts';
import type { SubnetPoolRow } from './table.ts';

const MAX_PREFIXES = 64;
const MAX_QUOTA = 2 ** 31 - 1;
const length = () => Type.Optional(Type.Union([integer(0, 128), Type.String({ pattern: '^[0-9]{1,3}$' })]));

const changeable = {
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  min_prefixlen: length(),
  max_prefixlen: length(),
  default_prefixlen: length(),
  default_quota: Type.Optional(nullable(integer(0, MAX_QUOTA))),
  is_default: Type.Optional(Type.Boolean()),
  address_scope_id: Type.Optional(nullable(idOf('address-scope'))),
};
const poolUpdate = strict({
  ...changeable,
  prefixes: Type.Optional(Type.Array(text(49), { minItems: 1, maxItems: MAX_PREFIXES })),
});
const poolCreate = strict({
  ...changeable,
  prefixes: Type.Array(text(49), { minItems: 1, maxItems: MAX_PREFIXES }),
  shared: Type.Optional(Type.Boolean()),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});

const list: ListSpec = {
  noun: 'Subnet Pool',
  plural: 'subnetpools',
  table: 'subnet_pools',
  filters: {
    ...standardFilters('subnet_pools'),
    id: { by: 'text', column: 'subnet_pools.id', ref: 'subnet-pool' },
    name: { by: 'text', column: 'subnet_pools.name' },
    ip_version: { by: 'integer', column: 'subnet_pools.ip_version' },
    min_prefixlen: { by: 'integer', column: 'subnet_pools.min_prefixlen' },
    max_prefixlen: { by: 'integer', column: 'subnet_pools.max_prefixlen' },
    default_prefixlen: { by: 'integer', column: 'subnet_pools.default_prefixlen' },
    shared: {
      by: 'custom',
      where: (values, actor) =>
        sharedFilter('subnet_pools', truth('shared', values.at(-1) ?? '') === 1, actor),
    },
    is_default: { by: 'boolean', column: 'subnet_pools.is_default' },
    address_scope_id: { by: 'text', column: 'subnet_pools.address_scope_id', ref: 'address-scope' },
  },
  sortable: {
    ...standardSort,
    name: 'name',
    ip_version: 'ip_version',
    default_prefixlen: 'default_prefixlen',
  },
};

/** Own pools, and what is shared with the project. */
const rows = (db: Queries, actor: Actor) =>
  db.selectFrom('subnet_pools').selectAll('subnet_pools').where(visible('subnet_pools', actor));

export async function readablePool(db: Queries, actor: Actor, id: string): Promise<SubnetPoolRow> {
  const row = await rows(db, actor).where('subnet_pools.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Subnet pool', id);
  return row;
}

export const prefixesOf = (row: Pick<SubnetPoolRow, 'prefixes'>): Cidr[] =>
  (JSON.parse(row.prefixes) as string[]).flatMap((one) => parseCidr(one) ?? []);

const poolView = (row: SubnetPoolRow, tags: readonly string[], shared: boolean): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  description: row.description,
  ip_version: row.ip_version,
  prefixes: JSON.parse(row.prefixes) as unknown,
  min_prefixlen: row.min_prefixlen,
  max_prefixlen: row.max_prefixlen,
  default_prefixlen: row.default_prefixlen,
  default_quota: row.default_quota < 0 ? null : row.default_quota,
  shared,
  is_default: row.is_default === 1,
  address_scope_id: row.address_scope_id === '' ? null : row.address_scope_id,
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

async function views(db: Queries, ctx: Ctx, found: readonly SubnetPoolRow[]): Promise<object[]> {
  const ids = found.map((row) => row.id);
  const tags = await tagsOf(db, ids);
  const shared = await sharedWith(db, ids, projectOf(ctx.actor));
  return found.map((row) => poolView(row, tags.get(row.id) ?? [], shared.has(row.id)));
}

function checkPrefixes(asked: readonly string[]): Cidr[] {
  const cidrs = asked.map((one) => {
    const cidr = parseCidr(one);
    if (cidr === null || cidr.prefix === 0)
      throw badRequest(
        `Invalid input for prefixes. Reason: '${one}' is not a valid IP subnet.`,
        'HTTPBadRequest',
      );
    return cidr;
  });
  const [first] = cidrs;
  if (cidrs.some((one) => one.version !== first?.version))
    throw badRequest('Cannot mix IPv4 and IPv6 prefixes in a subnet pool.', 'PrefixVersionMismatch');
  return compact(cidrs);
}

type Lengths = Pick<SubnetPoolRow, 'min_prefixlen' | 'max_prefixlen' | 'default_prefixlen'>;

/** Unset: subnets of at least two bits of hosts in IPv4 and of /64 in IPv6, as Neutron's own defaults are. */
function checkLengths(
  input: Pick<Static<typeof poolUpdate>, keyof Lengths>,
  version: number,
  before: Lengths | null,
): Lengths {
  const bits = version === 4 ? 32 : 128;
  const min = Number(input.min_prefixlen ?? before?.min_prefixlen ?? (version === 4 ? 8 : 64));
  const max = Number(input.max_prefixlen ?? before?.max_prefixlen ?? bits);
  const standard = Number(input.default_prefixlen ?? before?.default_prefixlen ?? min);
  for (const [name, value] of [
    ['min_prefixlen', min],
    ['max_prefixlen', max],
    ['default_prefixlen', standard],
  ] as const)
    if (value > bits)
      throw badRequest(
        `Illegal prefix bounds: ${name}=${value}, it must be at most ${bits}.`,
        'IllegalSubnetPoolPrefixBounds',
      );
  if (min > max)
    throw badRequest(
      `Illegal prefix bounds: min_prefixlen=${min}, max_prefixlen=${max}: the first must not be the greater.`,
      'IllegalSubnetPoolPrefixBounds',
    );
  if (standard < min || standard > max)
    throw badRequest(
      `Illegal prefix bounds: default_prefixlen=${standard} must lie between min_prefixlen=${min} and max_prefixlen=${max}.`,
      'IllegalSubnetPoolPrefixBounds',
    );
  return { min_prefixlen: min, max_prefixlen: max, default_prefixlen: standard };
}

async function refuseSecondDefault(tx: Tx, version: number, exceptId: string): Promise<void> {
  const other = await tx
    .selectFrom('subnet_pools')
    .select('id')
    .where('is_default', '=', 1)
    .where('ip_version', '=', version)
    .where('id', '!=', exceptId)
    .executeTakeFirst();
  if (other !== undefined)
    throw badRequest(
      `A default subnetpool for IPv${version} has already been set. Only one default may exist per IP family: ${other.id}.`,
      'DefaultSubnetPoolExists',
    );
}

const POOLS = 'subnet-pools';
/** Subnets of one pool are made one after the other. */
export const poolLock = (poolId: string): string => `subnet-pool:${poolId}`;

async function insertPool(
  tx: Tx,
  ctx: Ctx,
  owner: string,
  input: Static<typeof poolCreate>,
  prefixes: readonly Cidr[],
): Promise<string> {
  const version = prefixes[0]?.version ?? 4;
  await claimQuota(tx, ctx, owner, { subnetpool: 1 });
  const row: SubnetPoolRow = {
    ...newRow(ctx, owner, input.description),
    name: input.name ?? '',
    ip_version: version,
    prefixes: JSON.stringify(prefixes.map((one) => one.text)),
    ...checkLengths(input, version, null),
    default_quota: input.default_quota ?? -1,
    is_default: flag(input.is_default ?? false),
    address_scope_id: input.address_scope_id ?? '',
  };
  if (row.is_default === 1) await refuseSecondDefault(tx, version, row.id);
  const shared = input.shared === true;
  if (row.address_scope_id !== '')
    await joinScope(tx, ctx, row.address_scope_id, { ...row, shared }, prefixes);
  await tx.insertInto('subnet_pools').values(row).execute();
  if (shared) await shareWithEverybody(tx, ctx, 'subnetpool', row);
  await audit(tx, ctx, 'subnet-pool', row.id);
  return row.id;
}

async function make(ctx: Ctx, inputs: Static<typeof poolCreate>[]): Promise<string[]> {
  const owners = inputs.map((input) => {
    adminOnly(ctx, 'create_subnetpool', input, ['shared', 'is_default']);
    return ownerOf(ctx, 'create_subnetpool', input);
  });
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, input] of inputs.entries()) {
        const owner = owners[at] ?? '';
        if (typeof input.address_scope_id === 'string')
          await readableScope(tx, ctx.actor, input.address_scope_id);
        const prefixes = checkPrefixes(input.prefixes);
        ids.push(await insertPool(tx, ctx, owner, input, prefixes));
      }
      return ids;
    },
    {
      locks: [
        ...owners.map(quotaLock),
        POOLS,
        ...inputs.map((input) => scopeLock(input.address_scope_id ?? '')),
      ],
    },
  );
}

const writablePool = async (tx: Tx, ctx: Ctx, id: string, rule: string): Promise<SubnetPoolRow> =>
  ownedBy(ctx, await readablePool(tx, ctx.actor, id), rule);

async function change(ctx: Ctx, id: string, input: Static<typeof poolUpdate>): Promise<void> {
  adminOnly(ctx, 'update_subnetpool', input, ['is_default']);
  await ctx.platform.db.tx(
    async (tx) => {
      const row = await writablePool(tx, ctx, id, 'update_subnetpool');
      const prefixes = input.prefixes === undefined ? prefixesOf(row) : checkPrefixes(input.prefixes);
      if (prefixes[0]?.version !== row.ip_version)
        throw badRequest(
          `Cannot mix IPv4 and IPv6 prefixes in a subnet pool: this one is of IPv${row.ip_version}.`,
          'PrefixVersionMismatch',
        );
      const lost = prefixesOf(row).find((one) => !inside(prefixes, one));
      if (lost !== undefined)
        throw badRequest(
          `Illegal update to prefixes: ${lost.text} cannot be removed, a pool's prefixes may only grow.`,
          'IllegalSubnetPoolPrefixUpdate',
        );
      const next = {
        name: input.name ?? row.name,
        description: input.description ?? row.description,
        prefixes: JSON.stringify(prefixes.map((one) => one.text)),
        ...checkLengths(input, row.ip_version, row),
        default_quota: input.default_quota === undefined ? row.default_quota : (input.default_quota ?? -1),
        is_default: flag(input.is_default ?? row.is_default === 1),
        address_scope_id:
          input.address_scope_id === undefined ? row.address_scope_id : (input.address_scope_id ?? ''),
        ...touched(ctx, row),
      };
      if (next.is_default === 1) await refuseSecondDefault(tx, row.ip_version, id);
      if (next.address_scope_id !== '') {
        const shared = (await sharedWith(tx, [id], '')).has(id);
        await joinScope(tx, ctx, next.address_scope_id, { ...row, shared }, prefixes);
      }
      await tx.updateTable('subnet_pools').set(next).where('id', '=', id).execute();
      await audit(tx, ctx, 'subnet-pool', id);
    },
    { locks: [POOLS, poolLock(id), scopeLock(input.address_scope_id ?? '')] },
  );
}

async function remove(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(
    async (tx) => {
      const row = await writablePool(tx, ctx, id, 'delete_subnetpool');
      const used = await tx
        .selectFrom('subnets')
        .select('id')
        .where('subnetpool_id', '=', id)
        .limit(1)
        .executeTakeFirst();
      if (used !== undefined)
        throw conflict(
          `Unable to complete operation on subnet pool ${id}: it still has allocated subnets (e.g. ${used.id}).`,
          'SubnetPoolDeleteError',
        );
      await deleteObject(tx, ctx, { table: 'subnet_pools', kind: 'subnet-pool', quota: 'subnetpool' }, row);
    },
    { locks: [poolLock(id)] },
  );
}

/** Where automatic networks take their addresses from; the second when the cloud's outside lies in the first. */
const DEFAULT_PREFIXES = ['10.192.0.0/12', '172.24.0.0/14'];

/** The pool that the cloud starts with, shared by all. An operator who has one of his own keeps it. */
export async function ensureDefaultPool(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  externalCidr: string,
): Promise<void> {
  const existing = await tx
    .selectFrom('subnet_pools')
    .select('id')
    .where((eb) => eb.or([eb('is_default', '=', 1), eb('name', '=', 'default')]))
    .limit(1)
    .executeTakeFirst();
  if (existing !== undefined) return;
  const outside = checkPrefixes([externalCidr]);
  const prefix = DEFAULT_PREFIXES.find((one) =>
    checkPrefixes([one]).every((own) => outside.every((other) => !overlaps(own, other))),
  );
  if (prefix === undefined) return;
  const input = {
    name: 'default',
    prefixes: [prefix],
    default_prefixlen: 24,
    shared: true,
    is_default: true,
  };
  await insertPool(tx, ctx, projectId, input, checkPrefixes([prefix]));
}

export const subnetPools: Collection<'subnet_pools', SubnetPoolRow, typeof poolCreate, typeof poolUpdate> = {
  singular: 'subnetpool',
  path: '/v2.0/subnetpools',
  kind: 'subnet-pool',
  list,
  create: poolCreate,
  update: poolUpdate,
  rows,
  views,
  make,
  change,
  remove,
  tags: true,
};
