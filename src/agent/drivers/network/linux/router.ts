// A router: a namespace with one veth for each interface. Every change is the difference between the body and
// what the namespace holds, so it is repeatable from any state and leaves other flows alone.
import type { RouterBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import { address, familyOf, interfaceAddress, mac as macAddress, prefix } from './addresses.ts';
import { addressShaping, type Shaping } from './bandwidth.ts';
import {
  cutFlows,
  ip,
  ipJson,
  namespaceExists,
  nftInNamespace,
  setSysctl,
  type Flow,
  tc,
} from './commands.ts';
import type { LinuxContext } from './context.ts';
import { removeTrustedDeviceRules, trustedDeviceRules } from './filter.ts';
import { aliasOf, type Device } from './kernel-state.ts';
import { bridgeOf, checkId, fingerprint, routerGatewayOf, routerInterfaceOf, routerPortOf } from './names.ts';
import { routerRules } from './router-text.ts';

type Interface = {
  portId: string;
  networkId: string;
  mac: string;
  mtu: number;
  device: string;
  peer: string;
  addresses: string[];
};
type Route = { family: 4 | 6; destination: string; via: string };
type Plan = {
  interfaces: Interface[];
  routes: Route[];
  floating: string[];
  rules: string;
  /** Of floating addresses, at the gateway; null without one. */
  shaping: Shaping | null;
  /** Configuration of what it tells IPv6 guests; '' : nothing. */
  advertisements: string;
};

/** Marks our routes in the kernel's table (rtm_protocol), apart from those that come with addresses. */
const routeProtocol = 186;

/** In each router's namespace: what comes in for limited floating addresses goes through it. */
const addressIfb = 'limits';

/** An administratively down router forwards nothing: it stands, without interfaces. */
const effective = (body: RouterBody): RouterBody =>
  body.adminUp
    ? body
    : { adminUp: false, interfaces: [], gateway: null, floatingIps: [], portForwardings: [], routes: [] };

/** Checks every value before anything is touched. */
function planRouter(ctx: LinuxContext, id: string, desired: RouterBody): Plan {
  const body = effective(desired);
  const { gateway } = body;
  const field = `Router ${id}`;
  const mtuOf = (networkId: string): number => {
    const network = ctx.networks.get(networkId);
    if (network === undefined)
      throw new DriverError('failed', `${field}: its network ${networkId} is not on this host yet.`);
    return network.mtu;
  };
  const inner = body.interfaces.map((entry) => ({ ...entry, device: routerInterfaceOf(entry.portId) }));
  const outer = gateway === null ? [] : [{ ...gateway, device: routerGatewayOf(gateway.portId) }];
  const floating = [
    ...new Set(
      [...body.floatingIps, ...(body.portForwardings ?? [])].map(
        (entry) => `${address(`${field}: floating IP`, entry.floatingAddress, 4)}/32`,
      ),
    ),
  ];
  const interfaces = [...inner, ...outer].map(({ portId, networkId, mac, device, addresses }): Interface => {
    checkId('Port', portId);
    return {
      portId,
      networkId,
      mac: macAddress(`${field}: MAC`, mac),
      mtu: mtuOf(networkId),
      device,
      peer: routerPortOf(portId),
      addresses: [
        ...addresses.map((text) => interfaceAddress(`${field}: address`, text).text),
        ...(device.startsWith('g') ? floating : []),
      ],
    };
  });
  const routes = body.routes.map((route): Route => {
    const destination = prefix(`${field}: route destination`, route.destination);
    return {
      family: destination.family,
      destination: destination.text,
      via: address(`${field}: route next hop`, route.nexthop, destination.family),
    };
  });
  if (gateway !== null && gateway.nexthop !== null) {
    const via = address(`${field}: gateway next hop`, gateway.nexthop);
    routes.push({ family: familyOf(via), destination: 'default', via });
  }
  if (gateway?.nexthop6 !== undefined) {
    const via = address(`${field}: gateway next hop`, gateway.nexthop6, 6);
    routes.push({ family: 6, destination: 'default', via });
  }
  const advertisements = ctx.advertiser.plan(
    id,
    inner.map(({ device, networkId, advertise }) => ({
      device,
      mtu: mtuOf(networkId),
      subnets: advertise ?? [],
    })),
  );
  const limits = body.addressLimits ?? [];
  return {
    interfaces,
    routes,
    floating,
    rules: routerRules(id, body),
    shaping: outer[0] === undefined ? null : addressShaping(field, outer[0].device, addressIfb, limits),
    advertisements,
  };
}

/** Device -> its global addresses. */
type Existing = Map<string, string[]>;
const routeKey = (route: Route): string => `${route.family} ${route.destination} ${route.via}`;

async function readInterfaces(ns: string, what: string): Promise<Existing> {
  const devices = new Map<string, string[]>();
  for (const link of await ipJson(ns, ['addr', 'show'], what)) {
    const entries = Array.isArray(link['addr_info']) ? link['addr_info'] : [];
    const texts = entries
      .filter((entry) => entry.scope === 'global')
      .map((entry) => `${String(entry.local)}/${String(entry.prefixlen)}`);
    if (/^[ig][a-z2-7]{12}$/.test(String(link['ifname']))) devices.set(String(link['ifname']), texts);
  }
  return devices;
}

async function readRoutes(ns: string, what: string): Promise<Map<string, Route>> {
  const routes = new Map<string, Route>();
  const read = async (family: 4 | 6): Promise<void> => {
    const args = [`-${family}`, 'route', 'show', 'proto', `${routeProtocol}`];
    for (const row of await ipJson(ns, args, what).catch(() => [])) {
      const route = { family, destination: String(row['dst']), via: String(row['gateway']) };
      routes.set(routeKey(route), route);
    }
  };
  await Promise.all([read(4), read(6)]);
  return routes;
}

const routeLine = (verb: 'replace' | 'del', { destination, via, family }: Route): string =>
  `route ${verb} ${destination === 'default' && family === 6 ? '::/0' : destination} via ${via} proto ${routeProtocol}`;

/** Devices of this router in the switch that the plan has no use for. */
const strayPeers = (ctx: LinuxContext, id: string, keep: ReadonlySet<string>): string[] =>
  [...ctx.kernel.devices]
    .filter(([name, device]) => device.kind === 'router' && device.id === id && !keep.has(name))
    .map(([name]) => name);

async function removePeers(ctx: LinuxContext, peers: string[], what: string): Promise<void> {
  if (peers.length === 0) return;
  await ip(
    ctx.names.switchNs,
    peers.filter((peer) => ctx.kernel.devices.has(peer)).map((peer) => `link del ${peer}`),
    what,
  );
  for (const peer of peers) ctx.kernel.devices.delete(peer);
  await ctx.nft(peers.map(removeTrustedDeviceRules).join(''), what);
}

async function plugInterfaces(
  ctx: LinuxContext,
  id: string,
  ns: string,
  plan: Plan,
  existing: Existing,
  what: string,
): Promise<void> {
  await removePeers(ctx, strayPeers(ctx, id, new Set(plan.interfaces.map(({ peer }) => peer))), what);
  // A port that moved here from another router, or whose other end is gone, is plugged anew.
  const stale = plan.interfaces.filter(
    ({ peer, device }) =>
      ctx.kernel.devices.has(peer) && (ctx.kernel.devices.get(peer)?.id !== id || !existing.has(device)),
  );
  await removePeers(
    ctx,
    stale.map(({ peer }) => peer),
    what,
  );
  const missing = plan.interfaces.filter(({ peer }) => !ctx.kernel.devices.has(peer));
  await ctx.nft(plan.interfaces.map(({ peer }) => trustedDeviceRules(peer)).join(''), what);
  const aliased = ({ networkId }: Interface): Device => ({
    master: bridgeOf(networkId),
    kind: 'router',
    id,
    hash: '',
    netns: ns,
  });
  await ip(
    ctx.names.switchNs,
    missing.flatMap((entry) => [
      `link add ${entry.peer} mtu ${entry.mtu} type veth peer name ${entry.device} address ${entry.mac} mtu ${entry.mtu} netns ${ns}`,
      `link set ${entry.peer} alias ${aliasOf(aliased(entry))}`,
    ]),
    what,
  );
  for (const entry of plan.interfaces) ctx.kernel.devices.set(entry.peer, aliased(entry));
}

async function shapeAddresses(ns: string, shaping: Shaping, what: string): Promise<void> {
  const has = (await ipJson(ns, ['link', 'show'], what)).some((link) => link['ifname'] === addressIfb);
  if (shaping.ifb && !has)
    await ip(ns, [`link add ${addressIfb} type ifb`, `link set ${addressIfb} up`], what);
  await tc(ns, has ? shaping.removals : shaping.removals.slice(0, 2), shaping.additions, what);
  if (!shaping.ifb && has) await ip(ns, [`link del ${addressIfb}`], what);
}

type Forwarding = NonNullable<RouterBody['portForwardings']>[number];

/** Flows that lead elsewhere from now on. `before` undefined: made by an earlier process, so all that is forwarded is looked up anew. */
function redirected(before: RouterBody | null | undefined, after: RouterBody): Flow[] {
  if (before === null) return [];
  const to = (address: string, more: Partial<Flow> = {}): Flow => ({ match: '--orig-dst', address, ...more });
  if (before === undefined)
    return [...new Set(after.portForwardings?.map((one) => one.floatingAddress))].map((ip) => to(ip));
  const destinations = new Map(after.floatingIps.map((one) => [one.floatingAddress, one.fixedAddress]));
  const stays = new Set(after.portForwardings?.map((one) => JSON.stringify(one)));
  const single = (one: Forwarding): boolean => one.externalFirst === one.externalLast;
  return [
    ...before.floatingIps
      .filter((one) => destinations.get(one.floatingAddress) !== one.fixedAddress)
      .map((one) => to(one.floatingAddress)),
    ...(before.portForwardings ?? [])
      .filter((one) => !stays.has(JSON.stringify(one)))
      .map((one) =>
        to(one.floatingAddress, {
          protocol: one.protocol,
          ...(single(one) ? { port: one.externalFirst } : {}),
        }),
      ),
  ];
}

async function prepareNamespace(ns: string, what: string): Promise<void> {
  // Loose reverse-path filter: static routes may make paths asymmetric. arp_notify announces addresses.
  await setSysctl(ns, '2', ['ipv4/conf/all/rp_filter', 'ipv4/conf/all/arp_announce'], what);
  await setSysctl(ns, '1', ['ipv4/conf/all/arp_ignore', 'ipv4/conf/all/arp_notify', 'ipv4/ip_forward'], what);
  await setSysctl(ns, '1', ['ipv6/conf/all/forwarding'], what).catch(() => {}); // a kernel without IPv6
  // Its addresses are given, never doubted: the link-local one has to be there for the first advertisement.
  await setSysctl(ns, '0', ['ipv6/conf/default/accept_dad', 'ipv6/conf/default/accept_ra'], what).catch(
    () => {},
  );
}

async function applyRouter(ctx: LinuxContext, id: string, body: RouterBody, plan: Plan): Promise<void> {
  const ns = ctx.names.routerNs(id);
  const hash = fingerprint(JSON.stringify(plan));
  const there = await namespaceExists(ns);
  const plugged = plan.interfaces.every(
    ({ peer, networkId }) =>
      ctx.kernel.devices.get(peer)?.id === id && ctx.kernel.devices.get(peer)?.master === bridgeOf(networkId),
  );
  if (ctx.kernel.routers.get(id) === hash && there && plugged) return;
  const what = `Router ${id}`;
  // Once all of it stood, its namespace is as it should be.
  const settled = there && (ctx.kernel.routers.get(id) ?? '') !== '';
  // Without its hash while it is being changed: a crash in between must not pass for done.
  await ctx.nft(`add chain inet strata router_${id}\nflush chain inet strata router_${id}\n`, what);
  ctx.kernel.routers.set(id, '');
  if (!there) await ip(null, [`netns add ${ns}`], what);
  if (!settled) await prepareNamespace(ns, what);
  // Before any interface is up: what is private is so from the first packet on.
  await nftInNamespace(ns, plan.rules, what);
  const frame = JSON.stringify({ ...plan, rules: '' });
  if (!settled || !plugged || ctx.routerFrames.get(id) !== frame)
    await applyFrame(ctx, id, ns, plan, there, what);
  await cutFlows(ctx.names, ns, redirected(there ? ctx.routers.get(id) : null, body), what);
  await ctx.nft(
    `flush chain inet strata router_${id}\nadd rule inet strata router_${id} return comment "${hash}"\n`,
    what,
  );
  ctx.kernel.routers.set(id, hash);
  ctx.routerFrames.set(id, frame);
}

/** Interfaces, addresses, routes and limits: the difference to what is there. */
async function applyFrame(
  ctx: LinuxContext,
  id: string,
  ns: string,
  plan: Plan,
  there: boolean,
  what: string,
): Promise<void> {
  ctx.routerFrames.delete(id);
  const existing = await readInterfaces(ns, what);
  await plugInterfaces(ctx, id, ns, plan, existing, what);

  const wantedRoutes = new Map(plan.routes.map((route) => [routeKey(route), route]));
  const lines = ['link set lo up'];
  // Read after the interfaces changed: routes go with their device.
  for (const [key, route] of await readRoutes(ns, what))
    if (!wantedRoutes.has(key)) lines.push(routeLine('del', route));
  const gone: string[] = [];
  for (const { device, mac, mtu, addresses } of plan.interfaces) {
    const has = existing.get(device) ?? [];
    for (const text of has.filter((entry) => !addresses.includes(entry))) {
      lines.push(`addr del ${text} dev ${device}`);
      gone.push(text);
    }
    lines.push(`link set ${device} up`);
    for (const text of addresses.filter((entry) => !has.includes(entry)))
      lines.push(`addr replace ${text} dev ${device}${text.includes(':') ? ' nodad' : ''}`);
    lines.push(`link set ${device} mtu ${mtu}`);
    // Setting the MAC again announces every address of the device (arp_notify), for neighbours that know another owner.
    if (addresses.some((entry) => !has.includes(entry))) lines.push(`link set ${device} address ${mac}`);
  }
  await ip(ns, lines, what);
  await ip(
    ctx.names.switchNs,
    plan.interfaces.flatMap(({ peer, networkId, mtu }) => [
      `link set ${peer} mtu ${mtu} master ${bridgeOf(networkId)}`,
      `link set ${peer} up`,
    ]),
    what,
  );
  await ip(
    ns,
    plan.routes.map((route) => routeLine('replace', route)),
    what,
  );
  // A router that never had any limit is not asked about them.
  const before = ctx.routers.get(id);
  const limited = before === undefined ? there : (before.addressLimits ?? []).length > 0;
  if (plan.shaping !== null && (plan.shaping.additions.length > 0 || limited))
    await shapeAddresses(ns, plan.shaping, what);
  await cutFlows(
    ctx.names,
    ns,
    gone
      .filter((text) => text.endsWith('/32'))
      .flatMap((text) =>
        (['--orig-dst', '--reply-dst'] as const).map((match) => ({ match, address: text.slice(0, -3) })),
      ),
    what,
  );
}

export function ensureRouter(ctx: LinuxContext, id: string, body: RouterBody): Promise<void> {
  checkId('Router', id);
  return ctx.exclusive(`router:${id}`, async () => {
    try {
      const plan = planRouter(ctx, id, body);
      await applyRouter(ctx, id, body, plan);
      ctx.routers.set(id, body);
      await ctx.advertiser.ensure(id, plan.advertisements);
    } catch (error) {
      ctx.routerFrames.delete(id);
      await ctx.refresh();
      throw error;
    }
  });
}

export function removeRouter(ctx: LinuxContext, id: string): Promise<void> {
  return ctx.exclusive(`router:${id}`, async () => {
    const what = `Removing router ${id}`;
    const ns = ctx.names.routerNs(id);
    ctx.routers.delete(id);
    ctx.routerFrames.delete(id);
    try {
      await ctx.advertiser.remove(id);
      await removePeers(ctx, strayPeers(ctx, id, new Set()), what);
      if (await namespaceExists(ns)) await ip(null, [`netns del ${ns}`], what);
      if (ctx.kernel.routers.has(id))
        await ctx.nft(
          `add chain inet strata router_${id}\nflush chain inet strata router_${id}\ndelete chain inet strata router_${id}\n`,
          what,
        );
      ctx.kernel.routers.delete(id);
    } catch (error) {
      await ctx.refresh();
      throw error;
    }
  });
}
