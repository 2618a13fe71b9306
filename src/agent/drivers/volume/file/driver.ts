// Volumes as chains of qcow2 files. A snapshot or a clone freezes the top file and puts an empty one over it, so that
// neither depends on the size; files that nobody names any more are removed. A guest gets at its files through hard
// links in a folder that only its own user may enter, so that no other guest can, and nothing has to be mounted.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, link, mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../../../kernel/log.ts';
import { DriverError } from '../../errors.ts';
import { GIB, type HeldVolume, type VolumeDriver, type VolumeLayer, type VolumeSource } from '../driver.ts';
import { copyChain, createLayer, explained, growLayer, sizeOf } from './disk-images.ts';
import { contentVerbs } from './content.ts';
import { imageLayerOf, keepImage } from './image-layer.ts';
import { createRecords, type Layer, type VolumeRecord } from './records.ts';

export type FileVolumeOptions = {
  /** Everything lies below it. On the same file system as the image cache, or images are copied. */
  dir: string;
  log: Log;
  /** Chains longer than this are shortened in the background; default 8. */
  maxDepth?: number;
};

/** A chain is never longer than this: what takes more snapshots waits until its chain has been shortened. */
const HARD_DEPTH = 64;
const newLayerId = (): string => `l${randomBytes(11).toString('hex')}`;

