// The verbs on users. Passwords are hashed before the transaction begins, after the first look at whether
// the actor may do this at all.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import { forgetOrphans } from '../application-credentials/table.ts';
import { requireReach } from '../assignments/reach.ts';
import { domainFor, domainOfToken } from '../domains/service.ts';
import type { Identity, Rows } from '../identity.ts';
import { permit, requireReadable } from '../policy.ts';
import { projectFor } from '../projects/service.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import { provePassword } from '../tokens/proofs.ts';
import { extraOf, extraView, keyOf, nameOf, open, requireSameId, uniquely, urlOf } from '../wire.ts';
import { changedOptions, optionsOf, userOptions } from './options.ts';
import { expiryOf, requireChangeable, requireStrength } from './passwords.ts';
import type { UserRow } from './table.ts';

/** Characters of a password: scrypt takes any length, the request size does not. */
const password = Type.String({ minLength: 1, maxLength: 4096 });

const optional = {
  domain_id: Type.Optional(nullable(idOf('domain'))),
  default_project_id: Type.Optional(nullable(idOf('project'))),
  password: Type.Optional(nullable(password)),
  enabled: Type.Optional(Type.Boolean()),
  email: Type.Optional(nullable(text())),
  description: Type.Optional(nullable(prose(4000))),
  options: Type.Optional(userOptions),
};
const create = open({ ...optional, name: nameOf(255) });
export const createUserBody = strict({ user: create });
const update = open({ ...optional, name: Type.Optional(nameOf(255)) });
export const updateUserBody = strict({ user: update });
export const passwordBody = strict({ user: strict({ password, original_password: password }) });

export const userView = (platform: Platform, row: UserRow): object => ({
  ...extraView(row),
  id: row.id,
  name: row.name,
  domain_id: row.domain_id,
  enabled: row.enabled === 1,
  password_expires_at: row.password_expires_at === null ? null : isoMicros(row.password_expires_at),
  options: optionsOf(row),
  ...(row.email === null ? {} : { email: row.email }),
  ...(row.description === null ? {} : { description: row.description }),
  ...(row.default_project_id === null ? {} : { default_project_id: row.default_project_id }),
  links: { self: urlOf(platform, `/v3/users/${row.id}`) },
});

/** The row, if the actor may read it: 404 otherwise. */
export async function userFor(rows: Rows, ctx: Ctx, id: string): Promise<UserRow> {
  const row = await rows.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('User', id);
  requireReadable(ctx, 'identity:get_user', { userId: row.id, domainId: row.domain_id }, 'User', id);
  return row;
}

export async function createUser(
  identity: Identity,
  ctx: Ctx,
  { user: body }: Static<typeof createUserBody>,
): Promise<UserRow> {
  const domainId = body.domain_id ?? domainOfToken(ctx);
  await domainFor(ctx.platform.db.read, ctx, domainId);
  permit(ctx, { domainId });
  if (typeof body.password === 'string') requireStrength(identity.rules, body.password);
  const now = ctx.platform.clock.now();
  const options = changedOptions('{}', body.options);
  const row: UserRow = {
    id: ctx.platform.ids.hex(),
    domain_id: domainId,
    name: body.name,
    name_key: keyOf(body.name),
    password_hash:
      body.password === undefined || body.password === null
        ? null
        : await identity.passwords.hash(body.password),
    email: body.email ?? null,
    description: body.description ?? null,
    default_project_id: body.default_project_id ?? null,
    enabled: Number(body.enabled ?? true),
    failed_logins: 0,
    failed_at: 0,
    old_passwords: '[]',
    options,
    extra: extraOf(body, create),
    password_created_at: now,
    password_expires_at: expiryOf(identity.rules, { options }, now, 'operator'),
    password_by_self: 0,
    last_active_at: now,
  };
  const work = ctx.platform.db.tx(async (tx) => {
    await domainFor(tx, ctx, domainId);
    if (row.default_project_id !== null) await projectFor(tx, ctx, row.default_project_id);
    await tx.insertInto('users').values(row).execute();
    await audit(tx, ctx, 'user', row.id);
    return row;
  });
  return uniquely('user', body.name, work);
}

async function changeable(rows: Rows, ctx: Ctx, id: string): Promise<UserRow> {
  const row = await userFor(rows, ctx, id);
  permit(ctx, { domainId: row.domain_id });
  await requireReach(rows, ctx, 'user', id);
  return row;
}

