// A volume as a block device of the host: a storage daemon of QEMU shows its layers as one file (FUSE), and a loop
// device over that file is what a container gets. One daemon a volume; it outlives this process, as conmon does, and is
// found again by its record, its command line and the mount table of the kernel.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { chown, lstat, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { basename, join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { sleep, type Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { run } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { chainNodes } from '../block-nodes.ts';
import type { GuestVolume } from '../driver.ts';
import { guestGid, guestUid } from '../guest-user.ts';
import { connectQmp, type Qmp } from '../qemu/qmp.ts';
import { processIdentity } from './client.ts';
import { readText, writeWhole, type Place } from './place.ts';

const text = Type.Union([Type.String(), Type.Null()]);
/** Each field is written before the step that needs it to be undone. */
const DiskRecord = Type.Object({
  serverId: Type.String(),
  volumeId: Type.String(),
  readOnly: Type.Boolean(),
  /** `pid:starttime` of its storage daemon. */
  daemon: text,
  /** Number of the file system that the daemon shows the volume on, as in mountinfo; no other has it while it is open. */
  fs: text,
  /** e.g. /dev/loop3 */
  loop: text,
  /** Name below /dev of the container that may use it; null: it was taken away again. */
  given: text,
});
export type Disk = Static<typeof DiskRecord> & { key: string };
const recordSchema = Compile(DiskRecord);

export type Disks = {
  /** Those of one server, also what a crash left half open. */
  of(serverId: string): Promise<Disk[]>;
  /** Leaves nothing when it fails. `folder`: what the layers' paths are below. */
  open(serverId: string, folder: string, volume: GuestVolume): Promise<Disk>;
  /** Whether what open made is all there. */
  works(disk: Disk): Promise<boolean>;
  /** A connection to its daemon; the caller closes it. */
  monitor(disk: Disk): Promise<Qmp>;
  /** The kernel looks at the size of the daemon's file again. */
  grown(disk: Disk): Promise<void>;
  setGiven(disk: Disk, name: string | null): Promise<Disk>;
  /** Writes out what is cached, and ends loop device and daemon. Throws DriverError 'failed' while somebody has it open. */
  close(disk: Disk): Promise<void>;
};

const daemonStartMs = 10_000;
const daemonEndMs = 10_000;
const loopEndMs = 2_000;

const short = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 12);
/** Of all disks of a server; QEMU wants a letter in front. */
const prefixOf = (serverId: string): string => `d${short(serverId)}-`;
export const diskKey = (serverId: string, volumeId: string): string =>
  `${prefixOf(serverId)}${short(volumeId)}`;
const keyPattern = /^d[0-9a-f]{12}-[0-9a-f]{12}$/;

export const diskFile = (place: Place, key: string): string => join(place.disks, key, 'disk');
const recordFile = (place: Place, key: string): string => join(place.disks, `${key}.json`);

/** Arguments of the storage daemon. Pure. */
export function daemonArguments(place: Place, key: string, volume: GuestVolume): string[] {
  const { layers, readOnly } = volume;
  return [
    ...chainNodes(layers, readOnly).flatMap((node) => ['--blockdev', JSON.stringify(node)]),
    ...['--chardev', `socket,id=qmp,path=${join(place.disks, key, 'qmp')},server=on,wait=off`],
    ...['--monitor', 'chardev=qmp'],
    '--export',
    JSON.stringify({
      type: 'fuse',
      id: key,
      'node-name': layers[0]?.id,
      mountpoint: diskFile(place, key),
      writable: !readOnly,
      growable: false,
      // the loop device belongs to root, the daemon runs as the guest's user
      'allow-other': 'on',
    }),
  ];
}

/** Of the file system at a mount point, from /proc/PID/mountinfo (proc(5)); null: nothing of FUSE is mounted there. */
export function fuseNumberAt(mountinfo: string, point: string): string | null {
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    if (fields[4] === point && fields[fields.indexOf('-') + 1] === 'fuse') return fields[2] ?? null;
  }
  return null;
}

