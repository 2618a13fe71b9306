// What only QEMU has: its users, sandbox, cgroups, disks, suspend and adoption, asserted by the kernel's truth.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../../kernel/run.ts';
import { sampleServerBody } from '../conformance.ts';
import type { GuestDriver, GuestSpec } from '../driver.ts';
import { guestGid, guestUid } from '../guest-user.ts';
import { newCloud, processesOf, type Cloud } from './test-cloud.ts';
import { qemuLeftovers, teardownQemu } from './teardown.ts';
import { testGuestDisk } from './test-guest.ts';

describe('the QEMU driver', () => {
  let cloud: Cloud;
  let driver: GuestDriver;
  beforeAll(async () => {
    cloud = newCloud();
    driver = cloud.driver();
    await driver.probe();
  });
  afterAll(() => cloud.cleanup());

  const started = async (spec: GuestSpec): Promise<number> => {
    await driver.define(spec);
    await driver.start(spec);
    const [pid] = processesOf(spec.id);
    if (pid === undefined) throw new Error('no process');
    return pid;
  };
  const booted = (spec: GuestSpec) =>
    expect
      .poll(() => driver.consoleLog(spec.id, null), { timeout: 10_000, interval: 10 })
      .toContain('booted');
  const powerBecomes = (id: string, power: string) =>
    expect.poll(async () => (await driver.get(id))?.power, { timeout: 10_000, interval: 20 }).toBe(power);
  const failure = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => null,
      (error: unknown) => error,
    );

  test('asks a probe guest only once per boot of the host', async () => {
    const found = join(cloud.dataDir, 'qemu-accelerator.json');
    const before = statSync(found).mtimeMs;
    const again = cloud.driver();
    await again.probe();
    expect(statSync(found).mtimeMs).toBe(before);
    expect(JSON.parse(readFileSync(found, 'utf8'))).toMatchObject({
      accelerator: expect.stringMatching(/^(kvm|tcg)$/),
    });
    await again.close();
  });

  test('a guest runs as its own user without privileges, in a session of its own, within its limits', async () => {
    const spec = cloud.spec({ body: { vcpus: 2, memoryMib: 96 } });
    const pid = await started(spec);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const uid = guestUid(spec.id);
    expect(status).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
    expect(status).toMatch(new RegExp(`^Gid:\\t${guestGid}\\t`, 'm'));
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3]).toBe(String(pid));
    const { capabilities } = await driver.probe();
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    if (capabilities.includes('limit-cpu'))
      expect(cgroup).toContain(`/strata-qemu-${cloud.cloudId}/${spec.id}`);
    if (capabilities.includes('limit-memory') && existsSync('/sys/fs/cgroup/memory')) {
      const limit = Number(
        readFileSync(
          `/sys/fs/cgroup/memory/strata-qemu-${cloud.cloudId}/${spec.id}/memory.limit_in_bytes`,
          'utf8',
        ),
      );
      expect(limit).toBeGreaterThan(96 * 1024 ** 2);
      expect(limit).toBeLessThan(512 * 1024 ** 2);
    }
    await driver.destroy(spec.id);
  });

  test('a stop with grace lets the guest power itself off long before the grace is over', async () => {
    const spec = cloud.spec(
      {},
      { name: 'obeys', content: testGuestDisk('booted\n', 'obeys the power button') },
    );
    await started(spec);
    await booted(spec);
    const began = performance.now();
    await driver.stop(spec.id, 60_000);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect((await driver.get(spec.id))?.power).toBe('stopped');
    expect(processesOf(spec.id)).toEqual([]);
  });

  test('a stop at once, or a destroy, cuts a grace short that is under way', async () => {
    const spec = cloud.spec();
    await started(spec);
    const patient = driver.stop(spec.id, 60_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await driver.destroy(spec.id);
    await patient;
    expect(await driver.get(spec.id)).toBeNull();
  });

  test('a guest that powers itself off is stopped, not crashed, even when nobody watched', async () => {
    const content = testGuestDisk('booted\n', 'powers off');
    const watched = cloud.spec({}, { name: 'off', content });
    await started(watched);
    await powerBecomes(watched.id, 'stopped');
    await expect.poll(() => processesOf(watched.id), { timeout: 10_000 }).toEqual([]);
    expect((await driver.get(watched.id))?.power).toBe('stopped');

    const unwatched = cloud.spec({}, { name: 'off', content });
    await started(unwatched);
    await driver.close();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    driver = cloud.driver();
    expect((await driver.get(unwatched.id))?.power).toBe('stopped');
    await expect.poll(() => processesOf(unwatched.id), { timeout: 10_000 }).toEqual([]);
    expect((await driver.get(unwatched.id))?.power).toBe('stopped');
  });

  test('a guest survives SIGKILL of the process that started it and is adopted', async () => {
    const spec = cloud.spec();
    const script = `
      import { createQemuDriver } from ${JSON.stringify(join(import.meta.dirname, 'driver.ts'))};
      import { systemClock } from ${JSON.stringify(join(import.meta.dirname, '../../../../kernel/clock.ts'))};
      import { silentLog } from ${JSON.stringify(join(import.meta.dirname, '../../../../kernel/log.ts'))};
      const driver = createQemuDriver({ dataDir: ${JSON.stringify(cloud.dataDir)}, cloudId: '${cloud.cloudId}', log: silentLog, clock: systemClock });
      const spec = ${JSON.stringify(spec)};
      await driver.define(spec);
      await driver.start(spec);
      process.kill(process.pid, 'SIGKILL');`;
    await failure(
      run([process.execPath, '--input-type=module-typescript', '-e', script], { timeoutMs: 30_000 }),
    );
    const state = await driver.get(spec.id);
    expect(state).toMatchObject({ power: 'running' });
    expect(state?.incarnation?.split(':')[0]).toBe(String(processesOf(spec.id)[0]));
    await booted(spec);
  });

  test('a guest left half-made by a crash is stopped, and define repairs it', async () => {
    const spec = cloud.spec({ body: { rebootCount: 7 } });
    const dir = join(cloud.dataDir, 'guests', spec.id);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'disk.qcow2.new'), 'half');
    writeFileSync(join(dir, 'guest.json'), '{"rebootC');
    expect(await driver.get(spec.id)).toMatchObject({ power: 'stopped', rebootCount: 0 });
    await started(spec);
    expect(await driver.get(spec.id)).toMatchObject({ power: 'running', rebootCount: 7 });
  });

  test("the root disk is an overlay of the flavor's size, and the image is never written", async () => {
    const spec = cloud.spec({ body: { rootGib: 1 } });
    const before = statSync(spec.imagePath);
    await started(spec);
    await booted(spec);
    await driver.stop(spec.id, 0);
    const disk = join(cloud.dataDir, 'guests', spec.id, 'disk.qcow2');
    const info = JSON.parse(
      execFileSync('qemu-img', ['info', '-f', 'qcow2', '--output=json', disk], { encoding: 'utf8' }),
    ) as Record<string, unknown>;
    expect(info).toMatchObject({
      'virtual-size': 1024 ** 3,
      'backing-filename': spec.imagePath,
      'backing-filename-format': 'raw',
    });
    expect(statSync(spec.imagePath).mtimeMs).toBe(before.mtimeMs);
    const raw = cloud.spec({ body: { image: { ...spec.body.image, diskFormat: 'qcow2' } } });
    expect(await failure(driver.define(raw))).toMatchObject({ code: 'refused' });
    expect(await driver.get(raw.id)).toBeNull();
  });

  test('boots a qcow2 image too', async () => {
    const raw = cloud.spec().imagePath;
    const path = join(cloud.dataDir, 'base.qcow2');
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, path]);
    const base = sampleServerBody('vm');
    const spec = cloud.spec({ imagePath: path, body: { image: { ...base.image, diskFormat: 'qcow2' } } });
    await started(spec);
    await booted(spec);
  });

  test('boots from every disk bus and with every network card model that it accepts', async () => {
    const netns = `t-${cloud.cloudId}`;
    execFileSync('ip', ['netns', 'add', netns]);
    try {
      for (const [index, [bus, vif]] of [
        ['virtio', 'virtio'],
        ['scsi', 'e1000e'],
        ['sata', 'e1000'],
      ].entries()) {
        const spec = cloud.spec({
          body: { properties: { hw_disk_bus: bus ?? '', hw_vif_model: vif ?? '' } },
        });
        const device = `tap${index}`;
        execFileSync('ip', [
          '-n',
          netns,
          'tuntap',
          'add',
          device,
          'mode',
          'tap',
          'user',
          String(guestUid(spec.id)),
        ]);
        execFileSync('ip', ['-n', netns, 'link', 'set', device, 'up']);
        spec.ports = [
          { portId: `p${index}`, mac: `02:00:00:00:00:0${index}`, mtu: 1450, plug: 'tap', device, netns },
        ];
        await started(spec);
        await booted(spec);
        const link = execFileSync('ip', ['-n', netns, '-j', 'link', 'show', device], { encoding: 'utf8' });
        expect(link).toContain('LOWER_UP');
        await driver.destroy(spec.id);
        expect(
          execFileSync('ip', ['-n', netns, '-j', 'link', 'show', device], { encoding: 'utf8' }),
        ).not.toContain('LOWER_UP');
      }
      const foreign = cloud.spec();
      execFileSync('ip', ['-n', netns, 'tuntap', 'add', 'other', 'mode', 'tap', 'user', '1']);
      foreign.ports = [
        { portId: 'p', mac: '02:00:00:00:00:09', mtu: 1450, plug: 'tap', device: 'other', netns },
      ];
      await driver.define(foreign);
      expect(await failure(driver.start(foreign))).toMatchObject({
        code: 'failed',
        message: expect.stringContaining('ports'),
      });
    } finally {
      execFileSync('ip', ['netns', 'del', netns]);
    }
  });

  test('a full disk is reported as no-space and leaves nothing', async () => {
    const small = join(cloud.dataDir, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
    try {
      const full = cloud.driver({ dataDir: small });
      writeFileSync(
        join(small, 'qemu-accelerator.json'),
        readFileSync(join(cloud.dataDir, 'qemu-accelerator.json')),
      );
      const spec = cloud.spec({ body: { rootGib: 100 } });
      expect(await failure(full.define(spec))).toMatchObject({ code: 'no-space' });
      expect(await full.get(spec.id)).toBeNull();
      await full.close();
    } finally {
      execFileSync('umount', [small]);
    }
  });

  test('a missing program is named together with its package', async () => {
    const without = cloud.driver({ qemu: 'qemu-system-nowhere' });
    expect(await failure(without.probe())).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('qemu-system-nowhere'),
    });
    await without.close();
  });

  test('teardown finds and removes what is left, even behind a folder that is gone', async () => {
    const other = newCloud();
    try {
      const place = { dataDir: other.dataDir, cloudId: other.cloudId };
      const agent = other.driver();
      const guests = [other.spec(), other.spec(), other.spec()];
      for (const spec of guests.slice(0, 2)) {
        await agent.define(spec);
        await agent.start(spec);
      }
      await agent.define(guests[2] ?? other.spec());
      await agent.close();
      rmSync(join(other.dataDir, 'guests', guests[0]?.id ?? ''), { recursive: true });
      rmSync(`/run/strata-qemu-${other.cloudId}/${guests[1]?.id}`, { recursive: true });
      expect(qemuLeftovers(place)).not.toEqual([]);
      const lines = await teardownQemu(place);
      for (const spec of guests) expect(lines.join('\n')).toContain(spec.id);
      expect(qemuLeftovers(place)).toEqual([]);
      expect(await teardownQemu(place)).toEqual([]);
    } finally {
      await other.cleanup();
    }
  });

  test('a guest that has lost its sockets is still seen, and start brings it back under control', async ({
    skip,
  }) => {
    const spec = cloud.spec();
    const pid = await started(spec);
    await driver.close();
    rmSync(`/run/strata-qemu-${cloud.cloudId}/${spec.id}`, { recursive: true });
    driver = cloud.driver();
    const { capabilities } = await driver.probe();
    if (!capabilities.includes('limit-pids'))
      return skip('without cgroups nothing leads to a guest whose sockets are gone');
    expect(await driver.get(spec.id)).toMatchObject({ power: 'running' });
    await driver.start(spec);
    expect(processesOf(spec.id)).not.toContain(pid);
    expect(processesOf(spec.id)).toHaveLength(1);
    await driver.pause(spec.id);
    expect(await driver.get(spec.id)).toMatchObject({ power: 'paused' });
  });

  test('the memory of a suspended guest really comes back: it does not boot again', async () => {
    const spec = cloud.spec();
    await started(spec);
    await booted(spec);
    await driver.suspend(spec.id);
    expect(processesOf(spec.id)).toEqual([]);
    await driver.start(spec);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect((await driver.consoleLog(spec.id, null)).match(/booted/g)).toHaveLength(1);
    await driver.reboot(spec, true);
    await expect
      .poll(async () => (await driver.consoleLog(spec.id, null)).match(/booted/g)?.length, {
        timeout: 10_000,
      })
      .toBe(2);
    const disk = join(cloud.dataDir, 'guests', spec.id, 'disk.qcow2');
    await driver.stop(spec.id, 0);
    expect(execFileSync('qemu-img', ['snapshot', '-l', disk], { encoding: 'utf8' })).not.toContain(
      'strata-suspend',
    );
  });
});
