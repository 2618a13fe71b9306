// Images below the compute API, where Nova had them before there was Glance: api-ref "Images (images) (DEPRECATED)",
// gone from 2.36 on. They are the image service's own images in Nova's words.
import { Type, type Static } from 'typebox';
import { isoSeconds } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, text } from '../../../kernel/schema.ts';
import type { ShownImage } from '../../image/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { bookmarkOf, linksOf, pageQuery, pageSize } from '../links.ts';
import { timeOf } from '../servers/filters.ts';

const UNTIL = '2.35';
const IMAGES = '/v2.1/images';
const ids = { image_id: 'image' } as const;

const statusOf: Readonly<Record<ShownImage['status'], { status: string; progress: number }>> = {
  queued: { status: 'SAVING', progress: 25 },
  saving: { status: 'SAVING', progress: 50 },
  uploading: { status: 'SAVING', progress: 50 },
  importing: { status: 'SAVING', progress: 75 },
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

const listQuery = Type.Object({
  limit: pageQuery.limit,
  marker: Type.Optional(idOf('image')),
  name: Type.Optional(text(255)),
  status: Type.Optional(text(64)),
  // Its id, or a link to it.
  server: Type.Optional(text(1024)),
  type: Type.Optional(text(64)),
  minRam: Type.Optional(text(20)),
  minDisk: Type.Optional(text(20)),
  'changes-since': Type.Optional(text(64)),
});

const atLeast = (value: string | undefined, name: string): number => {
  if (value === undefined) return 0;
  if (!/^\d{1,10}$/.test(value))
    throw badRequest(`Invalid ${name} filter [${value}]: it must be a whole number.`);
  return Number(value);
};

function filterOf(query: Static<typeof listQuery>): (image: ShownImage) => boolean {
  const status = query.status?.toUpperCase();
  const server = query.server?.split('/').at(-1);
  const minRam = atLeast(query.minRam, 'minRam');
  const minDisk = atLeast(query.minDisk, 'minDisk');
  const since = query['changes-since'] === undefined ? 0 : timeOf(query['changes-since'], 'changes-since');
  return (image) =>
    (query.name === undefined || image.name === query.name) &&
    (status === undefined || statusOf[image.status].status === status) &&
    (server === undefined || image.properties['instance_uuid'] === server) &&
    (query.type === undefined || (image.properties['image_type'] ?? 'base') === query.type) &&
    image.minRam >= minRam &&
    image.minDisk >= minDisk &&
    image.updatedAt >= since;
}

const BATCH = 500;

/** The image service pages, Nova's filters choose: batches are read until the page is full. */
async function listImages(
  ctx: Ctx,
  deps: ComputeDeps,
  query: Static<typeof listQuery>,
): Promise<ShownImage[]> {
  const limit = pageSize(query.limit);
  const fits = filterOf(query);
  const found: ShownImage[] = [];
  let marker = query.marker ?? null;
  while (found.length < limit) {
    const batch = await deps.images.list(ctx, { limit: BATCH, marker }).catch(() => {
      throw badRequest(`marker [${marker ?? ''}] not found`);
    });
    found.push(...batch.filter(fits));
    const last = batch.at(-1);
    if (last === undefined || batch.length < BATCH) break;
    marker = last.id;
  }
  return found.slice(0, limit);
}

export const imageRoutes = (deps: ComputeDeps): Route[] => [
  ...([false, true] as const).map((detailed) =>
    route({
      method: 'GET',
      path: detailed ? `${IMAGES}/detail` : IMAGES,
      policy: 'compute:images:list',
      summary: detailed ? 'List images with details' : 'List images',
      until: UNTIL,
      query: listQuery,
      async handler({ ctx, query }) {
        const images = await listImages(ctx, deps, query);
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
