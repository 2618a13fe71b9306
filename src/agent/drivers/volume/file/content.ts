// The whole content of volumes, read out and put in: what backups are made of and restored with.
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DriverError } from '../../errors.ts';
import { GIB, type VolumeDriver, type VolumeLayer } from '../driver.ts';
import { copyChain, explained } from './disk-images.ts';
import { readExtents, writeExtents } from './extents.ts';
import type { Layer, RecordStore, VolumeRecord } from './records.ts';

type Parts = {
  dir: string;
  ready(): Promise<void>;
  inTurn<T>(what: string, work: () => Promise<T>): Promise<T>;
  records: RecordStore;
  /** Keeps the layers while something long reads them. */
  reading(chain: readonly Layer[], what: string, work: () => Promise<void>): Promise<void>;
  newLayerId(): string;
  newTop(bytes: number): Promise<Layer>;
  pathOf(layer: Layer): string;
  full(chain: readonly Layer[]): VolumeLayer[];
  /** Layers that no record names yet. */
  young: Set<string>;
  sweep(): Promise<void>;
};

export function contentVerbs(parts: Parts): Pick<VolumeDriver, 'exportTo' | 'extents' | 'replace'> {
  const { dir, ready, inTurn, records, reading, newLayerId, newTop, pathOf, full, young, sweep } = parts;
  const volume = (id: string): VolumeRecord => {
    const record = records.get('volume', id);
    if (record === null) throw new DriverError('failed', `volume ${id} is not on this host`);
    return record;
  };
  return {
    async exportTo(kind, id, format, path) {
      await ready();
      const chain = records.get(kind, id)?.chain;
      if (chain === undefined) throw new DriverError('failed', `${kind} ${id} is not on this host`);
      await reading(chain, `${kind} ${id} cannot be read`, () => copyChain(full(chain), format, path));
    },
    async *extents(kind, id) {
      await ready();
      const chain = records.get(kind, id)?.chain;
      if (chain === undefined) throw new DriverError('failed', `${kind} ${id} is not on this host`);
      const what = `${kind} ${id} cannot be read`;
      const copy = join(dir, `copy-${newLayerId()}`);
      try {
        await reading(chain, what, () => copyChain(full(chain), 'raw', copy));
        yield* readExtents(copy);
      } catch (error) {
        throw explained(error, what);
      } finally {
        await rm(copy, { force: true });
      }
    },
    async replace(id, token, extents) {
      await ready();
      if (volume(id).replaced === token) return;
      const what = `the content of volume ${id} cannot be replaced`;
      const base: Layer = { id: newLayerId(), format: 'raw' };
      young.add(base.id);
      try {
        // Written aside, so that a crash or a broken source leaves the volume as it is.
        await writeExtents(pathOf(base), volume(id).sizeGib * GIB, extents);
        await chmod(pathOf(base), 0o444);
        await inTurn(what, async () => {
          const record = volume(id);
          if (record.replaced === token) return;
          if (record.holder !== null)
            throw new DriverError('failed', `volume ${id} is in use; detach it first`);
          const top = await newTop(record.sizeGib * GIB);
          await records.put('volume', id, { ...record, chain: [top, base], replaced: token });
          young.delete(top.id);
        });
      } catch (error) {
        throw explained(error, what);
      } finally {
        young.delete(base.id);
        await inTurn(what, sweep);
      }
    },
  };
}
