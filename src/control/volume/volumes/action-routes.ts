// Volume actions over HTTP: api-ref "Volume actions".
import { Type } from 'typebox';
import type { TSchema, Static } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import { attachByAction, attachElsewhere } from '../attachments/service.ts';
import type { VolumeDeps } from '../deps.ts';
import { flag, gibOf, isSet, metadata, size } from './schema.ts';
import {
  changeMaps,
  deleteVolume,
  extendVolume,
  forceDetach,
  resetStatus,
  retypeVolume,
  revertVolume,
  setReadOnly,
  updateVolume,
  without,
} from './service.ts';
import { findVolume, mapOf } from './store.ts';
import { uploadVolume } from './upload.ts';

const PATH = '/volumes/:volume_id/action';
const nothing = Type.Union([Type.Null(), Type.Object({})]);

type Verb<B extends TSchema> = (ctx: Ctx, volumeId: string, body: Static<B>) => Promise<object | void>;

const act = <B extends TSchema>(
  action: string,
  policy: string,
  summary: string,
  body: B,
  status: number,
  verb: Verb<B>,
  since?: string,
): Route =>
  route({
    method: 'POST',
    path: PATH,
    ids: { volume_id: 'volume' },
    action,
    policy,
    summary,
    body,
    status,
    ...(since === undefined ? {} : { since }),
    async handler({ ctx, params, body: given }) {
      const answer = await verb(ctx, params.volume_id, given as Static<B>);
      return answer === undefined ? {} : { body: answer };
    },
  });

const attach = 'volume:volumes:attach';
const force = 'volume:volumes:force';

const STATUSES = [
  'creating',
  'available',
  'deleting',
  'error',
  'error_deleting',
  'error_managing',
  'managing',
  'attaching',
  'in-use',
  'detaching',
  'maintenance',
  'restoring-backup',
  'error_restoring',
  'reserved',
  'uploading',
  'downloading',
  'retyping',
  'extending',
  'error_extending',
  'backing-up',
  'error_backing-up',
];

