// The verbs of images, one transaction each. Content is handled in content.ts beside.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { checker } from '../../../kernel/schema.ts';
import { ownImage, readImage } from './access.ts';
import { requireWithin } from './limits.ts';
import { applyPatch, type Attributes, type PatchBody } from './patch.ts';
import type { Visibility } from './table.ts';
import {
  CreateImage,
  imageView,
  isReserved,
  propertyName,
  READ_ONLY,
  reserved,
  STANDARD,
  type ImageRow,
} from './wire.ts';
import type { Static } from 'typebox';

export const WORK_CONTENT = 'image-content';

function columnsOf(
  ctx: Ctx,
  attributes: Attributes,
  before: Visibility | null,
): Pick<
  ImageRow,
  | 'name'
  | 'disk_format'
  | 'container_format'
  | 'visibility'
  | 'min_ram'
  | 'min_disk'
  | 'is_protected'
  | 'is_hidden'
  | 'tags'
  | 'properties'
> {
  const body = checkAttributes(attributes, 0, 'body');
  const visibility = (body.visibility ?? 'shared') as Visibility;
  if (visibility === 'public' && before !== 'public' && !isAdmin(ctx.actor))
    throw forbidden('Policy does not allow publicize_image: only operators make images public.');
  const custom = Object.entries(attributes).filter(([name]) => !STANDARD.has(name));
  for (const [name] of custom)
    if (!propertyName.test(name))
      throw badRequest(
        `Invalid input for property name. Value: ${name.slice(0, 100)}. It must consist of letters, digits, '_', ':', '.' and '-'.`,
      );
  return {
    name: body.name ?? '',
    disk_format: body.disk_format ?? '',
    container_format: body.container_format ?? '',
    visibility,
    min_ram: body.min_ram ?? 0,
    min_disk: body.min_disk ?? 0,
    is_protected: body.protected === true ? 1 : 0,
    is_hidden: body.os_hidden === true ? 1 : 0,
    tags: JSON.stringify([...new Set(body.tags ?? [])]),
    properties: JSON.stringify(
      Object.fromEntries(custom.flatMap(([name, value]) => (value === null ? [] : [[name, value]]))),
    ),
  };
}
const checkAttributes = checker(CreateImage);

function ownerFor(ctx: Ctx, asked: string | null | undefined): string {
  const own = projectOf(ctx.actor);
  if (asked !== undefined && asked !== null && asked !== own && !isAdmin(ctx.actor))
    throw forbidden('Policy does not allow owner to be another project.');
  const owner = asked ?? own;
  if (owner === '')
    throw badRequest('An image belongs to a project: send a token that is scoped to one, or name the owner.');
  return owner;
}

/** What a new image begins with, whoever makes it. */
export const newImage = (now: number) =>
  ({
    status: 'queued',
    size: null,
    virtual_size: null,
    checksum: null,
    hash: null,
    boot_hash: null,
    boot_size: null,
    stage_size: null,
    failed_import: '',
    lease_until: 0,
    created_at: now,
    updated_at: now,
  }) as const;

export async function createImage(ctx: Ctx, body: CreateImage): Promise<ImageRow> {
  for (const name of Object.keys(body))
    if (READ_ONLY.has(name) && name !== 'id') throw forbidden(`Attribute '${name}' is read-only.`);
    else if (isReserved(name)) throw forbidden(reserved(name));
  const now = ctx.platform.clock.now();
  const row: ImageRow = {
    id: body.id ?? ctx.platform.ids.uuid(),
    ...columnsOf(ctx, body, null),
    owner: ownerFor(ctx, body.owner),
    ...newImage(now),
  };
  await ctx.platform.db.tx(async (tx) => {
    const taken = await tx.selectFrom('images').select('id').where('id', '=', row.id).executeTakeFirst();
    if (taken !== undefined) throw conflict(`Image ID ${row.id} already exists.`);
    await tx.insertInto('images').values(row).execute();
    await requireWithin(ctx.platform, tx, row.owner, ['image_count_total']);
    await audit(tx, ctx, 'image', row.id);
  });
  return row;
}

