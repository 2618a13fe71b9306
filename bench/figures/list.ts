// GET /servers/detail with a hundred servers against a bare fastify route that answers the same bytes.
import autocannon from 'autocannon';
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { line, median, rate, spread, withFolder, type Figure } from '../figure.ts';
import { concurrently } from '../load/client.ts';
import { endChild, firstMessage, prepareServers, startSimCloud, untilActive } from '../load/sim-cloud.ts';

const SERVERS = 100;
const RUNS = 5;
const SECONDS = 4;
const TARGET = 1000;

export async function requestRate(url: string, headers: Record<string, string>, seconds = SECONDS): Promise<number> {
  const result = await autocannon({ url, headers, connections: 16, duration: seconds });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${url}: ${result.non2xx} refused, ${result.errors} failed`);
  return result.requests.total / result.duration;
}

export const list: Figure = {
  name: 'list',
  title: `GET /servers/detail with ${SERVERS} servers`,
  measure: (say) =>
    withFolder(async (dir) => {
      const cloud = await startSimCloud(dir, 10);
      const bare = fork(join(import.meta.dirname, '..', 'load', 'bare.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      try {
        const body = await prepareServers(cloud, dir);
        await concurrently(SERVERS, 8, (at) => cloud.demo.call('POST', '/compute/v2.1/servers', body(`server-${at}`)));
        await untilActive(cloud, SERVERS);
        const path = '/compute/v2.1/servers/detail';
        const headers = { 'x-auth-token': cloud.demo.token, 'openstack-api-version': 'compute 2.90' };
        const { text } = await cloud.demo.send('GET', path, undefined, headers);
        if ((JSON.parse(text) as { servers: unknown[] }).servers.length !== SERVERS) throw new Error('the list is not complete');
        const listening = firstMessage<string>(bare);
        bare.send(text);
        const rival = await listening;
        const [ours, prepared, encoded]: number[][] = [[], [], []];
        await requestRate(cloud.url + path, headers, 2);
        for (let run = 0; run < RUNS; run++) {
          // Alternating, so that a noisy neighbour meets all three.
          ours?.push(await requestRate(cloud.url + path, headers));
          prepared?.push(await requestRate(`${rival}/prepared`, headers));
          encoded?.push(await requestRate(`${rival}/encoded`, headers));
          say(`${rate(ours?.[run] ?? 0)}; bare prepared ${rate(prepared?.[run] ?? 0)}, bare encoded ${rate(encoded?.[run] ?? 0)}`);
        }
        const own = median(ours ?? []);
        const ratio = (of: number[] | undefined): string => `${Math.round((own / median(of ?? [])) * 100)} % of ${rate(median(of ?? []))}`;
        return [
          line(`GET /servers/detail, ${SERVERS} servers (${Math.round(text.length / 1024)} KiB), one core`, spread(ours ?? [], rate), { target: `>= ${TARGET}/s`, met: own >= TARGET }),
          line('  against bare fastify, prepared string', ratio(prepared), { target: '>= 40 %', met: own >= 0.4 * median(prepared ?? []) }),
          line('  against bare fastify, JSON.stringify', ratio(encoded), { target: '>= 40 %', met: own >= 0.4 * median(encoded ?? []) }),
        ];
      } finally {
        await cloud.stop();
        await endChild(bare);
      }
    }),
};