export const volumeActionRoutes = (deps: VolumeDeps): Route[] => [
  act(
    'os-extend',
    'volume:volumes:extend',
    'Make a volume larger',
    strict({ new_size: size() }),
    202,
    (ctx, id, body) => extendVolume(ctx, id, gibOf(body.new_size)),
  ),
  act(
    'os-set_bootable',
    'volume:volumes:update',
    'Say whether a volume can be booted from',
    strict({ bootable: flag() }),
    200,
    async (ctx, id, body) => {
      await updateVolume(ctx, id, { bootable: isSet(body.bootable) ? 1 : 0 });
    },
  ),
  act(
    'os-update_readonly_flag',
    'volume:volumes:update',
    'Say whether a volume may be written to',
    strict({ readonly: flag() }),
    202,
    async (ctx, id, body) => {
      await setReadOnly(ctx, id, isSet(body.readonly));
    },
  ),
  act(
    'os-retype',
    'volume:volumes:retype',
    'Give a volume another type',
    strict({
      new_type: Type.Union([idOf('volume-type'), text(255, 1)]),
      migration_policy: Type.Optional(
        nullable(Type.Union([Type.Literal('never'), Type.Literal('on-demand')])),
      ),
    }),
    202,
    (ctx, id, body) => retypeVolume(ctx, deps, id, body.new_type, body.migration_policy ?? 'never'),
  ),
  act(
    'revert',
    'volume:volumes:revert',
    'Return a volume to its latest snapshot',
    strict({ snapshot_id: idOf('snapshot') }),
    202,
    (ctx, id, body) => revertVolume(ctx, id, body.snapshot_id),
    '3.40',
  ),
  act(
    'os-set_image_metadata',
    'volume:volumes:metadata',
    'Set the image metadata of a volume',
    strict({ metadata }),
    200,
    async (ctx, id, body) => ({
      metadata: await changeMaps(ctx, id, 'image_metadata', (before) => ({ ...before, ...body.metadata })),
    }),
  ),
  act(
    'os-unset_image_metadata',
    'volume:volumes:metadata',
    'Remove image metadata of a volume',
    strict({ key: text(255, 1) }),
    200,
    async (ctx, id, body) => {
      await changeMaps(ctx, id, 'image_metadata', (before) => without(before, body.key));
    },
  ),
  act(
    'os-show_image_metadata',
    'volume:volumes:show',
    'Show the image metadata of a volume',
    nothing,
    200,
    async (ctx, id) => ({
      metadata: mapOf((await findVolume(ctx.platform.db.read, ctx, id)).image_metadata),
    }),
  ),
  act('os-reserve', attach, 'Reserve a volume before it is attached', nothing, 202, (ctx, id) =>
    attachByAction(ctx, id, 'reserve'),
  ),
  act('os-unreserve', attach, 'Give a reserved volume back', nothing, 202, (ctx, id) =>
    attachByAction(ctx, id, 'unreserve'),
  ),
  act('os-begin_detaching', attach, 'Mark a volume as being detached', nothing, 202, (ctx, id) =>
    attachByAction(ctx, id, 'begin_detaching'),
  ),
  act('os-roll_detaching', attach, 'Mark a volume as still attached', nothing, 202, (ctx, id) =>
    attachByAction(ctx, id, 'roll_detaching'),
  ),
  act(
    'os-detach',
    attach,
    'Record that a volume is detached',
    Type.Union([
      Type.Null(),
      Type.Object({ attachment_id: Type.Optional(nullable(idOf('volume-attachment'))) }),
    ]),
    202,
    (ctx, id, body) => attachByAction(ctx, id, 'detach', body?.attachment_id),
  ),
  act(
    'os-attach',
    attach,
    'Record that a volume is attached',
    strict({
      instance_uuid: Type.Optional(nullable(idOf('server'))),
      host_name: Type.Optional(nullable(text(255))),
      mountpoint: text(255, 1),
      mode: Type.Optional(Type.Union([Type.Literal('rw'), Type.Literal('ro')])),
    }),
    202,
    async (ctx, id, body) => {
      const serverId = body.instance_uuid ?? null;
      if ((serverId === null) === (body.host_name === undefined || body.host_name === null))
        throw badRequest(
          'Invalid request to attach volume to an invalid target: name instance_uuid or host_name.',
        );
      if (serverId !== null && !/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(serverId))
        throw badRequest(
          `Invalid input for field/attribute instance_uuid. Value: ${serverId}. It must be a UUID.`,
        );
      const row = await findVolume(ctx.platform.db.read, ctx, id);
      await attachElsewhere(ctx, deps, id, {
        serverId: serverId ?? '',
        hostName: body.host_name ?? null,
        device: body.mountpoint,
        mode: body.mode ?? (row.read_only === 1 ? 'ro' : 'rw'),
      });
    },
  ),
  act(
    'os-volume_upload_image',
    'volume:volumes:upload',
    'Make an image of a volume',
    strict({
      image_name: text(255, 1),
      force: Type.Optional(flag()),
      disk_format: Type.Optional(Type.Union([Type.Literal('raw'), Type.Literal('qcow2')])),
      container_format: Type.Optional(Type.Literal('bare')),
      visibility: Type.Optional(
        Type.Union([
          Type.Literal('private'),
          Type.Literal('shared'),
          Type.Literal('community'),
          Type.Literal('public'),
        ]),
      ),
      protected: Type.Optional(flag()),
    }),
    202,
    async (ctx, id, body) => ({
      'os-volume_upload_image': await uploadVolume(ctx, deps, id, {
        name: body.image_name,
        force: isSet(body.force),
        diskFormat: body.disk_format ?? 'raw',
        visibility: body.visibility ?? null,
        isProtected: isSet(body.protected),
      }),
    }),
  ),
  act(
    'os-reset_status',
    force,
    'Set the status of a volume',
    strict({
      status: Type.Optional(text(64)),
      attach_status: Type.Optional(nullable(text(64))),
      migration_status: Type.Optional(nullable(text(64))),
    }),
    202,
    async (ctx, id, body) => {
      const status = body.status?.toLowerCase();
      if (status !== undefined && !STATUSES.includes(status))
        throw badRequest(
          `Invalid input for field/attribute status. Value: ${status}. It must be one of ${STATUSES.join(', ')}.`,
        );
      if (status === undefined && body.attach_status === undefined && body.migration_status === undefined)
        throw badRequest('Invalid input for body. It must name status, attach_status or migration_status.');
      await resetStatus(ctx, id, { status, attachStatus: body.attach_status ?? undefined });
    },
  ),
  act('os-force_delete', force, 'Delete a volume whatever its status', nothing, 202, (ctx, id) =>
    deleteVolume(ctx, deps, id, { cascade: true, force: true }),
  ),
  act(
    'os-force_detach',
    force,
    'Record that a volume is detached whatever its status',
    Type.Object({
      attachment_id: Type.Optional(nullable(idOf('volume-attachment'))),
      connector: Type.Optional(nullable(Type.Object({}))),
    }),
    202,
    (ctx, id, body) => forceDetach(ctx, id, body.attachment_id ?? null),
  ),
];
