// Volumes of containers: opened on the host before a container starts and closed after it has ended, given and taken
// away while it runs. Leave is taken before a device is closed, so that a device never changes its volume under a
// container that may still open it.
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { DriverError } from '../../errors.ts';
import { nodesOf } from '../block-nodes.ts';
import type { GuestSpec, GuestVolume, VolumeOutcome } from '../driver.ts';
import { processIdentity } from './client.ts';
import { putNode, setLeave, takeNode, type ContainerProcess, type Leave } from './devices.ts';
import { createDisks, numberOf, type Disk, type Disks } from './disks.ts';
import type { Place } from './place.ts';
import { createTurns } from './record.ts';

export type ContainerVolumes = {
  /** Opens the volumes of a container that does not run; those that cannot be opened come with the next sync. */
  open(spec: GuestSpec): Promise<boolean>;
  /** Gives a container what is open for it. `process`: read when it is its turn. */
  give(spec: GuestSpec, process: () => Promise<ContainerProcess | null>): Promise<void>;
  /** Makes the volumes of a container that runs those of the spec. `sealed`: its system calls are filtered. */
  sync(
    spec: GuestSpec,
    process: () => Promise<ContainerProcess | null>,
    sealed: boolean,
  ): Promise<VolumeOutcome[]>;
  /** Closes all of a container, unless it `lives`. */
  close(
    serverId: string,
    process: () => Promise<ContainerProcess | null>,
    lives: () => Promise<boolean>,
  ): Promise<void>;
};

const devicePattern = /^\/dev\/((?:xv|v|s|h)d[a-z]{1,2})$/;

