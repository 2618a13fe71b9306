// Volumes and snapshots: each is its driver's verb. Where a guest has the volume open, the guest follows: it moves to
// the new layer before a snapshot or a clone counts as taken, and sees a new size at once.
import type { Clock } from '../../kernel/clock.ts';
import type { ItemOf, VolumeBody } from '../../protocol/items.ts';
import { keyOf, referencesOf, Waiting, type Controller, type HostState } from '../controller.ts';
import { DriverError } from '../drivers/errors.ts';
import type { VolumeDriver, VolumeSource } from '../drivers/volume/driver.ts';
import type { ImageCache } from '../image-cache.ts';

const FLATTEN_EVERY_MS = 60_000;

export type VolumeControllers = { volume: Controller<'volume'>; snapshot: Controller<'snapshot'> };

export function volumeControllers(parts: {
  driver: VolumeDriver | null;
  images: ImageCache;
  clock: Clock;
  /** Lets a running guest follow what changed of a volume. */
  syncVolume(serverId: string, volumeId: string, host: HostState): Promise<void>;
}): VolumeControllers {
  const { images, clock, syncVolume } = parts;
  const driver = (): VolumeDriver => {
    if (parts.driver === null) throw new DriverError('unavailable', 'This host keeps no volumes.');
    return parts.driver;
  };

  async function sourceOf(source: VolumeBody['source']): Promise<VolumeSource> {
    if (source === null) return { type: 'empty' };
    if (source.type !== 'image') return source;
    const { image } = source;
    if (image.diskFormat !== 'raw' && image.diskFormat !== 'qcow2')
      throw new DriverError(
        'refused',
        `Image ${image.id} is ${image.diskFormat}; volumes are made of raw and qcow2 images.`,
      );
    return { type: 'image', imageId: image.id, path: await images.ensure(image), format: image.diskFormat };
  }

  async function guestsFollow(volumeId: string, host: HostState): Promise<void> {
    for (const key of host.usersOf('volume', volumeId)) {
      const [kind, id = ''] = key.split('/');
      if (kind === 'server') await syncVolume(id, volumeId, host);
    }
  }

  async function ensureVolume({ id, body, generation }: ItemOf<'volume'>, host: HostState) {
    if (body === null) return {};
    let state = await driver().get(id);
    if (state === null) {
      // A volume that was here must not come back empty.
      const applied = host.stored('volume', id)?.applied ?? 0;
      if (applied > 0)
        throw new DriverError(
          'refused',
          `The files of volume ${id} are gone from its host. Restore it from a backup, or delete it.`,
        );
      await driver().create(id, body.sizeGib, await sourceOf(body.source));
      if (body.source?.type === 'volume') await guestsFollow(body.source.id, host);
      state = await driver().get(id);
    } else if (body.source?.type === 'volume' && (host.stored('volume', id)?.applied ?? 0) < generation)
      await guestsFollow(body.source.id, host);
    if (state !== null && state.sizeGib < body.sizeGib) {
      await driver().extend(id, body.sizeGib);
      await guestsFollow(id, host);
    }
    if (state !== null && body.revertTo !== null && state.revertCount < body.revertCount)
      await driver().revert(id, body.revertTo, body.revertCount);
    return { sizeGib: body.sizeGib, revertCount: body.revertCount };
  }

  return {
    volume: {
      kind: 'volume',
      needs: referencesOf,
      ensure: ensureVolume,
      async remove(id) {
        const state = await parts.driver?.get(id);
        // Its server goes first; it is asked again when that is gone.
        if (state?.holder !== null && state?.holder !== undefined)
          throw new Waiting(keyOf('server', state.holder));
        await parts.driver?.remove(id);
      },
      observe: async () => (parts.driver === null ? [] : (await parts.driver.list()).volumes),
      watch() {
        let cancel = (): void => {};
        let over = false;
        const again = (): void => {
          if (!over)
            cancel = clock.timer(
              FLATTEN_EVERY_MS,
              () => void (parts.driver?.flatten() ?? Promise.resolve()).then(again, again),
            );
        };
        if (parts.driver !== null) again();
        return () => {
          over = true;
          cancel();
        };
      },
    },
    snapshot: {
      kind: 'snapshot',
      needs: referencesOf,
      async ensure(item, host) {
        if (item.body === null) return {};
        const taken = (host.stored('snapshot', item.id)?.applied ?? 0) >= item.generation;
        // What was taken once is never taken again of what the volume has become.
        if (taken && !(await driver().list()).snapshots.includes(item.id))
          throw new DriverError(
            'refused',
            `The files of snapshot ${item.id} are gone from its host. Delete it.`,
          );
        await driver().snapshot(item.id, item.body.volumeId);
        if (!taken) await guestsFollow(item.body.volumeId, host);
        return {};
      },
      remove: async (id) => parts.driver?.removeSnapshot(id),
      observe: async () => (parts.driver === null ? [] : (await parts.driver.list()).snapshots),
      watch: () => () => {},
    },
  };
}
