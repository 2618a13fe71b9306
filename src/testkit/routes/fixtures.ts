// lines: one list, an entry a kind, in the order of making.
// One object of every resource kind, for a tenant: what the cross-tenant matrix substitutes and the fuzzer plays with.
// A new resource kind in the route table needs one line here; the tests fail until it has it.
import type { TestCloud } from './cloud.ts';
import { given, id, idIn, managed, named, own, TENANT_ROLES, type Maker, type Tenant } from './makers.ts';
import { volumeFixtures } from './volume-fixtures.ts';

export { TENANT_ROLES, type Tenant, type TenantRole } from './makers.ts';

const compute = '/compute/v2.1';
const neutron = '/network/v2.0';
const keystone = '/identity/v3';

export const hostId = async (cloud: TestCloud): Promise<string> =>
  (await cloud.control.platform.db.read.selectFrom('hosts').select('id').executeTakeFirstOrThrow()).id;
/** By its name: a fuzzing operator may make other networks external. */
export const externalNetworkId = async (cloud: TestCloud): Promise<string> =>
  (await cloud.must(cloud.admin, 'GET', `${neutron}/networks?name=public&router:external=true`)).networks[0]
    .id as string;

/** In the order of making: later ones use earlier ones. */
export const fixtures: Readonly<Record<string, Maker>> = {
  domain: given(`${keystone}/domains`, 'domain', named('domain')),
  project: async (_, tenant) => tenant.projectId,
  user: async (_, tenant) => tenant.users.member,
  group: given(`${keystone}/groups`, 'group', named('group')),
  // Of the cloud: those of a domain are for its people only.
  role: given(`${keystone}/roles`, 'role', named('role')),
  'application-credential': async (cloud, tenant) =>
    idIn(
      await cloud.must(
        tenant.tokens.member,
        'POST',
        `${keystone}/users/${tenant.users.member}/application_credentials`,
        { application_credential: named('credential')(tenant) },
      ),
      'application_credential',
    ),
  // By the member for the manager: of the role that is the tenant's fixture, so that its routes find it.
  trust: async (cloud, tenant) => {
    await cloud.must(
      cloud.admin,
      'PUT',
      `${keystone}/projects/${tenant.projectId}/users/${tenant.users.member}/roles/${id(tenant, 'role')}`,
    );
    return idIn(
      await cloud.must(tenant.tokens.member, 'POST', `${keystone}/OS-TRUST/trusts`, {
        trust: {
          trustor_user_id: tenant.users.member,
          trustee_user_id: tenant.users.manager,
          project_id: tenant.projectId,
          impersonation: true,
          roles: [{ id: id(tenant, 'role') }],
        },
      }),
      'trust',
    );
  },
  credential: own(`${keystone}/credentials`, 'credential', (tenant) => ({
    type: 'cert',
    blob: `${tenant.marker}-certificate`,
  })),
  // Named by its access key.
  'ec2-credential': async (cloud, tenant) =>
    (
      (await cloud.must(
        tenant.tokens.member,
        'POST',
        `${keystone}/users/${tenant.users.member}/credentials/OS-EC2`,
        { tenant_id: tenant.projectId },
      )) as { credential: { access: string } }
    ).credential.access,
  'access-rule': async (cloud, tenant) =>
    (
      (await cloud.must(
        tenant.tokens.member,
        'POST',
        `${keystone}/users/${tenant.users.member}/application_credentials`,
        {
          application_credential: {
            ...named('narrow')(tenant),
            access_rules: [{ path: `/v2.1/${tenant.marker}`, method: 'GET', service: 'compute' }],
          },
        },
      )) as { application_credential: { access_rules: { id: string }[] } }
    ).application_credential.access_rules[0]?.id ?? '',
  region: given(`${keystone}/regions`, 'region', () => ({ description: 'of the cloud' })),
  'catalog-service': given(`${keystone}/services`, 'service', () => ({
    name: 'barbican',
    type: 'key-manager',
  })),
  endpoint: given(`${keystone}/endpoints`, 'endpoint', (tenant) => ({
    service_id: id(tenant, 'catalog-service'),
    interface: 'public',
    url: 'http://127.0.0.1:9311',
  })),
  'endpoint-group': given(`${keystone}/OS-EP-FILTER/endpoint_groups`, 'endpoint_group', () => ({
    name: 'public endpoints',
    filters: { interface: 'public' },
  })),
  'registered-limit': async (cloud) =>
    (
      (await cloud.must(cloud.admin, 'GET', `${keystone}/registered_limits`)) as {
        registered_limits: { id: string }[];
      }
    ).registered_limits[0]?.id ?? '',
  limit: async (cloud, tenant) => {
    const { registered_limits } = (await cloud.must(cloud.admin, 'GET', `${keystone}/registered_limits`)) as {
      registered_limits: { service_id: string; resource_name: string; default_limit: number }[];
    };
    const [of] = registered_limits;
    const { limits } = (await cloud.must(cloud.admin, 'POST', `${keystone}/limits`, {
      limits: [
        {
          project_id: tenant.projectId,
          service_id: of?.service_id,
          resource_name: of?.resource_name,
          resource_limit: of?.default_limit,
        },
      ],
    })) as { limits: { id: string }[] };
    return limits[0]?.id ?? '';
  },
  policy: given(`${keystone}/policies`, 'policy', () => ({
    type: 'application/json',
    blob: '{}',
  })),
  network: own(`${neutron}/networks`, 'network', named('network')),
  subnet: own(`${neutron}/subnets`, 'subnet', (tenant) => ({
    ...named('subnet')(tenant),
    network_id: id(tenant, 'network'),
    ip_version: 4,
    cidr: '10.90.0.0/24',
  })),
  'subnet-pool': own(`${neutron}/subnetpools`, 'subnetpool', (tenant) => ({
    ...named('pool')(tenant),
    prefixes: ['10.80.0.0/16'],
  })),
  'address-scope': own(`${neutron}/address-scopes`, 'address_scope', (tenant) => ({
    ...named('scope')(tenant),
    ip_version: 4,
  })),
  'security-group': own(`${neutron}/security-groups`, 'security_group', named('group')),
  'security-group-rule': own(`${neutron}/security-group-rules`, 'security_group_rule', (tenant) => ({
    security_group_id: id(tenant, 'security-group'),
    direction: 'ingress',
    ethertype: 'IPv4',
    protocol: 'tcp',
    port_range_min: 22,
    port_range_max: 22,
    description: `${tenant.marker}-rule`,
  })),
  port: own(`${neutron}/ports`, 'port', (tenant) => ({
    ...named('port')(tenant),
    network_id: id(tenant, 'network'),
    security_groups: [id(tenant, 'security-group')],
  })),
  router: async (cloud, tenant) => {
    const router = idIn(
      await cloud.must(tenant.tokens.member, 'POST', `${neutron}/routers`, {
        router: {
          ...named('router')(tenant),
          external_gateway_info: { network_id: await externalNetworkId(cloud) },
        },
      }),
      'router',
    );
    await cloud.must(tenant.tokens.member, 'PUT', `${neutron}/routers/${router}/add_router_interface`, {
      subnet_id: id(tenant, 'subnet'),
    });
    return router;
  },
  'floating-ip': async (cloud, tenant) =>
    idIn(
      await cloud.must(tenant.tokens.member, 'POST', `${neutron}/floatingips`, {
        floatingip: {
          floating_network_id: await externalNetworkId(cloud),
          description: `${tenant.marker}-address`,
        },
      }),
      'floatingip',
    ),
  'qos-policy': managed(`${neutron}/qos/policies`, 'policy', named('qos')),
  'qos-bandwidth-rule': async (cloud, tenant) =>
    idIn(
      await cloud.must(
        tenant.tokens.manager,
        'POST',
        `${neutron}/qos/policies/${id(tenant, 'qos-policy')}/bandwidth_limit_rules`,
        { bandwidth_limit_rule: { max_kbps: 4_000 } },
      ),
      'bandwidth_limit_rule',
    ),
  'qos-dscp-rule': async (cloud, tenant) =>
    idIn(
      await cloud.must(
        tenant.tokens.manager,
        'POST',
        `${neutron}/qos/policies/${id(tenant, 'qos-policy')}/dscp_marking_rules`,
        { dscp_marking_rule: { dscp_mark: 26 } },
      ),
      'dscp_marking_rule',
    ),
  'rbac-policy': own(`${neutron}/rbac-policies`, 'rbac_policy', (tenant) => ({
    object_type: 'network',
    object_id: id(tenant, 'network'),
    action: 'access_as_shared',
    // Nobody's: what it shares stays the tenant's own.
    target_tenant: `${tenant.marker}-nobody`,
  })),
  'port-forwarding': async (cloud, tenant) =>
    idIn(
      await cloud.must(
        tenant.tokens.member,
        'POST',
        `${neutron}/floatingips/${id(tenant, 'floating-ip')}/port_forwardings`,
        {
          port_forwarding: {
            protocol: 'tcp',
            external_port: 2222,
            internal_port: 22,
            internal_port_id: id(tenant, 'port'),
            description: `${tenant.marker}-forwarding`,
          },
        },
      ),
      'port_forwarding',
    ),
  image: async (cloud, tenant) => {
    const image = (await cloud.must(tenant.tokens.member, 'POST', '/image/v2/images', {
      ...named('image')(tenant),
      disk_format: 'raw',
      container_format: 'bare',
      visibility: 'private',
    })) as { id: string };
    await cloud.must(
      tenant.tokens.member,
      'PUT',
      `/image/v2/images/${image.id}/file`,
      Buffer.alloc(2048, `${tenant.marker} `),
      { 'content-type': 'application/octet-stream' },
    );
    return image.id;
  },
  // Of an image of its own, which nobody downloads: the task of an import that cannot succeed.
  'image-task': async (cloud, tenant) => {
    const image = (await cloud.must(tenant.tokens.member, 'POST', '/image/v2/images', {
      ...named('imported')(tenant),
      disk_format: 'raw',
      container_format: 'bare',
      visibility: 'private',
    })) as { id: string };
    await cloud.must(tenant.tokens.member, 'POST', `/image/v2/images/${image.id}/import`, {
      method: { name: 'glance-download', glance_image_id: image.id, glance_region: tenant.marker },
    });
    const { tasks } = (await cloud.must(
      tenant.tokens.member,
      'GET',
      `/image/v2/images/${image.id}/tasks`,
    )) as {
      tasks: { id: string }[];
    };
    return tasks[0]?.id ?? '';
  },
  // Written by the operator, readable by the tenant alone.
  'metadef-namespace': async (cloud, tenant) => {
    const namespace = `${tenant.marker}-namespace`;
    await cloud.must(cloud.admin, 'POST', '/image/v2/metadefs/namespaces', {
      namespace,
      visibility: 'private',
      owner: tenant.projectId,
    });
    return namespace;
  },
  flavor: async (cloud, tenant) => {
    const flavor = idIn(
      await cloud.must(cloud.admin, 'POST', `${compute}/flavors`, {
        flavor: {
          ...named('flavor')(tenant),
          vcpus: 1,
          ram: 64,
          disk: 1,
          'os-flavor-access:is_public': false,
        },
      }),
      'flavor',
    );
    await cloud.must(cloud.admin, 'POST', `${compute}/flavors/${flavor}/action`, {
      addTenantAccess: { tenant: tenant.projectId },
    });
    return flavor;
  },
  keypair: async (cloud, tenant) => {
    const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqbhHhJ9Y4PnGkZ4p7YNyZrPq0Q0UxvVQmXK8p2oWnZ test';
    await cloud.must(tenant.tokens.member, 'POST', `${compute}/os-keypairs`, {
      keypair: { ...named('keypair')(tenant), public_key: publicKey },
    });
    return `${tenant.marker}-keypair`;
  },
  'server-group': own(`${compute}/os-server-groups`, 'server_group', (tenant) => ({
    ...named('servers')(tenant),
    policy: 'soft-anti-affinity',
  })),
  server: async (cloud, tenant) =>
    idIn(
      await cloud.must(tenant.tokens.member, 'POST', `${compute}/servers`, {
        server: {
          ...named('server')(tenant),
          flavorRef: id(tenant, 'flavor'),
          imageRef: id(tenant, 'image'),
          networks: [{ port: id(tenant, 'port') }],
          metadata: { owner: tenant.marker },
          tags: [tenant.marker],
        },
      }),
      'server',
    ),
  aggregate: async (cloud, tenant) =>
    String(
      (
        (await cloud.must(cloud.admin, 'POST', `${compute}/os-aggregates`, {
          aggregate: named('aggregate')(tenant),
        })) as { aggregate: { id: number } }
      ).aggregate.id,
    ),
  host: hostId,
  agent: async (cloud) =>
    (await cloud.must(cloud.admin, 'GET', `${neutron}/agents?agent_type=L3%20agent`)).agents[0].id as string,
  // Of what the tenant did above.
  'audit-event': async (cloud, tenant) =>
    (
      (await cloud.must(tenant.tokens.reader, 'GET', '/audit/v1/events?limit=1')) as {
        events: { id: string }[];
      }
    ).events[0]?.id ?? '',
  // Shared with a project, private otherwise: as flavors.
  ...volumeFixtures,
};

