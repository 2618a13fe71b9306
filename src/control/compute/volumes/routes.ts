// Volumes and snapshots below the compute API, where Nova had them before there was Cinder: api-ref "Volume extension
// (os-volumes, os-snapshots) (DEPRECATED)", gone from 2.36 on. They are the volume service's own in Nova's words.
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import type { SeenSnapshot, SeenVolume } from '../../volume/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { count, countOf, flag, isSet, offsetQuery, pageSize } from '../links.ts';

const UNTIL = '2.35';
const VOLUMES = '/v2.1/os-volumes';
const SNAPSHOTS = '/v2.1/os-snapshots';
const MAX_GIB = 1_048_576;

const stamp = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000');

const volumeView = (one: SeenVolume): object => ({
  id: one.id,
  status: one.status,
  size: one.size,
  availabilityZone: one.zone,
  createdAt: stamp(one.createdAt),
  // Nova writes a volume that nobody uses with one empty attachment.
  attachments:
    one.attachments.length === 0
      ? [{}]
      : one.attachments.map(({ serverId, device }) => ({
          id: one.id,
          volumeId: one.id,
          serverId,
          ...(device === null ? {} : { device }),
        })),
  displayName: one.name,
  displayDescription: one.description,
  volumeType: one.type,
  snapshotId: one.snapshotId,
  metadata: one.metadata,
});
const snapshotView = (one: SeenSnapshot): object => ({
  id: one.id,
  volumeId: one.volumeId,
  status: one.status,
  size: one.size,
  createdAt: stamp(one.createdAt),
  displayName: one.name,
  displayDescription: one.description,
});

const page = ({ limit, offset }: { limit?: number; offset?: number }) => ({
  limit: pageSize(limit),
  offset: offset ?? 0,
});
const location = (ctx: Ctx, path: string, id: string) => ({
  location: `${ctx.platform.publicUrl}/compute${path}/${id}`,
});
const metadata = Type.Record(Type.String({ minLength: 1, maxLength: 255 }), text(255));

const volumeRoutes = (deps: ComputeDeps): Route[] => [
  ...[VOLUMES, `${VOLUMES}/detail`].map((path) =>
    route({
      method: 'GET',
      path,
      policy: 'compute:volumes:list',
      summary: 'List volumes',
      until: UNTIL,
      query: Type.Object(offsetQuery),
      handler: async ({ ctx, query }) => ({
        body: { volumes: (await deps.volumes.forClients.listVolumes(ctx, page(query))).map(volumeView) },
      }),
    }),
  ),
  route({
    method: 'POST',
    path: VOLUMES,
    policy: 'compute:volumes:manage',
    summary: 'Create a volume',
    until: UNTIL,
    body: strict({
      volume: strict({
        size: count(1, MAX_GIB),
        display_name: Type.Optional(nullable(text(255))),
        display_description: Type.Optional(nullable(prose(255))),
        volume_type: Type.Optional(nullable(idOf('volume-type'))),
        metadata: Type.Optional(nullable(metadata)),
        snapshot_id: Type.Optional(nullable(idOf('snapshot'))),
        availability_zone: Type.Optional(nullable(text(255))),
      }),
    }),
    async handler({ ctx, body: { volume: asked } }) {
      const made = await deps.volumes.forClients.createVolume(ctx, {
        name: asked.display_name ?? null,
        description: asked.display_description ?? null,
        size: countOf(asked.size, 'size', 1, MAX_GIB),
        type: asked.volume_type ?? null,
        zone: asked.availability_zone === '' ? null : (asked.availability_zone ?? null),
        metadata: asked.metadata ?? {},
        snapshotId: asked.snapshot_id ?? null,
      });
      return { headers: location(ctx, VOLUMES, made.id), body: { volume: volumeView(made) } };
    },
  }),
  route({
    method: 'GET',
    path: `${VOLUMES}/:volume_id`,
    ids: { volume_id: 'volume' },
    policy: 'compute:volumes:list',
    summary: 'Show a volume',
    until: UNTIL,
    handler: async ({ ctx, params }) => ({
      body: { volume: volumeView(await deps.volumes.forClients.showVolume(ctx, params.volume_id)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: `${VOLUMES}/:volume_id`,
    ids: { volume_id: 'volume' },
    policy: 'compute:volumes:manage',
    summary: 'Delete a volume',
    until: UNTIL,
    status: 202,
    async handler({ ctx, params }) {
      await deps.volumes.forClients.deleteVolume(ctx, params.volume_id);
      return {};
    },
  }),
];

const snapshotRoutes = (deps: ComputeDeps): Route[] => [
  ...[SNAPSHOTS, `${SNAPSHOTS}/detail`].map((path) =>
    route({
      method: 'GET',
      path,
      policy: 'compute:volumes:list',
      summary: 'List snapshots of volumes',
      until: UNTIL,
      query: Type.Object(offsetQuery),
      handler: async ({ ctx, query }) => ({
        body: {
          snapshots: (await deps.volumes.forClients.listSnapshots(ctx, page(query))).map(snapshotView),
        },
      }),
    }),
  ),
  route({
    method: 'POST',
    path: SNAPSHOTS,
    policy: 'compute:volumes:manage',
    summary: 'Take a snapshot of a volume',
    until: UNTIL,
    body: strict({
      snapshot: strict({
        volume_id: idOf('volume'),
        force: Type.Optional(flag()),
        display_name: Type.Optional(nullable(text(255))),
        display_description: Type.Optional(nullable(prose(255))),
      }),
    }),
    async handler({ ctx, body: { snapshot: asked } }) {
      const made = await deps.volumes.forClients.createSnapshot(ctx, {
        volumeId: asked.volume_id,
        name: asked.display_name ?? null,
        description: asked.display_description ?? null,
        force: isSet(asked.force),
      });
      return { headers: location(ctx, SNAPSHOTS, made.id), body: { snapshot: snapshotView(made) } };
    },
  }),
  route({
    method: 'GET',
    path: `${SNAPSHOTS}/:snapshot_id`,
    ids: { snapshot_id: 'snapshot' },
    policy: 'compute:volumes:list',
    summary: 'Show a snapshot of a volume',
    until: UNTIL,
    handler: async ({ ctx, params }) => ({
      body: { snapshot: snapshotView(await deps.volumes.forClients.showSnapshot(ctx, params.snapshot_id)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: `${SNAPSHOTS}/:snapshot_id`,
    ids: { snapshot_id: 'snapshot' },
    policy: 'compute:volumes:manage',
    summary: 'Delete a snapshot of a volume',
    until: UNTIL,
    status: 202,
    async handler({ ctx, params }) {
      await deps.volumes.forClients.deleteSnapshot(ctx, params.snapshot_id);
      return {};
    },
  }),
];

export const volumeProxyRoutes = (deps: ComputeDeps): Route[] => [
  ...volumeRoutes(deps),
  ...snapshotRoutes(deps),
];
