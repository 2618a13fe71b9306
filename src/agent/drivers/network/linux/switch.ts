// The switch namespace: made at start, or adopted with whatever a crash left half-done taken out of it.
import { mkdir } from 'node:fs/promises';
import { DriverError } from '../../errors.ts';
import { inNamespace, ip, namespaceExists, setSysctl } from './commands.ts';
import type { LinuxContext } from './context.ts';
import { baseRules, removePortRules, removeTrustedDeviceRules, trustedMark } from './filter.ts';
import { hostPort, type CloudNames } from './names.ts';

/** Creates the namespace and what all ports share. Repeatable; established flows do not notice. */
export async function ensureSwitch(names: CloudNames, nft: LinuxContext['nft']): Promise<void> {
  const what = 'Preparing the switch namespace';
  await mkdir(names.runDir, { recursive: true, mode: 0o755 });
  if (!(await namespaceExists(names.switchNs))) await ip(null, [`netns add ${names.switchNs}`], what);
  // The switch only forwards frames: it has no address of its own that a guest could talk to.
  await setSysctl(names.switchNs, '1', ['ipv6/conf/all/disable_ipv6', 'ipv6/conf/default/disable_ipv6'], what).catch(() => {}); // a kernel without IPv6
  await ip(names.switchNs, ['link set lo up'], what);
  await probeBridgeFilter(names);
  await nft(baseRules, what);
}

/**
 * Bridged packets must reach the inet family. `ct` in the bridge family would be the other way; it is not used even
 * where it works, because then no per-bridge zone could be set for tenants' overlapping addresses by the same rules.
 */
async function probeBridgeFilter(names: CloudNames): Promise<void> {
  await inNamespace(names.switchNs, ['modprobe', 'br_netfilter'], { what: 'Loading br_netfilter' }).catch(() => {}); // built in, or no modules here
  try {
    await ip(names.switchNs, ['link add probe type bridge nf_call_iptables 1 nf_call_ip6tables 1', 'link del probe'], 'Probing br_netfilter');
  } catch (error) {
    throw new DriverError('unavailable', 'This kernel cannot filter bridged packets: it needs the modules bridge and br_netfilter.', String(error), error);
  }
}

/** Takes out what a crash left: devices that no port owns yet, and rules whose device never came to be. */
export async function pruneSwitch(ctx: LinuxContext): Promise<void> {
  const { devices, marks } = ctx.kernel;
  const what = 'Removing what a crash left half-done';
  const known = new Set([...devices].filter(([, device]) => device.kind === 'port').map(([name]) => name.slice(1)));
  const nameless = [...devices].filter(([name, device]) => device.kind === null && /^[tvrf][a-z2-7]{12}$/.test(name) && !(name.startsWith('f') && known.has(name.slice(1))));
  for (const [name] of nameless) {
    await ip(ctx.names.switchNs, [`link del ${name}`], what);
    devices.delete(name);
  }
  for (const [device, mark] of [...marks]) {
    if (devices.has(device) || device === hostPort) continue;
    await ctx.nft(mark === trustedMark ? removeTrustedDeviceRules(device) : removePortRules(device.slice(1), device, mark), what);
    marks.delete(device);
  }
}
