// Virtual machines by QEMU and QMP, without libvirt. The truth about a guest is its process and what that
// answers; guest.json only adds what was asked of it, so that a crash can be told from a shutdown.
// lines: its verbs share the queue, the process and the monitor of one guest.
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { DriverError } from '../../errors.ts';
import type { GuestDriver, GuestPower, GuestSpec, GuestState, PortsOutcome } from '../driver.ts';
import { findHypervisor, findProgram, type Hypervisor } from './accelerator.ts';
import { openCgroups } from './cgroup.ts';
import { diskSlots, hardwareOf } from './command-line.ts';
import { guestConsoles } from './console.ts';
import { capLog, readLog } from './console-log.ts';
import { discardSnapshot, ensureDisk } from './disk.ts';
import { exportRunning, exportStopped } from './export.ts';
import { explain, missingProgram } from './failure.ts';
import { figuresOf } from './figures.ts';
import { guestFolders, newRecord, runtimeDirOf, type GuestRecord } from './folder.ts';
import { launch as launchGuest } from './launch.ts';
import { saveMemory, snapshotTag } from './memory.ts';
import { guestMonitors } from './monitor.ts';
import { growDisk, keepOriginal } from './original.ts';
import { findProcess, incarnationOf, killProcess, waitGone, type GuestProcess } from './process.ts';
import type { Qmp } from './qmp.ts';
import { powerOf, statusOf } from './run-state.ts';
import { syncNics, tapsNow } from './nics.ts';
import { attachedVolumes, syncVolumes } from './volumes.ts';

export type QemuOptions = {
  dataDir: string;
  /** Short unique id of this data dir, [a-z0-9]{6,10}. */
  cloudId: string;
  log: Log;
  clock: Clock;
  qemu?: string;
  /** For pidfiles and sockets; short, because of the length limit of socket paths. */
  runtimeDir?: string;
  /** Named namespace of all taps: guests without ports run there too, so that they can be given some. */
  netns?: string;
  /** How long a soft reboot waits for the guest to power off before its power is cut; default 30,000. */
  softRebootMs?: number;
};

/** A guest may not listen yet while it boots, so the power button is pressed again. */
const powerButtonEveryMs = 1_000;
const quitMs = 5_000;
const logCheckMs = 30_000;
/** QEMU may be just starting, spawned by an agent that was killed. */
const reachMs = 5_000;

