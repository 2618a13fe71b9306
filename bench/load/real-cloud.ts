// A real ./up with a network and the built-in images, for figures that boot real guests.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../src/cli/api-client.ts';
import { startCloud, type Cloud } from '../../tests/cloud.ts';
import { leftovers, starting } from '../figure.ts';

export type RealCloud = Cloud & {
  api: ApiClient;
  /** Asks for a server; answers its id and, on performance.now()'s scale, when it was asked for. */
  create(name: string): Promise<{ id: string; asked: number }>;
  /** performance.now() when the server was seen ACTIVE. */
  untilActive(id: string): Promise<number>;
  remove(id: string): Promise<void>;
};

const STRATA = join(import.meta.dirname, '..', '..', 'strata');

/** A real cloud that goes with the run, also when that is interrupted. */
export async function startBenchCloud(): Promise<Cloud> {
  const start = startCloud();
  starting.add(start);
  const cloud = await start;
  const { dataDir, teardown } = cloud;
  const remove = (): void => {
    try {
      process.kill(Number(readFileSync(join(dataDir, 'lock'), 'utf8').split(' ')[0]), 'SIGKILL');
    } catch {
      // it is down already
    }
    execFileSync(STRATA, ['teardown', '--data-dir', dataDir], { stdio: 'ignore' });
  };
  leftovers.add(remove);
  starting.delete(start);
  return Object.assign(cloud, {
    async teardown() {
      leftovers.delete(remove);
      return teardown();
    },
  });
}

type Server = { server: { status: string; fault?: { message: string } } };

export async function startRealCloud(imageName: string): Promise<RealCloud> {
  const cloud = await startBenchCloud();
  try {
    const api = await cloud.as('demo');
    const { network } = await api.call<{ network: { id: string } }>('POST', '/network/v2.0/networks', {
      network: { name: 'bench' },
    });
    await api.call('POST', '/network/v2.0/subnets', {
      subnet: { network_id: network.id, ip_version: 4, cidr: '10.33.0.0/24' },
    });
    const { images } = await api.call<{ images: { id: string; name: string }[] }>('GET', '/image/v2/images');
    const image = images.find((one) => one.name === imageName);
    const { flavors } = await api.call<{ flavors: { id: string; name: string }[] }>(
      'GET',
      '/compute/v2.1/flavors',
    );
    const flavor = flavors.find((one) => one.name === 'm1.nano');
    const get = (id: string): Promise<Server> => api.call<Server>('GET', `/compute/v2.1/servers/${id}`);
    return Object.assign(cloud, {
      api,
      async create(name: string) {
        const asked = performance.now();
        const { server } = await api.call<{ server: { id: string } }>('POST', '/compute/v2.1/servers', {
          server: { name, imageRef: image?.id, flavorRef: flavor?.id, networks: [{ uuid: network.id }] },
        });
        return { id: server.id, asked };
      },
      async untilActive(id: string) {
        for (const limit = performance.now() + 60_000; ; await sleep(5)) {
          const { server } = await get(id);
          if (server.status === 'ACTIVE') return performance.now();
          if (server.status === 'ERROR' || performance.now() > limit)
            throw new Error(`server ${id} is in ${server.status}: ${server.fault?.message ?? ''}`);
        }
      },
      async remove(id: string) {
        await api.call('DELETE', `/compute/v2.1/servers/${id}`);
        for (const limit = performance.now() + 60_000; ; await sleep(20)) {
          const gone = await get(id).then(
            () => false,
            () => true,
          );
          if (gone) return;
          if (performance.now() > limit) throw new Error(`server ${id} does not go`);
        }
      },
    });
  } catch (error) {
    await cloud.teardown().catch(() => {});
    throw error;
  }
}
