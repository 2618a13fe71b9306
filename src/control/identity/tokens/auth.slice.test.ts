// Logging in, scopes, rescoping, revocation: on both engines, over HTTP.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { PASSWORDS, testIdentity, type TestIdentity } from '../../../testkit/identity.ts';

const onProject = (name: string) => ({ project: { name, domain: { id: 'default' } } });
const tokenAuth = (id: string, scope?: unknown) => ({
  auth: { identity: { methods: ['token'], token: { id } }, ...(scope === undefined ? {} : { scope }) },
});

onBothEngines('authentication', (engine) => {
  let cloud: TestIdentity;
  let admin: string;
  let now = 0;
  const clock = { now: () => now, timer: () => () => {} };

  beforeEach(async () => {
    now = Date.UTC(2026, 5, 1);
    cloud = await testIdentity(engine, clock);
    admin = await cloud.token('admin', PASSWORDS.admin, onProject('admin'));
  });
  afterEach(() => cloud.close());

  /** Creates through the API, as the operator, and returns the id. */
  const create = async (kind: string, body: object): Promise<string> => {
    const answer = await cloud.call(admin, 'POST', `/v3/${kind}s`, { [kind]: body });
    expect(answer.status, answer.text).toBe(201);
    return (answer.json as Record<string, { id: string }>)[kind]?.id ?? '';
  };
  const roleId = async (name: string): Promise<string> =>
    (await cloud.call(admin, 'GET', `/v3/roles?name=${name}`)).json.roles[0].id as string;
  const put = async (path: string): Promise<void> =>
    expect((await cloud.call(admin, 'PUT', path)).status, path).toBe(204);
  const works = async (token: string): Promise<boolean> =>
    (await cloud.call(token, 'GET', '/v3/auth/projects')).status === 200;
  /** A user with a password and a role on a new project. */
  const tenant = async (name: string): Promise<{ user: string; project: string; role: string }> => {
    const user = await create('user', { name, password: 'pw', domain_id: 'default' });
    const project = await create('project', { name, domain_id: 'default' });
    const role = await roleId('member');
    await put(`/v3/projects/${project}/users/${user}/roles/${role}`);
    return { user, project, role };
  };

  describe('by password', () => {
    it('gives a token with user, project, effective roles and the catalog', async () => {
      const answer = await cloud.login('demo', PASSWORDS.demo, onProject('demo'));
      expect(answer.status).toBe(201);
      const { token } = answer.json;
      expect(token.user).toMatchObject({
        name: 'demo',
        domain: { id: 'default', name: 'Default' },
        password_expires_at: null,
      });
      expect(token.project).toMatchObject({ name: 'demo', domain: { id: 'default', name: 'Default' } });
      expect(token.roles.map((role: { name: string }) => role.name)).toEqual(['member', 'reader']);
      expect(token.methods).toEqual(['password']);
      expect(token.audit_ids).toHaveLength(1);
      expect(token.issued_at).toBe('2026-06-01T00:00:00.000000Z');
      expect(token.expires_at).toBe('2026-06-01T01:00:00.000000Z');
      const swift = token.catalog.find((entry: { type: string }) => entry.type === 'object-store');
      expect(swift.endpoints).toHaveLength(3);
      expect(swift.endpoints[0]).toMatchObject({
        interface: 'public',
        region: 'RegionOne',
        url: `http://cloud.test/object/v1/AUTH_${token.project.id}`,
      });
      expect(String(answer.headers['x-subject-token']).length).toBeLessThan(2048);
    });

    it('gives system, domain, unscoped and default-project tokens', async () => {
      const system = await cloud.login('admin', PASSWORDS.admin, { system: { all: true } });
      expect(system.json.token).toMatchObject({ system: { all: true } });
      expect(system.json.token.roles.map((role: { name: string }) => role.name)).toEqual([
        'admin',
        'manager',
        'member',
        'reader',
      ]);
      const domain = await cloud.login('admin', PASSWORDS.admin, { domain: { name: 'Default' } });
      expect(domain.json.token.domain).toEqual({ id: 'default', name: 'Default' });
      const bare = (await cloud.login('admin', PASSWORDS.admin)).json.token;
      expect([bare.roles, bare.catalog, bare.project]).toEqual([undefined, undefined, undefined]);
      const { user, project } = await tenant('fred');
      expect(
        (await cloud.call(admin, 'PATCH', `/v3/users/${user}`, { user: { default_project_id: project } }))
          .status,
      ).toBe(200);
      expect((await cloud.login('fred', 'pw')).json.token.project.id).toBe(project);
      expect((await cloud.login('fred', 'pw', 'unscoped')).json.token.project).toBeUndefined();
      const without = await cloud.call(null, 'POST', '/v3/auth/tokens?nocatalog', {
        auth: { identity: { methods: ['password'], password: { user: { id: user, password: 'pw' } } } },
      });
      expect(without.json.token.catalog).toBeUndefined();
    });

    it('says the same whoever is wrong, and 401 for a scope one has no role on', async () => {
      const wrong = await cloud.login('demo', 'nope');
      for (const other of [
        await cloud.login('ghost', 'nope'),
        await cloud.login('demo', PASSWORDS.demo, onProject('admin')),
        await cloud.login('demo', PASSWORDS.demo, onProject('ghost')),
        await cloud.login('demo', PASSWORDS.demo, { system: { all: true } }),
        await cloud.login('demo', PASSWORDS.demo, { domain: { id: 'default' } }),
      ]) {
        expect(other.status).toBe(401);
        expect(other.text).toBe(wrong.text);
      }
    });

    it('answers 400 to what is no request for a token', async () => {
      const user = { name: 'demo', domain: { id: 'default' }, password: PASSWORDS.demo };
      const identity = { methods: ['password'], password: { user } };
      for (const auth of [
        {},
        { identity: { methods: [] } },
        { identity: { methods: ['password'] } },
        { identity: { methods: ['token'] } },
        { identity: { methods: ['password'], password: { user: { password: 'x' } } } },
        { identity: { methods: ['password'], password: { user: { name: 'demo', password: 'x' } } } },
        {
          identity: {
            methods: ['password'],
            password: { user: { ...user, domain: { id: 'default', name: 'Default' } } },
          },
        },
        { identity, scope: {} },
        { identity, scope: { system: { all: false } } },
        { identity, scope: { project: { name: 'demo' } } },
        { identity, scope: { project: { id: 'x' }, domain: { id: 'default' } } },
        { identity, scope: 'everything' },
        { identity, user_id: 'x' },
      ])
        expect(
          (await cloud.call(null, 'POST', '/v3/auth/tokens', { auth })).status,
          JSON.stringify(auth),
        ).toBe(400);
      expect(
        (
          await cloud.call(null, 'POST', '/v3/auth/tokens', {
            auth: { identity: { methods: ['telepathy'] } },
          })
        ).status,
      ).toBe(401);
    });

    it('does not let in who, or whose domain, is disabled or without a password', async () => {
      const domain = await create('domain', { name: 'acme' });
      const user = await create('user', { name: 'u', password: 'pw', domain_id: domain });
      expect((await cloud.login(user, 'pw')).status).toBe(201);
      await cloud.call(admin, 'PATCH', `/v3/domains/${domain}`, { domain: { enabled: false } });
      expect((await cloud.login(user, 'pw')).status).toBe(401);
      const silent = await create('user', { name: 'silent', domain_id: 'default' });
      expect((await cloud.login(silent, '')).status).toBe(401);
    });
  });

  describe('by token', () => {
    it('keeps expiry and audit chain, and gives no more than the assignments do', async () => {
      const first = await cloud.token('demo', PASSWORDS.demo);
      const { token: parent } = (
        await cloud.call(first, 'GET', '/v3/auth/tokens', undefined, { 'x-subject-token': first })
      ).json;
      now += 600_000;
      const scoped = await cloud.call(null, 'POST', '/v3/auth/tokens', tokenAuth(first, onProject('demo')));
      expect(scoped.status).toBe(201);
      expect(scoped.json.token.expires_at).toBe(parent.expires_at);
      expect(scoped.json.token.audit_ids[1]).toBe(parent.audit_ids[0]);
      expect(scoped.json.token.methods).toEqual(['password', 'token']);
      const second = String(scoped.headers['x-subject-token']);
      now += 600_000;
      const third = await cloud.call(null, 'POST', '/v3/auth/tokens', tokenAuth(second, 'unscoped'));
      expect(third.json.token.expires_at).toBe(parent.expires_at);
      expect(third.json.token.audit_ids[1]).toBe(parent.audit_ids[0]);
      for (const scope of [onProject('admin'), { system: { all: true } }, { domain: { id: 'default' } }])
        expect((await cloud.call(null, 'POST', '/v3/auth/tokens', tokenAuth(second, scope))).status).toBe(
          401,
        );
      const both = {
        auth: {
          identity: {
            methods: ['token', 'password'],
            token: { id: second },
            password: { user: { name: 'admin', domain: { id: 'default' }, password: PASSWORDS.admin } },
          },
        },
      };
      expect(
        (await cloud.call(null, 'POST', '/v3/auth/tokens', both)).status,
        'two proofs of two users',
      ).toBe(401);
      now += 2_400_000;
      for (const expired of [first, second]) {
        expect(await works(expired)).toBe(false);
        expect((await cloud.call(null, 'POST', '/v3/auth/tokens', tokenAuth(expired))).status).toBe(404);
      }
    });

    it('shows a token to its user and to operators, and to nobody else', async () => {
      const demo = await cloud.token('demo', PASSWORDS.demo, onProject('demo'));
      const show = (who: string, what: string | null, method = 'GET') =>
        cloud.call(
          who,
          method,
          '/v3/auth/tokens',
          undefined,
          what === null ? {} : { 'x-subject-token': what },
        );
      expect((await show(demo, demo)).json.token.project.name).toBe('demo');
      expect((await show(demo, demo, 'HEAD')).status).toBe(200);
      expect((await show(admin, demo)).status).toBe(200);
      expect((await show(demo, admin)).status).toBe(404);
      expect((await show(demo, admin, 'DELETE')).status).toBe(404);
      expect((await show(admin, 'nonsense')).status).toBe(404);
      expect((await show(admin, null)).status).toBe(404);
      expect(await works(admin)).toBe(true);
    });
  });

  describe('a token ends', () => {
    it('alone when it is revoked, with its chain when it was the first', async () => {
      const first = await cloud.token('demo', PASSWORDS.demo);
      const rescope = async (): Promise<string> =>
        String(
          (await cloud.call(null, 'POST', '/v3/auth/tokens', tokenAuth(first, onProject('demo')))).headers[
            'x-subject-token'
          ],
        );
      const [one, two] = [await rescope(), await rescope()];
      const other = await cloud.token('demo', PASSWORDS.demo);
      expect(
        (await cloud.call(one, 'DELETE', '/v3/auth/tokens', undefined, { 'x-subject-token': one })).status,
      ).toBe(204);
      expect([await works(one), await works(two), await works(first)]).toEqual([false, true, true]);
      expect(
        (await cloud.call(admin, 'DELETE', '/v3/auth/tokens', undefined, { 'x-subject-token': first }))
          .status,
      ).toBe(204);
      expect([await works(two), await works(first), await works(other)]).toEqual([false, false, true]);
      expect((await cloud.call(null, 'POST', '/v3/auth/tokens', tokenAuth(first))).status).toBe(404);
    });

    it('when the password is changed, by the user or by an operator', async () => {
      const { user } = await tenant('fred');
      let token = await cloud.token('fred', 'pw');
      const change = (as: string | null, original: string, password: string) =>
        cloud.call(as, 'POST', `/v3/users/${user}/password`, {
          user: { original_password: original, password },
        });
      expect((await change(token, 'wrong', 'new')).status).toBe(401);
      expect((await change(admin, 'admin-secret', 'new')).status, 'no right replaces the password').toBe(401);
      expect(await works(token)).toBe(true);
      expect((await change(null, 'pw', 'new')).status, 'the old password says who it is').toBe(204);
      expect(await works(token)).toBe(false);
      expect((await cloud.login('fred', 'pw')).status).toBe(401);
      token = await cloud.token('fred', 'new');
      expect(await works(token), 'in the same millisecond').toBe(true);
      await cloud.call(admin, 'PATCH', `/v3/users/${user}`, { user: { password: 'newer' } });
      expect(await works(token)).toBe(false);
      expect(await works(await cloud.token('fred', 'newer'))).toBe(true);
    });

    const causes: [
      string,
      (it: { user: string; project: string; role: string }) => [string, string, unknown?],
    ][] = [
      ['the user is disabled', (t) => ['PATCH', `/v3/users/${t.user}`, { user: { enabled: false } }]],
      ['the user is deleted', (t) => ['DELETE', `/v3/users/${t.user}`]],
      [
        'the project is disabled',
        (t) => ['PATCH', `/v3/projects/${t.project}`, { project: { enabled: false } }],
      ],
      ['the project is deleted', (t) => ['DELETE', `/v3/projects/${t.project}`]],
      [
        'the role is taken away',
        (t) => ['DELETE', `/v3/projects/${t.project}/users/${t.user}/roles/${t.role}`],
      ],
    ];
    it.each(causes)('when %s', async (_, cause) => {
      const it = await tenant('fred');
      const bystander = await cloud.token('demo', PASSWORDS.demo, onProject('demo'));
      const token = await cloud.token('fred', 'pw', { project: { id: it.project } });
      expect(await works(token)).toBe(true);
      const [method, path, body] = cause(it);
      expect((await cloud.call(admin, method, path, body)).status).toBeLessThan(300);
      expect(await works(token)).toBe(false);
      expect((await cloud.login(it.user, 'pw', { project: { id: it.project } })).status).toBe(401);
      expect(await works(bystander)).toBe(true);
    });

    it('when a role that it carries is deleted, or its group loses the role, the member or its life', async () => {
      const { user, project } = await tenant('fred');
      const custom = await create('role', { name: 'auditor' });
      const group = await create('group', { name: 'staff', domain_id: 'default' });
      const grant = `/v3/projects/${project}/groups/${group}/roles/${custom}`;
      await put(grant);
      const member = `/v3/groups/${group}/users/${user}`;
      await put(member);
      const fresh = async (): Promise<string> => {
        const token = await cloud.token('fred', 'pw', { project: { id: project } });
        const { roles } = (
          await cloud.call(token, 'GET', '/v3/auth/tokens', undefined, { 'x-subject-token': token })
        ).json.token;
        expect(roles.map((role: { name: string }) => role.name)).toEqual(['auditor', 'member', 'reader']);
        return token;
      };
      for (const [undo, redo] of [
        [grant, grant],
        [member, member],
      ] as const) {
        const token = await fresh();
        expect((await cloud.call(admin, 'DELETE', undo)).status).toBe(204);
        expect(await works(token), undo).toBe(false);
        await put(redo);
      }
      let token = await fresh();
      expect((await cloud.call(admin, 'DELETE', `/v3/roles/${custom}`)).status).toBe(204);
      expect(await works(token)).toBe(false);
      await put(`/v3/projects/${project}/groups/${group}/roles/${await roleId('manager')}`);
      token = await cloud.token('fred', 'pw', { project: { id: project } });
      expect((await cloud.call(admin, 'DELETE', `/v3/groups/${group}`)).status).toBe(204);
      expect(await works(token)).toBe(false);
    });

    it('when its domain is disabled, and for good when that is deleted with all in it', async () => {
      const domain = await create('domain', { name: 'acme' });
      const user = await create('user', { name: 'u', password: 'pw', domain_id: domain });
      const project = await create('project', { name: 'p', domain_id: domain });
      await put(`/v3/projects/${project}/users/${user}/roles/${await roleId('member')}`);
      const token = await cloud.token(user, 'pw', { project: { id: project } });
      expect((await cloud.call(admin, 'DELETE', `/v3/domains/${domain}`)).status, 'enabled').toBe(403);
      await cloud.call(admin, 'PATCH', `/v3/domains/${domain}`, { domain: { enabled: false } });
      expect(await works(token)).toBe(false);
      expect((await cloud.call(admin, 'DELETE', `/v3/domains/${domain}`)).status).toBe(204);
      for (const path of [`/v3/users/${user}`, `/v3/projects/${project}`, `/v3/domains/${domain}`])
        expect((await cloud.call(admin, 'GET', path)).status).toBe(404);
      expect(
        await cloud.platform.db.read
          .selectFrom('role_assignments')
          .selectAll()
          .where('actor_id', '=', user)
          .execute(),
      ).toEqual([]);
    });

    it('also when it was being made while its rights were taken away', async () => {
      const { user, project, role } = await tenant('fred');
      const grant = `/v3/projects/${project}/users/${user}/roles/${role}`;
      for (let round = 0; round < 15; round++) {
        const logins = Array.from({ length: 4 }, () =>
          cloud.login('fred', 'pw', { project: { id: project } }),
        );
        const [taken, ...answers] = await Promise.all([cloud.call(admin, 'DELETE', grant), ...logins]);
        expect(taken?.status).toBe(204);
        for (const answer of answers)
          if (answer.status === 201)
            expect(await works(String(answer.headers['x-subject-token']))).toBe(false);
        await put(grant);
      }
    });

    it('in every process, also one that started before or starts afterwards', async () => {
      const { user } = await tenant('fred');
      const before = await cloud.replica();
      const token = await cloud.token('fred', 'pw');
      expect((await before.call(token, 'GET', '/v3/auth/projects')).status).toBe(200);
      await cloud.call(admin, 'PATCH', `/v3/users/${user}`, { user: { enabled: false } });
      // The embedded engine has one process, and so nobody to wake; there the next start is what counts.
      if (engine === 'postgres')
        await expect
          .poll(async () => (await before.call(token, 'GET', '/v3/auth/projects')).status)
          .toBe(401);
      const after = await cloud.replica();
      expect((await after.call(token, 'GET', '/v3/auth/projects')).status).toBe(401);
      await before.close();
      await after.close();
    });
  });

  it('forgets revocations when no token that they are about can be valid', async () => {
    const token = await cloud.token('demo', PASSWORDS.demo);
    await cloud.call(token, 'DELETE', '/v3/auth/tokens', undefined, { 'x-subject-token': token });
    now += 72 * 3_600_000;
    const later = await cloud.token('demo', PASSWORDS.demo);
    await cloud.call(later, 'DELETE', '/v3/auth/tokens', undefined, { 'x-subject-token': later });
    expect(await cloud.platform.db.read.selectFrom('revocations').selectAll().execute()).toHaveLength(1);
  });
});
