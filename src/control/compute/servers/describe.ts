// What users say about a server: name, description, host name, metadata, tags. Changes reach the host's
// metadata service through the server's item.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canonicalIpv6, checkHostname } from './boot-request.ts';
import { refuseLocked } from './lifecycle.ts';
import { MAX_TAGS, type UpdateBody } from './schema.ts';
import { findServer, saveServer } from './store.ts';
import type { ServerRow } from './table.ts';

async function change<T>(
  ctx: Ctx,
  serverId: string,
  apply: (tx: Tx, row: ServerRow) => Promise<T>,
): Promise<T> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    const result = await apply(tx, row);
    await audit(tx, ctx, 'server', row.id);
    return result;
  });
}

export const updateServer = (ctx: Ctx, serverId: string, asked: UpdateBody['server']): Promise<ServerRow> =>
  change(ctx, serverId, async (tx, row) => {
    const changes: Partial<ServerRow> = {};
    if (asked.name !== undefined) changes.name = asked.name;
    if (asked.description !== undefined) changes.description = asked.description;
    if (asked.hostname !== undefined) changes.hostname = checkHostname(asked.hostname, ctx.microversion);
    if (asked.accessIPv4 !== undefined) changes.access_ipv4 = asked.accessIPv4;
    if (asked.accessIPv6 !== undefined) changes.access_ipv6 = canonicalIpv6(asked.accessIPv6);
    if (asked['OS-DCF:diskConfig'] !== undefined) changes.disk_config = asked['OS-DCF:diskConfig'];
    if (Object.keys(changes).length === 0) return row;
    await ctx.platform.work.enqueue(tx, 'server', [row.id]);
    return saveServer(tx, row, changes, ctx.platform.clock.now());
  });

export type Metadata = Record<string, string>;
export const metadataOf = (row: Pick<ServerRow, 'metadata'>): Metadata =>
  JSON.parse(row.metadata) as Metadata;

const changeMetadata = (
  ctx: Ctx,
  serverId: string,
  apply: (before: Metadata) => Metadata,
): Promise<Metadata> =>
  change(ctx, serverId, async (tx, row) => {
    refuseLocked(ctx, row);
    const after = apply(metadataOf(row));
    const limit = (await ctx.platform.quotas.limits(tx, row.project_id))['metadata_items'] ?? 128;
    const items = Object.keys(after).length;
    if (limit >= 0 && items > limit && items > Object.keys(metadataOf(row)).length)
      throw forbidden(`Maximum number of metadata items exceeds ${limit}: this makes ${items}.`, 'OverQuota');
    await saveServer(tx, row, { metadata: JSON.stringify(after) }, ctx.platform.clock.now());
    await ctx.platform.work.enqueue(tx, 'server', [row.id]);
    return after;
  });

export const mergeMetadata = (ctx: Ctx, serverId: string, added: Metadata): Promise<Metadata> =>
  changeMetadata(ctx, serverId, (before) => ({ ...before, ...added }));
export const replaceMetadata = (ctx: Ctx, serverId: string, metadata: Metadata): Promise<Metadata> =>
  changeMetadata(ctx, serverId, () => metadata);
export const deleteMetadata = (ctx: Ctx, serverId: string, key: string): Promise<Metadata> =>
  changeMetadata(ctx, serverId, (before) => {
    if (!Object.hasOwn(before, key)) throw notFound('Metadata item', key);
    const { [key]: _gone, ...rest } = before;
    return rest;
  });

export const tagsOf = (row: Pick<ServerRow, 'tags'>): string[] => JSON.parse(row.tags) as string[];

export const changeTags = (
  ctx: Ctx,
  serverId: string,
  apply: (before: string[]) => string[],
): Promise<string[]> =>
  change(ctx, serverId, async (tx, row) => {
    const before = tagsOf(row);
    const after = [...new Set(apply(before))].sort();
    if (after.length > MAX_TAGS)
      throw badRequest(
        `The number of tags exceeded the per-server limit ${MAX_TAGS}: this makes ${after.length}.`,
      );
    const gone = before.filter((tag) => !after.includes(tag));
    const added = after.filter((tag) => !before.includes(tag));
    if (gone.length > 0)
      await tx.deleteFrom('server_tags').where('server_id', '=', row.id).where('tag', 'in', gone).execute();
    if (added.length > 0)
      await tx
        .insertInto('server_tags')
        .values(added.map((tag) => ({ server_id: row.id, tag })))
        .execute();
    if (gone.length > 0 || added.length > 0)
      await saveServer(tx, row, { tags: JSON.stringify(after) }, ctx.platform.clock.now());
    return after;
  });
