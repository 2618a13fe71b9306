// The switch namespace: made at start, or adopted with whatever a crash left half-done taken out of it.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { DriverError } from '../../errors.ts';
import { inNamespace, ip, namespaceExists, setSysctl } from './commands.ts';
import type { LinuxContext } from './context.ts';
import { baseRules, removePortRules, removeTrustedDeviceRules, trustedMark } from './filter.ts';
import { hostPort, short, type CloudNames } from './names.ts';
import { stopProcesses } from './teardown.ts';

/** Creates the namespace and what all ports share. Repeatable; established flows do not notice. */
export async function ensureSwitch(names: CloudNames, nft: LinuxContext['nft']): Promise<void> {
  const what = 'Preparing the switch namespace';
  await mkdir(names.runDir, { recursive: true, mode: 0o755 });
  if (!(await namespaceExists(names.switchNs))) await ip(null, [`netns add ${names.switchNs}`], what);
  // The switch only forwards frames: it has no address of its own that a guest could talk to.
  await setSysctl(
    names.switchNs,
    '1',
    ['ipv6/conf/all/disable_ipv6', 'ipv6/conf/default/disable_ipv6'],
    what,
  ).catch(() => {}); // a kernel without IPv6
  await ip(names.switchNs, ['link set lo up'], what);
  await probeBridgeFilter(names);
  await nft(baseRules, what);
}

/**
 * Bridged packets must reach the inet family. `ct` in the bridge family would be the other way; it is not used even
 * where it works, because then no per-bridge zone could be set for tenants' overlapping addresses by the same rules.
 */
async function probeBridgeFilter(names: CloudNames): Promise<void> {
  await inNamespace(names.switchNs, ['modprobe', 'br_netfilter'], { what: 'Loading br_netfilter' }).catch(
    () => {},
  ); // built in, or no modules here
  try {
    await ip(
      names.switchNs,
      ['link add probe type bridge nf_call_iptables 1 nf_call_ip6tables 1', 'link del probe'],
      'Probing br_netfilter',
    );
  } catch (error) {
    throw new DriverError(
      'unavailable',
      'This kernel cannot filter bridged packets: it needs the modules bridge and br_netfilter.',
      String(error),
      error,
    );
  }
}

/** Takes out what a crash left: devices that no port owns yet, and rules whose device never came to be. */
export async function pruneSwitch(ctx: LinuxContext): Promise<void> {
  const { devices, marks } = ctx.kernel;
  const what = 'Removing what a crash left half-done';
  const known = new Set(
    [...devices].filter(([, device]) => device.kind === 'port').map(([name]) => name.slice(1)),
  );
  const nameless = [...devices].filter(
    ([name, device]) =>
      device.kind === null &&
      /^[tvrf][a-z2-7]{12}$/.test(name) &&
      !(name.startsWith('f') && known.has(name.slice(1))),
  );
  for (const [name] of nameless)
    await tolerant(ctx, name, async () => {
      await ip(ctx.names.switchNs, [`link del ${name}`], what);
      devices.delete(name);
    });
  for (const [device, mark] of [...marks])
    if (!devices.has(device) && device !== hostPort)
      await tolerant(ctx, device, async () => {
        await ctx.nft(
          mark === trustedMark
            ? removeTrustedDeviceRules(device)
            : removePortRules(device.slice(1), device, mark),
          what,
        );
        marks.delete(device);
      });
  await pruneNamespaces(ctx, what);
}

/** A leftover that cannot be removed must not keep the host from starting. */
const tolerant = (ctx: LinuxContext, name: string, work: () => Promise<void>): Promise<void> =>
  work().catch((error: unknown) =>
    ctx.options.log.warn(
      { name, error: String(error), detail: error instanceof DriverError ? error.detail : '' },
      'a leftover could not be removed',
    ),
  );

/** Namespaces and files of networks, routers and containers that the kernel knows no object for. */
async function pruneNamespaces(ctx: LinuxContext, what: string): Promise<void> {
  const { names, kernel } = ctx;
  const devices = [...kernel.devices.values()];
  const networks = devices.filter(({ kind }) => kind === 'network').map(({ id }) => id);
  const expected = new Set([
    ...networks.map(names.networkNs),
    ...[...kernel.routers.keys()].map(names.routerNs),
    ...devices.filter(({ kind }) => kind === 'port').map(({ netns }) => netns),
  ]);
  const stray = (name: string): boolean =>
    /-[nrs]-[a-z2-7]{12}$/.test(name) && name.startsWith(`${names.switchNs}-`) && !expected.has(name);
  for (const ns of (await readdir('/run/netns')).filter(stray)) {
    if (!(await namespaceExists(ns))) continue;
    await tolerant(ctx, ns, async () => {
      await stopProcesses(ns, []);
      await ip(null, [`netns del ${ns}`], what);
    });
  }
  for (const entry of (await readdir('/etc/netns').catch(() => [])).filter(stray))
    await rm(`/etc/netns/${entry}`, { recursive: true, force: true });
  const served = new Set(networks.map(short));
  for (const entry of await readdir(`${names.runDir}/dhcp`).catch(() => []))
    if (!served.has(entry)) await rm(`${names.runDir}/dhcp/${entry}`, { recursive: true, force: true });
  const advertised = new Set([...kernel.routers.keys()].map(short));
  for (const entry of await readdir(`${names.runDir}/ra`).catch(() => []))
    if (!advertised.has(entry)) await rm(`${names.runDir}/ra/${entry}`, { recursive: true, force: true });
}
