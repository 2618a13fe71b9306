// Neutron's words for the refusals that several of its resources share.
import { badRequest, CloudError, conflict, forbidden } from '../../kernel/errors.ts';
import type { Tx } from '../../kernel/db/index.ts';
import type { Ctx } from '../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../kernel/policy.ts';
import type { QuotaAmounts } from '../../kernel/quota.ts';

export const invalidInput = (why: string): CloudError =>
  badRequest(`Invalid input for operation: ${why}.`, 'InvalidInput');

/** A readable object or a field on which the verb is not allowed. */
export const disallowed = (rule: string): CloudError =>
  forbidden(`(rule:${rule}) is disallowed by policy`, 'PolicyNotAuthorized');

/** The row, when the actor may change it: what is only shared with it is readable, and 403. */
export function ownedBy<R extends { project_id: string }>(ctx: Ctx, row: R, rule: string): R {
  if (!isAdmin(ctx.actor) && row.project_id !== projectOf(ctx.actor)) throw disallowed(rule);
  return row;
}

/** Refuses fields that only operators may write; `what` is e.g. 'create_network'. */
export function adminOnly(
  ctx: Ctx,
  what: string,
  input: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): void {
  if (isAdmin(ctx.actor)) return;
  const field = fields.find((name) => input[name] !== undefined);
  if (field !== undefined) throw disallowed(`${what}:${field}`);
}

/** The project that a new object belongs to: the token's own; operators may name another. */
export function ownerOf(ctx: Ctx, what: string, input: { project_id?: string; tenant_id?: string }): string {
  const own = projectOf(ctx.actor);
  if (input.project_id !== undefined && input.tenant_id !== undefined && input.project_id !== input.tenant_id)
    throw badRequest(`'project_id' and 'tenant_id' do not match.`);
  const asked = input.project_id ?? input.tenant_id ?? own;
  if (asked === '')
    throw badRequest(`The token is not scoped to a project: name the project_id of the new object.`);
  if (asked !== own && !isAdmin(ctx.actor)) throw disallowed(`${what}:project_id`);
  return asked;
}

/** Claims quota in the caller's transaction; over it, Neutron answers 409. */
export async function claimQuota(tx: Tx, ctx: Ctx, projectId: string, amounts: QuotaAmounts): Promise<void> {
  try {
    await ctx.platform.quotas.claim(tx, projectId, amounts);
  } catch (error) {
    if (error instanceof CloudError && error.code === 'OverQuota')
      throw conflict(
        `Quota exceeded for resources: [${Object.keys(amounts)
          .map((name) => `'${name}'`)
          .join(', ')}]. ${error.publicMessage}`,
        'OverQuota',
      );
    throw error;
  }
}
