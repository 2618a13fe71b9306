// Families of holes that other clouds had (numbers: docs on security cases), tried through the whole API. The
// cross-tenant doors (20) are the matrix in cross-tenant.sim.test.ts, images are in security-images.sim.test.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestCloud, type TestCloud } from './cloud.ts';
import { createFurnishedTenant, SHARED_KINDS, type Tenant } from './fixtures.ts';
import { buildRequest } from './requests.ts';
import { tableNames, tenantRows } from './rows.ts';
import { asSchema, idPlaces, nameOf, places, type Step } from './schema-walk.ts';

const neutron = '/network/v2.0';
const keystone = '/identity/v3';
let cloud: TestCloud;
let own: Tenant;
let other: Tenant;
let tables: string[];
beforeAll(async () => {
  cloud = await openTestCloud('sqlite');
  own = await createFurnishedTenant(cloud, 'quokka');
  other = await createFurnishedTenant(cloud, 'zebra');
  await cloud.settle();
  tables = await tableNames(cloud.control.platform.db);
});
afterAll(() => cloud.close());

const theirs = (): Promise<string> => tenantRows(cloud.control.platform.db, tables, other, SHARED_KINDS);
const member = () => own.tokens.member;
const bootable = () => ({
  flavorRef: own.ids['flavor'],
  imageRef: own.ids['image'],
  networks: [{ uuid: own.ids['network'] }],
});
const status = async (
  token: string | null,
  method: string,
  url: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<number> => (await cloud.call(token, method, url, body, headers)).status;

describe('tokens (7, 9, 11)', () => {
  const works = async (token: string): Promise<number> => status(token, 'GET', `${neutron}/networks`);

  it('a token with any character changed, dropped or added is no token', async () => {
    const token = member();
    expect(await works(token)).toBe(200);
    const wrong: string[] = [];
    for (let at = 0; at < token.length; at++) {
      const swap = token[at] === 'A' ? 'B' : 'A';
      wrong.push(token.slice(0, at) + swap + token.slice(at + 1), token.slice(0, at) + token.slice(at + 1));
    }
    wrong.push(
      `${token}=`,
      `${token}A`,
      `A${token}`,
      `${token}.`,
      token.replaceAll('.', ','),
      token.toUpperCase(),
      `Bearer ${token}`,
      `${token}, ${token}`,
    );
    const accepted: string[] = [];
    for (const one of wrong) if ((await works(one)) !== 401) accepted.push(one);
    expect(accepted).toEqual([]);
  }, 60_000);

  it('a revoked token is refused in every spelling, at once and for every service', async () => {
    const token = await cloud.token(own.users.member, 'quokka-member-secret', {
      project: { id: own.projectId },
    });
    expect(await works(token)).toBe(200);
    expect(
      await status(token, 'DELETE', `${keystone}/auth/tokens`, undefined, { 'x-subject-token': token }),
    ).toBe(204);
    for (const url of [
      `${neutron}/networks`,
      '/compute/v2.1/servers',
      '/image/v2/images',
      `${keystone}/auth/projects`,
    ])
      expect(await status(token, 'GET', url), url).toBe(401);
    expect(
      await status(cloud.admin, 'GET', `${keystone}/auth/tokens`, undefined, { 'x-subject-token': token }),
    ).toBe(404);
    expect(
      (
        await cloud.call(null, 'POST', `${keystone}/auth/tokens`, {
          auth: { identity: { methods: ['token'], token: { id: token } } },
        })
      ).status,
    ).toBe(404);
  });

  it('a token does not beget one that lives longer, or for a project that its user has nothing in', async () => {
    const first = await cloud.call(null, 'POST', `${keystone}/auth/tokens`, {
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { id: own.users.member, password: 'quokka-member-secret' } },
        },
        scope: { project: { id: own.projectId } },
      },
    });
    const rescope = (scope: object) =>
      cloud.call(null, 'POST', `${keystone}/auth/tokens`, {
        auth: {
          identity: { methods: ['token'], token: { id: String(first.headers['x-subject-token']) } },
          scope,
        },
      });
    const second = await rescope({ project: { id: own.projectId } });
    expect(second.status, second.text).toBe(201);
    expect(second.json.token.expires_at).toBe(first.json.token.expires_at);
    expect(second.json.token.roles.map((role: { name: string }) => role.name).sort()).toEqual(
      first.json.token.roles.map((role: { name: string }) => role.name).sort(),
    );
    for (const scope of [
      { project: { id: other.projectId } },
      { system: { all: true } },
      { domain: { id: 'default' } },
      { project: { id: cloud.control.adminProjectId } },
    ])
      expect((await rescope(scope)).status, JSON.stringify(scope)).toBe(401);
  });

  it('no role of a project lets its holder mint rights: no grants, no users, no projects, no quota', async () => {
    const roles = (await cloud.must(cloud.admin, 'GET', `${keystone}/roles`)) as {
      roles: { id: string; name: string }[];
    };
    const adminRole = roles.roles.find((role) => role.name === 'admin')?.id ?? '';
    const attempts: [string, string, unknown?][] = [
      ['PUT', `${keystone}/projects/${own.projectId}/users/${own.users.member}/roles/${adminRole}`],
      ['PUT', `${keystone}/system/users/${own.users.member}/roles/${adminRole}`],
      ['PUT', `${keystone}/domains/default/users/${own.users.member}/roles/${adminRole}`],
      ['POST', `${keystone}/users`, { user: { name: 'mole', password: 'x' } }],
      ['PATCH', `${keystone}/users/${own.users.member}`, { user: { default_project_id: other.projectId } }],
      ['POST', `${keystone}/projects`, { project: { name: 'mole', parent_id: own.projectId } }],
      ['PATCH', `${keystone}/projects/${own.projectId}`, { project: { enabled: true } }],
      ['PUT', `${keystone}/roles/${adminRole}/implies/${adminRole}`],
      ['PUT', `/compute/v2.1/os-quota-sets/${own.projectId}`, { quota_set: { instances: 1000 } }],
      ['PUT', `${neutron}/quotas/${own.projectId}`, { quota: { network: 1000 } }],
    ];
    for (const token of Object.values(own.tokens))
      for (const [method, url, body] of attempts)
        expect([403, 404], `${method} ${url}`).toContain(await status(token, method, url, body));
  });

  it('identity headers that a client sends count for nothing, in any case and number', async () => {
    const forged = [
      {
        'x-roles': 'admin',
        'x-user-id': other.users.member,
        'x-project-id': other.projectId,
        'x-identity-status': 'Confirmed',
      },
      {
        'X-ROLES': 'admin,member',
        'X-Tenant-Id': other.projectId,
        'X-Is-Admin-Project': 'True',
        'X-Service-Token': 'x',
      },
      {
        'x-user': 'admin',
        'X-Tenant': other.projectId,
        'x-domain-id': 'default',
        'x-system-scope': 'all',
        openstack_system_scope: 'all',
        x_roles: 'admin',
      },
    ];
    for (const headers of forged) {
      expect(await status(null, 'GET', `${neutron}/networks`, undefined, headers)).toBe(401);
      expect(await status(member(), 'GET', '/compute/v2.1/os-hypervisors', undefined, headers)).toBe(403);
      expect(
        await status(member(), 'GET', `${neutron}/networks/${other.ids['network']}`, undefined, headers),
      ).toBe(404);
      expect(
        (await cloud.call(member(), 'GET', '/compute/v2.1/servers/detail', undefined, headers)).text,
      ).not.toContain('zebra');
    }
  });
});

