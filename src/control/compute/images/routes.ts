// Images below the compute API, where Nova had them before there was Glance: api-ref "Images (images) (DEPRECATED)",
// gone from 2.36 on. They are the image service's own images in Nova's words.
import { Type } from 'typebox';
import { isoSeconds } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { idOf } from '../../../kernel/schema.ts';
import type { ShownImage } from '../../image/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { bookmarkOf, linksOf, pageQuery, pageSize } from '../links.ts';

const UNTIL = '2.35';
const IMAGES = '/v2.1/images';
const ids = { image_id: 'image' } as const;

const statusOf: Readonly<Record<ShownImage['status'], { status: string; progress: number }>> = {
  queued: { status: 'SAVING', progress: 25 },
  saving: { status: 'SAVING', progress: 50 },
  active: { status: 'ACTIVE', progress: 100 },
  deactivated: { status: 'UNKNOWN', progress: 0 },
};

const briefView = (image: ShownImage, publicUrl: string): object => ({
  id: image.id,
  name: image.name,
  links: [
    ...linksOf(publicUrl, 'images', image.id),
    {
      rel: 'alternate',
      type: 'application/vnd.openstack.image',
      href: `${publicUrl}/image/v2/images/${image.id}`,
    },
  ],
});

const view = (image: ShownImage, publicUrl: string): object => {
  const server = image.properties['instance_uuid'];
  return {
    ...briefView(image, publicUrl),
    ...statusOf[image.status],
    minDisk: image.minDisk,
    minRam: image.minRam,
    metadata: image.properties,
    created: isoSeconds(image.createdAt),
    updated: isoSeconds(image.updatedAt),
    'OS-EXT-IMG-SIZE:size': image.size ?? 0,
    ...(server === undefined
      ? {}
      : { server: { id: server, links: bookmarkOf(publicUrl, 'servers', server) } }),
  };
};

export const imageRoutes = (deps: ComputeDeps): Route[] => [
  ...([false, true] as const).map((detailed) =>
    route({
      method: 'GET',
      path: detailed ? `${IMAGES}/detail` : IMAGES,
      policy: 'compute:images:list',
      summary: detailed ? 'List images with details' : 'List images',
      until: UNTIL,
      query: Type.Object({ limit: pageQuery.limit, marker: Type.Optional(idOf('image')) }),
      async handler({ ctx, query }) {
        const images = await deps.images
          .list(ctx, { limit: pageSize(query.limit), marker: query.marker ?? null })
          .catch(() => {
            throw badRequest(`marker [${query.marker ?? ''}] not found`);
          });
        const { publicUrl } = ctx.platform;
        return { body: { images: images.map((image) => (detailed ? view : briefView)(image, publicUrl)) } };
      },
    }),
  ),
  route({
    method: 'GET',
    path: `${IMAGES}/:image_id`,
    ids,
    policy: 'compute:images:list',
    summary: 'Show an image',
    until: UNTIL,
    handler: async ({ ctx, params }) => ({
      body: { image: view(await deps.images.show(ctx, params.image_id), ctx.platform.publicUrl) },
    }),
  }),
  route({
    method: 'DELETE',
    path: `${IMAGES}/:image_id`,
    ids,
    policy: 'compute:images:delete',
    summary: 'Delete an image',
    until: UNTIL,
    status: 204,
    async handler({ ctx, params }) {
      await deps.images.remove(ctx, params.image_id);
      return {};
    },
  }),
];
