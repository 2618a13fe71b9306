// What is computed for volumes of containers: filter, devices, command line of the storage daemon.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { deviceNumber, devicesGroup } from './devices.ts';
import { daemonArguments, diskKey, fuseNumberAt } from './disks.ts';
import { findPlace, makePlace, type Place } from './place.ts';
import { udevRule } from './probe-volumes.ts';
import { withoutLoopIoctls } from './seccomp.ts';
import { nodeName } from './volumes.ts';

const place = { disks: '/run/strata-volumes-abcdef12', cloudId: 'abcdef12' } as Place;

describe('the filter of system calls', () => {
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names: ['ioctl', 'read'], action: 'SCMP_ACT_ALLOW', args: [] },
      { names: ['bpf'], action: 'SCMP_ACT_ERRNO', args: [] },
    ],
  };
  type Rule = {
    names: string[];
    action: string;
    args?: { index: number; value: number; valueTwo: number }[];
  };
  const rules = (withoutLoopIoctls(profile) as { syscalls: Rule[] }).syscalls;
  const allows = (name: string, request: number): boolean =>
    rules.some(
      (rule) =>
        rule.action === 'SCMP_ACT_ALLOW' &&
        rule.names.includes(name) &&
        (rule.args ?? []).every((arg) => arg.index === 1 && (request & arg.value) === arg.valueTwo),
    );

  test('refuses every ioctl of loop devices, whatever else is in the number', () => {
    for (let low = 0; low < 256; low += 1)
      for (const high of [0, 0x4000_0000, 0x7fff_0000])
        expect(allows('ioctl', high | 0x4c00 | low)).toBe(false);
  });
  test('allows the ioctls of every other type, and all other calls as before', () => {
    for (let type = 0; type < 256; type += 1)
      if (type !== 0x4c) expect(allows('ioctl', (type << 8) | 0x01)).toBe(true);
    expect(allows('read', 0)).toBe(true);
    expect(allows('bpf', 0)).toBe(false);
  });
  test('is not made of a profile of another form', () => {
    const allowed = { names: ['ioctl'], action: 'SCMP_ACT_ALLOW' };
    for (const other of [
      null,
      {},
      { syscalls: [] },
      { syscalls: [allowed, allowed] },
      { syscalls: [{ ...allowed, action: 'SCMP_ACT_LOG' }] },
      { syscalls: [{ ...allowed, args: [{ index: 0 }] }] },
    ])
      expect(withoutLoopIoctls(other)).toBeNull();
  });
});

test('a device name is one of disks, and never a path', () => {
  expect(nodeName('/dev/vdb')).toBe('vdb');
  expect(nodeName('/dev/xvdaa')).toBe('xvdaa');
  for (const bad of ['vdb', '/dev/null', '/dev/../vdb', '/dev/vdb/x', '/dev/vdb\n', '/dev/console', ''])
    expect(() => nodeName(bad)).toThrow(/must be like \/dev\/vdb/);
});

test('the devices group is that of the container, or an error', () => {
  const lines = (path: string): string => `8:pids:/x\n5:devices:${path}\n0::/y\n`;
  expect(devicesGroup(lines('/strata-c/libpod-abc'), 'abc')).toBe(
    '/sys/fs/cgroup/devices/strata-c/libpod-abc',
  );
  expect(() => devicesGroup(lines('/'), 'abc')).toThrow(/not of container/);
  expect(devicesGroup('0::/strata-c/libpod-abc\n', 'abc')).toBeNull();
});

test('device numbers are those of stat(2)', () => {
  expect(deviceNumber('7:1')).toBe(0x701);
  expect(deviceNumber('7:300')).toBe(0x10072c);
});

test('the file system of a disk is found in mountinfo by its place and type', () => {
  const text =
    '81 52 0:39 / /run/d/disk rw,nosuid - fuse /dev/fuse rw\n82 52 8:1 / /run/e rw shared:1 - ext4 /dev/sda rw\n';
  expect(fuseNumberAt(text, '/run/d/disk')).toBe('0:39');
  expect(fuseNumberAt(text, '/run/e')).toBeNull();
  expect(fuseNumberAt(text, '/run/d')).toBeNull();
});

test('a storage daemon opens every layer with its format, and writes to none of a read-only volume', () => {
  const volume = (readOnly: boolean) => ({
    volumeId: 'v',
    device: '/dev/vdb',
    boot: false,
    size: 1,
    readOnly,
    layers: [
      { id: 'ltop', path: 'v/ltop.qcow2', format: 'qcow2' as const },
      { id: 'lbase', path: 'v/lbase.raw', format: 'raw' as const },
    ],
  });
  const key = diskKey('s', 'v');
  const parsed = (readOnly: boolean): Record<string, unknown>[] =>
    daemonArguments(place, key, volume(readOnly)).flatMap((one) =>
      one.startsWith('{') ? [JSON.parse(one) as Record<string, unknown>] : [],
    );
  const [baseFile, base, topFile, top, exported] = parsed(false);
  expect([baseFile, base, topFile, top].map((node) => node?.['read-only'])).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(top).toMatchObject({ driver: 'qcow2', backing: 'lbase' });
  expect(base).toMatchObject({ driver: 'raw' });
  expect(exported).toMatchObject({ type: 'fuse', 'node-name': 'ltop', writable: true, growable: false });
  expect(parsed(true).map((node) => node['read-only'] ?? node['writable'])).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
  // a unix socket's path has 107 bytes at most
  expect(`/dev/shm/strata-volumes-abcdefghij/${key}/qmp`.length).toBeLessThan(100);
  expect(diskKey('s', 'w')).not.toBe(key);
});

test('udev is told to look into nothing that lies over a disk of ours', () => {
  expect(udevRule(place)).toContain('ATTR{loop/backing_file}=="/run/strata-volumes-abcdef12/*"');
  expect(udevRule(place).split('\n')).toHaveLength(2);
});

test('what an earlier boot had open is forgotten, and what this boot has open is kept', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'strata-boot-'));
  await mkdir(join(dataDir, 'podman'));
  await writeFile(join(dataDir, 'podman', 'volatile-base'), dataDir);
  const here = await findPlace(dataDir, 'bootaaaa');
  try {
    await makePlace(here);
    await mkdir(join(here.disks, 'd1'));
    await makePlace(here);
    expect(await readdir(here.disks)).toEqual(['d1']);
    await writeFile(join(here.volatile, 'boot-id'), 'another boot');
    await makePlace(here);
    expect(await readdir(here.disks)).toEqual([]);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
