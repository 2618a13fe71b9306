// A simulated host: what its kernel and its disk hold, which outlives every process, and the real agent over it.
import { Readable } from 'node:stream';
import { createAgent, type Agent } from '../agent/agent.ts';
import { guestVolumes } from '../agent/controllers/guest-volumes.ts';
import { networkingControllers, type Plugged } from '../agent/controllers/networking.ts';
import { serverController } from '../agent/controllers/server.ts';
import { volumeControllers } from '../agent/controllers/volume.ts';
import { DriverError } from '../agent/drivers/errors.ts';
import type { GuestDriver, GuestType } from '../agent/drivers/guest/driver.ts';
import {
  createSimGuestDriver,
  createSimGuestHost,
  killSimGuest,
  type SimGuestHost,
} from '../agent/drivers/guest/sim/sim.ts';
import { EMPTY_QCOW2 } from '../agent/drivers/guest/sim/empty-disk.ts';
import type { NetworkDriver } from '../agent/drivers/network/driver.ts';
import {
  createSimNetworkDriver,
  createSimNetworkHost,
  type SimNetworkHost,
} from '../agent/drivers/network/sim/driver.ts';
import { volumeQueries } from '../agent/volume-export.ts';
import type { VolumeDriver } from '../agent/drivers/volume/driver.ts';
import {
  createSimVolumeDriver,
  createSimVolumeHost,
  type SimVolumeHost,
} from '../agent/drivers/volume/sim/driver.ts';
import { noImageCache } from '../agent/image-cache.ts';
import { memoryItemStore, type StoredItem } from '../agent/item-store.ts';
import { sleep, type Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { HostFacts, HostQueries, Link } from '../protocol/link.ts';
import { boundItemStore, type Boundary } from './boundary.ts';
import type { Faults } from './faults.ts';

export type HostSize = { vcpus: number; memoryMib: number; diskGib: number };

export type SimHost = {
  hostname: string;
  size: HostSize;
  guests: SimGuestHost;
  network: SimNetworkHost;
  volumes: SimVolumeHost;
  items: Map<string, StoredItem>;
  boots: number;
  /** Link calls of a silent host fail, and nothing wakes it. */
  silent: boolean;
  /** What broke a rule at the moment when it happened. */
  broken: string[];
};

export function createSimHost(hostname: string, clock: Clock, size: HostSize): SimHost {
  // Nothing of a simulated cloud waits for a real disk.
  const guests = { ...createSimGuestHost(clock), writeDisk: async () => {} };
  return {
    hostname,
    size,
    guests,
    network: createSimNetworkHost(),
    volumes: createSimVolumeHost(),
    items: new Map(),
    boots: 1,
    silent: false,
    broken: [],
  };
}

/** Power off and on: guests stop, network objects are gone, disks stay. Its agent has to be dead. */
export function rebootSimHost(host: SimHost): void {
  host.boots += 1;
  for (const guest of host.guests.guests.values()) {
    if (guest.power !== 'suspended') guest.power = 'stopped';
    guest.nics = new Set();
    guest.disks = new Set();
  }
  const { networks, ports, routers, securityGroups, addressGroups } = host.network;
  for (const objects of [networks, ports, routers, securityGroups, addressGroups]) objects.clear();
}

export const endGuest = (host: SimHost, id: string, power: 'crashed' | 'stopped'): void =>
  killSimGuest(host.guests, id, power);

/** id -> incarnation of every guest that runs. */
export const incarnationsOf = (host: SimHost): Map<string, number> =>
  new Map(
    [...host.guests.guests].flatMap(([id, guest]) => (guest.power === 'running' ? [[id, guest.starts]] : [])),
  );

function checkCapacity(host: SimHost): void {
  let memory = 0;
  for (const guest of host.guests.guests.values()) memory += guest.spec.body.memoryMib;
  if (memory > host.size.memoryMib)
    host.broken.push(`${host.hostname} has guests of ${memory} MiB on ${host.size.memoryMib} MiB of memory`);
}

/** A port goes only after its guest has let go of it; one that was refused for good holds up nobody. */
function checkUnplugged(host: SimHost, portId: string, refused: ReadonlySet<string>): void {
  for (const [id, guest] of host.guests.guests)
    if (guest.nics.has(portId) && !refused.has(id))
      host.broken.push(`${host.hostname} lost port ${portId} while guest ${id} had it open`);
}

/** A guest has a volume open only while the volume is held for it. */
function checkHeld(host: SimHost): void {
  for (const [id, guest] of host.guests.guests)
    for (const disk of guest.disks) {
      const volume = host.volumes.volumes.get(disk);
      if (volume?.holder !== id)
        host.broken.push(
          `${host.hostname}: guest ${id} has volume ${disk} open, which ${volume === undefined ? 'is gone' : `is held by ${volume.holder ?? 'nobody'}`}`,
        );
    }
}

/** What a host answers of its guests. The agent is asked for when it is needed: it is made with these. */
export const simServerQueries = (
  host: SimHost,
  drivers: ReadonlyMap<GuestType, GuestDriver>,
  server: Pick<ReturnType<typeof serverController>, 'exportRoot'>,
  agent: () => Agent,
): Required<Pick<HostQueries, 'exportServer' | 'figures' | 'consoleLog' | 'openConsole'>> => {
  const driverOf = (id: string) => drivers.get(host.guests.guests.get(id)?.type ?? 'vm');
  return {
    async exportServer(id) {
      await server.exportRoot(id, '/nowhere', agent());
      return Readable.from([EMPTY_QCOW2]);
    },
    figures: async (id) => (await driverOf(id)?.figures(id)) ?? null,
    consoleLog: async (id, lines) => (await driverOf(id)?.consoleLog(id, lines)) ?? '',
    async openConsole(id, kind) {
      const driver = driverOf(id);
      if (driver?.openConsole === undefined) throw new DriverError('refused', `server ${id} has no console`);
      return driver.openConsole(id, kind);
    },
  };
};

/** What changes which volumes guests have open, or for whom they are held. */
const HOLDING = [
  'guest start',
  'guest reboot',
  'guest syncVolumes',
  'volume hold',
  'volume release',
  'volume remove',
];

/** What a host answers of the content of its volumes. */
export const simVolumeQueries = (
  driver: VolumeDriver,
): ReturnType<typeof volumeQueries> & Required<Pick<HostQueries, 'exportVolume'>> => ({
  ...volumeQueries(driver),
  async exportVolume(kind, id) {
    const pieces: Buffer[] = [];
    for await (const { data } of driver.extents(kind, id)) pieces.push(data);
    return Readable.from([Buffer.concat(pieces)]);
  },
});

type Calls = Record<string, unknown>;
/** Every function of a driver but those named crosses the boundary of its process and meets its faults there. */
function bound<D extends object>(
  driver: D,
  what: string,
  host: SimHost,
  boundary: Boundary,
  faults: Faults,
  free: readonly string[],
  faultless: readonly string[],
): D {
  const out: Calls = { ...(driver as Calls) };
  for (const [verb, call] of Object.entries(driver as Calls)) {
    if (typeof call !== 'function' || free.includes(verb)) continue;
    out[verb] = (...args: unknown[]) => {
      const id = String((args[0] as { id?: unknown } | undefined)?.id ?? args[0] ?? '');
      return boundary.around(`${host.hostname} ${what} ${verb} ${id.slice(0, 8)}`, async () => {
        const fault = faultless.includes(verb) ? null : faults.driver(`${what} ${verb}`, id);
        if (fault !== null && fault.delayMs > 0) await sleep(boundary.clock, fault.delayMs);
        if (fault?.before) throw fault.before;
        const result: unknown = await (call as (...given: unknown[]) => Promise<unknown>)(...args);
        if (verb === 'define') checkCapacity(host);
        if (HOLDING.includes(`${what} ${verb}`)) checkHeld(host);
        if (verb === 'removePort') checkUnplugged(host, id, faults.refused);
        if (fault?.after) throw fault.after;
        return result;
      });
    };
  }
  return out as D;
}

/** Starts the agent as the process of `boundary`; resolves when its desired state is loaded. */
export async function startSimAgent(
  host: SimHost,
  parts: { boundary: Boundary; link: Link; log: Log; faults: Faults },
): Promise<Agent> {
  const { boundary, link, log, faults } = parts;
  const { clock } = boundary;
  // Those who watched from a process that was killed.
  host.guests.watchers.clear();
  host.network.watchers.clear();
  const raw: GuestDriver[] = (['vm', 'container'] as const).map((type) =>
    createSimGuestDriver(host.guests, type),
  );
  const drivers = new Map<GuestType, GuestDriver>(
    raw.map((driver) => [
      driver.type,
      bound(
        driver,
        'guest',
        host,
        boundary,
        faults,
        ['watch', 'close'],
        ['probe', 'list', 'get', 'consoleLog', 'openConsole', 'exportRoot', 'figures'],
      ),
    ]),
  );
  const network: NetworkDriver = bound(
    createSimNetworkDriver(host.network),
    'network',
    host,
    boundary,
    faults,
    ['watch', 'close'],
    ['start', 'observe'],
  );
  await network.start(() => null);
  const plugged: Plugged = new Map();
  const volumes: VolumeDriver = bound(
    createSimVolumeDriver(host.volumes),
    'volume',
    host,
    boundary,
    faults,
    ['close', 'extents'],
    ['probe', 'list', 'get', 'heldBy'],
  );
  const server = serverController({
    drivers,
    images: noImageCache,
    plugged,
    volumes: guestVolumes(volumes),
    clock,
  });
  const facts: HostFacts = {
    hostname: host.hostname,
    architecture: 'x86_64',
    ...host.size,
    address: '192.0.2.1',
    cpuModel: 'simulated',
    guests: await Promise.all(raw.map((driver) => driver.probe())),
    volumes: {
      driver: 'sim',
      totalGib: host.size.diskGib,
      capabilities: ['snapshot', 'clone', 'extend-attached', 'revert'],
    },
  };
  const agent = createAgent({
    link,
    clock,
    log,
    facts,
    queries: {
      ...simVolumeQueries(volumes),
      ...simServerQueries(host, drivers, server, () => agent),
    },
    store: boundItemStore(memoryItemStore(host.items), boundary),
    controllers: {
      ...networkingControllers(network, plugged, host.hostname),
      server,
      ...volumeControllers({ driver: volumes, images: noImageCache, clock, syncVolume: server.syncVolume }),
    },
    boot: `${host.hostname}-boot-${host.boots}`,
  });
  await agent.start();
  return agent;
}
