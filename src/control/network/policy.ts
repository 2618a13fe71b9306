// Neutron's secure-RBAC defaults: readers of the project read, its members write, operators do everything.
// Ownership and fields for operators only are decided by the services, against what is stored.
import { rules, type Policies, type Policy } from '../../kernel/policy.ts';

const read = (what: string): Policy => ({
  description: `Read ${what}`,
  anyOf: [rules.admin, rules.projectReader],
});
const write = (what: string): Policy => ({
  description: `Write ${what}`,
  anyOf: [rules.admin, rules.projectMember],
});
const manage = (what: string): Policy => ({
  description: `Write ${what}`,
  anyOf: [rules.admin, rules.projectManager],
});
const admin = (what: string): Policy => ({ description: what, anyOf: [rules.admin] });

const resources = [
  'network',
  'subnet',
  'subnetpool',
  'port',
  'security_group',
  'security_group_rule',
  'router',
  'floatingip',
  'rbac_policy',
  'address_scope',
  'floatingip_port_forwarding',
];

/** What a project's managers decide for it. */
const managed = ['policy', 'policy_bandwidth_limit_rule', 'policy_dscp_marking_rule'];

export const policies: Policies = {
  ...Object.fromEntries(
    resources.flatMap((name) => [
      [`get_${name}`, read(`${name}s`)],
      ...['create', 'update', 'delete'].map((verb) => [`${verb}_${name}`, write(`${name}s`)] as const),
    ]),
  ),
  ...Object.fromEntries(
    managed.flatMap((name) => [
      [`get_${name}`, read(`QoS: ${name}`)],
      ...['create', 'update', 'delete'].map((verb) => [`${verb}_${name}`, manage(`QoS: ${name}`)] as const),
    ]),
  ),
  get_rule_type: read('the kinds of QoS rules'),
  add_router_interface: write('router interfaces'),
  remove_router_interface: write('router interfaces'),
  get_quota: read('quotas'),
  list_quotas: admin('List the quotas of all projects that differ from the default'),
  update_quota: admin('Set the quota of a project'),
  delete_quota: admin('Return a project to the default quota'),
  get_extension: { description: 'List extensions', anyOf: [rules.authenticated] },
  get_agent: read('network agents; only operators see any'),
  manage_agent: admin('Show and change network agents, and what they serve'),
  get_network_ip_availability: admin('Read how many addresses of networks are in use'),
  // To look is to have one made: it takes who may make networks.
  get_auto_allocated_topology: write('the automatic network of a project'),
  delete_auto_allocated_topology: write('the automatic network of a project'),
  get_service_provider: read('service providers'),
  get_availability_zone: read('availability zones'),
  discovery: { description: 'Read the versions', anyOf: [rules.anyone] },
};
