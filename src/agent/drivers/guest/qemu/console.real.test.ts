// The consoles of a real QEMU: its serial line, with whoever opens it last, and its screen.
import { renameSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostConsole } from '../../../../protocol/link.ts';
import type { GuestDriver, GuestSpec } from '../driver.ts';
import { newCloud, type Cloud } from './test-cloud.ts';

/** A boot sector that sends back what comes over the first serial line. */
function echoingDisk(): Buffer {
  const disk = Buffer.alloc(1024 * 1024);
  // cli; wait for "data ready" in the line status (0x3fd); read the byte (0x3f8); write it; again
  disk.write('fabafd03eca80174fbbaf803eceeebf1', 'hex');
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

describe('consoles of a virtual machine', () => {
  let cloud: Cloud;
  let driver: GuestDriver;
  let spec: GuestSpec;
  beforeAll(async () => {
    cloud = newCloud();
    driver = cloud.driver();
    await driver.probe();
    spec = cloud.spec({}, { name: 'echoes', content: echoingDisk() });
    await driver.define(spec);
    await driver.start(spec);
  });
  afterAll(() => cloud.cleanup());

  const open = async (kind: 'serial' | 'vnc') => {
    const opened = (await driver.openConsole?.(spec.id, kind)) as HostConsole;
    let text = '';
    let failure = '';
    opened.bytes.on('data', (data: Buffer) => (text += data.toString('latin1')));
    opened.bytes.on('error', (error) => (failure = error.message));
    const closed = new Promise<void>((resolve) => opened.bytes.once('close', () => resolve()));
    return { ...opened, closed, said: () => text, failure: () => failure };
  };
  /** Types until the guest, which may still be starting, sends it back. */
  const echoes = (line: Awaited<ReturnType<typeof open>>, text: string) =>
    expect
      .poll(
        () => {
          line.bytes.write(text);
          return line.said();
        },
        { timeout: 15_000, interval: 50 },
      )
      .toContain(text);

  test('what is typed reaches the guest and what it says comes back', async () => {
    const line = await open('serial');
    await echoes(line, 'strata');
    line.bytes.destroy();
    await line.closed;
  });

  test('whoever opens the serial line takes it over, and the other is told', async () => {
    const first = await open('serial');
    await echoes(first, 'first');
    const second = await open('serial');
    await first.closed;
    expect(first.failure()).toBe(`the serial console of server ${spec.id} was opened elsewhere`);
    await echoes(second, 'second');
    second.bytes.destroy();
  });

  test('the screen speaks RFB, to several at once', async () => {
    const screens = [await open('vnc'), await open('vnc')];
    for (const screen of screens) {
      await expect.poll(() => screen.said(), { timeout: 10_000, interval: 20 }).toMatch(/^RFB 003\.008\n/);
      screen.bytes.destroy();
    }
  });

  test('a socket that is not the one of the guest is not spoken to', async () => {
    const path = join(`/run/strata-qemu-${cloud.cloudId}`, spec.id, 'serial.sock');
    const other = join(cloud.dataDir, 'other.sock');
    let spoken = 0;
    const server = createServer(() => (spoken += 1));
    await new Promise<void>((resolve) => server.listen(other, resolve));
    renameSync(path, `${path}.away`);
    try {
      symlinkSync(other, path);
      await expect(driver.openConsole?.(spec.id, 'serial')).rejects.toThrow(/cannot be reached/);
      renameSync(other, path);
      await expect(driver.openConsole?.(spec.id, 'serial')).rejects.toThrow(/cannot be reached/);
      expect(spoken).toBe(0);
    } finally {
      renameSync(`${path}.away`, path);
      server.close();
    }
  });

  test('a console ends with the guest', async () => {
    const line = await open('serial');
    await echoes(line, 'last');
    await driver.stop(spec.id, 0);
    await line.closed;
    await expect(async () => driver.openConsole?.(spec.id, 'serial')).rejects.toThrow(/does not run/);
    await expect(async () => driver.openConsole?.(spec.id, 'vnc')).rejects.toThrow(/does not run/);
  });
});