export async function updateUser(
  identity: Identity,
  ctx: Ctx,
  id: string,
  { user: body }: Static<typeof updateUserBody>,
): Promise<UserRow> {
  await changeable(ctx.platform.db.read, ctx, id);
  requireSameId(body, id);
  if (typeof body.password === 'string') requireStrength(identity.rules, body.password);
  const now = ctx.platform.clock.now();
  const newHash =
    body.password === undefined || body.password === null
      ? body.password
      : await identity.passwords.hash(body.password);
  const work = ctx.platform.db.tx(async (tx) => {
    const row = await changeable(tx, ctx, id);
    if ((body.domain_id ?? row.domain_id) !== row.domain_id)
      throw badRequest('Invalid input for field domain_id. The domain of a user cannot be changed.');
    const projectId =
      body.default_project_id === undefined ? row.default_project_id : body.default_project_id;
    if (projectId !== null && projectId !== row.default_project_id) await projectFor(tx, ctx, projectId);
    const options = changedOptions(row.options, body.options);
    const changed: UserRow = {
      ...row,
      ...(newHash === undefined
        ? {}
        : {
            password_created_at: now,
            password_expires_at: expiryOf(identity.rules, { options }, now, 'operator'),
            password_by_self: 0,
            old_passwords: remember(identity, row),
          }),
      options,
      extra: extraOf(body, update, row.extra),
      name: body.name ?? row.name,
      name_key: keyOf(body.name ?? row.name),
      password_hash: newHash === undefined ? row.password_hash : newHash,
      email: body.email === undefined ? row.email : body.email,
      description: body.description === undefined ? row.description : body.description,
      default_project_id: projectId,
      enabled: Number(body.enabled ?? row.enabled === 1),
      // An operator who sets the password or enables the user lifts the lock.
      failed_logins: newHash !== undefined || body.enabled === true ? 0 : row.failed_logins,
      last_active_at: body.enabled === true ? now : row.last_active_at,
    };
    await tx.updateTable('users').set(changed).where('id', '=', id).execute();
    if (newHash !== undefined || (row.enabled === 1 && changed.enabled === 0))
      await identity.revocations.revoke(tx, [subjects.user(id)]);
    await audit(tx, ctx, 'user', id);
    return changed;
  }, revoking);
  return uniquely('user', body.name ?? '', work);
}

export async function deleteUser(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    await changeable(tx, ctx, id);
    await tx.deleteFrom('group_members').where('user_id', '=', id).execute();
    await tx
      .deleteFrom('role_assignments')
      .where('actor_kind', '=', 'user')
      .where('actor_id', '=', id)
      .execute();
    await tx.deleteFrom('users').where('id', '=', id).execute();
    await forgetOrphans(tx);
    await identity.revocations.revoke(tx, [subjects.user(id)]);
    await audit(tx, ctx, 'user', id);
  }, revoking);
}

/** What the user may not go back to once the present password is another one. */
const remember = (identity: Identity, row: UserRow): string =>
  JSON.stringify(
    [row.password_hash, ...(JSON.parse(row.old_passwords) as string[])]
      .filter((hash) => hash !== null)
      .slice(0, Math.max(0, identity.rules.uniqueLast - 1)),
  );

/**
 * By the user, who proves to know the old password: that is the proof of who it is, so that an expired password can be
 * changed without a token. All tokens of the user end.
 */
export async function changePassword(
  identity: Identity,
  ctx: Ctx,
  address: string,
  id: string,
  { user: body }: Static<typeof passwordBody>,
): Promise<void> {
  const before = await provePassword(identity, ctx.platform, address, {
    id,
    password: body.original_password,
  });
  const now = ctx.platform.clock.now();
  await requireChangeable(identity.rules, identity.passwords, before, body.password, now);
  const password_hash = await identity.passwords.hash(body.password);
  await ctx.platform.db.tx(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set({
        password_hash,
        old_passwords: remember(identity, before),
        password_created_at: now,
        password_expires_at: expiryOf(identity.rules, before, now, 'user'),
        password_by_self: 1,
      })
      .where('id', '=', id)
      .where('password_hash', '=', before.password_hash)
      .where('enabled', '=', 1)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n)
      throw conflict('The password was changed by somebody else at the same time; nothing was changed here.');
    await identity.revocations.revoke(tx, [subjects.user(id)]);
    await audit(tx, { ...ctx, actor: { ...ctx.actor, userId: id } }, 'user', id);
  }, revoking);
}
