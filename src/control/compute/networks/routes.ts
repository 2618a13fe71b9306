// Networks below the compute API, where Nova had them before there was Neutron: api-ref "Networks (os-networks)
// (DEPRECATED)" and "Project networks (os-tenant-networks)", gone from 2.36 on. They are the network service's own
// networks; what Nova knew of its bridges and ranges is null.
import { route, type Route } from '../../../kernel/http/route.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import type { NamedNetwork } from '../../network/index.ts';
import type { ComputeDeps } from '../deps.ts';

const UNTIL = '2.35';
const policy = 'compute:networks:list';
const ids = { network_id: 'network' } as const;

const nulls = (names: readonly string[]): object => Object.fromEntries(names.map((name) => [name, null]));
const forAll = nulls([
  'cidr',
  'netmask',
  'gateway',
  'broadcast',
  'dns1',
  'dns2',
  'cidr_v6',
  'gateway_v6',
  'netmask_v6',
]);
const forOperators = nulls([
  ...[
    'created_at',
    'updated_at',
    'deleted_at',
    'deleted',
    'injected',
    'bridge',
    'vlan',
    'vpn_public_address',
  ],
  ...['vpn_public_port', 'vpn_private_address', 'dhcp_start', 'project_id', 'host', 'bridge_interface'],
  ...['multi_host', 'priority', 'rxtx_base', 'mtu', 'dhcp_server', 'enable_dhcp', 'share_address'],
]);

const view = (network: NamedNetwork, admin: boolean): object => ({
  id: network.id,
  label: network.name,
  ...forAll,
  ...(admin ? forOperators : {}),
});
/** Nova writes the range that it does not know as this word. */
const tenantView = (network: NamedNetwork): object => ({
  id: network.id,
  label: network.name,
  cidr: 'None',
});

const pair = (
  deps: ComputeDeps,
  path: string,
  viewOf: (one: NamedNetwork, admin: boolean) => object,
): Route[] => [
  route({
    method: 'GET',
    path,
    policy,
    summary: 'List networks',
    until: UNTIL,
    async handler({ ctx }) {
      const networks = await deps.network.networks.list(ctx);
      return { body: { networks: networks.map((one) => viewOf(one, isAdmin(ctx.actor))) } };
    },
  }),
  route({
    method: 'GET',
    path: `${path}/:network_id`,
    ids,
    policy,
    summary: 'Show a network',
    until: UNTIL,
    handler: async ({ ctx, params }) => ({
      body: {
        network: viewOf(await deps.network.networks.show(ctx, params.network_id), isAdmin(ctx.actor)),
      },
    }),
  }),
];

export const networkRoutes = (deps: ComputeDeps): Route[] => [
  ...pair(deps, '/v2.1/os-networks', view),
  ...pair(deps, '/v2.1/os-tenant-networks', tenantView),
];
