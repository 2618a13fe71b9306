// Volumes of servers: those it is made with, and those attached and detached while it is there. The volume service
// knows who uses a volume; the server's row keeps what its item and its representation need of that.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf, nullable, since, strict, text } from '../../../kernel/schema.ts';
import { hostFacts } from '../../host/index.ts';
import type { BootImage } from '../../image/index.ts';
import type { AttachingServer, ServerAttachment } from '../../volume/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { flag, isSet, pageQuery, pageSize } from '../links.ts';
import type { BootDevice } from './boot-devices.ts';
import { refuseLocked } from './lifecycle.ts';
import { tag } from './schema.ts';
import { stateOf } from './status.ts';
import { findServer, recordAction, saveServer } from './store.ts';
import type { ServerRow } from './table.ts';

export const volumesOf = (row: Pick<ServerRow, 'volumes'>): ServerAttachment[] =>
  JSON.parse(row.volumes) as ServerAttachment[];

const asInvalid = (error: unknown): never => {
  throw error instanceof CloudError && error.status === 404
    ? badRequest(`Block Device Mapping is Invalid: ${error.publicMessage}`, 'InvalidBDM')
    : error;
};

/** What a server that boots from a volume is placed and shown by, in place of its image. */
export async function volumeAsImage(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  device: BootDevice,
): Promise<BootImage> {
  const base: BootImage = {
    id: '',
    name: '',
    diskFormat: '',
    containerFormat: 'bare',
    hash: '',
    size: 0,
    virtualSize: null,
    minDisk: 0,
    minRam: 0,
    properties: {},
  };
  if (device.source === 'image') {
    const image = await deps.images.forBoot(tx, ctx, device.id ?? '').catch(asInvalid);
    return {
      ...base,
      minRam: image.minRam,
      properties: image.properties,
      containerFormat: image.containerFormat,
    };
  }
  if (device.source !== 'volume') return base;
  const volume = await deps.volumes.find(tx, ctx, device.id ?? '').catch(asInvalid);
  if (volume.bootable !== 1)
    throw badRequest(
      `Block Device Mapping is Invalid: volume ${volume.id} is not bootable. Make it so with os-set_bootable, or make it of an image.`,
      'InvalidBDM',
    );
  const facts = JSON.parse(volume.image_metadata) as Record<string, string>;
  return { ...base, minRam: Number(facts['min_ram'] ?? 0) || 0, properties: facts };
}

/** The host that the volumes of a new server are on; null: any. */
export async function hostOfVolumes(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  devices: readonly BootDevice[],
): Promise<string | null> {
  const names = new Set<string>();
  for (const one of devices) {
    if (one.source !== 'volume') continue;
    const volume = await deps.volumes.find(tx, ctx, one.id ?? '').catch(asInvalid);
    if (volume.host_name === null)
      throw badRequest(`Block Device Mapping is Invalid: volume ${volume.id} is on no host.`, 'InvalidBDM');
    names.add(volume.host_name);
  }
  if (names.size > 1)
    throw badRequest(
      'Block Device Mapping is Invalid: the volumes are kept on different hosts; a server uses volumes of its own host only.',
      'InvalidBDM',
    );
  const [name] = names;
  return name ?? null;
}

/** Makes and attaches the volumes of a server that has found its host. */
export async function claimVolumes(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  server: AttachingServer & { hostId: string; zone: string; name: string },
  devices: readonly BootDevice[],
): Promise<void> {
  for (const one of devices.toSorted((a, b) => Number(b.boot) - Number(a.boot))) {
    const request = {
      device: one.device,
      tag: one.tag,
      deleteOnTermination: one.deleteOnTermination,
      boot: one.boot,
    };
    if (one.source === 'volume')
      await deps.volumes.attach(tx, ctx, server, { ...request, volumeId: one.id ?? '' }).catch(asInvalid);
    else {
      const wanted = {
        name: '',
        description: '',
        size: one.sizeGib,
        type: one.volumeType,
        zone: null,
        metadata: {},
        imageId: one.source === 'image' ? one.id : null,
        snapshotId: one.source === 'snapshot' ? one.id : null,
        volumeId: null,
        host: { id: server.hostId, name: server.hostName, zone: server.zone },
      };
      await deps.volumes.createFor(tx, ctx, wanted, server, request).catch(asInvalid);
    }
  }
}

