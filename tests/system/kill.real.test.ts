// kill -9 of the whole process at random moments while real servers are created and deleted: afterwards everything
// converges, nothing leaks, and guests that ran were never disturbed.
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../src/cli/api-client.ts';
import { seededRng } from '../../src/kernel/ids.ts';
import { run } from '../../src/kernel/run.ts';
import { eventually, startCloud, traces, type Cloud } from '../cloud.ts';

const SEED = Number(process.env['STRATA_SEED'] ?? 7);
const ROUNDS = 6;

type Server = { id: string; name: string; status: string; fault?: unknown };

let cloud: Cloud;
beforeAll(async () => {
  cloud = await startCloud();
}, 120_000);
afterAll(async () => {
  await cloud?.teardown();
}, 120_000);

const list = async (api: ApiClient): Promise<Server[]> =>
  (await api.call<{ servers: Server[] }>('GET', '/compute/v2.1/servers/detail')).servers;

async function guestProcesses(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const line of await traces(cloud.cloudId, cloud.dataDir)) {
    const match = /^process (\d+): .*(?:qemu-system|conmon)/.exec(line);
    const id = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/.exec(line)?.[0];
    if (match?.[1] !== undefined && id !== undefined) found.set(id, match[1]);
  }
  return found;
}

describe(`kill -9 at random moments (seed ${SEED})`, () => {
  it('converges, leaks nothing, and never disturbs a running guest', async () => {
    const rng = seededRng(SEED);
    let api = await cloud.as('demo');
    const network = await api.call<{ network: { id: string } }>('POST', '/network/v2.0/networks', {
      network: { name: 'n' },
    });
    await api.call('POST', '/network/v2.0/subnets', {
      subnet: { network_id: network.network.id, ip_version: 4, cidr: '10.5.0.0/24' },
    });
    const images = (await api.call<{ images: { id: string; name: string }[] }>('GET', '/image/v2/images'))
      .images;
    const flavors = (
      await api.call<{ flavors: { id: string; name: string }[] }>('GET', '/compute/v2.1/flavors')
    ).flavors;
    const nano = flavors.find((flavor) => flavor.name === 'm1.nano') ?? flavors[0];
    const create = (name: string, image: string): Promise<unknown> =>
      api.call('POST', '/compute/v2.1/servers', {
        server: {
          name,
          imageRef: images.find((one) => one.name === image)?.id,
          flavorRef: nano?.id,
          networks: [{ uuid: network.network.id }],
        },
      });

    await create('witness-vm', 'tiny');
    await create('witness-box', 'tiny-container');
    await eventually('the witnesses', 90, async () =>
      (await list(api)).every((server) => server.status === 'ACTIVE'),
    );
    const witnesses = await list(api);
    const before = await guestProcesses();

    for (let round = 0; round < ROUNDS; round++) {
      // Whatever is under way when the process dies may be refused, unanswered or done.
      const under: Promise<unknown>[] = [];
      for (let at = 0; at < 5; at++)
        under.push(create(`r${round}-${at}`, rng() < 0.4 ? 'tiny' : 'tiny-container').catch(() => {}));
      for (const server of await list(api).catch(() => []))
        if (server.name.startsWith('r') && rng() < 0.6)
          under.push(api.call('DELETE', `/compute/v2.1/servers/${server.id}`).catch(() => {}));
      await sleep(rng() * 1_500);
      await cloud.kill();
      await Promise.all(under);
      await cloud.start();
      api = await cloud.as('demo');
    }

    await eventually('convergence', 120, async () =>
      (await list(api)).every((server) => server.status === 'ACTIVE'),
    );
    const alive = await guestProcesses();
    for (const witness of witnesses)
      expect(alive.get(witness.id), `${witness.name} was disturbed`).toBe(before.get(witness.id));
    expect([...alive.keys()].sort()).toEqual((await list(api)).map((server) => server.id).sort());

    for (const server of await list(api)) await api.call('DELETE', `/compute/v2.1/servers/${server.id}`);
    await eventually('deletion', 90, async () => (await list(api)).length === 0);
    await eventually('no guest is left', 30, async () => (await guestProcesses()).size === 0);
    const ports = (await api.call<{ ports: { device_owner: string }[] }>('GET', '/network/v2.0/ports')).ports;
    expect(ports.filter((port) => port.device_owner.startsWith('compute'))).toEqual([]);
    const { limits } = await api.call<{ limits: { absolute: Record<string, number> } }>(
      'GET',
      '/compute/v2.1/limits',
    );
    expect(limits.absolute).toMatchObject({ totalInstancesUsed: 0, totalCoresUsed: 0, totalRAMUsed: 0 });
    await eventually('no tap, no container namespace is left', 30, async () => {
      const links = (await run(['ip', '-n', `strata-${cloud.cloudId}`, '-o', 'link'])).stdout;
      const spaces = readdirSync('/run/netns').filter((name) =>
        name.startsWith(`strata-${cloud.cloudId}-s-`),
      );
      return !/\btun\b|: t[0-9a-z]+[:@]/.test(links) && spaces.length === 0;
    });
  }, 600_000);
});
