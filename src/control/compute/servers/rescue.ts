// Rescue: a server boots from another image, with its own disk beside, and back: api-ref "Rescue Server". What it boots
// from is part of its desired state, taken up by a reboot, so that a crash anywhere ends in one or the other.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import type { Rescue } from '../../../protocol/items.ts';
import type { BootImage } from '../../image/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { nothing } from '../links.ts';
import { typeOf } from './boot-request.ts';
import { named } from './boot-plan.ts';
import { refuseIncapable, refuseLocked, wrongState } from './lifecycle.ts';
import { newPassword } from './password.ts';
import { stateOf } from './status.ts';
import { findServer, recordAction, saveServer } from './store.ts';
import type { BootFacts, ServerRow } from './table.ts';

const RESCUABLE = ['active', 'stopped', 'error'];
/** From here on a server that boots from a volume can be rescued, by a stable device only. */
const VOLUME_BACKED = 87;

const buses: Readonly<Record<string, Rescue['bus']>> = {
  virtio: 'virtio',
  scsi: 'scsi',
  sata: 'sata',
  // The machine has no older one.
  ide: 'sata',
  usb: 'usb',
};

/** How the rescue image is plugged: hw_rescue_device and hw_rescue_bus of the image ask for a stable device. */
function deviceOf(image: BootImage): Pick<Rescue, 'stable' | 'device' | 'bus'> {
  const { hw_rescue_device: asked, hw_rescue_bus: askedBus } = image.properties;
  if (asked === undefined && askedBus === undefined) return { stable: false, device: 'disk', bus: 'virtio' };
  const device = asked ?? 'disk';
  if (device !== 'disk' && device !== 'cdrom')
    throw badRequest(
      `Requested rescue device '${device.slice(0, 60)}' of image ${image.id} is not supported: hw_rescue_device must be disk or cdrom.`,
    );
  const name = askedBus ?? (device === 'cdrom' ? 'sata' : 'virtio');
  const bus = Object.hasOwn(buses, name) ? buses[name] : undefined;
  if (bus === undefined || (device === 'cdrom' && (bus === 'virtio' || bus === 'usb')))
    throw badRequest(
      `Requested rescue bus '${name.slice(0, 60)}' of image ${image.id} is not supported for a ${device}: hw_rescue_bus must be ${device === 'cdrom' ? 'ide, sata or scsi' : 'virtio, scsi, sata, ide or usb'}.`,
    );
  return { stable: true, device, bus };
}

async function rescueOf(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  row: ServerRow,
  imageRef: string | undefined,
): Promise<Rescue> {
  const own = JSON.parse(row.image) as BootFacts | null;
  if (imageRef === undefined) {
    if (own === null)
      throw badRequest(
        `Cannot rescue instance ${row.id}: it boots from a volume, so name a rescue_image_ref with hw_rescue_device or hw_rescue_bus.`,
      );
    return { image: { id: row.image_id, ...own }, stable: false, device: 'disk', bus: 'virtio' };
  }
  const image = await deps.images.forBoot(tx, ctx, imageRef).catch(named('rescue_image_ref'));
  if (typeOf(image) !== 'vm')
    throw badRequest(
      `Invalid rescue_image_ref provided: image ${image.id} is of a container; a virtual machine boots from disk images.`,
    );
  const device = deviceOf(image);
  if (own === null && (ctx.microversion < VOLUME_BACKED || !device.stable))
    throw badRequest(
      `Cannot rescue a volume-backed instance: instance ${row.id} boots from a volume. From microversion 2.${VOLUME_BACKED} on it can be, by an image with hw_rescue_device or hw_rescue_bus.`,
    );
  const { id, diskFormat, containerFormat, hash, size } = image;
  return { image: { id, diskFormat, containerFormat, hash, size }, ...device };
}

async function change(
  ctx: Ctx,
  row: ServerRow,
  tx: Tx,
  rescue: Rescue | null,
  action: string,
): Promise<void> {
  const next = await saveServer(
    tx,
    row,
    {
      rescue: rescue === null ? null : JSON.stringify(rescue),
      power: 'running',
      reboot_count: row.reboot_count + 1,
      reboot_hard: 1,
      desired_version: row.desired_version + 1,
    },
    ctx.platform.clock.now(),
  );
  await recordAction(tx, ctx, next, action);
  await audit(tx, ctx, 'server', row.id);
  await ctx.platform.work.enqueue(tx, 'server', [row.id]);
}

async function settled(
  tx: Tx,
  ctx: Ctx,
  serverId: string,
  verb: string,
  from: (row: ServerRow) => boolean,
): Promise<ServerRow> {
  const row = await findServer(tx, ctx, serverId);
  refuseLocked(ctx, row);
  const { vmState, taskState } = stateOf(row);
  if (!from(row)) throw wrongState(verb, row, 'vm_state', vmState);
  if (taskState !== null || row.phase !== null)
    throw wrongState(verb, row, 'task_state', taskState ?? row.phase ?? '');
  if (row.host_id === null)
    throw conflict(
      `Cannot '${verb}' instance ${row.id}: it was never placed on a host. Delete it and create it again.`,
    );
  return row;
}

const ids = { server_id: 'server' } as const;
const ACTION = '/v2.1/servers/:server_id/action';

export const rescueRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'rescue',
    policy: 'compute:servers:rescue',
    summary: 'Boot a server from a rescue image',
    body: nullable(
      strict({
        adminPass: Type.Optional(text(255)),
        rescue_image_ref: Type.Optional(idOf('image')),
      }),
    ),
    async handler({ ctx, params, body }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await settled(
          tx,
          ctx,
          params.server_id,
          'rescue',
          (one) => RESCUABLE.includes(stateOf(one).vmState) && one.rescue === null,
        );
        await refuseIncapable(tx, row, { name: 'rescue', capability: 'rescue' });
        await change(ctx, row, tx, await rescueOf(tx, ctx, deps, row, body?.rescue_image_ref), 'rescue');
      });
      return { body: { adminPass: body?.adminPass ?? newPassword() } };
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'unrescue',
    policy: 'compute:servers:rescue',
    summary: 'Boot a server from its own disk again',
    status: 202,
    body: nothing,
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        // A rescue that failed is ended too.
        const row = await settled(
          tx,
          ctx,
          params.server_id,
          'unrescue',
          (one) =>
            stateOf(one).vmState === 'rescued' || (stateOf(one).vmState === 'error' && one.rescue !== null),
        );
        await change(ctx, row, tx, null, 'unrescue');
      });
      return {};
    },
  }),
];
