// Routers to items: a router that is connected to something lives on one host, which also gets its networks.
import type { Tx } from '../../../kernel/db/index.ts';
import type { RouterBody } from '../../../protocol/items.ts';
import { enabledHosts, hostnames, wantedItems, type Items } from '../../host/index.ts';
import { hostsWithoutRouters } from '../agents/agents.ts';
import { routerAddresses } from '../routers/ports.ts';
import type { RouterRow } from '../routers/table.ts';
import { limitsOf } from '../qos/bindings.ts';
import { routerBody } from './bodies.ts';
import { addPair, leaveNetwork, lost, type Pairs } from './subscriptions.ts';

/** FNV-1a: spreads routers over hosts; the same router and hosts always give the same host. */
function score(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  // One more round over the high bits: the last characters alone would decide them otherwise.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Rendezvous hashing: a host that comes or goes moves only the routers that it wins or had. */
export function chooseHost(routerId: string, hostIds: readonly string[]): string | null {
  let best: string | null = null;
  let bestScore = -1;
  for (const hostId of hostIds) {
    const own = score(`${routerId} ${hostId}`);
    if (own > bestScore || (own === bestScore && best !== null && hostId < best))
      [best, bestScore] = [hostId, own];
  }
  return best;
}

type RouterHost = { id: string; zone: string };

/** Those that take further routers. */
async function routerHosts(tx: Tx): Promise<RouterHost[]> {
  const without = await hostsWithoutRouters(tx);
  return (await enabledHosts(tx)).filter(({ id }) => !without.has(id));
}

/** Of the zones that the router asks for, or of any. */
const eligible = (row: RouterRow, hosts: readonly RouterHost[]): string[] => {
  const zones = JSON.parse(row.zone_hints) as string[];
  return hosts.filter(({ zone }) => zones.length === 0 || zones.includes(zone)).map(({ id }) => id);
};

/** The router's host, kept while it is registered: a host that is only silent keeps its routers running. */
async function placeRouters(tx: Tx, routers: readonly RouterRow[]): Promise<Map<string, string>> {
  const placed = new Map<string, string>();
  const kept = [...new Set(routers.map((row) => row.host_id).filter((id) => id !== ''))];
  const alive = await hostnames(tx, kept);
  let enabled: RouterHost[] | null = null;
  for (const row of routers) {
    if (alive.has(row.host_id)) {
      placed.set(row.id, row.host_id);
      continue;
    }
    if (row.unscheduled === 1) continue;
    enabled ??= await routerHosts(tx);
    const hostId = chooseHost(row.id, eligible(row, enabled));
    await tx
      .updateTable('routers')
      .set({ host_id: hostId ?? '' })
      .where('id', '=', row.id)
      .execute();
    if (hostId !== null) placed.set(row.id, hostId);
  }
  return placed;
}

const networksOf = (body: RouterBody): string[] => [
  ...body.interfaces.map((one) => one.networkId),
  ...(body.gateway === null ? [] : [body.gateway.networkId]),
];

export const compileRouters =
  (items: Items) =>
  async (tx: Tx, ids: string[]): Promise<void> => {
    const rows = await tx.selectFrom('routers').selectAll().where('id', 'in', ids).execute();
    const addresses = Map.groupBy(await routerAddresses(tx, ids), (one) => one.router_id);
    const floating = Map.groupBy(
      await tx
        .selectFrom('floating_ips')
        .select(['id', 'router_id', 'floating_ip_address', 'fixed_ip_address'])
        .where('router_id', 'in', ids)
        .where('fixed_port_id', 'is not', null)
        .orderBy('id')
        .execute(),
      (row) => row.router_id ?? '',
    );
    const forwardings = Map.groupBy(
      await tx
        .selectFrom('port_forwardings as w')
        .innerJoin('floating_ips as f', 'f.id', 'w.floating_ip_id')
        .selectAll('w')
        .select(['f.router_id', 'f.floating_ip_address'])
        .where('f.router_id', 'in', ids)
        .orderBy('w.id')
        .execute(),
      (row) => row.router_id ?? '',
    );
    const served = Map.groupBy(
      await tx
        .selectFrom('floating_ips')
        .select(['id', 'router_id', 'floating_network_id', 'floating_ip_address'])
        .where('router_id', 'in', ids)
        .orderBy('id')
        .execute(),
      (row) => row.router_id ?? '',
    );
    const limits = await limitsOf(
      tx,
      [...served.values()].flat().map((row) => ({ id: row.id, networkId: row.floating_network_id })),
    );
    const before = await wantedItems(tx, 'router', ids);
    const networksBefore: Pairs = new Map();
    for (const old of before)
      for (const network of networksOf(JSON.parse(old.body) as RouterBody))
        addPair(networksBefore, old.hostId, network);
    const networksNow: Pairs = new Map();
    const connected = rows.filter((row) => addresses.has(row.id));
    const placed = await placeRouters(tx, connected);
    for (const id of ids) {
      const row = connected.find((one) => one.id === id);
      const oldHosts = before.filter((old) => old.id === id).map((old) => old.hostId);
      const hostId = placed.get(id);
      // While no host takes routers there is no item: nobody would subscribe to it, so nobody would drop it.
      if (row === undefined || hostId === undefined) {
        if (oldHosts.length > 0) await items.drop(tx, 'router', id);
        continue;
      }
      const body = routerBody(
        row,
        addresses.get(id) ?? [],
        floating.get(id) ?? [],
        forwardings.get(id) ?? [],
        (served.get(id) ?? []).flatMap((one) => {
          const own = limits.get(one.id);
          return own?.egressKbps === undefined && own?.ingressKbps === undefined
            ? []
            : [{ address: one.floating_ip_address, ...own }];
        }),
      );
      await items.put(tx, 'router', id, body);
      for (const host of oldHosts) if (host !== hostId) await items.unsubscribe(tx, host, 'router', id);
      await items.subscribe(tx, hostId, 'router', id);
      for (const network of networksOf(body)) addPair(networksNow, hostId, network);
    }
    for (const pair of networksNow.values()) await items.subscribe(tx, pair.hostId, 'network', pair.id);
    for (const pair of lost(networksBefore, networksNow)) await leaveNetwork(tx, items, pair.hostId, pair.id);
  };
