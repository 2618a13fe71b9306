// A VM: from the API request to the guest's first userspace line, minus the same QEMU command by hand, against
// a copy of its disk, in the same network namespace on the same tap.
import { spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/kernel/run.ts';
import { line, median, ms, spread, type Figure } from '../figure.ts';
import { untilUserspace } from '../load/console.ts';
import { startRealCloud, type RealCloud } from '../load/real-cloud.ts';

const RUNS = 9;
const TARGET = 300;

/** When a process was started, on performance.now()'s scale, to the kernel's 10 ms. */
function startOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const started = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) * 10;
  return performance.now() - (uptime() * 1000 - started);
}

type Command = {
  started: number;
  program: string;
  args: string[];
  runtime: string;
  netns: string;
  base: string;
};

/** What runs as the guest of this server. */
async function commandOf(cloud: RealCloud, id: string): Promise<Command> {
  const runtime = `/run/strata-qemu-${cloud.cloudId}/${id}`;
  const pid = Number(readFileSync(`${runtime}/pid`, 'utf8'));
  const base = readdirSync(`/proc/${pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    .find((path) => path.startsWith(join(cloud.dataDir, 'agent', 'images')));
  if (base === undefined) throw new Error(`the image of server ${id} is not among its open files`);
  const [, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  return {
    started: startOf(pid),
    program: realpathSync(`/proc/${pid}/exe`),
    args,
    runtime,
    netns: (await run(['ip', 'netns', 'identify', String(pid)])).stdout.trim(),
    base,
  };
}

/** Milliseconds from spawning the command to the guest's first userspace line. */
async function byHand(command: Command, disk: string, dir: string): Promise<number> {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  const console_ = join(dir, 'console.log');
  // The command expects disk, image and console as descriptors 3, 4 and 5.
  const files = [openSync(disk, 'r+'), openSync(command.base, 'r'), openSync(console_, 'a')];
  const args = command.args.map((arg) => arg.replaceAll(command.runtime, dir));
  const began = performance.now();
  const child = spawn('nsenter', [`--net=/run/netns/${command.netns}`, '--', command.program, ...args], {
    stdio: ['ignore', 'ignore', 'inherit', ...files],
  });
  try {
    return (await untilUserspace(console_, 60)) - began;
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    for (const file of files) closeSync(file);
  }
}

export const vm: Figure = {
  name: 'vm',
  title: `${RUNS} VMs on a real ./up, each against its own QEMU command by hand`,
  async measure(say) {
    const cloud = await startRealCloud('tiny');
    const ours: number[] = [];
    const hand: number[] = [];
    const active: number[] = [];
    const spawned: number[] = [];
    try {
      for (let at = -1; at < RUNS; at++) {
        const { id, asked } = await cloud.create(`vm-${at}`);
        const folder = join(cloud.dataDir, 'guests', id);
        const [printed, running] = await Promise.all([
          untilUserspace(join(folder, 'console.log'), 60),
          cloud.untilActive(id),
        ]);
        const command = await commandOf(cloud, id);
        await cloud.api.call('POST', `/compute/v2.1/servers/${id}/action`, { 'os-stop': null });
        while (
          (await cloud.api.call<{ server: { status: string } }>('GET', `/compute/v2.1/servers/${id}`)).server
            .status !== 'SHUTOFF'
        )
          await sleep(50);
        const disk = join(cloud.dataDir, 'bench-disk.qcow2');
        copyFileSync(join(folder, 'disk.qcow2'), disk);
        const alone = await byHand(command, disk, join(cloud.dataDir, 'bench-guest'));
        await cloud.remove(id);
        say(
          `${at < 0 ? 'first, with the image to fetch: ' : ''}${ms(printed - asked)}; by hand ${ms(alone)}`,
        );
        if (at < 0) continue;
        ours.push(printed - asked);
        hand.push(alone);
        active.push(running - asked);
        spawned.push(command.started - asked);
      }
    } finally {
      await cloud.teardown();
    }
    const over = ours.map((one, at) => one - (hand[at] ?? NaN));
    return [
      line("VM: API request to the guest's first userspace line", spread(ours, ms), {
        rival: `the same QEMU command by hand ${spread(hand, ms)}`,
      }),
      line('  more than by hand', spread(over, ms), {
        target: `<= ${TARGET} ms`,
        met: median(over) <= TARGET,
        rival: `of it until QEMU is spawned ${spread(spawned, ms)}`,
      }),
      line('  API request to ACTIVE', spread(active, ms)),
    ];
  },
};
