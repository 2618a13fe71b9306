// The pure parts of the container driver: create request, derived power, console format, configuration.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DriverError } from '../../errors.ts';
import { sampleServerBody, type SpecOverrides } from '../conformance.ts';
import type { GuestSpec } from '../driver.ts';
import { containersConf, policyJson } from './config.ts';
import { consoleText, lastLines } from './console.ts';
import { createRequest, powerOf } from './container.ts';
import { podmanFailure } from './failure.ts';
import { loadedNames } from './image.ts';
import { findPlace } from './place.ts';
import { needProgram, versionNumber } from './probe.ts';

const place = await findPlace('/var/lib/strata-test', 'abc123');
const specOf = ({ body, ...rest }: SpecOverrides = {}): GuestSpec => ({
  id: 's1',
  ports: [],
  volumes: [],
  imagePath: '/i.tar',
  ...rest,
  body: sampleServerBody('container', body),
});
const requestOf = (overrides?: SpecOverrides, rootQuota = false) =>
  createRequest(place, specOf(overrides), 'f'.repeat(64), '/guests/s1', rootQuota) as Record<string, unknown>;
const port = (portId: string, netns: string) => ({
  portId,
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  plug: 'netns' as const,
  netns,
});

describe('the create request', () => {
  test('carries the limits of the flavor and never privilege', () => {
    const request = requestOf({ body: { vcpus: 3, memoryMib: 100 } });
    expect(request).toMatchObject({
      name: 'strata-abc123-s1',
      privileged: false,
      no_new_privileges: true,
      restart_policy: 'no',
      cgroup_parent: '/strata-abc123',
      resource_limits: {
        cpu: { period: 100_000, quota: 300_000 },
        memory: { limit: 104_857_600, swap: 104_857_600 },
        pids: { limit: 4096 },
      },
    });
  });

  test('joins the one namespace of all ports, or has no network', () => {
    expect(requestOf({ ports: [port('a', 'ns1'), port('b', 'ns1')] })).toMatchObject({
      netns: { nsmode: 'path', value: '/run/netns/ns1' },
    });
    expect(requestOf()).toMatchObject({ netns: { nsmode: 'none' } });
  });

  test.each([
    ['two namespaces', { ports: [port('a', 'ns1'), port('b', 'ns2')] }],
    ['a namespace that leaves its folder', { ports: [port('a', '../pid')] }],
    [
      'a tap',
      {
        ports: [
          { portId: 'a', mac: '02:00:00:00:00:01', mtu: 1500, plug: 'tap' as const, device: 't', netns: 'n' },
        ],
      },
    ],
    ['a hostname with a newline', { body: { hostname: 'a\nb' } }],
    ['an empty hostname', { body: { hostname: '' } }],
  ])('%s is refused', (_what, overrides) => {
    expect(() => requestOf(overrides)).toThrow(DriverError);
  });

  test('strata:command takes the place of entrypoint and command', () => {
    expect(requestOf({ body: { properties: { 'strata:command': '["/bin/a","b"]' } } })).toMatchObject({
      entrypoint: ['/bin/a', 'b'],
      command: [],
    });
    expect(requestOf()).not.toHaveProperty('entrypoint');
  });

  test('a strata:command that is no array of strings is refused, whatever it is', () => {
    for (const text of ['', 'ls', '{}', '[]', '[1]', '[""]', '["a",null]', JSON.stringify(['a\u0000b'])]) {
      expect(() => requestOf({ body: { properties: { 'strata:command': text } } })).toThrow(
        /strata:command must be a JSON array/,
      );
    }
  });

  test('asks for a root disk quota only where the host can enforce it', () => {
    expect(requestOf({ body: { rootGib: 5 } })).not.toHaveProperty('storage_opts');
    expect(requestOf({ body: { rootGib: 5 } }, true)).toMatchObject({ storage_opts: { size: '5G' } });
  });
});

