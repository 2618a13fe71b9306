// The simulated network of one host: a plain object that outlives a simulated crash of the agent, and a driver
// over it that keeps the contract's order of things and can be told to fail.
import type {
  AddressGroupBody,
  NetworkBody,
  PortBody,
  RouterBody,
  SecurityGroupBody,
} from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import type { PluggedPort } from '../../guest/driver.ts';
import type { MetadataSource, NetworkDriver } from '../driver.ts';

export type NetworkVerb = Exclude<keyof NetworkDriver, 'watch' | 'close'>;

export type SimNetworkHost = {
  networks: Map<string, NetworkBody>;
  ports: Map<string, PortBody>;
  routers: Map<string, RouterBody>;
  securityGroups: Map<string, SecurityGroupBody>;
  addressGroups: Map<string, AddressGroupBody>;
  /** Called before each verb; an error that it returns is thrown and the verb does nothing. `id` is '' for start and observe. */
  fail?: (verb: NetworkVerb, id: string) => DriverError | null;
  /** Those who watch; `disturb` calls them. They belong to a driver and go with it. */
  watchers: Set<Parameters<NetworkDriver['watch']>[0]>;
  /** Of the driver that runs now; lets a test ask what a guest would be told. */
  metadata: MetadataSource | null;
};

export const createSimNetworkHost = (): SimNetworkHost => ({
  networks: new Map(),
  ports: new Map(),
  routers: new Map(),
  securityGroups: new Map(),
  addressGroups: new Map(),
  watchers: new Set(),
  metadata: null,
});

/** Tells those who watch that something outside touched an object of this host. */
export function disturb(host: SimNetworkHost, kind: 'network' | 'router' | 'port', id: string): void {
  for (const changed of [...host.watchers]) changed(kind, id);
}

const absent = (kind: string, id: string, what: string, missing: string): DriverError =>
  new DriverError('failed', `${kind} ${id}: its ${what} ${missing} is not on this host yet.`);

