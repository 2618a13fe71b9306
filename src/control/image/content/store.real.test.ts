// The content store on a disk that is really full, and after a process that was really killed. Root: it mounts a tmpfs.
import { spawn } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, it } from 'vitest';

import { run } from '../../../kernel/run.ts';
import { inTemporaryDir } from './real-images.ts';
import { createContentStore } from './store.ts';

const newId = (): string => crypto.randomUUID();
const zeros = (bytes: number): Readable =>
  Readable.from(Array.from({ length: bytes / 4096 }, () => Buffer.alloc(4096)));

it('a full disk is reported, leaves nothing, and does not hinder what still fits', () =>
  inTemporaryDir(async (temporary) => {
    const dir = join(temporary, 'small');
    await mkdir(dir);
    await run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'strata-content-test', dir]);
    try {
      const store = await createContentStore({ dir, newId });
      const full = store.put('big', zeros(2 ** 21), { maxBytes: 2 ** 30 });
      await expect(full).rejects.toMatchObject({ code: 'disk-full' });
      expect(await readdir(dir)).toEqual([]);
      expect(await store.put('small', zeros(2 ** 19), { maxBytes: 2 ** 30 })).toMatchObject({
        size: 2 ** 19,
      });
    } finally {
      await run(['umount', dir]);
    }
  }));

it('a process killed in the middle of an upload leaves only a part that is told from what is whole', () =>
  inTemporaryDir(async (dir) => {
    const program = `
      const { createContentStore } = await import(${JSON.stringify(new URL('store.ts', import.meta.url).href)});
      const store = await createContentStore({ dir: process.argv[1], newId: () => 'x' });
      async function* once() { yield Buffer.from('content'); }
      await store.put('done', once(), { maxBytes: 100 });
      async function* endless() { for (;;) { yield Buffer.alloc(1000); await new Promise((r) => setTimeout(r, 1)); } }
      await store.put('never', endless(), { maxBytes: 2 ** 40 });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, dir], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      for (let tries = 0; tries < 200 && (await readdir(dir)).length < 2; tries += 1) await sleep(25);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    expect((await readdir(dir)).sort()).toEqual(['.part-never.x', 'done']);
    const store = await createContentStore({ dir, newId });
    expect([await store.parts(), (await store.list()).map(({ id }) => id)]).toEqual([['never'], ['done']]);
    await store.dropParts('never');
    expect(await readdir(dir)).toEqual(['done']);
    expect(String(Buffer.concat(await (await store.open('done')).stream.toArray()))).toBe('content');
  }));
