// Finds out what really works on this host by running a container, once a boot; later starts read the
// cached answer and are instant.
import { constants } from 'node:fs';
import { access, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Log } from '../../../../kernel/log.ts';
import { run, RunError } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import {
  containersConf,
  policyJson,
  registriesConf,
  runtimeWrapper,
  storageConf,
  type EngineChoice,
} from './config.ts';
import { volumesMissing, writeSeccomp } from './probe-volumes.ts';
import { bootId, makePlace, podmanProcess, readText, writeWhole, type Place } from './place.ts';

const Engine = Type.Object({
  /** Boot and programs that the answer was found with. */
  key: Type.String(),
  version: Type.String(),
  runtime: Type.Union([Type.Literal('crun'), Type.Literal('runc')]),
  runtimePath: Type.String(),
  graphDriver: Type.Union([Type.Literal('overlay'), Type.Literal('vfs')]),
  nofile: Type.Integer(),
  nproc: Type.Integer(),
  /** rootGib can be enforced: overlay on xfs mounted with project quotas. */
  rootQuota: Type.Boolean(),
  /** Cgroup controllers that really limit a guest here, of cpu, memory and pids. */
  controllers: Type.Array(Type.String()),
  /** Containers are made with a filter of system calls of our own. */
  sealed: Type.Boolean(),
  /** Why containers cannot have volumes; null: they can. */
  volumes: Type.Union([Type.String(), Type.Null()]),
});
export type Engine = Static<typeof Engine>;
const engineSchema = Compile(Engine);

const programDirs = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

