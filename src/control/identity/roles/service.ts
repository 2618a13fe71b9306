// The verbs on roles: of the whole cloud, or of a domain. A domain's role is a name for the roles that it implies:
// it can be held, but stands in no token, so that no policy ever sees it.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict } from '../../../kernel/schema.ts';
import { domainFor } from '../domains/service.ts';
import type { Identity, Rows } from '../identity.ts';
import { may } from '../policy.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import {
  extraOf,
  extraView,
  immutableNow,
  keyOf,
  nameOf,
  objectOptions,
  open,
  optionsView,
  requireMutable,
  requireSameId,
  uniquely,
  urlOf,
} from '../wire.ts';
import type { RoleRow } from './table.ts';

const fields = {
  description: Type.Optional(nullable(prose(4000))),
  domain_id: Type.Optional(nullable(idOf('domain'))),
  options: objectOptions,
};
const create = open({ ...fields, name: nameOf(255) });
export const createRoleBody = strict({ role: create });
const update = open({ ...fields, name: Type.Optional(nameOf(255)) });
export const updateRoleBody = strict({ role: update });

export const roleView = (platform: Platform, row: RoleRow): object => ({
  ...extraView(row),
  id: row.id,
  name: row.name,
  domain_id: row.domain_id === '' ? null : row.domain_id,
  description: row.description,
  options: optionsView(row),
  links: { self: urlOf(platform, `/v3/roles/${row.id}`) },
});

/** The row, if the actor may read it: those of the cloud all who may list roles, those of a domain its people. */
export async function roleFor(rows: Rows, ctx: Ctx, id: string): Promise<RoleRow> {
  const row = await rows.selectFrom('roles').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !readable(ctx, row)) throw notFound('Role', id);
  return row;
}
const readable = (ctx: Ctx, row: RoleRow): boolean =>
  row.domain_id === '' || may(ctx.actor, 'identity:get_role', { domainId: row.domain_id });

export async function createRole(ctx: Ctx, { role: body }: Static<typeof createRoleBody>): Promise<RoleRow> {
  const row: RoleRow = {
    id: ctx.platform.ids.hex(),
    domain_id: body.domain_id ?? '',
    name: body.name,
    name_key: keyOf(body.name),
    description: body.description ?? '',
    immutable: immutableNow(body.options, 0),
    builtin: 0,
    extra: extraOf(body, create),
  };
  const work = ctx.platform.db.tx(async (tx) => {
    if (row.domain_id !== '') await domainFor(tx, ctx, row.domain_id);
    await tx.insertInto('roles').values(row).execute();
    await audit(tx, ctx, 'role', row.id);
    return row;
  });
  return uniquely('role', body.name, work);
}

export async function updateRole(
  ctx: Ctx,
  id: string,
  { role: body }: Static<typeof updateRoleBody>,
): Promise<RoleRow> {
  const work = ctx.platform.db.tx(async (tx) => {
    const row = await roleFor(tx, ctx, id);
    requireSameId(body, id);
    if (body.domain_id !== undefined && (body.domain_id ?? '') !== row.domain_id)
      throw badRequest('Invalid input for field domain_id. The domain of a role cannot be changed.');
    // What the policies rest on stays immutable whatever is asked for.
    requireMutable('role', row, row.builtin === 1 ? undefined : body.options);
    const changed: RoleRow = {
      ...row,
      name: body.name ?? row.name,
      name_key: keyOf(body.name ?? row.name),
      description: body.description === undefined ? row.description : (body.description ?? ''),
      immutable: immutableNow(body.options, row.immutable),
      extra: extraOf(body, update, row.extra),
    };
    await tx.updateTable('roles').set(changed).where('id', '=', id).execute();
    await audit(tx, ctx, 'role', id);
    return changed;
  });
  return uniquely('role', body.name ?? '', work);
}

export async function deleteRole(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    requireMutable('role', await roleFor(tx, ctx, id));
    const priors = await tx
      .selectFrom('implied_roles')
      .select('prior_id')
      .where('implied_id', '=', id)
      .execute();
    await tx.deleteFrom('role_assignments').where('role_id', '=', id).execute();
    await tx
      .deleteFrom('implied_roles')
      .where((eb) => eb.or([eb('prior_id', '=', id), eb('implied_id', '=', id)]))
      .execute();
    await tx.deleteFrom('roles').where('id', '=', id).execute();
    await identity.revocations.revoke(tx, [
      subjects.role(id),
      ...priors.map((row) => subjects.role(row.prior_id)),
    ]);
    await audit(tx, ctx, 'role', id);
  }, revoking);
}