/** Name below /dev, of the attachment's. */
export function nodeName(device: string): string {
  const name = devicePattern.exec(device)?.[1];
  if (name !== undefined) return name;
  throw new DriverError('refused', `its device name '${device.slice(0, 40)}' must be like /dev/vdb`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

export function createContainerVolumes(parts: {
  place: Place;
  runtimePath: string;
  clock: Clock;
  log: Log;
}): ContainerVolumes {
  const { place, clock, log } = parts;
  const disks: Disks = createDisks(place, clock, log);
  const inTurn = createTurns();

  const leaveOf = async ({ loop, readOnly }: Disk): Promise<Leave> => ({
    number: await numberOf(loop ?? ''),
    readOnly,
  });
  /** Leaves of all that the container may use. */
  const leavesOf = async (serverId: string): Promise<Leave[]> =>
    Promise.all((await disks.of(serverId)).filter((disk) => disk.given !== null).map(leaveOf));

  async function give(disk: Disk, name: string, target: ContainerProcess): Promise<void> {
    // Written down before the container may open it, so that it is taken away before it is closed.
    if (disk.given !== name) await disks.setGiven(disk, name);
    await setLeave(parts, target, await leavesOf(disk.serverId), []);
    await putNode(target, name, await leaveOf(disk));
  }
  /** `target`: null: there is no process that could have it open. */
  async function take(disk: Disk, target: ContainerProcess | null): Promise<Disk> {
    if (disk.given === null) return disk;
    if (target !== null && disk.loop !== null) {
      try {
        const leave = await leaveOf(disk);
        await takeNode(target, disk.given, leave);
        const others = (await disks.of(disk.serverId)).filter(
          (one) => one.given !== null && one.key !== disk.key,
        );
        await setLeave(parts, target, await Promise.all(others.map(leaveOf)), [leave]);
      } catch (error) {
        // Leave goes with the container.
        if ((await processIdentity(target.pid)) === target.identity) throw error;
      }
    }
    return disks.setGiven(disk, null);
  }
  const takeAndClose = async (disk: Disk, target: ContainerProcess | null): Promise<void> =>
    disks.close(await take(disk, target));

  /** The daemon writes to the newest layer from now on, and the device has the size that the volume has. */
  async function follow(disk: Disk, volume: GuestVolume): Promise<void> {
    const [top] = volume.layers;
    if (top === undefined) return;
    const qmp = await disks.monitor(disk);
    try {
      const exported = await qmp.execute('query-block-exports');
      const node = (Array.isArray(exported) ? exported : [])
        .filter(isRecord)
        .map((one) => one['node-name'])[0];
      if (node !== top.id) {
        if (!volume.layers.some((layer) => layer.id === node))
          throw new DriverError(
            'failed',
            'the container has the volume open in a state that is gone; stop and start the server',
            String(node),
          );
        if (volume.readOnly)
          throw new DriverError(
            'failed',
            'a volume that is attached read-only follows with the next start of its server',
          );
        for (const one of nodesOf(top, false, null))
          await qmp.execute('blockdev-add', one).catch((error: unknown) => {
            // An earlier attempt has opened it.
            if (!(error instanceof DriverError) || !/already|duplicate/i.test(error.detail)) throw error;
          });
        await qmp.execute('blockdev-snapshot', { node, overlay: top.id });
      }
      const nodes = await qmp.execute('query-named-block-nodes', { flat: true });
      const open = (Array.isArray(nodes) ? nodes : [])
        .filter(isRecord)
        .find((one) => one['node-name'] === top.id);
      const image = isRecord(open?.['image']) ? open['image'] : {};
      if (Number(image['virtual-size'] ?? 0) < volume.size) {
        await qmp.execute('block_resize', { 'node-name': top.id, size: volume.size });
        await disks.grown(disk);
      }
    } finally {
      qmp.close();
    }
  }

  async function syncOne(
    spec: GuestSpec,
    volume: GuestVolume,
    target: ContainerProcess,
    before: Disk | undefined,
  ): Promise<void> {
    const name = nodeName(volume.device);
    let disk = before;
    if (disk !== undefined && (disk.readOnly !== volume.readOnly || !(await disks.works(disk)))) {
      await takeAndClose(disk, target);
      disk = undefined;
    }
    if (disk === undefined) disk = await disks.open(spec.id, spec.folder ?? '/', volume);
    else await follow(disk, volume);
    if (disk.given !== null && disk.given !== name) disk = await take(disk, target);
    await give(disk, name, target);
  }

  async function closeAll(serverId: string, target: ContainerProcess | null): Promise<void> {
    for (const disk of await disks.of(serverId)) await takeAndClose(disk, target);
  }

  async function sync(
    spec: GuestSpec,
    process: () => Promise<ContainerProcess | null>,
    sealed: boolean,
  ): Promise<VolumeOutcome[]> {
    const target = await process();
    if (target === null) throw new DriverError('failed', `server ${spec.id} does not run`);
    const wanted = new Set(spec.body.volumes.map((volume) => volume.volumeId));
    const before = await disks.of(spec.id);
    const outcomes: VolumeOutcome[] = [];
    const attempt = async (id: string, work: () => Promise<void>, has: boolean): Promise<void> => {
      const had = before.some((disk) => disk.volumeId === id);
      try {
        await work();
        outcomes.push({ id, attached: has, error: null });
      } catch (error) {
        log.warn({ server: spec.id, volume: id, error }, 'a volume of a container');
        // What is open still, half or whole, may not be given back.
        const open = (await disks.of(spec.id)).some((disk) => disk.volumeId === id);
        const reason =
          error instanceof DriverError ? error.message : 'its host cannot give it to the container';
        outcomes.push({ id, attached: had && open, error: `Volume ${id}: ${reason}.` });
      }
    };
    for (const disk of before)
      if (!wanted.has(disk.volumeId)) await attempt(disk.volumeId, () => takeAndClose(disk, target), false);
    for (const volume of spec.volumes) {
      const disk = before.find((one) => one.volumeId === volume.volumeId);
      if (!sealed)
        outcomes.push({
          id: volume.volumeId,
          attached: false,
          error: `Volume ${volume.volumeId}: the container was made before its host could attach volumes to it; rebuild the server.`,
        });
      else await attempt(volume.volumeId, () => syncOne(spec, volume, target, disk), true);
    }
    return outcomes;
  }

  return {
    open: (spec) =>
      inTurn(spec.id, async () => {
        let any = false;
        for (const volume of spec.volumes)
          try {
            await disks.open(spec.id, spec.folder ?? '/', volume);
            any = true;
          } catch (error) {
            log.warn(
              { server: spec.id, volume: volume.volumeId, error },
              'a volume was not opened for a start',
            );
          }
        return any;
      }),
    give: (spec, process) =>
      inTurn(spec.id, async () => {
        const target = await process();
        if (target === null) return;
        for (const disk of await disks.of(spec.id)) {
          const volume = spec.volumes.find((one) => one.volumeId === disk.volumeId);
          if (volume !== undefined && disk.loop !== null) await give(disk, nodeName(volume.device), target);
        }
      }),
    sync: (spec, process, sealed) => inTurn(spec.id, () => sync(spec, process, sealed)),
    close: (serverId, process, lives) =>
      inTurn(serverId, async () => {
        if ((await disks.of(serverId)).length === 0 || (await lives())) return;
        await closeAll(serverId, await process());
      }),
  };
}
