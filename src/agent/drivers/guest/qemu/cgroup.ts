// CPU, memory and process limits of a guest by cgroups, v2 or v1, by hand: /sys/fs/cgroup is the interface
// (kernel: admin-guide/cgroup-v2 and cgroup-v1). A process joins before it executes QEMU, so the cgroup
// also is the kernel's own record of which process belongs to which guest.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { type Clock, sleep } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';

export type Limits = { vcpus: number; memoryBytes: number; pids: number };

export type Cgroups = {
  /** The controllers that really limit here; empty: cgroups cannot be written. */
  controllers: string[];
  /** Creates a guest's cgroups with these limits and returns the files into which its process writes its pid. */
  prepare(id: string, limits: Limits): string[];
  processes(id: string): number[];
  ids(): string[];
  /** Waits shortly for the last process to be reaped. */
  remove(id: string): Promise<void>;
};

const wanted = ['cpu', 'memory', 'pids'] as const;
type Controller = (typeof wanted)[number];
const periodUs = 100_000;

const settings = (version: 1 | 2, limits: Limits): Record<Controller, [file: string, value: string][]> => {
  const quota = limits.vcpus * periodUs;
  return version === 2
    ? {
        cpu: [['cpu.max', `${quota} ${periodUs}`]],
        memory: [['memory.max', String(limits.memoryBytes)]],
        pids: [['pids.max', String(limits.pids)]],
      }
    : {
        cpu: [
          ['cpu.cfs_period_us', String(periodUs)],
          ['cpu.cfs_quota_us', String(quota)],
        ],
        memory: [['memory.limit_in_bytes', String(limits.memoryBytes)]],
        pids: [['pids.max', String(limits.pids)]],
      };
};

const attempt = (action: () => void): boolean => {
  try {
    action();
    return true;
  } catch {
    return false;
  }
};

export function openCgroups(cloudId: string, clock: Clock, root = '/sys/fs/cgroup'): Cgroups {
  const version = existsSync(`${root}/cgroup.controllers`) ? 2 : 1;
  const cloud = `strata-qemu-${cloudId}`; // containers have a parent of their own
  /** Controller -> the hierarchy in which it lives. In v2 all share one. */
  const hierarchies = new Map<Controller, string>();

  const makeCloud = (hierarchy: string): void => {
    mkdirSync(`${hierarchy}/${cloud}`, { recursive: true });
    if (version === 2) {
      for (const level of [hierarchy, `${hierarchy}/${cloud}`]) {
        for (const controller of wanted)
          attempt(() => writeFileSync(`${level}/cgroup.subtree_control`, `+${controller}`));
      }
    }
  };
  for (const controller of wanted) {
    const hierarchy = version === 2 ? root : `${root}/${controller}`;
    if (!existsSync(`${hierarchy}/cgroup.procs`)) continue;
    const usable = attempt(() => {
      makeCloud(hierarchy);
      if (version === 2) {
        const enabled = readFileSync(`${hierarchy}/${cloud}/cgroup.controllers`, 'utf8').trim().split(/\s+/);
        if (!enabled.includes(controller)) throw new Error(`${controller} is not delegated`);
      }
    });
    if (usable) hierarchies.set(controller, hierarchy);
  }
  const roots = [...new Set(hierarchies.values())];
  for (const hierarchy of roots) attempt(() => rmdirSync(`${hierarchy}/${cloud}`));

  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  };

  return {
    controllers: [...hierarchies.keys()],
    prepare(id, limits) {
      // Another guest's removal may take the cloud's folder away in between: once more, then.
      for (let round = 0; ; round += 1) {
        try {
          for (const hierarchy of roots) {
            makeCloud(hierarchy);
            mkdirSync(`${hierarchy}/${cloud}/${id}`, { recursive: true });
          }
          for (const [controller, hierarchy] of hierarchies) {
            for (const [file, value] of settings(version, limits)[controller]) {
              writeFileSync(`${hierarchy}/${cloud}/${id}/${file}`, value);
            }
          }
          return roots.map((hierarchy) => `${hierarchy}/${cloud}/${id}/cgroup.procs`);
        } catch (cause) {
          if (round === 2)
            throw new DriverError('failed', `the limits of server ${id} cannot be set`, String(cause), cause);
        }
      }
    },
    processes(id) {
      const found = new Set<number>();
      for (const hierarchy of roots) {
        for (const line of read(`${hierarchy}/${cloud}/${id}/cgroup.procs`).split('\n')) {
          if (/^[1-9]\d*$/.test(line)) found.add(Number(line));
        }
      }
      return [...found];
    },
    ids() {
      const found = new Set<string>();
      for (const hierarchy of roots) {
        attempt(() => {
          for (const entry of readdirSync(`${hierarchy}/${cloud}`, { withFileTypes: true })) {
            if (entry.isDirectory()) found.add(entry.name);
          }
        });
      }
      return [...found];
    },
    async remove(id) {
      for (let waited = 0; ; waited += 10) {
        for (const hierarchy of roots) attempt(() => rmdirSync(`${hierarchy}/${cloud}/${id}`));
        const busy = roots.filter((hierarchy) => existsSync(`${hierarchy}/${cloud}/${id}`));
        if (busy.length === 0) break;
        if (waited >= 3000)
          throw new DriverError('failed', `the cgroup of server ${id} is still in use`, busy.join(' '));
        await sleep(clock, 10);
      }
      for (const hierarchy of roots) attempt(() => rmdirSync(`${hierarchy}/${cloud}`));
    },
  };
}
