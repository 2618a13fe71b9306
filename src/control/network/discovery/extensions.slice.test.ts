// The extensions that the API names, each with a proof that what it stands for is there: a route, or attributes of an object.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, type TestCloud } from '../../../testkit/network-cloud.ts';

type Proof = { route: string } | { of: string; attributes: string[] };
const route = (key: string): Proof => ({ route: key });
const shows = (of: string, ...attributes: string[]): Proof => ({ of, attributes });

/** Alias -> `METHOD path` of a route, or attributes of an object as operators see it. */
const proofs: Readonly<Record<string, Proof>> = {
  'address-scope': shows('networks', 'ipv4_address_scope', 'ipv6_address_scope'),
  agent: route('PUT /v2.0/agents/:agent_id'),
  'allowed-address-pairs': shows('ports', 'allowed_address_pairs'),
  'auto-allocated-topology': route('GET /v2.0/auto-allocated-topology/:project_id'),
  availability_zone: route('GET /v2.0/availability_zones'),
  binding: shows('ports', 'binding:host_id', 'binding:vif_type', 'binding:vnic_type', 'binding:profile'),
  'default-subnetpools': shows('subnetpools', 'is_default'),
  dhcp_agent_scheduler: route('DELETE /v2.0/agents/:agent_id/dhcp-networks/:network_id'),
  'expose-port-forwarding-in-fip': shows('floatingips', 'port_forwardings'),
  'ext-gw-mode': shows('routers', 'external_gateway_info.enable_snat'),
  'external-net': shows('networks', 'router:external'),
  extra_dhcp_opt: shows('ports', 'extra_dhcp_opts'),
  extraroute: shows('routers', 'routes'),
  'extraroute-atomic': route('PUT /v2.0/routers/:router_id/add_extraroutes'),
  'filter-validation': route('GET /v2.0/networks'),
  'fip-port-details': shows('floatingips', 'port_details'),
  'floating-ip-port-forwarding': route('POST /v2.0/floatingips/:floatingip_id/port_forwardings'),
  'floating-ip-port-forwarding-description': route('POST /v2.0/floatingips/:floatingip_id/port_forwardings'),
  'floating-ip-port-forwarding-port-ranges': route('POST /v2.0/floatingips/:floatingip_id/port_forwardings'),
  'ip-substring-filtering': route('GET /v2.0/ports'),
  l3_agent_scheduler: route('POST /v2.0/agents/:agent_id/l3-routers'),
  'net-mtu': shows('networks', 'mtu'),
  'net-mtu-writable': route('PUT /v2.0/networks/:network_id'),
  'network-ip-availability': route('GET /v2.0/network-ip-availabilities/:network_id'),
  network_availability_zone: shows('networks', 'availability_zones', 'availability_zone_hints'),
  pagination: route('GET /v2.0/networks'),
  'port-security': shows('ports', 'port_security_enabled'),
  'project-id': shows('networks', 'project_id', 'tenant_id'),
  provider: shows(
    'networks',
    'provider:network_type',
    'provider:physical_network',
    'provider:segmentation_id',
  ),
  qos: route('POST /v2.0/qos/policies'),
  'qos-bw-limit-direction': route('POST /v2.0/qos/policies/:policy_id/bandwidth_limit_rules'),
  'qos-default': shows('qos/policies', 'is_default'),
  'qos-fip': shows('floatingips', 'qos_policy_id'),
  'qos-fip-network-policy': shows('floatingips', 'qos_network_policy_id'),
  'qos-port-network-policy': shows('ports', 'qos_network_policy_id'),
  'qos-rule-type-details': route('GET /v2.0/qos/rule-types/:rule_type'),
  'qos-rules-alias': route('GET /v2.0/qos/alias-bandwidth-limit-rules/:rule_id'),
  quota_details: route('GET /v2.0/quotas/:project_id/details'),
  quotas: route('PUT /v2.0/quotas/:project_id'),
  'rbac-address-scope': shows('address-scopes', 'shared'),
  'rbac-policies': route('POST /v2.0/rbac-policies'),
  'rbac-security-groups': shows('security-groups', 'shared'),
  'rbac-subnetpool': shows('subnetpools', 'shared'),
  'revision-if-match': shows('networks', 'revision_number'),
  router: route('PUT /v2.0/routers/:router_id/add_router_interface'),
  router_availability_zone: shows('routers', 'availability_zones', 'availability_zone_hints'),
  'security-group': route('POST /v2.0/security-group-rules'),
  'security-groups-normalized-cidr': shows('security-group-rules', 'normalized_cidr'),
  'service-type': route('GET /v2.0/service-providers'),
  sorting: route('GET /v2.0/networks'),
  'standard-attr-description': shows('routers', 'description'),
  'standard-attr-revisions': shows('routers', 'revision_number'),
  'standard-attr-tag': route('PUT /v2.0/routers/:router_id/tags/:tag'),
  'standard-attr-timestamp': shows('routers', 'created_at', 'updated_at'),
  'stateful-security-group': shows('security-groups', 'stateful'),
  subnet_allocation: route('POST /v2.0/subnetpools'),
  tag: route('PUT /v2.0/networks/:network_id/tags/:tag'),
};

onBothEngines('extensions', (engine) => {
  let cloud: TestCloud;
  const objects = new Map<string, unknown>();
  beforeAll(async () => {
    cloud = await testCloud(engine);
    const external = await cloud.external();
    const { networkId } = await cloud.networkWith('admin', '10.1.0.0/24');
    const keep = async (path: string, singular: string, body: object) =>
      objects.set(path, await cloud.make('admin', `/${path}`, { [singular]: body }));
    await keep('networks', 'network', {});
    await keep('ports', 'port', { network_id: networkId });
    await keep('subnetpools', 'subnetpool', { prefixes: ['10.8.0.0/16'] });
    await keep('routers', 'router', { external_gateway_info: { network_id: external.networkId } });
    await keep('floatingips', 'floatingip', { floating_network_id: external.networkId });
    await keep('address-scopes', 'address_scope', { ip_version: 4 });
    await keep('qos/policies', 'policy', { name: 'p' });
    await keep('security-groups', 'security_group', { name: 'g' });
    const group = objects.get('security-groups') as { id: string };
    await keep('security-group-rules', 'security_group_rule', {
      security_group_id: group.id,
      direction: 'ingress',
    });
  });
  afterAll(() => cloud.close());

  const holds = (object: unknown, path: string): boolean => {
    let at = object;
    for (const key of path.split('.')) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false;
      at = (at as Record<string, unknown>)[key];
    }
    return true;
  };

  test('each alias names something that is there, and nothing is named twice', async () => {
    const { extensions } = (await cloud.call('alice', 'GET', '/extensions')).json;
    const aliases = (extensions as { alias: string }[]).map((one) => one.alias);
    expect(aliases.toSorted()).toEqual([...new Set(aliases)].toSorted());
    expect(Object.keys(proofs).toSorted()).toEqual(aliases.toSorted());
    const routes = new Set(cloud.network.service.routes.map((one) => `${one.method} ${one.path}`));
    const missing = aliases.flatMap((alias) => {
      const proof = proofs[alias];
      if (proof === undefined) return [alias];
      if ('route' in proof) return routes.has(proof.route) ? [] : [`${alias}: ${proof.route}`];
      return proof.attributes
        .filter((name) => !holds(objects.get(proof.of), name))
        .map((name) => `${alias}: ${name}`);
    });
    expect(missing).toEqual([]);
  });
});
