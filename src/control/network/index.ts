// Networking, as the other services see it: claiming, binding and releasing the ports of a server.
import type { Reader, Tx } from '../../kernel/db/index.ts';
import type { Ctx } from '../../kernel/platform.ts';

/** What a server asks for, one entry an interface. */
export type PortRequest =
  | { portId: string }
  | { networkId: string; /** null: from the pool */ fixedIp: string | null };

export type ServerPort = {
  portId: string;
  mac: string;
  networkId: string;
  networkName: string;
  fixedIps: { subnetId: string; ipAddress: string; version: 4 | 6; /** null: none */ floatingIp: string | null }[];
  securityGroups: { id: string; name: string }[];
};

export type NetworkApi = {
  /**
   * Creates or takes over the ports of a new server, in the order given; claims addresses and quota.
   * 'auto': the project's only tenant network (409 when there are several, no port when there is none).
   * Throws 400/404/409 in Nova's words when a network, port, address or group does not fit; a port in use is 409.
   */
  claimPorts(
    tx: Tx,
    ctx: Ctx,
    server: { id: string; projectId: string; hostname: string; type: 'vm' | 'container' },
    requests: readonly PortRequest[] | 'auto' | 'none',
    /** Names or ids, for ports created here; null: the project's default group. */
    securityGroups: readonly string[] | null,
  ): Promise<ServerPort[]>;
  /** The host that the server runs on; its agent gets what the ports need. null: on no host. */
  bindPorts(tx: Tx, serverId: string, hostId: string | null): Promise<void>;
  /** Deletes the ports that claimPorts created, unbinds those that existed before. Idempotent. */
  releasePorts(tx: Tx, serverId: string): Promise<void>;
  portsOf(db: Pick<Reader, 'selectFrom'>, serverIds: readonly string[]): Promise<Map<string, ServerPort[]>>;
  /** Called in the transaction that changed what portsOf says of these servers (floating IP, groups, addresses). */
  onServerPortsChanged(handler: (tx: Tx, serverIds: string[]) => Promise<void>): void;
};
