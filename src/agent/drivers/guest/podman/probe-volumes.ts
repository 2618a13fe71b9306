// Whether containers of this host can have volumes: what that takes is tried on a container, once a boot.
import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import { run, RunError } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { processIdentity } from './client.ts';
import { putNode, setLeave, takeNode, type ContainerProcess } from './devices.ts';
import { podmanProcess, readText, writeWhole, type Place } from './place.ts';
import { seccompFile } from './config.ts';
import { withoutLoopIoctls } from './seccomp.ts';

const profiles = ['/etc/containers/seccomp.json', '/usr/share/containers/seccomp.json'];

/** Writes the filter of system calls; false: the host has none that can be changed. */
export async function writeSeccomp(place: Place): Promise<boolean> {
  for (const path of profiles) {
    const text = await readText(path).catch(() => null);
    if (text === null) continue;
    let profile: unknown = null;
    try {
      profile = JSON.parse(text);
    } catch {
      // has not the known form
    }
    const changed = withoutLoopIoctls(profile);
    if (changed !== null) await writeWhole(seccompFile(place), JSON.stringify(changed));
    return changed !== null;
  }
  return false;
}

const exists = (path: string): Promise<boolean> =>
  access(path, constants.F_OK).then(
    () => true,
    () => false,
  );

/** Tells udev to leave the devices alone: what it would look for in them was written by tenants. Pure. */
export const udevRule = (place: Place): string =>
  `SUBSYSTEM=="block", KERNEL=="loop*", ATTR{loop/backing_file}=="${place.disks}/*", OPTIONS="nowatch", ` +
  'ENV{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}="1", ENV{DM_UDEV_DISABLE_OTHER_RULES_FLAG}="1", ' +
  'ENV{UDISKS_IGNORE}="1", ENV{SYSTEMD_READY}="0"\n';

export const udevRuleFile = (place: Place): string =>
  `/run/udev/rules.d/10-strata-volumes-${place.cloudId}.rules`;

async function quietUdev(place: Place): Promise<void> {
  if (!(await exists('/run/udev/control'))) return;
  await run(['mkdir', '-p', '/run/udev/rules.d']);
  await writeFile(udevRuleFile(place), udevRule(place), { mode: 0o644 });
  await run(['udevadm', 'control', '--reload']);
}

/** The number of the first loop device serves: it is opened, never read. */
const trial = { number: '7:0', readOnly: true };
const trialNode = 'strata-probe';

/** `target`: the process of a container named `name` that has dd. Throws where leave is not given or not taken. */
async function tryLeave(
  place: Place,
  runtimePath: string,
  name: string,
  target: ContainerProcess,
): Promise<void> {
  const opens = (): Promise<boolean> =>
    run(
      ['podman', 'exec', name, '/usr/bin/dd', `if=/dev/${trialNode}`, 'of=/dev/null', 'count=0'],
      podmanProcess(place),
    ).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof RunError)) throw error;
        if (/Operation not permitted/.test(error.stderr)) return false;
        // Leave is looked at before whether there is such a device.
        if (/No such device/.test(error.stderr)) return true;
        throw error;
      },
    );
  const parts = { place, runtimePath };
  await putNode(target, trialNode, trial);
  if (await opens()) throw new Error('a container opens devices without leave');
  await setLeave(parts, target, [trial], []);
  if (!(await opens())) throw new Error('a container that runs cannot be given a device');
  await setLeave(parts, target, [], [trial]);
  if (await opens()) throw new Error('a container keeps a device that was taken away');
  await takeNode(target, trialNode, trial);
}

const programs = ['qemu-storage-daemon', 'losetup', 'nsenter', 'unshare', 'setpriv', 'mknod'];

/** null: containers can have volumes here; else why not. The probe's container runs as `target`. */
export async function volumesMissing(
  place: Place,
  engine: { runtimePath: string; sealed: boolean },
  name: string,
  target: { containerId: string; pid: number },
): Promise<string | null> {
  if (!engine.sealed) return 'podman has no profile of system calls that volumes could be sealed with';
  for (const device of ['/dev/fuse', '/dev/loop-control'])
    if (!(await exists(device))) return `${device} is missing`;
  if (((await readText('/sys/module/loop/parameters/max_part').catch(() => null)) ?? '0').trim() !== '0')
    return 'the kernel looks for partitions on loop devices (loop.max_part is not 0)';
  for (const program of programs)
    try {
      await run([program, '--version'], { timeoutMs: 10_000 });
    } catch (error) {
      if (error instanceof RunError && error.reason === 'missing') return `the program ${program} is missing`;
      throw error;
    }
  try {
    const identity = await processIdentity(target.pid);
    if (identity === null) throw new Error('the container of the probe has ended');
    await tryLeave(place, engine.runtimePath, name, { ...target, identity });
    await quietUdev(place);
    return null;
  } catch (error) {
    const said =
      error instanceof RunError ? error.stderr.trim() : error instanceof DriverError ? error.detail : '';
    return `${error instanceof Error ? error.message : String(error)} ${said}`.trim().slice(0, 1_000);
  }
}
