// Attachments of servers, as compute asks for them: claimed with the server's row, followed through the generations
// of its item, and ended by what its host reports.
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import type { IoLimits } from '../../../protocol/items.ts';
import type { Report } from '../../../protocol/link.ts';
import { removeVolume } from '../volumes/remove.ts';
import { findVolume, saveVolume } from '../volumes/store.ts';
import type { Db, VolumeRow } from '../volumes/table.ts';
import { endAttachment, insertAttachment, requireFree, updateAttachment } from './service.ts';
import type { AttachmentRow } from './table.ts';

/** A volume of a server, as the server's row keeps it. */
export type ServerAttachment = {
  attachmentId: string;
  volumeId: string;
  device: string;
  readOnly: boolean;
  boot: boolean;
  deleteOnTermination: boolean;
  tag: string | null;
  /** Going: the guest is to let go of it. */
  leaving: boolean;
  attached: boolean;
  /** Absent: none. */
  limits?: IoLimits;
};

export type AttachRequest = {
  volumeId: string;
  device: string | null;
  tag: string | null;
  deleteOnTermination: boolean;
  boot: boolean;
};
/** Without a host it is shelved: it has the volume at once, and its next guest gets it. */
export type AttachingServer = { id: string; projectId: string; hostId: string | null; hostName: string };

const MAX_VOLUMES = 26;
const letters = 'abcdefghijklmnopqrstuvwxyz';
const deviceRule = /^(?:\/dev\/)?(?:x?v|s|h)d([a-z])$/;

/** The next free name; what is asked for when it is free. The first is the guest's own disk. */
export function deviceFor(taken: readonly string[], asked: string | null, boot: boolean): string {
  const used = new Set(taken.map((device) => deviceRule.exec(device)?.[1]));
  const wanted = asked === null ? undefined : deviceRule.exec(asked)?.[1];
  if (asked !== null && wanted === undefined)
    throw badRequest(
      `The supplied device path (${asked.slice(0, 60)}) is invalid: it must be like /dev/vdb.`,
    );
  if (wanted !== undefined) {
    if (used.has(wanted) || (wanted === 'a' && !boot))
      throw badRequest(`The supplied device path (${asked}) is in use.`);
    return (asked ?? '').startsWith('/dev/') ? (asked ?? '') : `/dev/${asked}`;
  }
  const free = [...letters].find((letter) => !used.has(letter) && (boot || letter !== 'a'));
  if (free === undefined)
    throw forbidden(
      `The maximum allowed number of volumes (${MAX_VOLUMES - 1}) to attach to a single instance has been exceeded.`,
    );
  return `/dev/vd${free}`;
}

export const viewOf = (row: AttachmentRow): ServerAttachment => ({
  attachmentId: row.id,
  volumeId: row.volume_id,
  device: row.device ?? '',
  readOnly: row.mode === 'ro',
  boot: row.boot === 1,
  deleteOnTermination: row.delete_on_termination === 1,
  tag: row.tag,
  leaving: row.state === 'detaching',
  attached: row.state === 'attached' || row.state === 'detaching',
  ...(row.limits === '{}' ? {} : { limits: JSON.parse(row.limits) as IoLimits }),
});

const managedOf = (db: Db, serverId: string): Promise<AttachmentRow[]> =>
  db
    .selectFrom('volume_attachments')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('managed', '=', 1)
    .orderBy('created_at')
    .orderBy('device')
    .execute();

