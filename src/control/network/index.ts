// Networking: the Neutron API, and what the other services see of it: claiming, binding and releasing the
// ports of a server.
import type { Reader, Tx } from '../../kernel/db/index.ts';
import { neutronFault } from '../../kernel/http/faults.ts';
import type { Service } from '../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../kernel/platform.ts';
import { anonymous, withImpliedRoles, type Actor } from '../../kernel/policy.ts';
import type { HostService } from '../host/index.ts';
import { addressScopes } from './address-scopes/address-scopes.ts';
import { addressScopeMigration } from './address-scopes/table.ts';
import { autoTopologyRoutes } from './auto-topology/auto-topology.ts';
import { autoTopologyMigration } from './auto-topology/table.ts';
import { ipAvailabilityRoutes } from './ip-availability/ip-availability.ts';
import { extraRouteRoutes } from './routers/extra-routes.ts';
import { zoneMigration } from './zones/zones.ts';
import { agentRoutes } from './agents/routes.ts';
import { agentMigration } from './agents/table.ts';
import { collectionRoutes } from './collection.ts';
import { compileNetworks } from './compile/networks.ts';
import { compilePorts } from './compile/ports.ts';
import { onNetworkReports, onPortReports, onRouterReports } from './compile/reports.ts';
import { compileRouters } from './compile/routers.ts';
import { compileAddressGroups, compileSecurityGroups } from './compile/security-groups.ts';
import { discoveryRoutes } from './discovery/discovery.ts';
import { claimQuota } from './faults.ts';
import { floatingIps } from './floating-ips/floating-ips.ts';
import { floatingIpApi, type FloatingIpApi } from './floating-ips/for-compute.ts';
import { floatingIpMigration } from './floating-ips/table.ts';
import { networkListApi, type NetworkListApi } from './networks/for-compute.ts';
import { ensurePublicNetwork, networks } from './networks/networks.ts';
import { networkMigration } from './networks/table.ts';
import { policies } from './policy.ts';
import { addressMigration } from './ports/addresses.ts';
import { nestedRoutes } from './nested.ts';
import { portForwardings } from './port-forwardings/port-forwardings.ts';
import { portForwardingMigration } from './port-forwardings/table.ts';
import { portsCollection, type ServersChanged } from './ports/ports.ts';
import { portOptionMigration } from './ports/dhcp-options.ts';
import { compileQos } from './qos/bindings.ts';
import { qosPolicies } from './qos/policies.ts';
import { qosRuleRoutes } from './qos/routes.ts';
import { qosMigration } from './qos/table.ts';
import { portMigration, serverInterfaceMigration } from './ports/table.ts';
import { quotaDefaults, quotaRoutes } from './quotas/quotas.ts';
import { rbacPolicies } from './rbac/rbac-policies.ts';
import { rbacMigration } from './rbac/table.ts';
import { interfaceRoutes } from './routers/interfaces.ts';
import { routers } from './routers/routers.ts';
import { routerMigration } from './routers/table.ts';
import { tagMigration } from './rows.ts';
import { groupApi, type GroupApi } from './security-groups/for-servers.ts';
import { securityGroupRules } from './security-groups/group-rules.ts';
import { securityGroups } from './security-groups/groups.ts';
import { givenPrefixMigration, securityGroupMigration } from './security-groups/table.ts';
import { bindPorts, releasePorts } from './server-ports/bind.ts';
import { checkPorts, claimPorts } from './server-ports/claim.ts';
import { serverInterfaces, type ServerInterfaces } from './server-ports/interfaces.ts';
import { portsOf } from './server-ports/read.ts';
import { insertSubnet, subnetsCollection } from './subnets/subnets.ts';
import { subnetMigration } from './subnets/table.ts';
import { ensureDefaultPool, subnetPools } from './subnet-pools/subnet-pools.ts';
import { subnetPoolMigration } from './subnet-pools/table.ts';

