// The topology as a graph: rows of the API in, boxes with servers in them and links between boxes out. Pure.
//
// A server has its place in the box of the first network that it is connected to; further networks are links. So the
// graph that has to be laid out is small: thousands of servers stand in rows inside a few hundred boxes.
import { toneOf, type Tone } from '../../kit/tone.ts';
import type { ServerType } from '../../compute/servers/server.ts';
import type { FloatingIp } from '../floating-ips/api.ts';
import type { Network } from '../networks/api.ts';
import type { Port } from '../ports/api.ts';
import { ownerOf } from '../ports/owner.ts';
import type { Router } from '../routers/api.ts';
import type { Subnet } from '../subnets/api.ts';

export type TopologyPort = Pick<
  Port,
  'id' | 'network_id' | 'device_id' | 'device_owner' | 'fixed_ips' | 'status'
>;
export type TopologyServer = {
  id: string;
  name: string;
  status: string;
  /** null: nothing is under way. */
  task: string | null;
  projectId: string;
  type: ServerType | null;
};

export type Rows = {
  networks: readonly Pick<
    Network,
    'id' | 'name' | 'status' | 'project_id' | 'shared' | 'admin_state_up' | 'router:external'
  >[];
  subnets: readonly Pick<Subnet, 'id' | 'network_id' | 'cidr'>[];
  ports: readonly TopologyPort[];
  routers: readonly Pick<
    Router,
    'id' | 'name' | 'status' | 'project_id' | 'admin_state_up' | 'external_gateway_info'
  >[];
  floatingIps: readonly Pick<
    FloatingIp,
    | 'id'
    | 'floating_ip_address'
    | 'floating_network_id'
    | 'port_id'
    | 'status'
    | 'project_id'
    | 'port_forwardings'
  >[];
  servers: readonly TopologyServer[];
};

export type FloatingItem = { id: string; address: string; status: string; forwardings: number };

export type ServerItem = TopologyServer & {
  tone: Tone;
  addresses: readonly string[];
  floatingIps: readonly FloatingItem[];
};

type Common = { id: string; name: string; projectId: string; tone: Tone; status: string };
export type NetworkBox = Common & {
  kind: 'network';
  external: boolean;
  shared: boolean;
  cidrs: readonly string[];
  servers: readonly ServerItem[];
  /** Floating IPs of this external network that no server has as its own. */
  floatingIps: readonly FloatingItem[];
};
/** Servers of a project that are connected to nothing that can be seen. */
export type LooseBox = Common & { kind: 'loose'; servers: readonly ServerItem[] };
export type RouterBox = Common & {
  kind: 'router';
  /** null: it leads nowhere. */
  gateway: { networkId: string; addresses: readonly string[] } | null;
};
export type Box = NetworkBox | LooseBox | RouterBox;

export type Link = {
  id: string;
  /** Of boxes. */
  source: string;
  target: string;
  kind: 'gateway' | 'interface' | 'server';
  tone: Tone;
  /** Addresses at the target. */
  label: string;
  /** Of kind 'server': which one is connected to the target too. */
  serverId?: string;
};

export type Topology = {
  boxes: readonly Box[];
  links: readonly Link[];
};

/** Switched off by its owner is no fault, whatever its state says. */
const toneOfNetworkThing = (thing: { status: string; admin_state_up: boolean }): Tone =>
  thing.admin_state_up ? toneOf(thing.status) : 'idle';

const addressesOf = (port: TopologyPort): string[] => port.fixed_ips.map(({ ip_address: ip }) => ip);

const byName = (a: { name: string; id: string }, b: { name: string; id: string }): number =>
  a.name.localeCompare(b.name, undefined, { numeric: true }) || a.id.localeCompare(b.id);

const groupBy = <T, K>(rows: readonly T[], keyOf: (row: T) => K): Map<K, T[]> => Map.groupBy(rows, keyOf);

function serverItems(rows: Rows): Map<string, { item: ServerItem; networks: string[] }> {
  const portsOf = groupBy(
    rows.ports.filter((port) => ownerOf(port) === 'server'),
    (port) => port.device_id,
  );
  const floatingOf = groupBy(rows.floatingIps, (row) => row.port_id);
  const known = new Set(rows.networks.map(({ id }) => id));
  return new Map(
    rows.servers.map((server) => {
      const ports = (portsOf.get(server.id) ?? []).toSorted((a, b) => a.id.localeCompare(b.id));
      const networks = [...new Set(ports.map((port) => port.network_id))].filter((id) => known.has(id));
      const item: ServerItem = {
        ...server,
        tone: server.task === null ? toneOf(server.status) : 'busy',
        addresses: ports.flatMap(addressesOf),
        floatingIps: ports.flatMap((port) => (floatingOf.get(port.id) ?? []).map(floatingItem)),
      };
      return [server.id, { item, networks: networks.toSorted() }];
    }),
  );
}

