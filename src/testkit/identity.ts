// The real identity service over HTTP without a socket: tests log in as its users do.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createIdentityService,
  type IdentityOptions,
  type IdentityService,
} from '../control/identity/index.ts';
import { auditMigrations } from '../kernel/audit.ts';
import type { Clock } from '../kernel/clock.ts';
import { migrate } from '../kernel/db/index.ts';
import { quotaMigrations } from '../kernel/quota.ts';
import { createHttpServer } from '../kernel/http/server.ts';
import type { Platform } from '../kernel/platform.ts';
import { createTelemetry } from '../kernel/telemetry.ts';
import { openTestDatabase, type Engine, type TestDatabase } from './database.ts';
import { testPlatform, type Answer } from './http.ts';

export type Scope = { project?: object; domain?: object; system?: { all: true } } | 'unscoped' | undefined;

export type TestIdentity = {
  platform: Platform;
  identity: IdentityService;
  /** A second process on the same database and keys. */
  replica(): Promise<TestIdentity>;
  call(
    token: string | null,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** POST /v3/auth/tokens by password; `user` is an id, or a name in the default domain. */
  login(user: string, password: string, scope?: Scope): Promise<Answer>;
  /** The token of a login that must succeed. */
  token(user: string, password: string, scope?: Scope): Promise<string>;
  close(): Promise<void>;
};

export const CATALOG = [
  { type: 'identity', name: 'keystone', path: '/identity' },
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'object-store', name: 'swift', path: '/object/v1/AUTH_%(project_id)s' },
];
export const PASSWORDS = { admin: 'admin-secret', demo: 'demo-secret' };

async function serve(
  platform: Platform,
  options: IdentityOptions,
  database: Pick<TestDatabase, 'peer' | 'remove'>,
): Promise<TestIdentity> {
  const identity = await createIdentityService(platform, options);
  await migrate(platform.db, platform.clock.now(), [
    ...auditMigrations,
    ...quotaMigrations,
    ...identity.service.migrations,
  ]);
  await identity.bootstrap(PASSWORDS);
  const app = createHttpServer({
    platform,
    services: [identity.service],
    telemetry: createTelemetry(),
    authenticate: identity.authenticate,
  });
  await app.ready();
  const call: TestIdentity['call'] = async (token, method, url, body, headers = {}) => {
    const answer = await app.inject({
      method: method as 'GET',
      url: `/identity${url}`,
      headers: {
        ...(token === null ? {} : { 'x-auth-token': token }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      get json() {
        return JSON.parse(answer.body) as unknown;
      },
    };
  };
  const login: TestIdentity['login'] = (user, password, scope) => {
    const who = /^[0-9a-f]{32}$/.test(user) ? { id: user } : { name: user, domain: { id: 'default' } };
    const auth = {
      identity: { methods: ['password'], password: { user: { ...who, password } } },
      ...(scope === undefined ? {} : { scope }),
    };
    return call(null, 'POST', '/v3/auth/tokens', { auth });
  };
  return {
    platform,
    identity,
    call,
    login,
    async token(user, password, scope) {
      const answer = await login(user, password, scope);
      if (answer.status !== 201) throw new Error(`login of ${user}: ${answer.status} ${answer.text}`);
      return String(answer.headers['x-subject-token']);
    },
    async replica() {
      const own = await database.peer();
      return serve({ ...platform, db: own }, options, { ...database, remove: () => own.close() });
    },
    async close() {
      identity.close();
      await app.close();
      await database.remove();
    },
  };
}

export async function testIdentity(
  engine: Engine,
  clock?: Clock,
  options: Partial<IdentityOptions> = {},
): Promise<TestIdentity> {
  const database = await openTestDatabase(engine);
  const keyDir = mkdtempSync(join(tmpdir(), 'strata-keys-'));
  return serve(
    testPlatform(database.db, { instances: 10 }, clock),
    { catalog: CATALOG, keyDir, passwordCost: 4, countedBy: () => ({ instances: 'compute' }), ...options },
    {
      ...database,
      async remove() {
        await database.remove();
        rmSync(keyDir, { recursive: true, force: true });
      },
    },
  );
}
