// Pure: from a guest's desired body to podman's create request, and from podman's answer to its state.
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { DriverError } from '../../errors.ts';
import type { GuestPower, GuestSpec } from '../driver.ts';
import type { Place } from './place.ts';

/** The part of podman's container listing that is used; `inspect` is brought into the same form. */
export const ContainerEntry = Type.Object({
  Id: Type.String(),
  State: Type.String(),
  Pid: Type.Integer(),
  ExitCode: Type.Integer(),
  Labels: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]),
});
export type ContainerEntry = Static<typeof ContainerEntry>;

export const serverLabel = 'strata.server';
export const cloudLabel = 'strata.cloud';

const commandSchema = Compile(
  Type.Array(Type.String({ maxLength: 4096, pattern: '^[^\\x00]*$' }), { minItems: 1, maxItems: 256 }),
);
const hostnamePattern = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/;
const netnsPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/;
const consoleBytes = 4 * 1024 * 1024;
const cpuPeriodUs = 100_000;

/** Where a container finds its config drive. */
const configMount = '/mnt/config';

export const containerName = (cloudId: string, id: string): string => `strata-${cloudId}-${id}`;

/** The one namespace that the network driver prepared for all ports of this guest. */
export function netnsOf(spec: GuestSpec): string | null {
  const names = new Set<string>();
  for (const port of spec.ports) {
    if (port.plug !== 'netns') {
      throw new DriverError(
        'refused',
        `port ${port.portId} is plugged as ${port.plug}; a container needs plug netns`,
      );
    }
    names.add(port.netns);
  }
  const [name, other] = [...names];
  if (name === undefined) return null;
  if (other !== undefined || !netnsPattern.test(name)) {
    throw new DriverError(
      'refused',
      `server ${spec.id}: all ports of a container must be in one network namespace`,
    );
  }
  return name;
}

export function checkedHostname(spec: GuestSpec): string {
  const { hostname } = spec.body;
  if (hostnamePattern.test(hostname)) return hostname;
  throw new DriverError(
    'refused',
    `server ${spec.id}: hostname '${hostname}' must be 1 to 64 letters, digits, '-' or '.', and begin and end with a letter or digit`,
  );
}

/** Property `strata:command`: a JSON array of strings, in place of the image's entrypoint and command. */
export function commandOverride(spec: GuestSpec): string[] | null {
  const text = spec.body.properties['strata:command'];
  if (text === undefined) return null;
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(text);
  } catch {
    // refused below with the rule
  }
  if (commandSchema.Check(parsed) && parsed[0] !== '') return parsed;
  throw new DriverError(
    'refused',
    `server ${spec.id}: property strata:command must be a JSON array of 1 to 256 strings, the first not empty`,
  );
}

/** Body of POST /libpod/containers/create. */
export function createRequest(
  place: Place,
  spec: GuestSpec,
  podmanImageId: string,
  folder: string,
  rootQuota: boolean,
): object {
  const { body, id } = spec;
  const command = commandOverride(spec);
  const netns = netnsOf(spec);
  const memory = body.memoryMib * 1024 * 1024;
  const bind = (name: string, access: 'ro' | 'rw'): object => ({
    type: 'bind',
    source: `${folder}/${name}`,
    destination: `/etc/${name}`,
    options: ['bind', access, 'nosuid', 'nodev', 'noexec'],
  });
  return {
    name: containerName(place.cloudId, id),
    image: podmanImageId,
    ...(command === null ? {} : { entrypoint: command, command: [] }),
    labels: { [cloudLabel]: place.cloudId, [serverLabel]: id },
    env: { STRATA_SERVER_ID: id, STRATA_SERVER_NAME: body.name, STRATA_PROJECT_ID: body.projectId },
    hostname: checkedHostname(spec),
    netns: netns === null ? { nsmode: 'none' } : { nsmode: 'path', value: `/run/netns/${netns}` },
    // Both files are ours: the image's own would name a resolver and a host that are not there.
    use_image_hosts: true,
    use_image_resolve_conf: true,
    mounts: [
      bind('hosts', 'rw'),
      bind('resolv.conf', 'ro'),
      ...((spec.configDrive ?? null) === null ? [] : [{ ...bind('config', 'ro'), destination: configMount }]),
    ],
    image_volume_mode: 'ignore',
    privileged: false,
    no_new_privileges: true,
    systemd: 'false',
    restart_policy: 'no',
    healthconfig: { Test: ['NONE'] },
    cgroup_parent: place.cgroup,
    resource_limits: {
      cpu: { period: cpuPeriodUs, quota: body.vcpus * cpuPeriodUs },
      memory: { limit: memory, swap: memory },
      pids: { limit: 4096 },
    },
    ...(rootQuota && body.rootGib > 0 ? { storage_opts: { size: `${body.rootGib}G` } } : {}),
    log_configuration: { driver: 'k8s-file', path: `${folder}/console.log`, size: consoleBytes },
  };
}

export const hostsFile = (hostname: string): string =>
  `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n::1 localhost ip6-localhost ip6-loopback\n`;

export const isLive = (state: string): boolean => state === 'running' || state === 'paused';

/** `alive`: the container's first process exists, whatever podman still believes. */
export function powerOf(
  entry: Pick<ContainerEntry, 'State' | 'ExitCode'>,
  alive: boolean,
  stopping: boolean,
): GuestPower {
  if (isLive(entry.State) && alive) return entry.State === 'paused' ? 'paused' : 'running';
  if (entry.State === 'stopping' && alive) return 'running';
  if (stopping) return 'stopped';
  // Killed together with its conmon, so that nobody wrote an exit code.
  if (isLive(entry.State)) return 'crashed';
  return entry.ExitCode === 0 ? 'stopped' : 'crashed';
}