export const volumesText = async (tx: Tx, deps: ComputeDeps, serverId: string): Promise<string> =>
  JSON.stringify((await deps.volumes.of(tx, [serverId])).get(serverId) ?? []);

/** Renews what server rows keep of their volumes. */
export function volumesChanged(
  platform: Platform,
  deps: ComputeDeps,
): (tx: Tx, serverIds: string[]) => Promise<void> {
  return async (tx, serverIds) => {
    const volumes = await deps.volumes.of(tx, serverIds);
    const rows = await tx.selectFrom('servers').selectAll().where('id', 'in', serverIds).execute();
    for (const row of rows) {
      const now = JSON.stringify(volumes.get(row.id) ?? []);
      if (now !== row.volumes) await saveServer(tx, row, { volumes: now }, platform.clock.now());
    }
    await platform.work.enqueue(
      tx,
      'server',
      rows.map((row) => row.id),
    );
  };
}

/** Its guest has seen the new size: the action that Nova records then. */
export function volumeExtended(
  platform: Platform,
): (tx: Tx, serverId: string, userId: string) => Promise<void> {
  return async (tx, serverId, userId) => {
    const row = await tx.selectFrom('servers').selectAll().where('id', '=', serverId).executeTakeFirst();
    if (row === undefined) return;
    const request = { platform, requestId: `req-${platform.ids.uuid()}`, actor: { userId } };
    await recordAction(tx, request, row, 'extend_volume', { done: true });
  };
}

const LIVE = ['active', 'paused', 'stopped'];

async function requireAttachable(tx: Tx, row: ServerRow, verb: string): Promise<AttachingServer> {
  const { vmState, taskState } = stateOf(row);
  if (vmState === 'shelved_offloaded' && taskState === null)
    return { id: row.id, projectId: row.project_id, hostId: null, hostName: '' };
  if (row.host_id === null || row.host_name === null || !LIVE.includes(vmState))
    throw conflict(`Cannot '${verb}' instance ${row.id} while it is in vm_state ${vmState}`);
  if (taskState !== null)
    throw conflict(`Cannot '${verb}' instance ${row.id} while it is in task_state ${taskState}`);
  const facts = await hostFacts(tx, row.host_id);
  const guest = facts?.guests.find((one) => one.type === row.type);
  if (guest?.capabilities.includes('volumes') !== true)
    throw conflict(
      `Cannot '${verb}' instance ${row.id}: it is a ${row.type === 'vm' ? 'virtual machine' : 'container'}, and ${guest?.hypervisorType ?? 'its hypervisor'} on its host cannot attach volumes to those.`,
    );
  return { id: row.id, projectId: row.project_id, hostId: row.host_id, hostName: row.host_name };
}

const view = (ctx: Ctx, serverId: string, one: ServerAttachment) => ({
  ...(ctx.microversion < 89
    ? { id: one.volumeId }
    : { attachment_id: one.attachmentId, bdm_uuid: one.attachmentId }),
  serverId,
  volumeId: one.volumeId,
  device: one.device,
  ...(ctx.microversion >= 70 ? { tag: one.tag } : {}),
  ...(ctx.microversion >= 79 ? { delete_on_termination: one.deleteOnTermination } : {}),
});

const ids = { server_id: 'server' } as const;
const both = { ...ids, volume_id: 'volume' } as const;
const PATH = '/v2.1/servers/:server_id/os-volume_attachments';

const attachmentIn = (row: ServerRow, volumeId: string): ServerAttachment => {
  const one = volumesOf(row).find((each) => each.volumeId === volumeId);
  if (one === undefined) throw notFound('Volume attachment', volumeId);
  return one;
};

