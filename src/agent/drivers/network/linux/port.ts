// A guest's port: rules first, then the device, then its bridge, then up. A tap for QEMU; for a container a
// veth whose other end is configured in the container's prepared namespace.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import type { NetworkBody, PortBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import type { PluggedPort } from '../../guest/driver.ts';
import { prefix } from './addresses.ts';
import { shaping } from './bandwidth.ts';
import { cutFlows, driverError, ip, ipJson, namespaceExists, setSysctl, tc, type Flow } from './commands.ts';
import type { LinuxContext } from './context.ts';
import { dhcpHost } from './dhcp-text.ts';
import { firstPortMark, portRules, removePortRules } from './filter.ts';
import { guestConfig, hasDhcpInterface, resolvConf, servesIpv6, type GuestConfig } from './guest-config.ts';
import { aliasOf, type Device } from './kernel-state.ts';
import { bridgeOf, checkId, fingerprint, ifbOf, short, tapOf, vethOf } from './names.ts';
import { portOptions } from './port-options.ts';

const deviceOf = (id: string, body: PortBody): string => (body.plug === 'tap' ? tapOf(id) : vethOf(id));

function freeMark(marks: ReadonlyMap<string, number>): number {
  const used = new Set(marks.values());
  for (let mark = firstPortMark; ; mark++) if (!used.has(mark)) return mark;
}

/** Every flow from and to the addresses that the port may use; `only` narrows it. */
export function flowsOf(ctx: LinuxContext, body: PortBody, only: Partial<Flow> = {}): Flow[] {
  const zone = ctx.kernel.zones.get(bridgeOf(body.networkId));
  if (zone === undefined) return [];
  const addresses = [
    ...body.fixedIps.map(({ ipAddress }) => ipAddress),
    ...body.allowedAddressPairs.map(({ ipAddress }) => ipAddress),
  ];
  const directions = only.match === undefined ? (['--orig-src', '--orig-dst'] as const) : [only.match];
  return addresses.flatMap((text) =>
    directions.map((match) => ({ ...only, zone, match, address: prefix('address', text).text })),
  );
}

const strings = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value)
    ? value.filter((row): row is Record<string, unknown> => typeof row === 'object' && row !== null)
    : [];

/** Index of the port's interface in the namespace: its own, or the lowest that is free. */
async function interfaceIndex(ns: string, id: string): Promise<{ index: number; exists: boolean }> {
  const used = new Set<number>();
  for (const link of await ipJson(ns, ['link', 'show'], 'Reading the guest’s interfaces')) {
    const match = /^eth(\d+)$/.exec(String(link['ifname']));
    if (match === null) continue;
    if (link['ifalias'] === `port:${id}`) return { index: Number(match[1]), exists: true };
    used.add(Number(match[1]));
  }
  for (let index = 0; ; index++) if (!used.has(index)) return { index, exists: false };
}

/** Lines that bring the interface from what it has to what the configuration says. */
async function interfaceLines(
  ns: string,
  device: string,
  index: number,
  fresh: boolean,
  config: GuestConfig,
): Promise<string[]> {
  const lines: string[] = [];
  const metric = 100 + index;
  const families = ['-4', '-6'] as const;
  if (!fresh) {
    const what = 'Reading the guest’s addresses';
    for (const link of await ipJson(ns, ['addr', 'show', 'dev', device], what))
      for (const entry of strings(link['addr_info'])) {
        const text = `${String(entry['local'])}/${String(entry['prefixlen'])}`;
        if (entry['scope'] === 'global' && !config.addresses.includes(text))
          lines.push(`addr del ${text} dev ${device}`);
      }
    for (const family of families)
      for (const route of await ipJson(
        ns,
        [family, 'route', 'show', 'dev', device, 'metric', `${metric}`],
        what,
      ).catch(() => [])) {
        const shown = String(route['dst']);
        const wanted = config.routes.some(
          ({ destination, via }) =>
            via === route['gateway'] &&
            (destination === shown ||
              destination === `${shown}/32` ||
              (shown === 'default' && destination.endsWith('/0'))),
        );
        if (route['gateway'] !== undefined && !wanted)
          lines.push(`route del ${shown} via ${String(route['gateway'])} dev ${device} metric ${metric}`);
      }
  }
  for (const text of config.addresses)
    lines.push(`addr replace ${text} dev ${device}${text.includes(':') ? ' nodad' : ''}`);
  lines.push(`link set ${device} mtu ${config.mtu} up`);
  // onlink: Neutron allows a gateway outside the subnet.
  for (const { destination, via } of config.routes)
    lines.push(`route replace ${destination} via ${via} dev ${device} onlink metric ${metric}`);
  return lines;
}

