// The quota ledger: limits and usage a project and resource. A claim is a conditional update in the same
// transaction as what it pays for, so no interleaving over-allocates, and a failed create returns it by rolling back.
import type { Migration, Tx } from './db/index.ts';
import { CloudError } from './errors.ts';

declare module './db/index.ts' {
  interface Tables {
    quota_limits: { project_id: string; resource: string; limit_value: number };
    quota_usage: { project_id: string; resource: string; in_use: number };
  }
}

export const quotaMigrations: Migration[] = [
  {
    id: 'kernel-0002-quota',
    async up(db) {
      await db.schema
        .createTable('quota_limits')
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('resource', 'text', (c) => c.notNull())
        .addColumn('limit_value', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('quota_limits_pk', ['project_id', 'resource'])
        .execute();
      await db.schema
        .createTable('quota_usage')
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('resource', 'text', (c) => c.notNull())
        .addColumn('in_use', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('quota_usage_pk', ['project_id', 'resource'])
        .execute();
    },
  },
];

/** Resource name -> default limit; -1: unlimited. Names are unique in the cloud, e.g. 'instances', 'network'. */
export type QuotaDefaults = Readonly<Record<string, number>>;
export type QuotaAmounts = Readonly<Record<string, number>>;

export type Quotas = {
  readonly defaults: QuotaDefaults;
  /** Throws 403 OverQuota (with resource, limit, in use, requested) and changes nothing when any amount does not fit. */
  claim(tx: Tx, projectId: string, amounts: QuotaAmounts): Promise<void>;
  release(tx: Tx, projectId: string, amounts: QuotaAmounts): Promise<void>;
  limits(db: Pick<Tx, 'selectFrom'>, projectId: string): Promise<Record<string, number>>;
  usage(db: Pick<Tx, 'selectFrom'>, projectId: string): Promise<Record<string, number>>;
  setLimits(tx: Tx, projectId: string, limits: QuotaAmounts): Promise<void>;
  /** Back to the defaults. */
  resetLimits(tx: Tx, projectId: string, resources: readonly string[]): Promise<void>;
  /** What a project without limits of its own has: the built-in defaults, and what an operator made of them. */
  defaultLimits(db: Pick<Tx, 'selectFrom'>): Promise<Record<string, number>>;
  setDefaultLimits(tx: Tx, limits: QuotaAmounts): Promise<void>;
};

/** Whose rows the defaults of an operator are: the quota class that the APIs call `default`. No project has such an id. */
const DEFAULT_CLASS = 'class:default';
/** Whose rows the limits of one user within a project are. */
export const userLimitsOf = (projectId: string, userId: string): string => `${projectId}/${userId}`;

/** Conflict domain of a project's ledger: pass it as a transaction lock where many claims meet. */
export const quotaLock = (projectId: string): string => `quota:${projectId}`;

export function createQuotas(defaults: QuotaDefaults): Quotas {
  const limits: Quotas['limits'] = async (db, projectId) => {
    const rows = await db
      .selectFrom('quota_limits')
      .select(['project_id', 'resource', 'limit_value'])
      .where('project_id', 'in', [DEFAULT_CLASS, projectId])
      .execute();
    const own = (id: string) =>
      Object.fromEntries(
        rows.filter((row) => row.project_id === id).map((row) => [row.resource, row.limit_value]),
      );
    return { ...defaults, ...own(DEFAULT_CLASS), ...own(projectId) };
  };

  /** Returns what is in use now, by resource. */
  const add = async (
    tx: Tx,
    projectId: string,
    amounts: readonly (readonly [string, number])[],
  ): Promise<Map<string, number>> => {
    if (amounts.length === 0) return new Map();
    const rows = await tx
      .insertInto('quota_usage')
      .values(amounts.map(([resource, amount]) => ({ project_id: projectId, resource, in_use: amount })))
      .onConflict((oc) =>
        oc
          .columns(['project_id', 'resource'])
          .doUpdateSet((eb) => ({ in_use: eb('quota_usage.in_use', '+', eb.ref('excluded.in_use')) })),
      )
      .returning(['resource', 'in_use'])
      .execute();
    return new Map(rows.map((row) => [row.resource, row.in_use]));
  };
  const asked = (amounts: QuotaAmounts): [string, number][] =>
    Object.entries(amounts).filter(([, amount]) => amount !== 0);

  const setLimits: Quotas['setLimits'] = async (tx, projectId, values) => {
    for (const [resource, limit] of Object.entries(values)) {
      await tx
        .insertInto('quota_limits')
        .values({ project_id: projectId, resource, limit_value: limit })
        .onConflict((oc) => oc.columns(['project_id', 'resource']).doUpdateSet({ limit_value: limit }))
        .execute();
    }
  };

  return {
    defaults,
    limits,
    async claim(tx, projectId, amounts) {
      const effective = await limits(tx, projectId);
      const used = await add(tx, projectId, asked(amounts));
      for (const [resource, amount] of asked(amounts)) {
        const limit = effective[resource] ?? 0;
        const inUse = used.get(resource) ?? 0;
        if (amount > 0 && limit >= 0 && inUse > limit) {
          throw new CloudError(
            403,
            'OverQuota',
            `Quota exceeded for ${resource}: requested ${amount}, already used ${inUse - amount} of ${limit}. Delete something or ask an operator for a larger quota.`,
          );
        }
      }
    },
    async release(tx, projectId, amounts) {
      await add(
        tx,
        projectId,
        asked(amounts).map(([resource, amount]) => [resource, -amount]),
      );
    },
    async usage(db, projectId) {
      const rows = await db
        .selectFrom('quota_usage')
        .select(['resource', 'in_use'])
        .where('project_id', '=', projectId)
        .execute();
      return {
        ...Object.fromEntries(Object.keys(defaults).map((name) => [name, 0])),
        ...Object.fromEntries(rows.map((row) => [row.resource, row.in_use])),
      };
    },
    defaultLimits: (db) => limits(db, DEFAULT_CLASS),
    setDefaultLimits: (tx, values) => setLimits(tx, DEFAULT_CLASS, values),
    setLimits,
    async resetLimits(tx, projectId, resources) {
      if (resources.length === 0) return;
      await tx
        .deleteFrom('quota_limits')
        .where('project_id', '=', projectId)
        .where('resource', 'in', [...resources])
        .execute();
    },
  };
}

/** The limits of one user within a project; empty: none but the project's. */
export async function userLimits(
  db: Pick<Tx, 'selectFrom'>,
  projectId: string,
  userId: string,
): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom('quota_limits')
    .select(['resource', 'limit_value'])
    .where('project_id', '=', userLimitsOf(projectId, userId))
    .execute();
  return Object.fromEntries(rows.map((row) => [row.resource, row.limit_value]));
}

/** Limits of projects that differ from the defaults, one row a project and resource. */
export const ownLimits = (
  db: Pick<Tx, 'selectFrom'>,
  resources: readonly string[],
): Promise<{ project_id: string; resource: string; limit_value: number }[]> =>
  db
    .selectFrom('quota_limits')
    .selectAll()
    .where('resource', 'in', [...resources])
    .where('project_id', '!=', DEFAULT_CLASS)
    .where('project_id', 'not like', '%/%')
    .orderBy('project_id')
    .execute();
