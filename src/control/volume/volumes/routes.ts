// Volumes over HTTP: api-ref "Volumes", "Volume metadata".
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { strict, text } from '../../../kernel/schema.ts';
import { restoreBackup } from '../backups/service.ts';
import type { VolumeDeps } from '../deps.ts';
import { listPage } from '../listing.ts';
import { typeNames } from '../types/store.ts';
import { createBody, gibOf, isSet, listQuery, metadata, updateBody, type CreateBody } from './schema.ts';
import { changeMaps, createVolume, deleteVolume, updateVolume, without } from './service.ts';
import { attachmentsByVolume, attachmentsOf, findVolume, mapOf } from './store.ts';
import type { VolumeRow } from './table.ts';
import { briefView, volumeDetailView, volumeView } from './wire.ts';

const ids = { volume_id: 'volume' } as const;
const orNull = (value: string | null | undefined): string | null =>
  value === undefined || value === '' ? null : value;

/** One volume as create, update and show answer it. */
async function answer(ctx: Ctx, row: VolumeRow, view: typeof volumeView): Promise<{ volume: object }> {
  const db = ctx.platform.db.read;
  return {
    volume: view(ctx, row, await attachmentsOf(db, row.id), (await typeNames(db)).get(row.type_id) ?? ''),
  };
}

function readCreate({ volume: asked }: CreateBody) {
  const imageId = orNull(asked.imageRef ?? asked.image_id);
  const sources = [
    imageId,
    asked.snapshot_id ?? null,
    asked.source_volid ?? null,
    asked.backup_id ?? null,
  ].filter((one) => one !== null);
  if (sources.length > 1)
    throw badRequest(
      'Invalid input received: name one of imageRef, snapshot_id, source_volid and backup_id, not several.',
    );
  if (isSet(asked.multiattach))
    throw badRequest(
      'Invalid input for field/attribute multiattach. Value: true. It must be false: volumes in files are attached to one server at a time.',
    );
  return {
    name: asked.name ?? asked.display_name ?? null,
    description: asked.description ?? asked.display_description ?? null,
    size: asked.size === undefined || asked.size === null ? null : gibOf(asked.size),
    type: orNull(asked.volume_type),
    zone: orNull(asked.availability_zone),
    metadata: asked.metadata ?? {},
    imageId,
    snapshotId: asked.snapshot_id ?? null,
    volumeId: asked.source_volid ?? null,
    host: null,
    groupId: asked.group_id ?? null,
  };
}

const lists: Route[] = ([false, true] as const).map((detail) =>
  route({
    method: 'GET',
    path: detail ? '/volumes/detail' : '/volumes',
    policy: 'volume:volumes:list',
    summary: detail ? 'List volumes with details' : 'List volumes',
    query: listQuery,
    async handler({ ctx, query, rawQuery }) {
      const page = await listPage(ctx, 'volumes', query, rawQuery, detail ? 'volumes/detail' : 'volumes');
      const db = ctx.platform.db.read;
      const [names, attachments] = detail
        ? [
            await typeNames(db),
            await attachmentsByVolume(
              db,
              page.rows.map((row) => row.id),
            ),
          ]
        : [new Map<string, string>(), new Map<string, never[]>()];
      return {
        body: {
          volumes: page.rows.map((row) =>
            detail
              ? volumeDetailView(ctx, row, attachments.get(row.id) ?? [], names.get(row.type_id) ?? '')
              : briefView(ctx, row),
          ),
          ...(page.links === null ? {} : { volumes_links: page.links }),
          ...(page.total === null ? {} : { count: page.total }),
        },
      };
    },
  }),
);