describe('the body does not choose whose object it is (8)', () => {
  it('project_id, tenant_id, user_id and owner of others, added to any body, change nothing and give nothing', async () => {
    const before = await theirs();
    const failures: string[] = [];
    let tried = 0;
    const theft: Record<string, string> = {
      project_id: other.projectId,
      tenant_id: other.projectId,
      user_id: other.users.member,
      owner: other.projectId,
      domain_id: other.ids['domain'] ?? '',
      id: other.ids['server'] ?? '',
    };
    for (const entry of cloud.entries) {
      // Custom properties of images carry any name; none of them is an owner.
      if (
        entry.route.body === undefined ||
        entry.route.streams === true ||
        entry.key === 'POST /image/v2/images'
      )
        continue;
      const objects = places(
        asSchema(entry.route.body),
        entry.minor,
        (schema) => schema.type === 'object' && schema.properties !== undefined,
      );
      const declared = new Set(idPlaces(entry).map((place) => place.name));
      for (const { steps } of objects)
        for (const [field, value] of Object.entries(theft)) {
          const way: Step[] = [...steps, { property: field }];
          // Declared ids are the matrix's; what follows is not declared, or not known to name somebody.
          // A connector holds whatever its client writes down for itself.
          if (declared.has(nameOf(way)) || nameOf(steps).endsWith('attachment.connector')) continue;
          const answer = await cloud.send(
            buildRequest(entry, member(), { ids: own.ids, put: { in: 'body', steps: way, value } }),
          );
          tried += 1;
          const owned = answer.status < 300 && answer.text.includes(value) && field !== 'id';
          if (answer.status >= 500 || owned)
            failures.push(`${entry.key} with ${nameOf(way)}: ${answer.status} ${answer.text.slice(0, 200)}`);
        }
    }
    expect(failures.join('\n')).toBe('');
    expect(tried).toBeGreaterThan(300);
    expect(await theirs()).toBe(before);
  }, 60_000);
});

