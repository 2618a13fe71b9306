// Giving and taking roles: {users, groups} x {projects, domains, system}, and for the first two also what the
// projects below inherit (OS-INHERIT). All the same code.
import { audit } from '../../../kernel/audit.ts';
import { forbidden, notFound } from '../../../kernel/errors.ts';
import type { Call, Route } from '../../../kernel/http/route.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { domainFor } from '../domains/service.ts';
import { groupFor } from '../groups/service.ts';
import type { Identity, Rows } from '../identity.ts';
import { isDelegable, permit } from '../policy.ts';
import { projectFor } from '../projects/service.ts';
import { roleFor, roleView } from '../roles/service.ts';
import type { RoleRow } from '../roles/table.ts';
import { revoking } from '../tokens/revocations.ts';
import { userFor } from '../users/service.ts';
import { collection } from '../wire.ts';
import { lost } from './lost.ts';
import type { ActorKind, AssignmentRow, ScopeKind } from './table.ts';

type Place = Omit<AssignmentRow, 'role_id'> & {
  /** Of the scope; null for the system. */
  domainId: string | null;
};
type Params = Record<string, string>;

/** Scope and actor exist, are readable, and the verb is allowed on both. */
async function requirePlace(
  rows: Rows,
  ctx: Ctx,
  scopeKind: ScopeKind,
  actorKind: ActorKind,
  inherited: number,
  params: Params,
): Promise<Place> {
  const actorId = params[`${actorKind}_id`] ?? '';
  const scopeId = scopeKind === 'system' ? '' : (params[`${scopeKind}_id`] ?? '');
  let domainId: string | null = null;
  if (scopeKind === 'project') domainId = (await projectFor(rows, ctx, scopeId)).domain_id;
  if (scopeKind === 'domain') domainId = (await domainFor(rows, ctx, scopeId)).id;
  if (domainId !== null) permit(ctx, { domainId });
  const actor = actorKind === 'user' ? await userFor(rows, ctx, actorId) : await groupFor(rows, ctx, actorId);
  permit(ctx, { domainId: actor.domain_id });
  return {
    actor_kind: actorKind,
    actor_id: actorId,
    scope_kind: scopeKind,
    scope_id: scopeId,
    inherited,
    domainId,
  };
}

/** The role exists, is one that the actor may give and take, and one for this scope. */
async function requireRole(rows: Rows, ctx: Ctx, place: Place, roleId: string): Promise<RoleRow> {
  const role = await roleFor(rows, ctx, roleId);
  if (!isAdmin(ctx.actor) && !isDelegable(role))
    throw forbidden(
      `Role ${role.name} can be given and taken by operators only; the manager of a domain has manager, member, reader.`,
    );
  if (role.domain_id !== '' && role.domain_id !== place.domainId)
    throw forbidden(
      `Role ${role.name} belongs to domain ${role.domain_id}: it can be held only there and on the projects in it.`,
    );
  return role;
}

const rolesAt = (rows: Rows, place: Place) =>
  rows
    .selectFrom('role_assignments')
    .innerJoin('roles', 'roles.id', 'role_assignments.role_id')
    .selectAll('roles')
    .where('actor_kind', '=', place.actor_kind)
    .where('actor_id', '=', place.actor_id)
    .where('scope_kind', '=', place.scope_kind)
    .where('scope_id', '=', place.scope_id)
    .where('inherited', '=', place.inherited)
    .orderBy('roles.name_key');

async function give(ctx: Ctx, placeIn: (rows: Rows) => Promise<Place>, roleId: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const place = await placeIn(tx);
    await requireRole(tx, ctx, place, roleId);
    const { domainId: _, ...row } = place;
    await tx
      .insertInto('role_assignments')
      .values({ ...row, role_id: roleId })
      .onConflict((oc) => oc.doNothing())
      .execute();
    await audit(tx, ctx, place.actor_kind, place.actor_id);
  });
}

