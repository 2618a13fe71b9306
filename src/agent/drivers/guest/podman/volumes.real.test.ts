// Volumes of containers on the real kernel: bytes, devices, leave, and what is left behind (needs root).
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import { run, type RunError } from '../../../../kernel/run.ts';
import { guestVolumes, type GuestVolumes } from '../../../controllers/guest-volumes.ts';
import { createFileVolumeDriver } from '../../volume/file/driver.ts';
import type { VolumeDriver } from '../../volume/driver.ts';
import type { GuestDriver, GuestSpec, VolumeOutcome } from '../driver.ts';
import { guestUid } from '../guest-user.ts';
import { createDisks, type Disk } from './disks.ts';
import { podmanProcess } from './place.ts';
import { podmanLeftovers, teardownPodman } from './teardown.ts';
import { makeSite, makeSpec, pidOf, processesWith, type Site } from './test-site.ts';

const timeout = 120_000;
const patient = { timeout: 30_000 };
const gib = 1024 ** 3;
let site: Site;
let driver: GuestDriver;
let volumes: VolumeDriver;
let controller: GuestVolumes;

beforeAll(async () => {
  site = await makeSite();
  driver = site.make();
  volumes = createFileVolumeDriver({ dir: join(site.dataDir, 'volumes'), log: silentLog });
  controller = guestVolumes(volumes);
  expect((await driver.probe()).capabilities).toContain('volumes');
}, timeout);
afterAll(async () => {
  await driver?.close();
  await site?.remove();
}, timeout);

type Wanted = { volumeId: string; device: string; readOnly?: boolean };
const bodyOf = (wanted: Wanted[]) =>
  wanted.map((one) => ({ ...one, boot: false, readOnly: one.readOnly ?? false }));

/** The spec with these volumes, held as the server controller holds them. */
async function having(spec: GuestSpec, wanted: Wanted[]): Promise<GuestSpec> {
  const body = { ...spec.body, volumes: bodyOf(wanted) };
  const held = await controller.hold(spec.id, body.volumes);
  expect(held.failed).toEqual([]);
  return { ...spec, body, volumes: held.volumes, folder: held.folder };
}
async function sync(spec: GuestSpec, running = true): Promise<VolumeOutcome[]> {
  return controller.sync(driver, spec, [], running);
}
async function started(wanted: Wanted[] = []): Promise<GuestSpec> {
  const spec = await having(makeSpec(site), wanted);
  await driver.define(spec);
  await driver.start(spec);
  const outcomes = await sync(spec);
  expect(outcomes).toEqual(wanted.map((one) => ({ id: one.volumeId, attached: true, error: null })));
  return spec;
}
async function gone(spec: GuestSpec): Promise<void> {
  await driver.destroy(spec.id);
  await controller.gone(spec.id);
}
const name = (id: string): string => `strata-${site.cloudId}-${id}`;
/** Runs a program in the container, as its root. */
const inside = async (spec: GuestSpec, script: string): Promise<string> =>
  (await run(['podman', 'exec', name(spec.id), '/bin/sh', '-c', script], podmanProcess(site.place))).stdout;
const refusal = (spec: GuestSpec, script: string): Promise<string> =>
  inside(spec, script).then(
    (text) => `done: ${text}`,
    (error: RunError) => error.stderr,
  );
const disksOf = (spec: GuestSpec): Promise<Disk[]> =>
  createDisks(site.place, systemClock, silentLog).of(spec.id);
const loopFact = (loop: string, fact: string): Promise<string | null> =>
  readFile(`/sys/block/${loop.replace('/dev/', '')}/loop/${fact}`, 'utf8').then(
    (text) => text.trim(),
    () => null,
  );
/** Nothing of any volume is open on the host. */
async function nothingOpen(): Promise<void> {
  expect(await readdir(site.place.disks)).toEqual([]);
  expect(await processesWith(site.place.disks)).toEqual([]);
  expect((await run(['losetup', '--list', '--noheadings', '--output', 'BACK-FILE'])).stdout).not.toContain(
    site.place.disks,
  );
  expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(`${site.place.disks}/`);
}
const vdb = (volumeId: string): Wanted => ({ volumeId, device: '/dev/vdb' });

