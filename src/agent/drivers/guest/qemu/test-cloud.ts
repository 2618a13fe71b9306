// A cloud of its own for each test file: data dir, images, drivers, and a clean slate at the end that is checked.
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import type { ImageRef } from '../../../../protocol/items.ts';
import { sampleServerBody, type SpecOverrides } from '../conformance.ts';
import type { GuestDriver, GuestSpec } from '../driver.ts';
import { createQemuDriver, type QemuOptions } from './driver.ts';
import { testGuestDisk } from './test-guest.ts';

/** Processes whose command line names the guest. */
export function processesOf(id: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`strata-${id}\0`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export type Cloud = {
  dataDir: string;
  cloudId: string;
  driver(more?: Partial<QemuOptions>): GuestDriver;
  /** Writes an image and returns a spec that boots it. */
  spec(
    overrides?: SpecOverrides,
    image?: { name: string; content: Buffer },
  ): GuestSpec & { imagePath: string; body: { image: ImageRef } };
  leftovers(id: string): string[];
  cleanup(): Promise<void>;
};

export function newCloud(): Cloud {
  const dataDir = mkdtempSync(join(tmpdir(), 'strata-qemu-'));
  const cloudId = `t${randomBytes(4).toString('hex')}`;
  const made = new Set<string>();
  const images = join(dataDir, 'images');
  mkdirSync(images);
  // the guests' users have no right to any of this; they get descriptors
  chmodSync(images, 0o700);
  const drivers: GuestDriver[] = [];
  const cgroupDirs = (id: string): string[] =>
    ['', 'cpu/', 'memory/', 'pids/'].map((part) => `/sys/fs/cgroup/${part}strata-qemu-${cloudId}/${id}`);
  const leftovers = (id: string): string[] => [
    ...processesOf(id).map((pid) => `process ${pid}`),
    ...[join(dataDir, 'guests', id), `/run/strata-qemu-${cloudId}/${id}`, ...cgroupDirs(id)].filter((path) =>
      existsSync(path),
    ),
  ];
  return {
    dataDir,
    cloudId,
    driver(more = {}) {
      const driver = createQemuDriver({
        dataDir,
        cloudId,
        log: silentLog,
        clock: systemClock,
        softRebootMs: 100,
        ...more,
      });
      drivers.push(driver);
      return driver;
    },
    spec(
      overrides = {},
      image = { name: 'ignores', content: testGuestDisk('test guest booted\n', 'ignores') },
    ) {
      const imagePath = join(images, image.name);
      if (!existsSync(imagePath)) writeFileSync(imagePath, image.content, { mode: 0o600 });
      const spec = {
        id: randomUUID(),
        ports: [],
        volumes: [],
        imagePath,
        ...overrides,
        body: sampleServerBody('vm', overrides.body),
      };
      made.add(spec.id);
      return { ...spec, imagePath: spec.imagePath ?? imagePath };
    },
    leftovers,
    async cleanup() {
      for (const driver of drivers) await driver.close();
      for (const id of made) for (const pid of processesOf(id)) process.kill(pid, 'SIGKILL');
      const last = createQemuDriver({ dataDir, cloudId, log: silentLog, clock: systemClock });
      for (const id of made) await last.destroy(id);
      await last.close();
      rmSync(dataDir, { recursive: true, force: true });
      expect([...made].flatMap(leftovers)).toEqual([]);
      expect(existsSync(`/run/strata-qemu-${cloudId}`)).toBe(false);
      expect(cgroupDirs('').filter((dir) => existsSync(dir))).toEqual([]);
    },
  };
}
