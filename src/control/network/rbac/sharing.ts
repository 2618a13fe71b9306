// Sharing an object, and ceasing to: refused while a project that would lose it still uses it.
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict, type CloudError } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { kindOf, type Shareable } from './shareables.ts';
import { EVERYBODY, SHARED } from './visible.ts';

export type Grant = { type: Shareable; objectId: string; action: string; target: string };

/** Throws when somebody whom no other policy covers uses the object by this one. */
export async function refuseWhileUsed(
  tx: Tx,
  grant: Grant,
  owner: string,
  refusal: (by: string) => CloudError,
): Promise<void> {
  const others = (
    await tx
      .selectFrom('network_rbac')
      .select('target')
      .where('object_id', '=', grant.objectId)
      .where('action', '=', grant.action)
      .where('target', '!=', grant.target)
      .execute()
  ).map((row) => row.target);
  if (others.includes(EVERYBODY)) return;
  const loser = ((await kindOf(grant.type).uses[grant.action]?.(tx, grant.objectId)) ?? []).find(
    ({ project_id }) =>
      project_id !== owner &&
      project_id !== '' &&
      !others.includes(project_id) &&
      (grant.target === EVERYBODY || grant.target === project_id),
  );
  if (loser !== undefined) throw refusal(`${loser.what} ${loser.id} of project ${loser.project_id}`);
}

export const policyInUse =
  (objectId: string) =>
  (by: string): CloudError =>
    conflict(
      `RBAC policy on object ${objectId} cannot be removed because other objects depend on it. Details: it is used by ${by}.`,
      'RbacPolicyInUse',
    );

/** What `shared` and `router:external` of the object's own API do. It costs no quota. */
export async function shareWithEverybody(
  tx: Tx,
  ctx: Ctx,
  type: Shareable,
  object: { id: string; project_id: string },
  action: string = SHARED,
): Promise<void> {
  await tx
    .insertInto('network_rbac')
    .values({
      id: ctx.platform.ids.uuid(),
      project_id: object.project_id,
      object_type: type,
      object_id: object.id,
      action,
      target: EVERYBODY,
      counted: 0,
    })
    .onConflict((oc) => oc.columns(['object_id', 'target', 'action']).doNothing())
    .execute();
}

/** Takes the object's policies away: all of them, or those of one action, or of one action and target. */
export async function unshare(
  tx: Tx,
  ctx: Ctx,
  objectId: string,
  only: { action?: string; target?: string } = {},
): Promise<void> {
  let query = tx
    .selectFrom('network_rbac')
    .select(['id', 'project_id', 'counted'])
    .where('object_id', '=', objectId);
  if (only.action !== undefined) query = query.where('action', '=', only.action);
  if (only.target !== undefined) query = query.where('target', '=', only.target);
  for (const policy of await query.execute()) await deletePolicy(tx, ctx, policy);
}

export async function deletePolicy(
  tx: Tx,
  ctx: Ctx,
  policy: { id: string; project_id: string; counted: number },
): Promise<void> {
  await tx.deleteFrom('network_rbac').where('id', '=', policy.id).execute();
  await ctx.platform.quotas.release(tx, policy.project_id, { rbac_policy: policy.counted });
}
