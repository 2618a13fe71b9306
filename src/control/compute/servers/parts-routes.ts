// The parts of a server over HTTP: metadata, tags, addresses, security groups.
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict } from '../../../kernel/schema.ts';
import { COMPUTE_PREFIX, ownValue } from '../links.ts';
import {
  changeTags,
  deleteMetadata,
  mergeMetadata,
  metadataOf,
  replaceMetadata,
  tagsOf,
} from './describe.ts';
import { metadata, tagList } from './schema.ts';
import { findServer } from './store.ts';
import { briefAddressesOf, portsOf } from './wire.ts';

const ids = { server_id: 'server' } as const;
const show = 'compute:servers:show';
const read = (ctx: Ctx, id: string) => findServer(ctx.platform.db.read, ctx, id);
const METADATA = '/v2.1/servers/:server_id/metadata';
const TAGS = '/v2.1/servers/:server_id/tags';

const metadataRoutes: Route[] = [
  route({
    method: 'GET',
    path: METADATA,
    ids,
    policy: show,
    summary: 'List the metadata of a server',
    handler: async ({ ctx, params }) => ({
      body: { metadata: metadataOf(await read(ctx, params.server_id)) },
    }),
  }),
  route({
    method: 'POST',
    path: METADATA,
    ids,
    policy: 'compute:servers:metadata',
    summary: 'Add metadata to a server',
    body: strict({ metadata }),
    handler: async ({ ctx, params, body }) => ({
      body: { metadata: await mergeMetadata(ctx, params.server_id, body.metadata) },
    }),
  }),
  route({
    method: 'PUT',
    path: METADATA,
    ids,
    policy: 'compute:servers:metadata',
    summary: 'Replace the metadata of a server',
    body: strict({ metadata }),
    handler: async ({ ctx, params, body }) => ({
      body: { metadata: await replaceMetadata(ctx, params.server_id, body.metadata) },
    }),
  }),
  route({
    method: 'GET',
    path: `${METADATA}/:key`,
    ids: { ...ids, key: 'none' },
    policy: show,
    summary: 'Show a metadata item',
    async handler({ ctx, params }) {
      const value = ownValue(metadataOf(await read(ctx, params.server_id)), params.key);
      if (value === undefined) throw notFound('Metadata item', params.key);
      return { body: { meta: { [params.key]: value } } };
    },
  }),
  route({
    method: 'PUT',
    path: `${METADATA}/:key`,
    ids: { ...ids, key: 'none' },
    policy: 'compute:servers:metadata',
    summary: 'Set a metadata item',
    body: strict({ meta: metadata }),
    async handler({ ctx, params, body }) {
      const value = ownValue(body.meta, params.key);
      if (value === undefined || Object.keys(body.meta).length !== 1)
        throw badRequest(
          `Request body and URI mismatch: meta must have exactly the key '${params.key.slice(0, 100)}' of the address.`,
        );
      await mergeMetadata(ctx, params.server_id, { [params.key]: value });
      return { body: { meta: { [params.key]: value } } };
    },
  }),
  route({
    method: 'DELETE',
    path: `${METADATA}/:key`,
    ids: { ...ids, key: 'none' },
    policy: 'compute:servers:metadata',
    summary: 'Delete a metadata item',
    status: 204,
    async handler({ ctx, params }) {
      await deleteMetadata(ctx, params.server_id, params.key);
      return {};
    },
  }),
];

const tagName = (tag: string): string => {
  if (tag === '' || tag.length > 60 || tag.includes(','))
    throw badRequest(`Invalid tag '${tag.slice(0, 80)}': it must have 1 to 60 characters without , and /.`);
  return tag;
};

const tagRoutes: Route[] = [
  route({
    method: 'GET',
    path: TAGS,
    ids,
    policy: show,
    summary: 'List the tags of a server',
    since: '2.26',
    handler: async ({ ctx, params }) => ({ body: { tags: tagsOf(await read(ctx, params.server_id)) } }),
  }),
  route({
    method: 'PUT',
    path: TAGS,
    ids,
    policy: 'compute:servers:tags',
    summary: 'Replace the tags of a server',
    since: '2.26',
    body: strict({ tags: tagList }),
    handler: async ({ ctx, params, body }) => ({
      body: { tags: await changeTags(ctx, params.server_id, () => body.tags) },
    }),
  }),
  route({
    method: 'DELETE',
    path: TAGS,
    ids,
    policy: 'compute:servers:tags',
    summary: 'Delete the tags of a server',
    since: '2.26',
    status: 204,
    async handler({ ctx, params }) {
      await changeTags(ctx, params.server_id, () => []);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: `${TAGS}/:tag`,
    ids: { ...ids, tag: 'none' },
    policy: show,
    summary: 'Check whether a server has a tag',
    since: '2.26',
    status: 204,
    async handler({ ctx, params }) {
      if (!tagsOf(await read(ctx, params.server_id)).includes(params.tag)) throw notFound('Tag', params.tag);
      return {};
    },
  }),
  route({
    method: 'PUT',
    path: `${TAGS}/:tag`,
    ids: { ...ids, tag: 'none' },
    policy: 'compute:servers:tags',
    summary: 'Add a tag to a server',
    since: '2.26',
    status: 201,
    async handler({ ctx, params }) {
      const tag = tagName(params.tag);
      let had = false;
      await changeTags(ctx, params.server_id, (before) => {
        had = before.includes(tag);
        return [...before, tag];
      });
      if (had) return { status: 204 };
      const location = `${ctx.platform.publicUrl}${COMPUTE_PREFIX}/v2.1/servers/${params.server_id}/tags/${encodeURIComponent(tag)}`;
      return { status: 201, headers: { location } };
    },
  }),
  route({
    method: 'DELETE',
    path: `${TAGS}/:tag`,
    ids: { ...ids, tag: 'none' },
    policy: 'compute:servers:tags',
    summary: 'Delete a tag of a server',
    since: '2.26',
    status: 204,
    async handler({ ctx, params }) {
      await changeTags(ctx, params.server_id, (before) => {
        if (!before.includes(params.tag)) throw notFound('Tag', params.tag);
        return before.filter((tag) => tag !== params.tag);
      });
      return {};
    },
  }),
];

const networkRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.1/servers/:server_id/ips',
    ids,
    policy: show,
    summary: 'List the addresses of a server',
    handler: async ({ ctx, params }) => ({
      body: { addresses: briefAddressesOf(portsOf(await read(ctx, params.server_id))) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.1/servers/:server_id/ips/:network_label',
    ids: { ...ids, network_label: 'none' },
    policy: show,
    summary: 'List the addresses of a server on a network',
    async handler({ ctx, params }) {
      const addresses = ownValue(
        briefAddressesOf(portsOf(await read(ctx, params.server_id))),
        params.network_label,
      );
      if (addresses === undefined) throw notFound('Network', params.network_label);
      return { body: { [params.network_label]: addresses } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/servers/:server_id/os-security-groups',
    ids,
    policy: show,
    summary: 'List the security groups of a server',
    async handler({ ctx, params }) {
      const row = await read(ctx, params.server_id);
      const groups = new Map(
        portsOf(row).flatMap((port) => port.securityGroups.map((group) => [group.id, group.name] as const)),
      );
      return {
        body: {
          security_groups: [...groups].map(([id, name]) => ({
            id,
            name,
            description: '',
            tenant_id: row.project_id,
            rules: [],
          })),
        },
      };
    },
  }),
];

export const serverPartRoutes: Route[] = [...metadataRoutes, ...tagRoutes, ...networkRoutes];