describe('ports (14)', () => {
  it("a port that names another tenant's server or router as its device is attached to neither", async () => {
    const read = cloud.control.platform.db.read;
    const items = async () =>
      JSON.stringify(
        await read
          .selectFrom('items')
          .selectAll()
          .where('id', 'in', [other.ids['server'] ?? '', other.ids['router'] ?? ''])
          .orderBy('id')
          .execute(),
      );
    const shown = async () =>
      JSON.stringify(
        (await cloud.must(other.tokens.member, 'GET', `/compute/v2.1/servers/${other.ids['server']}`)).server,
      );
    const before = [await items(), await shown()];
    const bare = { network_id: own.ids['network'] };
    const made = (
      await cloud.must(member(), 'POST', `${neutron}/ports`, {
        port: { ...bare, device_id: other.ids['server'], device_owner: 'compute:nova' },
      })
    ).port.id as string;
    await cloud.call(member(), 'PUT', `${neutron}/ports/${made}`, {
      port: { device_id: other.ids['router'], device_owner: 'compute:nova' },
    });
    for (const owner of [
      'network:router_interface',
      'network:router_gateway',
      'network:dhcp',
      'network:floatingip',
    ])
      expect(
        await status(member(), 'POST', `${neutron}/ports`, {
          port: { ...bare, device_id: other.ids['router'], device_owner: owner },
        }),
        owner,
      ).toBe(403);
    await cloud.settle();
    expect([await items(), await shown()]).toEqual(before);
    const interfaces = await cloud.must(
      other.tokens.member,
      'GET',
      `/compute/v2.1/servers/${other.ids['server']}/os-interface`,
    );
    expect(JSON.stringify(interfaces)).not.toContain(made);
    await cloud.must(member(), 'DELETE', `${neutron}/ports/${made}`);
  });

  it('no change of device_owner takes the filters off a port', async () => {
    const port = (
      await cloud.must(member(), 'POST', `${neutron}/ports`, { port: { network_id: own.ids['network'] } })
    ).port.id as string;
    for (const owner of [
      'network:dhcp',
      'network:router_interface',
      'network:anything',
      'NETWORK:dhcp',
      'neutron:VIP_PORT',
      '',
    ])
      await cloud.call(member(), 'PUT', `${neutron}/ports/${port}`, { port: { device_owner: owner } });
    const row = await cloud.control.platform.db.read
      .selectFrom('ports')
      .selectAll()
      .where('id', '=', port)
      .executeTakeFirstOrThrow();
    expect(row.port_security_enabled).toBe(1);
    expect(row.device_owner).not.toMatch(/^network:/);
    const ofServer = await cloud.call(member(), 'PUT', `${neutron}/ports/${own.ids['port']}`, {
      port: { device_owner: 'network:dhcp' },
    });
    expect([403, 409]).toContain(ofServer.status);
  });
});