export function createQemuDriver(options: QemuOptions): GuestDriver {
  const { clock, dataDir, cloudId } = options;
  const log = options.log.child({ driver: 'qemu' });
  const qemu = options.qemu ?? 'qemu-system-x86_64';
  if (!/^[a-z0-9]{6,10}$/.test(cloudId)) throw new Error(`cloudId must match [a-z0-9]{6,10}: ${cloudId}`);
  const folders = guestFolders(dataDir, options.runtimeDir ?? runtimeDirOf(cloudId));
  const cgroups = openCgroups(cloudId, clock);
  const consoles = guestConsoles(folders);
  const watchers = new Set<(id: string) => void>();
  const tails = new Map<string, Promise<unknown>>();
  const graces = new Map<string, AbortController>();
  let closing = false;
  let cancelLogCheck: (() => void) | null = null;
  let hypervisor: Promise<Hypervisor> | null = null;

  const findHost = (): Promise<Hypervisor> => {
    hypervisor ??= mkdir(dataDir, { recursive: true }).then(() =>
      findHypervisor(qemu, join(dataDir, 'qemu-accelerator.json')),
    );
    hypervisor.catch(() => (hypervisor = null)); // installed later, it is found then
    return hypervisor;
  };
  const changed = (id: string): void => {
    if (!closing) for (const watcher of [...watchers]) watcher(id);
  };
  /** Verbs on one guest run one after the other. */
  const serial = <T>(id: string, action: () => Promise<T>): Promise<T> => {
    const mine = (tails.get(id) ?? Promise.resolve()).then(action, action);
    const settled = mine
      .catch(() => {})
      .then(() => {
        if (tails.get(id) === settled) tails.delete(id);
      });
    tails.set(id, settled);
    return mine;
  };
  const checkLogs = (): void => {
    cancelLogCheck ??= clock.timer(logCheckMs, () => {
      cancelLogCheck = null;
      const ids = monitors.ids();
      for (const id of ids)
        capLog(folders.console(id)).catch((error: unknown) =>
          log.warn({ id, error: String(error) }, 'console log not capped'),
        );
      if (ids.length > 0 && !closing) checkLogs();
    });
  };
  const monitors = guestMonitors(folders, clock, {
    changed,
    first: checkLogs,
    poweredOff: (id) =>
      void serial(id, () => reap(id)).catch((error: unknown) =>
        log.warn({ id, error: String(error) }, 'halted guest not ended'),
      ),
  });

  const alive = (id: string): GuestProcess | null => findProcess(id, folders, cgroups);
  const reach = (id: string, target: GuestProcess): Promise<Qmp> =>
    monitors.reach(id, target, reachMs, () => alive(id) === null);
  const notRunning = (id: string, next: string): DriverError =>
    new DriverError('failed', `server ${id} does not run, so it cannot be ${next}; start it first`);

  /** Ends the process, flushing its disk where it still listens. */
  const quit = async (id: string, target: GuestProcess): Promise<void> => {
    try {
      const qmp = await reach(id, target);
      await qmp.execute('quit', undefined, quitMs);
      await waitGone(target, id, folders, clock, quitMs);
    } catch {
      // it does not listen; its power is cut instead
    }
    await killProcess(target, id, folders, clock);
    monitors.drop(id);
  };

  /** Ends the process of a guest that has powered itself off. */
  const reap = async (id: string): Promise<void> => {
    const target = alive(id);
    if (target === null) return;
    const qmp = await reach(id, target);
    if ((await statusOf(qmp)) !== 'shutdown') return;
    await folders.write(id, { ...((await folders.read(id)) ?? newRecord), intent: 'stop' });
    await quit(id, target);
    changed(id);
  };

  /** Presses the power button until the guest is off, the time is over or somebody is in a hurry. */
  const powerDown = async (id: string, target: GuestProcess, graceMs: number): Promise<void> => {
    const hurry = new AbortController();
    graces.set(id, hurry);
    try {
      const qmp = await reach(id, target);
      const deadline = clock.now() + graceMs;
      while (
        (await statusOf(qmp)) === 'running' &&
        clock.now() < deadline &&
        !hurry.signal.aborted &&
        !qmp.closed
      ) {
        const off = qmp.waitFor(
          ({ event }) => event === 'SHUTDOWN',
          Math.min(powerButtonEveryMs, deadline - clock.now()),
          hurry.signal,
        );
        await qmp.execute('system_powerdown');
        if ((await off) !== null) break;
      }
    } catch (error) {
      log.debug({ id, error: String(error) }, 'no graceful power off');
    } finally {
      graces.delete(id);
    }
    if (closing)
      throw new DriverError('failed', 'the agent is stopping; the guest is stopped by the next one');
  };

  const look = async (id: string): Promise<GuestState | null> => {
    const target = alive(id);
    const record = await folders.read(id);
    const counts = {
      rebootCount: record?.rebootCount ?? 0,
      rebuildCount: record?.rebuildCount ?? 0,
      resizeCount: record?.resizeCount ?? 0,
      hasOriginal: existsSync(folders.original(id)),
    };
    if (record !== null && record.suspended !== null)
      return { id, power: 'suspended', incarnation: null, ...counts };
    if (target === null) {
      if (!folders.exists(id) && !folders.ids().includes(id) && !cgroups.ids().includes(id)) return null;
      return {
        id,
        power: record?.intent === 'run' ? 'crashed' : 'stopped',
        incarnation: null,
        ...counts,
      };
    }
    let power: GuestPower = 'running';
    try {
      const status = await statusOf(await monitors.connect(id, target));
      power = powerOf(status);
      if (status === 'shutdown') serial(id, () => reap(id)).catch(() => {}); // repeated with the next look
    } catch (error) {
      if (alive(id) === null) return look(id);
      log.debug({ id, error: String(error) }, 'guest runs but its monitor does not answer');
    }
    const runs = power === 'running' || power === 'paused';
    return { id, power, incarnation: runs ? incarnationOf(target) : null, ...counts };
  };

  const define = async (spec: GuestSpec): Promise<GuestRecord> => {
    const { id, body } = spec;
    hardwareOf(spec, await findHost());
    const known = folders.exists(id);
    try {
      await folders.make(id);
      if (body.image !== null && spec.imagePath !== null)
        await ensureDisk(folders.disk(id), {
          id,
          imagePath: spec.imagePath,
          diskFormat: body.image.diskFormat,
          rootGib: body.rootGib,
        });
      const old = await folders.read(id);
      const record = {
        ...(old ?? { ...newRecord, rebuildCount: body.rebuildCount, resizeCount: body.resizeCount }),
        rebootCount: body.rebootCount,
      };
      if (old?.rebootCount !== body.rebootCount) await folders.write(id, record);
      return record;
    } catch (error) {
      if (!known) await rm(folders.dir(id), { recursive: true, force: true });
      throw explain(error, `server ${id} cannot be defined`);
    }
  };

  const launch = async (spec: GuestSpec, record: GuestRecord): Promise<void> =>
    launchGuest(
      { qemu, folders, cgroups, monitors, clock, log, netns: options.netns ?? null, closing: () => closing },
      await findHost(),
      spec,
      record,
    );

  const start = async (spec: GuestSpec): Promise<void> => {
    const { id } = spec;
    const record = await define(spec);
    const target = alive(id);
    if (target !== null && record.suspended === null) {
      try {
        const qmp = await reach(id, target);
        const power = powerOf(await statusOf(qmp));
        if (power === 'running' || power === 'paused') {
          // a stop that was cut short may have recorded that the guest should be off
          if (record.intent !== 'run') await folders.write(id, { ...record, intent: 'run' });
          if (power === 'paused') await qmp.execute('cont');
          return;
        }
      } catch (error) {
        if (existsSync(`${folders.runtime(id)}/qmp.sock`)) throw error;
        log.warn({ id }, 'guest has lost its monitor socket and can never be reached again; it is restarted');
      }
    }
    // what is left is off, has panicked, is out of reach, or is a resumption that a crash of ours cut short
    if (target !== null) await killProcess(target, id, folders, clock);
    await launch(spec, record);
  };

  const stop = async (id: string, graceMs: number): Promise<void> => {
    if (!folders.exists(id)) return;
    const record = (await folders.read(id)) ?? newRecord;
    const stopped: GuestRecord = {
      ...record,
      intent: 'stop',
      suspended: null,
      staleSnapshot: record.staleSnapshot || record.suspended !== null,
    };
    if (JSON.stringify(stopped) !== JSON.stringify(record)) await folders.write(id, stopped);
    const target = alive(id);
    if (target !== null) {
      if (graceMs > 0) await powerDown(id, target, graceMs);
      await quit(id, target);
    }
    if (!stopped.staleSnapshot || !existsSync(folders.disk(id))) return;
    await discardSnapshot(folders.disk(id), snapshotTag, id);
    await folders.write(id, { ...stopped, staleSnapshot: false });
  };

  const reboot = async (spec: GuestSpec, hard: boolean): Promise<void> => {
    const { id } = spec;
    hardwareOf(spec, await findHost()); // refused before anything is touched
    // the new counter is recorded by the launch, so that a crash in between leaves the reboot to be done
    const record = (await folders.read(id)) ?? (await define(spec));
    const target = alive(id);
    if (target !== null) {
      if (!hard) await powerDown(id, target, options.softRebootMs ?? 30_000);
      await quit(id, target);
    }
    await launch(spec, {
      ...record,
      suspended: null,
      staleSnapshot: record.staleSnapshot || record.suspended !== null,
    });
  };

  const rebuild = async (spec: GuestSpec): Promise<void> => {
    const { id, body } = spec;
    hardwareOf(spec, await findHost()); // refused before anything is touched
    const target = alive(id);
    if (target !== null) await killProcess(target, id, folders, clock);
    monitors.drop(id);
    const record = await folders.read(id);
    // a crash from here on leaves the old counter, and all of this is done again
    await rm(folders.disk(id), { force: true });
    await define(spec);
    await folders.write(id, {
      ...newRecord,
      rebootCount: body.rebootCount,
      rebuildCount: body.rebuildCount,
      resizeCount: record?.resizeCount ?? 0,
    });
  };

  /** The counter is recorded last, so that a crash on the way repeats what comes before it. */
  const resized = async ({ id, body }: GuestSpec, change: () => Promise<void>): Promise<void> => {
    const record = (await folders.read(id)) ?? newRecord;
    if (record.resizeCount === body.resizeCount) return;
    const target = alive(id);
    if (target !== null) await quit(id, target);
    if (body.image !== null) await change();
    await folders.write(id, { ...record, intent: 'stop', suspended: null, resizeCount: body.resizeCount });
  };

  const resize = async (spec: GuestSpec): Promise<void> => {
    const { id, body } = spec;
    hardwareOf(spec, await findHost()); // refused before anything is touched
    await resized(spec, async () => {
      await keepOriginal(folders.disk(id), folders.original(id), id);
      await growDisk(folders.disk(id), body.rootGib, id);
    });
  };

  const revertResize = (spec: GuestSpec): Promise<void> =>
    resized(spec, async () => {
      if (existsSync(folders.original(spec.id)))
        await rename(folders.original(spec.id), folders.disk(spec.id));
    });

  /** Of a guest that runs by a job of its QEMU; of another by qemu-img, and nobody starts it meanwhile. */
  const exportOf = async (spec: GuestSpec, path: string): Promise<void> => {
    const { id } = spec;
    const target = alive(id);
    if (target !== null) return exportRunning(await reach(id, target), clock, spec, path);
    await serial(id, () => exportStopped(folders.disk(id), spec, path));
  };

  const suspend = async (id: string): Promise<void> => {
    const target = alive(id);
    const record = await folders.read(id);
    if (record !== null && record.suspended !== null) {
      if (target !== null) await quit(id, target);
      return;
    }
    if (target === null || record === null || record.hardware === null) throw notRunning(id, 'suspended');
    const qmp = await reach(id, target);
    const power = powerOf(await statusOf(qmp));
    if (power !== 'running' && power !== 'paused') throw notRunning(id, 'suspended');
    if ((await attachedVolumes(qmp)).size > 0)
      throw new DriverError(
        'refused',
        `server ${id} has volumes and cannot be suspended; detach them, or pause it`,
      );
    await qmp.execute('stop');
    const hardware = { ...record.hardware, taps: await tapsNow(qmp, record.hardware.taps, diskSlots) };
    try {
      await saveMemory(qmp, clock, id);
    } catch (error) {
      if (power === 'running') await qmp.execute('cont').catch(() => {});
      throw error;
    }
    await folders.write(id, { ...record, suspended: hardware, staleSnapshot: false });
    await quit(id, target);
  };

  /** `command` when the guest is in state `from`; nothing when it already is in state `to`. */
  const turn = async (
    id: string,
    from: GuestPower,
    to: GuestPower,
    command: string,
    word: string,
  ): Promise<void> => {
    const target = alive(id);
    if (target === null) throw notRunning(id, word);
    const qmp = await reach(id, target);
    const power = powerOf(await statusOf(qmp));
    if (power === from) await qmp.execute(command);
    else if (power !== to) throw notRunning(id, word);
  };

  const syncPorts = async (spec: GuestSpec): Promise<PortsOutcome> => {
    const { id } = spec;
    const target = alive(id);
    const record = await folders.read(id);
    if (target === null || record === null || record.hardware === null)
      throw notRunning(id, 'given its interfaces');
    const qmp = await reach(id, target);
    const { taps, ...outcome } = await syncNics(qmp, clock, spec, record.hardware, diskSlots);
    const hardware = { ...record.hardware, taps };
    if (JSON.stringify(hardware) !== JSON.stringify(record.hardware))
      await folders.write(id, { ...record, hardware });
    return outcome;
  };

  const destroy = async (id: string): Promise<void> => {
    const target = alive(id);
    if (target !== null) await killProcess(target, id, folders, clock);
    monitors.drop(id);
    await cgroups.remove(id);
    await rm(folders.runtime(id), { recursive: true, force: true });
    await rm(folders.dir(id), { recursive: true, force: true });
    try {
      if (readdirSync(folders.runtimeParent).length === 0) rmdirSync(folders.runtimeParent);
    } catch {
      // gone, or in use again
    }
  };

  const list = async (): Promise<GuestState[]> => {
    const ids = new Set([...folders.ids(), ...cgroups.ids()]);
    return (await Promise.all([...ids].map(look))).filter((state) => state !== null);
  };
  const inHurry = (id: string): void => graces.get(id)?.abort();

  return {
    type: 'vm',
    async probe() {
      if (process.getuid?.() !== 0)
        throw new DriverError(
          'unavailable',
          'virtual machines need root on this host; start the agent as root',
        );
      for (const program of ['qemu-img', 'prlimit', 'setpriv', 'nsenter']) {
        if (findProgram(program) === null) throw missingProgram(program);
      }
      const host = await findHost();
      const missing = ['cpu', 'memory', 'pids'].filter(
        (controller) => !cgroups.controllers.includes(controller),
      );
      if (missing.length > 0)
        log.warn({ missing }, 'guests run without these limits: the cgroup controllers cannot be used here');
      return {
        type: 'vm',
        driver: 'qemu',
        hypervisorType: 'QEMU',
        hypervisorVersion: host.version,
        capabilities: [
          'pause',
          'suspend',
          'resize',
          'snapshot',
          'nmi',
          'volumes',
          'rescue',
          'serial',
          'vnc',
          host.accelerator,
          ...cgroups.controllers.map((controller) => `limit-${controller}`),
        ],
      };
    },
    list,
    get: look,
    define: (spec) => serial(spec.id, async () => void (await define(spec))),
    start: (spec) => serial(spec.id, () => start(spec)),
    stop(id, graceMs) {
      if (graceMs === 0) inHurry(id);
      return serial(id, () => stop(id, graceMs));
    },
    reboot: (spec, hard) => serial(spec.id, () => reboot(spec, hard)),
    rebuild: (spec) => serial(spec.id, () => rebuild(spec)),
    resize: (spec) => serial(spec.id, () => resize(spec)),
    revertResize: (spec) => serial(spec.id, () => revertResize(spec)),
    confirmResize: (id) => serial(id, () => rm(folders.original(id), { force: true })),
    exportRoot: exportOf,
    pause: (id) => serial(id, () => turn(id, 'running', 'paused', 'stop', 'paused')),
    resume: (id) => serial(id, () => turn(id, 'paused', 'running', 'cont', 'resumed')),
    suspend: (id) => serial(id, () => suspend(id)),
    syncPorts: (spec) => serial(spec.id, () => syncPorts(spec)),
    syncVolumes: (spec) =>
      serial(spec.id, async () => {
        const target = alive(spec.id);
        if (target === null) throw notRunning(spec.id, 'given its volumes');
        return syncVolumes(await reach(spec.id, target), clock, spec);
      }),
    interrupt: (id) =>
      serial(id, async () => {
        const target = alive(id);
        if (target === null) throw notRunning(id, 'interrupted');
        await (await reach(id, target)).execute('inject-nmi');
      }),
    destroy(id) {
      inHurry(id);
      return serial(id, () => destroy(id));
    },
    async figures(id) {
      const target = alive(id);
      const record = await folders.read(id);
      if (target === null || record === null || record.hardware === null) return null;
      return figuresOf(await reach(id, target), target, record.hardware, options.netns ?? null);
    },
    async consoleLog(id, lines) {
      if (!folders.exists(id)) throw new DriverError('failed', `server ${id} is not on this host`);
      return readLog(folders.console(id), lines);
    },
    openConsole(id, kind) {
      if (alive(id) === null) throw notRunning(id, 'looked at');
      return consoles.open(id, kind);
    },
    watch(callback) {
      watchers.add(callback);
      list().catch((error: unknown) => log.warn({ error: String(error) }, 'guests not adopted yet')); // connects to what runs
      return () => watchers.delete(callback);
    },
    async close() {
      closing = true;
      watchers.clear();
      for (const grace of graces.values()) grace.abort();
      cancelLogCheck?.();
      monitors.close();
      consoles.close();
    },
  };
}
