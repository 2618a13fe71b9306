// The behaviour that every guest driver shares, as vitest tests: QEMU, podman and the simulation run the
// same suite, so that what is proven on the simulation holds on the real thing.
// lines: one contract, a test for each of its promises.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../kernel/run.ts';
import type { ImageRef, ServerBody } from '../../../protocol/items.ts';
import { DriverError } from '../errors.ts';
import type { GuestDriver, GuestPower, GuestSpec, GuestState } from './driver.ts';

export type SpecOverrides = Partial<Omit<GuestSpec, 'body'>> & { body?: Partial<ServerBody> };

export type GuestHarness = {
  driver: GuestDriver;
  /** A startable guest with a fresh id, unless the overrides name one. */
  spec(overrides?: SpecOverrides): GuestSpec;
  cleanup(): Promise<void>;
  /** A new driver object over the same data dir, as after kill -9 of the agent. */
  restart(): Promise<GuestDriver>;
  /** Ends the guest from outside, as the kernel's OOM killer would. */
  kill?(id: string): Promise<void>;
  /** The spec with one small volume held for it, or with none. */
  withVolume?(spec: GuestSpec, volumeId: string | null): Promise<GuestSpec>;
  /** What kernel and disk still hold of a guest: processes, folders, cgroups. Empty after destroy. */
  leftovers?(id: string): Promise<string[]>;
};

/** A plausible body; drivers under test add their image. */
export function sampleServerBody(
  type: ServerBody['type'],
  overrides: Partial<ServerBody> = {},
): ServerBody & { image: ImageRef } {
  const body: ServerBody = {
    type,
    name: 'conformance',
    hostname: 'conformance',
    projectId: 'p1',
    userId: 'u1',
    vcpus: 1,
    memoryMib: 64,
    rootGib: 0,
    image: {
      id: 'image-1',
      diskFormat: 'raw',
      containerFormat: type === 'vm' ? 'bare' : 'docker',
      hash: '0'.repeat(128),
      size: 512,
    },
    volumes: [],
    ports: [],
    power: 'running',
    rebootCount: 0,
    rebootHard: false,
    rebuildCount: 0,
    resizeCount: 0,
    original: 'drop',
    properties: {},
    metadata: { availabilityZone: 'nova', meta: {}, keys: [], userData: null, createdAt: 0 },
    ...overrides,
  };
  return body as ServerBody & { image: ImageRef };
}

const testTimeoutMs = 60_000;