export const volumeAttachmentRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy: 'compute:servers:show',
    summary: 'List the volumes of a server',
    query: Type.Object({
      ...pageQuery,
      offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
    }),
    async handler({ ctx, params, query }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      const first = query.offset ?? 0;
      return {
        body: {
          volumeAttachments: volumesOf(row)
            .slice(first, first + pageSize(query.limit))
            .map((one) => view(ctx, row.id, one)),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: `${PATH}/:volume_id`,
    ids: both,
    policy: 'compute:servers:show',
    summary: 'Show a volume of a server',
    async handler({ ctx, params }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      return { body: { volumeAttachment: view(ctx, row.id, attachmentIn(row, params.volume_id)) } };
    },
  }),
  route({
    method: 'POST',
    path: PATH,
    ids,
    policy: 'compute:servers:volumes',
    summary: 'Attach a volume to a server',
    body: strict({
      volumeAttachment: strict({
        volumeId: idOf('volume'),
        device: Type.Optional(nullable(text(255))),
        tag: since('2.49', Type.Optional(tag)),
        delete_on_termination: since('2.79', Type.Optional(flag())),
      }),
    }),
    async handler({ ctx, params, body }) {
      const asked = body.volumeAttachment;
      return ctx.platform.db.tx(async (tx) => {
        const row = await findServer(tx, ctx, params.server_id);
        refuseLocked(ctx, row);
        await deps.volumes.find(tx, ctx, asked.volumeId);
        const server = await requireAttachable(tx, row, 'attach_volume');
        const device =
          asked.device === undefined || asked.device === null || asked.device === '' ? null : asked.device;
        const one = await deps.volumes.attach(tx, ctx, server, {
          volumeId: asked.volumeId,
          device,
          tag: asked.tag ?? null,
          deleteOnTermination: isSet(asked.delete_on_termination),
          boot: false,
        });
        await saveServer(tx, row, { volumes: await volumesText(tx, deps, row.id) }, ctx.platform.clock.now());
        await recordAction(tx, ctx, row, 'attach_volume', { done: true });
        await audit(tx, ctx, 'server', row.id);
        await ctx.platform.work.enqueue(tx, 'server', [row.id]);
        return { body: { volumeAttachment: view(ctx, row.id, one) } };
      });
    },
  }),
  route({
    method: 'PUT',
    path: `${PATH}/:volume_id`,
    ids: both,
    policy: 'compute:servers:volumes',
    summary: 'Say whether a volume goes with its server',
    body: strict({
      volumeAttachment: strict({
        volumeId: idOf('volume'),
        delete_on_termination: since('2.85', Type.Optional(flag())),
        // What a client read before and sends back; nothing of it is changed.
        id: since('2.85', Type.Optional(idOf('volume'))),
        serverId: since('2.85', Type.Optional(idOf('server'))),
        device: since('2.85', Type.Optional(nullable(text(255)))),
        tag: since('2.85', Type.Optional(nullable(text(255)))),
      }),
    }),
    status: 202,
    async handler({ ctx, params, body }) {
      const asked = body.volumeAttachment;
      await ctx.platform.db.tx(async (tx) => {
        const row = await findServer(tx, ctx, params.server_id);
        refuseLocked(ctx, row);
        attachmentIn(row, params.volume_id);
        if (asked.volumeId !== params.volume_id) {
          await deps.volumes.find(tx, ctx, asked.volumeId).catch((error: unknown) => {
            throw error instanceof CloudError && error.status === 404
              ? badRequest(error.publicMessage)
              : error;
          });
          throw badRequest(
            `Volumes cannot be swapped under a guest: attach volume ${asked.volumeId} and detach ${params.volume_id} instead.`,
          );
        }
        if (asked.delete_on_termination === undefined)
          throw badRequest(
            `Invalid input for field/attribute volumeId. Value: ${asked.volumeId}. It is the volume that is attached already.`,
          );
        await deps.volumes.setDeleteOnTermination(
          tx,
          ctx,
          row.id,
          params.volume_id,
          isSet(asked.delete_on_termination),
        );
        await audit(tx, ctx, 'server', row.id);
      });
      return {};
    },
  }),
  route({
    method: 'DELETE',
    path: `${PATH}/:volume_id`,
    ids: both,
    policy: 'compute:servers:volumes',
    summary: 'Detach a volume from a server',
    status: 202,
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await findServer(tx, ctx, params.server_id);
        refuseLocked(ctx, row);
        attachmentIn(row, params.volume_id);
        await requireAttachable(tx, row, 'detach_volume');
        await deps.volumes.detach(tx, ctx, row.id, params.volume_id);
        await recordAction(tx, ctx, row, 'detach_volume', { done: true });
        await audit(tx, ctx, 'server', row.id);
      });
      return {};
    },
  }),
];
