// `teardown`: stops and removes everything of one data dir and says what it removed. Nothing else on the
// machine is touched: all names carry the cloud id of the data dir.
import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { teardownPodman } from '../agent/drivers/guest/podman/teardown.ts';
import { teardownQemu } from '../agent/drivers/guest/qemu/teardown.ts';
import { teardownLinuxNetwork } from '../agent/drivers/network/linux/teardown.ts';
import { dataDirEntries, readCloudFile, runningPid } from './data-dir.ts';

const STOP_LIMIT_MS = 10_000;

export async function teardown(options: { dataDir: string }): Promise<number> {
  const dataDir = resolve(options.dataDir);
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  if (!existsSync(dataDir)) {
    say(`${dataDir} does not exist: nothing to remove.`);
    return 0;
  }
  const cloud = await readCloudFile(dataDir);
  if (cloud === null) {
    process.stderr.write(
      `strata: ${dataDir} is not a data dir of Strata (it has no cloud.json); nothing was removed.\n`,
    );
    return 1;
  }
  const pid = await runningPid(dataDir);
  if (pid !== null) {
    process.kill(pid, 'SIGTERM');
    for (let waited = 0; (await runningPid(dataDir)) !== null; waited += 100) {
      if (waited > STOP_LIMIT_MS) {
        process.kill(pid, 'SIGKILL');
        break;
      }
      await sleep(100);
    }
    say(`stopped the control plane (process ${pid})`);
  }
  const place = { dataDir, cloudId: cloud.cloudId };
  for (const part of [teardownQemu, teardownPodman, teardownLinuxNetwork])
    for (const line of await part(place)) say(line);
  // By name: what a user put beside stays, and so does a folder that never was ours alone.
  for (const name of dataDirEntries) await rm(join(dataDir, name), { recursive: true, force: true });
  const left = await readdir(dataDir);
  if (left.length === 0) await rmdir(dataDir);
  say(
    left.length === 0
      ? `removed ${dataDir}`
      : `removed everything of the cloud in ${dataDir}; it also holds ${left.slice(0, 5).join(', ')}, which stays`,
  );
  return 0;
}
