// Transfers: a volume is offered under a key and goes, with its snapshots, to whoever brings the key.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Migration, Tx } from '../../../kernel/db/index.ts';
import { badRequest, forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, isAdmin, projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import { invalidVolume } from '../attachments/service.ts';
import { claimQuota } from '../quota-errors.ts';
import { linksOf, stamp } from '../routing.ts';
import { flag, isSet, pageQuery } from '../volumes/schema.ts';
import { attachmentsOf, findVolume, saveVolume } from '../volumes/store.ts';
import type { Db } from '../volumes/table.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    volume_transfers: TransferRow;
  }
}

type TransferRow = {
  id: string;
  volume_id: string;
  name: string | null;
  /** Who offers it. */
  project_id: string;
  destination_project_id: string | null;
  salt: string;
  /** sha512 of salt and key, hex. */
  hash: string;
  no_snapshots: number;
  accepted: number;
  created_at: number;
};

export const transferMigrations: Migration[] = [
  {
    id: 'volume-0005-transfers',
    async up(db) {
      let table = db.schema.createTable('volume_transfers').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of ['volume_id', 'project_id', 'salt', 'hash'])
        table = table.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['no_snapshots', 'accepted', 'created_at'])
        table = table.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of ['name', 'destination_project_id']) table = table.addColumn(column, 'text');
      await table.execute();
      await db.schema
        .createIndex('volume_transfers_volume')
        .on('volume_transfers')
        .column('volume_id')
        .execute();
    },
  },
];

const hashOf = (salt: string, key: string): Buffer => createHash('sha512').update(salt).update(key).digest();

async function findTransfer(db: Db, ctx: Ctx, id: string, mayAccept = false): Promise<TransferRow> {
  const row = await db
    .selectFrom('volume_transfers')
    .selectAll()
    .where('id', '=', id)
    .where('accepted', '=', 0)
    .executeTakeFirst();
  // Whoever has the key may take it, so its id alone says nothing.
  if (row === undefined || (!mayAccept && !canSee(ctx.actor, row.project_id))) throw notFound('Transfer', id);
  return row;
}

const brief = (ctx: Ctx, row: TransferRow) => ({
  id: row.id,
  volume_id: row.volume_id,
  name: row.name,
  links: linksOf(ctx, 'os-volume-transfer', row.id),
});
const view = (ctx: Ctx, row: TransferRow) => ({
  ...brief(ctx, row),
  created_at: stamp(row.created_at),
  ...(ctx.microversion >= 55 ? { no_snapshots: row.no_snapshots === 1 } : {}),
  ...(ctx.microversion >= 57
    ? {
        source_project_id: row.project_id,
        destination_project_id: row.destination_project_id,
        accepted: row.accepted === 1,
      }
    : {}),
});

async function offer(
  ctx: Ctx,
  asked: { volumeId: string; name: string | null; noSnapshots: boolean },
): Promise<object> {
  const { platform } = ctx;
  const key = randomBytes(8).toString('hex');
  const salt = randomBytes(8).toString('hex');
  const row = await platform.db.tx(async (tx) => {
    const volume = await findVolume(tx, ctx, asked.volumeId);
    if (volume.status !== 'available' || (await attachmentsOf(tx, volume.id)).length > 0)
      throw invalidVolume(`volume ${volume.id} status must be available, but it is ${volume.status}.`);
    const snapshots = await tx
      .selectFrom('volume_snapshots')
      .select(['id', 'status'])
      .where('volume_id', '=', volume.id)
      .execute();
    const busy = snapshots.find((one) => one.status !== 'available');
    if (!asked.noSnapshots && busy !== undefined)
      throw badRequest(`Invalid snapshot: snapshot ${busy.id} of volume ${volume.id} is ${busy.status}.`);
    const made: TransferRow = {
      id: platform.ids.uuid(),
      volume_id: volume.id,
      name: asked.name,
      project_id: volume.project_id,
      destination_project_id: null,
      salt,
      hash: hashOf(salt, key).toString('hex'),
      no_snapshots: asked.noSnapshots ? 1 : 0,
      accepted: 0,
      created_at: platform.clock.now(),
    };
    await tx.insertInto('volume_transfers').values(made).execute();
    await saveVolume(tx, volume, { task: 'awaiting-transfer' }, platform.clock.now());
    await audit(tx, ctx, 'volume-transfer', made.id);
    return made;
  });
  return { ...view(ctx, row), auth_key: key };
}