async function findProgram(name: string, dirs = programDirs): Promise<string | null> {
  for (const dir of dirs) {
    const path = join(dir, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return null;
}

/** Path of a program; throws DriverError 'unavailable' with the Debian package, which has the same name. */
export async function needProgram(name: string, dirs?: string[]): Promise<string> {
  const path = await findProgram(name, dirs);
  if (path !== null) return path;
  throw new DriverError(
    'unavailable',
    `this host cannot run containers: the program ${name} is missing; install the Debian package ${name}`,
  );
}

/** e.g. '4.3.1' -> 4003001, as Nova numbers hypervisors. */
export function versionNumber(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return major * 1_000_000 + minor * 1_000 + patch;
}

/** The smaller of our own hard limit and what a guest reasonably wants. */
function hardLimit(limits: string, row: string, wanted: number): number {
  const value = new RegExp(`^${row}\\s+\\S+\\s+(\\S+)`, 'm').exec(limits)?.[1];
  return value === undefined || value === 'unlimited' ? wanted : Math.min(Number(value), wanted);
}

// podman's own check passes on some file systems where the mount then fails, so mount one.
async function overlayWorks(place: Place): Promise<boolean> {
  const dir = join(place.state, 'overlay-probe');
  await rm(dir, { recursive: true, force: true });
  for (const name of ['lower', 'upper', 'work', 'merged']) await mkdir(join(dir, name), { recursive: true });
  const script =
    'mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && echo x >merged/x && test -s upper/x';
  try {
    await run(['unshare', '--mount', 'sh', '-c', script], { cwd: dir, timeoutMs: 10_000 });
    return true;
  } catch (error) {
    if (error instanceof RunError) return false;
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

// Without a controller podman only warns, and the guest would run unlimited.
async function limitingControllers(): Promise<string[]> {
  const unified = ((await readText('/sys/fs/cgroup/cgroup.controllers')) ?? '').trim().split(' ');
  const v1 = async (name: string): Promise<boolean> =>
    (await readText(`/sys/fs/cgroup/${name}/cgroup.procs`)) !== null;
  const found: string[] = [];
  for (const name of ['cpu', 'memory', 'pids'])
    if (unified.includes(name) || (await v1(name))) found.push(name);
  return found;
}

async function projectQuota(place: Place): Promise<boolean> {
  const { stdout } = await run(
    ['findmnt', '--noheadings', '--output', 'FSTYPE,OPTIONS', '--target', place.state],
    {
      timeoutMs: 10_000,
    },
  );
  return /^xfs\s.*\b(pquota|prjquota)\b/.test(stdout);
}

// Images and layers are bound to the graph driver, so the choice of the first probe stays.
async function chooseGraphDriver(place: Place): Promise<Engine['graphDriver']> {
  const kept = await readText(join(place.state, 'graph-driver'));
  if (kept === 'overlay' || kept === 'vfs') return kept;
  const chosen = (await overlayWorks(place)) ? 'overlay' : 'vfs';
  await writeWhole(join(place.state, 'graph-driver'), chosen);
  return chosen;
}

async function runtimeCandidates(place: Place): Promise<Pick<EngineChoice, 'runtime' | 'runtimePath'>[]> {
  const leftToCgroup2 = (await readText('/sys/fs/cgroup/unified/cgroup.controllers'))?.trim() ?? '';
  const candidates: Pick<EngineChoice, 'runtime' | 'runtimePath'>[] = [];
  for (const runtime of ['crun', 'runc'] as const) {
    const program = await findProgram(runtime);
    if (program === null) continue;
    const runtimePath = join(place.state, 'conf', runtime);
    await writeWhole(
      runtimePath,
      runtimeWrapper(place, program, runtime === 'crun' && leftToCgroup2 !== ''),
      0o700,
    );
    candidates.push({ runtime, runtimePath });
  }
  if (candidates.length === 0) await needProgram('crun');
  return candidates;
}

async function writeConfig(place: Place, choice: EngineChoice): Promise<void> {
  await writeWhole(place.containersConf, containersConf(place, choice));
  await writeWhole(place.storageConf, storageConf(place, choice));
  await writeWhole(place.registriesConf, registriesConf);
  await writeWhole(place.policy, policyJson);
}

// The host's own /usr serves as the probe's image: no archive is needed, and dynamic linking works.
/** Returns why containers cannot have volumes; null: they can. Throws RunError where none runs. */
async function runProbeContainer(
  place: Place,
  engine: { runtimePath: string; sealed: boolean },
): Promise<string | null> {
  const rootfs = join(place.state, 'probe-rootfs');
  await mkdir(rootfs, { recursive: true });
  const binds: string[] = [];
  for (const dir of ['/usr', '/bin', '/lib', '/lib64']) {
    if (
      await stat(dir).then(
        () => true,
        () => false,
      )
    )
      binds.push('--volume', `${dir}:${dir}:ro`);
  }
  const name = `strata-${place.cloudId}-probe`;
  const limits = ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '64'];
  const safety = [
    '--security-opt',
    'no-new-privileges',
    '--network',
    'none',
    '--cgroup-parent',
    place.cgroup,
  ];
  try {
    await run(
      [
        'podman',
        'run',
        '--detach',
        '--replace',
        '--name',
        name,
        ...safety,
        ...limits,
        ...binds,
        '--rootfs',
        rootfs,
        '/usr/bin/sleep',
        '60',
      ],
      { ...podmanProcess(place), timeoutMs: 30_000 },
    );
    const { stdout } = await run(
      ['podman', 'container', 'inspect', '--format', '{{.ID}} {{.State.Pid}}', name],
      podmanProcess(place),
    );
    const [containerId = '', pid = '0'] = stdout.trim().split(' ');
    return await volumesMissing(place, engine, name, { containerId, pid: Number(pid) });
  } finally {
    await run(['podman', 'rm', '--force', '--ignore', '--time', '0', name], podmanProcess(place));
    await rm(rootfs, { recursive: true, force: true });
  }
}

async function probeKey(): Promise<string> {
  const names = ['podman', 'crun', 'runc', 'qemu-storage-daemon', 'losetup'];
  const programs = await Promise.all(names.map((name) => findProgram(name)));
  const stamps = await Promise.all(
    programs.map(async (path) => (path === null ? '-' : `${path}@${(await stat(path)).mtimeMs}`)),
  );
  return [await bootId(), ...stamps].join(' ');
}

/** Makes the place ready and tells which engine works here. Throws DriverError 'unavailable' when none does. */
export async function probeEngine(place: Place, log: Log): Promise<Engine> {
  await needProgram('podman');
  await needProgram('conmon', [
    ...programDirs,
    '/usr/libexec/podman',
    '/usr/lib/podman',
    '/usr/local/libexec/podman',
  ]);
  await makePlace(place);
  const cache = join(place.state, 'engine.json');
  const key = await probeKey();
  const cached: unknown = await readText(cache).then((text) => (text === null ? null : JSON.parse(text)));
  const candidates = await runtimeCandidates(place);
  if (engineSchema.Check(cached) && cached.key === key) {
    if (cached.sealed) await writeSeccomp(place);
    await writeConfig(place, cached); // this Strata may be newer than the one that probed
    return cached;
  }

  const limits = await readFile('/proc/self/limits', 'utf8');
  const base = {
    graphDriver: await chooseGraphDriver(place),
    nofile: hardLimit(limits, 'Max open files', 65_536),
    // podman lowers its own to 32768, and cannot raise it again for a container
    nproc: hardLimit(limits, 'Max processes', 32_768),
    sealed: await writeSeccomp(place),
  };
  const failures: string[] = [];
  for (const candidate of candidates) {
    const choice = { ...base, ...candidate };
    await writeConfig(place, choice);
    try {
      const volumes = await runProbeContainer(place, choice);
      if (volumes !== null) log.warn({ why: volumes }, 'containers of this host cannot have volumes');
      const { stdout } = await run(
        ['podman', 'version', '--format', '{{.Client.Version}}'],
        podmanProcess(place),
      );
      const rootQuota = base.graphDriver === 'overlay' && (await projectQuota(place));
      const engine: Engine = {
        key,
        version: stdout.trim(),
        ...choice,
        rootQuota,
        controllers: await limitingControllers(),
        volumes,
      };
      await writeWhole(cache, JSON.stringify(engine));
      return engine;
    } catch (error) {
      if (!(error instanceof RunError)) throw error;
      failures.push(`${candidate.runtimePath}: ${error.stderr.trim() || error.message}`);
      log.warn({ candidate, stderr: error.stderr }, 'a probe container did not run');
    }
  }
  throw new DriverError(
    'unavailable',
    `this host cannot run containers: a probe container ran with no OCI runtime found here (crun, runc); the agent's log has podman's answer`,
    failures.join('\n'),
  );
}
