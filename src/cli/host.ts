// The real host of `up`: drivers that work here, what the machine has, and the agent over them.
import { run } from '../kernel/run.ts';
import { cpus, hostname, totalmem } from 'node:os';
import { readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { createAgent, type Agent } from '../agent/agent.ts';
import { indexCallers } from '../agent/controllers/callers.ts';
import { guestVolumes } from '../agent/controllers/guest-volumes.ts';
import { networkingControllers, type Plugged } from '../agent/controllers/networking.ts';
import { serverController } from '../agent/controllers/server.ts';
import { volumeControllers } from '../agent/controllers/volume.ts';
import { DriverError } from '../agent/drivers/errors.ts';
import type { GuestCapabilities, GuestDriver, GuestType } from '../agent/drivers/guest/driver.ts';
import { guestUid } from '../agent/drivers/guest/guest-user.ts';
import { createPodmanDriver } from '../agent/drivers/guest/podman/driver.ts';
import { createQemuDriver } from '../agent/drivers/guest/qemu/driver.ts';
import { createLinuxNetworkDriver } from '../agent/drivers/network/linux/driver.ts';
import { cloudNames } from '../agent/drivers/network/linux/names.ts';
import type { VolumeCapabilities, VolumeDriver } from '../agent/drivers/volume/driver.ts';
import { createFileVolumeDriver } from '../agent/drivers/volume/file/driver.ts';
import { exported } from '../agent/export.ts';
import { exportVolume, volumeQueries } from '../agent/volume-export.ts';
import { createImageCache } from '../agent/image-cache.ts';
import { fileItemStore } from '../agent/item-store.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Link } from '../protocol/link.ts';
import type { CloudFile } from './data-dir.ts';

export type Host = { agent: Agent; guests: GuestCapabilities[]; stop(): Promise<void> };

const MIB = 1024 * 1024;

/** null: this host cannot keep volumes; the log says why. */
async function findVolumes(
  dataDir: string,
  log: Log,
): Promise<{ driver: VolumeDriver; capabilities: VolumeCapabilities } | null> {
  const driver = createFileVolumeDriver({
    dir: join(dataDir, 'volumes'),
    log: log.child({ driver: 'volume-file' }),
  });
  try {
    await rm(join(dataDir, 'volumes', 'exports'), { recursive: true, force: true });
    return { driver, capabilities: await driver.probe() };
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    log.error({ detail: error.detail }, `volumes cannot be kept here: ${error.message}`);
    return null;
  }
}

export async function startHost(options: {
  dataDir: string;
  cloud: CloudFile;
  link: Link;
  clock: Clock;
  log: Log;
}): Promise<Host> {
  const { dataDir, cloud, link, clock, log } = options;
  const parts = { dataDir, cloudId: cloud.cloudId, log, clock };
  const network = createLinuxNetworkDriver({
    ...parts,
    externalCidr: cloud.externalCidr,
    guestUid,
    onPassword: async (serverId, sealed) => {
      const hostId = agent.hostId();
      if (hostId === null) throw new Error('control has not answered yet');
      return link.guestPassword(hostId, serverId, sealed);
    },
  });
  const drivers = new Map<GuestType, GuestDriver>();
  const guests: GuestCapabilities[] = [];
  await Promise.all(
    [
      createQemuDriver({ ...parts, netns: cloudNames(cloud.cloudId).switchNs }),
      createPodmanDriver(parts),
    ].map(async (driver) => {
      try {
        guests.push(await driver.probe());
        drivers.set(driver.type, driver);
      } catch (error) {
        if (!(error instanceof DriverError)) throw error;
        log.error(
          { type: driver.type, detail: error.detail },
          `servers of type ${driver.type} cannot run here: ${error.message}`,
        );
        await driver.close();
      }
    }),
  );
  await network.start((networkId, sourceIp) => {
    const serverId = serverAt(networkId, sourceIp);
    const body = serverId === null ? null : agent.desired('server', serverId)?.body;
    return serverId === null || body === null || body === undefined ? null : { serverId, body };
  });
  const plugged: Plugged = new Map();
  const networking = networkingControllers(network, plugged, hostname());
  const { port, serverAt } = indexCallers(networking.port);
  const images = createImageCache(join(dataDir, 'agent', 'images'), (id) => link.image(id));
  const volumes = await findVolumes(dataDir, log);
  const server = serverController({
    drivers,
    images,
    plugged,
    volumes: guestVolumes(volumes?.driver ?? null),
    clock,
    ...(network.instanceData === undefined ? {} : { instanceData: network.instanceData }),
  });
  // Copies of disks that an earlier process was still writing.
  await rm(join(dataDir, 'exports'), { recursive: true, force: true });
  const disk = await statfs(dataDir);
  const agent = createAgent({
    link,
    clock,
    log: log.child({ part: 'agent' }),
    facts: {
      hostname: hostname(),
      architecture: { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch,
      vcpus: cpus().length,
      memoryMib: Math.floor(totalmem() / MIB),
      diskGib: Math.floor((disk.bavail * disk.bsize) / (1024 * MIB)),
      address: '127.0.0.1',
      cpuModel: cpus()[0]?.model ?? 'unknown',
      guests,
      ...(volumes === null ? {} : { volumes: volumes.capabilities }),
    },
    queries: {
      ...(volumes === null
        ? {}
        : {
            exportVolume: (kind, id, format) =>
              exportVolume(volumes.driver, join(dataDir, 'volumes', 'exports'), kind, id, format),
            ...volumeQueries(volumes.driver),
          }),
      exportServer: (serverId) =>
        exported(join(dataDir, 'exports'), (path) => server.exportRoot(serverId, path, agent)),
      uptime: async () => (await run(['uptime'], { timeoutMs: 5_000 })).stdout.trim(),
      async interruptServer(serverId) {
        const type = agent.desired('server', serverId)?.body?.type;
        await (type === undefined ? undefined : drivers.get(type))?.interrupt?.(serverId);
      },
      async figures(serverId) {
        const type = agent.desired('server', serverId)?.body?.type;
        return type === undefined ? null : ((await drivers.get(type)?.figures(serverId)) ?? null);
      },
      async openConsole(serverId, kind) {
        const type = agent.desired('server', serverId)?.body?.type;
        const driver = type === undefined ? undefined : drivers.get(type);
        if (driver?.openConsole === undefined)
          throw new DriverError('refused', `server ${serverId} has no ${kind} console on this host`);
        return driver.openConsole(serverId, kind);
      },
      async consoleLog(serverId, lines) {
        const type = agent.desired('server', serverId)?.body?.type;
        const driver = type === undefined ? undefined : drivers.get(type);
        return driver === undefined ? '' : driver.consoleLog(serverId, lines);
      },
    },
    store: fileItemStore(join(dataDir, 'agent', 'items')),
    controllers: {
      ...networking,
      port,
      server,
      ...volumeControllers({ driver: volumes?.driver ?? null, images, clock, syncVolume: server.syncVolume }),
    },
    boot: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
  });
  await agent.start();
  return {
    agent,
    guests,
    async stop() {
      await agent.stop();
      await Promise.all([...drivers.values()].map((driver) => driver.close()));
      await volumes?.driver.close();
      await network.close();
    },
  };
}