export function guestDriverConformance(name: string, setup: () => Promise<GuestHarness>): void {
  describe(`guest driver contract: ${name}`, () => {
    let harness: GuestHarness;
    let driver: GuestDriver;
    let capabilities: string[] = [];
    let made: string[] = [];

    beforeAll(async () => {
      harness = await setup();
      driver = harness.driver;
      capabilities = (await driver.probe()).capabilities;
    }, testTimeoutMs);
    afterEach(async () => {
      for (const id of made) await driver.destroy(id);
      made = [];
    }, testTimeoutMs);
    afterAll(async () => {
      if (driver !== undefined) await driver.close();
      if (harness !== undefined) await harness.cleanup();
    }, testTimeoutMs);

    const newSpec = (overrides?: SpecOverrides): GuestSpec => {
      const spec = harness.spec(overrides);
      made.push(spec.id);
      return spec;
    };
    const running = async (overrides?: SpecOverrides): Promise<GuestSpec> => {
      const spec = newSpec(overrides);
      await driver.define(spec);
      await driver.start(spec);
      return spec;
    };
    const state = async (id: string): Promise<GuestState> => {
      const found = await driver.get(id);
      if (found === null) throw new Error(`guest ${id} does not exist`);
      return found;
    };
    /** A guest that was killed from outside is noticed within moments, not at once. */
    const becomes = (id: string, power: GuestPower): Promise<void> =>
      expect.poll(async () => (await driver.get(id))?.power, { timeout: 10_000, interval: 20 }).toBe(power);
    const withCounter = (spec: GuestSpec, rebootCount: number): GuestSpec => ({
      ...spec,
      body: { ...spec.body, rebootCount },
    });

    test('a probe names the guest type, the hypervisor and the capabilities', async () => {
      const found = await driver.probe();
      expect(found.type).toBe(driver.type);
      expect(found.hypervisorType).not.toBe('');
      expect(Number.isInteger(found.hypervisorVersion)).toBe(true);
      expect(new Set(found.capabilities).size).toBe(found.capabilities.length);
    });

    test(
      'a defined guest is stopped, and defining it again changes nothing but the definition',
      async () => {
        const spec = newSpec({ body: { rebootCount: 3 } });
        expect(await driver.get(spec.id)).toBeNull();
        await driver.define(spec);
        await driver.define(spec);
        expect(await state(spec.id)).toEqual({
          id: spec.id,
          power: 'stopped',
          incarnation: null,
          rebootCount: 3,
          rebuildCount: 0,
          resizeCount: 0,
          hasOriginal: false,
        });
        await driver.define(withCounter(spec, 4));
        expect((await state(spec.id)).rebootCount).toBe(4);
      },
      testTimeoutMs,
    );

    test(
      'a started guest runs, is listed once, and starting it again does not disturb it',
      async () => {
        const spec = await running();
        const first = await state(spec.id);
        expect(first.power).toBe('running');
        expect(first.incarnation).not.toBeNull();
        await driver.start(spec);
        await driver.define({ ...spec, body: { ...spec.body, name: 'renamed' } });
        expect(await state(spec.id)).toEqual(first);
        expect((await driver.list()).filter((guest) => guest.id === spec.id)).toEqual([first]);
      },
      testTimeoutMs,
    );

    test(
      'a rebuilt guest is stopped, runs again as a new one, and remembers across starts what it was made for',
      async () => {
        const spec = await running();
        const first = await state(spec.id);
        const anew = { ...spec, body: { ...spec.body, rebuildCount: 1 } };
        await driver.rebuild(anew);
        expect(await state(spec.id)).toMatchObject({ power: 'stopped', rebuildCount: 1 });
        await driver.rebuild(anew);
        await driver.start(anew);
        const second = await state(spec.id);
        expect(second).toMatchObject({ power: 'running', rebuildCount: 1 });
        expect(second.incarnation).not.toBe(first.incarnation);
        await driver.reboot(anew, true);
        await driver.define(anew);
        expect(await state(spec.id)).toMatchObject({ power: 'running', rebuildCount: 1 });
      },
      testTimeoutMs,
    );

    test(
      'a resized guest keeps its original until that is dropped, and reverts to it where it is not',
      async () => {
        const spec = await running();
        const first = await state(spec.id);
        const larger = (resizeCount: number): GuestSpec => ({
          ...spec,
          body: {
            ...spec.body,
            resizeCount,
            original: 'keep',
            memoryMib: spec.body.memoryMib + 64,
            rootGib: 2,
          },
        });
        await driver.resize(larger(1));
        expect(await state(spec.id)).toMatchObject({ power: 'stopped', resizeCount: 1, hasOriginal: true });
        await driver.resize(larger(1));
        driver = await harness.restart();
        await driver.define(larger(1));
        await driver.start(larger(1));
        const second = await state(spec.id);
        expect(second).toMatchObject({ power: 'running', resizeCount: 1, hasOriginal: true });
        expect(second.incarnation).not.toBe(first.incarnation);
        await driver.confirmResize(spec.id);
        await driver.confirmResize(spec.id);
        expect(await state(spec.id)).toEqual({ ...second, hasOriginal: false });

        await driver.resize(larger(2));
        const back: GuestSpec = { ...spec, body: { ...spec.body, resizeCount: 3, original: 'restore' } };
        await driver.revertResize(back);
        await driver.revertResize(back);
        expect(await state(spec.id)).toMatchObject({ power: 'stopped', resizeCount: 3, hasOriginal: false });
        await driver.start(back);
        // Also where the resize never happened.
        await driver.revertResize({ ...back, body: { ...back.body, resizeCount: 5 } });
        expect(await state(spec.id)).toMatchObject({ power: 'stopped', resizeCount: 5, hasOriginal: false });
        await driver.start(back);
        expect(await state(spec.id)).toMatchObject({ power: 'running', resizeCount: 5 });
      },
      testTimeoutMs,
    );

    test(
      'a volume comes to a guest that runs and to one that starts, stays across a new driver, and goes again',
      async (ctx) => {
        const { withVolume } = harness;
        if (!capabilities.includes('volumes')) return ctx.skip(`${name} has no volumes`);
        if (withVolume === undefined) return ctx.skip('this harness has no volumes');
        const spec = await running();
        const { incarnation } = await state(spec.id);
        const held = await withVolume(spec, 'v-1');
        const has = [{ id: 'v-1', attached: true, error: null }];
        expect(await driver.syncVolumes?.(held)).toEqual(has);
        expect(await driver.syncVolumes?.(held)).toEqual(has);
        driver = await harness.restart();
        expect(await driver.syncVolumes?.(held)).toEqual(has);
        expect((await state(spec.id)).incarnation).toBe(incarnation);
        // What runs has it open, whoever asks for an end of that.
        await driver.closeVolumes?.(spec.id);
        expect(await driver.syncVolumes?.(held)).toEqual(has);
        await driver.stop(spec.id, 0);
        await driver.closeVolumes?.(spec.id);
        await driver.closeVolumes?.(spec.id);
        await driver.start(held);
        await driver.reboot(held, true);
        expect(await driver.syncVolumes?.(held)).toEqual(has);
        await driver.syncVolumes?.(await withVolume(spec, null));
        expect(await driver.syncVolumes?.(await withVolume(spec, null))).toEqual([]);
        await driver.syncVolumes?.(held);
        await driver.destroy(spec.id);
        if (harness.leftovers !== undefined) expect(await harness.leftovers(spec.id)).toEqual([]);
      },
      testTimeoutMs,
    );

    test(
      'a guest that runs takes an interrupt, and one that does not run refuses it',
      async (ctx) => {
        if (!capabilities.includes('nmi')) return ctx.skip(`${name} does not interrupt guests`);
        const spec = await running();
        await driver.interrupt?.(spec.id);
        await driver.stop(spec.id, 0);
        await expect(driver.interrupt?.(spec.id)).rejects.toBeInstanceOf(DriverError);
      },
      testTimeoutMs,
    );

    test(
      'the root of a guest can be copied while it runs, undisturbed, and when it is off',
      async (ctx) => {
        if (!capabilities.includes('snapshot')) return ctx.skip(`${name} makes no images of guests`);
        // as a data dir may be: closed to guests, but for the folder that a guest's process runs in
        const dir = await mkdtemp(join(tmpdir(), 'strata-export-'));
        try {
          const folder = join(dir, 'guest');
          await mkdir(folder, { mode: 0o755 });
          const spec = { ...newSpec(), folder };
          await driver.define(spec);
          await driver.start(spec);
          const before = await state(spec.id);
          await driver.exportRoot?.(spec, join(dir, 'running'));
          expect(await state(spec.id)).toEqual(before);
          await driver.stop(spec.id, 0);
          await driver.exportRoot?.(spec, join(dir, 'stopped'));
          for (const file of ['running', 'stopped']) {
            const { stdout } = await run([
              'qemu-img',
              'info',
              '--output=json',
              '-f',
              'qcow2',
              join(dir, file),
            ]);
            const info = JSON.parse(stdout) as Record<string, unknown>;
            expect([file, info['format'], info['backing-filename']]).toEqual([file, 'qcow2', undefined]);
            await run(['qemu-img', 'check', '-f', 'qcow2', join(dir, file)]);
          }
        } finally {
          await rm(dir, { recursive: true, force: true });
        }
      },
      testTimeoutMs,
    );

    test(
      'a new driver adopts what runs, with the same incarnation, and can stop it',
      async () => {
        const spec = await running({ body: { rebootCount: 2 } });
        const still = newSpec();
        await driver.define(still);
        const before = await state(spec.id);
        driver = await harness.restart();
        expect(await state(spec.id)).toEqual(before);
        expect((await driver.list()).map((guest) => guest.id)).toEqual(
          expect.arrayContaining([spec.id, still.id]),
        );
        await driver.start(spec);
        expect(await state(spec.id)).toEqual(before);
        await driver.stop(spec.id, 0);
        expect((await state(spec.id)).power).toBe('stopped');
      },
      testTimeoutMs,
    );

    test(
      'a guest that was asked to stop is stopped, stays so across a restart, and starts as a new incarnation',
      async () => {
        const spec = await running();
        const first = await state(spec.id);
        await driver.stop(spec.id, 200);
        await driver.stop(spec.id, 0);
        expect(await state(spec.id)).toMatchObject({ power: 'stopped', incarnation: null });
        driver = await harness.restart();
        expect((await state(spec.id)).power).toBe('stopped');
        await driver.start(spec);
        const second = await state(spec.id);
        expect(second.power).toBe('running');
        expect(second.incarnation).not.toBe(first.incarnation);
      },
      testTimeoutMs,
    );

    test(
      'a guest that dies by itself is crashed, the watcher hears of it, and it can be started again',
      async ({ skip }) => {
        if (harness.kill === undefined) return skip('this harness cannot kill a guest');
        const spec = await running();
        const before = await state(spec.id);
        const heard: string[] = [];
        const unwatch = driver.watch((id) => heard.push(id));
        await harness.kill(spec.id);
        await becomes(spec.id, 'crashed');
        await expect.poll(() => heard, { timeout: 10_000 }).toContain(spec.id);
        unwatch();
        expect((await state(spec.id)).incarnation).toBeNull();
        await driver.start(spec);
        const after = await state(spec.id);
        expect(after.power).toBe('running');
        expect(after.incarnation).not.toBe(before.incarnation);
      },
      testTimeoutMs,
    );

    test(
      'a guest that died while no driver watched is found crashed after the restart',
      async ({ skip }) => {
        if (harness.kill === undefined) return skip('this harness cannot kill a guest');
        const spec = await running();
        await driver.close();
        await harness.kill(spec.id);
        driver = await harness.restart();
        await becomes(spec.id, 'crashed');
      },
      testTimeoutMs,
    );

    test(
      'a reboot, hard or soft, leaves the guest running as a new incarnation with the new counter',
      async () => {
        const spec = await running();
        let incarnation = (await state(spec.id)).incarnation;
        let counter = 0;
        for (const hard of [true, false]) {
          counter += 1;
          await driver.reboot(withCounter(spec, counter), hard);
          await driver.define(withCounter(spec, counter));
          const after = await state(spec.id);
          expect(after).toMatchObject({ power: 'running', rebootCount: counter });
          expect(after.incarnation).not.toBe(incarnation);
          incarnation = after.incarnation;
        }
      },
      testTimeoutMs,
    );

    test(
      'a paused guest keeps its incarnation and resumes; both verbs may be repeated',
      async ({ skip }) => {
        if (!capabilities.includes('pause')) return skip('this driver does not pause');
        const spec = await running();
        const { incarnation } = await state(spec.id);
        await driver.pause(spec.id);
        await driver.pause(spec.id);
        expect(await state(spec.id)).toMatchObject({ power: 'paused', incarnation });
        driver = await harness.restart();
        expect(await state(spec.id)).toMatchObject({ power: 'paused', incarnation });
        await driver.resume(spec.id);
        await driver.resume(spec.id);
        expect(await state(spec.id)).toMatchObject({ power: 'running', incarnation });
        await driver.pause(spec.id);
        await driver.stop(spec.id, 100);
        expect((await state(spec.id)).power).toBe('stopped');
      },
      testTimeoutMs,
    );

    test(
      'a suspended guest holds no process, survives a restart, and start brings it back; twice in a row',
      async ({ skip }) => {
        if (!capabilities.includes('suspend')) return skip('this driver does not suspend');
        const spec = await running();
        for (let round = 0; round < 2; round += 1) {
          await driver.suspend(spec.id);
          await driver.suspend(spec.id);
          expect(await state(spec.id)).toMatchObject({ power: 'suspended', incarnation: null });
          driver = await harness.restart();
          expect((await state(spec.id)).power).toBe('suspended');
          await driver.define(spec);
          expect((await state(spec.id)).power).toBe('suspended');
          await driver.start(spec);
          expect((await state(spec.id)).power).toBe('running');
        }
        await driver.suspend(spec.id);
        await driver.stop(spec.id, 0);
        expect((await state(spec.id)).power).toBe('stopped');
      },
      testTimeoutMs,
    );

    test(
      'destroy removes a guest in any state, leaves nothing of it, and may be repeated',
      async () => {
        const defined = newSpec();
        await driver.define(defined);
        const alive = await running();
        for (const spec of [defined, alive]) {
          await driver.destroy(spec.id);
          await driver.destroy(spec.id);
          expect(await driver.get(spec.id)).toBeNull();
          expect((await driver.list()).map((guest) => guest.id)).not.toContain(spec.id);
          if (harness.leftovers !== undefined) expect(await harness.leftovers(spec.id)).toEqual([]);
        }
        await driver.define(alive);
        expect((await state(alive.id)).power).toBe('stopped');
      },
      testTimeoutMs,
    );

    test(
      'destroy works for a driver that never met the guest',
      async () => {
        const spec = await running();
        driver = await harness.restart();
        await driver.destroy(spec.id);
        expect(await driver.get(spec.id)).toBeNull();
        if (harness.leftovers !== undefined) expect(await harness.leftovers(spec.id)).toEqual([]);
      },
      testTimeoutMs,
    );

    test(
      'a verb on a guest that does not exist does nothing or throws a DriverError, and creates nothing',
      async () => {
        const spec = newSpec();
        const verbs: (() => Promise<unknown>)[] = [
          () => driver.stop(spec.id, 0),
          () => driver.pause(spec.id),
          () => driver.resume(spec.id),
          () => driver.suspend(spec.id),
          () => driver.consoleLog(spec.id, null),
          () => driver.destroy(spec.id),
        ];
        for (const verb of verbs) {
          const outcome = await verb().then(
            () => null,
            (error: unknown) => error,
          );
          if (outcome !== null) expect(outcome).toBeInstanceOf(DriverError);
          expect(await driver.get(spec.id)).toBeNull();
        }
      },
      testTimeoutMs,
    );

    test(
      'concurrent verbs on one guest end in one guest',
      async () => {
        const spec = newSpec();
        await Promise.all([driver.define(spec), driver.define(spec)]);
        await Promise.all([driver.start(spec), driver.start(spec)]);
        expect((await driver.list()).filter((guest) => guest.id === spec.id)).toHaveLength(1);
        expect((await state(spec.id)).power).toBe('running');
        await Promise.all([driver.stop(spec.id, 100), driver.stop(spec.id, 0)]);
        expect((await state(spec.id)).power).toBe('stopped');
        await Promise.all([driver.destroy(spec.id), driver.destroy(spec.id)]);
        expect(await driver.get(spec.id)).toBeNull();
      },
      testTimeoutMs,
    );

    test(
      'a guest that runs has figures, one that is off has none',
      async () => {
        const spec = await running();
        const figures = await driver.figures(spec.id);
        expect(figures?.memory.maximumMib).toBe(spec.body.memoryMib);
        expect(figures?.cpus.length).toBeGreaterThan(0);
        await driver.stop(spec.id, 0);
        expect(await driver.figures(spec.id)).toBeNull();
      },
      testTimeoutMs,
    );

    test(
      'its consoles are those that it names; they need a guest that runs, and end with it',
      async () => {
        const spec = await running();
        const kinds = ['vnc', 'serial', 'shell'] as const;
        const open = (kind: (typeof kinds)[number]) => async () => driver.openConsole?.(spec.id, kind);
        const ends: Promise<unknown>[] = [];
        for (const kind of kinds) {
          if (!capabilities.includes(kind)) {
            await expect(open(kind)).rejects.toThrow(DriverError);
            continue;
          }
          const opened = await open(kind)();
          opened?.bytes.on('error', () => {}).resume();
          ends.push(new Promise((resolve) => opened?.bytes.once('close', resolve)));
        }
        expect(ends.length).toBeGreaterThan(0);
        await driver.stop(spec.id, 0);
        await Promise.all(ends);
        for (const kind of kinds) await expect(open(kind)).rejects.toThrow(DriverError);
      },
      testTimeoutMs,
    );

    test(
      'the console log is text, can be cut to its last lines, and outlives a stop',
      async () => {
        const spec = await running();
        await expect
          .poll(async () => (await driver.consoleLog(spec.id, null)).length, { timeout: 15_000 })
          .toBeGreaterThan(0);
        await driver.stop(spec.id, 0);
        const whole = await driver.consoleLog(spec.id, null);
        expect(whole.length).toBeGreaterThan(0);
        const last = await driver.consoleLog(spec.id, 1);
        expect(whole.endsWith(last)).toBe(true);
        expect(last.trimEnd().split('\n')).toHaveLength(1);
      },
      testTimeoutMs,
    );
  });
}
