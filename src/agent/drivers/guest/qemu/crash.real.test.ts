// kill -9 of the agent between any two steps of a guest's life.
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { GuestSpec } from '../driver.ts';
import { newCloud, processesOf, type Cloud } from './test-cloud.ts';

const rounds = 16;

/** What an agent has forked for a guest and has not become its hypervisor yet: for milliseconds, on an idle machine. */
const onTheWay = (id: string): boolean =>
  readdirSync('/proc').some((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes(id) && !command.startsWith('qemu-system');
    } catch {
      return false;
    }
  });

describe('kill -9 of the agent at a random moment', () => {
  let cloud: Cloud;
  beforeAll(async () => {
    cloud = newCloud();
    const driver = cloud.driver();
    await driver.probe();
    await driver.close();
  });
  afterAll(() => cloud.cleanup());

  /** Runs `verbs` in a process of its own and kills it after `ms`, or when it is through. */
  const killedAfter = (ms: number, spec: GuestSpec, verbs: string): Promise<void> => {
    const at = (path: string): string => JSON.stringify(join(import.meta.dirname, path));
    const script = `
      import { createQemuDriver } from ${at('driver.ts')};
      import { systemClock } from ${at('../../../../kernel/clock.ts')};
      import { silentLog } from ${at('../../../../kernel/log.ts')};
      const driver = createQemuDriver({ ...${JSON.stringify({ dataDir: cloud.dataDir, cloudId: cloud.cloudId })}, log: silentLog, clock: systemClock });
      const spec = ${JSON.stringify(spec)};
      process.stdout.write('go');
      ${verbs}
      process.kill(process.pid, 'SIGKILL');`;
    return new Promise((resolve) => {
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), ms));
      child.once('close', () => resolve());
    });
  };

  const all = `
    await driver.define(spec); await driver.start(spec); await driver.suspend(spec.id); await driver.start(spec);
    await driver.reboot(spec, true); await driver.stop(spec.id, 0); await driver.start(spec); await driver.destroy(spec.id);`;

  test('the next agent brings the guest to running, once, and then removes it without a trace', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const spec = cloud.spec();
      const ms = Math.floor((round / rounds) * 900 + Math.random() * 60);
      await killedAfter(ms, spec, all);
      // Another agent takes longer to start than a fork to join the cgroup by which it is found.
      await vi.waitFor(() => expect(onTheWay(spec.id)).toBe(false), { timeout: 10_000, interval: 5 });
      const driver = cloud.driver();
      try {
        const found = await driver.get(spec.id);
        expect(processesOf(spec.id).length, `after ${ms} ms: ${found?.power}`).toBeLessThanOrEqual(1);
        await driver.define(spec);
        await driver.start(spec);
        const state = await driver.get(spec.id);
        expect(state?.power, `after ${ms} ms: ${found?.power}`).toBe('running');
        expect(processesOf(spec.id)).toHaveLength(1);
        if (found?.power === 'running') expect(state?.incarnation).toBe(found.incarnation);
        await driver.destroy(spec.id);
        expect(cloud.leftovers(spec.id)).toEqual([]);
        expect(await driver.list()).toEqual([]);
      } finally {
        await driver.close();
      }
    }
  }, 120_000);
});
