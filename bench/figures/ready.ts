// How long a second ./up takes until its readiness line, and where that time goes.
import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { leftovers, line, median, ms, spread, type Figure } from '../figure.ts';
import { startBenchCloud } from '../load/real-cloud.ts';

const UP = join(import.meta.dirname, '..', '..', 'up');
const RUNS = 7;
const TARGET = 2000;

type Start = { shell: number; total: number; inside: number };

/** One start, timed from outside; ends it again. */
async function timedStart(dataDir: string): Promise<Start> {
  const began = performance.now();
  const child = spawn(UP, ['--data-dir', dataDir], { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' });
  const kill = (): void => void child.kill('SIGKILL');
  leftovers.add(kill);
  let shell = NaN;
  const watch = setInterval(() => {
    try {
      // ./up ends its checks by becoming node.
      if (readlinkSync(`/proc/${child.pid}/exe`).endsWith('/node')) {
        shell = performance.now() - began;
        clearInterval(watch);
      }
    } catch {
      // not there yet
    }
  }, 1);
  let output = '';
  const inside = await new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const match = /^Strata is ready at \S+ after ([\d.]+) s/m.exec(output);
      if (match !== null) resolve(Number(match[1]) * 1000);
    });
    child.once('exit', (code) => reject(new Error(`./up ended with ${code}: ${output}`)));
  });
  const total = performance.now() - began;
  clearInterval(watch);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
  leftovers.delete(kill);
  return { shell, total, inside };
}

export const ready: Figure = {
  name: 'ready',
  title: `${RUNS} starts on a data dir that was started before`,
  async measure(say) {
    const cloud = await startBenchCloud();
    const starts: Start[] = [];
    try {
      await cloud.stop();
      for (let run = 0; run < RUNS; run++) {
        const start = await timedStart(cloud.dataDir);
        starts.push(start);
        say(`ready after ${ms(start.total)}`);
      }
    } finally {
      await cloud.teardown();
    }
    const totals = starts.map((one) => one.total);
    const shell = median(starts.map((one) => one.shell));
    const inside = median(starts.map((one) => one.inside));
    return [
      line('ready time of a second ./up', spread(totals, ms), {
        target: '<= 2 s',
        met: median(totals) <= TARGET,
        rival: `of it shell checks ${ms(shell)}, loading Node and the program ${ms(Math.max(0, median(totals) - shell - inside))}, starting the cloud ${ms(inside)}`,
      }),
    ];
  },
};
