// Starts the process of a guest that has none, afresh or from its saved memory, and waits until its
// monitor answers. Whatever fails, no process is left.
import { existsSync, statSync } from 'node:fs';
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { DriverError } from '../../errors.ts';
import { makeConfigImage } from '../config-drive.ts';
import type { GuestSpec } from '../driver.ts';
import type { Hypervisor } from './accelerator.ts';
import type { Cgroups } from './cgroup.ts';
import { hardwareOf, netnsOf, qemuArguments, translationCacheMib, type Hardware } from './command-line.ts';
import { discardSnapshot } from './disk.ts';
import { explain } from './failure.ts';
import type { Folders, GuestRecord } from './folder.ts';
import { dropSavedMemory, snapshotTag } from './memory.ts';
import type { Monitors } from './monitor.ts';
import { killProcess, spawnGuest } from './process.ts';
import { prepareRescue } from './rescue.ts';

export type LaunchContext = {
  qemu: string;
  folders: Folders;
  cgroups: Cgroups;
  monitors: Monitors;
  clock: Clock;
  log: Log;
  /** Where guests without ports run; null: where we do. */
  netns: string | null;
  /** The agent is stopping: a guest under way is left to the next one. */
  closing: () => boolean;
};

const startLimitMs = 30_000;
const restoreLimitMs = 300_000;
/** QEMU's own memory next to the guest's, MiB: device state, VNC, block caches, I/O threads. */
const overheadMib = 256;
/** Threads of QEMU besides the vCPUs: main loop, I/O pool (64), VNC, RCU. */
const extraThreads = 128;

/** The hardware to start with: what the saved memory fits, or what is desired now. */
function hardwareFor(spec: GuestSpec, saved: Hardware | null, host: Hypervisor): Hardware {
  const desired = hardwareOf(spec, host);
  if (saved === null) return desired;
  const macs = (hardware: Hardware): string =>
    hardware.taps
      .map((tap) => tap.mac)
      .sort()
      .join(' ');
  if (macs(saved) === macs(desired)) {
    // How they are plugged may be new, their place in the guest is the old one.
    const plugged = (tap: Hardware['taps'][number]): Hardware['taps'][number] | undefined =>
      desired.taps.find((one) => one.mac === tap.mac);
    return {
      ...saved,
      taps: saved.taps.map((tap) => ({
        ...tap,
        device: plugged(tap)?.device ?? tap.device,
        mtu: plugged(tap)?.mtu ?? tap.mtu,
      })),
    };
  }
  throw new DriverError(
    'refused',
    `the ports of server ${spec.id} were changed while it was suspended, so that its memory does not fit; stop it, then start it`,
  );
}

export async function launch(
  context: LaunchContext,
  host: Hypervisor,
  spec: GuestSpec,
  record: GuestRecord,
): Promise<void> {
  const { qemu, folders, cgroups, monitors, clock, log } = context;
  const { id } = spec;
  const restoring = record.suspended !== null;
  const hardware = hardwareFor(spec, record.suspended, host);
  const netns = netnsOf(spec) ?? context.netns;
  if (record.staleSnapshot && !restoring) await discardSnapshot(folders.disk(id), snapshotTag, id);
  const started: GuestRecord = {
    rebootCount: spec.body.rebootCount,
    // What its disk was made for is no matter of a start.
    rebuildCount: record.rebuildCount ?? 0,
    resizeCount: record.resizeCount ?? 0,
    intent: 'run',
    suspended: null,
    hardware,
    staleSnapshot: restoring,
  };
  // a suspended guest stays recorded as suspended until its memory is back
  if (!restoring) await folders.write(id, started);
  const rescue = await prepareRescue(folders.dir(id), spec);
  const configDrive = hardware.configDrive === true ? folders.configDrive(id) : null;
  // A guest that goes on where it was keeps the drive that it had.
  if (configDrive !== null && !(restoring && existsSync(configDrive)))
    await makeConfigImage(configDrive, spec.configDrive ?? []);
  const cache = hardware.accelerator === 'tcg' ? translationCacheMib(hardware.memoryMib) : 0;
  const cgroupFiles = cgroups.prepare(id, {
    vcpus: hardware.vcpus,
    memoryBytes: (hardware.memoryMib + overheadMib + cache) * 1024 * 1024,
    pids: hardware.vcpus + extraThreads,
  });
  const spawned = await spawnGuest(
    {
      id,
      qemu,
      args: qemuArguments(hardware, folders.runtime(id), restoring ? snapshotTag : null),
      imagePath: spec.imagePath,
      rescue,
      configDrive,
      folder: spec.folder ?? '/',
      netns,
      cgroupFiles,
      kvmGid: hardware.accelerator === 'kvm' ? statSync('/dev/kvm').gid : null,
    },
    folders,
  );
  const target = spawned.process;
  if (target === null) throw await spawned.failure;
  const failed = spawned.failure.then((error) => {
    throw error;
  });
  failed.catch(() => {}); // once the guest runs, its end is the monitor's business
  try {
    const limitMs = restoring ? restoreLimitMs : startLimitMs;
    const qmp = await Promise.race([monitors.reach(id, target, limitMs, spawned.exited), failed]);
    if (!restoring) return;
    await folders.write(id, started);
    await qmp.execute('cont');
    const error = await dropSavedMemory(qmp, clock);
    if (error === null) await folders.write(id, { ...started, staleSnapshot: false });
    else log.warn({ id, error }, 'saved memory not dropped; the next start tries again');
  } catch (error) {
    if (context.closing()) throw error;
    if (!spawned.exited()) await killProcess(target, id, folders, clock);
    monitors.drop(id);
    throw spawned.exited() ? await spawned.failure : explain(error, `server ${id} cannot be started`);
  }
}
