// The QEMU process of a guest: spawned so that it outlives us, unprivileged, inside its namespace and
// cgroups; and found again through pidfile, cgroup and /proc by whoever comes after us.
import { spawn } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { type Clock, sleep } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import { guestGid, guestUid } from '../guest-user.ts';
import type { Cgroups } from './cgroup.ts';
import { missingProgram } from './failure.ts';
import type { Folders } from './folder.ts';

/** `started` is the kernel's start time in clock ticks since boot: with the pid it names one incarnation. */
export type GuestProcess = { pid: number; started: string };

export const incarnationOf = (found: GuestProcess): string => `${found.pid}:${found.started}`;

/** null: no such process, or one that is dead and only waits to be reaped. */
function inspect(pid: number, marker: string): GuestProcess | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the second field is the program's name in parentheses and may contain anything
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    if (started === undefined || state === 'Z' || state === 'X') return null;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return args.includes(marker) ? { pid, started } : null;
  } catch {
    return null;
  }
}

export function findProcess(id: string, folders: Folders, cgroups: Cgroups): GuestProcess | null {
  const pidfile = `${folders.runtime(id)}/pid`;
  const candidates: number[] = [];
  try {
    // the folder belongs to the guest's own user: what is in it is only a hint, and never followed as a link
    if (lstatSync(pidfile).isFile())
      candidates.push(Number(readFileSync(pidfile, 'latin1').slice(0, 16).trim()));
  } catch {
    // not written yet, or not running
  }
  for (const pid of [...candidates, ...cgroups.processes(id)]) {
    if (!Number.isSafeInteger(pid) || pid <= 1) continue;
    const found = inspect(pid, pidfile);
    if (found !== null) return found;
  }
  return null;
}

const stillThere = (target: GuestProcess, marker: string): boolean =>
  inspect(target.pid, marker)?.started === target.started;

/** Kills at once and returns when the process is gone, as far as its files and devices are concerned. */
export async function killProcess(
  target: GuestProcess,
  id: string,
  folders: Folders,
  clock: Clock,
): Promise<void> {
  const marker = `${folders.runtime(id)}/pid`;
  if (stillThere(target, marker)) {
    try {
      process.kill(target.pid, 'SIGKILL');
    } catch {
      // it ended in between
    }
  }
  if (!(await waitGone(target, id, folders, clock, 10_000))) {
    throw new DriverError(
      'timeout',
      `the process of server ${id} does not end; see its state on the host`,
      `pid ${target.pid}`,
    );
  }
}

export async function waitGone(
  target: GuestProcess,
  id: string,
  folders: Folders,
  clock: Clock,
  limitMs: number,
): Promise<boolean> {
  const marker = `${folders.runtime(id)}/pid`;
  for (let waited = 0; stillThere(target, marker); waited += 5) {
    if (waited >= limitMs) return false;
    await sleep(clock, 5);
  }
  return true;
}

// Joins the cgroups named by the first $1 arguments, then becomes the rest. A fixed text: what varies are
// positional parameters, which a shell does not interpret.
const joinAndExec =
  'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 71; shift; n=$((n - 1)); done; exec "$@"';

export type Spawned = {
  /** null: it ended at once. */
  process: GuestProcess | null;
  exited: () => boolean;
  /** Resolves when it ends or could not be started. */
  failure: Promise<DriverError>;
};

