// The metadata of images below the compute API: api-ref "Images (DEPRECATED)", gone from 2.39 on. It is the image
// service's custom properties.
import { Type } from 'typebox';
import { badRequest, forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { strict, text } from '../../../kernel/schema.ts';
import type { ComputeDeps } from '../deps.ts';
import { ownValue } from '../links.ts';

const UNTIL = '2.38';
const PATH = '/v2.1/images/:image_id/metadata';
const ids = { image_id: 'image' } as const;
const item = { ...ids, key: 'none' } as const;

const values = Type.Record(
  Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9_:.-]{1,255}$' }),
  text(255),
  { additionalProperties: false },
);
type Values = Readonly<Record<string, string>>;

async function change(
  ctx: Ctx,
  deps: ComputeDeps,
  imageId: string,
  after: (before: Values) => Values,
): Promise<Values> {
  const limit = (await ctx.platform.quotas.limits(ctx.platform.db.read, projectOf(ctx.actor)))[
    'metadata_items'
  ];
  return deps.images.setProperties(ctx, imageId, (before) => {
    const next = after(before);
    const count = Object.keys(next).length;
    if (limit !== undefined && limit >= 0 && count > limit && count > Object.keys(before).length)
      throw forbidden(`Image metadata limit exceeded: ${count} of at most ${limit} items.`, 'OverQuota');
    return next;
  });
}

export const imageMetadataRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy: 'compute:images:list',
    summary: 'List the metadata of an image',
    until: UNTIL,
    handler: async ({ ctx, params }) => ({
      body: { metadata: (await deps.images.show(ctx, params.image_id)).properties },
    }),
  }),
  ...(['POST', 'PUT'] as const).map((method) =>
    route({
      method,
      path: PATH,
      ids,
      policy: 'compute:images:metadata',
      summary: method === 'POST' ? 'Add metadata to an image' : 'Replace the metadata of an image',
      until: UNTIL,
      body: strict({ metadata: values }),
      handler: async ({ ctx, params, body }) => ({
        body: {
          metadata: await change(ctx, deps, params.image_id, (before) =>
            method === 'POST' ? { ...before, ...body.metadata } : body.metadata,
          ),
        },
      }),
    }),
  ),
  route({
    method: 'GET',
    path: `${PATH}/:key`,
    ids: item,
    policy: 'compute:images:list',
    summary: 'Show a metadata item of an image',
    until: UNTIL,
    async handler({ ctx, params }) {
      const value = ownValue((await deps.images.show(ctx, params.image_id)).properties, params.key);
      if (value === undefined) throw notFound('Metadata item', params.key);
      return { body: { meta: { [params.key]: value } } };
    },
  }),
  route({
    method: 'PUT',
    path: `${PATH}/:key`,
    ids: item,
    policy: 'compute:images:metadata',
    summary: 'Set a metadata item of an image',
    until: UNTIL,
    body: strict({ meta: values }),
    async handler({ ctx, params, body }) {
      await deps.images.show(ctx, params.image_id);
      if (Object.keys(body.meta).length !== 1 || ownValue(body.meta, params.key) === undefined)
        throw badRequest(
          `Invalid input for meta. It must have exactly the key ${params.key} of the address.`,
        );
      await change(ctx, deps, params.image_id, (before) => ({ ...before, ...body.meta }));
      return { body: { meta: body.meta } };
    },
  }),
  route({
    method: 'DELETE',
    path: `${PATH}/:key`,
    ids: item,
    policy: 'compute:images:metadata',
    summary: 'Delete a metadata item of an image',
    until: UNTIL,
    status: 204,
    async handler({ ctx, params }) {
      await change(ctx, deps, params.image_id, (before) => {
        if (ownValue(before, params.key) === undefined) throw notFound('Metadata item', params.key);
        const { [params.key]: _gone, ...rest } = before;
        return rest;
      });
      return {};
    },
  }),
];