async function take(
  identity: Identity,
  ctx: Ctx,
  placeIn: (rows: Rows) => Promise<Place>,
  roleId: string,
): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const place = await placeIn(tx);
    await requireRole(tx, ctx, place, roleId);
    const { numDeletedRows } = await tx
      .deleteFrom('role_assignments')
      .where('actor_kind', '=', place.actor_kind)
      .where('actor_id', '=', place.actor_id)
      .where('scope_kind', '=', place.scope_kind)
      .where('scope_id', '=', place.scope_id)
      .where('inherited', '=', place.inherited)
      .where('role_id', '=', roleId)
      .executeTakeFirstOrThrow();
    if (numDeletedRows === 0n)
      throw notFound('Role assignment', `of role ${roleId} to ${place.actor_kind} ${place.actor_id}`);
    const holders =
      place.actor_kind === 'user'
        ? [place.actor_id]
        : (
            await tx
              .selectFrom('group_members')
              .select('user_id')
              .where('group_id', '=', place.actor_id)
              .execute()
          ).map((row) => row.user_id);
    await identity.revocations.revoke(
      tx,
      holders.map((userId) => lost(userId, place)),
    );
    await audit(tx, ctx, place.actor_kind, place.actor_id);
  }, revoking);
}

function routesFor(
  identity: Identity,
  scopeKind: ScopeKind,
  actorKind: ActorKind,
  inherited: 0 | 1,
): Route[] {
  const scopePath =
    scopeKind === 'system'
      ? '/v3/system'
      : `/v3${inherited === 1 ? '/OS-INHERIT' : ''}/${scopeKind}s/:${scopeKind}_id`;
  const rolesPath = `${scopePath}/${actorKind}s/:${actorKind}_id/roles`;
  const tail = inherited === 1 ? '/inherited_to_projects' : '';
  const ids = {
    ...(scopeKind === 'system' ? {} : { [`${scopeKind}_id`]: scopeKind }),
    [`${actorKind}_id`]: actorKind,
  };
  const onOne = { path: `${rolesPath}/:role_id${tail}`, ids: { ...ids, role_id: 'role' }, status: 204 };
  const verb = (name: 'check' | 'create' | 'revoke'): string =>
    scopeKind === 'system' ? `identity:${name}_system_grant` : `identity:${name}_grant`;
  const what = `of a ${actorKind} on ${scopeKind === 'system' ? 'the system' : `${inherited === 1 ? 'the projects below a' : 'a'} ${scopeKind}`}`;
  const placeOf = (ctx: Ctx, params: Params) => (rows: Rows) =>
    requirePlace(rows, ctx, scopeKind, actorKind, inherited, params);
  const done =
    (work: (call: Call<Params, Record<string, unknown>, unknown>) => Promise<void>): Route['handler'] =>
    async (call) => {
      await work(call);
      return {};
    };
  const check = done(async ({ ctx, params }) => {
    const place = await placeOf(ctx, params)(ctx.platform.db.read);
    const role = await roleFor(ctx.platform.db.read, ctx, params['role_id'] ?? '');
    const held = await rolesAt(ctx.platform.db.read, place)
      .where('roles.id', '=', role.id)
      .executeTakeFirst();
    if (held === undefined)
      throw notFound('Role assignment', `of role ${role.id} to ${place.actor_kind} ${place.actor_id}`);
  });
  return [
    {
      method: 'GET',
      path: `${rolesPath}${tail}`,
      ids,
      policy: scopeKind === 'system' ? 'identity:list_system_grants' : 'identity:list_grants',
      summary: `List the roles ${what}`,
      async handler({ ctx, params }) {
        const place = await placeOf(ctx, params)(ctx.platform.db.read);
        const path = `${rolesPath}${tail}`.replace(/:([a-z_]+)/g, (_, name: string) => params[name] ?? '');
        return collection(ctx, path, 'roles', await rolesAt(ctx.platform.db.read, place).execute(), roleView);
      },
    },
    { ...onOne, method: 'GET', policy: verb('check'), summary: `Check a role ${what}`, handler: check },
    { ...onOne, method: 'HEAD', policy: verb('check'), summary: `Check a role ${what}`, handler: check },
    {
      ...onOne,
      method: 'PUT',
      policy: verb('create'),
      summary: `Give a role ${what}`,
      handler: done(({ ctx, params }) => give(ctx, placeOf(ctx, params), params['role_id'] ?? '')),
    },
    {
      ...onOne,
      method: 'DELETE',
      policy: verb('revoke'),
      summary: `Take a role ${what}`,
      handler: done(({ ctx, params }) => take(identity, ctx, placeOf(ctx, params), params['role_id'] ?? '')),
    },
  ];
}

export const grantRoutes = (identity: Identity): Route[] =>
  (['user', 'group'] as const).flatMap((actor) => [
    ...(['project', 'domain', 'system'] as const).flatMap((scope) => routesFor(identity, scope, actor, 0)),
    ...(['project', 'domain'] as const).flatMap((scope) => routesFor(identity, scope, actor, 1)),
  ]);
