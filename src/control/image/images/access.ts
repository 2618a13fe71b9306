// Who may see which image: what is public, of the project, of the community, or shared with it. Everything that reads
// an image by its id or lists images asks here.
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Reader, Tables } from '../../../kernel/db/index.ts';
import { forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, isAdmin, projectOf } from '../../../kernel/policy.ts';
import type { MemberStatus } from '../members/table.ts';
import type { ImageRow } from './wire.ts';

export type Db = Pick<Reader, 'selectFrom'>;

/** Whatever the membership's status: who was given an id may use the image before accepting it. */
async function isMember(db: Db, imageId: string, projectId: string): Promise<boolean> {
  if (projectId === '') return false;
  const found = await db
    .selectFrom('image_members')
    .select('image_id')
    .where('image_id', '=', imageId)
    .where('member_id', '=', projectId)
    .executeTakeFirst();
  return found !== undefined;
}

/** Throws 404 when it is not there or not for this actor to see. */
export async function readImage(db: Db, ctx: Ctx, id: string): Promise<ImageRow> {
  const row = await db.selectFrom('images').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Image', id);
  const seen =
    row.visibility === 'public' ||
    row.visibility === 'community' ||
    canSee(ctx.actor, row.owner) ||
    (row.visibility === 'shared' && (await isMember(db, id, projectOf(ctx.actor))));
  if (!seen) throw notFound('Image', id);
  return row;
}

/** As readImage, for verbs that change it: what one may see but not change is 403. */
export async function ownImage(db: Db, ctx: Ctx, id: string): Promise<ImageRow> {
  const row = await readImage(db, ctx, id);
  if (!canSee(ctx.actor, row.owner))
    throw forbidden(`Image ${id} belongs to another project; you may only read it.`);
  return row;
}

export type Listed = {
  /** undefined: all but the community's; 'all': those as well. */
  visibility?: string | undefined;
  /** Of the memberships by which a shared image is listed; 'all': whichever. */
  memberStatus?: MemberStatus | 'all' | undefined;
};

/** The condition for a list: an image of the community shows only where one asks for those. */
export const listable =
  (ctx: Ctx, { visibility, memberStatus = 'accepted' }: Listed = {}) =>
  (eb: ExpressionBuilder<Tables, 'images'>): Expression<SqlBool> => {
    const own = projectOf(ctx.actor);
    let memberships = eb.selectFrom('image_members').select('image_id').where('member_id', '=', own);
    if (memberStatus !== 'all') memberships = memberships.where('status', '=', memberStatus);
    return eb.or([
      eb('visibility', '=', 'public'),
      ...(visibility === 'community' || visibility === 'all' ? [eb('visibility', '=', 'community')] : []),
      ...(own === ''
        ? []
        : [eb('owner', '=', own), eb.and([eb('visibility', '=', 'shared'), eb('id', 'in', memberships)])]),
      ...(isAdmin(ctx.actor) ? [eb('visibility', '!=', 'community')] : []),
    ]);
  };

/** What the image lists of other services show: of the project, public, or shared with it and accepted. */
export const readableImages = (db: Db, ctx: Ctx) =>
  db
    .selectFrom('images')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('visibility', '=', 'public'),
        eb('owner', '=', projectOf(ctx.actor)),
        eb.and([
          eb('visibility', '=', 'shared'),
          eb(
            'id',
            'in',
            eb
              .selectFrom('image_members')
              .select('image_id')
              .where('member_id', '=', projectOf(ctx.actor))
              .where('status', '=', 'accepted'),
          ),
        ]),
      ]),
    )
    .where('is_hidden', '=', 0);
