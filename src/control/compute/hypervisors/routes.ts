// Hypervisors over HTTP: api-ref "Hypervisors". One per host; figures are what placement has claimed there.
import { Type } from 'typebox';
import { badRequest, notFound, notImplemented } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { nextLink } from '../../../kernel/paging.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { text } from '../../../kernel/schema.ts';
import { HOST_DOWN_MS, type HostRecord, listHosts } from '../../host/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { COMPUTE_PREFIX, isSet, pageQuery, pageSize } from '../links.ts';

/** A host with the number that clients older than 2.53 know it by: its place in the order of registration. */
export type NumberedHost = HostRecord & { number: number };
export const numberedHosts = async (ctx: Ctx): Promise<NumberedHost[]> =>
  (await listHosts(ctx.platform.db.read)).map((host, at) => ({ ...host, number: at + 1 }));
export const isUp = (ctx: Ctx, host: HostRecord): boolean =>
  ctx.platform.clock.now() - host.seenAt <= HOST_DOWN_MS;
export const hostIdAt = (ctx: Ctx, host: NumberedHost): string | number =>
  ctx.microversion >= 53 ? host.id : host.number;

type Guests = { uuid: string; name: string }[];
async function guestsOf(ctx: Ctx, hostIds: readonly string[]): Promise<Map<string, Guests>> {
  const out = new Map<string, Guests>();
  for (let at = 0; at < hostIds.length; at += 500) {
    const rows = await ctx.platform.db.read
      .selectFrom('servers')
      .select(['id', 'name', 'host_id'])
      .where('host_id', 'in', hostIds.slice(at, at + 500))
      .orderBy('created_at')
      .execute();
    for (const row of rows) {
      const list = out.get(row.host_id ?? '') ?? [];
      out.set(row.host_id ?? '', list);
      list.push({ uuid: row.id, name: row.id });
    }
  }
  return out;
}

const briefView = (ctx: Ctx, host: NumberedHost) => ({
  id: hostIdAt(ctx, host),
  hypervisor_hostname: host.hostname,
  state: isUp(ctx, host) ? 'up' : 'down',
  status: host.enabled ? 'enabled' : 'disabled',
});

/** null: the host is not connected, or does not say. From 2.88 on a part of every detailed view. */
const uptimeOf = async (deps: ComputeDeps, host: HostRecord): Promise<string | null> =>
  (await deps.hosts
    .queries(host.id)
    ?.uptime?.()
    .catch(() => null)) ?? null;

async function detailView(
  ctx: Ctx,
  deps: ComputeDeps,
  host: NumberedHost,
  guests: Guests | undefined,
): Promise<object> {
  const minor = ctx.microversion;
  const { facts } = host;
  const guest = facts.guests.find((one) => one.type === 'vm') ?? facts.guests[0];
  const cpu = {
    arch: facts.architecture,
    model: facts.cpuModel,
    vendor: '',
    features: [],
    topology: { cells: 1, sockets: 1, cores: facts.vcpus, threads: 1 },
  };
  const base = {
    ...briefView(ctx, host),
    host_ip: facts.address,
    hypervisor_type: guest?.hypervisorType ?? 'unknown',
    hypervisor_version: guest?.hypervisorVersion ?? 0,
    service: {
      id: hostIdAt(ctx, host),
      host: host.hostname,
      disabled_reason: host.enabled ? null : host.disabledReason,
    },
    ...(guests !== undefined && minor >= 53 && guests.length > 0 ? { servers: guests } : {}),
  };
  if (minor >= 88)
    return {
      ...base,
      ...(guests !== undefined ? { servers: guests } : {}),
      uptime: isUp(ctx, host) ? await uptimeOf(deps, host) : null,
    };
  return {
    ...base,
    vcpus: facts.vcpus,
    vcpus_used: host.usedVcpus,
    memory_mb: facts.memoryMib,
    memory_mb_used: host.usedMemoryMib,
    free_ram_mb: facts.memoryMib - host.usedMemoryMib,
    local_gb: facts.diskGib,
    local_gb_used: host.usedDiskGib,
    free_disk_gb: facts.diskGib - host.usedDiskGib,
    disk_available_least: facts.diskGib - host.usedDiskGib,
    running_vms: host.servers,
    current_workload: 0,
    cpu_info: minor >= 28 ? cpu : JSON.stringify(cpu),
  };
}

const listQuery = Type.Object({
  ...pageQuery,
  with_servers: Type.Optional(text(10)),
  hypervisor_hostname_pattern: Type.Optional(text(255, 1)),
});

