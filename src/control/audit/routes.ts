// Events over HTTP: docs/operate/README.md, "The audit log".
import { Type, type Static } from 'typebox';
import { findAudit, listAudit, type AuditRow } from '../../kernel/audit.ts';
import { isoMicros } from '../../kernel/clock.ts';
import type { Reader } from '../../kernel/db/index.ts';
import { badRequest, notFound } from '../../kernel/errors.ts';
import { route, type Route } from '../../kernel/http/route.ts';
import { cutPage, nextLink } from '../../kernel/paging.ts';
import type { Ctx } from '../../kernel/platform.ts';
import { allows, projectOf, rules, type Policies } from '../../kernel/policy.ts';
import { idOf, integer, strict, text } from '../../kernel/schema.ts';
import { accountNames } from '../identity/index.ts';

const events = {
  description: 'List and show what was changed: from the project of the token, or in the whole cloud',
  anyOf: [rules.admin, rules.systemReader, rules.projectReader],
} as const;

export const auditPolicies: Policies = {
  'audit:versions': { description: 'Read the version document', anyOf: [rules.anyone] },
  'audit:events:read': events,
};

const MAX_PAGE = 1000;
const DEFAULT_PAGE = 100;

const listQuery = strict({
  project_id: Type.Optional(idOf('project')),
  user_id: Type.Optional(idOf('user')),
  action: Type.Optional(Type.String({ maxLength: 255, pattern: '^[A-Za-z0-9:_.-]*\\*?$' })),
  target_type: Type.Optional(text(255, 1)),
  target_id: Type.Optional(text(255, 1)),
  since: Type.Optional(text(40, 1)),
  until: Type.Optional(text(40, 1)),
  limit: Type.Optional(integer(1, MAX_PAGE)),
  marker: Type.Optional(text(255, 1)),
});

/** Milliseconds since the epoch; undefined: none was given. UTC where no zone is said. */
export function timeOf(field: string, asked: string | undefined): number | undefined {
  if (asked === undefined) return undefined;
  // A plus that a client did not escape arrives as a space.
  const [, date, time = '00:00', zone = 'Z'] =
    /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(Z|[+ -]\d{2}:\d{2})?)?$/.exec(asked) ??
    [];
  const stamp = Date.parse(`${date}T${time}${zone.replace(' ', '+')}`);
  if (Number.isNaN(stamp))
    throw badRequest(
      `Invalid input for query parameter ${field}. Value: ${asked}. It must be an ISO 8601 time, e.g. 2026-01-31T12:00:00Z.`,
    );
  return stamp;
}

const seesAll = (ctx: Ctx): boolean => allows(events, ctx.actor, {});

/** The event, when the actor may see it. */
async function visible(ctx: Ctx, id: string): Promise<AuditRow | null> {
  const row = await findAudit(ctx.platform.db.read, id);
  return row !== undefined && allows(events, ctx.actor, { projectId: row.project_id }) ? row : null;
}

async function views(db: Reader, rows: readonly AuditRow[]): Promise<object[]> {
  const { users, projects } = await accountNames(db, {
    users: rows.map((row) => row.user_id),
    projects: rows.map((row) => row.project_id),
  });
  return rows.map((row) => ({
    id: row.id,
    time: isoMicros(row.at),
    action: row.action,
    target_type: row.target_kind,
    target_id: row.target_id,
    user_id: row.user_id === '' ? null : row.user_id,
    user_name: users.get(row.user_id) ?? null,
    project_id: row.project_id === '' ? null : row.project_id,
    project_name: projects.get(row.project_id) ?? null,
    request_id: row.request_id,
  }));
}

async function list(
  ctx: Ctx,
  query: Static<typeof listQuery>,
  rawQuery: Readonly<Record<string, string | string[]>>,
): Promise<object> {
  const { read } = ctx.platform.db;
  const since = timeOf('since', query.since);
  const until = timeOf('until', query.until);
  const marker = query.marker === undefined ? null : await visible(ctx, query.marker);
  if (query.marker !== undefined && marker === null)
    throw badRequest(`Invalid input for query parameter marker. Event ${query.marker} could not be found.`);
  const own = seesAll(ctx) ? null : projectOf(ctx.actor);
  if (own !== null && query.project_id !== undefined && query.project_id !== own) return { events: [] };
  const limit = query.limit ?? DEFAULT_PAGE;
  const found = await listAudit(
    read,
    {
      projectId: own ?? query.project_id,
      userId: query.user_id,
      action: query.action,
      targetKind: query.target_type,
      targetId: query.target_id,
      since,
      until,
    },
    marker,
    limit,
  );
  const { rows, more } = cutPage(found, limit);
  const href = nextLink(`${ctx.platform.publicUrl}/audit/v1/events`, rawQuery, rows.at(-1)?.id ?? '');
  return {
    events: await views(read, rows),
    ...(more ? { events_links: [{ rel: 'next', href }] } : {}),
  };
}

export const auditRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/',
    policy: 'audit:versions',
    summary: 'Versions',
    handler: async ({ ctx }) => ({
      body: {
        versions: [
          {
            id: 'v1.0',
            status: 'CURRENT',
            links: [{ rel: 'self', href: `${ctx.platform.publicUrl}/audit/v1` }],
          },
        ],
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/events',
    policy: 'audit:events:read',
    summary: 'List what was changed, newest first',
    query: listQuery,
    handler: async ({ ctx, query, rawQuery }) => ({ body: await list(ctx, query, rawQuery) }),
  }),
  route({
    method: 'GET',
    path: '/v1/events/:event_id',
    ids: { event_id: 'audit-event' },
    policy: 'audit:events:read',
    summary: 'Show one change',
    async handler({ ctx, params }) {
      const row = await visible(ctx, params.event_id);
      if (row === null) throw notFound('Event', params.event_id);
      const [event] = await views(ctx.platform.db.read, [row]);
      return { body: { event } };
    },
  }),
];
