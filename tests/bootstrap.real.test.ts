// ./up before main.ts runs: what it does with a machine that has all, too little, or is not Debian. The machine is
// changed only in a private mount namespace, and npm and apt-get are replaced by commands that tell they were called.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
/** What the script itself is made of; with only these in PATH, every program outside the sbin directories is missing. */
const basics = ['bash', 'cmp', 'dirname', 'env', 'flock', 'grep', 'readlink', 'sed'];

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'strata-bootstrap-'));
  for (const name of ['npm', 'apt-get']) {
    writeFileSync(join(directory, name), `#!/bin/sh\necho ${name} "$@" >>${directory}/called\nexit 1\n`);
    chmodSync(join(directory, name), 0o755);
  }
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const called = (): string => {
  const path = join(directory, 'called');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};

const up = (args: string[], options: { path?: string; osRelease?: string } = {}) => {
  const path = options.path ?? `${directory}:${process.env['PATH'] ?? ''}`;
  const command = ['/usr/bin/env', `PATH=${path}`, join(root, 'up'), ...args];
  if (options.osRelease === undefined)
    return spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8', cwd: '/' });
  const file = join(directory, 'os-release');
  writeFileSync(file, options.osRelease);
  const script = 'mount --bind "$1" /etc/os-release && shift && exec "$@"';
  return spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', file, ...command], {
    encoding: 'utf8',
    cwd: '/',
  });
};

const barePath = (): string => {
  for (const name of basics) symlinkSync(join('/usr/bin', name), join(directory, name));
  return directory;
};

it('A machine that has everything runs neither npm nor apt-get', () => {
  const { status, stdout, stderr } = up(['--help']);
  expect(stderr).toBe('');
  expect(stdout).toContain('--data-dir');
  expect([status, called()]).toEqual([0, '']);
});

it('With --no-install the missing packages are named and nothing is installed', () => {
  const { status, stderr } = up(['--no-install'], { path: barePath() });
  expect(stderr).toMatch(/^strata: missing .*qemu-system-x86 qemu-utils podman/);
  expect([status, called()]).toEqual([1, '']);
});

it('On another distribution the missing packages are named and nothing is installed', () => {
  const { status, stderr } = up([], { path: barePath(), osRelease: 'NAME="Fedora Linux"\nID=fedora\n' });
  expect(stderr).toMatch(/^strata: this is not Debian or Ubuntu; .*qemu-system-x86 qemu-utils podman/);
  expect([status, called()]).toEqual([1, '']);
});

it('On a derivative of Debian all that is missing is asked for in one go, then once more with fresh lists', () => {
  const { status, stderr } = up([], {
    path: barePath(),
    osRelease: 'ID=linuxmint\nID_LIKE="ubuntu debian"\n',
  });
  expect(stderr).toContain('strata: apt-get could not install: qemu-system-x86 qemu-utils podman');
  const calls = called()
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^apt-get -q (\w+).*/, '$1'));
  expect(calls.slice(-3)).toEqual(['install', 'update', 'install']);
  expect(status).toBe(1);
});
