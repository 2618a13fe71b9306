// What is kept of a guest on disk: one folder with its disk, console log and `guest.json`, the little that
// the kernel cannot tell (what was asked of it). Sockets live in a short runtime folder, because a unix
// socket's path must fit into 108 bytes.
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { Hardware } from './command-line.ts';

const GuestRecord = Type.Object({
  rebootCount: Type.Integer(),
  /** Absent in records of before there were rebuilds. */
  rebuildCount: Type.Optional(Type.Integer()),
  /** Absent in records of before there were resizes. */
  resizeCount: Type.Optional(Type.Integer()),
  /** What was last asked: a guest that should run but has no process has crashed. */
  intent: Type.Union([Type.Literal('run'), Type.Literal('stop')]),
  /** The hardware whose memory is saved in the disk; null: not suspended. */
  suspended: Type.Union([Hardware, Type.Null()]),
  /** The hardware of the current or last run. */
  hardware: Type.Union([Hardware, Type.Null()]),
  /** The disk may still hold saved memory that nobody will resume. */
  staleSnapshot: Type.Boolean(),
});
export type GuestRecord = Static<typeof GuestRecord>;
const checkRecord = Compile(GuestRecord);

export const newRecord: GuestRecord = {
  rebootCount: 0,
  intent: 'stop',
  suspended: null,
  hardware: null,
  staleSnapshot: false,
};

/** Guest ids become folder names; the same rule as in protocol/items.ts. */
const guestId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export const runtimeDirOf = (cloudId: string): string => `/run/strata-qemu-${cloudId}`;

export type Folders = ReturnType<typeof guestFolders>;

export function guestFolders(dataDir: string, runtimeDir: string) {
  const guests = join(dataDir, 'guests');
  const subfolders = (parent: string): string[] => {
    try {
      return readdirSync(parent, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && guestId.test(entry.name))
        .map((entry) => entry.name);
    } catch {
      return []; // not made yet
    }
  };
  const dir = (id: string): string => {
    if (!guestId.test(id)) throw new Error(`not a guest id: ${JSON.stringify(id)}`);
    return join(guests, id);
  };
  const file = (id: string): string => join(dir(id), 'guest.json');
  return {
    dir,
    disk: (id: string) => join(dir(id), 'disk.qcow2'),
    /** The disk before its last resize. */
    original: (id: string) => join(dir(id), 'original.qcow2'),
    configDrive: (id: string) => join(dir(id), 'config.iso'),
    console: (id: string) => join(dir(id), 'console.log'),
    qemuLog: (id: string) => join(dir(id), 'qemu.log'),
    /** Sockets and pidfile. */
    runtime: (id: string) => join(runtimeDir, id),
    runtimeParent: runtimeDir,
    exists: (id: string) => existsSync(dir(id)),
    ids: () => [...new Set([...subfolders(guests), ...subfolders(runtimeDir)])],

    /** null: never completely defined, or torn by a power cut. */
    async read(id: string): Promise<GuestRecord | null> {
      try {
        const value: unknown = JSON.parse(await readFile(file(id), 'utf8'));
        return checkRecord.Check(value) ? value : null;
      } catch {
        return null;
      }
    },

    /** On disk, and in the folder, when it returns. */
    async write(id: string, record: GuestRecord): Promise<void> {
      const fresh = `${file(id)}.new`;
      const handle = await open(fresh, 'w', 0o600);
      try {
        await handle.writeFile(JSON.stringify(record));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await rename(fresh, file(id));
      const folder = await open(dir(id), 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    },

    make: (id: string) => mkdir(dir(id), { recursive: true, mode: 0o700 }),
  };
}