export function createSimNetworkDriver(host: SimNetworkHost): NetworkDriver {
  const own = new Set<Parameters<NetworkDriver['watch']>[0]>();

  /** A verb is one step: it fails before it did anything, or it is done. */
  async function step<T>(verb: NetworkVerb, id: string, work: () => T): Promise<T> {
    const fault = host.fail?.(verb, id) ?? null;
    if (fault !== null) throw fault;
    return work();
  }

  /** Not copied: bodies are never changed, and a group of thousands of addresses is on each of a thousand hosts. */
  function put<T>(map: Map<string, T>, id: string, body: T): void {
    map.set(id, body);
  }

  function checkPort(id: string, body: PortBody): NetworkBody {
    const network = host.networks.get(body.networkId);
    if (network === undefined) throw absent('Port', id, 'network', body.networkId);
    for (const group of body.portSecurity ? body.securityGroupIds : [])
      if (!host.securityGroups.has(group)) throw absent('Port', id, 'security group', group);
    for (const { subnetId, ipAddress } of body.fixedIps)
      if (!network.subnets.some((subnet) => subnet.id === subnetId))
        throw new DriverError(
          'refused',
          `Port ${id}: its fixed IP ${ipAddress} names the subnet ${subnetId}, which is not in network ${body.networkId}.`,
        );
    return network;
  }

  return {
    start: (metadata) =>
      step('start', '', () => {
        host.metadata = metadata;
        return {
          capabilities: [
            'dhcp',
            'dhcpv6',
            'router-advertisements',
            'metadata',
            'security-groups',
            'routers',
            'floating-ips',
            'bandwidth-limits',
            'plug-tap',
            'plug-netns',
          ],
        };
      }),
    observe: () =>
      step('observe', '', () => ({
        networks: [...host.networks.keys()].sort(),
        ports: [...host.ports.keys()].sort(),
        routers: [...host.routers.keys()].sort(),
        securityGroups: [...host.securityGroups.keys()].sort(),
        addressGroups: [...host.addressGroups.keys()].sort(),
      })),
    ensureNetwork: (id, body) => step('ensureNetwork', id, () => put(host.networks, id, body)),
    removeNetwork: (id) =>
      step('removeNetwork', id, () => {
        const port = [...host.ports].find(([, { networkId }]) => networkId === id);
        const router = [...host.routers].find(([, body]) =>
          [...body.interfaces, ...(body.gateway === null ? [] : [body.gateway])].some(
            ({ networkId }) => networkId === id,
          ),
        );
        const user =
          port === undefined ? (router === undefined ? null : `router ${router[0]}`) : `port ${port[0]}`;
        if (user !== null)
          throw new DriverError(
            'failed',
            `Network ${id} still has ports or routers on this host, e.g. ${user}: remove them first.`,
          );
        host.networks.delete(id);
      }),
    ensureAddressGroup: (id, body) => step('ensureAddressGroup', id, () => put(host.addressGroups, id, body)),
    removeAddressGroup: (id) =>
      step('removeAddressGroup', id, () => {
        if (
          [...host.securityGroups.values()].some(({ rules }) =>
            rules.some(({ remoteGroupId }) => remoteGroupId === id),
          )
        )
          throw new DriverError(
            'failed',
            `Address group ${id} is still named by a security group rule on this host.`,
          );
        host.addressGroups.delete(id);
      }),
    ensureSecurityGroup: (id, body) =>
      step('ensureSecurityGroup', id, () => {
        for (const { remoteGroupId } of body.rules)
          if (remoteGroupId !== null && !host.addressGroups.has(remoteGroupId))
            throw absent('Security group', id, 'address group', remoteGroupId);
        put(host.securityGroups, id, body);
      }),
    removeSecurityGroup: (id) =>
      step('removeSecurityGroup', id, () => {
        if ([...host.ports.values()].some((port) => port.portSecurity && port.securityGroupIds.includes(id)))
          throw new DriverError('failed', `Security group ${id} is still used by a port on this host.`);
        host.securityGroups.delete(id);
      }),
    ensureRouter: (id, body) =>
      step('ensureRouter', id, () => {
        for (const { networkId } of [...body.interfaces, ...(body.gateway === null ? [] : [body.gateway])])
          if (body.adminUp && !host.networks.has(networkId)) throw absent('Router', id, 'network', networkId);
        const orphan = [...body.floatingIps, ...(body.portForwardings ?? [])][0];
        if (body.adminUp && body.gateway === null && orphan !== undefined)
          throw new DriverError(
            'refused',
            `Router ${id}: floating IP ${orphan.floatingAddress} needs an external gateway.`,
          );
        const whole = new Set(body.floatingIps.map(({ floatingAddress }) => floatingAddress));
        for (const one of body.portForwardings ?? [])
          if (
            whole.has(one.floatingAddress) ||
            (body.portForwardings ?? []).some(
              (other) =>
                other !== one &&
                other.floatingAddress === one.floatingAddress &&
                other.protocol === one.protocol &&
                other.externalFirst <= one.externalLast &&
                one.externalFirst <= other.externalLast,
            )
          )
            throw new DriverError(
              'refused',
              `Router ${id}: ${one.protocol} port ${one.externalFirst} of floating IP ${one.floatingAddress} is forwarded twice.`,
            );
        put(host.routers, id, body);
      }),
    removeRouter: (id) => step('removeRouter', id, () => void host.routers.delete(id)),
    ensurePort: (id, body) =>
      step('ensurePort', id, (): PluggedPort => {
        const { mtu } = checkPort(id, body);
        put(host.ports, id, body);
        const plugged = { portId: id, mac: body.mac, mtu };
        return body.plug === 'tap'
          ? { ...plugged, plug: 'tap', device: `tap-${id}`, netns: 'sim' }
          : { ...plugged, plug: 'netns', netns: `sim-${body.serverId}` };
      }),
    removePort: (id) => step('removePort', id, () => void host.ports.delete(id)),
    watch(changed) {
      own.add(changed);
      host.watchers.add(changed);
      return () => {
        own.delete(changed);
        host.watchers.delete(changed);
      };
    },
    async close() {
      for (const changed of own) host.watchers.delete(changed);
    },
  };
}
