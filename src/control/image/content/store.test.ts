// The content store: what is acknowledged is there, what is not leaves nothing.
import { createHash, randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { expect, it } from 'vitest';

import { inTemporaryDir } from './real-images.ts';
import { createInspector } from './inspect.ts';
import { type ContentStore, createContentStore } from './store.ts';

let serial = 0;
const openStore = (dir: string): Promise<ContentStore> =>
  createContentStore({ dir, newId: () => `t${(serial += 1)}` });
const withStore = (work: (store: ContentStore, dir: string) => Promise<void>): Promise<void> =>
  inTemporaryDir(async (dir) => work(await openStore(dir), dir));

const pieces = (content: Buffer, size = 1000): Buffer[] =>
  Array.from({ length: Math.ceil(content.length / size) }, (_, index) =>
    content.subarray(index * size, (index + 1) * size),
  );
const read = async (
  store: ContentStore,
  id: string,
  range?: { start: number; end: number },
): Promise<Buffer> => Buffer.concat(await (await store.open(id, range)).stream.toArray());

it('gives back what was put, with size and hashes, and shows every chunk on the way', () =>
  withStore(async (store) => {
    const content = randomBytes(100_000);
    const inspector = createInspector();
    const answer = await store.put('image-1', Readable.from(pieces(content)), {
      maxBytes: 100_000,
      onChunk: inspector.write,
    });
    const hash = (name: string): string => createHash(name).update(content).digest('hex');
    expect(answer).toEqual({ size: 100_000, md5: hash('md5'), sha512: hash('sha512') });
    expect(inspector.finish()).toMatchObject({ format: 'raw', size: 100_000 });
    expect(await read(store, 'image-1')).toEqual(content);
    expect(await store.list()).toMatchObject([{ id: 'image-1', size: 100_000 }]);
  }));

it('serves ranges, and refuses those that do not fit', () =>
  withStore(async (store) => {
    await store.put('a', Readable.from([Buffer.from('0123456789')]), { maxBytes: 10 });
    expect(String(await read(store, 'a', { start: 2, end: 4 }))).toBe('234');
    expect(String(await read(store, 'a', { start: 8, end: 100 }))).toBe('89');
    const first = await store.open('a', { start: 0, end: 0 });
    expect(first.size).toBe(10);
    first.stream.destroy();
    for (const [start, end] of [
      [10, 11],
      [-1, 2],
      [5, 4],
      [0.5, 2],
    ] as const) {
      await expect(store.open('a', { start, end })).rejects.toMatchObject({ code: 'bad-range' });
    }
  }));

it('stops at the limit and leaves nothing', () =>
  withStore(async (store, dir) => {
    const content = Readable.from(pieces(Buffer.alloc(10_001)));
    await expect(store.put('a', content, { maxBytes: 10_000 })).rejects.toMatchObject({ code: 'too-large' });
    expect(await readdir(dir)).toEqual([]);
    await expect(store.open('a')).rejects.toMatchObject({ code: 'not-found' });
  }));

it('tells a client that goes away from a refusal, and keeps what was there before', () =>
  withStore(async (store, dir) => {
    await store.put('a', Readable.from([Buffer.from('before')]), { maxBytes: 100 });
    const gone = new Readable({ read() { this.push(Buffer.from('x')); this.destroy(new Error('ECONNRESET')); } }); // prettier-ignore
    await expect(store.put('a', gone, { maxBytes: 100 })).rejects.toMatchObject({ code: 'aborted' });
    const refusal = new Error('refused');
    const onChunk = (): Promise<void> => Promise.reject(refusal);
    await expect(
      store.put('a', Readable.from([Buffer.from('after')]), { maxBytes: 100, onChunk }),
    ).rejects.toBe(refusal);
    expect(String(await read(store, 'a'))).toBe('before');
    expect(await readdir(dir)).toEqual(['a']);
  }));

it('reports a full disk as such', () =>
  withStore(async (store) => {
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    const onChunk = (): void => {
      throw full;
    };
    await expect(
      store.put('a', Readable.from([Buffer.from('x')]), { maxBytes: 9, onChunk }),
    ).rejects.toMatchObject({ code: 'disk-full' });
  }));

it('lists what a crash cut off apart from the rest, and drops it when it is told to', () =>
  withStore(async (store, dir) => {
    await store.put('kept', Readable.from([Buffer.from('x')]), { maxBytes: 9 });
    await writeFile(join(dir, '.part-cut.123'), 'half');
    await writeFile(join(dir, '.part-other.456'), 'half');
    const again = await openStore(dir);
    expect((await again.list()).map((item) => item.id)).toEqual(['kept']);
    expect((await again.parts()).sort()).toEqual(['cut', 'other']);
    await again.dropParts('cut');
    expect((await readdir(dir)).sort()).toEqual(['.part-other.456', 'kept']);
  }));

it('keeps concurrent puts apart, and one whole content when they are for the same id', () =>
  withStore(async (store, dir) => {
    const contents = Array.from({ length: 8 }, (_, index) => Buffer.alloc(50_000, index));
    await Promise.all(
      contents.map((content, index) =>
        store.put(`i${index}`, Readable.from(pieces(content)), { maxBytes: 50_000 }),
      ),
    );
    for (const [index, content] of contents.entries())
      expect((await read(store, `i${index}`)).equals(content)).toBe(true);
    await Promise.all(
      contents.map((content) => store.put('same', Readable.from(pieces(content)), { maxBytes: 50_000 })),
    );
    const same = await read(store, 'same');
    expect(contents.some((content) => content.equals(same))).toBe(true);
    expect(await readdir(dir)).toHaveLength(9);
  }));

it('deletes once or twice, and a reader that has it open reads on', () =>
  withStore(async (store) => {
    await store.put('a', Readable.from([Buffer.from('content')]), { maxBytes: 9 });
    const { stream } = await store.open('a');
    await store.delete('a');
    await store.delete('a');
    expect(String(Buffer.concat(await stream.toArray()))).toBe('content');
    await expect(store.open('a')).rejects.toMatchObject({ code: 'not-found' });
  }));

it('takes no id that is a path', () =>
  withStore(async (store) => {
    for (const id of ['', '.', '..', '../a', 'a/b', '.part-1', '-a', 'a\0', 'a'.repeat(129)]) {
      expect(() => store.path(id)).toThrow('is not valid');
      await expect(store.delete(id)).rejects.toMatchObject({ code: 'not-found' });
    }
  }));
