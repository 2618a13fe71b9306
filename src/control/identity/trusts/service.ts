// The verbs on trusts: made by the trustor alone, never changed, ended by the trustor. What is handed on is never more
// than what was held: in roles, time, depth and impersonation (security-cases 9).
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { idOf, integer, nullable, strict, text } from '../../../kernel/schema.ts';
import { requireWithin } from '../application-credentials/routes.ts';
import { effectiveRoles, impliedRoles, type Role } from '../assignments/effective.ts';
import type { Identity, Rows } from '../identity.ts';
import { may, requireFree, type PolicyName } from '../policy.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import { microsOf } from '../times.ts';
import type { TrustRow } from './table.ts';
import { isLive, liveTrust, MAX_REDELEGATION, sourceOf } from './use.ts';

const MAX_A_USER = 200;

export const createTrustBody = strict({
  trust: strict({
    trustor_user_id: idOf('user'),
    // Anybody may be trusted, of whatever domain: not an object of the caller's.
    trustee_user_id: idOf('none'),
    project_id: Type.Optional(nullable(idOf('project'))),
    impersonation: Type.Boolean(),
    roles: Type.Optional(
      Type.Array(strict({ id: Type.Optional(idOf('role')), name: Type.Optional(text(255, 1)) }), {
        maxItems: 100,
      }),
    ),
    expires_at: Type.Optional(nullable(text(64))),
    remaining_uses: Type.Optional(nullable(integer(1, 1_000_000_000))),
    allow_redelegation: Type.Optional(nullable(Type.Boolean())),
    redelegation_count: Type.Optional(nullable(integer(0, MAX_REDELEGATION))),
    redelegated_trust_id: Type.Optional(nullable(idOf('none'))),
  }),
});
type Asked = Static<typeof createTrustBody>['trust'];

/** The row, if the actor is a party to it or an operator, and it is still good: 404 otherwise. */
export async function trustFor(rows: Rows, ctx: Ctx, id: string): Promise<TrustRow> {
  const row = await liveTrust(rows, id, ctx.platform.clock.now());
  if (row === null || !isParty(ctx, row)) throw notFound('Trust', id);
  return row;
}
const isParty = (ctx: Ctx, row: TrustRow): boolean =>
  [row.trustor_user_id, row.trustee_user_id].some((userId) =>
    may(ctx.actor, 'identity:get_trust', { userId }),
  );

function depthOf(asked: Asked): number {
  if (asked.allow_redelegation === false && (asked.redelegation_count ?? 0) > 0)
    throw badRequest(
      'Invalid input for field redelegation_count. It must be 0 where allow_redelegation is false.',
    );
  return asked.redelegation_count ?? (asked.allow_redelegation === true ? MAX_REDELEGATION : 0);
}

/** The roles that `holder` may hand on: by id or name, each one that is held. */
function chosen(held: readonly Role[], asked: Asked['roles']): string[] {
  if (asked === undefined || asked.length === 0) throw forbidden('At least one role should be specified.');
  return asked.map((one) => {
    if (one.id === undefined && one.name === undefined)
      throw badRequest('Invalid input for field roles. Each must name a role by id or by name.');
    const role = held.find(
      (each) => each.id === (one.id ?? each.id) && each.name === (one.name ?? each.name),
    );
    if (role === undefined)
      throw forbidden(`Some of requested roles are not available to be delegated: ${one.id ?? one.name}.`);
    return role.id;
  });
}

type Within = Pick<TrustRow, 'roles' | 'expires_at' | 'redelegation_count' | 'redelegated_trust_id'>;

/** Made with the token of another trust: no more than that one gives. */
async function handedOn(rows: Rows, ctx: Ctx, asked: Asked, expiresAt: number | null): Promise<Within> {
  const { platform, actor } = ctx;
  const parent = await liveTrust(rows, actor.trustId ?? '', platform.clock.now());
  if (parent === null) throw forbidden('The trust of this token is gone.');
  if ((asked.redelegated_trust_id ?? parent.id) !== parent.id)
    throw forbidden('redelegated_trust_id must be the trust of the token.');
  if (parent.redelegation_count === 0)
    throw forbidden(`Trust ${parent.id} does not allow to be handed on any further.`);
  const depth = asked.redelegation_count ?? parent.redelegation_count - 1;
  if (depth >= parent.redelegation_count)
    throw forbidden(
      `Requested redelegation depth of ${depth} is greater than allowed ${parent.redelegation_count - 1}.`,
    );
  if (asked.impersonation && parent.impersonation === 0)
    throw forbidden('Impersonation is not allowed because the trust of the token does not have it.');
  if ((asked.remaining_uses ?? null) !== null)
    throw forbidden('remaining_uses cannot be set on a trust that is handed on.');
  if (parent.expires_at !== null && (expiresAt === null || expiresAt > parent.expires_at))
    throw forbidden('The trust must not end after the one that it is made with.');
  const expand = await impliedRoles(rows);
  const given = new Set((JSON.parse(parent.roles) as string[]).flatMap((id) => [...expand(id)]));
  const sourceId = await sourceOf(rows, parent);
  const held = sourceId === null ? [] : await effectiveRoles(rows, sourceId, 'project', parent.project_id);
  return {
    roles: JSON.stringify(
      chosen(
        held.filter((role) => given.has(role.id)),
        asked.roles,
      ),
    ),
    expires_at: expiresAt,
    redelegation_count: asked.allow_redelegation === false ? 0 : depth,
    redelegated_trust_id: parent.id,
  };
}

