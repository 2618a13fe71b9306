// The simulated volume driver. What a disk would hold lives in `SimVolumeHost`, which outlives a simulated crash.
import { DriverError } from '../../errors.ts';
import { GIB, type VolumeDriver, type VolumeSource, type VolumeState } from '../driver.ts';

export type SimVolume = {
  sizeGib: number;
  content: string;
  revertCount: number;
  holder: string | null;
  readOnly: boolean;
  /** Of the last replacement of its content. */
  replaced?: string;
};

export type SimVolumeHost = {
  volumes: Map<string, SimVolume>;
  snapshots: Map<string, { volumeId: string; content: string }>;
};

export const createSimVolumeHost = (): SimVolumeHost => ({
  volumes: new Map(),
  snapshots: new Map(),
});

export function createSimVolumeDriver(host: SimVolumeHost): VolumeDriver {
  const volume = (id: string): SimVolume => {
    const found = host.volumes.get(id);
    if (found === undefined) throw new DriverError('failed', `volume ${id} is not on this host`);
    return found;
  };
  const contentOf = (source: VolumeSource): string => {
    if (source.type === 'empty') return '';
    if (source.type === 'image') return source.imageId;
    const from = source.type === 'volume' ? host.volumes.get(source.id) : host.snapshots.get(source.id);
    if (from === undefined)
      throw new DriverError('failed', `${source.type} ${source.id} is not on this host`);
    return from.content;
  };
  const view = (id: string, of: SimVolume): VolumeState => ({
    id,
    sizeGib: of.sizeGib,
    revertCount: of.revertCount,
    depth: 1,
    holder: of.holder,
  });
  return {
    name: 'sim',
    probe: async () => ({
      driver: 'sim',
      totalGib: 1_000_000,
      capabilities: ['snapshot', 'clone', 'extend-attached', 'revert'],
    }),
    list: async () => ({ volumes: [...host.volumes.keys()], snapshots: [...host.snapshots.keys()] }),
    get: async (id) => {
      const found = host.volumes.get(id);
      return found === undefined ? null : view(id, found);
    },
    async create(id, sizeGib, source) {
      if (!host.volumes.has(id))
        host.volumes.set(id, {
          sizeGib,
          content: contentOf(source),
          revertCount: 0,
          holder: null,
          readOnly: false,
        });
    },
    async extend(id, sizeGib) {
      const found = volume(id);
      found.sizeGib = Math.max(found.sizeGib, sizeGib);
    },
    async remove(id) {
      host.volumes.delete(id);
    },
    async snapshot(id, volumeId) {
      if (!host.snapshots.has(id)) host.snapshots.set(id, { volumeId, content: volume(volumeId).content });
    },
    async removeSnapshot(id) {
      host.snapshots.delete(id);
    },
    async revert(volumeId, snapshotId, count) {
      const found = volume(volumeId);
      if (found.revertCount >= count) return;
      if (found.holder !== null)
        throw new DriverError('failed', `volume ${volumeId} is in use; detach it first`);
      found.content = contentOf({ type: 'snapshot', id: snapshotId });
      found.revertCount = count;
    },
    async hold(volumeId, serverId, _uid, readOnly) {
      const found = volume(volumeId);
      if (found.holder !== null && found.holder !== serverId)
        throw new DriverError(
          'failed',
          `volume ${volumeId} is still in use by server ${found.holder} on this host; it is tried again`,
        );
      found.holder = serverId;
      found.readOnly = readOnly;
      return {
        layers: [{ id: 'l0', path: `/simulated/${volumeId}`, format: 'raw' }],
        size: found.sizeGib * GIB,
        readOnly,
      };
    },
    prepare: async () => null,
    forget: async () => {},
    settled: async () => {},
    async release(volumeId, serverId) {
      const found = host.volumes.get(volumeId);
      if (found?.holder === serverId) found.holder = null;
    },
    heldBy: async (serverId) =>
      [...host.volumes].flatMap(([id, one]) => (one.holder === serverId ? [id] : [])),
    exportTo: async () => {
      throw new DriverError('unavailable', 'simulated volumes have no content to read');
    },
    async *extents(kind, id) {
      const text = contentOf({ type: kind, id });
      if (text !== '') yield { offset: 0, data: Buffer.from(text) };
    },
    async replace(id, token, extents) {
      const found = volume(id);
      if (found.replaced === token) return;
      if (found.holder !== null) throw new DriverError('failed', `volume ${id} is in use; detach it first`);
      let text = '';
      for await (const { data } of extents) text += data.toString();
      // A chunk is padded with zeros to its end.
      found.content = text.replaceAll('\0', '');
      found.replaced = token;
    },
    flatten: async () => 0,
    close: async () => {},
  };
}