/** Where the daemons are counted, so that a teardown finds all of them and no unit of the agent's takes them along. */
function joinedGroups(place: Place): string[] {
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const hierarchies = unified ? ['/sys/fs/cgroup'] : ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/memory'];
  return hierarchies.flatMap((hierarchy) => {
    if (!existsSync(join(hierarchy, 'cgroup.procs'))) return [];
    const group = join(hierarchy, place.cgroup, 'volumes');
    mkdirSync(group, { recursive: true });
    return [join(group, 'cgroup.procs')];
  });
}

const loopsSchema = Compile(
  Type.Object({ loopdevices: Type.Array(Type.Object({ name: Type.String(), 'back-maj:min': text })) }),
);

/** Loop devices over the file of a disk; a daemon that ended leaves them over a file without a name. */
export async function loopsOf(place: Place, disk: Pick<Disk, 'key' | 'fs'>): Promise<string[]> {
  if (disk.fs === null) return [];
  const list = ['losetup', '--list', '--json', '--output', 'NAME,BACK-MAJ:MIN'] as const;
  const { stdout } = await run([...list]);
  const parsed: unknown = stdout.trim() === '' ? { loopdevices: [] } : JSON.parse(stdout);
  if (!loopsSchema.Check(parsed))
    throw new DriverError('failed', 'the block devices of the host cannot be listed', stdout.slice(0, 500));
  const found: string[] = [];
  for (const { name: loop, 'back-maj:min': number } of parsed.loopdevices) {
    if (number?.trim() !== disk.fs) continue;
    const file = (await loopFact(loop, 'loop/backing_file')) ?? '';
    if (file === diskFile(place, disk.key) || file === '/') found.push(loop);
  }
  return found;
}

const loopFact = async (loop: string, fact: string): Promise<string | null> =>
  (await readText(join('/sys/block', basename(loop), fact)).catch(() => null))?.trim() ?? null;

/** `major:minor` of a block device of the host. */
export async function numberOf(loop: string): Promise<string> {
  const number = await loopFact(loop, 'dev');
  if (number !== null && /^\d+:\d+$/.test(number)) return number;
  throw new DriverError(
    'failed',
    'the block device of the volume is gone from the host; it is tried again',
    loop,
  );
}

async function readDisk(place: Place, key: string): Promise<Disk | null> {
  const found = await readText(recordFile(place, key));
  const parsed: unknown = found === null ? null : JSON.parse(found);
  return recordSchema.Check(parsed) ? { ...parsed, key } : null;
}

/** All whose key begins so. */
export async function readDisks(place: Place, prefix = ''): Promise<Disk[]> {
  const names = await readdir(place.disks).catch(() => []);
  const keys = names.flatMap((name) => {
    const key = name.replace(/\.json$/, '');
    return name.endsWith('.json') && keyPattern.test(key) && key.startsWith(prefix) ? [key] : [];
  });
  const found = await Promise.all(keys.map((key) => readDisk(place, key)));
  return found.filter((disk) => disk !== null);
}

// The shell's text is fixed; what varies are positional parameters, which it does not interpret.
const joinAndExec =
  'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 71; shift; n=$((n - 1)); done; exec "$@"';