/** Starts QEMU detached; it is not ready yet when this returns. */
export async function spawnGuest(
  guest: {
    id: string;
    qemu: string;
    args: string[];
    /** null: it boots from a volume and has no disk of its own. */
    imagePath: string | null;
    /** What it is rescued with; null: it boots as it is. */
    rescue: { disk: string; base: string } | null;
    /** Its config drive; null: it has none. */
    configDrive: string | null;
    folder: string;
    netns: string | null;
    cgroupFiles: string[];
    /** Supplementary group that may use /dev/kvm; null: KVM is not used. */
    kvmGid: number | null;
  },
  folders: Folders,
): Promise<Spawned> {
  const { id } = guest;
  const uid = guestUid(id);
  const runtime = folders.runtime(id);
  await rm(runtime, { recursive: true, force: true });
  await mkdir(runtime, { recursive: true, mode: 0o700 });
  await chmod(folders.runtimeParent, 0o711);
  await chown(runtime, uid, 0);

  const opened: FileHandle[] = [];
  const fdOf = async (path: string, flags: string): Promise<number> => {
    const handle = await open(path, flags, 0o600);
    opened.push(handle);
    return handle.fd;
  };
  try {
    const log = await fdOf(folders.qemuLog(id), 'w');
    const child = spawn(
      'sh',
      [
        ...['-c', joinAndExec, 'sh', String(guest.cgroupFiles.length), ...guest.cgroupFiles],
        ...(guest.netns === null ? [] : ['nsenter', `--net=/run/netns/${guest.netns}`, '--']),
        ...['setpriv', '--reuid', String(uid), '--regid', String(guestGid)],
        ...(guest.kvmGid === null ? ['--clear-groups'] : ['--groups', String(guest.kvmGid)]),
        ...['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--'],
        guest.qemu,
        ...guest.args,
      ],
      {
        detached: true, // a session of its own: it outlives our terminal and us
        // what volumes it holds is below, and nothing above needs to be open to it
        cwd: guest.folder,
        env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' },
        stdio: [
          'ignore',
          log,
          log,
          guest.imagePath === null ? 'ignore' : await fdOf(folders.disk(id), 'r+'), // fds.disk
          guest.imagePath === null ? 'ignore' : await fdOf(guest.imagePath, 'r'), // fds.base
          await fdOf(folders.console(id), 'a'), // fds.console
          guest.rescue === null ? 'ignore' : await fdOf(guest.rescue.disk, 'r+'), // fds.rescue
          guest.rescue === null ? 'ignore' : await fdOf(guest.rescue.base, 'r'), // fds.rescueBase
          guest.configDrive === null ? 'ignore' : await fdOf(guest.configDrive, 'r'), // fds.configDrive
        ],
      },
    );
    child.unref();
    let over = false;
    const failure = new Promise<DriverError>((resolve) => {
      child.once('error', (error) => {
        over = true;
        resolve(new DriverError('failed', `server ${id} cannot be started`, String(error), error));
      });
      child.once('exit', (code, signal) => {
        over = true;
        resolve(startFailure(id, guest, code, signal, folders));
      });
    });
    const { pid } = child;
    return {
      process: pid === undefined ? null : inspect(pid, `${runtime}/pid`),
      exited: () => over,
      failure,
    };
  } finally {
    for (const handle of opened) await handle.close();
  }
}

function startFailure(
  id: string,
  guest: { qemu: string; netns: string | null },
  code: number | null,
  signal: string | null,
  folders: Folders,
): DriverError {
  let log = '';
  try {
    log = readFileSync(folders.qemuLog(id), 'utf8').slice(-2000);
  } catch {
    // destroyed meanwhile
  }
  const detail = `exit ${code ?? signal}: ${log}`;
  if (code === 127) {
    const missing = [guest.qemu, 'setpriv', 'nsenter'].find((program) => log.includes(program)) ?? guest.qemu;
    return missingProgram(missing);
  }
  if (log.includes('No space left on device')) {
    return new DriverError(
      'no-space',
      `server ${id} cannot be started: the disk of this host is full; free space or delete servers`,
      detail,
    );
  }
  if (log.includes('Cannot allocate memory') || log.includes('cannot set up guest memory')) {
    return new DriverError(
      'failed',
      `server ${id} cannot be started: this host has too little free memory for it`,
      detail,
    );
  }
  if (log.includes('/run/netns/')) {
    return new DriverError(
      'failed',
      `server ${id} cannot be started: the network of its ports is not there yet`,
      detail,
    );
  }
  if (log.includes('could not configure /dev/net/tun')) {
    return new DriverError(
      'failed',
      `server ${id} cannot be started: one of its ports cannot be opened`,
      detail,
    );
  }
  return new DriverError('failed', `server ${id} cannot be started: its hypervisor ended at once`, detail);
}
