// The built-in `tiny` image: built by tools/tiny-image/build.sh, accepted like any upload, booted, powered off.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { run } from '../../../kernel/run.ts';
import { acceptImage } from './accept.ts';
import { inspectAll, inTemporaryDir, MIB } from './real-images.ts';

const BUILD = fileURLToPath(new URL('../../../../tools/tiny-image/build.sh', import.meta.url));
const LINES = [
  /STRATA [\d.]+ userspace/,
  /STRATA [\d.]+ address 10\.0\.2\.15\/24/,
  /STRATA [\d.]+ instance-id= hostname=tiny/,
  /STRATA [\d.]+ ready/,
];

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1200; tries += 1) {
    if (await done()) return;
    await sleep(50);
  }
  throw new Error(`waited 60 s for ${what}`);
}

/** Fire and forget: the effect is what the test looks at. */
async function qmp(path: string, command: string): Promise<void> {
  const socket = connect(path);
  socket.on('error', () => {}); // a guest that ends takes the socket with it
  await once(socket, 'data');
  socket.write(`{"execute":"qmp_capabilities"}\n{"execute":"${command}"}\n`);
  await sleep(200);
  socket.destroy();
}

it('is accepted as qcow2, boots, takes an address, says ready, and powers off on the button', () =>
  inTemporaryDir(async (dir) => {
    await run([BUILD, dir], { timeoutMs: 120_000 });
    const image = join(dir, 'tiny.qcow2');
    const inspection = inspectAll(await readFile(image));
    const limits = { maxVirtualSize: 64 * MIB };
    expect(acceptImage({ diskFormat: 'qcow2', containerFormat: 'bare' }, inspection, limits).ok).toBe(true);

    const log = join(dir, 'console');
    const monitor = join(dir, 'qmp');
    const machine =
      '-M q35 -accel tcg -m 256 -nodefaults -display none -no-user-config -nic user,restrict=on,model=virtio-net-pci';
    const guest = spawn(
      'qemu-system-x86_64',
      [...machine.split(' '), '-serial', `file:${log}`, '-qmp', `unix:${monitor},server=on,wait=off`].concat([
        '-drive',
        `file=${image},format=qcow2,if=virtio,snapshot=on`,
      ]),
      { stdio: 'ignore' },
    );
    let ended = false;
    const exit = once(guest, 'exit').finally(() => {
      ended = true;
    });
    try {
      const console = async (): Promise<string> =>
        (await readFile(log, 'latin1').catch(() => '')).replaceAll('\r', '');
      await until('the guest to be ready', async () => ended || /ready$/m.test(await console()));
      for (const line of LINES) expect(await console()).toMatch(line);
      await qmp(monitor, 'system_powerdown');
      await until('the guest to power off', () => ended);
      expect(guest.exitCode).toBe(0);
    } finally {
      guest.kill('SIGKILL');
      await exit;
    }
  }));