export type ServerVolumes = {
  attach(tx: Tx, ctx: Ctx, server: AttachingServer, request: AttachRequest): Promise<ServerAttachment>;
  /** For a volume that is made with its server: nobody else can have it. */
  attachNew(
    tx: Tx,
    volume: VolumeRow,
    server: AttachingServer,
    request: AttachRequest,
  ): Promise<ServerAttachment>;
  detach(tx: Tx, ctx: Ctx, serverId: string, volumeId: string): Promise<void>;
  setDeleteOnTermination(tx: Tx, ctx: Ctx, serverId: string, volumeId: string, value: boolean): Promise<void>;
  of(db: Db, serverIds: readonly string[]): Promise<Map<string, ServerAttachment[]>>;
  /** The server's item was compiled at this generation. */
  compiled(tx: Tx, serverId: string, generation: number): Promise<void>;
  /** What the host says of the guest's volumes. */
  reported(
    tx: Tx,
    serverId: string,
    generation: number,
    volumes: NonNullable<Report['volumes']>,
  ): Promise<void>;
  /** The server is gone with its guest. */
  gone(tx: Tx, serverId: string): Promise<void>;
  /** The guest is gone from its host, the server is not: it keeps its volumes for the next guest. */
  offHost(tx: Tx, serverId: string): Promise<void>;
};

