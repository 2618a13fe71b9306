// Servers of type `container`: podman and an OCI runtime in the network namespace that the network driver
// prepared. Containers belong to conmon; this process and podman's service may die without touching them.
// lines: its verbs share the client, the records and the turn of one container.
import { watch as watchFolder, type FSWatcher } from 'node:fs';
import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { sleep, type Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { run } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { fillConfigFolder } from '../config-drive.ts';
import type { GuestDriver, GuestSpec, GuestState } from '../driver.ts';
import { createPodmanClient, processIdentity } from './client.ts';
import { readConsole } from './console.ts';
import {
  checkedHostname,
  commandOverride,
  ContainerEntry,
  containerName,
  createRequest,
  cloudLabel,
  hostsFile,
  isLive,
  netnsOf,
  powerOf,
  serverLabel,
} from './container.ts';
import { replyFailure } from './failure.ts';
import { containerFigures } from './figures.ts';
import { createImageStore, imageIdleMs } from './image.ts';
import { findPlace, podmanProcess, readText, writeWhole, type Place } from './place.ts';
import { probeEngine, versionNumber, type Engine } from './probe.ts';
import { removeRoots, resizeRoot, revertRoot, type RootContext } from './roots.ts';
import type { ContainerProcess } from './devices.ts';
import { createShells } from './shell.ts';
import { createContainerVolumes } from './volumes.ts';
import { createGuestRecords, createTurns, guestFolder, guestIdPattern, type GuestRecord } from './record.ts';

const listSchema = Compile(Type.Array(ContainerEntry));
const inspectSchema = Compile(
  Type.Object({
    Id: Type.String(),
    State: Type.Object({ Status: Type.String(), Pid: Type.Integer(), ExitCode: Type.Integer() }),
  }),
);
/** Containers boot from images only. */
function imageOf({ id, body, imagePath }: GuestSpec): { id: string; path: string } {
  if (body.image === null || imagePath === null)
    throw new DriverError('refused', `server ${id}: a container cannot boot from a volume; name an image`);
  return { id: body.image.id, path: imagePath };
}
const rebootGraceMs = 10_000;

export type PodmanOptions = {
  dataDir: string;
  /** Short unique id of this data dir, [a-z0-9]{6,10}. */
  cloudId: string;
  log: Log;
  clock: Clock;
};

export function createPodmanDriver({ dataDir, cloudId, log, clock }: PodmanOptions): GuestDriver {
  if (!/^[a-z0-9]{6,10}$/.test(cloudId)) throw new Error(`cloud id '${cloudId}' must be 6 to 10 of a-z0-9`);
  let opened: Promise<Awaited<ReturnType<typeof open>>> | null = null;
  let cancelSweep: (() => void) | null = null;
  /** podman's container id -> server id, to name the guest of an exit file. */
  const guestOf = new Map<string, string>();
  const watchers = new Set<FSWatcher>();
  /** For define, start, reboot and destroy. stop does not queue: it may cut a long grace short. */
  const inTurn = createTurns();
  const shells = createShells(clock);

  async function open() {
    const place = await findPlace(dataDir, cloudId);
    const engine = await probeEngine(place, log);
    const client = createPodmanClient(place, log, clock);
    const images = createImageStore(place, client, clock);
    const volumes = createContainerVolumes({ place, runtimePath: engine.runtimePath, clock, log });
    return { place, engine, client, images, volumes, records: createGuestRecords(place) };
  }
  const ready = (): ReturnType<typeof open> => {
    opened ??= open().catch((error: unknown) => {
      opened = null; // a missing program may be installed later
      throw error;
    });
    return opened;
  };

  const containerPath = (id: string, verb = ''): string => `/containers/${containerName(cloudId, id)}${verb}`;
  async function inspect(id: string): Promise<ContainerEntry | null> {
    const { client } = await ready();
    const reply = await client.call('GET', containerPath(id, '/json'));
    if (reply.status === 404) return null;
    if (reply.status !== 200 || !inspectSchema.Check(reply.body))
      throw replyFailure(reply, `server ${id}: podman does not tell its state`);
    const { Id, State } = reply.body;
    guestOf.set(Id, id);
    return { Id, State: State.Status, Pid: State.Pid, ExitCode: State.ExitCode, Labels: null };
  }
  /**
   * As inspect, but first helps podman to notice a death that it still denies. conmon reports one with an
   * exit file within moments; when conmon was killed too, we write that file in its place.
   */
  async function settled(place: Place, id: string): Promise<ContainerEntry | null> {
    for (let waited = 0; ; waited += 50) {
      const entry = await inspect(id);
      if (entry === null || !isLive(entry.State) || (await processIdentity(entry.Pid)) !== null) return entry;
      if (waited === 1_000) await writeWhole(join(place.exits, entry.Id), '137');
      if (waited === 5_000) return entry;
      await sleep(clock, 50);
    }
  }
  async function verb(
    id: string,
    path: string,
    allowed: number[],
    doing: string,
    timeoutMs?: number,
  ): Promise<number> {
    const { client } = await ready();
    const reply = await client.call(
      'POST',
      containerPath(id, path),
      timeoutMs === undefined ? {} : { timeoutMs },
    );
    if (!allowed.includes(reply.status))
      throw replyFailure(reply, `server ${id}: podman cannot ${doing} the container`);
    return reply.status;
  }

  async function stateOf(
    id: string,
    entry: ContainerEntry | null,
    record: GuestRecord | null,
  ): Promise<GuestState> {
    const counts = {
      rebootCount: record?.rebootCount ?? 0,
      rebuildCount: record?.rebuildCount ?? 0,
      resizeCount: record?.resizeCount ?? 0,
      hasOriginal: (record?.original ?? null) !== null,
    };
    // A folder without a container is a define that a crash cut short: defining it again completes it.
    if (entry === null) return { id, power: 'stopped', incarnation: null, ...counts };
    guestOf.set(entry.Id, id);
    const identity = await processIdentity(entry.Pid);
    const power = powerOf(entry, identity !== null, record?.stopping ?? false);
    return {
      id,
      power,
      incarnation: power === 'running' || power === 'paused' ? identity : null,
      ...counts,
    };
  }
  async function get(id: string): Promise<GuestState | null> {
    const { records } = await ready();
    const [record, entry] = await Promise.all([records.read(id), inspect(id)]);
    return record === null && entry === null ? null : await stateOf(id, entry, record);
  }

  /** `kept`: the namespace of a container that has lost all its ports since it was made. */
  async function needNetns(spec: GuestSpec, kept: string | null = null): Promise<void> {
    const netns = netnsOf(spec) ?? kept;
    if (
      netns === null ||
      (await access(`/run/netns/${netns}`).then(
        () => true,
        () => false,
      ))
    )
      return;
    if (netns === kept)
      throw new DriverError(
        'refused',
        `server ${spec.id}: the last port of the container was deleted, and its network namespace with it; create it anew`,
      );
    throw new DriverError(
      'failed',
      `server ${spec.id}: network namespace ${netns} of its ports is not there; it is tried again`,
    );
  }
  async function writeNetworkFiles(place: Place, spec: GuestSpec): Promise<void> {
    const dir = guestFolder(place, spec.id);
    const netns = netnsOf(spec);
    const resolver = netns === null ? null : await readText(`/etc/netns/${netns}/resolv.conf`);
    // Written in place: the running container has these very files mounted.
    await writeFile(join(dir, 'resolv.conf'), resolver ?? '', { mode: 0o644 });
    await writeFile(join(dir, 'hosts'), hostsFile(checkedHostname(spec)), { mode: 0o644 });
    if ((spec.configDrive ?? null) !== null)
      await fillConfigFolder(join(dir, 'config'), spec.configDrive ?? []);
  }

  async function remove(id: string): Promise<void> {
    const { client } = await ready();
    const reply = await client.call('DELETE', containerPath(id, '?force=true&v=true&timeout=0'));
    if (![200, 204, 404].includes(reply.status))
      throw replyFailure(reply, `server ${id}: podman cannot remove the container`);
  }
  async function create(spec: GuestSpec, engine: Engine, root: string | null): Promise<void> {
    const { place, client, images, records } = await ready();
    const { id } = spec;
    const image = imageOf(spec);
    for (let attempt = 1; ; attempt += 1) {
      const podmanImage = root ?? (await images.ensure(image.id, image.path));
      const request = createRequest(place, spec, podmanImage, guestFolder(place, id), engine.rootQuota);
      const reply = await client.call('POST', '/containers/create', { body: request });
      if (reply.status === 201) return records.set(id, { sealed: engine.sealed });
      // The answer of an earlier attempt was lost.
      if ((await inspect(id)) !== null) return records.set(id, { sealed: engine.sealed });
      // Once more, with the image loaded again if a sweep took it between the two calls, and without the
      // storage of a container that a killed service had half made.
      await remove(id);
      if (attempt === 2)
        throw replyFailure(reply, `server ${id}: podman cannot create the container from image ${image.id}`);
    }
  }

  async function define(spec: GuestSpec): Promise<void> {
    const { place, engine, records } = await ready();
    const { id, body } = spec;
    checkedHostname(spec);
    commandOverride(spec);
    const [record, entry] = await Promise.all([records.read(id), inspect(id)]);
    // What has lost its last port keeps its namespace, and is alone in it.
    const netns = netnsOf(spec) ?? (entry === null ? null : (record?.netns ?? null));
    const wanted = { rebootCount: body.rebootCount, imageId: imageOf(spec).id, netns };
    if (entry !== null && record !== null && record.netns === null && netns !== null) {
      throw new DriverError(
        'refused',
        `server ${id}: a container cannot get its first port after it was created; create it anew`,
      );
    }
    if (record === null) await mkdir(guestFolder(place, id), { recursive: true, mode: 0o700 });
    await records.update(id, (now) => ({
      ...(now ?? { rebuildCount: body.rebuildCount, resizeCount: body.resizeCount, stopping: false }),
      ...wanted,
    }));
    if (entry !== null) return;
    await needNetns(spec);
    await writeNetworkFiles(place, spec);
    await create(spec, engine, record?.root ?? null);
  }

  async function processOf(id: string): Promise<ContainerProcess | null> {
    const entry = await inspect(id);
    const identity = entry === null ? null : await processIdentity(entry.Pid);
    return entry === null || identity === null ? null : { containerId: entry.Id, pid: entry.Pid, identity };
  }
  async function closeVolumes(id: string): Promise<void> {
    const lives = async (): Promise<boolean> => {
      const entry = await settled((await ready()).place, id);
      return entry !== null && isLive(entry.State);
    };
    await (await ready()).volumes.close(id, () => processOf(id), lives);
  }
  /** A container that is to have volumes is made ready first, so that its first program finds them. */
  async function giveVolumes(spec: GuestSpec): Promise<void> {
    const { volumes, records } = await ready();
    const { id } = spec;
    await closeVolumes(id);
    if (spec.volumes.length === 0 || (await records.read(id))?.sealed !== true) return;
    try {
      if (!(await volumes.open(spec))) return;
      if ((await inspect(id))?.State !== 'initialized') await verb(id, '/init', [204, 304], 'prepare');
      await volumes.give(spec, () => processOf(id));
    } catch (error) {
      // It starts without; the next sync of its volumes says why.
      log.warn({ id, error }, 'a container starts without its volumes');
    }
  }

  async function start(spec: GuestSpec): Promise<void> {
    const { place, records } = await ready();
    const { id } = spec;
    guestFolder(place, id);
    const entry = await settled(place, id);
    if (entry === null) await define(spec);
    await records.set(id, { stopping: false });
    if (entry !== null && isLive(entry.State)) return;
    await needNetns(spec, netnsOf(spec) === null ? ((await records.read(id))?.netns ?? null) : null);
    await writeNetworkFiles(place, spec);
    await giveVolumes(spec);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await verb(id, '/start', [204, 304], 'start');
        return;
      } catch (error) {
        if (attempt === 3 || !(error instanceof DriverError)) throw error;
        const now = await settled(place, id);
        if (now !== null && isLive(now.State)) return;
        // A service that was killed in the middle of a start leaves a runtime container that podman knows nothing of.
        await run(['podman', 'container', 'cleanup', containerName(cloudId, id)], podmanProcess(place)).catch(
          (failure: unknown) => log.warn({ id, failure }, 'cleaning up after a failed start'),
        );
      }
    }
  }

  async function stop(id: string, graceMs: number): Promise<void> {
    const { place, records } = await ready();
    guestFolder(place, id);
    const entry = await settled(place, id);
    if (entry === null) return closeVolumes(id);
    await records.set(id, { stopping: true });
    if (entry.State === 'paused') await verb(id, '/unpause', [204, 404, 500], 'resume');
    // podman counts in whole seconds
    const seconds = Math.ceil(graceMs / 1000);
    await verb(id, `/stop?timeout=${seconds}`, [204, 304, 404], 'stop', graceMs + 60_000);
    await closeVolumes(id);
  }

  /** The container is made anew; the record says so only when it is, so that a crash in between repeats it. */
  async function rebuild(spec: GuestSpec): Promise<void> {
    const { records } = await ready();
    await stop(spec.id, 0);
    await records.set(spec.id, { root: null });
    await remove(spec.id);
    await define(spec);
    await records.set(spec.id, { rebuildCount: spec.body.rebuildCount, stopping: true });
  }
  async function withRoots(
    spec: GuestSpec,
    change: (context: RootContext, spec: GuestSpec) => Promise<void>,
  ): Promise<void> {
    const { client, records } = await ready();
    await stop(spec.id, 0);
    await change({ cloudId, client, records, remove, define }, spec);
  }

  async function freeze(id: string, path: '/pause' | '/unpause', from: string, doing: string): Promise<void> {
    const entry = await inspect(id);
    if (entry === null) throw new DriverError('failed', `server ${id} does not exist on this host`);
    if (!isLive(entry.State))
      throw new DriverError(
        'failed',
        `server ${id} is ${entry.State}; only a running container can be paused or resumed`,
      );
    if (entry.State === from) await verb(id, path, [204], doing);
  }

  async function destroy(id: string): Promise<void> {
    const { place, client, records } = await ready();
    const dir = guestFolder(place, id);
    const entry = await settled(place, id);
    const record = await records.read(id);
    await remove(id);
    await closeVolumes(id);
    await removeRoots(client, record);
    if (entry !== null) guestOf.delete(entry.Id);
    await rm(dir, { recursive: true, force: true });
    cancelSweep ??= clock.timer(imageIdleMs + 1_000, () => {
      cancelSweep = null;
      sweep().catch((error: unknown) => log.warn({ error }, 'unused container images were not removed'));
    });
  }
  async function sweep(): Promise<void> {
    const { place, images, records } = await ready();
    const ids = (await readdir(place.guests)).filter((name) => guestIdPattern.test(name));
    const found = await Promise.all(ids.map((id) => records.read(id)));
    await images.sweep(new Set(found.flatMap((record) => (record === null ? [] : [record.imageId]))));
  }

  return {
    type: 'container',
    async probe() {
      const { engine } = await ready();
      return {
        type: 'container',
        driver: 'podman',
        hypervisorType: 'podman',
        hypervisorVersion: versionNumber(engine.version),
        capabilities: [
          'pause',
          'resize',
          'shell',
          ...engine.controllers.map((name) => `limit-${name}`),
          ...(engine.rootQuota ? ['limit-root-disk'] : []),
          ...(engine.volumes === null ? ['volumes'] : []),
        ],
      };
    },
    async list() {
      const { place, client, records } = await ready();
      const filters = JSON.stringify({ label: [`${cloudLabel}=${cloudId}`] });
      const [reply, folders] = await Promise.all([
        client.call('GET', `/containers/json?all=true&filters=${encodeURIComponent(filters)}`),
        readdir(place.guests),
      ]);
      if (reply.status !== 200 || !listSchema.Check(reply.body))
        throw replyFailure(reply, 'podman does not list the containers of this host');
      const entries = new Map(
        reply.body.flatMap((entry) => {
          const id = entry.Labels?.[serverLabel];
          return id === undefined ? [] : [[id, entry] as const];
        }),
      );
      const ids = [...new Set([...entries.keys(), ...folders.filter((name) => guestIdPattern.test(name))])];
      return await Promise.all(
        ids.map(async (id) => stateOf(id, entries.get(id) ?? null, await records.read(id))),
      );
    },
    get,
    define: (spec) => inTurn(spec.id, () => define(spec)),
    start: (spec) => inTurn(spec.id, () => start(spec)),
    stop,
    rebuild: (spec) => inTurn(spec.id, () => rebuild(spec)),
    resize: (spec) => inTurn(spec.id, () => withRoots(spec, resizeRoot)),
    revertResize: (spec) => inTurn(spec.id, () => withRoots(spec, revertRoot)),
    confirmResize: (id) => inTurn(id, async () => (await ready()).records.set(id, { original: null })),
    reboot: (spec, hard) =>
      inTurn(spec.id, async () => {
        await stop(spec.id, hard ? 0 : rebootGraceMs);
        await start(spec);
        const { records } = await ready();
        await records.set(spec.id, { rebootCount: spec.body.rebootCount });
      }),
    pause: (id) => freeze(id, '/pause', 'running', 'pause'),
    resume: (id) => freeze(id, '/unpause', 'paused', 'resume'),
    async suspend(id) {
      throw new DriverError(
        'refused',
        `server ${id} is a container; containers cannot be suspended, only paused`,
      );
    },
    destroy: (id) => inTurn(id, () => destroy(id)),
    closeVolumes,
    async syncVolumes(spec) {
      const { volumes, records } = await ready();
      const sealed = (await records.read(spec.id))?.sealed === true;
      return volumes.sync(spec, () => processOf(spec.id), sealed);
    },
    async figures(id) {
      const { client, records } = await ready();
      const entry = await inspect(id);
      if (entry === null || !isLive(entry.State)) return null;
      const netns = (await records.read(id))?.netns ?? null;
      return containerFigures(client, containerName(cloudId, id), netns);
    },
    async consoleLog(id, lines) {
      const { place } = await ready();
      return await readConsole(join(guestFolder(place, id), 'console.log'), lines);
    },
    async openConsole(id, kind) {
      if (kind !== 'shell')
        throw new DriverError(
          'refused',
          `server ${id} is a container; it has no ${kind} console, only a shell`,
        );
      const { place, client, engine } = await ready();
      const name = containerName(cloudId, id);
      return shells.open({ place, client, runtimePath: engine.runtimePath }, { serverId: id, name });
    },
    watch(changed) {
      let watcher: FSWatcher | null = null;
      let ended = false;
      ready().then(
        ({ place }) => {
          if (ended) return;
          watcher = watchFolder(place.exits, { persistent: false }, (_event, name) => {
            const id = name === null ? undefined : guestOf.get(name);
            if (id !== undefined) changed(id);
          });
          watcher.on('error', (error) =>
            log.warn({ error }, 'the exit of containers is not watched any more'),
          );
          watchers.add(watcher);
        },
        (error: unknown) => log.warn({ error }, 'the exit of containers cannot be watched'),
      );
      return () => {
        ended = true;
        if (watcher !== null) {
          watcher.close();
          watchers.delete(watcher);
        }
      };
    },
    async close() {
      cancelSweep?.();
      for (const watcher of watchers) watcher.close();
      watchers.clear();
      shells.close();
      const current = await opened?.catch(() => null);
      await current?.client.close();
    },
  };
}