async function take(tx: Tx, ctx: Ctx, id: string, key: string): Promise<TransferRow> {
  const { platform } = ctx;
  const row = await findTransfer(tx, ctx, id, true);
  const projectId = projectOf(ctx.actor);
  if (!timingSafeEqual(hashOf(row.salt, key), Buffer.from(row.hash, 'hex'))) {
    if (!canSee(ctx.actor, row.project_id)) throw notFound('Transfer', id);
    throw badRequest(`Invalid auth key: it is not that of transfer ${id}.`);
  }
  const volume = await tx
    .selectFrom('volumes')
    .selectAll()
    .where('id', '=', row.volume_id)
    .executeTakeFirst();
  if (volume === undefined || volume.status !== 'awaiting-transfer')
    throw invalidVolume(`volume ${row.volume_id} does not await a transfer any more.`);
  const type = await tx
    .selectFrom('volume_types')
    .selectAll()
    .where('id', '=', volume.type_id)
    .executeTakeFirst();
  const granted = await tx
    .selectFrom('volume_type_access')
    .select('type_id')
    .where('type_id', '=', volume.type_id)
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  if (type?.is_public !== 1 && granted === undefined)
    throw forbidden(`Volume type ${volume.type_id} is not available to project ${projectId}.`);
  const snapshots = await tx
    .selectFrom('volume_snapshots')
    .selectAll()
    .where('volume_id', '=', volume.id)
    .execute();
  const moved = row.no_snapshots === 1 ? [] : snapshots;
  const amounts = {
    volumes: 1,
    snapshots: moved.length,
    gigabytes: volume.size_gib + moved.reduce((sum, one) => sum + one.size_gib, 0),
  };
  await platform.quotas.release(tx, volume.project_id, amounts);
  await claimQuota(tx, platform, projectId, amounts);
  await saveVolume(
    tx,
    volume,
    { project_id: projectId, user_id: ctx.actor.userId, task: null },
    platform.clock.now(),
  );
  for (const one of moved)
    await tx
      .updateTable('volume_snapshots')
      .set({ project_id: projectId, user_id: ctx.actor.userId })
      .where('id', '=', one.id)
      .execute();
  await tx
    .updateTable('volume_transfers')
    .set({ accepted: 1, destination_project_id: projectId })
    .where('id', '=', row.id)
    .execute();
  await audit(tx, ctx, 'volume-transfer', row.id);
  return row;
}

async function withdraw(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await findTransfer(tx, ctx, id);
    await tx.deleteFrom('volume_transfers').where('id', '=', row.id).execute();
    const volume = await tx
      .selectFrom('volumes')
      .selectAll()
      .where('id', '=', row.volume_id)
      .executeTakeFirst();
    if (volume?.task === 'awaiting-transfer')
      await saveVolume(tx, volume, { task: null }, ctx.platform.clock.now());
    await audit(tx, ctx, 'volume-transfer', row.id);
  });
}

const ids = { transfer_id: 'volume-transfer' } as const;

/** The older address, and the one from 3.55 on. */
export const transferRoutes: Route[] = (['/os-volume-transfer', '/volume-transfers'] as const).flatMap(
  (path) => {
    const since = path === '/volume-transfers' ? { since: '3.55' } : {};
    return [
      ...([false, true] as const).map((detail) =>
        route({
          method: 'GET',
          path: detail ? `${path}/detail` : path,
          policy: 'volume:transfers:list',
          summary: detail ? 'List transfers with details' : 'List transfers',
          ...since,
          query: Type.Object({ ...pageQuery, marker: Type.Optional(idOf('volume-transfer')) }),
          async handler({ ctx, query }) {
            let rows = ctx.platform.db.read
              .selectFrom('volume_transfers')
              .selectAll()
              .where('accepted', '=', 0)
              .orderBy('created_at', 'desc')
              .orderBy('id', 'desc');
            if (!(isAdmin(ctx.actor) && isSet(query.all_tenants)))
              rows = rows.where('project_id', '=', projectOf(ctx.actor));
            const first = query.offset ?? 0;
            return {
              body: {
                transfers: (await rows.execute())
                  .slice(first, first + (query.limit ?? 1000))
                  .map((row) => (detail ? view(ctx, row) : brief(ctx, row))),
              },
            };
          },
        }),
      ),
      route({
        method: 'POST',
        path,
        policy: 'volume:transfers:manage',
        summary: 'Offer a volume to another project',
        ...since,
        status: 202,
        body: strict({
          transfer: strict({
            volume_id: idOf('volume'),
            name: Type.Optional(nullable(text(255))),
            no_snapshots: Type.Optional(flag()),
          }),
        }),
        handler: async ({ ctx, body }) => ({
          body: {
            transfer: await offer(ctx, {
              volumeId: body.transfer.volume_id,
              name: body.transfer.name ?? null,
              noSnapshots: isSet(body.transfer.no_snapshots),
            }),
          },
        }),
      }),
      route({
        method: 'GET',
        path: `${path}/:transfer_id`,
        ids,
        policy: 'volume:transfers:list',
        summary: 'Show a transfer',
        ...since,
        handler: async ({ ctx, params }) => ({
          body: { transfer: view(ctx, await findTransfer(ctx.platform.db.read, ctx, params.transfer_id)) },
        }),
      }),
      route({
        method: 'POST',
        path: `${path}/:transfer_id/accept`,
        // By its key, not by its owner: anybody may try, and without the key every transfer is alike.
        ids,
        policy: 'volume:transfers:manage',
        summary: 'Take a volume that is offered',
        ...since,
        status: 202,
        body: strict({ accept: strict({ auth_key: text(255, 1) }) }),
        async handler({ ctx, params, body }) {
          const row = await ctx.platform.db.tx(
            (tx) => take(tx, ctx, params.transfer_id, body.accept.auth_key),
            { locks: [quotaLock(projectOf(ctx.actor))] },
          );
          return { body: { transfer: brief(ctx, row) } };
        },
      }),
      route({
        method: 'DELETE',
        path: `${path}/:transfer_id`,
        ids,
        policy: 'volume:transfers:manage',
        summary: 'Withdraw an offer',
        ...since,
        status: 202,
        async handler({ ctx, params }) {
          await withdraw(ctx, params.transfer_id);
          return {};
        },
      }),
    ];
  },
);
