// Who may do what: every kind of token against every kind of verb, and the ways in which a domain's manager
// might try to become more than that.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onBothEngines } from '../../testkit/database.ts';
import { PASSWORDS, testIdentity, type Scope, type TestIdentity } from '../../testkit/identity.ts';

onBothEngines('authorization', (engine) => {
  let cloud: TestIdentity;
  let admin: string;
  let roles: Record<string, string>;
  /** In domain acme: */
  let acme: { domain: string; project: string; spare: string; user: string; group: string };
  /** In domain other, of which nobody below may know: */
  let other: typeof acme;
  let tokens: Record<string, string>;

  const create = async (kind: string, body: object): Promise<string> => {
    const answer = await cloud.call(admin, 'POST', `/v3/${kind}s`, { [kind]: body });
    expect(answer.status, answer.text).toBe(201);
    return (answer.json as Record<string, { id: string }>)[kind]?.id ?? '';
  };
  const put = async (path: string): Promise<void> =>
    expect((await cloud.call(admin, 'PUT', path)).status, path).toBe(204);
  const makeDomain = async (name: string): Promise<typeof acme> => {
    const domain = await create('domain', { name });
    return {
      domain,
      project: await create('project', { name: 'web', domain_id: domain }),
      spare: await create('project', { name: 'spare', domain_id: domain }),
      user: await create('user', { name: 'worker', password: 'pw', domain_id: domain }),
      group: await create('group', { name: 'staff', domain_id: domain }),
    };
  };
  const holder = async (name: string, role: string, at: string, scope: Scope): Promise<string> => {
    const user = await create('user', { name, password: 'pw', domain_id: acme.domain });
    await put(`/v3/${at}/users/${user}/roles/${roles[role] ?? ''}`);
    return cloud.token(user, 'pw', scope);
  };

  beforeEach(async () => {
    cloud = await testIdentity(engine);
    admin = await cloud.token('admin', PASSWORDS.admin, {
      project: { name: 'admin', domain: { id: 'default' } },
    });
    const list = (await cloud.call(admin, 'GET', '/v3/roles')).json.roles as { id: string; name: string }[];
    roles = Object.fromEntries(list.map((role) => [role.name, role.id]));
    [acme, other] = [await makeDomain('acme'), await makeDomain('other')];
    const onProject = { project: { id: acme.project } };
    const onDomain = { domain: { id: acme.domain } };
    tokens = {
      admin,
      'system reader': await holder('sr', 'reader', 'system', { system: { all: true } }),
      'domain manager': await holder('dm', 'manager', `domains/${acme.domain}`, onDomain),
      'domain reader': await holder('dr', 'reader', `domains/${acme.domain}`, onDomain),
      'project manager': await holder('pm', 'manager', `projects/${acme.project}`, onProject),
      'project member': await holder('m', 'member', `projects/${acme.project}`, onProject),
      unscoped: await holder('u', 'member', `projects/${acme.project}`, 'unscoped'),
    };
  });
  afterEach(() => cloud.close());

  const who = [
    'admin',
    'system reader',
    'domain manager',
    'domain reader',
    'project manager',
    'project member',
    'unscoped',
  ];
  type Row = [verb: string, path: () => string, statuses: number[], body?: () => unknown];
  const rows: Row[] = [
    ['GET', () => '/v3/domains', [200, 200, 200, 200, 403, 403, 403]],
    ['GET', () => `/v3/domains/${acme.domain}`, [200, 200, 200, 200, 200, 200, 403]],
    ['GET', () => `/v3/domains/${other.domain}`, [200, 200, 404, 404, 404, 404, 403]],
    ['POST', () => '/v3/domains', [201, 403, 403, 403, 403, 403, 403], () => ({ domain: { name: 'new' } })],
    [
      'PATCH',
      () => `/v3/domains/${acme.domain}`,
      [200, 403, 403, 403, 403, 403, 403],
      () => ({ domain: { description: 'x' } }),
    ],
    ['GET', () => '/v3/projects', [200, 200, 200, 200, 403, 403, 403]],
    ['GET', () => `/v3/projects/${acme.project}`, [200, 200, 200, 200, 200, 200, 403]],
    ['GET', () => `/v3/projects/${other.project}`, [200, 200, 404, 404, 404, 404, 403]],
    [
      'POST',
      () => '/v3/projects',
      [201, 403, 201, 403, 403, 403, 403],
      () => ({ project: { name: 'new', domain_id: acme.domain } }),
    ],
    [
      'POST',
      () => '/v3/projects',
      [201, 403, 404, 403, 403, 403, 403],
      () => ({ project: { name: 'new', domain_id: other.domain } }),
    ],
    [
      'POST',
      () => '/v3/projects',
      [201, 403, 404, 403, 403, 403, 403],
      () => ({ project: { name: 'new', parent_id: other.project } }),
    ],
    [
      'PATCH',
      () => `/v3/projects/${acme.project}`,
      [200, 403, 200, 403, 403, 403, 403],
      () => ({ project: { description: 'x' } }),
    ],
    [
      'PATCH',
      () => `/v3/projects/${other.project}`,
      [200, 403, 404, 403, 403, 403, 403],
      () => ({ project: { description: 'x' } }),
    ],
    ['DELETE', () => `/v3/projects/${other.spare}`, [204, 403, 404, 403, 403, 403, 403]],
    ['GET', () => '/v3/users', [200, 200, 200, 200, 403, 403, 403]],
    ['GET', () => `/v3/users/${acme.user}`, [200, 200, 200, 200, 404, 404, 404]],
    ['GET', () => `/v3/users/${other.user}`, [200, 200, 404, 404, 404, 404, 404]],
    ['GET', () => `/v3/users/${other.user}/projects`, [200, 200, 404, 404, 404, 404, 404]],
    ['GET', () => `/v3/users/${other.user}/groups`, [200, 200, 404, 404, 404, 404, 404]],
    [
      'POST',
      () => '/v3/users',
      [201, 403, 201, 403, 403, 403, 403],
      () => ({ user: { name: 'new', domain_id: acme.domain } }),
    ],
    [
      'POST',
      () => '/v3/users',
      [201, 403, 404, 403, 403, 403, 403],
      () => ({ user: { name: 'new', domain_id: other.domain } }),
    ],
    [
      'POST',
      () => '/v3/users',
      [201, 403, 404, 403, 403, 403, 403],
      () => ({ user: { name: 'new', domain_id: acme.domain, default_project_id: other.project } }),
    ],
    [
      'PATCH',
      () => `/v3/users/${acme.user}`,
      [200, 403, 200, 403, 403, 403, 403],
      () => ({ user: { password: 'new' } }),
    ],
    [
      'PATCH',
      () => `/v3/users/${other.user}`,
      [200, 403, 404, 403, 403, 403, 403],
      () => ({ user: { password: 'new' } }),
    ],
    ['DELETE', () => `/v3/users/${other.user}`, [204, 403, 404, 403, 403, 403, 403]],
    [
      'POST',
      () => `/v3/users/${other.user}/password`,
      // Nothing but the old password counts, and who has it has proven to be that user.
      [401, 401, 401, 401, 401, 401, 401],
      () => ({ user: { original_password: 'wrong', password: 'x' } }),
    ],
    ['GET', () => '/v3/groups', [200, 200, 200, 200, 403, 403, 403]],
    ['GET', () => `/v3/groups/${other.group}`, [200, 200, 404, 404, 403, 403, 403]],
    [
      'POST',
      () => '/v3/groups',
      [201, 403, 201, 403, 403, 403, 403],
      () => ({ group: { name: 'new', domain_id: acme.domain } }),
    ],
    ['DELETE', () => `/v3/groups/${other.group}`, [204, 403, 404, 403, 403, 403, 403]],
    ['PUT', () => `/v3/groups/${acme.group}/users/${acme.user}`, [204, 403, 204, 403, 403, 403, 403]],
    ['PUT', () => `/v3/groups/${acme.group}/users/${other.user}`, [204, 403, 404, 403, 403, 403, 403]],
    ['PUT', () => `/v3/groups/${other.group}/users/${acme.user}`, [204, 403, 404, 403, 403, 403, 403]],
    ['GET', () => `/v3/groups/${other.group}/users`, [200, 200, 404, 404, 403, 403, 403]],
    ['GET', () => '/v3/roles', [200, 200, 200, 403, 403, 403, 403]],
    ['POST', () => '/v3/roles', [201, 403, 403, 403, 403, 403, 403], () => ({ role: { name: 'new' } })],
    [
      'PUT',
      () => `/v3/projects/${acme.project}/users/${acme.user}/roles/${roles['member'] ?? ''}`,
      [204, 403, 204, 403, 403, 403, 403],
    ],
    [
      'PUT',
      () => `/v3/projects/${acme.project}/users/${acme.user}/roles/${roles['admin'] ?? ''}`,
      [204, 403, 403, 403, 403, 403, 403],
    ],
    [
      'PUT',
      () => `/v3/projects/${other.project}/users/${acme.user}/roles/${roles['member'] ?? ''}`,
      [204, 403, 404, 403, 403, 403, 403],
    ],
    [
      'PUT',
      () => `/v3/projects/${acme.project}/users/${other.user}/roles/${roles['member'] ?? ''}`,
      [204, 403, 404, 403, 403, 403, 403],
    ],
    [
      'PUT',
      () => `/v3/domains/${acme.domain}/groups/${acme.group}/roles/${roles['reader'] ?? ''}`,
      [204, 403, 204, 403, 403, 403, 403],
    ],
    [
      'PUT',
      () => `/v3/domains/${other.domain}/users/${acme.user}/roles/${roles['reader'] ?? ''}`,
      [204, 403, 404, 403, 403, 403, 403],
    ],
    [
      'PUT',
      () => `/v3/system/users/${acme.user}/roles/${roles['reader'] ?? ''}`,
      [204, 403, 403, 403, 403, 403, 403],
    ],
    ['GET', () => `/v3/system/users/${acme.user}/roles`, [200, 200, 403, 403, 403, 403, 403]],
    [
      'GET',
      () => `/v3/projects/${acme.project}/users/${acme.user}/roles`,
      [200, 200, 200, 200, 403, 403, 403],
    ],
    [
      'GET',
      () => `/v3/projects/${other.project}/users/${other.user}/roles`,
      [200, 200, 404, 404, 403, 403, 403],
    ],
    ['GET', () => '/v3/role_assignments', [200, 200, 200, 200, 403, 403, 403]],
    ['GET', () => '/v3/endpoints', [200, 200, 403, 403, 403, 403, 403]],
    ['GET', () => '/v3/auth/catalog', [200, 200, 200, 200, 200, 200, 403]],
    ['GET', () => '/v3/regions', [200, 200, 200, 200, 200, 200, 200]],
  ];

  it('answers each of them as the table says, and without a token 401', async () => {
    const wrong: string[] = [];
    const deletionsLast = rows.toSorted((a, b) => Number(a[0] === 'DELETE') - Number(b[0] === 'DELETE'));
    for (const [verb, path, statuses, body] of deletionsLast) {
      const anonymous = await cloud.call(null, verb, path(), body?.());
      if (anonymous.status !== 401) wrong.push(`nobody: ${verb} ${path()} is ${anonymous.status}`);
      // Those who may not go first, so that nothing is gone or taken when it is their turn.
      for (const [at, name] of [...who.entries()].toReversed()) {
        const made = body?.() as Record<string, { name?: string }> | undefined;
        for (const object of Object.values(made ?? {}))
          if (object.name !== undefined) object.name += ` ${rows.findIndex((row) => row[1] === path)} ${at}`;
        const answer = await cloud.call(tokens[name] ?? '', verb, path(), made);
        if (answer.status !== statuses[at])
          wrong.push(
            `${name}: ${verb} ${path()} is ${answer.status}, not ${statuses[at]}: ${answer.text.slice(0, 120)}`,
          );
      }
    }
    expect(wrong).toEqual([]);
  });

  it('lists to the people of a domain only that domain', async () => {
    for (const name of ['domain manager', 'domain reader']) {
      const get = async (path: string) => (await cloud.call(tokens[name] ?? '', 'GET', path)).json;
      expect((await get('/v3/domains')).domains.map((one: { id: string }) => one.id)).toEqual([acme.domain]);
      for (const kind of ['projects', 'users', 'groups']) {
        const all = (await get(`/v3/${kind}`))[kind] as { domain_id: string }[];
        expect(all.length).toBeGreaterThan(0);
        expect(new Set(all.map((one) => one.domain_id))).toEqual(new Set([acme.domain]));
        expect((await get(`/v3/${kind}?domain_id=${other.domain}`))[kind]).toEqual([]);
      }
      const { role_assignments } = await get('/v3/role_assignments');
      for (const { scope } of role_assignments)
        expect(scope.domain?.id ?? scope.project?.id).toBeOneOf([acme.domain, acme.project, acme.spare]);
      expect((await cloud.call(tokens[name] ?? '', 'GET', `/v3/users?marker=${other.user}`)).status).toBe(
        400,
      );
    }
  });

  describe('the manager of a domain', () => {
    const manager = (method: string, path: string, body?: unknown) =>
      cloud.call(tokens['domain manager'] ?? '', method, path, body);

    it('cannot act through an operator of the same domain, directly or by a group', async () => {
      await put(`/v3/system/users/${acme.user}/roles/${roles['admin'] ?? ''}`);
      expect((await manager('PATCH', `/v3/users/${acme.user}`, { user: { password: 'mine' } })).status).toBe(
        403,
      );
      expect((await manager('DELETE', `/v3/users/${acme.user}`)).status).toBe(403);
      expect((await cloud.login(acme.user, 'pw')).status).toBe(201);
      const mine = (await manager('POST', '/v3/users', { user: { name: 'mine', password: 'pw' } })).json.user;
      expect(mine.domain_id).toBe(acme.domain);
      await put(`/v3/system/groups/${acme.group}/roles/${roles['admin'] ?? ''}`);
      expect((await manager('PUT', `/v3/groups/${acme.group}/users/${mine.id}`)).status).toBe(403);
      expect((await cloud.login(mine.id, 'pw', { system: { all: true } })).status).toBe(401);
      await put(`/v3/groups/${acme.group}/users/${mine.id}`);
      expect(
        (await manager('PATCH', `/v3/users/${mine.id}`, { user: { password: 'mine' } })).status,
        'now an operator by group',
      ).toBe(403);
    });

    it('cannot reach into another domain through a user who works there', async () => {
      await put(`/v3/projects/${other.project}/users/${acme.user}/roles/${roles['member'] ?? ''}`);
      expect((await manager('PATCH', `/v3/users/${acme.user}`, { user: { password: 'mine' } })).status).toBe(
        403,
      );
    });

    it('cannot take away what it could not give, nor move things between domains', async () => {
      await put(`/v3/projects/${acme.project}/users/${acme.user}/roles/${roles['service'] ?? ''}`);
      expect(
        (
          await manager(
            'DELETE',
            `/v3/projects/${acme.project}/users/${acme.user}/roles/${roles['service'] ?? ''}`,
          )
        ).status,
      ).toBe(403);
      for (const [path, kind] of [
        [`/v3/users/${acme.group}`, 'user'],
        [`/v3/projects/${acme.project}`, 'project'],
        [`/v3/groups/${acme.group}`, 'group'],
      ] as const)
        expect((await manager('PATCH', path, { [kind]: { domain_id: other.domain } })).status).toBeOneOf([
          400, 404,
        ]);
    });
  });

  it('rests on the token alone: headers that name a user or roles change nothing', async () => {
    const forged = {
      'X-User-Id': 'admin',
      'x-ROLES': 'admin',
      'X-Project-Id': 'admin',
      'X-Identity-Status': 'Confirmed',
      'X-Is-Admin-Project': 'True',
    };
    expect((await cloud.call(null, 'GET', '/v3/users', undefined, forged)).status).toBe(401);
    expect(
      (await cloud.call(tokens['project member'] ?? '', 'GET', '/v3/users', undefined, forged)).status,
    ).toBe(403);
  });

  it('a user reads itself, and what it belongs to, with any token', async () => {
    for (const name of ['project member', 'unscoped']) {
      const token = tokens[name] ?? '';
      const self = (
        await cloud.call(token, 'GET', '/v3/auth/tokens', undefined, { 'x-subject-token': token })
      ).json.token.user.id as string;
      expect((await cloud.call(token, 'GET', `/v3/users/${self}`)).json.user.id).toBe(self);
      expect(
        (await cloud.call(token, 'GET', `/v3/users/${self}/projects`)).json.projects.map(
          (one: { id: string }) => one.id,
        ),
      ).toEqual([acme.project]);
      expect((await cloud.call(token, 'GET', `/v3/users/${self}/groups`)).json.groups).toEqual([]);
      expect((await cloud.call(token, 'GET', '/v3/auth/system')).json.system).toEqual([]);
      expect(
        (await cloud.call(token, 'PATCH', `/v3/users/${self}`, { user: { enabled: true } })).status,
      ).toBe(403);
    }
  });
});
