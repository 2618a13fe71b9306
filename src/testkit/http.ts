// Services over HTTP without a socket: the real pipeline by fastify's inject, with actors instead of tokens.
import type { FastifyInstance } from 'fastify';
import type { Readable } from 'node:stream';
import { auditMigrations } from '../kernel/audit.ts';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { migrate, type Database } from '../kernel/db/index.ts';
import { unauthorized } from '../kernel/errors.ts';
import type { Service } from '../kernel/http/route.ts';
import { createHttpServer } from '../kernel/http/server.ts';
import { systemIds } from '../kernel/ids.ts';
import { silentLog } from '../kernel/log.ts';
import type { Platform } from '../kernel/platform.ts';
import { type Actor, withImpliedRoles } from '../kernel/policy.ts';
import { createQuotas, quotaMigrations } from '../kernel/quota.ts';
import { createTelemetry } from '../kernel/telemetry.ts';
import { createWorkQueue, workMigrations } from '../kernel/work.ts';
import { hostMigrations } from '../control/host/index.ts';

/** A project-scoped actor; `roles` default to member. */
export function testActor(name: string, projectId: string, roles: string[] = ['member']): Actor {
  return {
    userId: `user-${name}`,
    userName: name,
    userDomainId: 'default',
    userDomainName: 'Default',
    scope: { type: 'project', id: projectId, name: projectId, domainId: 'default', domainName: 'Default' },
    roles: withImpliedRoles(roles),
    expiresAt: Number.MAX_SAFE_INTEGER,
    auditId: `audit-${name}`,
  };
}

export function testPlatform(
  db: Database,
  quotas: Readonly<Record<string, number>> = {},
  clock: Clock = systemClock,
): Platform {
  return {
    db,
    clock,
    ids: systemIds,
    rng: Math.random,
    log: silentLog,
    work: createWorkQueue({ db, clock, log: silentLog }),
    quotas: createQuotas(quotas),
    publicUrl: 'http://cloud.test',
    region: 'RegionOne',
  };
}

export type Answer = {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  /** The parsed body; throws when it is not JSON. */
  // eslint-disable-next-line typescript/no-explicit-any
  json: any;
};

export type TestServer = {
  app: FastifyInstance;
  /** Sends as the actor registered under `as` (the X-Auth-Token is its name); null: no token. */
  call(
    as: string | null,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** Waits until no work is due. */
  settle(): Promise<void>;
  close(): Promise<void>;
};

/** Migrates, starts the work queue, and serves. `actors` maps a token to who it is. */
export async function testServer(
  platform: Platform,
  services: Service[],
  actors: Record<string, Actor>,
): Promise<TestServer> {
  await migrate(platform.db, platform.clock.now(), [
    ...workMigrations,
    ...quotaMigrations,
    ...auditMigrations,
    ...hostMigrations,
    ...services.flatMap((service) => service.migrations),
  ]);
  platform.work.start(Object.assign({}, ...services.map((service) => service.work)));
  const app = createHttpServer({
    platform,
    services,
    telemetry: createTelemetry(),
    authenticate(headers) {
      const actor = actors[String(headers['x-auth-token'] ?? '')];
      if (actor === undefined) throw unauthorized('The request you have made requires authentication.');
      return actor;
    },
  });
  await app.ready();
  return {
    app,
    async call(as, method, url, body, headers = {}) {
      const raw =
        typeof body === 'string' ||
        Buffer.isBuffer(body) ||
        (typeof body === 'object' && body !== null && 'pipe' in body);
      const answer = await app.inject({
        method: method as 'GET',
        url,
        headers: {
          ...(as === null ? {} : { 'x-auth-token': as }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: raw ? (body as Readable) : JSON.stringify(body) }),
      });
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text: answer.body,
        get json() {
          return JSON.parse(answer.body) as unknown;
        },
      };
    },
    async settle() {
      for (let quiet = 0; quiet < 3;) {
        const due = await platform.db.read
          .selectFrom('work')
          .select('id')
          .where((eb) =>
            eb.or([eb('due_at', '<=', platform.clock.now()), eb('lease_until', '>', platform.clock.now())]),
          )
          .where('attempts', '=', 0)
          .limit(1)
          .execute();
        quiet = due.length === 0 ? quiet + 1 : 0;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async close() {
      await platform.work.stop();
      await app.close();
    },
  };
}
