// Glance v2: images, their content and tags.
import { route, type Route } from '../../../kernel/http/route.ts';
import { CloudError } from '../../../kernel/errors.ts';
import type { Policies } from '../../../kernel/policy.ts';
import { isAdmin, rules } from '../../../kernel/policy.ts';
import { readImage } from './access.ts';
import type { Contents } from './content.ts';
import { listRoute } from './list.ts';
import { AnyPatchBody, patchOf } from './patch.ts';
import { createImage, deleteImage, setActive, setTag, updateImage } from './service.ts';
import { CreateImage, imageView, STORE } from './wire.ts';

const members = [rules.admin, rules.projectMember];
const readers = [rules.admin, rules.systemReader, rules.projectReader];
export const imagePolicies: Policies = {
  'image:images:list': { description: 'List images', anyOf: readers },
  'image:images:show': { description: 'Show an image', anyOf: readers },
  'image:images:create': { description: 'Create an image', anyOf: members },
  'image:images:update': { description: 'Change an image', anyOf: members },
  'image:images:delete': { description: 'Delete an image', anyOf: members },
  'image:images:upload': { description: 'Upload the content of an image', anyOf: members },
  'image:images:download': {
    description: 'Download the content of an image',
    anyOf: [rules.admin, rules.projectMember],
  },
  'image:images:deactivate': { description: 'Deactivate or reactivate an image', anyOf: members },
};

export function imageRoutes(contents: Contents, importMethods: readonly string[]): readonly Route[] {
  return [
    listRoute,
    route({
      method: 'POST',
      path: '/v2/images',
      policy: 'image:images:create',
      summary: 'Create an image',
      status: 201,
      body: CreateImage,
      async handler({ ctx, body }) {
        const row = await createImage(ctx, body);
        return {
          headers: {
            location: `${ctx.platform.publicUrl}/image/v2/images/${row.id}`,
            'openstack-image-import-methods': importMethods.join(','),
            'openstack-image-store-ids': STORE,
          },
          body: imageView(row),
        };
      },
    }),
    route({
      method: 'GET',
      path: '/v2/images/:image_id',
      ids: { image_id: 'image' },
      policy: 'image:images:show',
      summary: 'Show an image',
      handler: async ({ ctx, params }) => ({
        body: imageView(await readImage(ctx.platform.db.read, ctx, params.image_id)),
      }),
    }),
    route({
      method: 'PATCH',
      path: '/v2/images/:image_id',
      ids: { image_id: 'image' },
      policy: 'image:images:update',
      summary: 'Change an image by JSON patch',
      body: AnyPatchBody,
      async handler({ ctx, params, body, headers }) {
        if (
          !/^application\/(openstack-images-v2\.[01]-json-patch|json)/.test(
            String(headers['content-type'] ?? ''),
          )
        )
          throw new CloudError(
            415,
            'UnsupportedMediaType',
            'The content type must be application/openstack-images-v2.1-json-patch.',
          );
        return { body: imageView(await updateImage(ctx, params.image_id, patchOf(body))) };
      },
    }),
    route({
      method: 'DELETE',
      path: '/v2/images/:image_id',
      ids: { image_id: 'image' },
      policy: 'image:images:delete',
      summary: 'Delete an image',
      status: 204,
      async handler({ ctx, params }) {
        await deleteImage(ctx, params.image_id);
        return {};
      },
    }),
    route({
      method: 'PUT',
      path: '/v2/images/:image_id/file',
      ids: { image_id: 'image' },
      policy: 'image:images:upload',
      summary: 'Upload the content of an image',
      status: 204,
      streams: true,
      async handler({ ctx, params, headers, stream }) {
        if (headers['content-type'] !== 'application/octet-stream')
          throw new CloudError(
            415,
            'UnsupportedMediaType',
            'The content type must be application/octet-stream.',
          );
        await contents.upload(ctx, params.image_id, stream);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/v2/images/:image_id/file',
      ids: { image_id: 'image' },
      policy: 'image:images:download',
      summary: 'Download the content of an image',
      async handler({ ctx, params, headers }) {
        const row = await readImage(ctx.platform.db.read, ctx, params.image_id);
        if (row.status === 'deactivated' && !isAdmin(ctx.actor))
          throw new CloudError(
            403,
            'Forbidden',
            `The requested image ${row.id} has been deactivated; its content cannot be read.`,
          );
        if (row.hash === null) return { status: 204 };
        const range = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(String(headers['range'] ?? ''));
        const total = row.size ?? 0;
        const wanted =
          range === null
            ? undefined
            : {
                start: Number(range[1]),
                end: range[2] === '' ? total - 1 : Math.min(Number(range[2]), total - 1),
              };
        const { stream } = await contents.open(row, wanted);
        return {
          status: wanted === undefined ? 200 : 206,
          headers: {
            'content-type': 'application/octet-stream',
            'content-length': String(wanted === undefined ? total : wanted.end - wanted.start + 1),
            ...(wanted === undefined
              ? {}
              : { 'content-range': `bytes ${wanted.start}-${wanted.end}/${total}` }),
            ...(row.checksum === null ? {} : { 'content-md5': row.checksum }),
          },
          body: stream,
        };
      },
    }),
    ...([true, false] as const).map((present) =>
      route({
        method: present ? 'PUT' : 'DELETE',
        path: '/v2/images/:image_id/tags/:tag',
        ids: { image_id: 'image', tag: 'none' },
        policy: 'image:images:update',
        summary: present ? 'Add a tag' : 'Remove a tag',
        status: 204,
        async handler({ ctx, params }) {
          await setTag(ctx, params.image_id, params.tag, present);
          return {};
        },
      }),
    ),
    ...(['deactivate', 'reactivate'] as const).map((verb) =>
      route({
        method: 'POST',
        path: `/v2/images/:image_id/actions/${verb}`,
        ids: { image_id: 'image' },
        policy: 'image:images:deactivate',
        summary: verb === 'deactivate' ? 'Deactivate an image' : 'Reactivate an image',
        status: 204,
        async handler({ ctx, params }) {
          await setActive(ctx, params.image_id, verb === 'reactivate');
          return {};
        },
      }),
    ),
  ];
}