const volumes: Route[] = [
  ...lists,
  route({
    method: 'GET',
    path: '/volumes/summary',
    policy: 'volume:volumes:list',
    summary: 'Count the volumes of a project',
    since: '3.12',
    query: Type.Object({ all_tenants: Type.Optional(text(20)) }),
    async handler({ ctx, query }) {
      let rows = ctx.platform.db.read.selectFrom('volumes').select(['size_gib', 'metadata']);
      if (!(isAdmin(ctx.actor) && isSet(query.all_tenants)))
        rows = rows.where('project_id', '=', projectOf(ctx.actor));
      const found = await rows.execute();
      const merged = new Map<string, Set<string>>();
      for (const row of found)
        for (const [key, value] of Object.entries(mapOf(row.metadata)))
          merged.set(key, (merged.get(key) ?? new Set()).add(value));
      return {
        body: {
          'volume-summary': {
            total_count: found.length,
            total_size: found.reduce((sum, row) => sum + row.size_gib, 0),
            ...(ctx.microversion >= 36
              ? { metadata: Object.fromEntries([...merged].map(([key, values]) => [key, [...values]])) }
              : {}),
          },
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/volumes/:volume_id',
    ids,
    policy: 'volume:volumes:show',
    summary: 'Show a volume',
    handler: async ({ ctx, params }) => ({
      body: await answer(
        ctx,
        await findVolume(ctx.platform.db.read, ctx, params.volume_id),
        volumeDetailView,
      ),
    }),
  }),
  route({
    method: 'PUT',
    path: '/volumes/:volume_id',
    ids,
    policy: 'volume:volumes:update',
    summary: 'Change a volume',
    body: updateBody,
    async handler({ ctx, params, body }) {
      const asked = body.volume;
      const name = asked.name !== undefined ? asked.name : asked.display_name;
      const description = asked.description !== undefined ? asked.description : asked.display_description;
      const row = await updateVolume(ctx, params.volume_id, {
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description }),
        ...(asked.metadata === undefined || asked.metadata === null
          ? {}
          : { metadata: JSON.stringify(asked.metadata) }),
      });
      return { body: await answer(ctx, row, volumeView) };
    },
  }),
];

/** Routes that need the other services. */
export const volumeRoutes = (deps: VolumeDeps): Route[] => [
  ...volumes,
  route({
    method: 'POST',
    path: '/volumes',
    policy: 'volume:volumes:create',
    summary: 'Create a volume',
    status: 202,
    body: createBody,
    async handler({ ctx, body }) {
      const asked = readCreate(body);
      const backup = body.volume.backup_id ?? null;
      if (backup !== null && ctx.microversion < 47)
        throw badRequest(
          'Invalid input for backup_id. A volume is made of a backup from microversion 3.47 on.',
        );
      if (backup === null)
        return { body: await answer(ctx, await createVolume(ctx, deps, asked), volumeView) };
      const { volumeId } = await restoreBackup(ctx, deps, backup, { ...asked, volumeId: null });
      return { body: await answer(ctx, await findVolume(ctx.platform.db.read, ctx, volumeId), volumeView) };
    },
  }),
  route({
    method: 'DELETE',
    path: '/volumes/:volume_id',
    ids,
    policy: 'volume:volumes:delete',
    summary: 'Delete a volume',
    status: 202,
    query: Type.Object({ cascade: Type.Optional(text(20)), force: Type.Optional(text(20)) }),
    async handler({ ctx, params, query }) {
      await deleteVolume(ctx, deps, params.volume_id, { cascade: isSet(query.cascade), force: false });
      return {};
    },
  }),
];

export const volumeMetadataRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/volumes/:volume_id/metadata',
    ids,
    policy: 'volume:volumes:show',
    summary: 'Show the metadata of a volume',
    handler: async ({ ctx, params }) => ({
      body: { metadata: mapOf((await findVolume(ctx.platform.db.read, ctx, params.volume_id)).metadata) },
    }),
  }),
  ...(['POST', 'PUT'] as const).map((method) =>
    route({
      method,
      path: '/volumes/:volume_id/metadata',
      ids,
      policy: 'volume:volumes:metadata',
      summary: method === 'POST' ? 'Add metadata to a volume' : 'Replace the metadata of a volume',
      body: strict({ metadata }),
      handler: async ({ ctx, params, body }) => ({
        body: {
          metadata: await changeMaps(ctx, params.volume_id, 'metadata', (before) =>
            method === 'POST' ? { ...before, ...body.metadata } : body.metadata,
          ),
        },
      }),
    }),
  ),
  route({
    method: 'GET',
    path: '/volumes/:volume_id/metadata/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:volumes:show',
    summary: 'Show a metadata item of a volume',
    async handler({ ctx, params }) {
      const all = mapOf((await findVolume(ctx.platform.db.read, ctx, params.volume_id)).metadata);
      without(all, params.key);
      return { body: { meta: { [params.key]: all[params.key] } } };
    },
  }),
  route({
    method: 'PUT',
    path: '/volumes/:volume_id/metadata/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:volumes:metadata',
    summary: 'Set a metadata item of a volume',
    body: strict({ meta: metadata }),
    async handler({ ctx, params, body }) {
      if (Object.keys(body.meta).length !== 1 || !Object.hasOwn(body.meta, params.key))
        throw badRequest(
          `Request body and URI mismatch: meta must have exactly the key '${params.key.slice(0, 100)}' of the address.`,
        );
      await changeMaps(ctx, params.volume_id, 'metadata', (before) => ({ ...before, ...body.meta }));
      return { body: { meta: body.meta } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/volumes/:volume_id/metadata/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:volumes:metadata',
    summary: 'Delete a metadata item of a volume',
    async handler({ ctx, params }) {
      await changeMaps(ctx, params.volume_id, 'metadata', (before) => without(before, params.key));
      return {};
    },
  }),
];
