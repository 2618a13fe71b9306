// What the kernel holds of one cloud, read in two commands: the truth for adoption, for `observe()` and for
// the numbers (marks, zones) that must stay as they are while guests run.
import type { NetworkObjects } from '../driver.ts';
import { inNamespace, ipJson, namespaceExists } from './commands.ts';
import type { CloudNames } from './names.ts';

export type DeviceKind = 'network' | 'port' | 'router';
export type Device = {
  master: string | null;
  kind: DeviceKind | null;
  id: string;
  hash: string;
  /** Of a container's port: its namespace. */
  netns: string;
};

export type KernelState = {
  /** Devices of the switch namespace by name. */
  devices: Map<string, Device>;
  /** Device -> packet mark; its presence proves that the port's rules stand. */
  marks: Map<string, number>;
  /** Bridge -> conntrack zone. */
  zones: Map<string, number>;
  /** Bridge -> DHCP server addresses. */
  dhcpServers: Map<string, string[]>;
  /** Security group -> hash of its applied body. */
  securityGroups: Map<string, string>;
  addressGroups: Map<string, Set<string>>;
  /** Router -> hash of its applied body, '' while it was never fully applied. */
  routers: Map<string, string>;
};

export const emptyState = (): KernelState => ({
  devices: new Map(),
  marks: new Map(),
  zones: new Map(),
  dhcpServers: new Map(),
  securityGroups: new Map(),
  addressGroups: new Map(),
  routers: new Map(),
});

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** An alias is `kind:id:hash:netns`; the hash is written last, when all of the object stands. */
export const aliasOf = ({ kind, id, hash, netns }: Device): string => `${kind ?? ''}:${id}:${hash}:${netns}`;

export async function readDevices(names: CloudNames): Promise<Map<string, Device>> {
  const devices = new Map<string, Device>();
  for (const row of await ipJson(names.switchNs, ['link', 'show'], 'Reading the devices of the switch')) {
    const [kind = '', id = '', hash = '', netns = ''] = text(row['ifalias']).split(':');
    devices.set(text(row['ifname']), {
      master: typeof row['master'] === 'string' ? row['master'] : null,
      kind: kind === 'network' || kind === 'port' || kind === 'router' ? kind : null,
      id,
      hash,
      netns,
    });
  }
  return devices;
}

/** One set element as the text in which it was added. */
function elementText(element: unknown): string {
  if (typeof element === 'string') return element;
  if (!isObject(element)) return '';
  const { prefix, range, elem } = element;
  if (isObject(prefix)) return `${text(prefix['addr'])}/${String(prefix['len'])}`;
  if (Array.isArray(range)) return range.map(text).join('-');
  return isObject(elem) ? elementText(elem['val']) : '';
}

const after = (name: string, start: string): string | null =>
  name.startsWith(start) ? name.slice(start.length) : null;

function readTable(state: KernelState, entry: Json): void {
  const map = isObject(entry['map']) ? entry['map'] : null;
  const set = isObject(entry['set']) ? entry['set'] : null;
  const chain = isObject(entry['chain']) ? entry['chain'] : null;
  const rule = isObject(entry['rule']) ? entry['rule'] : null;
  if (map !== null) {
    const target =
      map['name'] === 'device_marks' ? state.marks : map['name'] === 'zones' ? state.zones : null;
    for (const element of list(map['elem'])) {
      const [key, value] = list(element);
      if (target !== null && typeof key === 'string' && typeof value === 'number') target.set(key, value);
    }
  }
  if (set !== null) {
    const name = text(set['name']);
    const group = after(name, 'ag4_') ?? after(name, 'ag6_');
    if (group !== null) {
      const known = state.addressGroups.get(group) ?? new Set();
      for (const element of list(set['elem'])) known.add(elementText(element));
      state.addressGroups.set(group, known);
    }
    if (name === 'dhcp_servers')
      for (const element of list(set['elem'])) {
        const [bridge, ip] = isObject(element) ? list(element['concat']).map(text) : [];
        if (bridge !== undefined && ip !== undefined)
          state.dhcpServers.set(bridge, [...(state.dhcpServers.get(bridge) ?? []), ip]);
      }
  }
  const chainName = text(chain?.['name'] ?? rule?.['chain']);
  const comment = text(rule?.['comment']);
  const group = after(chainName, 'sgi_');
  const router = after(chainName, 'router_');
  if (group !== null) state.securityGroups.set(group, comment || (state.securityGroups.get(group) ?? ''));
  if (router !== null) state.routers.set(router, comment || (state.routers.get(router) ?? ''));
}

/** All of it; empty while the switch namespace is not there. */
export async function readKernelState(names: CloudNames): Promise<KernelState> {
  const state = emptyState();
  if (!(await namespaceExists(names.switchNs))) return state;
  state.devices = await readDevices(names);
  const listing = await inNamespace(names.switchNs, ['nft', '-j', 'list', 'ruleset'], {
    what: 'Reading the packet filter of the switch',
    maxOutput: 256 * 1024 * 1024,
  });
  const parsed: unknown = JSON.parse(listing);
  for (const entry of isObject(parsed) ? list(parsed['nftables']) : [])
    if (isObject(entry)) readTable(state, entry);
  return state;
}

export function objectsOf(state: KernelState): NetworkObjects {
  const devices = [...state.devices.values()];
  const unique = (kind: DeviceKind): string[] =>
    [...new Set(devices.filter((device) => device.kind === kind).map(({ id }) => id))].sort();
  return {
    networks: unique('network'),
    ports: unique('port'),
    routers: [...state.routers.keys()].sort(),
    securityGroups: [...state.securityGroups.keys()].sort(),
    addressGroups: [...state.addressGroups.keys()].sort(),
  };
}
