// How subnets take their addresses from a pool.
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { parseCidr, type Cidr } from '../subnets/addressing.ts';
import { freePiece, inside, quotaUnits } from './prefixes.ts';
import { prefixesOf, readablePool } from './subnet-pools.ts';

export type PoolRequest = {
  poolId: string;
  /** null: any */ cidr: string | null;
  prefixlen: number | null;
  ipVersion: number;
  projectId: string;
};

/** The CIDR that a new subnet gets of a pool. The caller holds poolLock. */
export async function takeFromPool(tx: Tx, ctx: Ctx, asked: PoolRequest): Promise<string> {
  const pool = await readablePool(tx, ctx.actor, asked.poolId);
  if (asked.ipVersion !== pool.ip_version)
    throw badRequest(
      `Cannot allocate IPv${asked.ipVersion} subnet from IPv${pool.ip_version} subnet pool ${pool.id}.`,
      'HTTPBadRequest',
    );
  const prefixes = prefixesOf(pool);
  const taken = await tx
    .selectFrom('subnets')
    .select(['cidr', 'project_id'])
    .where('subnetpool_id', '=', pool.id)
    .execute();
  const used = taken.flatMap((one) => parseCidr(one.cidr) ?? []);
  let piece: Cidr | null;
  if (asked.cidr === null) {
    const prefix = asked.prefixlen ?? pool.default_prefixlen;
    if (prefix < pool.min_prefixlen || prefix > pool.max_prefixlen)
      throw badRequest(
        `Unable to allocate subnet with prefix length ${prefix}, the pool allows ${pool.min_prefixlen} to ${pool.max_prefixlen}.`,
        prefix < pool.min_prefixlen ? 'MinPrefixSubnetAllocationError' : 'MaxPrefixSubnetAllocationError',
      );
    piece = freePiece(prefixes, used, prefix);
  } else {
    piece = parseCidr(asked.cidr);
    if (piece === null)
      throw badRequest(
        `Invalid input for cidr. Reason: '${asked.cidr}' is not a valid IP subnet.`,
        'HTTPBadRequest',
      );
    const wanted = piece;
    if (!inside(prefixes, wanted) || freePiece([wanted], used, wanted.prefix) === null) piece = null;
  }
  if (piece === null)
    throw badRequest(
      `Failed to allocate subnet: Insufficient prefix space to allocate ${asked.cidr ?? `subnet size /${asked.prefixlen ?? pool.default_prefixlen}`} from subnet pool ${pool.id}.`,
      'SubnetAllocationError',
    );
  if (pool.default_quota >= 0) {
    const own = taken
      .filter((one) => one.project_id === asked.projectId)
      .flatMap((one) => parseCidr(one.cidr) ?? []);
    const units = [...own, piece].reduce((sum, one) => sum + quotaUnits(one), 0);
    if (units > pool.default_quota)
      throw conflict(
        `Per-tenant subnet pool prefix quota exceeded: ${units} of ${pool.default_quota}.`,
        'SubnetPoolQuotaExceeded',
      );
  }
  return piece.text;
}

/** The pool for subnets that ask for the default one. */
export async function defaultPool(tx: Tx, ipVersion: number): Promise<string> {
  const row = await tx
    .selectFrom('subnet_pools')
    .select('id')
    .where('is_default', '=', 1)
    .where('ip_version', '=', ipVersion)
    .executeTakeFirst();
  if (row === undefined)
    throw badRequest(`No default subnetpool found for IPv${ipVersion}.`, 'NoDefaultSubnetPoolFound');
  return row.id;
}
