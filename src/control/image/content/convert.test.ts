// qemu-img on accepted content: explicit formats, and limits that bite.
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { run } from '../../../kernel/run.ts';
import { CONVERT_LIMITS, convertToQcow2, INFO_LIMITS, isConvertible, qemuImgInfo } from './convert.ts';
import { inspectAll, inTemporaryDir, makeImage, MIB, qemuImg } from './real-images.ts';

const FORMATS = [
  ['vmdk', 'vmdk', []],
  ['vdi', 'vdi', []],
  ['vhd', 'vpc', ['force_size=on']],
  ['vhdx', 'vhdx', []],
] as const;

it.each(FORMATS)('converts %s to a qcow2 that the inspector accepts', (format, driver, options) =>
  inTemporaryDir(async (dir) => {
    const source = join(dir, 'source');
    const image = await makeImage(driver, 8 * MIB, options);
    await writeFile(source, image);
    expect(await qemuImgInfo(source, format)).toEqual({
      virtualSize: inspectAll(image).virtualSize,
      hasBackingFile: false,
    });
    await convertToQcow2({ path: source, format }, join(dir, 'target'));
    expect(await qemuImgInfo(join(dir, 'target'), 'qcow2')).toEqual({
      virtualSize: 8 * MIB,
      hasBackingFile: false,
    });
    expect((await readdir(dir)).sort()).toEqual(['source', 'target']);
  }),
);

it('never probes: a qcow2 read as raw stays raw, its backing file unopened', () =>
  inTemporaryDir(async (dir) => {
    const disk = join(dir, 'disk');
    await qemuImg(['create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', disk, '1M']);
    const info = await qemuImgInfo(disk, 'raw');
    expect(info.hasBackingFile).toBe(false);
    expect(info.virtualSize).not.toBe(MIB);
    expect((await qemuImgInfo(disk, 'qcow2')).hasBackingFile).toBe(true);
  }));

it('fails, and leaves no file, when a limit is hit or the content is not of the format', () =>
  inTemporaryDir(async (dir) => {
    const source = join(dir, 'source');
    await writeFile(source, await makeImage('vmdk', 8 * MIB));
    const target = join(dir, 'target');
    const little = { ...CONVERT_LIMITS, addressSpace: 8 * MIB };
    await expect(convertToQcow2({ path: source, format: 'vmdk' }, target, little)).rejects.toThrow();
    await expect(convertToQcow2({ path: source, format: 'vdi' }, target)).rejects.toThrow('qemu-img');
    // Nobody writes to it: opening it takes for ever.
    const pipe = join(dir, 'pipe');
    await run(['mkfifo', pipe]);
    await expect(qemuImgInfo(pipe, 'raw', { ...INFO_LIMITS, timeoutMs: 50 })).rejects.toThrow('time limit');
    await rm(pipe);
    await expect(qemuImgInfo('nbd:localhost', 'raw')).rejects.toThrow('must be absolute');
    expect(await readdir(dir)).toEqual(['source']);
    expect(isConvertible('ploop')).toBe(false);
  }));