const list = (deps: ComputeDeps, detail: boolean, path: string): Route =>
  route({
    method: 'GET',
    path,
    policy: 'compute:hypervisors',
    summary: detail ? 'List hypervisors with details' : 'List hypervisors',
    query: listQuery,
    async handler({ ctx, query, rawQuery }) {
      const pattern = ctx.microversion >= 53 ? query.hypervisor_hostname_pattern : undefined;
      let hosts = (await numberedHosts(ctx)).filter(
        (host) => pattern === undefined || host.hostname.includes(pattern),
      );
      if (pattern !== undefined && hosts.length === 0) throw notFound('Hypervisor', pattern);
      let link: object = {};
      if (ctx.microversion >= 33) {
        const { marker } = query;
        const at =
          marker === undefined ? -1 : hosts.findIndex((host) => String(hostIdAt(ctx, host)) === marker);
        if (marker !== undefined && at < 0) throw badRequest(`Marker ${marker} could not be found.`);
        const rest = hosts.slice(at + 1);
        hosts = rest.slice(0, pageSize(query.limit));
        const last = hosts.at(-1);
        if (rest.length > hosts.length && last !== undefined)
          link = {
            hypervisors_links: [
              {
                rel: 'next',
                href: nextLink(
                  `${ctx.platform.publicUrl}${COMPUTE_PREFIX}${path}`,
                  rawQuery,
                  String(hostIdAt(ctx, last)),
                ),
              },
            ],
          };
      }
      const withServers =
        ctx.microversion >= 53 && query.with_servers !== undefined && isSet(query.with_servers);
      const guests = withServers
        ? await guestsOf(
            ctx,
            hosts.map((host) => host.id),
          )
        : null;
      const view = async (host: NumberedHost): Promise<object> => {
        const mine = guests?.get(host.id) ?? (guests === null ? undefined : []);
        return detail
          ? detailView(ctx, deps, host, mine)
          : { ...briefView(ctx, host), ...(mine !== undefined && mine.length > 0 ? { servers: mine } : {}) };
      };
      return { body: { hypervisors: await Promise.all(hosts.map(view)), ...link } };
    },
  });

async function findHost(ctx: Ctx, id: string): Promise<NumberedHost> {
  const host = (await numberedHosts(ctx)).find((one) => String(hostIdAt(ctx, one)) === id);
  if (host === undefined) throw notFound('Hypervisor', id);
  return host;
}

const byPattern = async (ctx: Ctx, pattern: string): Promise<NumberedHost[]> => {
  const hosts = (await numberedHosts(ctx)).filter((host) => host.hostname.includes(pattern));
  if (hosts.length === 0) throw notFound('Hypervisor', pattern);
  return hosts;
};

const ids = { hypervisor_id: 'host' } as const;
const policy = 'compute:hypervisors';
export const hypervisorRoutes = (deps: ComputeDeps): Route[] => [
  list(deps, false, '/v2.1/os-hypervisors'),
  list(deps, true, '/v2.1/os-hypervisors/detail'),
  route({
    method: 'GET',
    path: '/v2.1/os-hypervisors/statistics',
    policy,
    summary: 'Sum up all hypervisors',
    until: '2.87',
    async handler({ ctx }) {
      const hosts = await numberedHosts(ctx);
      const sum = (figure: (host: HostRecord) => number): number =>
        hosts.reduce((total, host) => total + figure(host), 0);
      const [memory, used, disk, diskUsed] = [
        sum((h) => h.facts.memoryMib),
        sum((h) => h.usedMemoryMib),
        sum((h) => h.facts.diskGib),
        sum((h) => h.usedDiskGib),
      ];
      return {
        body: {
          hypervisor_statistics: {
            count: hosts.length,
            current_workload: 0,
            running_vms: sum((h) => h.servers),
            vcpus: sum((h) => h.facts.vcpus),
            vcpus_used: sum((h) => h.usedVcpus),
            memory_mb: memory,
            memory_mb_used: used,
            free_ram_mb: memory - used,
            local_gb: disk,
            local_gb_used: diskUsed,
            free_disk_gb: disk - diskUsed,
            disk_available_least: disk - diskUsed,
          },
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-hypervisors/:hypervisor_id',
    ids,
    policy,
    summary: 'Show a hypervisor',
    query: Type.Object({ with_servers: Type.Optional(text(10)) }),
    async handler({ ctx, params, query }) {
      const host = await findHost(ctx, params.hypervisor_id);
      const guests =
        query.with_servers !== undefined && isSet(query.with_servers)
          ? ((await guestsOf(ctx, [host.id])).get(host.id) ?? [])
          : undefined;
      return { body: { hypervisor: await detailView(ctx, deps, host, guests) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-hypervisors/:hypervisor_id/uptime',
    ids,
    policy,
    summary: 'Show the uptime of a hypervisor',
    until: '2.87',
    async handler({ ctx, params }) {
      const host = await findHost(ctx, params.hypervisor_id);
      if (!isUp(ctx, host) || deps.hosts.queries(host.id) === null)
        throw badRequest(`Service unavailable: host ${host.hostname} is down and cannot be asked.`);
      const uptime = await uptimeOf(deps, host);
      if (uptime === null) throw notImplemented('Virt driver does not implement uptime function.');
      return { body: { hypervisor: { ...briefView(ctx, host), uptime } } };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-hypervisors/:hypervisor_id/search',
    ids: { hypervisor_id: 'none' },
    policy,
    summary: 'Search hypervisors by name',
    until: '2.52',
    handler: async ({ ctx, params }) => ({
      body: { hypervisors: (await byPattern(ctx, params.hypervisor_id)).map((host) => briefView(ctx, host)) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-hypervisors/:hypervisor_id/servers',
    ids: { hypervisor_id: 'none' },
    policy,
    summary: 'List the servers of hypervisors by name',
    until: '2.52',
    async handler({ ctx, params }) {
      const hosts = await byPattern(ctx, params.hypervisor_id);
      const guests = await guestsOf(
        ctx,
        hosts.map((host) => host.id),
      );
      return {
        body: {
          hypervisors: hosts.map((host) => ({
            ...briefView(ctx, host),
            ...(guests.has(host.id) ? { servers: guests.get(host.id) } : {}),
          })),
        },
      };
    },
  }),
];