/** The container's end: made in its namespace together with the switch's end, which stays down until the rules and limits stand. */
async function plugIntoNamespace(
  ctx: LinuxContext,
  id: string,
  body: PortBody,
  config: GuestConfig,
  exists: boolean,
): Promise<void> {
  const ns = ctx.names.serverNs(body.serverId);
  const what = `Port ${id}: plugging it into its container's namespace`;
  await ctx.exclusive(`server:${ns}`, async () => {
    const created = !(await namespaceExists(ns));
    if (created) await ip(null, [`netns add ${ns}`], what);
    const { index, exists: plugged } = created ? { index: 0, exists: false } : await interfaceIndex(ns, id);
    const device = `eth${index}`;
    const veth = vethOf(id);
    const fresh = !plugged || !exists;
    if (fresh && exists) await ip(ctx.names.switchNs, [`link del ${veth}`], what);
    const identity = fresh
      ? [
          `link add ${device} address ${body.mac} mtu ${config.mtu} type veth peer name ${veth} mtu ${config.mtu} netns ${ctx.names.switchNs}`,
          `link set ${device} alias port:${id}`,
        ]
      : [`link set ${device} address ${body.mac}`];
    await ip(
      ns,
      [
        ...(created ? ['link set lo up'] : []),
        ...identity,
        ...(await interfaceLines(ns, device, index, fresh, config)),
      ],
      what,
    );
    // Its addresses are configured; what a router advertises is for guests that ask nobody else.
    if (fresh && config.addresses.some((text) => text.includes(':')))
      await setSysctl(ns, '0', [`ipv6/conf/${device}/accept_ra`], what);
    if (index > 0) return;
    try {
      await mkdir(`/etc/netns/${ns}`, { recursive: true, mode: 0o755 });
      await writeFile(`/etc/netns/${ns}/resolv.conf`, resolvConf(config.dns), { mode: 0o644 });
    } catch (error) {
      throw driverError(what, 'ip', error);
    }
  });
}

async function shape(
  ctx: LinuxContext,
  id: string,
  device: string,
  body: PortBody,
  fresh: boolean,
): Promise<void> {
  const ifb = ifbOf(id);
  const wanted = shaping(device, ifb, body);
  const what = `Port ${id}: setting its bandwidth limits`;
  const ns = ctx.names.switchNs;
  const has = ctx.kernel.devices.has(ifb);
  if (wanted.ifb && !has) await ip(ns, [`link add ${ifb} type ifb`, `link set ${ifb} up`], what);
  await tc(ns, fresh ? [] : wanted.removals, wanted.additions, what);
  if (!wanted.ifb && has) await ip(ns, [`link del ${ifb}`], what);
  if (wanted.ifb) ctx.kernel.devices.set(ifb, { master: null, kind: null, id: '', hash: '', netns: '' });
  else ctx.kernel.devices.delete(ifb);
}

/** True when flows that were allowed may no longer be: something was taken away, or what was there is not known any more. */
function mayHaveLost(before: PortBody | undefined, after: PortBody): boolean {
  if (before === undefined) return true;
  const groups = new Set(after.securityGroupIds);
  return (
    before.securityGroupIds.some((group) => !groups.has(group)) ||
    before.portSecurity !== after.portSecurity ||
    !after.adminUp
  );
}

function knownNetwork(ctx: LinuxContext, id: string, body: PortBody): NetworkBody {
  const network = ctx.networks.get(body.networkId);
  if (network === undefined)
    throw new DriverError('failed', `Port ${id}: its network ${body.networkId} is not on this host yet.`);
  for (const group of body.portSecurity ? body.securityGroupIds : [])
    if (!ctx.kernel.securityGroups.has(group))
      throw new DriverError('failed', `Port ${id}: its security group ${group} is not on this host yet.`);
  return network;
}

