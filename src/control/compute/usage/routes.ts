// Usage over HTTP: api-ref "Usage reports (os-simple-tenant-usage)": what the servers of a project had of the cloud
// in a period, deleted ones included; and "Server usage audit log", the log of a task that nothing here has to run.
import { Type } from 'typebox';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { nextLink } from '../../../kernel/paging.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee } from '../../../kernel/policy.ts';
import { text } from '../../../kernel/schema.ts';
import { COMPUTE_PREFIX, MAX_PAGE, pageQuery } from '../links.ts';
import { numberedHosts } from '../hypervisors/routes.ts';
import { type Period, projectUsages, type ProjectUsage, usedServers } from './usage.ts';

const PATH = '/v2.1/os-simple-tenant-usage';
const PAGED_SINCE = 40;

/** The formats that Nova takes, all of them UTC. */
function timeOf(value: string | undefined, now: number): number {
  if (value === undefined || value === '') return now;
  const parts = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)$/.exec(value);
  const time = parts === null ? Number.NaN : Date.parse(`${parts[1]}T${parts[2]}Z`);
  if (Number.isNaN(time))
    throw badRequest(
      `Datetime is in invalid format. Value: ${value.slice(0, 60)}. It must be YYYY-MM-DDTHH:MM:SS, with or without microseconds, in UTC.`,
    );
  return time;
}

function periodOf(ctx: Ctx, query: { start?: string; end?: string }): Period {
  const now = ctx.platform.clock.now();
  const start = timeOf(query.start, now);
  const end = timeOf(query.end, now);
  // Without a period the report is of this moment: empty sums of what is there.
  const asked = query.start !== undefined || query.end !== undefined;
  if (start > end || (asked && start === end))
    throw badRequest('Invalid start time. The start time cannot occur after the end time.');
  return { start, stop: Math.min(end, now) };
}

const query = Type.Object({
  ...pageQuery,
  start: Type.Optional(text(64)),
  end: Type.Optional(text(64)),
  detailed: Type.Optional(text(10)),
});

type Asked = { limit?: number; marker?: string };
/** The page of 2.40; before that there is one page with everything. */
const pageOf = (ctx: Ctx, asked: Asked) =>
  ctx.microversion < PAGED_SINCE
    ? null
    : { limit: Math.min(asked.limit ?? MAX_PAGE, MAX_PAGE), marker: asked.marker ?? null };

function links(
  ctx: Ctx,
  path: string,
  rawQuery: Readonly<Record<string, string | string[]>>,
  page: ReturnType<typeof pageOf>,
  ids: readonly string[],
) {
  const last = ids.at(-1);
  if (page === null || last === undefined || ids.length < page.limit) return null;
  return [
    { rel: 'next', href: nextLink(`${ctx.platform.publicUrl}${COMPUTE_PREFIX}${path}`, rawQuery, last) },
  ];
}

const withoutServers = ({ server_usages: _servers, ...sums }: ProjectUsage): object => sums;

/** The calendar month before the one that `at` lies in, in UTC: Nova's audit period. */
function lastMonth(at: number): { begin: number; end: number } {
  const date = new Date(at);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { begin: Date.UTC(year, month - 1, 1), end: Date.UTC(year, month, 1) };
}
const plain = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

async function auditLog(ctx: Ctx, before: number): Promise<object> {
  const hosts = (await numberedHosts(ctx)).map((host) => host.hostname);
  const { begin, end } = lastMonth(before);
  return {
    period_beginning: plain(begin),
    period_ending: plain(end),
    num_hosts: hosts.length,
    num_hosts_done: 0,
    num_hosts_running: 0,
    num_hosts_not_run: hosts.length,
    hosts_not_run: hosts,
    total_instances: 0,
    total_errors: 0,
    overall_status: `0 of ${hosts.length} hosts done. 0 errors.`,
    log: {},
  };
}

export const usageRoutes: Route[] = [
  route({
    method: 'GET',
    path: PATH,
    policy: 'compute:usage:list',
    summary: 'Report the usage of all projects',
    query,
    async handler({ ctx, query: asked, rawQuery }) {
      const period = periodOf(ctx, asked);
      const page = pageOf(ctx, asked);
      const servers = await usedServers(ctx.platform.db.read, period, null, page);
      const usages = projectUsages(servers, period, ctx.platform.clock.now());
      const next = links(
        ctx,
        PATH,
        rawQuery,
        page,
        servers.map((one) => one.id),
      );
      return {
        body: {
          tenant_usages: asked.detailed === '1' ? usages : usages.map(withoutServers),
          ...(next === null ? {} : { tenant_usages_links: next }),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: `${PATH}/:project_id`,
    ids: { project_id: 'project' },
    policy: 'compute:usage:show',
    summary: 'Report the usage of a project',
    query,
    async handler({ ctx, params, query: asked, rawQuery }) {
      if (!canSee(ctx.actor, params.project_id)) throw notFound('Project', params.project_id);
      const period = periodOf(ctx, asked);
      const page = pageOf(ctx, asked);
      const servers = await usedServers(ctx.platform.db.read, period, params.project_id, page);
      const [usage] = projectUsages(servers, period, ctx.platform.clock.now());
      const next = links(
        ctx,
        `${PATH}/${params.project_id}`,
        rawQuery,
        page,
        servers.map((one) => one.id),
      );
      return {
        body: { tenant_usage: usage ?? {}, ...(next === null ? {} : { tenant_usage_links: next }) },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-instance_usage_audit_log',
    policy: 'compute:usage:list',
    summary: 'Show the log of the usage audits: usage is read from the servers, no audit has to run',
    handler: async ({ ctx }) => ({
      body: { instance_usage_audit_logs: await auditLog(ctx, ctx.platform.clock.now()) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-instance_usage_audit_log/:before_timestamp',
    ids: { before_timestamp: 'none' },
    policy: 'compute:usage:list',
    summary: 'Show the log of the usage audits before a time',
    async handler({ ctx, params }) {
      const asked = params.before_timestamp;
      const time = /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d{1,6})?$/.test(asked)
        ? Date.parse(`${asked.replace(' ', 'T')}Z`)
        : Number.NaN;
      if (Number.isNaN(time)) throw badRequest(`Invalid timestamp for date ${asked.slice(0, 60)}`);
      return { body: { instance_usage_audit_log: await auditLog(ctx, time) } };
    },
  }),
];
