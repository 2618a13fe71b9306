// Backups of servers: images that make room for the next of their kind.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';
import type { ComputeDeps } from '../deps.ts';
import { count, countOf } from '../links.ts';
import { refuseUncopyable, reserveServerImage } from './create-image.ts';
import { metadata } from './schema.ts';
import { findServer, recordAction, saveServer } from './store.ts';
import { WORK_SERVER_IMAGE } from './table.ts';

const MAX_ROTATION = 1_000;

type Asked = { name: string; backup_type: string; rotation: number; metadata: Record<string, string> };

async function createBackup(ctx: Ctx, deps: ComputeDeps, serverId: string, asked: Asked): Promise<string> {
  const { platform } = ctx;
  return platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    refuseUncopyable(ctx, row, 'createBackup');
    if (row.image_id === '') throw badRequest('Backup is not supported for volume-backed instances.');
    const imageId = await reserveServerImage(tx, ctx, deps, row, {
      name: asked.name,
      verb: 'createBackup',
      purpose: 'backup',
      properties: { ...asked.metadata, image_type: 'backup', backup_type: asked.backup_type },
    });
    const now = platform.clock.now();
    await tx
      .insertInto('server_backups')
      .values({
        image_id: imageId,
        server_id: row.id,
        backup_type: asked.backup_type,
        rotation: asked.rotation,
        created_at: now,
      })
      .execute();
    const next = await saveServer(tx, row, { imaging: row.imaging + 1 }, now);
    await recordAction(tx, ctx, next, 'createBackup', { done: true });
    await audit(tx, ctx, 'server', row.id);
    await platform.work.enqueue(tx, WORK_SERVER_IMAGE, [imageId]);
    return imageId;
  });
}

export const createBackupRoute = (deps: ComputeDeps): Route =>
  route({
    method: 'POST',
    path: '/v2.1/servers/:server_id/action',
    ids: { server_id: 'server' },
    action: 'createBackup',
    policy: 'compute:servers:create-backup',
    summary: 'Make a backup of a server',
    status: 202,
    body: strict({
      name: text(255, 1),
      backup_type: text(255),
      rotation: count(0, MAX_ROTATION),
      metadata: Type.Optional(metadata),
    }),
    async handler({ ctx, params, body }) {
      const rotation = countOf(body.rotation, 'rotation', 0, MAX_ROTATION);
      const imageId = await createBackup(ctx, deps, params.server_id, {
        ...body,
        rotation,
        metadata: body.metadata ?? {},
      });
      if (ctx.microversion >= 45) return { body: { image_id: imageId } };
      // As Nova: of a rotation of none nothing is left to point at.
      if (rotation === 0) return {};
      return { headers: { location: `${ctx.platform.publicUrl}/image/v2/images/${imageId}` } };
    },
  });
