// The container driver against the real podman, kernel cgroups and namespaces of this machine (needs root).
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../../../kernel/clock.ts';
import { run } from '../../../../kernel/run.ts';
import { guestDriverConformance, type SpecOverrides } from '../conformance.ts';
import type { GuestDriver, GuestSpec } from '../driver.ts';
import { readDisks } from './disks.ts';
import { mountsBelow, podmanLeftovers, teardownPodman } from './teardown.ts';
import { makeSite, makeSpec, pidOf, processesWith, volumesOf, type Site } from './test-site.ts';

const timeout = 60_000;

guestDriverConformance('podman', async () => {
  const site = await makeSite();
  let driver = site.make();
  return {
    driver,
    spec: (overrides) => makeSpec(site, overrides),
    withVolume: volumesOf(site),
    cleanup: () => site.remove(),
    async restart() {
      driver = site.make();
      return driver;
    },
    async kill(id) {
      const observer = site.make();
      process.kill(pidOf((await observer.get(id))?.incarnation), 'SIGKILL');
      await observer.close();
    },
    async leftovers(id) {
      const live = (await driver.list()).filter((guest) => guest.incarnation !== null).length;
      const mounts = await mountsBelow([join(site.place.root, 'overlay')]);
      const roots = mounts.filter((point) => point.endsWith('/merged'));
      return [
        ...(await readdir(site.place.guests)).filter((entry) => entry === id),
        ...(await readDisks(site.place)).filter((disk) => disk.serverId === id).map((disk) => disk.key),
        ...(await processesWith(`${site.place.disks}/`)),
        ...(roots.length > live ? roots : []),
        ...(await processesWith(`strata-${site.cloudId}-${id}`)),
      ];
    },
  };
});

