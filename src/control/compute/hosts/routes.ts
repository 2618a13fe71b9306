// Hosts over HTTP: api-ref "Hosts (os-hosts) (DEPRECATED)", gone from 2.43 on; hypervisors and compute services say
// the same since.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound, notImplemented } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';
import { setHostEnabled } from '../../host/index.ts';
import { numberedHosts, type NumberedHost } from '../hypervisors/routes.ts';
import { controlServices } from '../services/routes.ts';
import type { FlavorCopy } from '../servers/table.ts';

const UNTIL = '2.42';
const policy = 'compute:hosts';
const HOST = '/v2.1/os-hosts/:host_name';
const ids = { host_name: 'none' } as const;

async function find(ctx: Ctx, name: string): Promise<NumberedHost> {
  const host = (await numberedHosts(ctx)).find((one) => one.hostname === name);
  if (host === undefined) throw notFound('Compute host', name);
  return host;
}

type Figures = { cpu: number; memory_mb: number; disk_gb: number };
const resource = (host: string, project: string, figures: Figures) => ({
  resource: { host, project, ...figures },
});

/** What the servers of each project have on a host, by their flavors. */
async function byProject(ctx: Ctx, hostId: string): Promise<Map<string, Figures>> {
  const rows = await ctx.platform.db.read
    .selectFrom('servers')
    .select(['project_id', 'flavor'])
    .where('host_id', '=', hostId)
    .orderBy('project_id')
    .execute();
  const sums = new Map<string, Figures>();
  for (const row of rows) {
    const flavor = JSON.parse(row.flavor) as FlavorCopy;
    const sum = sums.get(row.project_id) ?? { cpu: 0, memory_mb: 0, disk_gb: 0 };
    sum.cpu += flavor.vcpus;
    sum.memory_mb += flavor.memoryMib;
    sum.disk_gb += flavor.diskGib + flavor.ephemeralGib;
    sums.set(row.project_id, sum);
  }
  return sums;
}

/** Nova's word for what it does to a host's power; no host of this cloud lets itself be switched from here. */
const powerAction = (action: 'startup' | 'shutdown' | 'reboot'): Route =>
  route({
    method: 'GET',
    path: `${HOST}/${action}`,
    ids,
    policy,
    summary: `The ${action} of a host: not offered`,
    until: UNTIL,
    async handler({ ctx, params }) {
      await find(ctx, params.host_name);
      throw notImplemented(`Virt driver does not implement host ${action}.`);
    },
  });

export const hostRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.1/os-hosts',
    policy,
    summary: 'List hosts by service',
    until: UNTIL,
    query: Type.Object({ zone: Type.Optional(text(255)), service: Type.Optional(text(255)) }),
    async handler({ ctx, query }) {
      const all = [
        ...controlServices.map(({ binary }) => ({
          host_name: 'control',
          service: binary.replace(/^nova-/, ''),
          zone: 'internal',
        })),
        ...(await numberedHosts(ctx)).map((host) => ({
          host_name: host.hostname,
          service: 'compute',
          zone: host.zone,
        })),
      ];
      return {
        body: {
          hosts: all.filter(
            (one) =>
              (query.zone === undefined || query.zone === '' || one.zone === query.zone) &&
              (query.service === undefined || query.service === '' || one.service === query.service),
          ),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: HOST,
    ids,
    policy,
    summary: 'Show the resources of a host and who uses them',
    until: UNTIL,
    async handler({ ctx, params }) {
      const host = await find(ctx, params.host_name);
      const figures = (cpu: number, memory: number, disk: number): Figures => ({
        cpu,
        memory_mb: memory,
        disk_gb: disk,
      });
      const used = figures(host.usedVcpus, host.usedMemoryMib, host.usedDiskGib);
      return {
        body: {
          host: [
            resource(
              host.hostname,
              '(total)',
              figures(host.facts.vcpus, host.facts.memoryMib, host.facts.diskGib),
            ),
            resource(host.hostname, '(used_now)', used),
            resource(host.hostname, '(used_max)', used),
            ...[...(await byProject(ctx, host.id))].map(([project, sum]) =>
              resource(host.hostname, project, sum),
            ),
          ],
        },
      };
    },
  }),
  route({
    method: 'PUT',
    path: HOST,
    ids,
    policy,
    summary: 'Enable or disable scheduling to a host',
    until: UNTIL,
    body: strict({
      status: Type.Optional(Type.String({ pattern: '^ *([Ee]nable|ENABLE|[Dd]isable|DISABLE) *$' })),
      maintenance_mode: Type.Optional(
        Type.String({ pattern: '^ *([Ee]nable|ENABLE|[Dd]isable|DISABLE) *$' }),
      ),
    }),
    async handler({ ctx, params, body }) {
      if (body.status === undefined && body.maintenance_mode === undefined)
        throw badRequest("Invalid input for body. It must have 'status' or 'maintenance_mode'.");
      const host = await find(ctx, params.host_name);
      if (body.maintenance_mode !== undefined)
        throw notImplemented(
          'Virt driver does not implement host maintenance mode: disable the host instead.',
        );
      const enabled = body.status?.trim().toLowerCase() === 'enable';
      await ctx.platform.db.tx(async (tx) => {
        await setHostEnabled(tx, host.id, enabled, '');
        await audit(tx, ctx, 'host', host.id);
      });
      return { body: { host: host.hostname, status: enabled ? 'enabled' : 'disabled' } };
    },
  }),
  powerAction('startup'),
  powerAction('shutdown'),
  powerAction('reboot'),
];