/** What a server asks for, one entry an interface. */
export type { PooledAddress } from './floating-ips/for-compute.ts';
export type { NamedNetwork } from './networks/for-compute.ts';
export type { Group, GroupApi, GroupRule } from './security-groups/for-servers.ts';

export type { ServerInterfaces } from './server-ports/interfaces.ts';

/** `tag`: what the user calls the interface. */
export type PortRequest =
  | { portId: string; tag?: string | null }
  | { networkId: string; /** null: from the pool */ fixedIp: string | null; tag?: string | null };

export type PortRequests = readonly PortRequest[] | 'auto' | 'allocate' | 'none';

export type ServerPort = {
  portId: string;
  mac: string;
  networkId: string;
  networkName: string;
  fixedIps: {
    subnetId: string;
    ipAddress: string;
    version: 4 | 6;
    /** null: none */ floatingIp: string | null;
  }[];
  securityGroups: { id: string; name: string }[];
  /** Absent: none. */
  tag?: string;
  /** It is being detached: the guest is to let go of it. */
  leaving?: boolean;
};

export type NetworkApi = {
  /**
   * Creates or takes over the ports of a new server, in the order given; claims addresses and quota.
   * 'auto': the project's only tenant network (409 when there are several, no port when there is none).
   * 'allocate': as 'auto', and for a project without any network one is made, with a router to the outside.
   * Throws 400/404/409 in Nova's words when a network, port, address or group does not fit; a port in use is 409.
   */
  claimPorts(
    tx: Tx,
    ctx: Ctx,
    server: { id: string; projectId: string; hostname: string; type: 'vm' | 'container' },
    requests: PortRequests,
    /** Names or ids, for ports created here; null: the project's default group. */
    securityGroups: readonly string[] | null,
  ): Promise<ServerPort[]>;
  /** What claimPorts would refuse, addresses and quota apart; how many ports it would make. Changes nothing. */
  checkPorts(
    tx: Tx,
    ctx: Ctx,
    projectId: string,
    requests: PortRequests,
    securityGroups: readonly string[] | null,
  ): Promise<number>;
  /** The host that the server runs on; its agent gets what the ports need. null: on no host. */
  bindPorts(tx: Tx, serverId: string, hostId: string | null): Promise<void>;
  /** Deletes the ports that claimPorts created, unbinds those that existed before. Idempotent. */
  releasePorts(tx: Tx, serverId: string): Promise<void>;
  portsOf(db: Pick<Reader, 'selectFrom'>, serverIds: readonly string[]): Promise<Map<string, ServerPort[]>>;
  /** Called in the transaction that changed what portsOf says of these servers (floating IP, groups, addresses). */
  onServerPortsChanged(handler: (tx: Tx, serverIds: string[]) => Promise<void>): void;
  groups: GroupApi;
  networks: NetworkListApi;
  floatingIps: FloatingIpApi;
  /** Interfaces that come and go while their server is there. */
  interfaces: ServerInterfaces;
};

export type NetworkService = {
  service: Service;
  api: NetworkApi;
  /** The external network `public` and its subnet (without DHCP), owned by the operators' project. Makes what is missing. */
  bootstrap(options: { projectId: string; externalCidr: string; externalGateway: string }): Promise<void>;
};

const BATCH = 200;