/** The caller holds the network. */
export async function applyPort(ctx: LinuxContext, id: string, body: PortBody): Promise<PluggedPort> {
  const network = knownNetwork(ctx, id, body);
  const { kernel, names } = ctx;
  const device = deviceOf(id, body);
  const config = guestConfig(id, body, network);
  const mark = kernel.marks.get(device) ?? freeMark(kernel.marks);
  const rules = portRules(id, device, mark, body);
  const bridge = bridgeOf(body.networkId);
  const netns = body.plug === 'netns' ? names.serverNs(body.serverId) : '';
  const shapes = shaping(device, ifbOf(id), body);
  const hash = fingerprint(rules, JSON.stringify(config), body.mac, bridge, netns, shapes.additions.join());
  const present = kernel.devices.get(device);
  if (present?.hash !== hash || present.master !== bridge) {
    const what = `Port ${id}`;
    const final: Device = { master: bridge, kind: 'port', id, hash, netns };
    // Claimed before the first await: two ports must not take the same mark.
    const fresh = !kernel.marks.has(device);
    kernel.marks.set(device, mark);
    try {
      await ctx.nft(rules, what);
    } catch (error) {
      if (fresh) kernel.marks.delete(device);
      throw error;
    }
    const cut =
      present === undefined || mayHaveLost(ctx.ports.get(id), body)
        ? cutFlows(names, names.switchNs, flowsOf(ctx, body), what)
        : null;
    await Promise.all([
      cut,
      body.plug === 'netns' ? plugIntoNamespace(ctx, id, body, config, present !== undefined) : null,
    ]);
    const lines = [
      ...(body.plug === 'tap' && present === undefined
        ? [`tuntap add dev ${device} mode tap user ${ctx.options.guestUid(body.serverId)}`]
        : []),
      `link set ${device} alias ${aliasOf({ ...final, hash: '' })}`,
      `link set ${device} mtu ${config.mtu}`,
    ];
    if (present !== undefined || shapes.additions.length > 0) {
      await ip(names.switchNs, lines.splice(0), what);
      kernel.devices.set(device, { ...final, hash: '' });
      await shape(ctx, id, device, body, present === undefined);
    }
    if (present?.master !== bridge) lines.push(`link set ${device} master ${bridge}`);
    await ip(
      names.switchNs,
      [
        ...lines,
        `link set ${device} ${body.adminUp ? 'up' : 'down'}`,
        `link set ${device} alias ${aliasOf(final)}`,
      ],
      what,
    );
    kernel.devices.set(device, final);
  }
  ctx.ports.set(id, body);
  await ctx.dhcp.setHost(body.networkId, id, dhcpHost(body, network), portOptions(short(id), body));
  if (hasDhcpInterface(network)) await ctx.listeners.ensure(body.networkId, servesIpv6(network));
  const plugged = { portId: id, mac: body.mac, mtu: config.mtu };
  return body.plug === 'tap'
    ? { ...plugged, plug: 'tap', device, netns: names.switchNs }
    : { ...plugged, plug: 'netns', netns };
}

export function ensurePort(ctx: LinuxContext, id: string, body: PortBody): Promise<PluggedPort> {
  checkId('Port', id);
  return ctx.exclusive(`network:${body.networkId}`, async () => {
    const before = ctx.ports.get(id);
    if (before !== undefined && deviceOf(id, before) !== deviceOf(id, body))
      await unplug(ctx, id, deviceOf(id, before));
    try {
      return await applyPort(ctx, id, body);
    } catch (error) {
      await ctx.refresh();
      throw error;
    }
  });
}

async function unplug(ctx: LinuxContext, id: string, device: string): Promise<void> {
  const { kernel, names } = ctx;
  const what = `Removing port ${id}`;
  const present = kernel.devices.get(device);
  const ifb = ifbOf(id);
  if (present !== undefined)
    await ip(
      names.switchNs,
      [...(kernel.devices.has(ifb) ? [`link del ${ifb}`] : []), `link del ${device}`],
      what,
    );
  kernel.devices.delete(device);
  kernel.devices.delete(ifb);
  const mark = kernel.marks.get(device);
  if (mark !== undefined) await ctx.nft(removePortRules(short(id), device, mark), what);
  kernel.marks.delete(device);
  if (present !== undefined && present.netns !== '') await removeEmptyNamespace(ctx, present.netns, what);
}

/** A container's namespace goes with its last port. */
async function removeEmptyNamespace(ctx: LinuxContext, ns: string, what: string): Promise<void> {
  await ctx.exclusive(`server:${ns}`, async () => {
    if (!(await namespaceExists(ns))) return;
    const left = await ipJson(ns, ['link', 'show'], what);
    if (left.some((link) => String(link['ifalias'] ?? '').startsWith('port:'))) return;
    await ip(null, [`netns del ${ns}`], what);
    await rm(`/etc/netns/${ns}`, { recursive: true, force: true });
  });
}

export async function removePort(ctx: LinuxContext, id: string): Promise<void> {
  const devices = [tapOf(id), vethOf(id)];
  const bridge = devices
    .map((device) => ctx.kernel.devices.get(device)?.master)
    .find((master) => typeof master === 'string');
  const networkId =
    ctx.ports.get(id)?.networkId ??
    (bridge === undefined ? '' : (ctx.kernel.devices.get(bridge ?? '')?.id ?? ''));
  await ctx.exclusive(`network:${networkId}`, async () => {
    ctx.ports.delete(id);
    try {
      await ctx.dhcp.setHost(networkId, id, null);
      for (const device of devices) await unplug(ctx, id, device);
    } catch (error) {
      await ctx.refresh();
      throw error;
    }
  });
}
