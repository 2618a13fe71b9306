// kill -9 at any moment: the next driver gets everything to work, and then everything away.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { DriverError } from '../../errors.ts';
import { build, clear, crashProgram, createDriver } from './crash.fixture.ts';
import { cloudNames } from './names.ts';
import { teardownLinuxNetwork } from './teardown.ts';

const exec = promisify(execFile);
const cloudId = `t${randomBytes(4).toString('hex')}`;
const external = `198.${18 + (randomBytes(1).readUInt8() % 2)}.${randomBytes(1).readUInt8()}`;
const names = cloudNames(cloudId);
const iterations = 8;

/** All that the kernel and the disk hold of this cloud, without what differs by nature. */
async function traces(): Promise<string[]> {
  const rules = await exec('ip', ['netns', 'exec', names.switchNs, 'nft', 'list', 'ruleset']);
  const links = await exec('ip', ['-n', names.switchNs, '-br', 'link']);
  const processes = await exec('ps', ['-eo', 'args']); // last, so that it does not show the two above
  const own = [
    ...(await readdir('/run/netns')),
    ...(await readdir('/etc/netns').catch(() => [])),
    ...processes.stdout.split('\n'),
  ].filter((line) => line.includes(cloudId));
  return [
    ...rules.stdout.split('\n'),
    ...links.stdout.split('\n').map((line) => line.split(/[\s@]/)[0] ?? ''),
    ...own,
    ...(await readdir(`${names.runDir}/dhcp`).catch(() => [])),
  ];
}

afterEach(async () => {
  await teardownLinuxNetwork({ dataDir: '/nonexistent', cloudId });
});

test(
  'a driver killed at any moment leaves nothing that the next one cannot use or remove',
  { timeout: 120_000 },
  async () => {
    const first = createDriver(cloudId, `${external}.0/24`);
    await first.start(() => null);
    await first.close();
    const clean = await traces();
    for (let i = 0; i < iterations; i++) {
      const child = spawn(process.execPath, [crashProgram, cloudId, external], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = new Promise<NodeJS.Signals | null>((resolve) =>
        child.once('close', (_code, signal) => resolve(signal)),
      );
      await Promise.race([ended, new Promise((resolve) => child.stdout.once('data', resolve))]);
      const delay = 20 + (randomBytes(2).readUInt16BE() % 1500);
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL'); // it had not ended by itself
      const driver = createDriver(cloudId, `${external}.0/24`);
      const note = `iteration ${i}, killed after ${delay} ms`;
      try {
        await driver.start(() => null);
        if (i % 2 === 0) {
          await build(driver, external);
          const ping = (ns: string, to: string): Promise<unknown> =>
            exec('ip', ['netns', 'exec', ns, 'ping', '-c', '1', '-W', '2', to]);
          await expect(ping(names.serverNs('server-1'), '10.20.0.12'), note).resolves.toBeDefined();
          await expect(ping(names.serverNs('server-2'), `${external}.1`), note).resolves.toBeDefined();
        }
        await clear(driver);
        expect(await traces(), note).toEqual(clean);
        expect(await driver.observe(), note).toEqual({
          networks: [],
          ports: [],
          routers: [],
          securityGroups: [],
          addressGroups: [],
        });
      } catch (error) {
        throw error instanceof DriverError
          ? new Error(`${note}: ${error.message} ${error.detail}`, { cause: error })
          : error;
      } finally {
        await driver.close();
      }
    }
  },
);