export function createNetworkService(platform: Platform, deps: { hosts: HostService }): NetworkService {
  const { hosts } = deps;
  const listeners: ServersChanged[] = [];
  const serversChanged: ServersChanged = async (tx, serverIds) => {
    for (const listener of listeners) await listener(tx, serverIds);
  };
  hosts.onReports('port', onPortReports);
  hosts.onReports('router', onRouterReports);
  hosts.onReports('network', onNetworkReports);
  hosts.onHost(async (tx) => {
    const waiting = await tx.selectFrom('routers').select('id').where('host_id', '=', '').execute();
    await platform.work.enqueue(
      tx,
      'router',
      waiting.map((row) => row.id),
    );
  });
  const rows = (run: (tx: Tx, ids: string[]) => Promise<void>) =>
    ({ mode: 'rows', batch: BATCH, run }) as const;

  return {
    service: {
      name: 'network',
      type: 'network',
      prefix: '/network',
      aliases: ['/networking'],
      fault: neutronFault,
      policies,
      routes: [
        ...discoveryRoutes,
        ...agentRoutes,
        ...ipAvailabilityRoutes,
        ...autoTopologyRoutes,
        ...extraRouteRoutes,
        ...collectionRoutes(addressScopes),
        ...collectionRoutes(networks),
        ...collectionRoutes(subnetsCollection(serversChanged)),
        ...collectionRoutes(subnetPools),
        ...collectionRoutes(portsCollection(serversChanged)),
        ...collectionRoutes(securityGroups),
        ...collectionRoutes(securityGroupRules),
        ...collectionRoutes(routers),
        ...interfaceRoutes,
        ...collectionRoutes(floatingIps(serversChanged)),
        ...collectionRoutes(rbacPolicies),
        ...nestedRoutes(portForwardings),
        ...collectionRoutes(qosPolicies),
        ...qosRuleRoutes,
        ...quotaRoutes,
      ],
      migrations: [
        tagMigration,
        networkMigration,
        subnetMigration,
        addressMigration,
        portMigration,
        securityGroupMigration,
        givenPrefixMigration,
        routerMigration,
        floatingIpMigration,
        subnetPoolMigration,
        rbacMigration,
        portForwardingMigration,
        agentMigration,
        qosMigration,
        autoTopologyMigration,
        addressScopeMigration,
        zoneMigration,
        serverInterfaceMigration,
        portOptionMigration,
      ],
      work: {
        network: rows(compileNetworks(hosts.items)),
        port: rows(compilePorts(hosts.items)),
        'security-group': rows(compileSecurityGroups(hosts.items)),
        // Each change sends the whole group to every host that knows it: what changes within a moment goes along.
        'address-group': { ...rows(compileAddressGroups(hosts.items)), restMs: 200 },
        router: rows(compileRouters(hosts.items)),
        qos: rows(compileQos(platform)),
      },
      quotas: quotaDefaults,
    },
    api: {
      claimPorts,
      checkPorts,
      bindPorts: (tx, serverId, hostId) => bindPorts(tx, platform, serverId, hostId),
      releasePorts: (tx, serverId) => releasePorts(tx, platform, serverId),
      portsOf,
      onServerPortsChanged: (handler) => void listeners.push(handler),
      groups: groupApi(serversChanged),
      networks: networkListApi,
      floatingIps: floatingIpApi(serversChanged),
      interfaces: serverInterfaces(platform, serversChanged),
    },
    bootstrap(options) {
      const ctx: Ctx = {
        platform,
        actor: operatorOf(options.projectId),
        requestId: 'bootstrap',
        microversion: 0,
        action: 'bootstrap',
      };
      return platform.db.tx(async (tx) => {
        const networkId = await ensurePublicNetwork(tx, ctx, options.projectId);
        const subnet = await tx
          .selectFrom('subnets')
          .select('id')
          .where('network_id', '=', networkId)
          .limit(1)
          .executeTakeFirst();
        await ensureDefaultPool(tx, ctx, options.projectId, options.externalCidr);
        if (subnet !== undefined) return;
        await claimQuota(tx, ctx, options.projectId, { subnet: 1 });
        await insertSubnet(tx, ctx, options.projectId, {
          network_id: networkId,
          name: 'public-subnet',
          ip_version: 4,
          cidr: options.externalCidr,
          gateway_ip: options.externalGateway,
          enable_dhcp: false,
        });
      });
    },
  };
}

/** Who the audit trail names for what the cloud makes at its first start. */
const operatorOf = (projectId: string): Actor => ({
  ...anonymous,
  userId: 'strata',
  userName: 'strata',
  scope: { type: 'project', id: projectId, name: 'admin', domainId: 'default', domainName: 'Default' },
  roles: withImpliedRoles(['admin']),
});