describe('text that reaches a configuration file or a command line (16)', () => {
  const injections = [
    'a\nport=0',
    'a\r\ndhcp-script=/bin/sh',
    'a\u0000b',
    'a\u2028b\nc',
    '-oProxyCommand=x',
    '--conf-file=/etc/shadow',
  ];
  it('a line break never enters by a name, an address or an option', async () => {
    for (const text of injections.filter((one) => /[\n\r\0]/.test(one))) {
      const tries: [string, string, unknown][] = [
        ['POST', `${neutron}/networks`, { network: { name: text } }],
        [
          'POST',
          `${neutron}/subnets`,
          { subnet: { name: text, network_id: own.ids['network'], ip_version: 4, cidr: '10.97.0.0/24' } },
        ],
        ['PUT', `${neutron}/subnets/${own.ids['subnet']}`, { subnet: { dns_nameservers: [text] } }],
        [
          'PUT',
          `${neutron}/subnets/${own.ids['subnet']}`,
          { subnet: { host_routes: [{ destination: text, nexthop: '10.90.0.1' }] } },
        ],
        ['POST', `${neutron}/ports`, { port: { network_id: own.ids['network'], name: text } }],
        [
          'POST',
          `${neutron}/ports`,
          { port: { network_id: own.ids['network'], mac_address: `02:00:00:00:00:01${text}` } },
        ],
        [
          'POST',
          `${neutron}/security-group-rules`,
          {
            security_group_rule: {
              security_group_id: own.ids['security-group'],
              direction: 'ingress',
              remote_ip_prefix: `10.0.0.0/8${text}`,
            },
          },
        ],
        [
          'POST',
          '/compute/v2.1/servers',
          {
            server: { ...bootable(), name: text },
          },
        ],
        [
          'POST',
          '/compute/v2.1/servers',
          {
            server: { ...bootable(), name: 'x', hostname: text },
          },
        ],
        ['POST', '/compute/v2.1/os-keypairs', { keypair: { name: text, public_key: 'ssh-ed25519 AAAA x' } }],
        [
          'POST',
          '/compute/v2.1/os-keypairs',
          {
            keypair: {
              name: 'x',
              public_key: `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqbhHhJ9Y4PnGkZ4p7YNyZrPq0Q0UxvVQmXK8p2oWnZ ${text}`,
            },
          },
        ],
        ['POST', '/image/v2/images', { name: text }],
        ['PUT', `/compute/v2.1/servers/${own.ids['server']}/metadata/key`, { meta: { key: text } }],
      ];
      for (const [method, url, body] of tries)
        expect(await status(member(), method, url, body), `${method} ${url} ${JSON.stringify(body)}`).toBe(
          400,
        );
    }
  });

  it('what the hosts get never holds a control character, nor a host name that begins with a dash', async () => {
    for (const name of injections)
      await cloud.call(member(), 'POST', '/compute/v2.1/servers', {
        server: { ...bootable(), name },
      });
    await cloud.settle();
    const items = await cloud.control.platform.db.read.selectFrom('items').selectAll().execute();
    expect(items.length).toBeGreaterThan(5);
    for (const { kind, id, body } of items) {
      expect(body, `${kind} ${id}`).not.toMatch(/\\u00[01]|\\[nrtbf]/);
      expect(body, `${kind} ${id}`).not.toMatch(/"hostname":"-/);
    }
  });
});
