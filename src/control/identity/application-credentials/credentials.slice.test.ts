// Application credentials, the lock after wrong passwords, and the memory of old ones: on both engines, over HTTP.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { PASSWORDS, testIdentity, type TestIdentity } from '../../../testkit/identity.ts';

const onProject = (name: string) => ({ project: { name, domain: { id: 'default' } } });

onBothEngines('credentials', (engine) => {
  let cloud: TestIdentity;
  let admin: string;
  let demo: string;
  let demoId: string;
  let now = 0;
  const clock = { now: () => now, timer: () => () => {} };

  beforeEach(async () => {
    now = Date.UTC(2026, 5, 1);
    cloud = await testIdentity(engine, clock);
    admin = await cloud.token('admin', PASSWORDS.admin, onProject('admin'));
    const login = await cloud.login('demo', PASSWORDS.demo, onProject('demo'));
    demo = login.headers['x-subject-token'] as string;
    demoId = login.json.token.user.id;
  });
  afterEach(() => cloud.close());

  const path = () => `/v3/users/${demoId}/application_credentials`;
  const make = (body: object, token = demo) =>
    cloud.call(token, 'POST', path(), { application_credential: { name: 'robot', ...body } });
  const use = (credential: object, scope?: object) =>
    cloud.call(null, 'POST', '/v3/auth/tokens', {
      auth: {
        identity: { methods: ['application_credential'], application_credential: credential },
        ...(scope === undefined ? {} : { scope }),
      },
    });
  const tokenOf = async (credential: object): Promise<string> =>
    (await use(credential)).headers['x-subject-token'] as string;
  const works = async (token: string): Promise<boolean> =>
    (await cloud.call(token, 'GET', '/v3/auth/projects')).status === 200;

  test('a credential shows its secret once, and acts in its project with the roles of its user', async () => {
    const made = await make({ description: 'for backups' });
    expect(made.status, made.text).toBe(201);
    const { id, secret, ...rest } = made.json.application_credential;
    expect(rest).toMatchObject({
      name: 'robot',
      description: 'for backups',
      unrestricted: false,
      expires_at: null,
      system: null,
    });
    const shown = (await cloud.call(demo, 'GET', `${path()}/${id}`)).json.application_credential;
    expect(shown).not.toHaveProperty('secret');
    expect(shown.roles.map((role: { name: string }) => role.name)).toContain('member');
    const { token } = (await use({ id, secret })).json;
    expect(token).toMatchObject({
      project: { name: 'demo' },
      methods: ['application_credential'],
      application_credential: { id, name: 'robot', restricted: true },
    });
    expect(
      (await use({ name: 'robot', user: { name: 'demo', domain: { id: 'default' } }, secret })).status,
    ).toBe(201);
    expect((await cloud.call(demo, 'GET', `${path()}?name=other`)).json.application_credentials).toEqual([]);
    expect((await make({})).status).toBe(409);
  });

  test('it gives no more than the token that made it, and nobody makes one for somebody else', async () => {
    expect((await make({ roles: [{ name: 'admin' }] })).status).toBe(400);
    const reader = (await make({ roles: [{ name: 'reader' }], secret: 'a secret of my own' })).json
      .application_credential;
    const { token } = (await use({ id: reader.id, secret: 'a secret of my own' })).json;
    expect(token.roles.map((role: { name: string }) => role.name)).toEqual(['reader']);
    expect((await make({ name: 'for demo' }, admin)).status).toBe(403);
    const scopes = [{ domain: { id: 'default' } }, onProject('admin'), { system: { all: true } }];
    for (const scope of scopes)
      expect((await use({ id: reader.id, secret: 'a secret of my own' }, scope)).status).toBe(401);
    expect((await use({ id: reader.id, secret: 'a secret of my own' }, onProject('demo'))).status).toBe(201);
  });

  test('a restricted one can neither make nor delete others, nor get rid of its limits by exchanging its token', async () => {
    const { id, secret } = (await make({ roles: [{ name: 'reader' }] })).json.application_credential;
    const token = await tokenOf({ id, secret });
    expect((await make({ name: 'second' }, token)).status).toBe(403);
    expect((await cloud.call(token, 'DELETE', `${path()}/${id}`)).status).toBe(403);
    const exchanged = await cloud.call(null, 'POST', '/v3/auth/tokens', {
      auth: { identity: { methods: ['token'], token: { id: token } } },
    });
    expect(exchanged.json.token).toMatchObject({ project: { name: 'demo' }, application_credential: { id } });
    expect(exchanged.json.token.roles.map((role: { name: string }) => role.name)).toEqual(['reader']);
    const free = (await make({ name: 'free', unrestricted: true })).json.application_credential;
    expect(
      (
        await make(
          { name: 'third' },
          await tokenOf(free.secret === undefined ? {} : { id: free.id, secret: free.secret }),
        )
      ).status,
    ).toBe(201);
  });

  test('its tokens end with it, with its expiry, and with the roles of its user', async () => {
    const expires = new Date(now + 60_000).toISOString().replace('Z', '');
    const short = (await make({ expires_at: expires })).json.application_credential;
    expect(short.expires_at).toBe('2026-06-01T00:01:00.000000');
    const brief = await tokenOf({ id: short.id, secret: short.secret });
    now += 61_000;
    expect([await works(brief), (await use({ id: short.id, secret: short.secret })).status]).toEqual([
      false,
      401,
    ]);
    const { id, secret } = (await make({ name: 'other' })).json.application_credential;
    const token = await tokenOf({ id, secret });
    expect(await works(token)).toBe(true);
    expect((await cloud.call(demo, 'DELETE', `${path()}/${id}`)).status).toBe(204);
    expect([await works(token), (await use({ id, secret })).status]).toEqual([false, 401]);
    const last = (await make({ name: 'last' })).json.application_credential;
    expect((await cloud.call(admin, 'DELETE', `/v3/users/${demoId}`)).status).toBe(204);
    expect((await use({ id: last.id, secret: last.secret })).status).toBe(401);
  });

  test('wrong passwords in a row lock a user out for half a minute, also with the right one', async () => {
    const tries = async (password: string) => (await cloud.login('demo', password, onProject('demo'))).status;
    for (let count = 0; count < 9; count += 1) expect(await tries('wrong')).toBe(401);
    expect(await tries(PASSWORDS.demo)).toBe(201);
    for (let count = 0; count < 10; count += 1) expect(await tries('wrong')).toBe(401);
    expect(await tries(PASSWORDS.demo)).toBe(401);
    now += 29_000;
    expect(await tries(PASSWORDS.demo)).toBe(401);
    now += 2_000;
    expect(await tries(PASSWORDS.demo)).toBe(201);
    for (let count = 0; count < 10; count += 1) await tries('wrong');
    await cloud.call(admin, 'PATCH', `/v3/users/${demoId}`, { user: { enabled: true } });
    expect(await tries(PASSWORDS.demo)).toBe(201);
  });

  test('a user does not go back to the present or the last password, an operator may set any', async () => {
    const change = async (from: string, to: string) => {
      const token = await cloud.token('demo', from, onProject('demo'));
      return (
        await cloud.call(token, 'POST', `/v3/users/${demoId}/password`, {
          user: { original_password: from, password: to },
        })
      ).status;
    };
    expect(await change(PASSWORDS.demo, 'second')).toBe(204);
    expect([await change('second', 'second'), await change('second', PASSWORDS.demo)]).toEqual([400, 400]);
    expect(await change('second', 'third')).toBe(204);
    expect(await change('third', PASSWORDS.demo)).toBe(204);
    expect(
      (await cloud.call(admin, 'PATCH', `/v3/users/${demoId}`, { user: { password: 'third' } })).status,
    ).toBe(200);
  });
});
