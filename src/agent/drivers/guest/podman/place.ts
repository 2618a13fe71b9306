// Where the podman of one data dir keeps everything: nothing is shared with another cloud's podman or the
// user's own, neither storage nor locks nor cgroups.
import { chmod, mkdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

export type Place = {
  cloudId: string;
  /** Everything that must outlive a reboot of the host. */
  state: string;
  /** podman's --root: images and writable layers. */
  root: string;
  /** One folder a guest: record, console log, hosts, resolv.conf. */
  guests: string;
  /** One small record an image that was loaded. */
  images: string;
  /** Everything that must not outlive a reboot: mounts, pids, locks, the service's socket. */
  volatile: string;
  runroot: string;
  tmp: string;
  /** A record, and the folder of its storage daemon, for each volume that is open. */
  disks: string;
  /** conmon writes a file here when a container ends. */
  exits: string;
  socket: string;
  containersConf: string;
  storageConf: string;
  registriesConf: string;
  policy: string;
  /** Parent cgroup of all containers and their conmons, in every hierarchy. */
  cgroup: string;
};

const tmpfsMagic = 0x01021994;

export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** The text of a file, or null when there is none. */
export async function readText(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
}

/** Replaces a file so that a reader, or a crash, sees the old text or the new, never a part. */
export async function writeWhole(path: string, text: string, mode = 0o600): Promise<void> {
  const next = `${path}.next-${process.pid}-${(writes += 1)}`;
  await writeFile(next, text, { mode });
  await rename(next, path);
}
let writes = 0;

// podman writes runroot and tmp dir into its database and insists on them later, so the first choice is
// kept with the data dir. The short name also keeps the socket's path below the kernel's 108 bytes.
async function volatileBase(state: string): Promise<string> {
  const kept = await readText(join(state, 'volatile-base'));
  if (kept !== null) return kept;
  for (const dir of ['/run', '/dev/shm']) {
    if ((await statfs(dir).catch(() => null))?.type === tmpfsMagic) return dir;
  }
  return '/run';
}

export async function findPlace(dataDir: string, cloudId: string): Promise<Place> {
  const state = resolve(dataDir, 'podman');
  const base = await volatileBase(state);
  const volatile = join(base, `strata-podman-${cloudId}`);
  const conf = join(state, 'conf');
  return {
    cloudId,
    state,
    root: join(state, 'root'),
    guests: join(state, 'guests'),
    images: join(state, 'images'),
    volatile,
    runroot: join(volatile, 'run'),
    tmp: join(volatile, 'tmp'),
    disks: join(base, `strata-volumes-${cloudId}`),
    exits: join(volatile, 'tmp', 'exits'),
    socket: join(volatile, 'podman.sock'),
    containersConf: join(conf, 'containers.conf'),
    storageConf: join(conf, 'storage.conf'),
    registriesConf: join(conf, 'registries.conf'),
    policy: join(conf, 'policy.json'),
    cgroup: `/strata-${cloudId}`,
  };
}

/** Makes the folders; what an earlier boot left in a volatile folder on disk is thrown away. */
export async function makePlace(place: Place): Promise<void> {
  const boot = await bootId();
  const mark = join(place.volatile, 'boot-id');
  if ((await readText(mark)) !== boot)
    for (const dir of [place.volatile, place.disks]) await rm(dir, { recursive: true, force: true });
  const dirs = ['conf', 'hooks', 'net', 'volumes', 'copy'].map((name) => join(place.state, name));
  for (const dir of [place.root, place.guests, place.images, place.runroot, place.exits, ...dirs]) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  }
  await mkdir(place.disks, { recursive: true });
  await chmod(place.disks, 0o711); // guests' storage daemons pass through it to their own folders
  await writeWhole(mark, boot);
  await writeWhole(join(place.state, 'volatile-base'), join(place.volatile, '..'));
}

/**
 * How every podman process is started: with nothing of the user's own settings, and in our folder, because
 * conmon drops a file `oom` into its working directory when a guest runs out of memory.
 */
export function podmanProcess(place: Place): { cwd: string; env: NodeJS.ProcessEnv } {
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: place.state,
    LANG: 'C.UTF-8',
    TMPDIR: join(place.state, 'copy'),
    CONTAINERS_CONF: place.containersConf,
    CONTAINERS_STORAGE_CONF: place.storageConf,
    CONTAINERS_REGISTRIES_CONF: place.registriesConf,
  };
  return { cwd: place.state, env };
}