export function createDisks(place: Place, clock: Clock, log: Log): Disks {
  const write = async ({ key, ...record }: Disk): Promise<void> =>
    writeWhole(recordFile(place, key), JSON.stringify(record));
  /** Its process, also where a crash came before its number was written down. */
  async function daemonOf(disk: Disk): Promise<string | null> {
    const isIts = async (pid: number): Promise<boolean> =>
      (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(
        `"${diskFile(place, disk.key)}"`,
      );
    if (disk.daemon !== null) {
      const pid = Number(disk.daemon.split(':')[0]);
      return (await processIdentity(pid)) === disk.daemon ? disk.daemon : null;
    }
    for (const name of await readdir('/proc'))
      if (/^\d+$/.test(name) && (await isIts(Number(name)))) return processIdentity(Number(name));
    return null;
  }

  async function endDaemon(disk: Disk): Promise<void> {
    for (let waited = 0; waited < daemonEndMs + 5_000; waited += 10) {
      const daemon = await daemonOf(disk);
      if (daemon === null) return;
      // Asked to end, it writes out what it holds.
      if (waited === 0 || waited === daemonEndMs)
        try {
          process.kill(Number(daemon.split(':')[0]), waited === 0 ? 'SIGTERM' : 'SIGKILL');
        } catch {
          // it ended in between
        }
      await sleep(clock, 10);
    }
    throw new DriverError(
      'timeout',
      'the storage daemon of the volume does not end; see its state on the host',
      disk.key,
    );
  }

  async function endLoop(disk: Disk, loop: string): Promise<void> {
    if (!disk.readOnly) {
      // fsync of the device: what is cached of it goes to the daemon, and from there to the disk
      const device = await open(loop, 'r');
      await device
        .sync()
        .catch((error: unknown) => log.error({ error, ...disk }, 'a volume was not written out completely'))
        .finally(() => device.close());
    }
    // A device that is open goes by itself with the last one that has it open.
    if ((await loopFact(loop, 'loop/autoclear')) === '0') await run(['losetup', '--detach', loop]);
    for (let waited = 0; (await loopsOf(place, disk)).includes(loop); waited += 10) {
      if (waited >= loopEndMs)
        throw new DriverError(
          'failed',
          'a process of the container still has the volume open; end it. It is tried again',
        );
      await sleep(clock, 10);
    }
  }

  async function close(disk: Disk): Promise<void> {
    for (const loop of await loopsOf(place, disk)) await endLoop(disk, loop);
    // From here on the number may be another's.
    const closed = { ...disk, fs: null, loop: null };
    await write(closed);
    await endDaemon(closed);
    await rm(join(place.disks, disk.key), { recursive: true, force: true });
    await rm(join(place.disks, `${disk.key}.log`), { force: true });
    await rm(recordFile(place, disk.key), { force: true });
  }

  async function spawnDaemon(disk: Disk, folder: string, volume: GuestVolume): Promise<Disk> {
    const uid = guestUid(disk.serverId);
    const dir = join(place.disks, disk.key);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await rm(join(dir, 'qmp'), { force: true });
    writeFileSync(diskFile(place, disk.key), '', { mode: 0o600 });
    for (const path of [diskFile(place, disk.key), dir]) await chown(path, uid, 0);
    const groups = joinedGroups(place);
    const out = openSync(join(place.disks, `${disk.key}.log`), 'w', 0o600);
    const child = spawn(
      'sh',
      [
        ...['-c', joinAndExec, 'sh', String(groups.length), ...groups],
        // Its mount is nobody else's and goes with it.
        ...['unshare', '--mount', '--propagation', 'slave', '--'],
        // Of root's powers it has the one that it mounts with.
        ...[
          'setpriv',
          '--reuid',
          String(uid),
          '--regid',
          String(guestGid),
          '--clear-groups',
          '--no-new-privs',
        ],
        ...[
          '--inh-caps=-all,+sys_admin',
          '--ambient-caps=-all,+sys_admin',
          '--bounding-set=-all,+sys_admin',
          '--',
        ],
        ...['qemu-storage-daemon', ...daemonArguments(place, disk.key, volume)],
      ],
      {
        detached: true, // a session of its own: it outlives us
        cwd: folder,
        env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' },
        stdio: ['ignore', out, out],
      },
    );
    closeSync(out);
    let over = false;
    child.on('error', () => (over = true));
    child.on('exit', () => (over = true));
    child.unref();
    const started = { ...disk, daemon: await processIdentity(child.pid ?? 0) };
    await write(started);
    try {
      // It answers when all that its command line names is open.
      const qmp = await connectQmp(join(dir, 'qmp'), { clock, connectMs: daemonStartMs, abort: () => over });
      qmp.close();
      const pid = Number(started.daemon?.split(':')[0] ?? 0);
      const fs = fuseNumberAt(await readFile(`/proc/${pid}/mountinfo`, 'utf8'), diskFile(place, disk.key));
      if (fs === null) throw new Error('its daemon has mounted nothing');
      return { ...started, fs };
    } catch (error) {
      const said = await readText(join(place.disks, `${disk.key}.log`)).catch(() => null);
      throw new DriverError(
        'failed',
        'the storage daemon of the volume did not start on its host; it is tried again',
        `${String(error)} ${said ?? ''}`.trim(),
        error,
      );
    }
  }

  /** Buffered: direct I/O through FUSE was seen to corrupt. Without a look for partitions. */
  async function attachLoop(disk: Disk): Promise<string> {
    const pid = disk.daemon?.split(':')[0] ?? '';
    const { stdout } = await run([
      'nsenter',
      `--mount=/proc/${pid}/ns/mnt`,
      '--',
      ...['losetup', '--find', '--show', '--direct-io=off', ...(disk.readOnly ? ['--read-only'] : [])],
      diskFile(place, disk.key),
    ]);
    const loop = stdout.trim();
    if ((await loopFact(loop, 'loop/dio')) !== '0' || (await loopFact(loop, 'loop/partscan')) !== '0')
      throw new DriverError(
        'failed',
        'the kernel of the host opens the volume in a way that is not safe',
        loop,
      );
    return loop;
  }

  return {
    of: async (serverId) =>
      (await readDisks(place, prefixOf(serverId))).filter((disk) => disk.serverId === serverId),
    async open(serverId, folder, volume) {
      const { volumeId, readOnly } = volume;
      const key = diskKey(serverId, volumeId);
      let disk: Disk = { key, serverId, volumeId, readOnly, daemon: null, fs: null, loop: null, given: null };
      await write(disk);
      try {
        disk = await spawnDaemon(disk, folder, volume);
        await write(disk);
        disk = { ...disk, loop: await attachLoop(disk) };
        await write(disk);
        return disk;
      } catch (error) {
        const left = (await readDisk(place, key)) ?? disk;
        await close(left).catch((failure: unknown) => log.warn({ key, failure }, 'a volume is half open'));
        throw error;
      }
    },
    async works(disk) {
      if (disk.loop === null || disk.daemon === null || (await daemonOf(disk)) === null) return false;
      return (
        (await loopsOf(place, disk)).includes(disk.loop) &&
        (await loopFact(disk.loop, 'loop/autoclear')) === '0'
      );
    },
    async monitor(disk) {
      const path = join(place.disks, disk.key, 'qmp');
      // The folder belongs to the guest's own user: a link in it could lead to another volume's daemon.
      const qmp = (await lstat(path)).isSocket() ? await connectQmp(path, { clock }) : null;
      const exports = await qmp?.execute('query-block-exports').catch(() => null);
      if (qmp !== null && JSON.stringify(exports ?? null).includes(`"${disk.key}"`)) return qmp;
      qmp?.close();
      throw new DriverError('failed', 'the storage daemon of the volume does not answer', disk.key);
    },
    async grown(disk) {
      if (disk.loop === null) return;
      const pid = disk.daemon?.split(':')[0] ?? '';
      // FUSE keeps a size for a second unless it is asked so.
      await run(['stat', '--cached=never', '--format=%s', `/proc/${pid}/root${diskFile(place, disk.key)}`]);
      await run(['losetup', '--set-capacity', disk.loop]);
    },
    async setGiven(disk, name) {
      const changed = { ...disk, given: name };
      await write(changed);
      return changed;
    },
    close,
  };
}
