// Version discovery, the extensions that truly work here, and availability zones.
import { CloudError } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { listViews, viewQuery } from '../in-memory.ts';
import { enabledHosts } from '../../host/index.ts';

const extensions = [
  ['security-group', 'security-group', 'The security groups extension.'],
  [
    'stateful-security-group',
    'Stateful security group',
    'Indicates if the security group is stateful or not.',
  ],
  [
    'security-groups-normalized-cidr',
    'Normalized CIDR field for security group rules',
    'Add new field with normalized remote_ip_prefix cidr in SG rule.',
  ],
  [
    'router',
    'Neutron L3 Router',
    'Router abstraction for basic L3 forwarding between L2 networks and access to external networks via a NAT gateway.',
  ],
  [
    'ext-gw-mode',
    'Neutron L3 Configurable external gateway mode',
    'Extension of the router abstraction for specifying whether SNAT should occur on the external gateway.',
  ],
  ['extraroute', 'Neutron Extra Route', 'Extra routes configuration for L3 router.'],
  ['external-net', 'Neutron external network', 'Adds external network attribute to network resource.'],
  [
    'fip-port-details',
    'Floating IP Port Details Extension',
    'Add port_details attribute to Floating IP resource.',
  ],
  [
    'floating-ip-port-forwarding',
    'Floating IP Port Forwarding',
    'Allow port forwarding from floating IP port to an internal port',
  ],
  [
    'floating-ip-port-forwarding-description',
    'Floating IP Port Forwarding new description attribute',
    'Add description attribute to floating IP port forwardings.',
  ],
  [
    'floating-ip-port-forwarding-port-ranges',
    'Floating IP Port Forwarding support port ranges',
    'Add support to port ranges',
  ],
  [
    'expose-port-forwarding-in-fip',
    'Expose Floating IP port forwardings',
    'Expose port forwarding fields in floating IP response',
  ],
  ['qos', 'Quality of Service', 'The Quality of Service extension.'],
  [
    'qos-bw-limit-direction',
    'Direction for QoS bandwidth limit rule',
    'Allow to configure QoS bandwidth limit rule with specific direction: ingress or egress',
  ],
  ['qos-default', 'QoS default policy', 'Expose the QoS default policy per project'],
  ['qos-fip', 'Floating IP QoS', 'The floating IP Quality of Service extension'],
  [
    'qos-fip-network-policy',
    'QoS floating IP network policy ID',
    'Adds a the QoS network ID to the floating IP definition',
  ],
  [
    'qos-port-network-policy',
    'QoS port network policy ID',
    'Adds a the QoS network ID to the port definition',
  ],
  [
    'qos-rule-type-details',
    'Details of QoS rule types',
    'Expose details about QoS rule types supported by loaded backend drivers',
  ],
  [
    'qos-rules-alias',
    'Quality of Service rules alias API',
    'API to enable GET, PUT and DELETE operations on QoS policy rules without specifying policy ID',
  ],
  ['port-security', 'Port Security', 'Provides port security.'],
  ['allowed-address-pairs', 'Allowed Address Pairs', 'Provides allowed address pairs.'],
  ['binding', 'Port Binding', 'Expose port bindings of a virtual port to external application.'],
  ['provider', 'Provider Network', 'Expose mapping of virtual networks to physical networks.'],
  ['net-mtu', 'Network MTU', 'Provides MTU attribute for a network resource.'],
  ['net-mtu-writable', 'Network MTU (writable)', 'Provides a writable MTU attribute for a network resource.'],
  ['subnet_allocation', 'Subnet Allocation', 'Enables allocation of subnets from a subnet pool.'],
  [
    'default-subnetpools',
    'Default Subnetpools',
    'Provides ability to mark and use a subnetpool as the default.',
  ],
  [
    'rbac-policies',
    'RBAC Policies',
    'Allows creation and modification of policies that control tenant access to resources.',
  ],
  [
    'rbac-security-groups',
    'Add security_group type to network RBAC',
    'Add security_group type to network RBAC.',
  ],
  ['rbac-subnetpool', 'Add Subnet Pool type to RBAC', 'Add subnetpool type to network RBAC.'],
  ['rbac-address-scope', 'Add address_scope type to RBAC', 'Add address_scope type to RBAC.'],
  ['address-scope', 'Address scope', 'Address scopes extension.'],
  [
    'network-ip-availability',
    'Network IP Availability',
    'Provides IP availability data for each network and subnet.',
  ],
  ['auto-allocated-topology', 'Auto Allocated Topology Services', 'Auto Allocated Topology Services.'],
  [
    'extraroute-atomic',
    'Atomically add/remove extra routes',
    'Edit extra routes of a router on server side by atomically adding/removing extra routes.',
  ],
  [
    'service-type',
    'Neutron Service Type Management',
    'API for retrieving service providers for Neutron advanced services.',
  ],
  ['tag', 'Tag support', 'Enables to set tag on networks.'],
  [
    'extra_dhcp_opt',
    'Neutron Extra DHCP options',
    'Extra options configuration for DHCP. For example PXE boot options to DHCP clients can be specified (e.g. tftp-server, server-ip-address, bootfile-name).',
  ],
  ['quotas', 'Quota management support', 'Expose functions for quotas management per project.'],
  [
    'quota_details',
    'Quota details management support',
    'Expose functions for quotas usage statistics per project.',
  ],
  ['project-id', 'project_id field enabled', 'Extension that indicates that project_id field is enabled.'],
  [
    'standard-attr-timestamp',
    'Resource timestamps',
    'Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.',
  ],
  [
    'standard-attr-description',
    'standard-attr-description',
    'Extension to add descriptions to standard attributes.',
  ],
  [
    'standard-attr-revisions',
    'Resource revision numbers',
    'This extension will display the revision number of neutron resources.',
  ],
  [
    'standard-attr-tag',
    'Tag support for resources with standard attribute',
    'Enables to set tag on resources with standard attribute.',
  ],
  ['agent', 'agent', 'The agent management extension.'],
  ['dhcp_agent_scheduler', 'DHCP Agent Scheduler', 'Schedule networks among dhcp agents.'],
  ['l3_agent_scheduler', 'L3 Agent Scheduler', 'Schedule routers among l3 agents.'],
  ['availability_zone', 'Availability Zone', 'The availability zone extension.'],
  ['network_availability_zone', 'Network Availability Zone', 'Availability zone support for network.'],
  ['router_availability_zone', 'Router Availability Zone', 'Availability zone support for router.'],
  ['filter-validation', 'Filter parameters validation', 'Provides validation on filter parameters.'],
  [
    'revision-if-match',
    'If-Match constraints based on revision_number',
    'Extension indicating that If-Match based on revision_number is supported.',
  ],
  ['sorting', 'Sorting support', 'Provides sorting support.'],
  ['pagination', 'Pagination support', 'Provides pagination support.'],
  [
    'ip-substring-filtering',
    'IP address substring filtering',
    'Provides IP address substring filtering when listing ports.',
  ],
].map(([alias, name, description]) => ({
  alias,
  name,
  description,
  updated: '2024-01-01T00:00:00-00:00',
  links: [],
}));

