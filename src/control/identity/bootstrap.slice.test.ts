// What an installation begins with, and what it says of itself before anybody has logged in.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onBothEngines } from '../../testkit/database.ts';
import { testIdentity, type TestIdentity } from '../../testkit/identity.ts';

onBothEngines('a new identity service', (engine) => {
  let cloud: TestIdentity;
  beforeEach(async () => {
    cloud = await testIdentity(engine);
  });
  afterEach(() => cloud.close());

  it('bootstraps once: a second start changes nothing, above all no password', async () => {
    const users = () => cloud.platform.db.read.selectFrom('users').selectAll().orderBy('id').execute();
    const before = await users();
    await cloud.identity.bootstrap({ admin: 'other', demo: 'other' });
    expect(await users()).toEqual(before);
    expect((await cloud.login('admin', 'other')).status).toBe(401);
  });

  it('discovers: 300 at the top, 200 at v3, without a token', async () => {
    for (const path of ['', '/']) {
      const answer = await cloud.call(null, 'GET', path);
      expect(answer.status).toBe(300);
      expect(answer.json.versions.values[0]).toMatchObject({
        id: 'v3.14',
        status: 'stable',
        links: [{ rel: 'self', href: 'http://cloud.test/identity/v3/' }],
      });
    }
    for (const path of ['/v3', '/v3/'])
      expect((await cloud.call(null, 'GET', path)).json.version.id).toBe('v3.14');
  });
});