const floatingItem = (row: Rows['floatingIps'][number]): FloatingItem => ({
  id: row.id,
  address: row.floating_ip_address,
  status: row.status,
  forwardings: row.port_forwardings.length,
});

function routerLinks(rows: Rows, boxes: ReadonlyMap<string, Box>): Link[] {
  const gateways = rows.routers.flatMap((router): Link[] => {
    const gateway = router.external_gateway_info;
    if (gateway === null || !boxes.has(gateway.network_id)) return [];
    return [
      {
        id: `gateway ${router.id}`,
        source: gateway.network_id,
        target: router.id,
        kind: 'gateway',
        tone: toneOfNetworkThing(router),
        label: (gateway.external_fixed_ips ?? []).flatMap(({ ip_address: ip }) => ip ?? []).join(', '),
      },
    ];
  });
  const interfaces = rows.ports
    .filter((port) => ownerOf(port) === 'router' && boxes.has(port.device_id) && boxes.has(port.network_id))
    .map((port): Link => ({
      id: `interface ${port.id}`,
      source: port.device_id,
      target: port.network_id,
      kind: 'interface',
      tone: toneOf(port.status),
      label: addressesOf(port).join(', '),
    }));
  return [...gateways, ...interfaces];
}

/** Whatever order the rows come in, the graph is the same. */
export function topologyOf(rows: Rows): Topology {
  const cidrs = groupBy(rows.subnets, ({ network_id: id }) => id);
  const placed = serverItems(rows);
  const members = groupBy(
    [...placed.values()],
    ({ item, networks }) => networks[0] ?? `loose ${item.projectId}`,
  );
  const itemsIn = (id: string): ServerItem[] =>
    (members.get(id) ?? []).map(({ item }) => item).toSorted(byName);
  const serverPorts = new Set(
    rows.ports.filter((port) => ownerOf(port) === 'server' && placed.has(port.device_id)).map(({ id }) => id),
  );
  const free = groupBy(
    rows.floatingIps.filter(({ port_id: port }) => port === null || !serverPorts.has(port)),
    ({ floating_network_id: id }) => id,
  );

  const boxes: Box[] = [
    ...rows.networks.map((network): NetworkBox => ({
      kind: 'network',
      id: network.id,
      name: network.name,
      projectId: network.project_id,
      status: network.status,
      tone: toneOfNetworkThing(network),
      external: network['router:external'],
      shared: network.shared,
      cidrs: (cidrs.get(network.id) ?? []).map(({ cidr }) => cidr).toSorted(),
      servers: itemsIn(network.id),
      floatingIps: (free.get(network.id) ?? [])
        .map(floatingItem)
        .toSorted((a, b) => a.address.localeCompare(b.address, undefined, { numeric: true })),
    })),
    ...rows.routers.map((router): RouterBox => ({
      kind: 'router',
      id: router.id,
      name: router.name,
      projectId: router.project_id,
      status: router.status,
      tone: toneOfNetworkThing(router),
      gateway:
        router.external_gateway_info === null
          ? null
          : {
              networkId: router.external_gateway_info.network_id,
              addresses: (router.external_gateway_info.external_fixed_ips ?? []).flatMap(
                ({ ip_address: ip }) => ip ?? [],
              ),
            },
    })),
    ...[...members.keys()]
      .filter((id) => id.startsWith('loose '))
      .map((id): LooseBox => ({
        kind: 'loose',
        id,
        name: '',
        projectId: id.slice('loose '.length),
        status: '',
        tone: 'idle',
        servers: itemsIn(id),
      })),
  ].toSorted(byName);

  const byId = new Map(boxes.map((box) => [box.id, box]));
  const further = [...placed.values()].flatMap(({ item, networks: [home, ...others] }) =>
    others.map((network): Link => ({
      id: `server ${item.id} ${network}`,
      source: home ?? '',
      target: network,
      kind: 'server',
      tone: item.tone,
      label: item.name,
      serverId: item.id,
    })),
  );
  return {
    boxes,
    links: [...routerLinks(rows, byId), ...further].toSorted((a, b) => a.id.localeCompare(b.id)),
  };
}

export const tones = ['bad', 'warning', 'busy', 'idle', 'good'] as const satisfies readonly Tone[];

/** How many servers have which tone, what needs attention first; tones that do not occur are left out. */
export function countTones(servers: readonly Pick<ServerItem, 'tone'>[]): { tone: Tone; count: number }[] {
  const counts = groupBy(servers, ({ tone }) => tone);
  return tones.flatMap((tone) => {
    const count = counts.get(tone)?.length ?? 0;
    return count === 0 ? [] : [{ tone, count }];
  });
}
