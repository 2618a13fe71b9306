// Where backups are kept, apart from the volumes that they are of: whole objects in named containers, so that an
// object store can do it as well as this folder.
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export type BackupObjects = {
  /** As `backup_service` of exported records names it. */
  readonly service: string;
  /** Durable when it resolves; overwrites. */
  put(container: string, key: string, content: Buffer): Promise<void>;
  /** null: there is none. */
  get(container: string, key: string): Promise<Buffer | null>;
  /** All whose key begins with `prefix`, a folder or the beginning of a name. Repeatable. */
  removeAll(container: string, prefix: string): Promise<void>;
};

const CONTAINER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9][A-Za-z0-9_.-]*){0,7}$/;
export const isContainer = (name: string): boolean => CONTAINER.test(name);
export const isKey = (key: string): boolean => key.length <= 512 && KEY.test(key);

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** False: it holds something, were it only since now. */
const isRemoved = (folder: string): Promise<boolean> =>
  rmdir(folder).then(
    () => true,
    () => false,
  );

export function fileObjects(dir: string): BackupObjects {
  const pathOf = (container: string, key: string): string => {
    if (!isContainer(container) || !isKey(key)) throw new Error(`not an object: ${container} ${key}`);
    return join(dir, container, key);
  };
  return {
    service: 'cinder.backup.drivers.strata.files',
    async put(container, key, content) {
      const path = pathOf(container, key);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const aside = `${path}.${randomUUID()}.part`;
      try {
        const handle = await open(aside, 'wx', 0o600);
        try {
          await handle.writeFile(content);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(aside, path);
        await syncFolder(dirname(path));
      } catch (error) {
        await rm(aside, { force: true });
        throw error;
      }
    },
    get: (container, key) =>
      readFile(pathOf(container, key)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      }),
    async removeAll(container, prefix) {
      const path = pathOf(container, prefix);
      const folder = dirname(path);
      const start = path.slice(folder.length + 1);
      const names = await readdir(folder).catch(() => []);
      for (const name of names.filter((one) => one.startsWith(start)))
        await rm(join(folder, name), { recursive: true, force: true });
      // Folders that hold nothing any more, as far up as the container.
      for (let up = folder; up !== dir && up.startsWith(`${dir}/`); up = dirname(up))
        if (!(await isRemoved(up))) break;
    },
  };
}
