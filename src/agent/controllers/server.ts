// Servers: diffs the desired server against the guest that is really there and calls the guest driver.
// Guests outlive this process; a guest that is found running is adopted as it is.
import type { Clock } from '../../kernel/clock.ts';
import type { ItemOf, ServerBody } from '../../protocol/items.ts';
import {
  keyOf,
  referencesOf,
  Waiting,
  type Controller,
  type HostState,
  type Observed,
} from '../controller.ts';
import type {
  GuestDriver,
  GuestSpec,
  GuestState,
  GuestType,
  PortsOutcome,
  VolumeOutcome,
} from '../drivers/guest/driver.ts';
import { DriverError } from '../drivers/errors.ts';
import type { ImageCache } from '../image-cache.ts';
import { createRetries, type GuestVolumes } from './guest-volumes.ts';
import type { ConfigFile } from '../drivers/guest/config-drive.ts';
import type { Plugged } from './networking.ts';

const settledPorts: PortsOutcome = { failed: [], again: false };

const isLive = (state: GuestState): boolean => state.power === 'running' || state.power === 'paused';

/** How long a guest may take to power off by itself, in milliseconds. */
const STOP_GRACE_MS = 20_000;
/** A guest that crashes more often than this within CRASH_WINDOW_MS stays down, reported. */
const MAX_CRASH_RESTARTS = 3;
const CRASH_WINDOW_MS = 600_000;

export type ServerController = Controller<'server'> & {
  /** Lets a running guest follow what changed of one of its volumes; a guest that does not run follows at its start. */
  syncVolume(id: string, volumeId: string, host: HostState): Promise<void>;
  /** Writes a server's root disk to a file: GuestDriver.exportRoot. */
  exportRoot(id: string, path: string, host: Pick<HostState, 'desired'>): Promise<void>;
};