/** Kinds that no tenant owns: the same object for all, so that its id says nothing. */
export const SHARED_KINDS: ReadonlySet<string> = new Set([
  'host',
  'agent',
  'aggregate',
  'role',
  'region',
  'catalog-service',
  'endpoint',
  'endpoint-group',
  'registered-limit',
  'policy',
]);

/** Throws what to do when the route table names a kind that nobody can make. */
export function requireFixtures(kinds: Iterable<string>): void {
  const missing = [...new Set(kinds)].filter((kind) => fixtures[kind] === undefined);
  if (missing.length > 0)
    throw new Error(
      `No fixture makes an object of kind ${missing.join(', ')}. Add one line per kind to \`fixtures\` in src/testkit/routes/fixtures.ts (how a tenant gets such an object, and its id), so that the cross-tenant matrix covers it.`,
    );
}

/** A project with a user for each role, in the default domain. */
export async function createTenant(cloud: TestCloud, marker: string): Promise<Tenant> {
  const projectId = idIn(
    await cloud.must(cloud.admin, 'POST', `${keystone}/projects`, {
      project: { name: `${marker}-project`, description: marker },
    }),
    'project',
  );
  const roles = (
    (await cloud.must(cloud.admin, 'GET', `${keystone}/roles`)) as { roles: { id: string; name: string }[] }
  ).roles;
  const users: Partial<Tenant['users']> = {};
  const tokens: Partial<Tenant['tokens']> = {};
  for (const role of TENANT_ROLES) {
    const password = `${marker}-${role}-secret`;
    const user = idIn(
      await cloud.must(cloud.admin, 'POST', `${keystone}/users`, {
        user: { name: `${marker}-${role}`, password },
      }),
      'user',
    );
    await cloud.must(
      cloud.admin,
      'PUT',
      `${keystone}/projects/${projectId}/users/${user}/roles/${roles.find((one) => one.name === role)?.id ?? ''}`,
    );
    users[role] = user;
    tokens[role] = await cloud.token(user, password, { project: { id: projectId } });
  }
  return { marker, projectId, users: users as Tenant['users'], tokens: tokens as Tenant['tokens'], ids: {} };
}

/** A tenant that owns one object of every kind; reconciliation may still be under way. */
export async function createFurnishedTenant(cloud: TestCloud, marker: string): Promise<Tenant> {
  const tenant = await createTenant(cloud, marker);
  for (const [kind, make] of Object.entries(fixtures)) tenant.ids[kind] = await make(cloud, tenant);
  return tenant;
}