test(
  'what a container writes to its volume is there for the next container, hot and from the start',
  async () => {
    await volumes.create('v-move', 1, { type: 'empty' });
    const first = await started();
    const held = await having(first, [vdb('v-move')]);
    expect(await sync(held)).toEqual([{ id: 'v-move', attached: true, error: null }]);
    expect(await inside(held, 'cat /proc/partitions >/dev/null; ls -ln /dev/vdb')).toMatch(
      /^brw-rw---- +1 0 +6 /,
    );
    expect(Number(await inside(held, 'blockdev --getsize64 /dev/vdb'))).toBe(gib);
    // Not synced by the container: a detach writes out what is cached.
    await inside(held, 'echo first words | dd of=/dev/vdb bs=512 conv=notrunc');
    await inside(
      held,
      'dd if=/dev/urandom of=/tmp/r bs=1M count=24 && dd if=/tmp/r of=/dev/vdb bs=1M seek=500 conv=notrunc',
    );
    const sum = await inside(held, 'sha256sum </tmp/r');

    expect(await sync(await having(first, []))).toEqual([{ id: 'v-move', attached: false, error: null }]);
    expect((await volumes.get('v-move'))?.holder).toBeNull();
    expect(await refusal(first, 'head -c 5 /dev/vdb')).toMatch(/No such file/);
    await nothingOpen();

    const second = await started([vdb('v-move')]);
    expect(await inside(second, 'head -c 11 /dev/vdb')).toBe('first words');
    expect(await inside(second, 'dd if=/dev/vdb bs=1M skip=500 count=24 2>/dev/null | sha256sum')).toBe(sum);
    await gone(second);
    await gone(first);
    await nothingOpen();
  },
  timeout,
);

test(
  'a volume is in /dev before the first program of the container runs, at each start and reboot',
  async () => {
    await volumes.create('v-early', 1, { type: 'empty' });
    const command = '["/bin/sh","-c","head -c 4 /dev/vdb; echo; echo boot >/dev/vdb; sync; sleep 1000"]';
    const plain = makeSpec(site, { body: { properties: { 'strata:command': command } } });
    const spec = await having(plain, [vdb('v-early')]);
    await driver.define(spec);
    await driver.start(spec);
    await expect.poll(() => driver.consoleLog(spec.id, null), patient).toContain('\n');
    expect(await driver.consoleLog(spec.id, null)).not.toContain('No such file');
    await driver.stop(spec.id, 0);
    await nothingOpen();
    await driver.start(spec);
    await expect.poll(() => driver.consoleLog(spec.id, null), patient).toContain('boot\n');
    await driver.reboot(spec, true);
    await expect
      .poll(async () => (await driver.consoleLog(spec.id, null)).split('boot\n').length, patient)
      .toBe(3);
    expect(await sync(spec)).toEqual([{ id: 'v-early', attached: true, error: null }]);
    await gone(spec);
    await nothingOpen();
  },
  timeout,
);

test(
  'a new agent adopts the volume of a container that goes on using it, and detaches it',
  async () => {
    await volumes.create('v-adopt', 1, { type: 'empty' });
    const spec = await started([vdb('v-adopt')]);
    await inside(spec, 'echo before >/dev/vdb');
    const [before] = await disksOf(spec);
    driver = site.make(); // the old one is not closed: as after kill -9
    await inside(spec, 'echo between | dd of=/dev/vdb bs=512 seek=1 conv=notrunc');
    expect(await sync(spec)).toEqual([{ id: 'v-adopt', attached: true, error: null }]);
    expect(await disksOf(spec)).toEqual([before]);
    expect(
      await inside(spec, 'head -c 6 /dev/vdb; dd if=/dev/vdb bs=512 skip=1 count=1 2>/dev/null | head -c 7'),
    ).toBe('beforebetween');
    driver = site.make();
    expect(await sync(await having(spec, []))).toEqual([{ id: 'v-adopt', attached: false, error: null }]);
    await nothingOpen();
    await gone(spec);
  },
  timeout,
);

