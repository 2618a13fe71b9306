// Simulated hosts for measuring: the real agent over sim drivers on the real clock, with its items in memory.
import { createAgent, type Agent } from '../../src/agent/agent.ts';
import { guestVolumes } from '../../src/agent/controllers/guest-volumes.ts';
import { networkingControllers, type Plugged } from '../../src/agent/controllers/networking.ts';
import { serverController } from '../../src/agent/controllers/server.ts';
import type { GuestDriver, GuestType } from '../../src/agent/drivers/guest/driver.ts';
import { createSimGuestDriver, createSimGuestHost } from '../../src/agent/drivers/guest/sim/sim.ts';
import { createSimNetworkDriver, createSimNetworkHost } from '../../src/agent/drivers/network/sim/driver.ts';
import { volumeControllers } from '../../src/agent/controllers/volume.ts';
import { createSimVolumeDriver, createSimVolumeHost } from '../../src/agent/drivers/volume/sim/driver.ts';
import { noImageCache } from '../../src/agent/image-cache.ts';
import { memoryItemStore } from '../../src/agent/item-store.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Log } from '../../src/kernel/log.ts';
import type { Link } from '../../src/protocol/link.ts';

async function startSimHost(hostname: string, link: Link, log: Log): Promise<Agent> {
  const guests = createSimGuestHost(systemClock);
  const drivers = new Map<GuestType, GuestDriver>(
    (['vm', 'container'] as const).map((type) => [type, createSimGuestDriver(guests, type)]),
  );
  const network = createSimNetworkDriver(createSimNetworkHost());
  await network.start(() => null);
  const plugged: Plugged = new Map();
  const volumes = createSimVolumeDriver(createSimVolumeHost());
  const server = serverController({
    drivers,
    images: noImageCache,
    plugged,
    volumes: guestVolumes(volumes),
    clock: systemClock,
  });
  const agent = createAgent({
    link,
    clock: systemClock,
    log,
    facts: {
      hostname,
      architecture: 'x86_64',
      vcpus: 32,
      memoryMib: 131_072,
      diskGib: 2_000,
      address: '192.0.2.1',
      cpuModel: 'simulated',
      guests: await Promise.all([...drivers.values()].map((driver) => driver.probe())),
    },
    queries: { consoleLog: async () => '' },
    store: memoryItemStore(new Map()),
    controllers: {
      ...networkingControllers(network, plugged, hostname),
      server,
      ...volumeControllers({
        driver: volumes,
        images: noImageCache,
        clock: systemClock,
        syncVolume: server.syncVolume,
      }),
    },
    boot: 'boot-1',
  });
  await agent.start();
  return agent;
}

export async function startSimHosts(count: number, link: Link, log: Log): Promise<Agent[]> {
  const agents: Agent[] = [];
  for (let at = 0; at < count; at++)
    agents.push(await startSimHost(`sim-${String(at).padStart(4, '0')}`, link, log));
  return agents;
}