describe('podman on this machine', () => {
  let site: Site;
  let driver: GuestDriver;
  beforeAll(async () => {
    site = await makeSite();
    driver = site.make();
    await driver.probe();
  }, timeout);
  afterAll(async () => {
    await driver?.close();
    await site?.remove();
  }, timeout);

  const running = async (overrides?: SpecOverrides): Promise<GuestSpec> => {
    const spec = makeSpec(site, overrides);
    await driver.define(spec);
    await driver.start(spec);
    return spec;
  };
  /** A file of the guest's own cgroup, in the v1 hierarchy of `controller` or in the one of v2. */
  const cgroupFile = async (id: string, controller: string, v1: string, v2: string): Promise<string> => {
    const pid = pidOf((await driver.get(id))?.incarnation);
    const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).split('\n').map((line) => line.split(':'));
    const own = lines.find(([, names]) => names?.split(',').includes(controller));
    const path =
      own === undefined
        ? join('/sys/fs/cgroup', lines.find(([number]) => number === '0')?.[2] ?? '', v2)
        : join('/sys/fs/cgroup', controller, own[2] ?? '', v1);
    return (await readFile(path, 'utf8')).trim();
  };
  const console = (id: string): Promise<string> => driver.consoleLog(id, null);
  const says = (id: string, what: RegExp) =>
    expect.poll(() => console(id), { timeout: 10_000 }).toMatch(what);

  test('a second start of the driver probes nothing: it reads what the first one found', async () => {
    const found = join(site.dataDir, 'podman', 'engine.json');
    const before = statSync(found).mtimeMs;
    const again = site.make();
    await again.probe();
    expect(statSync(found).mtimeMs).toBe(before);
    await again.close();
  });

  test(
    'the limits of the flavor are the limits of the cgroup',
    async () => {
      const { id } = await running({ body: { vcpus: 2, memoryMib: 96 } });
      const period = 100_000;
      expect(await cgroupFile(id, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')).toMatch(
        new RegExp(`^${2 * period}\\b`),
      );
      expect(await cgroupFile(id, 'memory', 'memory.limit_in_bytes', 'memory.max')).toBe(
        String(96 * 1024 * 1024),
      );
      expect(await cgroupFile(id, 'pids', 'pids.max', 'pids.max')).toBe('4096');
      await driver.destroy(id);
    },
    timeout,
  );

  test(
    'a guest that needs more memory than it has is killed and reported crashed',
    async () => {
      const command = JSON.stringify(['/bin/sh', '-c', 'x=0123456789abcdef; while :; do x=$x$x; done']);
      const { id } = await running({ body: { memoryMib: 32, properties: { 'strata:command': command } } });
      await expect.poll(async () => (await driver.get(id))?.power, { timeout: 15_000 }).toBe('crashed');
      expect(existsSync('oom')).toBe(false); // conmon writes this file where it stands
      await driver.stop(id, 0);
      expect((await driver.get(id))?.power).toBe('stopped');
      await driver.destroy(id);
    },
    timeout,
  );

  test(
    'a guest has no privilege to gain: filtered system calls, few capabilities, no device',
    async () => {
      const script =
        'grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; mount -t tmpfs x /tmp || echo no-mount; mknod /tmp/d b 254 0 || echo no-mknod; echo 1 >/proc/sys/kernel/panic || echo no-sysctl; ls /dev; echo end';
      const { id } = await running({
        body: { properties: { 'strata:command': JSON.stringify(['/bin/sh', '-c', script]) } },
      });
      await says(id, /^end$/m);
      const text = await console(id);
      expect(text).toMatch(/NoNewPrivs:\s1/);
      expect(text).toMatch(/Seccomp:\s2/);
      for (const line of ['no-mount', 'no-mknod', 'no-sysctl']) expect(text).toContain(line);
      const bounding = BigInt(`0x${/CapBnd:\s(\S+)/.exec(text)?.[1]}`);
      for (const bit of [12n /* NET_ADMIN */, 21n /* SYS_ADMIN */, 27n /* MKNOD */])
        expect((bounding >> bit) & 1n).toBe(0n);
      expect(text).not.toMatch(/^(vda|sda|mem|kmsg|kvm)$/m);
      await driver.destroy(id);
    },
    timeout,
  );

  test(
    'a guest that ends by itself with 0 is stopped, with another code crashed',
    async () => {
      const exits = (code: number): SpecOverrides => ({
        body: { properties: { 'strata:command': `["/bin/sh","-c","exit ${code}"]` } },
      });
      for (const [code, power] of [
        [0, 'stopped'],
        [3, 'crashed'],
      ] as const) {
        const { id } = await running(exits(code));
        await expect.poll(async () => (await driver.get(id))?.power, { timeout: 10_000 }).toBe(power);
        await driver.destroy(id);
      }
    },
    timeout,
  );

  test(
    'the built-in image ends at once when it is asked to',
    async () => {
      const { id } = await running();
      await says(id, /STRATA .* ready/);
      const begin = performance.now();
      await driver.stop(id, 10_000);
      expect(performance.now() - begin).toBeLessThan(3_000);
      expect((await driver.get(id))?.power).toBe('stopped');
      await driver.destroy(id);
    },
    timeout,
  );

  test(
    'a guest lives in the prepared namespace, knows its name and resolver, reads its metadata and serves',
    async () => {
      const netns = `strata-${site.cloudId}-a`;
      const outside = `strata-${site.cloudId}-b`;
      const documents = join(site.dataDir, 'metadata', 'latest');
      let server: ChildProcess | null = null;
      try {
        for (const name of [netns, outside]) await run(['ip', 'netns', 'add', name]);
        await mkdir(`/etc/netns/${netns}`, { recursive: true });
        await writeFile(`/etc/netns/${netns}/resolv.conf`, 'nameserver 192.0.2.53\n');
        await run([
          'ip',
          '-n',
          netns,
          'link',
          'add',
          'eth0',
          'type',
          'veth',
          'peer',
          'name',
          'eth0',
          'netns',
          outside,
        ]);
        for (const [name, address] of [
          [netns, '192.0.2.7/24'],
          [outside, '192.0.2.1/24'],
          [outside, '169.254.169.254/32'],
        ] as const) {
          await run(['ip', '-n', name, 'addr', 'add', address, 'dev', 'eth0']);
        }
        for (const name of [netns, outside]) await run(['ip', '-n', name, 'link', 'set', 'eth0', 'up']);
        await run(['ip', '-n', netns, 'route', 'add', 'default', 'via', '192.0.2.1']);
        await mkdir(join(documents, 'meta-data'), { recursive: true });
        await writeFile(join(documents, 'meta-data', 'instance-id'), 'i-0000002a');
        await writeFile(join(documents, 'user-data'), '#!/bin/sh\necho hello from user data\n');
        server = spawn(
          'ip',
          [
            'netns',
            'exec',
            outside,
            'busybox',
            'httpd',
            '-f',
            '-p',
            '169.254.169.254:80',
            '-h',
            join(documents, '..'),
          ],
          { stdio: 'ignore' },
        );

        const port = { portId: 'p', mac: '02:00:00:00:00:07', mtu: 1500, plug: 'netns', netns } as const;
        const { id } = await running({ body: { hostname: 'box' }, ports: [port] });
        await says(id, /^STRATA [\d.]+ ready$/m);
        const text = await console(id);
        expect(text).toMatch(
          /^STRATA [\d.]+ userspace\nSTRATA [\d.]+ address 192\.0\.2\.7\nSTRATA [\d.]+ instance-id=i-0000002a hostname=box\n/,
        );
        expect(text).toContain('\nhello from user data\n');
        const pid = pidOf((await driver.get(id))?.incarnation);
        expect(await readFile(`/proc/${pid}/root/etc/resolv.conf`, 'utf8')).toBe('nameserver 192.0.2.53\n');
        const fetchPage = [
          'ip',
          'netns',
          'exec',
          outside,
          'busybox',
          'wget',
          '-q',
          '-O',
          '-',
          'http://192.0.2.7/',
        ] as const;
        expect((await run([...fetchPage], { timeoutMs: 5_000 })).stdout).toBe('ok i-0000002a\n');
        await driver.destroy(id);
      } finally {
        server?.kill('SIGKILL');
        for (const name of [netns, outside]) await run(['ip', 'netns', 'del', name]).catch(() => null);
        await rm(`/etc/netns/${netns}`, { recursive: true, force: true });
      }
    },
    timeout,
  );

  test(
    'a guest that floods its console fills neither the disk nor the answer',
    async () => {
      const command = JSON.stringify([
        '/bin/sh',
        '-c',
        'yes flood | head -c 12000000; echo the end; sleep 1000',
      ]);
      const { id } = await running({ body: { properties: { 'strata:command': command } } });
      await expect.poll(() => driver.consoleLog(id, 1), { timeout: 20_000 }).toBe('the end\n');
      const log = await stat(join(site.place.guests, id, 'console.log'));
      expect(log.size).toBeLessThan(5 * 1024 * 1024);
      await driver.destroy(id);
    },
    timeout,
  );

  test(
    'a guest without its prepared namespace is not started, and the error says so',
    async () => {
      const spec = makeSpec(site, {
        ports: [
          { portId: 'p', mac: '02:00:00:00:00:07', mtu: 1500, plug: 'netns', netns: 'strata-not-there' },
        ],
      });
      await expect(driver.define(spec)).rejects.toThrow(/strata-not-there/);
      await expect(driver.start(spec)).rejects.toThrow(/strata-not-there/);
      expect((await driver.get(spec.id))?.power).toBe('stopped');
      await driver.destroy(spec.id);
    },
    timeout,
  );

  test(
    'guests are not disturbed by SIGKILL of the podman service, which comes back with the next call',
    async () => {
      const { id } = await running();
      const before = await driver.get(id);
      const service = await readFile(join(site.place.volatile, 'service'), 'utf8');
      process.kill(pidOf(service), 'SIGKILL');
      expect(await driver.get(id)).toEqual(before);
      await driver.stop(id, 0);
      await driver.destroy(id);
    },
    timeout,
  );

  test(
    'the podman service may be killed at any moment of a create: it ends complete, and destroy leaves no storage',
    async () => {
      for (let delay = 0; delay < 200; delay += 14) {
        const spec = makeSpec(site);
        const work = driver.define(spec).then(() => driver.start(spec));
        await sleep(systemClock, delay);
        const service = await readFile(join(site.place.volatile, 'service'), 'utf8').catch(() => '');
        try {
          if (service !== '') process.kill(pidOf(service), 'SIGKILL');
        } catch {
          // it was just being restarted
        }
        await work;
        expect((await driver.get(spec.id))?.power).toBe('running');
        await driver.destroy(spec.id);
      }
      expect(await driver.list()).toEqual([]);
      expect(
        JSON.parse(await readFile(join(site.place.root, 'overlay-containers', 'containers.json'), 'utf8')),
      ).toEqual([]);
      expect(await readdir(join(site.place.volatile, 'runtime'))).toEqual([]);
    },
    timeout,
  );

  test(
    'a guest killed together with its conmon is crashed, and starts again',
    async () => {
      const spec = await running();
      const before = await driver.get(spec.id);
      const status = await readFile(`/proc/${pidOf(before?.incarnation)}/status`, 'utf8');
      process.kill(Number(/PPid:\s(\d+)/.exec(status)?.[1]), 'SIGKILL');
      process.kill(pidOf(before?.incarnation), 'SIGKILL');
      await expect.poll(async () => (await driver.get(spec.id))?.power, { timeout: 10_000 }).toBe('crashed');
      await driver.start(spec);
      expect((await driver.get(spec.id))?.power).toBe('running');
      await driver.destroy(spec.id);
    },
    timeout,
  );

  test(
    'what a guest wrote to its root survives a stop and a redefinition',
    async () => {
      const command = JSON.stringify(['/bin/sh', '-c', 'echo boot >>/boots; wc -l </boots; sleep 1000']);
      const spec = await running({ body: { properties: { 'strata:command': command } } });
      await says(spec.id, /^1$/m);
      await driver.stop(spec.id, 0);
      await driver.define({ ...spec, body: { ...spec.body, name: 'other', rebootCount: 1 } });
      await driver.start(spec);
      await says(spec.id, /^2$/m);
      await driver.destroy(spec.id);
    },
    timeout,
  );

  test(
    'a teardown with running, paused and stopped guests leaves nothing, and may be repeated',
    async () => {
      const own = await makeSite();
      const mine = own.make();
      try {
        const specs = [makeSpec(own), makeSpec(own), makeSpec(own)];
        for (const spec of specs) {
          await mine.define(spec);
          await mine.start(spec);
        }
        await mine.pause(specs[1]?.id ?? '');
        await mine.stop(specs[2]?.id ?? '', 0);
        expect((await podmanLeftovers(own)).length).toBeGreaterThan(3);
        const removed = await teardownPodman(own);
        expect(removed.filter((line) => line.startsWith('container '))).toHaveLength(3);
        expect(await podmanLeftovers(own)).toEqual([]);
        expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(own.dataDir);
        expect(await processesWith(own.cloudId)).toEqual([]);
        expect(existsSync(own.place.volatile)).toBe(false);
        expect(await teardownPodman(own)).toEqual([]);
      } finally {
        await mine.close();
        await own.remove();
      }
    },
    timeout,
  );
});
