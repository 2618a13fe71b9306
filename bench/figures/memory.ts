// Resident memory: of ./up idle, and of a control plane that holds a thousand simulated servers.
import { setTimeout as sleep } from 'node:timers/promises';
import { runningPid } from '../../src/cli/data-dir.ts';
import { line, median, mib, spread, withFolder, type Figure } from '../figure.ts';
import { concurrently } from '../load/client.ts';
import { startBenchCloud } from '../load/real-cloud.ts';
import { prepareServers, residentBytes, startSimCloud, untilActive } from '../load/sim-cloud.ts';

const TARGET = 150 * 1024 * 1024;
const HOSTS = 100;
const SERVERS = 1000;
const SETTLE_MS = 10_000;

export const memory: Figure = {
  name: 'memory',
  title: 'resident memory, idle and with servers',
  async measure(say) {
    const idle: number[] = [];
    const cloud = await startBenchCloud();
    try {
      for (let run = 0; run < 3; run++) {
        await cloud.stop();
        await cloud.start();
        await sleep(SETTLE_MS);
        idle.push(residentBytes((await runningPid(cloud.dataDir)) ?? 0));
        say(`idle: ${mib(idle[run] ?? 0)}`);
      }
    } finally {
      await cloud.teardown();
    }
    const [before, after] = await withFolder(async (dir) => {
      const sim = await startSimCloud(dir, HOSTS);
      try {
        const body = await prepareServers(sim, dir);
        const empty = residentBytes(sim.pid);
        await concurrently(SERVERS, 16, (at) =>
          sim.demo.call('POST', '/compute/v2.1/servers', body(`server-${at}`)),
        );
        await untilActive(sim, SERVERS);
        await sleep(SETTLE_MS);
        return [empty, residentBytes(sim.pid)];
      } finally {
        await sim.stop();
      }
    });
    return [
      line('resident memory of ./up, idle', spread(idle, mib), {
        target: '<= 150 MiB',
        met: median(idle) <= TARGET,
      }),
      line(`resident memory with ${SERVERS} sim servers`, mib(after), {
        rival: `the same process with its ${HOSTS} simulated hosts and no server: ${mib(before)}`,
      }),
    ];
  },
};
