// The contract for whatever moves packets on a host. One verb a kind of item; the agent's controllers
// call them, and `observe()` is the kernel's own truth for adoption and for finding leaks.
import type {
  AddressGroupBody,
  NetworkBody,
  PortBody,
  RouterBody,
  SecurityGroupBody,
  ServerBody,
} from '../../../protocol/items.ts';
import type { ConfigFile } from '../guest/config-drive.ts';
import type { PluggedPort } from '../guest/driver.ts';

export type NetworkObjects = {
  networks: string[];
  ports: string[];
  routers: string[];
  securityGroups: string[];
  addressGroups: string[];
};

/** What the metadata service tells one guest; looked up by (network, source address). */
export type MetadataSource = (
  networkId: string,
  sourceIp: string,
) => { serverId: string; body: ServerBody } | null;

/**
 * Every verb is idempotent, applies atomically (a port's rules stand before its first packet) and may be
 * repeated after a crash at any await. Calls for different objects may run concurrently; the driver
 * serializes what must be. A body that the kernel refuses throws DriverError and leaves every other object as it was.
 */
export type NetworkDriver = {
  /** Probes the kernel and creates what the whole cloud shares on this host. */
  start(metadata: MetadataSource): Promise<{ capabilities: string[] }>;
  observe(): Promise<NetworkObjects>;
  ensureNetwork(id: string, body: NetworkBody): Promise<void>;
  removeNetwork(id: string): Promise<void>;
  ensureAddressGroup(id: string, body: AddressGroupBody): Promise<void>;
  removeAddressGroup(id: string): Promise<void>;
  ensureSecurityGroup(id: string, body: SecurityGroupBody): Promise<void>;
  removeSecurityGroup(id: string): Promise<void>;
  ensureRouter(id: string, body: RouterBody): Promise<void>;
  removeRouter(id: string): Promise<void>;
  /** Needs the port's network and security groups to be there. Filters are in place when it returns. */
  ensurePort(id: string, body: PortBody): Promise<PluggedPort>;
  removePort(id: string): Promise<void>;
  /** What the metadata service would answer a server whose ports are there, as the files of a config drive. */
  instanceData?(serverId: string, body: ServerBody): ConfigFile[];
  /** Calls back when something was disturbed from outside (a dnsmasq died); a wake-up only. */
  watch(changed: (kind: 'network' | 'router' | 'port', id: string) => void): () => void;
  /** Releases listeners and timers of this process; the data plane stays as it is. */
  close(): Promise<void>;
};
