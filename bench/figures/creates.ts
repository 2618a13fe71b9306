// Durable creates: servers with a port each, on SQLite (synchronous FULL) and a thousand simulated hosts, over
// HTTP from another process, until all are ACTIVE.
import {
  cpuSeconds,
  line,
  median,
  ms,
  percentile,
  rate,
  spread,
  withFolder,
  type Figure,
  type Line,
} from '../figure.ts';
import { concurrently } from '../load/client.ts';
import { prepareServers, startSimCloud, untilActive } from '../load/sim-cloud.ts';

const HOSTS = 1000;
const SERVERS = 1500;
const CLIENTS = 64;
const RUNS = 3;
const TARGET = 300;

async function measureOn(postgres: string | null, say: (text: string) => void): Promise<Line[]> {
  return withFolder(async (dir) => {
    const cloud = await startSimCloud(dir, HOSTS, postgres);
    try {
      const body = await prepareServers(cloud, dir);
      await concurrently(100, CLIENTS, (at) =>
        cloud.demo.call('POST', '/compute/v2.1/servers', body(`warm-${at}`)),
      );
      let created = 100;
      await untilActive(cloud, created);
      const accepted: number[] = [];
      const active: number[] = [];
      const onOneCore: number[] = [];
      const latency: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        const began = performance.now();
        const cpu = cpuSeconds(cloud.pid);
        latency.push(
          ...(await concurrently(SERVERS, CLIENTS, (at) =>
            cloud.demo.call('POST', '/compute/v2.1/servers', body(`server-${run}-${at}`)),
          )),
        );
        const answered = performance.now();
        created += SERVERS;
        const settled = await untilActive(cloud, created);
        accepted.push((SERVERS * 1000) / (answered - began));
        active.push((SERVERS * 1000) / (settled - began));
        onOneCore.push(SERVERS / (cpuSeconds(cloud.pid) - cpu));
        say(`run ${run + 1}: ${rate(accepted[run] ?? 0)} accepted, ${rate(active[run] ?? 0)} to ACTIVE`);
      }
      const engine = postgres === null ? 'SQLite' : 'PostgreSQL';
      return [
        line(`durable creates to ACTIVE, ${engine}, ${HOSTS} hosts`, spread(active, rate), {
          rival: `in a second of CPU of control and all simulated hosts ${rate(median(onOneCore))}`,
          ...(postgres === null ? { target: `>= ${TARGET}/s`, met: median(active) >= TARGET } : {}),
        }),
        line(`  accepted (202), ${CLIENTS} clients`, spread(accepted, rate), {
          rival: `latency p50 ${ms(median(latency))}, p99 ${ms(percentile(latency, 99))}`,
        }),
      ];
    } finally {
      await cloud.stop();
    }
  });
}

export const creates: Figure = {
  name: 'creates',
  title: `${RUNS} x ${SERVERS} servers on ${HOSTS} simulated hosts`,
  async measure(say) {
    const lines = await measureOn(null, say);
    const postgres = process.env['STRATA_TEST_PG_URL'];
    return postgres === undefined ? lines : [...lines, ...(await measureOn(postgres, say))];
  },
};
