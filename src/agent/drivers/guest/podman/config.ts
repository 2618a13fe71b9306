// podman's four configuration files, written anew at each probe. Pure text, so that a test can read it.
import { join } from 'node:path';
import type { Place } from './place.ts';

export type EngineChoice = {
  /** podman knows what crun and runc can do by these names. */
  runtime: 'crun' | 'runc';
  runtimePath: string;
  graphDriver: 'overlay' | 'vfs';
  /** Hard limits that this process may hand on; without CAP_SYS_RESOURCE podman's own defaults fail. */
  nofile: number;
  nproc: number;
  /** A filter of system calls of our own is written: what gets volumes needs it. */
  sealed: boolean;
};

/**
 * What a tenant's root may do inside its container. NET_RAW stays, because ping needs it and spoofing is
 * stopped outside, at the port. MKNOD and AUDIT_WRITE are podman's defaults that no guest needs.
 */
export const guestCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
] as const;

/** JSON strings without control characters are TOML basic strings. */
const toml = (value: string | readonly string[]): string => JSON.stringify(value);

export const seccompFile = (place: Place): string => join(place.state, 'conf', 'seccomp.json');

export function containersConf(place: Place, choice: EngineChoice): string {
  return `[containers]
default_capabilities = ${toml(guestCapabilities)}
default_ulimits = ${toml([`nofile=${choice.nofile}:${choice.nofile}`, `nproc=${choice.nproc}:${choice.nproc}`])}
default_sysctls = ["net.ipv4.ip_unprivileged_port_start=0", "net.ipv4.ping_group_range=0 2147483647"]
http_proxy = false
log_driver = "k8s-file"
pids_limit = 4096
${choice.sealed ? `seccomp_profile = ${toml(seccompFile(place))}\n` : ''}
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
hooks_dir = ${toml([join(place.state, 'hooks')])}
image_copy_tmp_dir = ${toml(join(place.state, 'copy'))}
lock_type = "file"
runtime = ${toml(choice.runtime)}
tmp_dir = ${toml(place.tmp)}
volume_path = ${toml(join(place.state, 'volumes'))}

[engine.runtimes]
${choice.runtime} = ${toml([choice.runtimePath])}

[network]
network_config_dir = ${toml(join(place.state, 'net'))}
`;
}

export function storageConf(place: Place, choice: Pick<EngineChoice, 'graphDriver'>): string {
  return `[storage]
driver = ${toml(choice.graphDriver)}
graphroot = ${toml(place.root)}
runroot = ${toml(place.runroot)}
`;
}

export const registriesConf = 'unqualified-search-registries = []\n';

/** Local archives only: whatever would reach a registry is rejected by policy. */
export const policyJson = `${JSON.stringify({
  default: [{ type: 'reject' }],
  transports: {
    'docker-archive': { '': [{ type: 'insecureAcceptAnything' }] },
    'oci-archive': { '': [{ type: 'insecureAcceptAnything' }] },
    oci: { '': [{ type: 'insecureAcceptAnything' }] },
    dir: { '': [{ type: 'insecureAcceptAnything' }] },
  },
})}\n`;

/**
 * The OCI runtime as podman starts it: with its state among ours, so that it neither meets another
 * cloud's nor outlives a reboot where /run is on disk.
 *
 * `hideCgroup2`: in a mount namespace of its own, in which the cgroup2 mount of a hybrid layout is away.
 * crun refuses such a layout as soon as one controller is left to cgroup2 (often hugetlb); without the
 * mount it sees plain cgroup v1, and nothing on the host is altered.
 */
export function runtimeWrapper(place: Place, program: string, hideCgroup2: boolean): string {
  const root = join(place.volatile, 'runtime');
  if (!hideCgroup2) return `#!/bin/sh\nexec ${shell(program)} --root ${shell(root)} "$@"\n`;
  const inside = 'umount /sys/fs/cgroup/unified && exec "$@"';
  return `#!/bin/sh
exec unshare --mount --propagation slave /bin/sh -c ${shell(inside)} sh ${shell(program)} --root ${shell(root)} "$@"
`;
}

const shell = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
