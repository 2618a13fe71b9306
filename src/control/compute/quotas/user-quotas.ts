// Limits of one user within a project: api-ref "Quota sets", user_id. They are rare, so nothing is kept in the ledger
// for them: what the user has is counted when a limit of that user is there to be met.
import type { Tx } from '../../../kernel/db/index.ts';
import { forbidden } from '../../../kernel/errors.ts';
import { userLimits } from '../../../kernel/quota.ts';
import { quotaOf } from '../servers/phases.ts';
import type { Db } from '../servers/table.ts';

/** Instances, cores and MiB of the servers that the user made in the project. */
export async function userUsage(db: Db, projectId: string, userId: string): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom('servers')
    .select(['flavor', 'phase', 'phase_facts'])
    .where('project_id', '=', projectId)
    .where('user_id', '=', userId)
    .execute();
  const held = rows.map(quotaOf);
  return {
    instances: held.length,
    cores: held.reduce((sum, one) => sum + one.cores, 0),
    ram: held.reduce((sum, one) => sum + one.ram, 0),
  };
}

/** 403 when what a user asks for is more than that user's own limits leave. In the transaction of the claim. */
export async function refuseOverUserQuota(
  tx: Tx,
  projectId: string,
  userId: string,
  added: Readonly<Partial<Record<'instances' | 'cores' | 'ram', number>>>,
): Promise<void> {
  const limits = await userLimits(tx, projectId, userId);
  if (Object.keys(limits).length === 0) return;
  const used = await userUsage(tx, projectId, userId);
  for (const [name, amount] of Object.entries(added)) {
    const limit = limits[name] ?? -1;
    const inUse = used[name] ?? 0;
    if (amount > 0 && limit >= 0 && inUse + amount > limit)
      throw forbidden(
        `Quota exceeded for ${name}: requested ${amount}, already used ${inUse} of ${limit} that this user may have in the project.`,
        'OverQuota',
      );
  }
}