export async function createTrust(
  ctx: Ctx,
  { trust: asked }: Static<typeof createTrustBody>,
): Promise<TrustRow> {
  const { actor, platform } = ctx;
  const fromTrust = actor.trustId !== undefined;
  if (!fromTrust) requireFree(ctx);
  const expiresAt = microsOf(platform.clock, 'expires_at', asked.expires_at);
  return platform.db.tx(
    async (tx) => {
      const { trustor_user_id: trustor, trustee_user_id: trustee } = asked;
      if (trustor !== actor.userId)
        throw forbidden('The authenticated user should match the trustor: nobody trusts for somebody else.');
      const named = await tx.selectFrom('users').select('id').where('id', '=', trustee).executeTakeFirst();
      if (named === undefined) throw notFound('User', trustee);
      const projectId = asked.project_id ?? null;
      if (projectId === null)
        throw badRequest('Invalid input for field project_id. A trust hands on roles on a project.');
      // With a token for a project, or of a credential, only that project can be handed on.
      const bound = fromTrust || actor.credentialId !== undefined;
      const held = await effectiveRoles(tx, actor.userId, 'project', projectId);
      if (bound ? projectOf(actor) !== projectId : held.length === 0) throw notFound('Project', projectId);
      const { used } = await tx
        .selectFrom('trusts')
        .select((eb) => eb.fn.countAll<number>().as('used'))
        .where('trustor_user_id', '=', trustor)
        .executeTakeFirstOrThrow();
      if (Number(used) >= MAX_A_USER)
        throw forbidden(`A user makes at most ${MAX_A_USER} trusts; delete one first.`);
      await requireWithin(tx, ctx, expiresAt);
      if (!fromTrust && (asked.redelegated_trust_id ?? null) !== null)
        throw forbidden('redelegated_trust_id needs the token of that trust.');
      const within: Within = fromTrust
        ? await handedOn(tx, ctx, asked, expiresAt)
        : {
            roles: JSON.stringify(
              chosen(
                actor.credentialId === undefined ? held : held.filter((role) => actor.roles.has(role.name)),
                asked.roles,
              ),
            ),
            expires_at: expiresAt,
            redelegation_count: depthOf(asked),
            redelegated_trust_id: null,
          };
      const row: TrustRow = {
        id: platform.ids.hex(),
        trustor_user_id: trustor,
        trustee_user_id: trustee,
        project_id: projectId,
        impersonation: Number(asked.impersonation),
        remaining_uses: asked.remaining_uses ?? null,
        ...within,
      };
      await tx.insertInto('trusts').values(row).execute();
      await audit(tx, ctx, 'trust', row.id);
      return row;
    },
    { locks: [`trusts:${actor.userId}`] },
  );
}

/** With all that were handed on from it. */
async function withDescendants(tx: Tx, id: string): Promise<string[]> {
  const out = [id];
  for (const parent of out)
    for (const row of await tx
      .selectFrom('trusts')
      .select('id')
      .where('redelegated_trust_id', '=', parent)
      .execute())
      out.push(row.id);
  return out;
}

export async function deleteTrust(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await tx.selectFrom('trusts').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || !isParty(ctx, row)) throw notFound('Trust', id);
    requireFree(ctx);
    if (!may(ctx.actor, ctx.action as PolicyName, { userId: row.trustor_user_id }))
      throw forbidden('Only admin or trustor can delete a trust.');
    const ids = await withDescendants(tx, id);
    await tx.deleteFrom('trusts').where('id', 'in', ids).execute();
    await identity.revocations.revoke(tx, ids.map(subjects.trust));
    await audit(tx, ctx, 'trust', id);
  }, revoking);
}

/** Those between whom the actor may look, as the filters say. */
export async function listTrusts(
  ctx: Ctx,
  asked: { trustor_user_id?: string; trustee_user_id?: string },
): Promise<TrustRow[]> {
  const sees = (userId: string): boolean => may(ctx.actor, 'identity:list_trusts', { userId });
  let rows = ctx.platform.db.read.selectFrom('trusts').selectAll().orderBy('id');
  const { trustor_user_id: trustor, trustee_user_id: trustee } = asked;
  if (trustor === undefined && trustee === undefined && !sees(''))
    throw forbidden(
      'You are not authorized to perform the requested action: identity:list_trusts. Ask for trustor_user_id or trustee_user_id with the own id.',
    );
  if (![trustor, trustee].some((userId) => userId !== undefined && sees(userId)) && !sees('')) return [];
  if (trustor !== undefined) rows = rows.where('trustor_user_id', '=', trustor);
  if (trustee !== undefined) rows = rows.where('trustee_user_id', '=', trustee);
  return (await rows.execute()).filter((row) => isLive(row, ctx.platform.clock.now()));
}
