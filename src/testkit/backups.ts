// The store of backups of a simulated cloud: objects that outlive the process, which can be killed before and after
// each of them is written.
import type { BackupObjects } from '../control/volume/index.ts';
import type { Boundary } from './boundary.ts';

/** Container and key -> content. */
export type SimBackups = Map<string, Buffer>;

export const simBackups = (held: SimBackups, boundary: Boundary): BackupObjects => ({
  service: 'cinder.backup.drivers.strata.sim',
  put: (container, key, content) =>
    boundary.around('backup put', async () => void held.set(`${container}/${key}`, content)),
  get: (container, key) => boundary.around('backup get', async () => held.get(`${container}/${key}`) ?? null),
  removeAll: (container, prefix) =>
    boundary.around('backup remove', async () => {
      for (const key of held.keys()) if (key.startsWith(`${container}/${prefix}`)) held.delete(key);
    }),
});
