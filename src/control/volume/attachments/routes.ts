// Attachments over HTTP, for clients that attach volumes to something else than servers: api-ref "Attachments", 3.27 on.
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import type { VolumeDeps } from '../deps.ts';
import { stampOrNull } from '../routing.ts';
import { isSet, pageQuery } from '../volumes/schema.ts';
import { changeAttachment, createAttachment, deleteAttachment, findAttachment } from './service.ts';
import type { AttachmentRow } from './table.ts';

const ids = { attachment_id: 'volume-attachment' } as const;
const list = 'volume:attachments:list';
const manage = 'volume:attachments:manage';

const brief = (row: AttachmentRow) => ({
  id: row.id,
  status: row.state,
  instance: row.server_id === '' ? null : row.server_id,
  volume_id: row.volume_id,
});
/** Volumes in files are opened by their own host: there is nothing that a client could connect to. */
const view = (row: AttachmentRow) => ({
  ...brief(row),
  attached_at: stampOrNull(row.attached_at) ?? '',
  detached_at: '',
  attach_mode: row.mode,
  connection_info: {
    driver_volume_type: 'strata-file',
    access_mode: row.mode,
    volume_id: row.volume_id,
    attachment_id: row.id,
  },
});
const connector = Type.Object({}, { maxProperties: 32 });
const mode = Type.Optional(
  nullable(Type.Union([Type.Literal('rw'), Type.Literal('ro'), Type.Literal('null')])),
);

export const attachmentRoutes = (deps: VolumeDeps): Route[] => [
  ...([false, true] as const).map((detail) =>
    route({
      method: 'GET',
      path: detail ? '/attachments/detail' : '/attachments',
      policy: list,
      summary: detail ? 'List attachments with details' : 'List attachments',
      since: '3.27',
      query: Type.Object({
        ...pageQuery,
        marker: Type.Optional(idOf('volume-attachment')),
        volume_id: Type.Optional(idOf('volume')),
        instance_id: Type.Optional(idOf('server')),
        instance_uuid: Type.Optional(idOf('server')),
      }),
      async handler({ ctx, query }) {
        let rows = ctx.platform.db.read
          .selectFrom('volume_attachments')
          .selectAll()
          .orderBy('created_at', 'desc')
          .orderBy('id', 'desc');
        if (!(isAdmin(ctx.actor) && isSet(query.all_tenants)))
          rows = rows.where('project_id', '=', projectOf(ctx.actor));
        if (query.volume_id !== undefined) rows = rows.where('volume_id', '=', query.volume_id);
        const server = query.instance_id ?? query.instance_uuid;
        if (server !== undefined) rows = rows.where('server_id', '=', server);
        const found = await rows.execute();
        const start = query.marker === undefined ? 0 : found.findIndex((row) => row.id === query.marker) + 1;
        if (query.marker !== undefined && start === 0)
          throw badRequest(`Invalid input received: marker ${query.marker} could not be found.`);
        const first = start + (query.offset ?? 0);
        return {
          body: { attachments: found.slice(first, first + (query.limit ?? 1000)).map(detail ? view : brief) },
        };
      },
    }),
  ),
  route({
    method: 'POST',
    path: '/attachments',
    policy: manage,
    summary: 'Reserve a volume',
    since: '3.27',
    body: strict({
      attachment: strict({
        volume_uuid: idOf('volume'),
        instance_uuid: Type.Optional(nullable(idOf('server'))),
        connector: Type.Optional(nullable(connector)),
        mode,
      }),
    }),
    async handler({ ctx, body }) {
      const asked = body.attachment;
      const given = asked.connector ?? null;
      const row = await createAttachment(ctx, deps, {
        volume_uuid: asked.volume_uuid,
        instance_uuid: asked.instance_uuid ?? null,
        mode: asked.mode === 'ro' || asked.mode === 'rw' ? asked.mode : null,
        connector:
          given === null || Object.keys(given).length === 0 ? null : (given as Record<string, unknown>),
      });
      return { body: { attachment: view(row) } };
    },
  }),
  route({
    method: 'GET',
    path: '/attachments/:attachment_id',
    ids,
    policy: list,
    summary: 'Show an attachment',
    since: '3.27',
    handler: async ({ ctx, params }) => ({
      body: { attachment: view(await findAttachment(ctx.platform.db.read, ctx, params.attachment_id)) },
    }),
  }),
  route({
    method: 'PUT',
    path: '/attachments/:attachment_id',
    ids,
    policy: manage,
    summary: 'Say what connects to the volume',
    since: '3.27',
    body: strict({ attachment: strict({ connector }) }),
    async handler({ ctx, params, body }) {
      const given = body.attachment.connector as Record<string, unknown>;
      const row = await changeAttachment(ctx, params.attachment_id, (before) => ({
        connector: JSON.stringify(given),
        state: before.state === 'reserved' ? 'attaching' : before.state,
        ...(typeof given['mountpoint'] === 'string' ? { device: given['mountpoint'].slice(0, 255) } : {}),
      }));
      return { body: { attachment: view(row) } };
    },
  }),
  route({
    method: 'POST',
    path: '/attachments/:attachment_id/action',
    ids,
    action: 'os-complete',
    policy: manage,
    summary: 'Say that the volume is connected',
    since: '3.44',
    status: 204,
    body: Type.Union([Type.Null(), strict({}), text(255)]),
    async handler({ ctx, params }: { ctx: Ctx; params: { attachment_id: string } }) {
      await changeAttachment(ctx, params.attachment_id, () => ({
        state: 'attached',
        attached_at: ctx.platform.clock.now(),
      }));
      return {};
    },
  }),
  route({
    method: 'DELETE',
    path: '/attachments/:attachment_id',
    ids,
    policy: manage,
    summary: 'Give the volume back',
    since: '3.27',
    async handler({ ctx, params }) {
      await deleteAttachment(ctx, params.attachment_id);
      return { body: { attachments: [] } };
    },
  }),
];