test(
  'a tenant cannot reach the host through a volume: no ioctl of loop devices, no leave for others, none after a detach',
  async () => {
    await volumes.create('v-mine', 1, { type: 'empty' });
    await volumes.create('v-other', 1, { type: 'empty' });
    const spec = await started([vdb('v-mine')]);
    const other = await started([vdb('v-other')]);
    await inside(other, 'echo secret >/dev/vdb');
    const [mine] = await disksOf(spec);
    const [theirs] = await disksOf(other);
    expect(mine?.loop).not.toBe(theirs?.loop);

    // LOOP_CLR_FD, LOOP_SET_STATUS and their like
    expect(await refusal(spec, 'losetup -d /dev/vdb')).toMatch(/not implemented/i);
    expect(await loopFact(mine?.loop ?? '', 'autoclear')).toBe('0');
    expect(await refusal(spec, 'mknod /tmp/x b 7 0')).toMatch(/not permitted/i);
    expect(await refusal(spec, 'mount /dev/vdb /tmp')).toMatch(/not permitted|denied/i);

    // A node that was linked elsewhere is of no use after the detach.
    await inside(spec, 'ln /dev/vdb /dev/kept && mv /dev/kept /dev/shm-kept');
    expect(await sync(await having(spec, []))).toEqual([{ id: 'v-mine', attached: false, error: null }]);
    const again = await started([{ volumeId: 'v-mine', device: '/dev/vdb' }]);
    expect((await disksOf(again))[0]?.loop).toBe(mine?.loop); // the kernel uses its numbers again
    expect(await refusal(spec, 'head -c 6 /dev/shm-kept')).toMatch(/not permitted/i);
    for (const one of [spec, other, again]) await gone(one);
    await nothingOpen();
  },
  timeout,
);

test(
  'a detach waits for a program that has the volume open, says so, and is done when that has ended',
  async () => {
    await volumes.create('v-busy', 1, { type: 'empty' });
    const spec = await started([vdb('v-busy')]);
    const program = 'exec 3<>/dev/vdb; touch /tmp/open; until [ -e /tmp/end ]; do usleep 50000; done';
    await inside(spec, `(${program}) >/dev/null 2>&1 &`);
    await inside(spec, 'until [ -e /tmp/open ]; do usleep 50000; done');
    const without = await having(spec, []);
    const [outcome] = await sync(without);
    expect(outcome).toMatchObject({ id: 'v-busy', attached: true });
    expect(outcome?.error).toMatch(/still has the volume open/);
    expect((await volumes.get('v-busy'))?.holder).toBe(spec.id);
    await inside(spec, 'touch /tmp/end');
    await expect.poll(() => sync(without), patient).toEqual([{ id: 'v-busy', attached: false, error: null }]);
    await nothingOpen();
    await gone(spec);
  },
  timeout,
);

test(
  'a read-only volume is read and not written; two volumes of one container do not mix',
  async () => {
    await volumes.create('v-ro', 1, { type: 'empty' });
    await volumes.create('v-rw', 1, { type: 'empty' });
    const filling = await started([vdb('v-ro')]);
    await inside(filling, 'echo fixed >/dev/vdb');
    await gone(filling);
    const spec = await started([
      { ...vdb('v-ro'), readOnly: true },
      { volumeId: 'v-rw', device: '/dev/vdc' },
    ]);
    expect(await inside(spec, 'head -c 5 /dev/vdb')).toBe('fixed');
    expect(await refusal(spec, 'echo x | dd of=/dev/vdb')).toMatch(/not permitted|denied|read-only/i);
    await inside(spec, 'echo other >/dev/vdc');
    expect(await sync(await having(spec, [{ ...vdb('v-ro'), readOnly: true }]))).toEqual([
      { id: 'v-rw', attached: false, error: null },
      { id: 'v-ro', attached: true, error: null },
    ]);
    expect(await inside(spec, 'head -c 5 /dev/vdb')).toBe('fixed');
    await gone(spec);
    await nothingOpen();
  },
  timeout,
);

test(
  'a container goes on writing through snapshots and sees a new size at once',
  async () => {
    await volumes.create('v-grow', 1, { type: 'empty' });
    const spec = await started([vdb('v-grow')]);
    await inside(spec, 'echo old >/dev/vdb && sync');
    await volumes.snapshot('s-grow', 'v-grow');
    expect(await sync(await having(spec, [vdb('v-grow')]))).toMatchObject([{ attached: true, error: null }]);
    await inside(spec, 'echo new >/dev/vdb && sync');
    await volumes.extend('v-grow', 2);
    expect(await sync(await having(spec, [vdb('v-grow')]))).toMatchObject([{ attached: true, error: null }]);
    expect(Number(await inside(spec, 'blockdev --getsize64 /dev/vdb'))).toBe(2 * gib);
    await inside(spec, 'echo end | dd of=/dev/vdb bs=1M seek=1999 conv=notrunc');
    await gone(spec);
    await volumes.create('v-back', 1, { type: 'snapshot', id: 's-grow' });
    const reading = await started([vdb('v-back'), { volumeId: 'v-grow', device: '/dev/vdc' }]);
    expect(await inside(reading, 'head -c 3 /dev/vdb; head -c 3 /dev/vdc')).toBe('oldnew');
    expect(await inside(reading, 'dd if=/dev/vdc bs=1M skip=1999 count=1 2>/dev/null | head -c 3')).toBe(
      'end',
    );
    await gone(reading);
    await nothingOpen();
  },
  timeout,
);

