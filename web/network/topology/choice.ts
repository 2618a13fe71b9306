// What is chosen in the topology, and how it is found by a search. Pure.
import type { Box, FloatingItem, ServerItem, Topology } from './model.ts';

/** A box, or a server or floating IP in it. */
export type Choice = { boxId: string; serverId?: string; floatingIpId?: string };

export type Found = {
  /** Unique among all that can be found. */
  key: string;
  kind: 'server' | 'network' | 'router' | 'floatingIp';
  name: string;
  /** What else it is found by: addresses, state. */
  more: string;
  choice: Choice;
};

const namedOr = (name: string, id: string): string => (name === '' ? id.slice(0, 8) : name);

const ofFloatingIp = (item: FloatingItem, choice: Choice, more: string): Found => ({
  key: `floating ${item.id}`,
  kind: 'floatingIp',
  name: item.address,
  more,
  choice: { ...choice, floatingIpId: item.id },
});

function ofServer(server: ServerItem, boxId: string): Found[] {
  const choice = { boxId, serverId: server.id };
  const name = namedOr(server.name, server.id);
  return [
    { key: `server ${server.id}`, kind: 'server', name, more: server.addresses.join(' '), choice },
    ...server.floatingIps.map((item) => ofFloatingIp(item, choice, name)),
  ];
}

function ofBox(box: Box): Found[] {
  const choice = { boxId: box.id };
  if (box.kind === 'router')
    return [
      {
        key: `router ${box.id}`,
        kind: 'router',
        name: namedOr(box.name, box.id),
        more: box.gateway?.addresses.join(' ') ?? '',
        choice,
      },
    ];
  const servers = box.servers.flatMap((server) => ofServer(server, box.id));
  if (box.kind === 'loose') return servers;
  const name = namedOr(box.name, box.id);
  return [
    { key: `network ${box.id}`, kind: 'network', name, more: box.cidrs.join(' '), choice },
    ...box.floatingIps.map((item) => ofFloatingIp(item, choice, name)),
    ...servers,
  ];
}

/** Everything with a name or an address, boxes before what is in them. */
export const findable = (topology: Topology): Found[] => topology.boxes.flatMap(ofBox);

export const matches = ({ name, more, key }: Found, text: string): boolean => {
  const wanted = text.trim().toLowerCase();
  return `${name} ${more} ${key}`.toLowerCase().includes(wanted);
};

export const serverIn = (topology: Topology, { boxId, serverId }: Choice): ServerItem | undefined => {
  const box = topology.boxes.find(({ id }) => id === boxId);
  return box === undefined || box.kind === 'router' || serverId === undefined
    ? undefined
    : box.servers.find(({ id }) => id === serverId);
};
