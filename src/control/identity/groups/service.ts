// The verbs on groups and their members.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict } from '../../../kernel/schema.ts';
import { lost } from '../assignments/lost.ts';
import { requireReach } from '../assignments/reach.ts';
import { domainFor, domainOfToken } from '../domains/service.ts';
import type { Identity, Rows } from '../identity.ts';
import { permit, requireReadable } from '../policy.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import { userFor } from '../users/service.ts';
import { extraOf, extraView, keyOf, nameOf, open, requireSameId, uniquely, urlOf } from '../wire.ts';
import type { GroupRow } from './table.ts';

const optional = {
  domain_id: Type.Optional(nullable(idOf('domain'))),
  description: Type.Optional(nullable(prose(4000))),
};
const create = open({ ...optional, name: nameOf(64) });
export const createGroupBody = strict({ group: create });
const update = open({ ...optional, name: Type.Optional(nameOf(64)) });
export const updateGroupBody = strict({ group: update });

export const groupView = (platform: Platform, row: GroupRow): object => ({
  ...extraView(row),
  id: row.id,
  name: row.name,
  domain_id: row.domain_id,
  description: row.description,
  links: { self: urlOf(platform, `/v3/groups/${row.id}`) },
});

/** The row, if the actor may read it: 404 otherwise. */
export async function groupFor(rows: Rows, ctx: Ctx, id: string): Promise<GroupRow> {
  const row = await rows.selectFrom('groups').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Group', id);
  requireReadable(ctx, 'identity:get_group', { domainId: row.domain_id }, 'Group', id);
  return row;
}

export async function createGroup(
  ctx: Ctx,
  { group: body }: Static<typeof createGroupBody>,
): Promise<GroupRow> {
  const domainId = body.domain_id ?? domainOfToken(ctx);
  const row: GroupRow = {
    id: ctx.platform.ids.hex(),
    domain_id: domainId,
    name: body.name,
    name_key: keyOf(body.name),
    description: body.description ?? '',
    extra: extraOf(body, create),
  };
  const work = ctx.platform.db.tx(async (tx) => {
    await domainFor(tx, ctx, domainId);
    permit(ctx, { domainId });
    await tx.insertInto('groups').values(row).execute();
    await audit(tx, ctx, 'group', row.id);
    return row;
  });
  return uniquely('group', body.name, work);
}

export async function updateGroup(
  ctx: Ctx,
  id: string,
  { group: body }: Static<typeof updateGroupBody>,
): Promise<GroupRow> {
  const work = ctx.platform.db.tx(async (tx) => {
    const row = await groupFor(tx, ctx, id);
    permit(ctx, { domainId: row.domain_id });
    requireSameId(body, id);
    if ((body.domain_id ?? row.domain_id) !== row.domain_id)
      throw badRequest('Invalid input for field domain_id. The domain of a group cannot be changed.');
    const changed: GroupRow = {
      ...row,
      name: body.name ?? row.name,
      name_key: keyOf(body.name ?? row.name),
      description: body.description === undefined ? row.description : (body.description ?? ''),
      extra: extraOf(body, update, row.extra),
    };
    await tx.updateTable('groups').set(changed).where('id', '=', id).execute();
    await audit(tx, ctx, 'group', id);
    return changed;
  });
  return uniquely('group', body.name ?? '', work);
}

export async function deleteGroup(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await groupFor(tx, ctx, id);
    permit(ctx, { domainId: row.domain_id });
    await requireReach(tx, ctx, 'group', id);
    const members = await tx
      .selectFrom('group_members')
      .select('user_id')
      .where('group_id', '=', id)
      .execute();
    const { numDeletedRows } = await tx
      .deleteFrom('role_assignments')
      .where('actor_kind', '=', 'group')
      .where('actor_id', '=', id)
      .executeTakeFirstOrThrow();
    await tx.deleteFrom('group_members').where('group_id', '=', id).execute();
    await tx.deleteFrom('groups').where('id', '=', id).execute();
    if (numDeletedRows > 0n)
      await identity.revocations.revoke(
        tx,
        members.map((member) => subjects.user(member.user_id)),
      );
    await audit(tx, ctx, 'group', id);
  }, revoking);
}

/** Both, readable and of the actor's domain; the group within the actor's reach. */
async function membership(rows: Rows, ctx: Ctx, groupId: string, userId: string): Promise<void> {
  const group = await groupFor(rows, ctx, groupId);
  const user = await userFor(rows, ctx, userId);
  permit(ctx, { domainId: group.domain_id });
  permit(ctx, { domainId: user.domain_id });
}

export async function addMember(ctx: Ctx, groupId: string, userId: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    await membership(tx, ctx, groupId, userId);
    await requireReach(tx, ctx, 'group', groupId);
    await tx
      .insertInto('group_members')
      .values({ group_id: groupId, user_id: userId })
      .onConflict((oc) => oc.doNothing())
      .execute();
    await audit(tx, ctx, 'group', groupId);
  });
}

export async function removeMember(
  identity: Identity,
  ctx: Ctx,
  groupId: string,
  userId: string,
): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    await membership(tx, ctx, groupId, userId);
    await requireReach(tx, ctx, 'group', groupId);
    const { numDeletedRows } = await tx
      .deleteFrom('group_members')
      .where('group_id', '=', groupId)
      .where('user_id', '=', userId)
      .executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) throw notFound('User', `${userId} in group ${groupId}`);
    const held = await tx
      .selectFrom('role_assignments')
      .selectAll()
      .where('actor_kind', '=', 'group')
      .where('actor_id', '=', groupId)
      .execute();
    await identity.revocations.revoke(
      tx,
      held.map((row) => lost(userId, row)),
    );
    await audit(tx, ctx, 'group', groupId);
  }, revoking);
}

export async function requireMember(ctx: Ctx, groupId: string, userId: string): Promise<void> {
  const { read } = ctx.platform.db;
  await membership(read, ctx, groupId, userId);
  const row = await read
    .selectFrom('group_members')
    .select('user_id')
    .where('group_id', '=', groupId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  if (row === undefined) throw notFound('User', `${userId} in group ${groupId}`);
}