/** `changed` is told, in the transaction, of servers whose attachments are not as they were. */
export function serverVolumes(
  platform: Platform,
  deps: {
    changed(tx: Tx, serverIds: string[]): Promise<void>;
    drop(tx: Tx, volumeId: string): Promise<void>;
  },
): ServerVolumes {
  const { clock } = platform;

  async function insert(
    tx: Tx,
    volume: VolumeRow,
    server: AttachingServer,
    request: AttachRequest,
  ): Promise<ServerAttachment> {
    const others = await managedOf(tx, server.id);
    if (others.length >= MAX_VOLUMES)
      throw forbidden(
        `The maximum allowed number of volumes (${MAX_VOLUMES}) to attach to a single instance has been exceeded.`,
      );
    const device = deviceFor(
      others.map((one) => one.device ?? ''),
      request.device,
      request.boot,
    );
    const row = await insertAttachment(tx, platform, volume, {
      server_id: server.id,
      // Where a server without a host will have to go.
      host_name: server.hostId === null ? (volume.host_name ?? '') : server.hostName,
      device,
      mode: volume.read_only === 1 ? 'ro' : 'rw',
      state: server.hostId === null ? 'attached' : 'attaching',
      managed: 1,
      boot: request.boot ? 1 : 0,
      delete_on_termination: request.deleteOnTermination ? 1 : 0,
      tag: request.tag,
    });
    await saveVolume(tx, volume, { task: null }, clock.now());
    return viewOf(row);
  }

  const one = async (tx: Tx, serverId: string, volumeId: string): Promise<AttachmentRow> => {
    const row = (await managedOf(tx, serverId)).find((each) => each.volume_id === volumeId);
    if (row === undefined) throw notFound('Volume', volumeId);
    return row;
  };

  /** Where the volumes of a server are; null: it has none. */
  const hostOfOthers = async (tx: Tx, serverId: string): Promise<string | null> => {
    const [first] = await managedOf(tx, serverId);
    if (first === undefined) return null;
    const volume = await tx
      .selectFrom('volumes')
      .select('host_id')
      .where('id', '=', first.volume_id)
      .executeTakeFirst();
    return volume?.host_id ?? null;
  };

  const save = async (tx: Tx, row: AttachmentRow, changes: Partial<AttachmentRow>): Promise<void> => {
    await updateAttachment(tx, row.id, changes);
    const volume = await tx
      .selectFrom('volumes')
      .selectAll()
      .where('id', '=', row.volume_id)
      .executeTakeFirst();
    if (volume !== undefined) await saveVolume(tx, volume, {}, clock.now());
  };

  return {
    async attach(tx, ctx, server, request) {
      const volume = await findVolume(tx, ctx, request.volumeId);
      if (volume.project_id !== server.projectId) throw notFound('Volume', request.volumeId);
      const reserved = await requireFree(tx, volume, server.id);
      const hostId = server.hostId ?? (await hostOfOthers(tx, server.id)) ?? volume.host_id;
      if (volume.host_id !== hostId)
        throw badRequest(
          `Invalid volume: volume ${volume.id} is kept on another host than server ${server.id} or its other volumes; volumes in files are attached on their own host only.`,
        );
      if (reserved !== null)
        await tx.deleteFrom('volume_attachments').where('id', '=', reserved.id).execute();
      return insert(tx, volume, server, request);
    },
    attachNew: insert,
    async detach(tx, ctx, serverId, volumeId) {
      await findVolume(tx, ctx, volumeId);
      const row = await one(tx, serverId, volumeId);
      if (row.boot === 1)
        throw forbidden(
          `Cannot detach a root device volume: server ${serverId} runs from volume ${volumeId}.`,
        );
      if (row.state === 'detaching')
        throw conflict(`Volume ${volumeId} is being detached from server ${serverId} already.`);
      // The host never heard of it.
      if (row.attach_generation === 0) await endAttachment(tx, platform, row);
      else await save(tx, row, { state: 'detaching', detach_generation: 0 });
      await deps.changed(tx, [serverId]);
    },
    async setDeleteOnTermination(tx, ctx, serverId, volumeId, value) {
      await findVolume(tx, ctx, volumeId);
      await updateAttachment(tx, (await one(tx, serverId, volumeId)).id, {
        delete_on_termination: value ? 1 : 0,
      });
      await deps.changed(tx, [serverId]);
    },
    async of(db, serverIds) {
      const found: AttachmentRow[] = [];
      for (let at = 0; at < serverIds.length; at += 500)
        found.push(
          ...(await db
            .selectFrom('volume_attachments')
            .selectAll()
            .where('server_id', 'in', serverIds.slice(at, at + 500))
            .where('managed', '=', 1)
            .orderBy('created_at')
            .orderBy('device')
            .execute()),
        );
      return new Map(
        [...Map.groupBy(found, (row) => row.server_id)].map(([id, rows]) => [id, rows.map(viewOf)]),
      );
    },
    async compiled(tx, serverId, generation) {
      for (const row of await managedOf(tx, serverId)) {
        // An attached one of a server that was on no host is with its guest from now on.
        if (row.state !== 'detaching' && row.attach_generation === 0)
          await updateAttachment(tx, row.id, { attach_generation: generation });
        if (row.state === 'detaching' && row.detach_generation === 0)
          await updateAttachment(tx, row.id, { detach_generation: generation });
      }
    },
    async reported(tx, serverId, generation, volumes) {
      const said = new Map(volumes.map((volume) => [volume.id, volume]));
      let changes = 0;
      for (const row of await managedOf(tx, serverId)) {
        const about = said.get(row.volume_id);
        if (
          row.state === 'attaching' &&
          row.attach_generation > 0 &&
          generation >= row.attach_generation &&
          about !== undefined
        ) {
          changes += 1;
          if (about.attached)
            await save(tx, row, { state: 'attached', attached_at: clock.now(), error: null });
          // Taken back as a detach is, so that a guest that took it after all lets go of it.
          else if (row.boot === 0)
            await save(tx, row, { state: 'detaching', detach_generation: 0, error: about.error });
        } else if (
          row.state === 'detaching' &&
          row.detach_generation > 0 &&
          generation >= row.detach_generation &&
          about?.attached !== true
        ) {
          changes += 1;
          await endAttachment(tx, platform, row);
        }
      }
      if (changes > 0) await deps.changed(tx, [serverId]);
    },
    async offHost(tx, serverId) {
      for (const row of await managedOf(tx, serverId)) {
        if (row.state === 'detaching') await endAttachment(tx, platform, row);
        else await save(tx, row, { state: 'attached', attach_generation: 0 });
      }
      await deps.changed(tx, [serverId]);
    },
    async gone(tx, serverId) {
      for (const row of await managedOf(tx, serverId)) {
        await endAttachment(tx, platform, row);
        if (row.delete_on_termination === 1) await removeVolume(tx, platform, deps.drop, row.volume_id);
      }
    },
  };
}
