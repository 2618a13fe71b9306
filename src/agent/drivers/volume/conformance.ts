// The behaviour that every volume driver shares, as vitest tests: files and the simulation run the same suite.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DriverError } from '../errors.ts';
import type { VolumeDriver } from './driver.ts';

export type VolumeHarness = {
  driver(): VolumeDriver;
  /** A new driver object over what is kept, as after kill -9 of the agent. */
  restart(): Promise<VolumeDriver>;
  /** What a server would write and read at the beginning of the volume that it holds. */
  write(volumeId: string, serverId: string, text: string): Promise<void>;
  read(volumeId: string, serverId: string): Promise<string>;
  /** An image whose content begins with `text`. */
  image(text: string): Promise<{ type: 'image'; imageId: string; path: string; format: 'raw' | 'qcow2' }>;
  cleanup(): Promise<void>;
};

const UID = 0x4000_0001;
const TEST_MS = 60_000;

export function volumeDriverConformance(name: string, setup: () => Promise<VolumeHarness>): void {
  describe(`volume driver contract: ${name}`, () => {
    let harness: VolumeHarness;
    let driver: VolumeDriver;
    beforeAll(async () => {
      harness = await setup();
      driver = harness.driver();
    }, TEST_MS);
    afterAll(async () => {
      await harness?.cleanup();
    }, TEST_MS);

    const made = async (sizeGib = 1): Promise<string> => {
      const id = randomUUID();
      await driver.create(id, sizeGib, { type: 'empty' });
      return id;
    };
    const written = async (text: string): Promise<string> => {
      const id = await made();
      await put(id, text);
      return id;
    };
    /** A server comes, writes and goes. */
    const put = async (id: string, text: string): Promise<void> => {
      const server = randomUUID();
      await driver.hold(id, server, UID, false);
      await harness.write(id, server, text);
      await driver.release(id, server);
    };
    const content = async (id: string): Promise<string> => {
      const server = randomUUID();
      await driver.hold(id, server, UID, false);
      const text = await harness.read(id, server);
      await driver.release(id, server);
      return text;
    };
    const refusal = async (work: Promise<unknown>): Promise<DriverError> => {
      const error = await work.then(
        () => null,
        (failed: unknown) => failed,
      );
      expect(error).toBeInstanceOf(DriverError);
      return error as DriverError;
    };

    test(
      'a new volume is there, of its size, and reads as zeros',
      async () => {
        const id = await made(3);
        expect(await driver.get(id)).toMatchObject({ id, sizeGib: 3, holder: null });
        expect((await driver.list()).volumes).toContain(id);
        expect(await content(id)).toBe('');
        expect(await driver.get(randomUUID())).toBeNull();
        await driver.remove(id);
      },
      TEST_MS,
    );

    test(
      'what one volume held is never seen by the next',
      async () => {
        for (let round = 0; round < 3; round += 1) {
          const id = await written(`secret ${round}`);
          await driver.remove(id);
          expect((await driver.list()).volumes).not.toContain(id);
          const next = await made();
          expect(await content(next)).toBe('');
          await driver.remove(next);
        }
      },
      TEST_MS,
    );

    test(
      'create, extend, snapshot and remove may be repeated',
      async () => {
        const id = await written('kept');
        await driver.create(id, 1, { type: 'empty' });
        expect(await content(id)).toBe('kept');
        await driver.extend(id, 2);
        await driver.extend(id, 2);
        await driver.extend(id, 1);
        expect(await driver.get(id)).toMatchObject({ sizeGib: 2 });
        const snapshot = randomUUID();
        await driver.snapshot(snapshot, id);
        await put(id, 'newer');
        await driver.snapshot(snapshot, id);
        const clone = randomUUID();
        await driver.create(clone, 2, { type: 'snapshot', id: snapshot });
        expect(await content(clone)).toBe('kept');
        for (const one of [id, clone, clone]) await driver.remove(one);
        await driver.removeSnapshot(snapshot);
        await driver.removeSnapshot(snapshot);
      },
      TEST_MS,
    );

    test(
      'a volume made of an image begins with its content, and writes do not reach others',
      async () => {
        const source = await harness.image('boot me');
        const [one, two] = [randomUUID(), randomUUID()];
        await driver.create(one, 1, source);
        await put(one, 'changed');
        await driver.create(two, 1, source);
        expect(await content(one)).toBe('changed');
        expect(await content(two)).toBe('boot me');
        await driver.remove(one);
        expect(await content(two)).toBe('boot me');
        await driver.remove(two);
      },
      TEST_MS,
    );

    test(
      'a clone and its source go separate ways, whichever is removed first',
      async () => {
        const source = await written('common');
        const clone = randomUUID();
        await driver.create(clone, 1, { type: 'volume', id: source });
        await put(source, 'source');
        expect(await content(clone)).toBe('common');
        await put(clone, 'clone');
        expect(await content(source)).toBe('source');
        await driver.remove(source);
        expect(await content(clone)).toBe('clone');
        await driver.remove(clone);
      },
      TEST_MS,
    );

    test(
      'a volume returns to its snapshot once, however often it is told',
      async () => {
        const id = await written('before');
        const snapshot = randomUUID();
        await driver.snapshot(snapshot, id);
        await put(id, 'after');
        await driver.revert(id, snapshot, 1);
        expect(await content(id)).toBe('before');
        await put(id, 'again');
        await driver.revert(id, snapshot, 1);
        expect(await content(id)).toBe('again');
        await driver.removeSnapshot(snapshot);
        expect(await content(id)).toBe('again');
        await driver.remove(id);
      },
      TEST_MS,
    );

    test(
      'one server holds a volume at a time, also across a restart',
      async () => {
        const id = await made();
        const [one, two] = [randomUUID(), randomUUID()];
        await driver.hold(id, one, UID, false);
        await driver.hold(id, one, UID, false);
        expect((await refusal(driver.hold(id, two, UID + 1, false))).message).toContain(one);
        driver = await harness.restart();
        expect((await refusal(driver.hold(id, two, UID + 1, false))).message).toContain(one);
        expect(await driver.heldBy(one)).toEqual([id]);
        await driver.release(id, two);
        expect(await driver.heldBy(one)).toEqual([id]);
        await driver.release(id, one);
        await driver.release(id, one);
        expect(await driver.heldBy(one)).toEqual([]);
        await driver.hold(id, two, UID + 1, false);
        await driver.release(id, two);
        await driver.remove(id);
      },
      TEST_MS,
    );

    test(
      'content that is read out and put into another volume is the same there, once a token, and while nobody uses it',
      async () => {
        const [from, into] = [await written('carried'), await written('overwritten')];
        const snapshot = randomUUID();
        await driver.snapshot(snapshot, from);
        await put(from, 'newer');
        await driver.replace(into, 'first', driver.extents('snapshot', snapshot));
        expect(await content(into)).toBe('carried');
        await driver.replace(into, 'first', driver.extents('volume', from));
        expect(await content(into)).toBe('carried');
        const broken = (async function* half() {
          yield* driver.extents('volume', from);
          throw new Error('cut off');
        })();
        await expect(driver.replace(into, 'second', broken)).rejects.toThrow();
        expect(await content(into)).toBe('carried');
        const server = randomUUID();
        await driver.hold(into, server, UID, false);
        expect(
          (await refusal(driver.replace(into, 'third', driver.extents('volume', from)))).message,
        ).toContain('in use');
        await driver.release(into, server);
        await driver.replace(into, 'third', driver.extents('volume', from));
        expect(await content(into)).toBe('newer');
        await driver.removeSnapshot(snapshot);
        for (const id of [from, into]) await driver.remove(id);
      },
      TEST_MS,
    );

    test(
      'everything is there after a restart',
      async () => {
        const id = await written('durable');
        const snapshot = randomUUID();
        await driver.snapshot(snapshot, id);
        driver = await harness.restart();
        expect(await driver.list()).toMatchObject({ volumes: [id], snapshots: [snapshot] });
        expect(await content(id)).toBe('durable');
        await driver.removeSnapshot(snapshot);
        await driver.remove(id);
      },
      TEST_MS,
    );

    test(
      'what is not there cannot be used, and says so',
      async () => {
        const none = randomUUID();
        expect((await refusal(driver.extend(none, 2))).message).toContain(none);
        expect((await refusal(driver.snapshot(randomUUID(), none))).message).toContain(none);
        expect((await refusal(driver.hold(none, randomUUID(), UID, false))).message).toContain(none);
        expect(
          (await refusal(driver.create(randomUUID(), 1, { type: 'snapshot', id: none }))).message,
        ).toContain(none);
        expect(await driver.list()).toEqual({ volumes: [], snapshots: [] });
      },
      TEST_MS,
    );
  });
}
