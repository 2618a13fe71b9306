// The verbs of image members. The owner says with whom an image is shared; each member says for itself whether the
// image shows in its lists.
import { audit } from '../../../kernel/audit.ts';
import type { Tables } from '../../../kernel/db/index.ts';
import { CloudError, conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, isAdmin, projectOf } from '../../../kernel/policy.ts';
import { ownImage, readImage, type Db } from '../images/access.ts';
import type { ImageRow } from '../images/wire.ts';
import type { MemberStatus } from './table.ts';

export type MemberRow = Tables['image_members'];

/** Projects that one image may be shared with, as Glance's image_member_quota. */
export const MAX_MEMBERS = 128;

const membersOf = (db: Db, imageId: string): Promise<MemberRow[]> =>
  db.selectFrom('image_members').selectAll().where('image_id', '=', imageId).orderBy('member_id').execute();

function requireShared(row: ImageRow): void {
  if (row.visibility !== 'shared')
    throw forbidden(`Only shared images have members; image ${row.id} is ${row.visibility}.`);
}

/** The owner sees all members, a member sees itself; to anybody else the members of an image are not there. */
export async function listMembers(ctx: Ctx, imageId: string): Promise<MemberRow[]> {
  const { read } = ctx.platform.db;
  const row = await readImage(read, ctx, imageId);
  const all = await membersOf(read, imageId);
  const seen = canSee(ctx.actor, row.owner)
    ? all
    : all.filter((member) => member.member_id === projectOf(ctx.actor));
  if (!canSee(ctx.actor, row.owner) && seen.length === 0) throw notFound('Image', imageId);
  return seen;
}

export async function readMember(ctx: Ctx, imageId: string, memberId: string): Promise<MemberRow> {
  const found = (await listMembers(ctx, imageId)).find((member) => member.member_id === memberId);
  if (found === undefined) throw notFound('Member', memberId);
  return found;
}

export async function addMember(ctx: Ctx, imageId: string, memberId: string): Promise<MemberRow> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await ownImage(tx, ctx, imageId);
    requireShared(row);
    const members = await membersOf(tx, imageId);
    if (members.some((member) => member.member_id === memberId))
      throw conflict(`Image ${imageId} is already shared with member ${memberId}.`);
    if (members.length >= MAX_MEMBERS)
      throw new CloudError(
        413,
        'ImageMemberLimitExceeded',
        `Image ${imageId} is shared with ${members.length} projects; it can be with ${MAX_MEMBERS} at most.`,
      );
    const now = ctx.platform.clock.now();
    const member: MemberRow = {
      image_id: imageId,
      member_id: memberId,
      status: 'pending',
      created_at: now,
      updated_at: now,
    };
    await tx.insertInto('image_members').values(member).execute();
    await audit(tx, ctx, 'image', imageId);
    return member;
  });
}

export async function setMemberStatus(
  ctx: Ctx,
  imageId: string,
  memberId: string,
  status: MemberStatus,
): Promise<MemberRow> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await readImage(tx, ctx, imageId);
    const mine = memberId === projectOf(ctx.actor) || isAdmin(ctx.actor);
    const members = await membersOf(tx, imageId);
    const found = members.find((member) => member.member_id === memberId);
    if (found === undefined || (!mine && !canSee(ctx.actor, row.owner))) throw notFound('Member', memberId);
    if (!mine) throw forbidden(`Only member ${memberId} itself says whether it accepts image ${imageId}.`);
    requireShared(row);
    const next: MemberRow = { ...found, status, updated_at: ctx.platform.clock.now() };
    await tx
      .updateTable('image_members')
      .set({ status: next.status, updated_at: next.updated_at })
      .where('image_id', '=', imageId)
      .where('member_id', '=', memberId)
      .execute();
    await audit(tx, ctx, 'image', imageId);
    return next;
  });
}

export async function removeMember(ctx: Ctx, imageId: string, memberId: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await ownImage(tx, ctx, imageId);
    const gone = await tx
      .deleteFrom('image_members')
      .where('image_id', '=', imageId)
      .where('member_id', '=', memberId)
      .executeTakeFirst();
    if (gone.numDeletedRows === 0n) throw notFound('Member', memberId);
    requireShared(row);
    await audit(tx, ctx, 'image', imageId);
  });
}
