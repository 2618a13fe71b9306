// The shell in a container, with the real runtime and kernel: whose rights it has, what is left of it, how fast it goes.
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../../kernel/run.ts';
import type { HostConsole } from '../../../../protocol/link.ts';
import type { GuestDriver, GuestSpec } from '../driver.ts';
import { shellProcess } from './shell.ts';
import { makeSite, makeSpec, pidOf, processesWith, type Site } from './test-site.ts';

const timeout = 60_000;

test('the shell is the process of its container, but for its command and terminal', () => {
  const own = { user: { uid: 1 }, noNewPrivileges: true, args: ['/app'], terminal: false };
  expect(shellProcess({ process: { ...own, env: ['A=1', 'TERM=dumb'] } })).toEqual({
    ...own,
    terminal: true,
    consoleSize: { width: 80, height: 24 },
    args: ['/bin/sh'],
    env: ['A=1', 'TERM=xterm-256color'],
  });
  expect(() => shellProcess({})).toThrow();
});

describe('a shell in a container', () => {
  let site: Site;
  let driver: GuestDriver;
  let spec: GuestSpec;
  beforeAll(async () => {
    site = await makeSite();
    driver = site.make();
    await driver.probe();
    spec = makeSpec(site);
    await driver.define(spec);
    await driver.start(spec);
  }, timeout);
  afterAll(async () => {
    await driver?.close();
    await site?.remove();
  }, timeout);

  const open = async (): Promise<HostConsole & { said(): string }> => {
    const opened = await driver.openConsole?.(spec.id, 'shell');
    if (opened === undefined) throw new Error('the driver opens no consoles');
    let text = '';
    opened.bytes.on('data', (data: Buffer) => (text += data.toString()));
    return { ...opened, said: () => text };
  };
  const says = (shell: { said(): string }, what: RegExp) =>
    expect.poll(() => shell.said(), { timeout: 10_000, interval: 20 }).toMatch(what);
  /** Processes in the namespace of the container's first process. */
  const inside = async (): Promise<string[]> => {
    const first = pidOf((await driver.get(spec.id))?.incarnation);
    const space = (pid: string | number) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const nsOf = (status: string) => /^NSpid:\s+\d+\s+\d+$/m.test(status);
    const cgroup = await readFile(`/proc/${first}/cgroup`, 'utf8');
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)))
      if (
        nsOf(await space(pid)) &&
        (await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')) === cgroup
      )
        found.push(pid);
    return found;
  };

  test(
    'runs with what the container runs with, in its namespaces and limits',
    async () => {
      const shell = await open();
      shell.bytes.write(
        'cat /proc/1/status /proc/self/status | grep -E "^(Cap|NoNew|Seccomp:|Uid)"; echo "$STRATA_SERVER_ID" "$TERM" end\n',
      );
      await says(shell, /xterm-256color end/);
      const lines = shell
        .said()
        .split(/\r?\n/)
        .filter((line) => /^(Cap|NoNew|Seccomp:|Uid)/.test(line));
      expect(lines).toHaveLength(16);
      expect(lines.slice(8)).toEqual(lines.slice(0, 8));
      expect(shell.said()).toContain(`${spec.id} xterm`);
      expect((await inside()).length).toBeGreaterThan(1);
      shell.bytes.destroy();
    },
    timeout,
  );

  test(
    'nothing is left of it when its user goes',
    async () => {
      const before = await inside();
      const shell = await open();
      shell.bytes.write('sleep 1000\n');
      await expect.poll(inside, { timeout: 10_000, interval: 20 }).toHaveLength(before.length + 2);
      // What is started meanwhile does not get its terminal: another tenant's guest could read it.
      expect((await run(['ls', '-l', '/proc/self/fd'])).stdout).not.toContain('ptmx');
      shell.bytes.destroy();
      await expect.poll(inside, { timeout: 10_000, interval: 20 }).toEqual(before);
      const runtimes = () => processesWith(`strata-podman-${site.cloudId}/runtime\0exec`);
      await expect.poll(runtimes, { timeout: 10_000, interval: 20 }).toEqual([]);
      expect(await readdir(join(site.place.volatile, 'shells'))).toEqual([]);
    },
    timeout,
  );

  test(
    'nothing is left of it when the agent is killed',
    async () => {
      const before = await inside();
      const program = `
        import { createPodmanDriver } from ${JSON.stringify(join(import.meta.dirname, 'driver.ts'))};
        import { systemClock } from ${JSON.stringify(join(import.meta.dirname, '../../../../kernel/clock.ts'))};
        import { silentLog as log } from ${JSON.stringify(join(import.meta.dirname, '../../../../kernel/log.ts'))};
        const driver = createPodmanDriver({ ...${JSON.stringify({ dataDir: site.dataDir, cloudId: site.cloudId })}, clock: systemClock, log });
        const shell = await driver.openConsole(${JSON.stringify(spec.id)}, 'shell');
        shell.bytes.on('data', () => {});
        shell.bytes.write('sleep 1000\\n');
        setInterval(() => {}, 1000);`;
      const agent = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' });
      await expect.poll(inside, { timeout: 20_000, interval: 20 }).toHaveLength(before.length + 2);
      agent.kill('SIGKILL');
      await expect.poll(inside, { timeout: 10_000, interval: 20 }).toEqual(before);
    },
    timeout,
  );

  test(
    'follows the size of the window, ends with exit, and holds what nobody reads',
    async () => {
      const shell = await open();
      shell.resize(132, 43);
      await expect
        .poll(
          () => {
            shell.bytes.write('stty size\n');
            return shell.said();
          },
          { timeout: 10_000, interval: 50 },
        )
        .toMatch(/^43 132/m);
      shell.bytes.pause();
      shell.bytes.write('yes strata\n');
      await expect.poll(() => shell.bytes.readableLength, { timeout: 10_000 }).toBeGreaterThan(16_000);
      expect(shell.bytes.readableLength).toBeLessThan(1_000_000);
      shell.bytes.resume();
      shell.bytes.write('\x03');
      const ended = new Promise((resolve) => shell.bytes.once('end', resolve));
      shell.bytes.write('exit\n');
      await ended;
    },
    timeout,
  );

  test(
    'says so where the container has no shell',
    async () => {
      const shell = await open();
      shell.bytes.write('mv /bin/sh /bin/away; echo moved\n');
      await says(shell, /^moved/m);
      await expect(driver.openConsole?.(spec.id, 'shell')).rejects.toThrow(/needs a \/bin\/sh/);
      shell.bytes.write('/bin/busybox mv /bin/away /bin/sh; echo back\n');
      await says(shell, /^back/m);
      shell.bytes.destroy();
    },
    timeout,
  );

  test(
    'ends with its container, and is refused where none runs',
    async () => {
      const shell = await open();
      shell.bytes.write('echo ready\n');
      await says(shell, /^ready/m);
      const ended = new Promise((resolve) => shell.bytes.once('close', resolve));
      await driver.stop(spec.id, 0);
      await ended;
      await expect(driver.openConsole?.(spec.id, 'shell')).rejects.toThrow(/only while it is running/);
      await driver.start(spec);
      await driver.pause(spec.id);
      await expect(driver.openConsole?.(spec.id, 'shell')).rejects.toThrow(/only while it is running/);
      await expect(driver.openConsole?.(spec.id, 'vnc')).rejects.toThrow();
    },
    timeout,
  );
});