const version = (ctx: Ctx): object => ({
  id: 'v2.0',
  status: 'CURRENT',
  links: [{ rel: 'self', href: `${ctx.platform.publicUrl}/network/v2.0/` }],
});

const collections = [
  'networks',
  'subnets',
  'subnetpools',
  'ports',
  'security-groups',
  'security-group-rules',
  'routers',
  'floatingips',
  'quotas',
  'extensions',
];

const zoneQuery = viewQuery({ name: null, resource: null, state: null });
const providerQuery = viewQuery({ service_type: null, name: null, default: null });

export const discoveryRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/',
    policy: 'discovery',
    summary: 'Versions',
    handler: async ({ ctx }) => ({ body: { versions: [version(ctx)] } }),
  }),
  route({
    method: 'GET',
    path: '/v2.0',
    policy: 'discovery',
    summary: 'What version 2.0 holds',
    handler: async ({ ctx }) => ({
      body: {
        versions: [version(ctx)],
        version: version(ctx),
        resources: collections.map((name) => ({
          name: name.replace(/s$/, ''),
          collection: name,
          links: [{ rel: 'self', href: `${ctx.platform.publicUrl}/network/v2.0/${name}` }],
        })),
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.0/extensions',
    policy: 'get_extension',
    summary: 'List extensions',
    handler: async () => ({ body: { extensions } }),
  }),
  route({
    method: 'GET',
    path: '/v2.0/extensions/:alias',
    policy: 'get_extension',
    summary: 'Show an extension',
    ids: { alias: 'none' },
    async handler({ params }) {
      const extension = extensions.find((one) => one.alias === params.alias);
      if (extension === undefined)
        throw new CloudError(
          404,
          'HTTPNotFound',
          `Extension with alias ${params.alias.slice(0, 255)} does not exist`,
        );
      return { body: { extension } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/availability_zones',
    policy: 'get_availability_zone',
    summary: 'List availability zones',
    query: zoneQuery,
    async handler({ ctx, rawQuery }) {
      const names = [...new Set((await enabledHosts(ctx.platform.db.read)).map((host) => host.zone))].sort();
      const zones = names.flatMap((zone) =>
        ['network', 'router'].map((resource) => ({ name: zone, resource, state: 'available' })),
      );
      return {
        body: { availability_zones: listViews(zoneQuery, rawQuery, 'Availability Zone', 'name', zones) },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.0/service-providers',
    policy: 'get_service_provider',
    summary: 'List service providers',
    query: providerQuery,
    async handler({ rawQuery }) {
      const providers = [{ service_type: 'L3_ROUTER_NAT', name: 'linux', default: true }];
      return {
        body: {
          service_providers: listViews(providerQuery, rawQuery, 'Service provider', 'name', providers),
        },
      };
    },
  }),
];