export function createFileVolumeDriver({ dir, log, maxDepth = 8 }: FileVolumeOptions): VolumeDriver {
  const records = createRecords(join(dir, 'records'));
  const layersDir = join(dir, 'layers');
  const attachedDir = join(dir, 'attached');
  const pathOf = (layer: Layer): string => join(layersDir, `${layer.id}.${layer.format}`);
  const full = (chain: readonly Layer[]): VolumeLayer[] =>
    chain.map((layer) => ({ ...layer, path: pathOf(layer) }));
  let opened: Promise<void> | null = null;
  let tail: Promise<unknown> = Promise.resolve();
  /** Layers that a verb has made and no record names yet. */
  const young = new Set<string>();
  /** Layers that something long reads. */
  const inUse = new Map<string, number>();

  const ready = (): Promise<void> => {
    opened ??= (async () => {
      for (const path of [layersDir, attachedDir]) await mkdir(path, { recursive: true });
      // only root looks in here; guests begin in their own folder
      await chmod(dir, 0o700);
      await chmod(attachedDir, 0o700);
      await chmod(layersDir, 0o700);
      await records.load();
      for (const name of await readdir(dir))
        if (name.startsWith('copy-')) await rm(join(dir, name), { force: true });
      await sweep();
    })().catch((error: unknown) => {
      opened = null;
      throw explained(error, 'the volumes of this host cannot be read');
    });
    return opened;
  };
  /** Verbs that change records run one after the other; none of them depends on the size of a volume. */
  const inTurn = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    await ready();
    const mine = tail.then(work, work);
    tail = mine.catch(() => {});
    try {
      return await mine;
    } catch (error) {
      throw explained(error, what);
    }
  };

  /** Removes the layers that no record names. */
  async function sweep(): Promise<void> {
    const named = new Set(
      [...records.all('volume'), ...records.all('snapshot')].flatMap(([, record]) =>
        record.chain.map((layer) => layer.id),
      ),
    );
    for (const name of await readdir(layersDir)) {
      const id = name.split('.')[0] ?? '';
      if (!named.has(id) && !young.has(id) && !inUse.has(id))
        await rm(join(layersDir, name), { force: true });
    }
  }

  async function newTop(bytes: number): Promise<Layer> {
    const layer: Layer = { id: newLayerId(), format: 'qcow2' };
    young.add(layer.id);
    await createLayer(pathOf(layer), bytes);
    await chmod(pathOf(layer), 0o600);
    return layer;
  }
  const settle = (layer: Layer): void => void young.delete(layer.id);

  const volume = (id: string): VolumeRecord => {
    const record = records.get('volume', id);
    if (record === null) throw new DriverError('failed', `volume ${id} is not on this host`);
    return record;
  };

  /** What lies below the top of a new volume. */
  async function baseOf(source: VolumeSource, sizeGib: number): Promise<Layer[]> {
    if (source.type === 'empty') return [];
    if (source.type === 'image') {
      const layer = imageLayerOf(source);
      young.add(layer.id);
      await keepImage(source.path, pathOf(layer));
      const size = await sizeOf({ ...layer, path: pathOf(layer) });
      if (size > sizeGib * GIB)
        throw new DriverError(
          'refused',
          `a volume of ${sizeGib} GiB is too small for image ${source.imageId}, whose disk has ${size} bytes`,
        );
      return [layer];
    }
    const from =
      source.type === 'snapshot' ? records.get('snapshot', source.id) : records.get('volume', source.id);
    if (from === null) throw new DriverError('failed', `${source.type} ${source.id} is not on this host`);
    if (source.type === 'snapshot') return from.chain;
    return freeze(source.id);
  }

  /** Puts an empty layer over the top of a volume; returns what was its chain, which nobody writes to from then on. */
  async function freeze(volumeId: string): Promise<Layer[]> {
    const record = volume(volumeId);
    if (record.chain.length >= HARD_DEPTH)
      throw new DriverError(
        'failed',
        `volume ${volumeId} has ${record.chain.length} layers already; it is tried again when they have been merged`,
      );
    const top = await newTop(record.sizeGib * GIB);
    const writing =
      record.holder === null ? [] : [...record.writing, ...record.chain.slice(0, 1).map((layer) => layer.id)];
    await records.put('volume', volumeId, { ...record, chain: [top, ...record.chain], writing });
    settle(top);
    return record.chain;
  }

  const folderOf = (serverId: string, volumeId: string): string => join(attachedDir, serverId, volumeId);
  /** A server's process runs in it: it is made once and stays until that is gone. */
  async function serverFolder(serverId: string, uid: number): Promise<string> {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(serverId)) throw new Error(`not a server id: ${serverId}`);
    const folder = join(attachedDir, serverId);
    await mkdir(folder, { recursive: true, mode: 0o500 });
    await chown(folder, uid, 0);
    return folder;
  }

  const content = contentVerbs({
    dir,
    ready,
    inTurn,
    records,
    reading: (chain, what, work) => reading(chain, what, work),
    newLayerId,
    newTop,
    pathOf,
    full,
    young,
    sweep,
  });
  return {
    name: 'file',
    async probe() {
      await ready();
      const disk = await statfs(dir);
      return {
        driver: 'file',
        totalGib: Math.floor((disk.bavail * disk.bsize) / GIB),
        capabilities: ['snapshot', 'clone', 'extend-attached', 'revert'],
      };
    },
    async list() {
      await ready();
      return {
        volumes: records.all('volume').map(([id]) => id),
        snapshots: records.all('snapshot').map(([id]) => id),
      };
    },
    async get(id) {
      await ready();
      const record = records.get('volume', id);
      return record === null
        ? null
        : {
            id,
            sizeGib: record.sizeGib,
            revertCount: record.revertCount,
            depth: record.chain.length,
            holder: record.holder?.serverId ?? null,
          };
    },
    create: (id, sizeGib, source) =>
      inTurn(`volume ${id} cannot be created`, async () => {
        if (records.get('volume', id) !== null) return;
        const base = await baseOf(source, sizeGib);
        const top = await newTop(sizeGib * GIB);
        await records.put('volume', id, {
          sizeGib,
          chain: [top, ...base],
          revertCount: 0,
          writing: [],
          holder: null,
        });
        for (const layer of [top, ...base]) settle(layer);
      }),
    extend: (id, sizeGib) =>
      inTurn(`volume ${id} cannot be extended`, async () => {
        const record = volume(id);
        if (record.sizeGib >= sizeGib) return;
        const [top] = full(record.chain);
        // A guest that has it open grows it by itself, with its next syncVolumes.
        if (top !== undefined && record.holder === null) await growLayer(top, sizeGib * GIB);
        await records.put('volume', id, { ...record, sizeGib });
      }),
    remove: (id) =>
      inTurn(`volume ${id} cannot be removed`, async () => {
        const record = records.get('volume', id);
        if (record === null) return;
        if (record.holder !== null)
          await rm(folderOf(record.holder.serverId, id), { recursive: true, force: true });
        await records.remove('volume', id);
        await sweep();
      }),
    snapshot: (id, volumeId) =>
      inTurn(`snapshot ${id} cannot be taken`, async () => {
        const record = records.get('snapshot', id);
        const { sizeGib, chain } = volume(volumeId);
        // Named before it is frozen, so that nothing is lost by a crash in between: it is frozen with the next try.
        if (record === null) await records.put('snapshot', id, { volumeId, sizeGib, chain });
        if (record === null || record.chain[0]?.id === chain[0]?.id) await freeze(volumeId);
      }),
    removeSnapshot: (id) =>
      inTurn(`snapshot ${id} cannot be removed`, async () => {
        if (records.get('snapshot', id) === null) return;
        await records.remove('snapshot', id);
        await sweep();
      }),
    revert: (volumeId, snapshotId, count) =>
      inTurn(`volume ${volumeId} cannot return to snapshot ${snapshotId}`, async () => {
        const record = volume(volumeId);
        if (record.revertCount >= count) return;
        const snapshot = records.get('snapshot', snapshotId);
        if (snapshot === null) throw new DriverError('failed', `snapshot ${snapshotId} is not on this host`);
        if (record.holder !== null)
          throw new DriverError('failed', `volume ${volumeId} is in use; detach it first`);
        const top = await newTop(record.sizeGib * GIB);
        await records.put('volume', volumeId, {
          ...record,
          chain: [top, ...snapshot.chain],
          revertCount: count,
        });
        settle(top);
        await sweep();
      }),
    hold: (volumeId, serverId, uid, readOnly) =>
      inTurn(`volume ${volumeId} cannot be attached`, async (): Promise<HeldVolume> => {
        const record = volume(volumeId);
        const { holder } = record;
        if (holder !== null && holder.serverId !== serverId)
          throw new DriverError(
            'failed',
            `volume ${volumeId} is still in use by server ${holder.serverId} on this host; it is tried again`,
          );
        // Said before anything is opened up, so that a crash never leaves an unknown user.
        if (holder?.uid !== uid || holder.readOnly !== readOnly)
          await records.put('volume', volumeId, { ...record, holder: { serverId, uid, readOnly } });
        await serverFolder(serverId, uid);
        const folder = folderOf(serverId, volumeId);
        await mkdir(folder, { recursive: true, mode: 0o500 });
        await chown(folder, uid, 0);
        const wanted = new Map(record.chain.map((layer) => [`${layer.id}.${layer.format}`, layer]));
        for (const [name, layer] of wanted) {
          const path = join(folder, name);
          const top = layer === record.chain[0];
          // What is frozen belongs to nobody, also where the guest still has it open.
          await chown(pathOf(layer), top ? uid : 0, 0);
          await chmod(pathOf(layer), top ? 0o600 : 0o444);
          if (!existsSync(path)) await link(pathOf(layer), path);
        }
        // The top was grown in the record while a guest held it that never ran again.
        const [top] = full(record.chain);
        if (top !== undefined && holder === null && (await sizeOf(top)) < record.sizeGib * GIB)
          await growLayer(top, record.sizeGib * GIB);
        return {
          layers: record.chain.map((layer) => ({
            ...layer,
            path: `${volumeId}/${layer.id}.${layer.format}`,
          })),
          size: record.sizeGib * GIB,
          readOnly,
        };
      }),
    prepare: (serverId, uid) =>
      inTurn(`server ${serverId} cannot be given a folder for its volumes`, () =>
        serverFolder(serverId, uid),
      ),
    async forget(serverId) {
      await ready();
      await rm(join(attachedDir, serverId), { recursive: true, force: true });
    },
    settled: (volumeId, serverId, layerId) =>
      inTurn(`volume ${volumeId} cannot be settled`, async () => {
        const record = volume(volumeId);
        if (record.holder?.serverId !== serverId || record.writing.length === 0) return;
        // Layers that were put over it since are written to by nobody yet.
        const at = record.chain.findIndex((layer) => layer.id === layerId);
        const above = new Set(record.chain.slice(0, Math.max(at, 0) + 1).map((layer) => layer.id));
        await records.put('volume', volumeId, {
          ...record,
          writing: record.writing.filter((id) => above.has(id)),
        });
      }),
    release: (volumeId, serverId) =>
      inTurn(`volume ${volumeId} cannot be released`, async () => {
        const record = records.get('volume', volumeId);
        await rm(folderOf(serverId, volumeId), { recursive: true, force: true });
        if (record === null || record.holder?.serverId !== serverId) return;
        const [top] = full(record.chain);
        if (top !== undefined) {
          await chown(top.path, 0, 0);
          if ((await sizeOf(top)) < record.sizeGib * GIB) await growLayer(top, record.sizeGib * GIB);
        }
        await records.put('volume', volumeId, { ...record, writing: [], holder: null });
      }),
    async heldBy(serverId) {
      await ready();
      return records
        .all('volume')
        .flatMap(([id, record]) => (record.holder?.serverId === serverId ? [id] : []));
    },
    ...content,
    async flatten() {
      await ready();
      let shortened = 0;
      for (const kind of ['volume', 'snapshot'] as const)
        for (const [id, record] of records.all(kind))
          if (record.chain.length > maxDepth && (await shorten(kind, id))) shortened += 1;
      return shortened;
    },
    close: () =>
      tail.then(
        () => {},
        () => {},
      ),
  };

  /** Keeps the layers while something long reads them. */
  async function reading(chain: readonly Layer[], what: string, work: () => Promise<void>): Promise<void> {
    for (const { id } of chain) inUse.set(id, (inUse.get(id) ?? 0) + 1);
    try {
      await work();
    } catch (error) {
      throw explained(error, what);
    } finally {
      for (const { id } of chain) {
        const left = (inUse.get(id) ?? 1) - 1;
        if (left === 0) inUse.delete(id);
        else inUse.set(id, left);
      }
    }
  }

  /** Merges what nobody writes to into one layer. A guest that runs keeps the old files until it closes them. */
  async function shorten(kind: 'volume' | 'snapshot', id: string): Promise<boolean> {
    const frozenOf = (chain: readonly Layer[]): Layer[] => (kind === 'volume' ? chain.slice(1) : [...chain]);
    const before = records.get(kind, id);
    const frozen = frozenOf(before?.chain ?? []);
    const [first] = frozen;
    const written = new Set(records.all('volume').flatMap(([, record]) => record.writing));
    if (before === null || first === undefined || frozen.some((layer) => written.has(layer.id))) return false;
    const merged: Layer = { id: newLayerId(), format: 'qcow2' };
    young.add(merged.id);
    try {
      await reading(frozen, `${kind} ${id} cannot be shortened`, () =>
        copyChain(full(frozen), 'qcow2', pathOf(merged)),
      );
      await chmod(pathOf(merged), 0o444);
      return await inTurn(`${kind} ${id} cannot be shortened`, async () => {
        const now = records.get(kind, id);
        // Frozen further meanwhile: what was merged still lies below.
        const at = now?.chain.findIndex((layer) => layer.id === first.id) ?? -1;
        const same =
          now !== null && at >= 0 && JSON.stringify(now.chain.slice(at)) === JSON.stringify(frozen);
        if (same)
          await records.put(kind, id, { ...now, chain: [...now.chain.slice(0, at), merged] } as never);
        young.delete(merged.id);
        await sweep();
        return same;
      });
    } catch (error) {
      young.delete(merged.id);
      await rm(pathOf(merged), { force: true });
      log.warn(
        { kind, id, error: String(error) },
        'a chain of volume layers was not shortened; tried again later',
      );
      return false;
    }
  }
}
