// What a project may hold and do at once, under the names of Glance's unified limits. What is in use is counted from
// the images themselves, in the transaction of the change: there is no second book that could drift.
import type { Reader, Tx } from '../../../kernel/db/index.ts';
import { CloudError } from '../../../kernel/errors.ts';
import type { Platform } from '../../../kernel/platform.ts';

export const MIB = 1024 ** 2;

/** Sizes are MiB. -1, as Glance without limits: an operator who wants some sets them. */
export const imageQuotas = {
  image_size_total: -1,
  image_stage_total: -1,
  image_count_total: -1,
  image_count_uploading: -1,
} as const;
export type ImageResource = keyof typeof imageQuotas;

export type Usage = Record<ImageResource, { limit: number; usage: number }>;

const UPLOADING = ['saving', 'uploading', 'importing'] as const;

export async function usageOf(
  platform: Platform,
  db: Pick<Reader, 'selectFrom'>,
  projectId: string,
): Promise<Usage> {
  const limits = await platform.quotas.limits(db, projectId);
  const own = db.selectFrom('images').where('owner', '=', projectId);
  const held = await own
    .select((eb) => [
      eb.fn.countAll<number>().as('images'),
      eb.fn.sum<number | null>('size').as('size'),
      eb.fn.sum<number | null>('stage_size').as('staged'),
    ])
    .executeTakeFirstOrThrow();
  const uploading = await own
    .select((eb) => eb.fn.countAll<number>().as('images'))
    .where('status', 'in', UPLOADING)
    .executeTakeFirstOrThrow();
  const used: Record<ImageResource, number> = {
    image_size_total: Math.ceil(Number(held.size ?? 0) / MIB),
    image_stage_total: Math.ceil(Number(held.staged ?? 0) / MIB),
    image_count_total: Number(held.images),
    image_count_uploading: Number(uploading.images),
  };
  return Object.fromEntries(
    Object.entries(used).map(([name, usage]) => [name, { limit: limits[name] ?? -1, usage }]),
  ) as Usage;
}

const over = (resource: ImageResource, limit: number, would: string): CloudError =>
  new CloudError(
    413,
    'LimitExceeded',
    `The limit of the project is ${limit} for ${resource}; ${would}. Delete images or ask an operator for a higher limit.`,
  );

/**
 * Bytes of content that still fit; 413 when there is no room at all. `resource` counts MiB. What arrives is held to it
 * once more where it is recorded: other uploads end meanwhile.
 */
export async function roomFor(
  platform: Platform,
  db: Pick<Reader, 'selectFrom'>,
  projectId: string,
  resource: 'image_size_total' | 'image_stage_total',
): Promise<number> {
  const limit = (await platform.quotas.limits(db, projectId))[resource] ?? -1;
  if (limit < 0) return Number.MAX_SAFE_INTEGER;
  const { usage } = (await usageOf(platform, db, projectId))[resource];
  if (usage >= limit) throw over(resource, limit, `${usage} are in use`);
  return (limit - usage) * MIB;
}

/** Throws 413 when, after what this transaction wrote, the project has more than it may. */
export async function requireWithin(
  platform: Platform,
  tx: Tx,
  projectId: string,
  resources: readonly ImageResource[],
): Promise<void> {
  const limits = await platform.quotas.limits(tx, projectId);
  // Without limits nothing is counted, and changes of the same project do not get into each other's way.
  const limited = resources.filter((resource) => (limits[resource] ?? -1) >= 0);
  if (limited.length === 0) return;
  const usage = await usageOf(platform, tx, projectId);
  for (const resource of limited)
    if (usage[resource].usage > usage[resource].limit)
      throw over(resource, usage[resource].limit, `with this it would have ${usage[resource].usage}`);
}
