// What operators set about users and roles: more than one proof of who somebody is, password rules, roles that are
// inherited or of one domain, and the catalog that a project sees.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onBothEngines } from '../../testkit/database.ts';
import type { Answer } from '../../testkit/http.ts';
import { PASSWORDS, testIdentity, type TestIdentity } from '../../testkit/identity.ts';
import { passcodeAt, seedOf } from './credentials/totp.ts';
import type { PasswordRules } from './settings.ts';

const DAY = 86_400_000;
const SEED = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

onBothEngines('rules of operators', (engine) => {
  let cloud: TestIdentity;
  let admin: string;
  let now = 0;
  const clock = { now: () => now, timer: () => () => {} };

  const start = async (passwordRules: Partial<PasswordRules> = {}): Promise<void> => {
    now = Date.UTC(2026, 5, 1);
    cloud = await testIdentity(engine, clock, { passwordRules });
    await operator();
  };
  const operator = async (): Promise<void> => {
    admin = await cloud.token('admin', PASSWORDS.admin, {
      project: { name: 'admin', domain: { id: 'default' } },
    });
  };
  beforeEach(() => start());
  afterEach(() => cloud.close());
  const restart = async (rules: Partial<PasswordRules>): Promise<void> => {
    await cloud.close();
    await start(rules);
  };

  const call = (method: string, path: string, body?: unknown, as: string | null = admin): Promise<Answer> =>
    cloud.call(as, method, path, body);
  const create = async (kind: string, body: object): Promise<string> => {
    const answer = await call('POST', `/v3/${kind}s`, { [kind]: body });
    expect(answer.status, answer.text).toBe(201);
    return answer.json[kind].id as string;
  };
  const user = (name: string, more: object = {}): Promise<string> =>
    create('user', { name, password: 'pw', domain_id: 'default', ...more });
  const ok = async (method: string, path: string, body?: unknown): Promise<void> => {
    const answer = await call(method, path, body);
    expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
  };
  const roleId = async (name: string): Promise<string> =>
    (await call('GET', `/v3/roles?name=${name}`)).json.roles[0].id as string;
  const names = (answer: Answer): string[] =>
    (answer.json.token.roles as { name: string }[]).map((role) => role.name);

  it('asks for a second proof, gives a receipt for the first, and takes a one-time password once', async () => {
    const id = await user('mia');
    const seed = seedOf(SEED);
    await ok('POST', '/v3/credentials', { credential: { user_id: id, type: 'totp', blob: SEED } });
    await ok('PATCH', `/v3/users/${id}`, {
      user: { options: { multi_factor_auth_rules: [['password', 'totp']] } },
    });
    const passcode = (): string => passcodeAt(seed ?? Buffer.alloc(0), Math.floor(now / 30_000));
    const totp = (code: string, receipt?: unknown, who = id): Promise<Answer> =>
      cloud.call(
        null,
        'POST',
        '/v3/auth/tokens',
        { auth: { identity: { methods: ['totp'], totp: { user: { id: who, passcode: code } } } } },
        receipt === undefined ? {} : { 'openstack-auth-receipt': String(receipt) },
      );
    const first = await cloud.login(id, 'pw');
    expect(first.status).toBe(401);
    const receipt = first.headers['openstack-auth-receipt'];
    expect(first.headers['x-subject-token']).toBeUndefined();
    expect(first.json).toMatchObject({
      receipt: { methods: ['password'], user: { id } },
      required_auth_methods: [['password', 'totp']],
    });
    expect((await call('GET', '/v3/auth/projects', undefined, String(receipt))).status, 'no token').toBe(401);
    expect((await totp('000000', receipt)).status).toBe(401);
    const both = await totp(passcode(), receipt);
    expect(both.status, both.text).toBe(201);
    expect(both.json.token.methods.toSorted()).toEqual(['password', 'totp']);
    expect((await totp(passcode(), receipt)).status, 'a one-time password is good once').toBe(401);
    now += 30_000;
    expect((await totp(passcode())).headers['openstack-auth-receipt'], 'alone not enough').toBeDefined();
    now += 300_000;
    expect((await totp(passcode(), receipt)).status, 'five minutes').toBe(401);

    const other = await user('otto');
    const theirs = (await cloud.login(id, 'pw')).headers['openstack-auth-receipt'];
    const mixed = await cloud.call(
      null,
      'POST',
      '/v3/auth/tokens',
      { auth: { identity: { methods: ['password'], password: { user: { id: other, password: 'pw' } } } } },
      { 'openstack-auth-receipt': String(theirs) },
    );
    expect(mixed.status, 'of somebody else').toBe(401);
    await ok('PATCH', `/v3/users/${id}`, { user: { password: 'new' } });
    now += 30_000;
    expect((await totp(passcode(), theirs)).status, 'from before the password was changed').toBe(401);
    await ok('PATCH', `/v3/users/${id}`, { user: { options: { multi_factor_auth_enabled: false } } });
    expect((await cloud.login(id, 'new')).status).toBe(201);
  });

  it('holds passwords to strength, age, expiry and change upon first use, but for those who are exempt', async () => {
    const change = (id: string, original_password: string, password: string): Promise<Answer> =>
      call('POST', `/v3/users/${id}/password`, { user: { original_password, password } }, null);
    await restart({ regex: '^.{4,}$', regexDescription: 'four characters', uniqueLast: 0 });
    expect(
      (await call('POST', '/v3/users', { user: { name: 'x', password: 'pw' } })).json.error.message,
    ).toContain('four characters');
    const shown = await call('GET', '/v3/domains/default/config/security_compliance');
    expect(shown.json.config.security_compliance.password_regex).toBe('^.{4,}$');

    await restart({ expiresDays: 90, minimumAgeDays: 1 });
    const id = await user('pat');
    const exempt = await user('robot', { options: { ignore_password_expiry: true } });
    const locked = await user('fixed', { options: { lock_password: true } });
    expect((await call('GET', `/v3/users/${id}`)).json.user.password_expires_at).toBe(
      '2026-08-30T00:00:00.000000Z',
    );
    expect(
      (await call('GET', '/v3/users?password_expires_at=lt:2026-09-01T00:00:00Z')).json.users,
    ).toHaveLength(2);
    expect((await change(id, 'pw', 'next')).status, 'an operator has set it').toBe(204);
    expect((await change(id, 'next', 'again')).status, 'a day has to pass').toBe(400);
    expect((await change(locked, 'pw', 'next')).status).toBe(400);
    now += DAY;
    expect((await change(id, 'next', 'again')).status).toBe(204);
    now += 91 * DAY;
    const late = await cloud.login(id, 'again');
    expect(late.json.error.message).toContain('expired');
    expect(
      (await cloud.login(id, 'wrong')).json.error.message,
      'who does not know it learns nothing',
    ).not.toContain('expired');
    expect((await cloud.login(exempt, 'pw')).status).toBe(201);
    expect((await change(id, 'again', 'and again')).status).toBe(204);
    expect((await cloud.login(id, 'and again')).status).toBe(201);

    await restart({ changeUponFirstUse: true });
    const fresh = await user('fresh');
    expect((await cloud.login(fresh, 'pw')).status).toBe(401);
    expect((await change(fresh, 'pw', 'mine')).status).toBe(204);
    expect((await cloud.login(fresh, 'mine')).status).toBe(201);
    const service = await user('service', { options: { ignore_change_password_upon_first_use: true } });
    expect((await cloud.login(service, 'pw')).status).toBe(201);
  });

  it('closes accounts that nobody uses, and answers a flood of wrong passwords from one address with 429', async () => {
    await restart({ disableInactiveDays: 30, failuresAMinute: 5, lockoutAttempts: 1000 });
    const id = await user('idle');
    const busy = await user('busy', { options: { ignore_user_inactivity: true } });
    now += 31 * DAY;
    expect([(await cloud.login(id, 'pw')).status, (await cloud.login(busy, 'pw')).status]).toEqual([
      401, 201,
    ]);
    for (let tries = 0; tries < 5; tries++) expect((await cloud.login(busy, 'wrong')).status).toBe(401);
    const flooded = await cloud.login(busy, 'pw');
    expect(flooded.status).toBe(429);
    expect(Number(flooded.headers['retry-after'])).toBeGreaterThan(0);
    now += 60_000;
    expect((await cloud.login(busy, 'pw')).status).toBe(201);
  });

  it('gives roles to all projects of a domain or below a project, and takes them back at once', async () => {
    const domain = await create('domain', { name: 'acme' });
    const top = await create('project', { name: 'top', domain_id: domain });
    const below = await create('project', { name: 'below', parent_id: top });
    const deep = await create('project', { name: 'deep', parent_id: below });
    const id = await user('ivy');
    const member = await roleId('member');
    const on = (project: string): Promise<Answer> => cloud.login(id, 'pw', { project: { id: project } });
    const statuses = async (): Promise<number[]> => [
      (await on(top)).status,
      (await on(below)).status,
      (await on(deep)).status,
      (await cloud.login(id, 'pw', { domain: { id: domain } })).status,
    ];
    for (const [path, expected] of [
      [
        `/v3/OS-INHERIT/domains/${domain}/users/${id}/roles/${member}/inherited_to_projects`,
        [201, 201, 201, 401],
      ],
      [
        `/v3/OS-INHERIT/projects/${top}/users/${id}/roles/${member}/inherited_to_projects`,
        [401, 201, 201, 401],
      ],
    ] as const) {
      await ok('PUT', path);
      await ok('HEAD', path);
      expect(await statuses(), path).toEqual(expected);
      const token = String((await on(deep)).headers['x-subject-token']);
      expect(names(await on(deep))).toEqual(['member', 'reader']);
      const workable = (await call('GET', `/v3/users/${id}/projects`)).json.projects as { id: string }[];
      expect(workable).toHaveLength(expected.filter((status) => status === 201).length);
      const query = `?effective&user.id=${id}&scope.project.id=${deep}&role.id=${member}`;
      const [line] = (await call('GET', `/v3/role_assignments${query}`)).json.role_assignments;
      expect(line.scope).toEqual({ project: { id: deep }, 'OS-INHERIT:inherited_to': 'projects' });
      expect(line.links.assignment).toContain(path);
      const stored = (await call('GET', `/v3/role_assignments?scope.OS-INHERIT:inherited_to=projects`)).json;
      expect(stored.role_assignments).toHaveLength(1);
      await ok('DELETE', path);
      expect((await call('GET', '/v3/auth/projects', undefined, token)).status).toBe(401);
      expect(await statuses()).toEqual([401, 401, 401, 401]);
    }
  });

  it('keeps the roles of a domain in it, and shows in tokens only what they imply', async () => {
    const domain = await create('domain', { name: 'acme' });
    const project = await create('project', { name: 'web', domain_id: domain });
    const elsewhere = await create('project', { name: 'else', domain_id: 'default' });
    const id = await user('dora');
    // The name of a role that policies know: it must mean nothing to them.
    const own = await create('role', { name: 'admin', domain_id: domain });
    const at = (where: string): string => `/v3/projects/${where}/users/${id}/roles/${own}`;
    await ok('PUT', at(project));
    expect((await call('PUT', at(elsewhere))).status).toBe(403);
    expect((await cloud.login(id, 'pw', { project: { id: project } })).status, 'it implies nothing yet').toBe(
      401,
    );
    await ok('PUT', `/v3/roles/${own}/implies/${await roleId('member')}`);
    expect(names(await cloud.login(id, 'pw', { project: { id: project } }))).toEqual(['member', 'reader']);
    expect((await call('PUT', `/v3/roles/${await roleId('member')}/implies/${own}`)).status).toBe(403);
    const list = async (query: string): Promise<number> =>
      ((await call('GET', `/v3/roles?name=admin${query}`)).json.roles as unknown[]).length;
    expect([await list(''), await list(`&domain_id=${domain}`)]).toEqual([1, 1]);

    const manager = await user('dm', { domain_id: domain });
    await ok('PUT', `/v3/domains/${domain}/users/${manager}/roles/${await roleId('manager')}`);
    const token = await cloud.token(manager, 'pw', { domain: { id: domain } });
    const trap = await create('role', { name: 'member', domain_id: domain });
    await ok('PUT', `/v3/roles/${trap}/implies/${await roleId('service')}`);
    const worker = await user('worker', { domain_id: domain });
    const give = `/v3/projects/${project}/users/${worker}/roles`;
    expect((await call('PUT', `${give}/${trap}`, undefined, token)).status, 'a name is not a role').toBe(403);
    expect((await call('PUT', `${give}/${await roleId('member')}`, undefined, token)).status).toBe(204);
  });

  it('shows each project the endpoints that it was given, and keeps what the cloud serves itself', async () => {
    const project = (await call('GET', '/v3/projects?name=demo')).json.projects[0].id as string;
    const service = await create('service', { name: 'vault', type: 'key-manager' });
    const endpoint = await create('endpoint', {
      service_id: service,
      interface: 'public',
      region: 'Moon',
      url: 'http://vault.test/%(tenant_id)s',
    });
    const types = async (): Promise<string[]> =>
      (
        (await cloud.login('demo', PASSWORDS.demo, { project: { id: project } })).json.token.catalog as {
          type: string;
          endpoints: { url: string }[];
        }[]
      ).map((one) => `${one.type} ${one.endpoints.length} ${one.endpoints.at(-1)?.url.includes(project)}`);
    expect(await types()).toContain('key-manager 1 true');
    expect((await types()).length).toBe(4);
    await ok('PUT', `/v3/OS-EP-FILTER/projects/${project}/endpoints/${endpoint}`);
    expect(await types()).toEqual(['key-manager 1 true']);
    const [nova] = (await call('GET', '/v3/services?type=compute')).json.services;
    const group = (
      await call('POST', '/v3/OS-EP-FILTER/endpoint_groups', {
        endpoint_group: { name: 'compute', filters: { service_id: nova.id, interface: 'public' } },
      })
    ).json.endpoint_group.id;
    await ok('PUT', `/v3/OS-EP-FILTER/endpoint_groups/${group}/projects/${project}`);
    expect(await types()).toEqual(['compute 1 false', 'key-manager 1 true']);
    await ok('DELETE', `/v3/OS-EP-FILTER/projects/${project}/endpoints/${endpoint}`);
    await ok('DELETE', `/v3/OS-EP-FILTER/endpoint_groups/${group}/projects/${project}`);
    expect((await types()).length).toBe(4);
    for (const url of ['http://x/%(password)s', 'http://x/$(user.__class__)s', 'no address'])
      expect(
        (await call('POST', '/v3/endpoints', { endpoint: { service_id: service, interface: 'public', url } }))
          .status,
        url,
      ).toBe(400);
    expect((await call('DELETE', `/v3/services/${nova.id}`)).status).toBe(403);
    expect((await call('DELETE', '/v3/regions/RegionOne')).status).toBe(403);
    expect((await call('DELETE', '/v3/regions/Moon')).status, 'it has an endpoint').toBe(403);
    await ok('DELETE', `/v3/services/${service}`);
    await ok('DELETE', '/v3/regions/Moon');
  });

  it('sets by unified limits what the services hold projects to, and shows what they set themselves', async () => {
    const demo = (await call('GET', '/v3/projects?name=demo')).json.projects[0].id as string;
    const { db, quotas } = cloud.platform;
    const held = async (): Promise<number | undefined> => (await quotas.limits(db.read, demo))['instances'];
    const [registered] = (await call('GET', '/v3/registered_limits')).json.registered_limits;
    expect(registered).toMatchObject({ resource_name: 'instances', default_limit: 10 });
    await ok('PATCH', `/v3/registered_limits/${registered.id}`, { registered_limit: { default_limit: 7 } });
    expect(await held()).toBe(7);
    const limit = {
      project_id: demo,
      service_id: registered.service_id,
      resource_name: 'instances',
      resource_limit: 3,
    };
    const made = await call('POST', '/v3/limits', { limits: [limit] });
    expect([made.status, await held()]).toEqual([201, 3]);
    const [{ id }] = made.json.limits;
    expect((await call('POST', '/v3/limits', { limits: [limit] })).status).toBe(409);
    expect(
      (await call('POST', '/v3/limits', { limits: [{ ...limit, resource_name: 'teapots' }] })).status,
    ).toBe(403);
    const token = await cloud.token('demo', PASSWORDS.demo, { project: { id: demo } });
    expect((await call('GET', `/v3/limits/${id}`, undefined, token)).json.limit.resource_limit).toBe(3);
    expect((await call('PATCH', `/v3/limits/${id}`, { limit: { resource_limit: 99 } }, token)).status).toBe(
      403,
    );
    await db.tx((tx) => quotas.setLimits(tx, demo, { instances: 4 }));
    expect((await call('GET', '/v3/limits')).json.limits[0].resource_limit).toBe(4);
    await ok('DELETE', `/v3/limits/${id}`);
    expect(await held()).toBe(7);
    expect((await call('GET', '/v3/limits/model')).json.model.name).toBe('flat');
  });
});
