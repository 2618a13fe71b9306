// Domains, projects, users, groups, roles and assignments over HTTP: shapes, filters, conflicts, bad input.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onBothEngines } from '../../testkit/database.ts';
import { PASSWORDS, testIdentity, type TestIdentity } from '../../testkit/identity.ts';

onBothEngines('identity resources', (engine) => {
  let cloud: TestIdentity;
  let admin: string;
  beforeEach(async () => {
    cloud = await testIdentity(engine);
    admin = await cloud.token('admin', PASSWORDS.admin, {
      project: { name: 'admin', domain: { id: 'default' } },
    });
  });
  afterEach(() => cloud.close());

  const call = (method: string, path: string, body?: unknown) => cloud.call(admin, method, path, body);
  const create = async (kind: string, body: object) => {
    const answer = await call('POST', `/v3/${kind}s`, { [kind]: body });
    expect(answer.status, answer.text).toBe(201);
    return (answer.json as Record<string, Record<string, unknown> & { id: string }>)[kind] as Record<
      string,
      unknown
    > & { id: string };
  };
  const names = (list: { name: string }[]): string[] => list.map((one) => one.name);
  const self = (path: string) => ({ self: `http://cloud.test/identity/v3/${path}` });

  it('shows each as Keystone does', async () => {
    const domain = await create('domain', { name: 'acme', description: 'd' });
    expect(domain).toEqual({
      id: domain.id,
      name: 'acme',
      description: 'd',
      enabled: true,
      tags: [],
      options: {},
      links: self(`domains/${domain.id}`),
    });
    const project = await create('project', { name: 'web', domain_id: domain.id, tags: ['a'] });
    expect(project).toEqual({
      id: project.id,
      name: 'web',
      domain_id: domain.id,
      parent_id: domain.id,
      is_domain: false,
      description: '',
      enabled: true,
      tags: ['a'],
      options: {},
      links: self(`projects/${project.id}`),
    });
    const user = await create('user', {
      name: 'u',
      domain_id: domain.id,
      email: 'u@x',
      default_project_id: project.id,
      password: 'p',
    });
    expect(user).toEqual({
      id: user.id,
      name: 'u',
      domain_id: domain.id,
      enabled: true,
      email: 'u@x',
      default_project_id: project.id,
      password_expires_at: null,
      options: {},
      links: self(`users/${user.id}`),
    });
    const group = await create('group', { name: 'g', domain_id: domain.id });
    expect(group).toEqual({
      id: group.id,
      name: 'g',
      domain_id: domain.id,
      description: '',
      links: self(`groups/${group.id}`),
    });
    const role = await create('role', { name: 'r' });
    expect(role).toEqual({
      id: role.id,
      name: 'r',
      domain_id: null,
      description: '',
      options: {},
      links: self(`roles/${role.id}`),
    });
    for (const one of [domain, project, user, group, role]) expect(one.id).toMatch(/^[0-9a-f]{32}$/);
    for (const [kind, one] of Object.entries({ domain, project, user, group, role }))
      expect((await call('GET', `/v3/${kind}s/${one.id}`)).json[kind]).toEqual(one);
  });

  it('refuses a name twice in a domain, also in other letters, and allows it in two domains', async () => {
    const domain = await create('domain', { name: 'acme' });
    for (const kind of ['project', 'user', 'group']) {
      const { id } = await create(kind, { name: 'Same', domain_id: 'default' });
      await create(kind, { name: 'Same', domain_id: domain.id });
      for (const name of ['Same', 'sAME']) {
        const again = await call('POST', `/v3/${kind}s`, { [kind]: { name, domain_id: 'default' } });
        expect([again.status, again.json.error.title]).toEqual([409, 'Conflict']);
      }
      const second = await create(kind, { name: 'second', domain_id: 'default' });
      expect((await call('PATCH', `/v3/${kind}s/${second.id}`, { [kind]: { name: 'same' } })).status).toBe(
        409,
      );
      expect(
        (await call('PATCH', `/v3/${kind}s/${id}`, { [kind]: { name: 'SAME' } })).status,
        'its own name',
      ).toBe(200);
    }
    for (const [kind, name] of [
      ['domain', 'ACME'],
      ['role', 'Admin'],
    ] as const)
      expect((await call('POST', `/v3/${kind}s`, { [kind]: { name } })).status).toBe(409);
    const racing = await Promise.all(
      Array.from({ length: 8 }, () =>
        call('POST', '/v3/users', { user: { name: 'racer', domain_id: 'default' } }),
      ),
    );
    expect(racing.map((answer) => answer.status).toSorted()).toEqual([
      201, 409, 409, 409, 409, 409, 409, 409,
    ]);
  });

  it('filters and pages its lists', async () => {
    const parent = await create('project', { name: 'p0', tags: ['x', 'y'] });
    for (const name of ['p2', 'p1', 'p3'])
      await create('project', { name, parent_id: parent.id, enabled: name !== 'p3', tags: [name] });
    const list = async (query: string) => (await call('GET', `/v3/projects?${query}`)).json;
    expect(names((await list(`parent_id=${parent.id}`)).projects)).toEqual(['p1', 'p2', 'p3']);
    expect(names((await list('enabled=false')).projects)).toEqual(['p3']);
    expect(names((await list('name=p2&domain_id=default')).projects)).toEqual(['p2']);
    expect(names((await list('name=P2')).projects)).toEqual([]);
    expect(names((await list('tags=x,y')).projects)).toEqual(['p0']);
    expect(names((await list('tags-any=p1,p2')).projects)).toEqual(['p1', 'p2']);
    expect(names((await list('is_domain=true')).projects), 'domains, as some show them').toEqual(['Default']);
    expect(names((await list('name__contains=P&not-tags-any=p1,x')).projects)).toEqual(['p2', 'p3']);
    expect(names((await list('name__startswith=%25')).projects)).toEqual([]);
    const seen: string[] = [];
    let next: string | null = `/v3/projects?limit=2&parent_id=${parent.id}`;
    while (next !== null) {
      const page: {
        projects: { name: string }[];
        links: { self: string; next: string | null; previous: null };
      } = (await call('GET', next)).json;
      seen.push(...names(page.projects));
      expect(page.links.self).toBe('http://cloud.test/identity/v3/projects');
      next = page.links.next?.replace('http://cloud.test/identity', '') ?? null;
    }
    expect(seen).toEqual(['p1', 'p2', 'p3']);
  });

  it('keeps the tree of projects: depth, children, enabled', async () => {
    const domain = await create('domain', { name: 'acme' });
    let parent = (await create('project', { name: 'l2', domain_id: domain.id })).id;
    const top = parent;
    for (const name of ['l3', 'l4', 'l5']) {
      const { id, ...created } = await create('project', { name, parent_id: parent });
      expect(created['domain_id']).toBe(domain.id);
      parent = id;
    }
    expect((await call('POST', '/v3/projects', { project: { name: 'l6', parent_id: parent } })).status).toBe(
      403,
    );
    expect(
      (
        await call('POST', '/v3/projects', {
          project: { name: 'x', parent_id: parent, domain_id: 'default' },
        })
      ).status,
    ).toBe(400);
    expect((await call('DELETE', `/v3/projects/${top}`)).status).toBe(403);
    expect((await call('PATCH', `/v3/projects/${top}`, { project: { enabled: false } })).status).toBe(403);
    expect((await call('PATCH', `/v3/projects/${top}`, { project: { parent_id: parent } })).status).toBe(403);
    expect((await call('PATCH', `/v3/projects/${parent}`, { project: { enabled: false } })).status).toBe(200);
    const shown = (await call('GET', `/v3/projects/${top}?subtree_as_ids&parents_as_list`)).json.project;
    expect([JSON.stringify(shown.subtree).split('{').length, shown.parents]).toEqual([4, []]);
    expect((await call('DELETE', `/v3/projects/${parent}`)).status).toBe(204);
  });

  it('keeps tags', async () => {
    const { id } = await create('project', { name: 'p' });
    const at = `/v3/projects/${id}/tags`;
    expect((await call('PUT', `${at}/blue`)).status).toBe(201);
    expect((await call('GET', `${at}/blue`)).status).toBe(204);
    expect((await call('GET', `${at}/red`)).status).toBe(404);
    expect((await call('PUT', at, { tags: ['a', 'b'] })).json.tags).toEqual(['a', 'b']);
    expect((await call('DELETE', `${at}/a`)).status).toBe(204);
    expect((await call('GET', at)).json.tags).toEqual(['b']);
    expect((await call('PUT', `${at}/a,b`)).status).toBe(400);
    expect((await call('DELETE', at)).status).toBe(204);
    expect((await call('GET', at)).json.tags).toEqual([]);
  });

  it('keeps the members of a group', async () => {
    const [user, group] = [await create('user', { name: 'u' }), await create('group', { name: 'g' })];
    const at = `/v3/groups/${group.id}/users/${user.id}`;
    expect((await call('HEAD', at)).status).toBe(404);
    for (let i = 0; i < 2; i++) expect((await call('PUT', at)).status).toBe(204);
    expect([(await call('HEAD', at)).status, (await call('GET', at)).status]).toEqual([204, 204]);
    expect(names((await call('GET', `/v3/groups/${group.id}/users`)).json.users)).toEqual(['u']);
    expect(names((await call('GET', `/v3/users/${user.id}/groups`)).json.groups)).toEqual(['g']);
    expect([(await call('DELETE', at)).status, (await call('DELETE', at)).status]).toEqual([204, 404]);
    expect((await call('PUT', `/v3/groups/${group.id}/users/nobody`)).status).toBe(404);
  });

  it('gives and takes roles on projects, domains and the system, to users and groups', async () => {
    const project = await create('project', { name: 'p' });
    const [user, group, role] = [
      await create('user', { name: 'u' }),
      await create('group', { name: 'g' }),
      await create('role', { name: 'r' }),
    ];
    for (const scope of [`projects/${project.id}`, 'domains/default', 'system'])
      for (const actor of [`users/${user.id}`, `groups/${group.id}`]) {
        const at = `/v3/${scope}/${actor}/roles`;
        const one = `${at}/${role.id}`;
        expect((await call('HEAD', one)).status).toBe(404);
        for (let i = 0; i < 2; i++) expect((await call('PUT', one)).status).toBe(204);
        expect([(await call('HEAD', one)).status, (await call('GET', one)).status]).toEqual([204, 204]);
        const listed = (await call('GET', at)).json;
        expect([names(listed.roles), listed.links.self]).toEqual([['r'], `http://cloud.test/identity${at}`]);
        expect([(await call('DELETE', one)).status, (await call('DELETE', one)).status]).toEqual([204, 404]);
        for (const wrong of [`${at}/nothing`, one.replace(user.id, 'nobody').replace(group.id, 'nobody')])
          expect((await call('PUT', wrong)).status).toBe(404);
      }
    expect((await call('PUT', `/v3/projects/nowhere/users/${user.id}/roles/${role.id}`)).status).toBe(404);
  });

  it('lists assignments as stored and as they take effect, with names', async () => {
    const project = await create('project', { name: 'p' });
    const [user, group] = [await create('user', { name: 'u' }), await create('group', { name: 'g' })];
    const roles = (await call('GET', '/v3/roles')).json.roles as { id: string; name: string }[];
    const member = roles.find((role) => role.name === 'member')?.id ?? '';
    const reader = roles.find((role) => role.name === 'reader')?.id ?? '';
    await call('PUT', `/v3/projects/${project.id}/groups/${group.id}/roles/${member}`);
    await call('PUT', `/v3/groups/${group.id}/users/${user.id}`);
    const list = async (query: string) =>
      (await call('GET', `/v3/role_assignments?${query}`)).json.role_assignments;
    expect(await list(`user.id=${user.id}`)).toEqual([]);
    expect(await list(`scope.project.id=${project.id}&include_names`)).toEqual([
      {
        role: { id: member, name: 'member' },
        group: { id: group.id, name: 'g', domain: { id: 'default', name: 'Default' } },
        scope: { project: { id: project.id, name: 'p', domain: { id: 'default', name: 'Default' } } },
        links: {
          assignment: `http://cloud.test/identity/v3/projects/${project.id}/groups/${group.id}/roles/${member}`,
        },
      },
    ]);
    const effective = await list(`user.id=${user.id}&effective`);
    expect(effective.map((one: { role: { id: string } }) => one.role.id).toSorted()).toEqual(
      [member, reader].toSorted(),
    );
    for (const one of effective)
      expect([one.user.id, one.links.membership]).toEqual([
        user.id,
        `http://cloud.test/identity/v3/groups/${group.id}/users/${user.id}`,
      ]);
    expect(await list(`user.id=${user.id}&effective&role.id=${reader}`)).toHaveLength(1);
    expect(await list('scope.system=all')).toHaveLength(1);
    expect(await list(`group.id=${group.id}`)).toHaveLength(1);
  });

  it('implies roles, transitively, but never admin, and not less than the policies need', async () => {
    const { id } = await create('role', { name: 'auditor' });
    const roles = Object.fromEntries(
      ((await call('GET', '/v3/roles')).json.roles as { id: string; name: string }[]).map((role) => [
        role.name,
        role.id,
      ]),
    );
    const at = `/v3/roles/${id}/implies/${roles['member'] ?? ''}`;
    expect((await call('GET', at)).status).toBe(404);
    expect((await call('PUT', at)).status).toBe(201);
    expect((await call('HEAD', at)).status).toBe(204);
    expect(names((await call('GET', `/v3/roles/${id}/implies`)).json.role_inference.implies)).toEqual([
      'member',
    ]);
    expect((await call('GET', '/v3/role_inferences')).json.role_inferences).toHaveLength(4);
    const { id: user } = await create('user', { name: 'u', password: 'pw' });
    await call('PUT', `/v3/domains/default/users/${user}/roles/${id}`);
    expect(names((await cloud.login('u', 'pw', { domain: { id: 'default' } })).json.token.roles)).toEqual([
      'auditor',
      'member',
      'reader',
    ]);
    expect((await call('PUT', `/v3/roles/${id}/implies/${roles['admin'] ?? ''}`)).status).toBe(403);
    expect(
      (await call('DELETE', `/v3/roles/${roles['admin'] ?? ''}/implies/${roles['manager'] ?? ''}`)).status,
    ).toBe(403);
    expect((await call('DELETE', `/v3/roles/${roles['reader'] ?? ''}`)).status).toBe(403);
    expect((await call('PATCH', `/v3/roles/${roles['reader'] ?? ''}`, { role: { name: 'x' } })).status).toBe(
      403,
    );
    expect((await call('DELETE', at)).status).toBe(204);
    expect(names((await cloud.login('u', 'pw', { domain: { id: 'default' } })).json.token.roles)).toEqual([
      'auditor',
    ]);
  });

  it('shows a catalog with ids that stay', async () => {
    const { services } = (await call('GET', '/v3/services?type=compute')).json;
    expect(services).toMatchObject([{ name: 'nova', type: 'compute', enabled: true }]);
    const { endpoints } = (await call('GET', `/v3/endpoints?service_id=${services[0].id}&interface=public`))
      .json;
    expect(endpoints).toMatchObject([
      { url: 'http://cloud.test/compute/v2.1', region_id: 'RegionOne', service_id: services[0].id },
    ]);
    expect((await call('GET', `/v3/endpoints/${endpoints[0].id}`)).json.endpoint).toEqual(endpoints[0]);
    expect((await call('GET', `/v3/services/${services[0].id}`)).json.service).toEqual(services[0]);
    expect((await call('GET', '/v3/regions/RegionOne')).json.region.id).toBe('RegionOne');
    expect((await call('GET', '/v3/regions/Nowhere')).status).toBe(404);
    const again = await cloud.replica();
    expect((await again.call(admin, 'GET', '/v3/services?type=compute')).json.services).toEqual(services);
    await again.close();
  });

  it('protects the default domain', async () => {
    expect((await call('PATCH', '/v3/domains/default', { domain: { enabled: false } })).status).toBe(403);
    expect((await call('DELETE', '/v3/domains/default')).status).toBe(403);
  });

  describe('bad input', () => {
    const bad: unknown[] = [
      undefined,
      '{',
      '[]',
      '"x"',
      'null',
      {},
      { user: {} },
      { user: { name: '' } },
      { user: { name: '   ' } },
      { user: { name: 'a\nb' } },
      { user: { name: 'x'.repeat(256) } },
      { user: { name: 7 } },
      { user: { name: 'x', enabled: 'yes' } },
      { user: { name: 'x', email: ['a'] } },
      { user: { name: 'x', password: '' } },
      { user: { name: 'x', password: 'p'.repeat(5000) } },
      { user: { name: 'x' }, more: 1 },
      '{"user":{"name":"x\\u0000"}}',
      '{"user":{"name":"x","__proto__":{}}}',
    ];
    it("is 400 in Keystone's words, and changes nothing", async () => {
      const before = (await call('GET', '/v3/users')).text;
      for (const body of bad) {
        const answer = await call('POST', '/v3/users', body);
        expect(answer.status, JSON.stringify(body)?.slice(0, 80)).toBe(400);
        expect(answer.json.error).toMatchObject({ code: 400, title: 'Bad Request' });
      }
      expect((await call('POST', '/v3/users', { user: { name: 'x', domain_id: 'nowhere' } })).status).toBe(
        404,
      );
      expect(
        (await call('POST', '/v3/users', { user: { name: 'x', default_project_id: 'nowhere' } })).status,
      ).toBe(404);
      for (const path of [
        '/v3/users?enabled=maybe',
        '/v3/users?limit=0',
        '/v3/users?limit=x',
        '/v3/users?marker=nowhere',
        '/v3/projects?domain_id=',
      ])
        expect((await call('GET', path)).status, path).toBe(400);
      expect((await call('GET', '/v3/users')).text).toBe(before);
    });
  });
});
