// lines: one cast of users and keys, from each of which the tests try to make more than was given.
// What users hand on, and how none of it can be made into more: trusts, EC2 keys, application credentials with access
// rules, and every one of them used to mint another (security-cases 9 and 10).
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onBothEngines } from '../../testkit/database.ts';
import type { Answer } from '../../testkit/http.ts';
import { PASSWORDS, testIdentity, type TestIdentity } from '../../testkit/identity.ts';

onBothEngines('delegation', (engine) => {
  let cloud: TestIdentity;
  let admin: string;
  let now = 0;
  const clock = { now: () => now, timer: () => () => {} };
  let ids: { alice: string; bob: string; project: string; other: string };
  let alice: string;
  let roles: Record<string, string>;

  const create = async (kind: string, body: object): Promise<string> => {
    const answer = await cloud.call(admin, 'POST', `/v3/${kind}s`, { [kind]: body });
    expect(answer.status, answer.text).toBe(201);
    return answer.json[kind].id as string;
  };
  const give = async (user: string, project: string, role: string): Promise<void> => {
    const path = `/v3/projects/${project}/users/${user}/roles/${roles[role] ?? ''}`;
    expect((await cloud.call(admin, 'PUT', path)).status).toBe(204);
  };
  beforeEach(async () => {
    now = Date.UTC(2026, 5, 1);
    cloud = await testIdentity(engine, clock);
    admin = await cloud.token('admin', PASSWORDS.admin, {
      project: { name: 'admin', domain: { id: 'default' } },
    });
    const list = (await cloud.call(admin, 'GET', '/v3/roles')).json.roles as { id: string; name: string }[];
    roles = Object.fromEntries(list.map((role) => [role.name, role.id]));
    ids = {
      alice: await create('user', { name: 'alice', password: 'pw', domain_id: 'default' }),
      bob: await create('user', { name: 'bob', password: 'pw', domain_id: 'default' }),
      project: await create('project', { name: 'web', domain_id: 'default' }),
      other: await create('project', { name: 'other', domain_id: 'default' }),
    };
    await give(ids.alice, ids.project, 'manager');
    await give(ids.alice, ids.other, 'manager');
    alice = await cloud.token(ids.alice, 'pw', { project: { id: ids.project } });
  });
  afterEach(() => cloud.close());

  const works = async (token: string): Promise<boolean> =>
    (await cloud.call(token, 'GET', '/v3/auth/projects')).status === 200;
  const names = (answer: Answer): string[] =>
    (answer.json.token.roles as { name: string }[]).map((role) => role.name);
  const tokenOf = (answer: Answer): string => {
    expect(answer.status, answer.text).toBeLessThan(300);
    return String(answer.headers['x-subject-token']);
  };

  const trust = (body: object = {}, as = alice): Promise<Answer> =>
    cloud.call(as, 'POST', '/v3/OS-TRUST/trusts', {
      trust: {
        trustor_user_id: ids.alice,
        trustee_user_id: ids.bob,
        project_id: ids.project,
        impersonation: true,
        roles: [{ name: 'member' }],
        ...body,
      },
    });
  const trustId = async (body: object = {}, as = alice): Promise<string> => {
    const answer = await trust(body, as);
    expect(answer.status, answer.text).toBe(201);
    return answer.json.trust.id as string;
  };
  const use = (id: string, user = 'bob'): Promise<Answer> =>
    cloud.login(user, 'pw', { 'OS-TRUST:trust': { id } } as never);

  it('a trust gives its roles with what they imply, in the name of the trustor or of the trustee', async () => {
    const answer = await use(await trustId());
    expect(names(answer)).toEqual(['member', 'reader']);
    expect(answer.json.token.user.id).toBe(ids.alice);
    expect(answer.json.token.project.id).toBe(ids.project);
    expect(answer.json.token['OS-TRUST:trust']).toMatchObject({
      impersonation: true,
      trustor_user: { id: ids.alice },
      trustee_user: { id: ids.bob },
    });
    expect((await use(await trustId({ impersonation: false }))).json.token.user.id).toBe(ids.bob);
    expect((await use(await trustId(), 'alice')).status, 'for the trustee alone').toBe(401);
    expect((await use('0'.repeat(32))).status).toBe(401);
  });

  it('a trust hands on what is held, by the trustor alone', async () => {
    expect((await trust({ roles: [{ name: 'admin' }] })).status).toBe(403);
    expect((await trust({ roles: [] })).status).toBe(403);
    expect((await trust({ trustor_user_id: ids.bob })).status).toBe(403);
    expect((await trust({}, admin)).status).toBe(403);
    expect((await trust({ trustee_user_id: '0'.repeat(32) })).status).toBe(404);
    expect((await trust({ project_id: '0'.repeat(32) })).status).toBe(404);
    expect((await trust({ expires_at: '2020-01-01T00:00:00Z' })).status).toBe(400);
    expect((await trust({ expires_at: 'bad.123Z' })).status).toBe(400);
    expect((await trust({ remaining_uses: 0 })).status).toBe(400);
  });

  it('tokens of a trust end with it, with the rights of the trustor, and with either user', async () => {
    const path = `/v3/projects/${ids.project}/users/${ids.alice}/roles/${roles['manager'] ?? ''}`;
    const ends: [string, () => Promise<Answer>, () => Promise<unknown>][] = [
      ['the trust', async () => cloud.call(alice, 'DELETE', `/v3/OS-TRUST/trusts/${id}`), async () => 0],
      ['the role', () => cloud.call(admin, 'DELETE', path), () => give(ids.alice, ids.project, 'manager')],
      [
        'the trustor',
        () => cloud.call(admin, 'PATCH', `/v3/users/${ids.alice}`, { user: { enabled: false } }),
        () => cloud.call(admin, 'PATCH', `/v3/users/${ids.alice}`, { user: { enabled: true } }),
      ],
      [
        'the trustee',
        () => cloud.call(admin, 'PATCH', `/v3/users/${ids.bob}`, { user: { enabled: false } }),
        () => cloud.call(admin, 'PATCH', `/v3/users/${ids.bob}`, { user: { enabled: true } }),
      ],
    ];
    let id = '';
    for (const impersonation of [true, false])
      for (const [what, end, restore] of ends) {
        alice = await cloud.token(ids.alice, 'pw', { project: { id: ids.project } });
        id = await trustId({ impersonation });
        const token = tokenOf(await use(id));
        expect(await works(token)).toBe(true);
        const ended = await end();
        expect(ended.status, ended.text).toBeLessThan(300);
        expect(await works(token), `${what}, impersonation ${impersonation}`).toBe(false);
        expect((await use(id)).status, what).toBeGreaterThanOrEqual(401);
        await restore();
      }
    id = await trustId({ expires_at: '2026-06-01T00:10:00Z' });
    const token = tokenOf(await use(id));
    now += 11 * 60_000;
    expect(await works(token)).toBe(false);
    expect((await use(id)).status).toBe(401);
  });

  it('the manager of a domain does not come by a trust through the password of its trustee', async () => {
    const domain = await create('domain', { name: 'acme' });
    const worker = await create('user', { name: 'worker', password: 'pw', domain_id: domain });
    const manager = await create('user', { name: 'dm', password: 'pw', domain_id: domain });
    const at = `/v3/domains/${domain}/users/${manager}/roles/${roles['manager'] ?? ''}`;
    expect((await cloud.call(admin, 'PUT', at)).status).toBe(204);
    const token = await cloud.token(manager, 'pw', { domain: { id: domain } });
    const reset = async (): Promise<number> =>
      (await cloud.call(token, 'PATCH', `/v3/users/${worker}`, { user: { password: 'mine' } })).status;
    expect(await reset()).toBe(200);
    await trustId({ trustee_user_id: worker });
    expect(await reset()).toBe(403);
  });

  it('a trust is used as often as it says, also when all come at once', async () => {
    const id = await trustId({ remaining_uses: 3 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => use(id)));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(3);
    expect((await cloud.call(alice, 'GET', `/v3/OS-TRUST/trusts/${id}`)).status).toBe(404);
  });

  it('a trust shows itself to its parties and to operators, and to nobody else', async () => {
    const id = await trustId();
    const bob = await cloud.token(ids.bob, 'pw');
    const demo = await cloud.token('demo', PASSWORDS.demo);
    const see = async (as: string): Promise<number> =>
      (await cloud.call(as, 'GET', `/v3/OS-TRUST/trusts/${id}`)).status;
    expect([await see(alice), await see(bob), await see(admin), await see(demo)]).toEqual([
      200, 200, 200, 404,
    ]);
    const roleOf = async (role: string): Promise<number> =>
      (await cloud.call(alice, 'HEAD', `/v3/OS-TRUST/trusts/${id}/roles/${roles[role] ?? ''}`)).status;
    expect([await roleOf('member'), await roleOf('manager')]).toEqual([200, 404]);
    const list = async (as: string, query: string): Promise<unknown> => {
      const answer = await cloud.call(as, 'GET', `/v3/OS-TRUST/trusts${query}`);
      return answer.status === 200 ? answer.json.trusts.length : answer.status;
    };
    expect(await list(alice, `?trustor_user_id=${ids.alice}`)).toBe(1);
    expect(await list(bob, `?trustee_user_id=${ids.bob}`)).toBe(1);
    expect(await list(demo, `?trustor_user_id=${ids.alice}`)).toBe(0);
    expect(await list(demo, '')).toBe(403);
    expect(await list(admin, '')).toBe(1);
    expect((await cloud.call(bob, 'DELETE', `/v3/OS-TRUST/trusts/${id}`)).status).toBe(403);
    expect((await cloud.call(demo, 'DELETE', `/v3/OS-TRUST/trusts/${id}`)).status).toBe(404);
  });

  it('a trust is handed on only within its roles, its time and its depth, and ends with its source', async () => {
    const carol = await create('user', { name: 'carol', password: 'pw', domain_id: 'default' });
    const dave = await create('user', { name: 'dave', password: 'pw', domain_id: 'default' });
    const first = await trustId({
      roles: [{ name: 'manager' }],
      allow_redelegation: true,
      redelegation_count: 1,
      expires_at: '2026-06-01T00:30:00Z',
    });
    const bob = tokenOf(await use(first));
    const on = (body: object): Promise<Answer> =>
      trust({ trustee_user_id: carol, expires_at: '2026-06-01T00:20:00Z', ...body }, bob);
    expect((await on({ expires_at: '2026-06-01T00:40:00Z' })).status).toBe(403);
    expect((await on({ expires_at: null })).status).toBe(403);
    expect((await on({ redelegation_count: 1 })).status).toBe(403);
    expect((await on({ remaining_uses: 5 })).status).toBe(403);
    expect((await on({ roles: [{ name: 'admin' }] })).status).toBe(403);
    expect((await on({ project_id: ids.other })).status).toBe(404);
    expect((await on({ trustor_user_id: ids.bob })).status).toBe(403);
    const second = await on({});
    expect(second.status, second.text).toBe(201);
    expect(second.json.trust).toMatchObject({ redelegated_trust_id: first, redelegation_count: 0 });
    const carols = tokenOf(await use(second.json.trust.id, 'carol'));
    expect((await trust({ trustee_user_id: dave, expires_at: '2026-06-01T00:10:00Z' }, carols)).status).toBe(
      403,
    );
    expect((await cloud.call(alice, 'DELETE', `/v3/OS-TRUST/trusts/${first}`)).status).toBe(204);
    expect(await works(carols)).toBe(false);
    expect((await use(second.json.trust.id, 'carol')).status).toBe(401);
  });

  const appCred = async (
    body: object,
    as = alice,
  ): Promise<{ id: string; secret: string; token: string }> => {
    const answer = await cloud.call(as, 'POST', `/v3/users/${ids.alice}/application_credentials`, {
      application_credential: { name: `c${Math.random()}`, roles: [{ name: 'member' }], ...body },
    });
    expect(answer.status, answer.text).toBe(201);
    const { id, secret } = answer.json.application_credential;
    return { id, secret, token: tokenOf(await useCred({ id, secret })) };
  };
  const useCred = (credential: { id: string; secret: string }): Promise<Answer> =>
    cloud.call(null, 'POST', '/v3/auth/tokens', {
      auth: {
        identity: {
          methods: ['application_credential'],
          application_credential: { id: credential.id, secret: credential.secret },
        },
      },
    });

  it('no token that gives a part of the rights of a user makes, sees or ends what would give more', async () => {
    const ec2 = await cloud.call(alice, 'POST', `/v3/users/${ids.alice}/credentials/OS-EC2`, {
      tenant_id: ids.project,
    });
    expect(ec2.status, ec2.text).toBe(201);
    const { access } = ec2.json.credential;
    const { id: credentialId } = (await cloud.call(alice, 'GET', '/v3/credentials')).json.credentials[0];
    const trusted = await trustId();
    const parts: Record<string, string> = {
      'a trust': tokenOf(await use(trusted)),
      'a restricted application credential': (await appCred({})).token,
      'one with access rules, unrestricted': (
        await appCred({
          unrestricted: true,
          access_rules: ['GET', 'POST', 'DELETE', 'PATCH'].map((method) => ({
            path: '/v3/**',
            method,
            service: 'identity',
          })),
        })
      ).token,
    };
    const user = `/v3/users/${ids.alice}`;
    const verbs: [string, string, unknown?][] = [
      ['POST', `${user}/application_credentials`, { application_credential: { name: 'more' } }],
      ['POST', `${user}/credentials/OS-EC2`, { tenant_id: ids.project }],
      ['GET', `${user}/credentials/OS-EC2`],
      ['GET', `${user}/credentials/OS-EC2/${access}`],
      ['DELETE', `${user}/credentials/OS-EC2/${access}`],
      ['GET', '/v3/credentials'],
      ['GET', `/v3/credentials/${credentialId}`],
      ['PATCH', `/v3/credentials/${credentialId}`, { credential: { project_id: ids.other } }],
      ['DELETE', `/v3/credentials/${credentialId}`],
      ['POST', '/v3/credentials', { credential: { type: 'totp', blob: 'GEZDGNBVGY3TQOJQGEZDGNBV' } }],
      ['DELETE', `/v3/OS-TRUST/trusts/${trusted}`],
    ];
    for (const [what, token] of Object.entries(parts)) {
      for (const [method, path, body] of verbs)
        expect((await cloud.call(token, method, path, body)).status, `${what}: ${method} ${path}`).toBe(403);
      expect((await trust({}, token)).status, `${what}: trust`).toBe(403);
      const rescope = await cloud.call(null, 'POST', '/v3/auth/tokens', {
        auth: {
          identity: { methods: ['token'], token: { id: token } },
          scope: { project: { id: ids.other } },
        },
      });
      expect(rescope.status, `${what}: another project`).toBeGreaterThanOrEqual(401);
      const projects = (await cloud.call(token, 'GET', '/v3/auth/projects')).json.projects as {
        id: string;
      }[];
      expect(
        projects.map((row) => row.id),
        what,
      ).toEqual([ids.project]);
    }
  });

  it('what an unrestricted application credential makes stays within it', async () => {
    const parent = await appCred({ unrestricted: true, expires_at: '2026-06-01T00:30:00Z' });
    const make = (body: object): Promise<Answer> =>
      cloud.call(parent.token, 'POST', `/v3/users/${ids.alice}/application_credentials`, {
        application_credential: { name: 'child', expires_at: '2026-06-01T00:20:00Z', ...body },
      });
    expect((await make({ roles: [{ name: 'manager' }] })).status).toBe(400);
    expect((await make({ expires_at: null })).status, 'not longer').toBe(400);
    expect((await make({ expires_at: '2026-06-02T00:00:00Z' })).status).toBe(400);
    expect((await make({})).status).toBe(201);
    expect(
      (await trust({ roles: [{ name: 'manager' }], expires_at: '2026-06-01T00:20:00Z' }, parent.token))
        .status,
    ).toBe(403);
    expect(
      (await trust({ project_id: ids.other, expires_at: '2026-06-01T00:20:00Z' }, parent.token)).status,
    ).toBe(404);
    const ec2 = (project: string): Promise<Answer> =>
      cloud.call(parent.token, 'POST', `/v3/users/${ids.alice}/credentials/OS-EC2`, { tenant_id: project });
    expect((await ec2(ids.other)).status, 'CVE-2026-43001').toBe(404);
    const key = (await ec2(ids.project)).json.credential;
    expect(
      (
        await cloud.call(
          parent.token,
          'PATCH',
          `/v3/credentials/${idOfKey(await cloud.call(parent.token, 'GET', '/v3/credentials'))}`,
          { credential: { project_id: ids.other } },
        )
      ).status,
    ).toBe(404);
    expect(names(await exchange(key))).toEqual(['member', 'reader']);
    expect(
      (await cloud.call(alice, 'DELETE', `/v3/users/${ids.alice}/application_credentials/${parent.id}`))
        .status,
    ).toBe(204);
    expect((await exchange(key)).status).toBe(401);
  });
  const idOfKey = (answer: Answer): string => answer.json.credentials[0].id as string;

  type Key = { access: string; secret: string };
  const signed = ({ access, secret }: Key, at = now): object => {
    const params: Record<string, string> = {
      AWSAccessKeyId: access,
      Action: 'DescribeInstances',
      SignatureMethod: 'HmacSHA256',
      SignatureVersion: '2',
      Timestamp: new Date(at).toISOString(),
    };
    const query = Object.entries(params)
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join('&');
    const signature = createHmac('sha256', secret).update(`GET\nec2.test\n/\n${query}`).digest('base64');
    return { access, signature, verb: 'GET', host: 'ec2.test', path: '/', params };
  };
  const exchange = (key: Key, at = now, as: string | null = admin): Promise<Answer> =>
    cloud.call(as, 'POST', '/v3/ec2tokens', { credentials: signed(key, at) });

  it('a signature is worth a token to services that hand it in, and to nobody else', async () => {
    const { credential } = (
      await cloud.call(alice, 'POST', `/v3/users/${ids.alice}/credentials/OS-EC2`, { tenant_id: ids.project })
    ).json;
    const answer = await exchange(credential);
    expect(answer.json.token).toMatchObject({
      user: { id: ids.alice },
      project: { id: ids.project },
      methods: ['ec2credential'],
    });
    expect(await works(tokenOf(answer))).toBe(true);
    const elsewhere = await cloud.call(null, 'POST', '/v3/auth/tokens', {
      auth: {
        identity: { methods: ['token'], token: { id: tokenOf(answer) } },
        scope: { project: { id: ids.other } },
      },
    });
    expect(elsewhere.status, 'the key is for one project').toBe(403);
    const more = { application_credential: { name: 'outlives the key' } };
    const path = `/v3/users/${ids.alice}/application_credentials`;
    expect((await cloud.call(tokenOf(answer), 'POST', path, more)).status).toBe(403);
    expect((await exchange(credential, now, null)).status, 'CVE-2025-65073').toBe(401);
    expect((await exchange(credential, now, alice)).status).toBe(403);
    expect((await exchange({ ...credential, secret: 'x' })).status).toBe(401);
    expect((await exchange({ access: 'nobody', secret: 'x' })).status).toBe(401);
    expect((await exchange(credential, now - 16 * 60_000)).status, 'CVE-2020-12692').toBe(401);

    const text = `GET\n\n\n${String(now / 1000 + 60)}\n/bucket/key`;
    const s3 = {
      access: credential.access,
      signature: createHmac('sha1', credential.secret).update(text).digest('base64'),
      token: Buffer.from(text).toString('base64'),
    };
    expect((await cloud.call(null, 'POST', '/v3/s3tokens', { credentials: s3 })).status).toBe(401);
    expect((await cloud.call(alice, 'POST', '/v3/s3tokens', { credentials: s3 })).status).toBe(403);
    const shown = await cloud.call(admin, 'POST', '/v3/s3tokens', { credentials: s3 });
    expect(shown.json.token).toMatchObject({ user: { id: ids.alice }, project: { id: ids.project } });
    expect(shown.headers['x-subject-token']).toBeUndefined();
    now += 61_000;
    expect((await cloud.call(admin, 'POST', '/v3/s3tokens', { credentials: s3 })).status).toBe(401);

    await cloud.call(
      admin,
      'DELETE',
      `/v3/projects/${ids.project}/users/${ids.alice}/roles/${roles['manager'] ?? ''}`,
    );
    expect((await exchange(credential)).status, 'no more than the user has').toBe(401);
  });

  it('credentials are of their owner, and their secrets do not lie in the database', async () => {
    const made = await cloud.call(alice, 'POST', '/v3/credentials', {
      credential: { type: 'ec2', project_id: ids.project, blob: '{"access": "key", "secret": "hush-hush"}' },
    });
    expect(made.status, made.text).toBe(201);
    const { id } = made.json.credential;
    const rows = await cloud.platform.db.read.selectFrom('credentials').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain('hush');
    const demo = await cloud.token('demo', PASSWORDS.demo);
    for (const [method, body] of [
      ['GET'],
      ['DELETE'],
      ['PATCH', { credential: { blob: '{"access":"a","secret":"b"}' } }],
    ] as const)
      expect((await cloud.call(demo, method, `/v3/credentials/${id}`, body)).status).toBe(404);
    expect((await cloud.call(demo, 'GET', `/v3/credentials?user_id=${ids.alice}`)).json.credentials).toEqual(
      [],
    );
    expect(
      (
        await cloud.call(demo, 'POST', '/v3/credentials', {
          credential: { user_id: ids.alice, type: 'cert', blob: 'x' },
        })
      ).status,
    ).toBe(404);
    expect(
      (await cloud.call(alice, 'PATCH', `/v3/credentials/${id}`, { credential: { user_id: ids.bob } }))
        .status,
      'CVE-2020-12691',
    ).toBe(404);
    expect(
      (
        await cloud.call(alice, 'POST', '/v3/credentials', {
          credential: { type: 'ec2', project_id: ids.project, blob: '{"access": "key", "secret": "x"}' },
        })
      ).status,
    ).toBe(409);
    for (const credential of [
      { type: 'ec2', blob: '{"access": "k2", "secret": "x"}' },
      { type: 'ec2', project_id: ids.project, blob: 'no json' },
      { type: 'totp', blob: 'short' },
    ])
      expect((await cloud.call(alice, 'POST', '/v3/credentials', { credential })).status).toBe(400);
    const changed = await cloud.call(alice, 'PATCH', `/v3/credentials/${id}`, {
      credential: { blob: '{"access": "new", "secret": "other"}' },
    });
    expect(changed.json.credential).toMatchObject({ id, blob: '{"access": "new", "secret": "other"}' });
    expect((await exchange({ access: 'new', secret: 'other' })).status).toBe(200);
    expect((await exchange({ access: 'key', secret: 'hush-hush' })).status).toBe(401);
  });

  it('access rules are the only requests that pass, also after the token was exchanged', async () => {
    const rules = [{ path: '/v3/auth/projects', method: 'GET', service: 'identity' }];
    const credential = await appCred({ access_rules: rules });
    const exchanged = tokenOf(
      await cloud.call(null, 'POST', '/v3/auth/tokens', {
        auth: { identity: { methods: ['token'], token: { id: credential.token } } },
      }),
    );
    for (const token of [credential.token, exchanged]) {
      expect((await cloud.call(token, 'GET', '/v3/auth/projects')).status).toBe(200);
      expect((await cloud.call(token, 'GET', '/v3/auth/catalog')).status).toBe(401);
      expect((await cloud.call(token, 'GET', `/v3/users/${ids.alice}`)).status).toBe(401);
    }
    const none = await appCred({ access_rules: [] });
    expect((await cloud.call(none.token, 'GET', '/v3/auth/projects')).status, 'no rule, no request').toBe(
      401,
    );
    const look = (headers: Record<string, string>): Promise<Answer> =>
      cloud.call(admin, 'GET', '/v3/auth/tokens', undefined, {
        'x-subject-token': credential.token,
        ...headers,
      });
    expect((await look({})).status, 'not for services that do not know of rules').toBe(404);
    const shown = await look({ 'openstack-identity-access-rules': '1.0' });
    expect(shown.json.token.application_credential.access_rules).toEqual(rules);

    const list = `/v3/users/${ids.alice}/access_rules`;
    const [rule] = (await cloud.call(alice, 'GET', list)).json.access_rules as { id: string }[];
    expect((await cloud.call(alice, 'DELETE', `${list}/${rule?.id}`)).status).toBe(403);
    const again = await appCred({ access_rules: [{ id: rule?.id }] });
    for (const { id } of [credential, again])
      await cloud.call(alice, 'DELETE', `/v3/users/${ids.alice}/application_credentials/${id}`);
    expect((await cloud.call(alice, 'DELETE', `${list}/${rule?.id}`)).status).toBe(204);
    for (const bad of [
      { path: 'x', method: 'GET', service: 'identity' },
      { path: '/x', method: 'BREW', service: 'identity' },
      { path: '/x', method: 'GET', service: 'teapot' },
      { path: '/x' },
      { path: '/**/**/**', method: 'GET', service: 'identity' },
    ])
      expect(
        (
          await cloud.call(alice, 'POST', `/v3/users/${ids.alice}/application_credentials`, {
            application_credential: { name: 'bad', access_rules: [bad] },
          })
        ).status,
        JSON.stringify(bad),
      ).toBe(400);
  });
});
