// Disk headers, console logs, guest records and cgroup files: everything that needs a folder but no root.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  appendFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { openCgroups } from './cgroup.ts';
import { capLog, maxLogBytes, readLog } from './console-log.ts';
import { virtualSize } from './disk.ts';
import { guestFolders, newRecord } from './folder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'strata-files-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the header of a qcow2 image', () => {
  const header = (change: (buffer: Buffer) => void): string => {
    const buffer = Buffer.alloc(65_536);
    buffer.writeUInt32BE(0x51_46_49_fb, 0);
    buffer.writeUInt32BE(3, 4);
    buffer.writeBigUInt64BE(1_048_576n, 24);
    change(buffer);
    const path = join(dir, 'image');
    writeFileSync(path, buffer);
    return path;
  };

  test('tells the size of the disk', async () => {
    expect(
      await virtualSize(
        header(() => {}),
        'qcow2',
      ),
    ).toBe(1_048_576);
    expect(
      await virtualSize(
        header(() => {}),
        'raw',
      ),
    ).toBe(65_536);
  });

  test('is refused when it names a backing file or an external data file, or is none', async () => {
    const bad = [
      header((buffer) => buffer.writeBigUInt64BE(512n, 8)),
      () => header((buffer) => buffer.writeBigUInt64BE(4n, 72)),
      () => header((buffer) => buffer.writeUInt32BE(0x4b_44_4d_56, 0)),
    ];
    for (const path of bad) {
      await expect(virtualSize(typeof path === 'string' ? path : path(), 'qcow2')).rejects.toMatchObject({
        code: 'refused',
      });
    }
    writeFileSync(join(dir, 'short'), 'QFI');
    await expect(virtualSize(join(dir, 'short'), 'qcow2')).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('the console log', () => {
  test('gives the last lines, whatever the guest wrote', async () => {
    const path = join(dir, 'console.log');
    expect(await readLog(path, null)).toBe('');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[a-z ]{0,8}$/)),
        fc.nat(6),
        fc.boolean(),
        async (lines, count, ended) => {
          const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '');
          writeFileSync(path, text);
          expect(await readLog(path, null)).toBe(text);
          const cut = await readLog(path, count);
          expect(text.endsWith(cut)).toBe(true);
          const pieces = text.split('\n');
          if (pieces.at(-1) === '') pieces.pop();
          const expected = count === 0 ? [] : pieces.slice(-count);
          expect(cut.replace(/\n$/, '').split('\n')).toEqual(expected.length === 0 ? [''] : expected);
        },
      ),
    );
  });

  test('is cut down when it grows too large, and keeps its end', async () => {
    const path = join(dir, 'console.log');
    writeFileSync(path, Buffer.alloc(maxLogBytes + 2, 'x\n'));
    appendFileSync(path, 'the end\n');
    await capLog(path);
    expect(statSync(path).size).toBe(0);
    appendFileSync(path, 'and on\n');
    expect((await readLog(path, null)).length).toBeLessThanOrEqual(1024 * 1024);
    expect(await readLog(path, 2)).toBe('the end\nand on\n');
  });
});

describe('the record of a guest', () => {
  test('is read back as written, and a torn one counts as none', async () => {
    const folders = guestFolders(dir, join(dir, 'run'));
    await folders.make('g1');
    await folders.write('g1', { ...newRecord, rebootCount: 5 });
    expect(await folders.read('g1')).toEqual({ ...newRecord, rebootCount: 5 });
    expect(folders.ids()).toEqual(['g1']);
    const whole = readFileSync(join(folders.dir('g1'), 'guest.json'), 'utf8');
    for (let length = 0; length < whole.length; length += 7) {
      writeFileSync(join(folders.dir('g1'), 'guest.json'), whole.slice(0, length));
      expect(await folders.read('g1')).toBeNull();
    }
  });

  test('a guest id never leads out of the folder', () => {
    const folders = guestFolders(dir, join(dir, 'run'));
    for (const id of ['..', '../x', 'a/b', '', '.hidden', '-x', 'a\n'])
      expect(() => folders.dir(id)).toThrow();
  });
});

describe('cgroups', () => {
  test('v2: uses the controllers that the kernel delegates, and writes their limits', () => {
    writeFileSync(join(dir, 'cgroup.controllers'), 'cpu memory pids\n');
    writeFileSync(join(dir, 'cgroup.procs'), '');
    const cloud = join(dir, 'strata-qemu-abcdef');
    mkdirSync(cloud);
    writeFileSync(join(cloud, 'cgroup.controllers'), 'cpu memory\n');
    const cgroups = openCgroups('abcdef', systemClock, dir);
    expect(cgroups.controllers).toEqual(['cpu', 'memory']);
    const files = cgroups.prepare('g1', { vcpus: 2, memoryBytes: 4096, pids: 9 });
    expect(files).toEqual([join(cloud, 'g1', 'cgroup.procs')]);
    expect(readFileSync(join(cloud, 'g1', 'cpu.max'), 'utf8')).toBe('200000 100000');
    expect(readFileSync(join(cloud, 'g1', 'memory.max'), 'utf8')).toBe('4096');
    expect(existsSync(join(cloud, 'g1', 'pids.max'))).toBe(false);
  });

  test('v1: limits CPU, memory and processes, and takes its folders away', async () => {
    for (const controller of ['cpu', 'memory', 'pids']) {
      mkdirSync(join(dir, controller));
      writeFileSync(join(dir, controller, 'cgroup.procs'), '');
    }
    const cgroups = openCgroups('abcdef', systemClock, dir);
    expect(cgroups.controllers).toEqual(['cpu', 'memory', 'pids']);
    expect(existsSync(join(dir, 'cpu', 'strata-qemu-abcdef'))).toBe(false);
    const files = cgroups.prepare('g1', { vcpus: 2, memoryBytes: 4096, pids: 9 });
    expect(files).toHaveLength(3);
    const text = (path: string): string => readFileSync(join(dir, path), 'utf8');
    expect(text('cpu/strata-qemu-abcdef/g1/cpu.cfs_quota_us')).toBe('200000');
    expect(text('memory/strata-qemu-abcdef/g1/memory.limit_in_bytes')).toBe('4096');
    expect(text('pids/strata-qemu-abcdef/g1/pids.max')).toBe('9');
    expect(cgroups.ids()).toEqual(['g1']);
    writeFileSync(files[0] ?? '', '12\n13\n');
    expect(cgroups.processes('g1')).toEqual([12, 13]);
  });

  test('without writable cgroups there are no limits and no failure', () => {
    const cgroups = openCgroups('abcdef', systemClock, join(dir, 'nothing'));
    expect(cgroups.controllers).toEqual([]);
    expect(cgroups.prepare('g1', { vcpus: 1, memoryBytes: 1, pids: 1 })).toEqual([]);
    expect(cgroups.ids()).toEqual([]);
  });
});