export async function updateImage(ctx: Ctx, id: string, patch: Static<typeof PatchBody>): Promise<ImageRow> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await ownImage(tx, ctx, id);
    const before = Object.fromEntries(
      Object.entries(imageView(row)).filter(([name]) => !READ_ONLY.has(name) && !isReserved(name)),
    );
    const after = applyPatch(before, patch);
    const columns = columnsOf(ctx, after, row.visibility);
    if (
      row.status !== 'queued' &&
      (columns.disk_format !== row.disk_format || columns.container_format !== row.container_format)
    )
      throw forbidden(
        `Attributes disk_format and container_format can only be replaced for a queued image; image ${id} is ${row.status}.`,
      );
    const next: ImageRow = {
      ...row,
      ...columns,
      owner: ownerFor(ctx, (after['owner'] ?? row.owner) as string),
      updated_at: ctx.platform.clock.now(),
    };
    await tx.updateTable('images').set(next).where('id', '=', id).execute();
    if (next.owner !== row.owner)
      await requireWithin(ctx.platform, tx, next.owner, ['image_count_total', 'image_size_total']);
    await audit(tx, ctx, 'image', id);
    return next;
  });
}

/** As a patch of the custom properties, for services that hand them on under another name. */
export async function changeProperties(
  ctx: Ctx,
  id: string,
  after: (before: Record<string, string>) => Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const propertiesOf = (row: ImageRow) => JSON.parse(row.properties) as Record<string, string>;
  const before = propertiesOf(await readImage(ctx.platform.db.read, ctx, id));
  const next = after(before);
  const patch = [
    ...Object.keys(before)
      .filter((name) => !Object.hasOwn(next, name))
      .map((name) => ({ op: 'remove' as const, path: `/${name}` })),
    ...Object.entries(next)
      .filter(([name, value]) => before[name] !== value)
      .map(([name, value]) => {
        if (STANDARD.has(name))
          throw badRequest(`Invalid input for metadata. ${name} is an attribute of the image itself.`);
        return { op: 'add' as const, path: `/${name}`, value };
      }),
  ];
  return propertiesOf(await updateImage(ctx, id, patch));
}

export async function setTag(ctx: Ctx, id: string, tag: string, present: boolean): Promise<void> {
  if (tag.length > 255) throw badRequest('Invalid input for tag. It must have at most 255 characters.');
  await ctx.platform.db.tx(async (tx) => {
    const row = await ownImage(tx, ctx, id);
    const tags = new Set(JSON.parse(row.tags) as string[]);
    if (!present && !tags.has(tag)) throw notFound('Tag', tag);
    if (present) tags.add(tag);
    else tags.delete(tag);
    if (tags.size > 128) throw badRequest('An image has at most 128 tags.');
    await tx
      .updateTable('images')
      .set({ tags: JSON.stringify([...tags]), updated_at: ctx.platform.clock.now() })
      .where('id', '=', id)
      .execute();
    await audit(tx, ctx, 'image', id);
  });
}

export async function deleteImage(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await ownImage(tx, ctx, id);
    if (row.is_protected === 1)
      throw forbidden(`Image ${id} is protected and cannot be deleted. Set protected to false first.`);
    await tx.deleteFrom('images').where('id', '=', id).execute();
    await tx.deleteFrom('image_members').where('image_id', '=', id).execute();
    await ctx.platform.work.enqueue(tx, WORK_CONTENT, [id]);
    await audit(tx, ctx, 'image', id);
  });
}

export async function setActive(ctx: Ctx, id: string, active: boolean): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await ownImage(tx, ctx, id);
    if (row.status !== 'active' && row.status !== 'deactivated')
      throw forbidden(
        `Not allowed to ${active ? 'reactivate' : 'deactivate'} image ${id} in status '${row.status}'.`,
      );
    await tx
      .updateTable('images')
      .set({ status: active ? 'active' : 'deactivated', updated_at: ctx.platform.clock.now() })
      .where('id', '=', id)
      .execute();
    await audit(tx, ctx, 'image', id);
  });
}

/** Only where its status is still `from`, and its content is received under that lease; false: somebody was faster. */
export async function moveStatus(
  tx: Tx,
  id: string,
  from: ImageRow['status'],
  set: Partial<ImageRow>,
  lease = 0,
): Promise<boolean> {
  const moved = await tx
    .updateTable('images')
    .set(set)
    .where('id', '=', id)
    .where('status', '=', from)
    .where('lease_until', '=', lease)
    .executeTakeFirst();
  return moved.numUpdatedRows === 1n;
}
