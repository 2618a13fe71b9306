// The controllers of everything that moves packets: each is its driver's verb and what must be there first.
import type { ItemKind, NetworkBody } from '../../protocol/items.ts';
import { referencesOf, type Controller } from '../controller.ts';
import type { PluggedPort } from '../drivers/guest/driver.ts';
import type { NetworkDriver, NetworkObjects } from '../drivers/network/driver.ts';

type NetworkKind = Exclude<ItemKind, 'server' | 'volume' | 'snapshot'>;

/** The network as this host has it: without DHCP where operators took it away. */
const servedHere = (body: NetworkBody, hostname: string): NetworkBody =>
  body.noDhcpOn?.includes(hostname) === true
    ? {
        ...body,
        subnets: body.subnets.map((subnet) => ({
          ...subnet,
          enableDhcp: false,
          dhcpIp: null,
          dhcpMac: null,
        })),
      }
    : body;

/** How ports are plugged, by port id: written by the port controller, read by the server controller. */
export type Plugged = Map<string, PluggedPort>;

export function networkingControllers(
  driver: NetworkDriver,
  plugged: Plugged,
  /** This host's own. */
  hostname: string,
): { [K in NetworkKind]: Controller<K> } {
  const watchOnly =
    (kind: 'network' | 'router' | 'port') =>
    (changed: (id: string) => void): (() => void) =>
      driver.watch((changedKind, id) => {
        if (changedKind === kind) changed(id);
      });
  const neverChanges = () => () => {};
  /** One look at the kernel answers for every kind that asks meanwhile. */
  let looking: Promise<NetworkObjects> | null = null;
  const look = (): Promise<NetworkObjects> =>
    (looking ??= driver.observe().finally(() => {
      looking = null;
    }));
  const observe = (of: keyof NetworkObjects) => async () => (await look())[of];
  return {
    network: {
      kind: 'network',
      needs: referencesOf,
      async ensure(item) {
        if (item.body !== null) await driver.ensureNetwork(item.id, servedHere(item.body, hostname));
        return {};
      },
      remove: (id) => driver.removeNetwork(id),
      observe: observe('networks'),
      watch: watchOnly('network'),
    },
    'address-group': {
      kind: 'address-group',
      needs: referencesOf,
      async ensure(item) {
        if (item.body !== null) await driver.ensureAddressGroup(item.id, item.body);
        return {};
      },
      remove: (id) => driver.removeAddressGroup(id),
      observe: observe('addressGroups'),
      watch: neverChanges,
    },
    'security-group': {
      kind: 'security-group',
      needs: referencesOf,
      async ensure(item) {
        if (item.body !== null) await driver.ensureSecurityGroup(item.id, item.body);
        return {};
      },
      remove: (id) => driver.removeSecurityGroup(id),
      observe: observe('securityGroups'),
      watch: neverChanges,
    },
    router: {
      kind: 'router',
      needs: referencesOf,
      async ensure(item) {
        if (item.body !== null) await driver.ensureRouter(item.id, item.body);
        return {};
      },
      remove: (id) => driver.removeRouter(id),
      observe: observe('routers'),
      watch: watchOnly('router'),
    },
    port: {
      kind: 'port',
      needs: referencesOf,
      async ensure(item) {
        if (item.body !== null) plugged.set(item.id, await driver.ensurePort(item.id, item.body));
        return {};
      },
      async remove(id) {
        plugged.delete(id);
        await driver.removePort(id);
      },
      observe: observe('ports'),
      watch: watchOnly('port'),
    },
  };
}