describe('the power of a container', () => {
  const of = (State: string, ExitCode: number, alive: boolean, stopping: boolean) =>
    powerOf({ State, ExitCode }, alive, stopping);
  test('follows podman while the process lives', () => {
    expect(of('running', 0, true, false)).toBe('running');
    expect(of('paused', 0, true, false)).toBe('paused');
    expect(of('stopping', 0, true, true)).toBe('running');
  });
  test('is stopped when it ended with 0 or because we asked, else crashed', () => {
    expect(of('created', 0, false, false)).toBe('stopped');
    expect(of('exited', 0, false, false)).toBe('stopped');
    expect(of('exited', 137, false, true)).toBe('stopped');
    expect(of('exited', 137, false, false)).toBe('crashed');
  });
  test('is crashed when podman believes in a process that is gone', () => {
    expect(of('running', 0, false, false)).toBe('crashed');
    expect(of('running', 0, false, true)).toBe('stopped');
  });
});

describe('the console', () => {
  const at = '2026-11-21T07:37:07.650301843+00:00';
  test('joins pieces and drops the prefixes', () => {
    const log = `${at} stdout F one\n${at} stdout P tw\n${at} stdout F o\n${at} stderr F \n${at} stdout P open`;
    expect(consoleText(log)).toBe('one\ntwo\n\nopen');
  });
  test('gives back any lines that conmon wrote', () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const log = lines.map((text) => `${at} stdout F ${text}\n`).join('');
        expect(consoleText(log)).toBe(lines.map((text) => `${text}\n`).join(''));
      }),
    );
  });
  test('skips the torn first line of a rotated file', () => {
    expect(consoleText(`ut F torn\n${at} stdout F whole\n`)).toBe('whole\n');
  });
  test.each([
    [null, 'a\nb\nc\n'],
    [0, ''],
    [1, 'c\n'],
    [2, 'b\nc\n'],
    [9, 'a\nb\nc\n'],
  ])('cut to %s lines', (lines, expected) => {
    expect(lastLines('a\nb\nc\n', lines)).toBe(expected);
  });
  test('counts an unfinished line', () => expect(lastLines('a\nb', 1)).toBe('b'));
});

test('the configuration keeps every path of podman in the data dir or its volatile folder', () => {
  const conf = containersConf(place, {
    runtime: 'crun',
    runtimePath: '/usr/bin/crun',
    graphDriver: 'overlay',
    nofile: 1,
    nproc: 1,
    sealed: true,
  });
  const paths = [...conf.matchAll(/"(\/[^"]+)"/g)]
    .map((match) => match[1] ?? '')
    .filter((path) => path !== '/usr/bin/crun');
  expect(paths.length).toBeGreaterThan(3);
  for (const path of paths)
    expect(path.startsWith(place.state) || path.startsWith(place.volatile)).toBe(true);
  expect(JSON.parse(policyJson)).toMatchObject({ default: [{ type: 'reject' }] });
});

test('a full disk is told apart from other failures', () => {
  expect(
    podmanFailure('write /x: no space left on device', 'image i: podman cannot load it', 'refused').code,
  ).toBe('no-space');
  expect(podmanFailure('boom', 'image i: podman cannot load it', 'refused').code).toBe('refused');
});

test('a missing program is named with its Debian package', async () => {
  const empty = await mkdtemp(join(tmpdir(), 'strata-empty-'));
  const failure = await needProgram('podman', [empty]).then(
    () => null,
    (error: unknown) => error,
  );
  await rm(empty, { recursive: true });
  expect(failure).toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('Debian package podman'),
  });
});

test('what podman load prints names the images', () => {
  expect(loadedNames('Loaded image: localhost/a:1\nLoaded image: sha256:00ff\n')).toEqual([
    'localhost/a:1',
    'sha256:00ff',
  ]);
  expect(loadedNames('Loaded image(s): a:1, b:2\n')).toEqual(['a:1', 'b:2']);
});

test('versions are numbered as Nova numbers hypervisors', () => {
  expect(versionNumber('4.3.1')).toBe(4_003_001);
  expect(versionNumber('5.0.0-dev')).toBe(5_000_000);
});
