// GET /servers/detail with a hundred servers against a bare fastify route that answers the same bytes.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { line, median, rate, spread, withFolder, type Figure } from '../figure.ts';
import { concurrently } from '../load/client.ts';
import { addRate, noRates, wallOf, type Rates } from '../load/requests.ts';
import { endChild, firstMessage, prepareServers, startSimCloud, untilActive } from '../load/sim-cloud.ts';

const SERVERS = 100;
const RUNS = 4;
const TARGET = 1000;

export const list: Figure = {
  name: 'list',
  title: `GET /servers/detail with ${SERVERS} servers`,
  measure: (say) =>
    withFolder(async (dir) => {
      const cloud = await startSimCloud(dir, 10);
      const bare = fork(join(import.meta.dirname, '..', 'load', 'bare.ts'), {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      try {
        const body = await prepareServers(cloud, dir);
        await concurrently(SERVERS, 8, (at) =>
          cloud.demo.call('POST', '/compute/v2.1/servers', body(`server-${at}`)),
        );
        await untilActive(cloud, SERVERS);
        const path = '/compute/v2.1/servers/detail';
        const headers = { 'x-auth-token': cloud.demo.token, 'openstack-api-version': 'compute 2.90' };
        const { text } = await cloud.demo.send('GET', path, undefined, headers);
        if ((JSON.parse(text) as { servers: unknown[] }).servers.length !== SERVERS)
          throw new Error('the list is not complete');
        const listening = firstMessage<string>(bare);
        bare.send(text);
        const rival = await listening;
        const [ours, prepared, bytes, encoded] = [noRates(), noRates(), noRates(), noRates()];
        await addRate(noRates(), cloud.pid, cloud.url + path, headers, 2);
        for (let run = 0; run < RUNS; run++) {
          // Alternating, so that a noisy neighbour meets all three.
          await addRate(ours, cloud.pid, cloud.url + path, headers);
          await addRate(prepared, bare.pid ?? 0, `${rival}/prepared`, headers);
          await addRate(bytes, bare.pid ?? 0, `${rival}/bytes`, headers);
          await addRate(encoded, bare.pid ?? 0, `${rival}/encoded`, headers);
          say([ours, prepared, bytes, encoded].map((rates) => rate(rates.core[run] ?? 0)).join(', bare '));
        }
        const own = median(ours.core);
        const against = (name: string, other: Rates, judged = true) => {
          const share = own / median(other.core);
          const verdict = judged ? { target: '>= 40 %', met: share >= 0.4 } : {};
          const rival = `${spread(other.core, rate)}; ${wallOf(other)}`;
          return line(`  against bare fastify, ${name}`, `${Math.round(share * 100)} %`, {
            ...verdict,
            rival,
          });
        };
        return [
          line(
            `GET /servers/detail, ${SERVERS} servers (${Math.round(text.length / 1024)} KiB), one core`,
            spread(ours.core, rate),
            { target: `>= ${TARGET}/s`, met: own >= TARGET, rival: wallOf(ours) },
          ),
          against('prepared string', prepared),
          against('prepared bytes, never copied', bytes, false),
          against('JSON.stringify', encoded),
        ];
      } finally {
        await cloud.stop();
        await endChild(bare);
      }
    }),
};