export function serverController(parts: {
  drivers: ReadonlyMap<GuestType, GuestDriver>;
  images: ImageCache;
  plugged: Plugged;
  volumes: GuestVolumes;
  clock: Clock;
  /** What the metadata service would tell a guest now, as files; absent: there is none. */
  instanceData?: (id: string, body: ServerBody) => readonly ConfigFile[];
}): ServerController {
  const { drivers, images, plugged, volumes, clock, instanceData } = parts;
  const retries = createRetries(clock);
  const watchers = new Set<(id: string) => void>();
  const tails = new Map<string, Promise<unknown>>();
  /** What holds, plugs and gives back volumes of one server never overlaps. */
  const inTurn = <T>(id: string, work: () => Promise<T>): Promise<T> => {
    const mine = (tails.get(id) ?? Promise.resolve()).then(work, work);
    const settled = mine.catch(() => {}).then(() => void (tails.get(id) === settled && tails.delete(id)));
    tails.set(id, settled);
    return mine;
  };
  const crashes = new Map<string, number[]>();
  /** Generation for which each guest was started: what crashes after that was not asked for again. */
  const startedFor = new Map<string, number>();

  const driverOf = (body: ServerBody): GuestDriver => {
    const driver = drivers.get(body.type);
    if (driver === undefined)
      throw new DriverError('unavailable', `This host cannot run servers of type ${body.type}.`);
    return driver;
  };

  async function specOf(id: string, body: ServerBody): Promise<{ spec: GuestSpec; failed: VolumeOutcome[] }> {
    const ports = body.ports.map(({ portId }) => {
      const port = plugged.get(portId);
      if (port === undefined) throw new Waiting(keyOf('port', portId));
      return port;
    });
    const imagePath = body.image === null ? null : await images.ensure(body.image);
    const held = await volumes.hold(id, body.volumes);
    return {
      spec: {
        id,
        body,
        ports,
        imagePath,
        volumes: held.volumes,
        folder: held.folder,
        ...(body.rescue === undefined ? {} : { rescueImagePath: await images.ensure(body.rescue.image) }),
        ...(body.configDrive === true ? { configDrive: instanceData?.(id, body) ?? [] } : {}),
      },
      failed: held.failed,
    };
  }

  const recentCrashes = (id: string): number[] =>
    (crashes.get(id) ?? []).filter((at) => clock.now() - at < CRASH_WINDOW_MS);
  /** True when a crashed guest may be started again by itself; counts it. */
  function mayRestart(id: string): boolean {
    const recent = recentCrashes(id);
    if (recent.length >= MAX_CRASH_RESTARTS) return false;
    crashes.set(id, [...recent, clock.now()]);
    return true;
  }
  /** True when the user asked for this start; a wish gives a guest that crashed too often new tries. */
  function askedFor(id: string, generation: number): boolean {
    if (startedFor.get(id) === generation) return false;
    startedFor.set(id, generation);
    crashes.delete(id);
    return true;
  }

  async function converge(
    driver: GuestDriver,
    spec: GuestSpec,
    state: GuestState,
    commanded: boolean,
    generation: number,
  ): Promise<void> {
    const { body, id } = spec;
    const rebooted = commanded && state.rebootCount !== body.rebootCount;
    switch (body.power) {
      case 'running':
        if (state.power === 'running' || state.power === 'paused') {
          if (rebooted) await driver.reboot(spec, body.rebootHard);
          else if (state.power === 'paused' && commanded) await driver.resume(id);
        } else if (state.power === 'crashed') {
          if ((commanded && askedFor(id, generation)) || mayRestart(id)) await driver.start(spec);
        } else if (commanded) {
          askedFor(id, generation);
          await driver.start(spec);
        } // Not asked for: a guest that powered itself off stays off.
        return;
      case 'stopped':
        if (state.power !== 'stopped') await driver.stop(id, STOP_GRACE_MS);
        return;
      case 'paused':
        if (!commanded) return;
        if (state.power === 'stopped' || state.power === 'crashed' || state.power === 'suspended')
          await driver.start(spec);
        if (state.power !== 'paused') await driver.pause(id);
        return;
      case 'suspended':
        if (!commanded || state.power === 'suspended') return;
        if (state.power === 'paused') await driver.resume(id);
        if (state.power === 'running' || state.power === 'paused') await driver.suspend(id);
    }
  }

  async function ensure(item: ItemOf<'server'>, host: HostState): Promise<Observed> {
    const { id, body, generation } = item;
    if (body === null) return {};
    const driver = driverOf(body);
    const stored = host.stored('server', id);
    let state = await driver.get(id);
    // A user's wish that this guest has not seen yet, or a boot of the host since it was met.
    const commanded =
      state === null || stored === undefined || stored.applied !== generation || stored.boot !== host.boot;
    const { spec, failed } = await specOf(id, body);
    const created = state === null;
    if (state === null) {
      await driver.define(spec);
      state = {
        id,
        power: 'stopped',
        incarnation: null,
        rebootCount: body.rebootCount,
        rebuildCount: body.rebuildCount,
        resizeCount: body.resizeCount,
        hasOriginal: false,
      };
    }
    const rebuilt = state.rebuildCount !== body.rebuildCount;
    if (rebuilt) {
      await driver.rebuild(spec);
      state = (await driver.get(id)) ?? state;
    }
    const resized = state.resizeCount !== body.resizeCount;
    if (resized) {
      if (isLive(state)) await driver.stop(id, STOP_GRACE_MS);
      await (body.original === 'keep' ? driver.resize(spec) : driver.revertResize(spec));
      state = (await driver.get(id)) ?? state;
    }
    // Also where a crash came between the rebuild or the resize and the start.
    await converge(driver, spec, state, commanded || rebuilt || resized, generation);
    if (body.original !== 'keep' && state.hasOriginal) await driver.confirmResize(id);
    // After the reboot that it asks for, so that a crash in between repeats it.
    if (commanded && !created) await driver.define(spec);
    const now = await driver.get(id);
    if (now === null)
      throw new DriverError('failed', `Server ${id} is gone from its host right after it was defined.`);
    if (now.power === 'crashed' && recentCrashes(id).length < MAX_CRASH_RESTARTS && body.power === 'running')
      throw new DriverError(
        'failed',
        `The guest of server ${id} ended unexpectedly; it is started again. Look at its console log.`,
      );
    if (now.power === 'crashed')
      throw new DriverError(
        'refused',
        `The guest of server ${id} ended unexpectedly and is not restarted any more. Look at its console log, then reboot it hard.`,
      );
    const nics = isLive(now) ? ((await driver.syncPorts?.(spec)) ?? settledPorts) : settledPorts;
    const outcomes = await volumes.sync(driver, spec, failed, isLive(now));
    if (nics.again || outcomes.some((one) => one.error !== null))
      for (const changed of watchers) retries.later(id, changed);
    return {
      power: now.power,
      rebootCount: body.rebootCount,
      rebuildCount: body.rebuildCount,
      rescued: body.rescue !== undefined,
      resizeCount: body.resizeCount,
      restarts: crashes.get(id)?.length ?? 0,
      volumes: outcomes,
      ports: nics.failed,
    };
  }

  async function syncVolume(id: string, volumeId: string, host: HostState): Promise<void> {
    const body = host.desired('server', id)?.body;
    if (body === null || body === undefined) return;
    const driver = driverOf(body);
    const state = await driver.get(id);
    if (state === null || !isLive(state)) return;
    const { spec, failed } = await specOf(id, body);
    const bad = (await volumes.sync(driver, spec, failed, true)).find(
      (one) => one.id === volumeId && one.error !== null,
    );
    if (bad !== undefined) throw new DriverError('failed', bad.error ?? '');
  }

  /** Not in turn: whatever is wanted of a guest meanwhile does not wait for its disk to be copied. */
  async function exportRoot(id: string, path: string, host: Pick<HostState, 'desired'>): Promise<void> {
    const body = host.desired('server', id)?.body;
    if (body === null || body === undefined)
      throw new DriverError('refused', `Server ${id} is not on this host.`);
    const driver = driverOf(body);
    const state = await driver.get(id);
    if (state === null || state.rebuildCount !== body.rebuildCount)
      throw new DriverError('failed', `Server ${id} is being built; it has no disk to make an image of yet.`);
    if (body.image === null || driver.exportRoot === undefined)
      throw new DriverError('refused', `Server ${id} has no root disk of its own to make an image of.`);
    const imagePath = await images.ensure(body.image);
    const { folder } = await volumes.hold(id, []);
    await driver.exportRoot({ id, body, ports: [], imagePath, volumes: [], folder }, path);
  }

  return {
    exportRoot,
    kind: 'server',
    needs: referencesOf,
    ensure: (item, host) => inTurn(item.id, () => ensure(item, host)),
    syncVolume: (id, volumeId, host) => inTurn(id, () => syncVolume(id, volumeId, host)),
    remove: (id) =>
      inTurn(id, async () => {
        crashes.delete(id);
        startedFor.delete(id);
        for (const driver of drivers.values()) await driver.destroy(id);
        await volumes.gone(id);
      }),
    async observe() {
      const lists = await Promise.all([...drivers.values()].map((driver) => driver.list()));
      return lists.flat().map((guest) => guest.id);
    },
    watch(changed) {
      const stops = [...drivers.values()].map((driver) => driver.watch(changed));
      watchers.add(changed);
      return () => {
        watchers.delete(changed);
        retries.stop();
        for (const stop of stops) stop();
      };
    },
  };
}