test(
  'a container that dies keeps its volume until that is closed, and nobody has it before',
  async () => {
    await volumes.create('v-dead', 1, { type: 'empty' });
    const spec = await started([vdb('v-dead')]);
    await inside(spec, 'echo last >/dev/vdb');
    process.kill(pidOf((await driver.get(spec.id))?.incarnation), 'SIGKILL');
    await expect.poll(async () => (await driver.get(spec.id))?.power, patient).toBe('crashed');
    expect(await disksOf(spec)).toHaveLength(1);
    await expect(volumes.hold('v-dead', 'another', guestUid('another'), false)).rejects.toThrow(
      /still in use/,
    );
    expect(await sync(await having(spec, []), false)).toEqual([]);
    await nothingOpen();
    const next = await started([vdb('v-dead')]);
    expect(await inside(next, 'head -c 4 /dev/vdb')).toBe('last');
    await gone(next);
    await gone(spec);
  },
  timeout,
);

test(
  'a storage daemon that was killed is replaced; what a crash left half open is closed',
  async () => {
    await volumes.create('v-heal', 1, { type: 'empty' });
    const spec = await started([vdb('v-heal')]);
    await inside(spec, 'echo kept | dd of=/dev/vdb conv=fsync');
    const [disk] = await disksOf(spec);
    process.kill(pidOf(disk?.daemon), 'SIGKILL');
    await expect.poll(() => sync(spec), patient).toEqual([{ id: 'v-heal', attached: true, error: null }]);
    expect(await inside(spec, 'head -c 4 /dev/vdb')).toBe('kept');

    // As if the agent had died right before it wrote down what it had made.
    const [now] = await disksOf(spec);
    const file = join(site.place.disks, `${now?.key}.json`);
    const record = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...record, daemon: null, loop: null }));
    await gone(spec);
    await nothingOpen();
  },
  timeout,
);

test(
  'a container of before there were volumes is not given one, and says how it can have it',
  async () => {
    await volumes.create('v-late', 1, { type: 'empty' });
    const spec = await started();
    const file = join(site.place.guests, spec.id, 'guest.json');
    const record = JSON.parse(await readFile(file, 'utf8')) as { sealed?: boolean };
    expect(record.sealed).toBe(true);
    delete record.sealed;
    await writeFile(file, JSON.stringify(record));
    const held = await having(spec, [vdb('v-late')]);
    expect(await sync(held)).toMatchObject([
      { attached: false, error: expect.stringMatching(/rebuild the server/) },
    ]);
    const anew = { ...held, body: { ...held.body, rebuildCount: 1 } };
    await driver.rebuild(anew);
    await driver.start(anew);
    expect(await sync(anew)).toEqual([{ id: 'v-late', attached: true, error: null }]);
    await gone(anew);
    await nothingOpen();
  },
  timeout,
);

test(
  'a teardown with volumes attached leaves no loop device, daemon or mount',
  async () => {
    const own = await makeSite();
    const mine = own.make();
    const kept = createFileVolumeDriver({ dir: join(own.dataDir, 'volumes'), log: silentLog });
    try {
      await kept.create('v', 1, { type: 'empty' });
      const meeting = guestVolumes(kept);
      const plain = makeSpec(own);
      const body = { ...plain.body, volumes: bodyOf([vdb('v')]) };
      const held = await meeting.hold(plain.id, body.volumes);
      const spec = { ...plain, body, volumes: held.volumes, folder: held.folder };
      await mine.define(spec);
      await mine.start(spec);
      expect(await meeting.sync(mine, spec, [], true)).toMatchObject([{ attached: true }]);
      await teardownPodman(own);
      expect(await podmanLeftovers(own)).toEqual([]);
      expect(await stat(own.place.disks).catch(() => null)).toBeNull();
      expect(
        (await run(['losetup', '--list', '--noheadings', '--output', 'BACK-FILE'])).stdout,
      ).not.toContain(own.place.disks);
    } finally {
      await mine.close();
      await own.remove();
    }
  },
  timeout,
);
