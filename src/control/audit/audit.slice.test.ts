// Who sees which events, filters and pages, over HTTP on both engines.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { audit } from '../../kernel/audit.ts';
import type { Actor } from '../../kernel/policy.ts';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../testkit/database.ts';
import { testActor, testPlatform, testServer, type TestServer } from '../../testkit/http.ts';
import { createIdentityService, type IdentityService } from '../identity/index.ts';
import { createAuditService } from './index.ts';

type Event = { id: string; action: string; target_id: string } & Record<string, unknown>;

onBothEngines('the audit log', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  let identity: IdentityService;
  let keyDir: string;
  let platform: ReturnType<typeof testPlatform>;
  let adminProjectId: string;
  let now = Date.parse('2026-03-01T12:00:00Z');
  const actors: Record<string, Actor> = {
    alice: testActor('alice', 'p1'),
    reader: testActor('reader', 'p1', ['reader']),
    bob: testActor('bob', 'p2'),
    root: testActor('root', 'p0', ['admin']),
    auditor: { ...testActor('auditor', '', ['reader']), scope: { type: 'system' } },
    lost: { ...testActor('lost', ''), scope: { type: 'unscoped' } },
  };

  beforeEach(async () => {
    database = await openTestDatabase(engine);
    keyDir = mkdtempSync(join(tmpdir(), 'strata-audit-'));
    now = Date.parse('2026-03-01T12:00:00Z');
    platform = testPlatform(database.db, {}, { now: () => now, timer: () => () => {} });
    identity = await createIdentityService(platform, { catalog: [], keyDir, passwordCost: 4 });
    server = await testServer(platform, [identity.service, createAuditService()], actors);
    ({ adminProjectId } = await identity.bootstrap({ admin: 'admin-secret', demo: 'demo-secret' }));
  });
  afterEach(async () => {
    identity.close();
    await server.close();
    await database.remove();
    rmSync(keyDir, { recursive: true });
  });

  /** One change, a second after the one before; `at: 0` for the same millisecond. */
  async function change(as: Actor, action: string, kind: string, id: string, after = 1000): Promise<void> {
    now += after;
    const ctx = { platform, actor: as, requestId: `req-${id}`, microversion: 0, action };
    await database.db.tx((tx) => audit(tx, ctx, kind, id));
  }
  const list = async (as: string, query = ''): Promise<Event[]> => {
    const answer = await server.call(as, 'GET', `/audit/v1/events${query}`);
    expect(answer.status, answer.text).toBe(200);
    return answer.json.events as Event[];
  };
  const targets = (events: readonly Event[]): string[] => events.map((event) => event.target_id);
  const of = (name: string): Actor => actors[name] as Actor;

  test('a project sees what was done from it; operators and auditors see all', async () => {
    await change(of('alice'), 'compute:servers:create', 'server', 's1');
    await change(of('bob'), 'compute:servers:create', 'server', 's2');
    await change(of('root'), 'compute:services:update', 'host', 'h1');
    expect(targets(await list('reader'))).toEqual(['s1']);
    expect(targets(await list('bob'))).toEqual(['s2']);
    expect(targets(await list('root'))).toEqual(['h1', 's2', 's1']);
    expect(targets(await list('auditor', '?project_id=p2'))).toEqual(['s2']);
    expect(await list('alice', '?project_id=p2')).toEqual([]);
    const [event] = await list('bob');
    const path = `/audit/v1/events/${event?.id}`;
    expect((await server.call('bob', 'GET', path)).json.event).toEqual(event);
    expect((await server.call('auditor', 'GET', path)).status).toBe(200);
    expect((await server.call('alice', 'GET', path)).status).toBe(404);
    expect((await server.call('alice', 'GET', `/audit/v1/events?marker=${event?.id}`)).status).toBe(400);
    expect((await server.call('lost', 'GET', '/audit/v1/events')).status).toBe(403);
    expect((await server.call(null, 'GET', '/audit/v1/events')).status).toBe(401);
    expect((await server.call(null, 'GET', '/audit')).json.versions[0].status).toBe('CURRENT');
  });

  test('an event names who did what to what, and who is gone has no name', async () => {
    const adminId = (
      await database.db.read
        .selectFrom('users')
        .select('id')
        .where('name', '=', 'admin')
        .executeTakeFirstOrThrow()
    ).id;
    const admin = { ...testActor('admin', adminProjectId, ['admin']), userId: adminId };
    await change(admin, 'identity:delete_user', 'user', 'u1');
    await change(of('alice'), 'compute:servers:delete', 'server', 's1');
    const [gone, known] = await list('root', '?limit=2');
    expect(known).toEqual({
      id: expect.any(String),
      time: '2026-03-01T12:00:01.000000Z',
      action: 'identity:delete_user',
      target_type: 'user',
      target_id: 'u1',
      user_id: adminId,
      user_name: 'admin',
      project_id: adminProjectId,
      project_name: 'admin',
      request_id: 'req-u1',
    });
    expect(gone).toMatchObject({
      user_id: 'user-alice',
      user_name: null,
      project_id: 'p1',
      project_name: null,
    });
  });

  test('each filter narrows the list, and one that is not known is named', async () => {
    await change(of('alice'), 'compute:servers:create', 'server', 's1');
    await change(of('reader'), 'compute:servers:delete', 'server', 's1');
    await change(of('alice'), 'compute:server_groups:create', 'server-group', 'g1');
    await change(of('alice'), 'network:create_port', 'port', 'p1');
    expect(targets(await list('alice', '?user_id=user-reader'))).toEqual(['s1']);
    expect(targets(await list('alice', '?action=compute:servers:create'))).toEqual(['s1']);
    expect(targets(await list('alice', '?action=compute:*'))).toEqual(['g1', 's1', 's1']);
    // The underscore stands for itself.
    expect(targets(await list('alice', '?action=compute:server_*'))).toEqual(['g1']);
    expect(targets(await list('alice', '?target_type=port'))).toEqual(['p1']);
    expect(targets(await list('alice', '?target_id=s1'))).toEqual(['s1', 's1']);
    expect(targets(await list('alice', '?since=2026-03-01T12:00:03Z'))).toEqual(['p1', 'g1']);
    expect(targets(await list('alice', '?until=2026-03-01T12:00:02'))).toEqual(['s1']);
    expect(targets(await list('alice', '?until=2026-03-01T14:00:02%2B02:00'))).toEqual(['s1']);
    expect(await list('alice', '?until=2026-03-01')).toEqual([]);
    for (const [query, said] of [
      ['colour=red', "'colour' was unexpected"],
      ['since=yesterday', 'since. Value: yesterday'],
      ['until=2026-02-31T99:00:00Z', 'until'],
      ['limit=0', 'limit'],
      ['action=a%25', 'action'],
      ['marker=nothing', 'marker'],
    ] as const) {
      const answer = await server.call('alice', 'GET', `/audit/v1/events?${query}`);
      expect([answer.status, answer.json.error.message], query).toEqual([400, expect.stringContaining(said)]);
    }
  });

  test('pages lead through all events once, also where many have the same time', async () => {
    for (let n = 0; n < 7; n += 1)
      await change(of('alice'), 'network:create_port', 'port', `n${n}`, n % 3 === 0 ? 1 : 0);
    const whole = targets(await list('alice'));
    expect(whole).toHaveLength(7);
    const seen: string[] = [];
    let path: string | null = '/audit/v1/events?limit=2&target_type=port';
    while (path !== null) {
      const { json } = await server.call('alice', 'GET', path);
      seen.push(...targets(json.events));
      const href: string | undefined = json.events_links?.[0].href;
      path = href === undefined ? null : href.replace(platform.publicUrl, '');
    }
    expect(seen).toEqual(whole);
  });
});
