// Resident memory: of ./up idle, and of a control plane that holds a thousand, then ten thousand simulated servers.
import { setTimeout as sleep } from 'node:timers/promises';
import { runningPid } from '../../src/cli/data-dir.ts';
import { line, median, mib, spread, withFolder, type Figure } from '../figure.ts';
import { concurrently } from '../load/client.ts';
import { startBenchCloud } from '../load/real-cloud.ts';
import { prepareServers, residentBytes, startSimCloud, untilActive } from '../load/sim-cloud.ts';

const TARGET = 150 * 1024 * 1024;
const HOSTS = 100;
const SERVERS = [1_000, 10_000];
const ACTIVE_SECONDS = 900;
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
    const [before, held] = await withFolder(async (dir) => {
      const sim = await startSimCloud(dir, HOSTS);
      try {
        const body = await prepareServers(sim, dir);
        const empty = residentBytes(sim.pid);
        const grown: number[] = [];
        let made = 0;
        for (const servers of SERVERS) {
          const from = made;
          await concurrently(servers - from, 16, (at) =>
            sim.demo.call('POST', '/compute/v2.1/servers', body(`server-${from + at}`)),
          );
          made = servers;
          await untilActive(sim, servers, ACTIVE_SECONDS);
          await sleep(SETTLE_MS);
          grown.push(residentBytes(sim.pid));
          say(`${servers} servers: ${mib(grown.at(-1) ?? 0)}`);
        }
        return [empty, grown] as const;
      } finally {
        await sim.stop();
      }
    });
    // No more than linear: what each of the many costs, against what each of the first thousand did.
    const each = held.map((bytes, at) => (bytes - before) / (SERVERS[at] ?? 1));
    return [
      line('resident memory of ./up, idle', spread(idle, mib), {
        target: '<= 150 MiB',
        met: median(idle) <= TARGET,
      }),
      ...held.map((bytes, at) =>
        line(`resident memory with ${SERVERS[at]} sim servers`, mib(bytes), {
          rival: `the same process with its ${HOSTS} simulated hosts and no server: ${mib(before)}`,
          ...(at === 0
            ? {}
            : {
                target: `<= ${((each[0] ?? 0) / 1024).toFixed(1)} KiB more a server, as with ${SERVERS[0]}`,
                met: (each[at] ?? 0) <= (each[0] ?? 0),
              }),
        }),
      ),
    ];
  },
};
