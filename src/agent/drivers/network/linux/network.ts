// A network: its bridge in the switch namespace, and a namespace of its own where DHCP and metadata answer.
import type { NetworkBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import { ip, ipJson, namespaceExists, setSysctl } from './commands.ts';
import type { LinuxContext } from './context.ts';
import { hasHost } from './external.ts';
import {
  dhcpServerRules,
  metadataAddress,
  metadataAddress6,
  removeTrustedDeviceRules,
  removeZoneRules,
  trustedDeviceRules,
  zoneRules,
} from './filter.ts';
import { hasDhcpInterface, servesIpv6, servingSubnets, subnetConfig } from './guest-config.ts';
import { aliasOf, type Device } from './kernel-state.ts';
import { bridgeOf, checkId, dhcpInterface, dhcpPortOf, fingerprint, hostPort, macOf } from './names.ts';
import { applyPort } from './port.ts';

function freeZone(zones: ReadonlyMap<string, number>, networkId: string): number {
  const used = new Set(zones.values());
  for (let zone = 1; zone <= 65_535; zone++) if (!used.has(zone)) return zone;
  throw new DriverError(
    'failed',
    `Network ${networkId}: this host already has 65,535 networks, one for each conntrack zone.`,
  );
}

/** The namespace with the DHCP address(es); one interface and one MAC for all subnets, as Neutron's DHCP port. */
async function ensureNamespace(ctx: LinuxContext, id: string, network: NetworkBody): Promise<void> {
  const ns = ctx.names.networkNs(id);
  const port = dhcpPortOf(id);
  const what = `Network ${id}: preparing DHCP and metadata`;
  const subnets = servingSubnets(network);
  const mac = subnets.find(({ dhcpMac }) => dhcpMac !== null)?.dhcpMac ?? macOf(`dhcp ${id}`);
  const created = !(await namespaceExists(ns));
  if (created) await ip(null, [`netns add ${ns}`], what);
  const ipv6 = servesIpv6(network);
  const enableIpv6 = (off: '0' | '1'): Promise<void> =>
    setSysctl(ns, off, ['ipv6/conf/all/disable_ipv6', 'ipv6/conf/default/disable_ipv6'], what).catch(
      () => {}, // a kernel without IPv6
    );
  if (!ipv6) await enableIpv6('1');
  else if (created)
    // Its addresses are given, by nobody's advertisement, and are there for the first guest.
    await setSysctl(ns, '0', ['ipv6/conf/default/accept_ra', 'ipv6/conf/default/accept_dad'], what);
  const plugged =
    !created && (await ipJson(ns, ['link', 'show'], what)).some((link) => link['ifname'] === dhcpInterface);
  if (!plugged)
    await ip(
      ctx.names.switchNs,
      [
        ...(ctx.kernel.devices.has(port) ? [`link del ${port}`] : []),
        `link add ${port} type veth peer name ${dhcpInterface} netns ${ns}`,
      ],
      what,
    );
  if (ipv6) {
    const own = `ipv6/conf/${dhcpInterface}`;
    await setSysctl(ns, '0', [`${own}/accept_ra`, `${own}/accept_dad`], what);
    await enableIpv6('0');
  }
  const wanted = subnets.map((subnet) => `${subnet.dhcpIp ?? ''}/${subnetConfig(subnet).prefixLength}`);
  const stale: string[] = [];
  for (const link of plugged ? await ipJson(ns, ['addr', 'show', 'dev', dhcpInterface], what) : [])
    for (const entry of Array.isArray(link['addr_info']) ? link['addr_info'] : []) {
      const text = `${String(entry.local)}/${String(entry.prefixlen)}`;
      if (entry.scope === 'global' && !wanted.includes(text))
        stale.push(`addr del ${text} dev ${dhcpInterface}`);
    }
  await ip(
    ns,
    [
      'link set lo up',
      `addr replace ${metadataAddress}/32 dev lo`,
      ...stale,
      `link set ${dhcpInterface} address ${mac} mtu ${network.mtu}`,
      ...wanted.map(
        (text) => `addr replace ${text} dev ${dhcpInterface}${text.includes(':') ? ' nodad' : ''}`,
      ),
      ...(ipv6 ? [`addr replace ${metadataAddress6}/64 dev ${dhcpInterface} nodad`] : []),
      `link set ${dhcpInterface} up`,
    ],
    what,
  );
  await ip(
    ctx.names.switchNs,
    [`link set ${port} mtu ${network.mtu} master ${bridgeOf(id)}`, `link set ${port} up`],
    what,
  );
  ctx.kernel.devices.set(port, { master: bridgeOf(id), kind: null, id: '', hash: '', netns: ns });
}

async function removeNamespace(ctx: LinuxContext, id: string): Promise<void> {
  const ns = ctx.names.networkNs(id);
  const port = dhcpPortOf(id);
  const what = `Network ${id}: removing DHCP and metadata`;
  ctx.listeners.remove(id);
  await ctx.dhcp.remove(id);
  if (ctx.kernel.devices.has(port)) await ip(ctx.names.switchNs, [`link del ${port}`], what);
  ctx.kernel.devices.delete(port);
  if (await namespaceExists(ns)) await ip(null, [`netns del ${ns}`], what);
}

async function applyNetwork(ctx: LinuxContext, id: string, network: NetworkBody): Promise<boolean> {
  const { kernel, names } = ctx;
  const bridge = bridgeOf(id);
  const configs = network.subnets.map(subnetConfig); // refuses before anything is touched
  const zone = kernel.zones.get(bridge) ?? freeZone(kernel.zones, id);
  const host = hasHost(network, ctx.options.externalCidr);
  const serving = servingSubnets(network).map((subnet) => ({ ip: subnet.dhcpIp ?? '', mac: subnet.dhcpMac }));
  // DNS and routes are part of it because the containers' interfaces are configured from them.
  const hash = fingerprint(
    JSON.stringify([network.mtu, network.adminUp, host, zone, serving, configs, names.networkNs(id)]),
  );
  const present = kernel.devices.get(bridge);
  const answering =
    serving.length === 0 ||
    (kernel.devices.get(dhcpPortOf(id))?.master === bridge && (await namespaceExists(names.networkNs(id))));
  if (present?.hash === hash && answering && (!host || kernel.devices.get(hostPort)?.master === bridge))
    return false;
  const what = `Network ${id}`;
  const final: Device = { master: null, kind: 'network', id, hash, netns: '' };
  const servers = serving.map(({ ip: server }) => server).filter((server) => !server.includes(':'));
  const fresh = !kernel.zones.has(bridge);
  kernel.zones.set(bridge, zone);
  try {
    await ctx.nft(
      zoneRules(bridge, zone) +
        dhcpServerRules(bridge, kernel.dhcpServers.get(bridge) ?? [], servers) +
        (serving.length === 0 ? '' : trustedDeviceRules(dhcpPortOf(id))),
      what,
    );
  } catch (error) {
    if (fresh) kernel.zones.delete(bridge);
    throw error;
  }
  kernel.dhcpServers.set(bridge, servers);
  await ip(
    names.switchNs,
    [
      ...(present === undefined
        ? [
            `link add ${bridge} address ${macOf(`bridge ${id}`)} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
          ]
        : []),
      `link set ${bridge} alias ${aliasOf({ ...final, hash: '' })}`,
      `link set ${bridge} type bridge nf_call_iptables 1 nf_call_ip6tables 1`,
      // Frames to 01-80-C2-00-00-0x pass no filter; learning from them would let a guest take over a MAC.
      `link set ${bridge} type bridge no_linklocal_learn 1`,
      `link set ${bridge} mtu ${network.mtu} ${network.adminUp ? 'up' : 'down'}`,
      ...(host ? [`link set ${hostPort} master ${bridge}`, `link set ${hostPort} up`] : []),
    ],
    what,
  );
  kernel.devices.set(bridge, { ...final, hash: '' });
  if (host) kernel.devices.set(hostPort, { master: bridge, kind: null, id: '', hash: '', netns: '' });
  if (serving.length > 0) await ensureNamespace(ctx, id, network);
  else await removeNamespace(ctx, id);
  await ip(names.switchNs, [`link set ${bridge} alias ${aliasOf(final)}`], what);
  kernel.devices.set(bridge, final);
  return true;
}

export function ensureNetwork(ctx: LinuxContext, id: string, network: NetworkBody): Promise<void> {
  checkId('Network', id);
  return ctx.exclusive(`network:${id}`, async () => {
    try {
      const changed = await applyNetwork(ctx, id, network);
      ctx.networks.set(id, network);
      await ctx.dhcp.ensure(id, network);
      if (hasDhcpInterface(network))
        ctx.listeners
          .ensure(id, servesIpv6(network))
          .catch((error: unknown) =>
            ctx.options.log.warn({ networkId: id, error: String(error) }, 'metadata does not listen yet'),
          );
      if (changed) await refreshPorts(ctx, id);
    } catch (error) {
      await ctx.refresh();
      throw error;
    }
  });
}

/** Ports are configured from their subnets; one that cannot follow keeps its old state and is reported. */
async function refreshPorts(ctx: LinuxContext, networkId: string): Promise<void> {
  for (const [portId, port] of ctx.ports) {
    if (port.networkId !== networkId) continue;
    try {
      await applyPort(ctx, portId, port);
    } catch (error) {
      ctx.options.log.warn({ portId, error: String(error) }, 'a port could not follow its network');
      ctx.notify('port', portId);
    }
  }
}

export function removeNetwork(ctx: LinuxContext, id: string): Promise<void> {
  const bridge = bridgeOf(id);
  return ctx.exclusive(`network:${id}`, async () => {
    const { kernel, names } = ctx;
    const users = [...kernel.devices.values()].filter(
      (device) => device.master === bridge && (device.kind === 'port' || device.kind === 'router'),
    );
    if (users.length > 0)
      throw new DriverError(
        'failed',
        `Network ${id} still has ${users.length} port(s) or router(s) on this host, e.g. ${users[0]?.kind} ${users[0]?.id}: remove them first.`,
      );
    const what = `Removing network ${id}`;
    ctx.networks.delete(id);
    try {
      await removeNamespace(ctx, id);
      if (kernel.devices.has(bridge)) await ip(names.switchNs, [`link del ${bridge}`], what);
      kernel.devices.delete(bridge);
      const zone = kernel.zones.get(bridge);
      if (zone !== undefined)
        await ctx.nft(
          dhcpServerRules(bridge, kernel.dhcpServers.get(bridge) ?? [], []) +
            removeTrustedDeviceRules(dhcpPortOf(id)) +
            removeZoneRules(bridge, zone),
          what,
        );
      kernel.zones.delete(bridge);
      kernel.dhcpServers.delete(bridge);
    } catch (error) {
      await ctx.refresh();
      throw error;
    }
  });
}
