// What servers had of the cloud in a period: hours, and hours times vCPUs, MiB and GiB, by project.
import { sql } from 'kysely';
import { badRequest } from '../../../kernel/errors.ts';
import type { Db, FlavorCopy } from '../servers/table.ts';

/** Milliseconds since the epoch. */
export type Period = { start: number; stop: number };

export type UsedServer = {
  id: string;
  projectId: string;
  name: string;
  flavor: FlavorCopy;
  launchedAt: number;
  /** null: it is there. */
  deletedAt: number | null;
  vmState: string;
};

export type ProjectUsage = {
  tenant_id: string;
  server_usages: object[];
  total_hours: number;
  total_vcpus_usage: number;
  total_memory_mb_usage: number;
  total_local_gb_usage: number;
  start: string;
  stop: string;
};

const HOUR_MS = 3_600_000;
const stamp = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000');

/** Servers that ran in the period, by project and id, so that a page ends where the next begins. `page` null: all. */
export async function usedServers(
  db: Db,
  period: Period,
  projectId: string | null,
  page: { limit: number; marker: string | null } | null,
): Promise<UsedServer[]> {
  const after = page === null || page.marker === null ? null : await whereIs(db, page.marker);
  const isAfter = sql<boolean>`(project_id, id) > (${after?.project_id ?? ''}, ${after?.id ?? ''})`;
  const live = db
    .selectFrom('servers')
    .select(['id', 'project_id', 'name', 'flavor', 'launched_at', 'vm_state'])
    .where('launched_at', '<', period.stop)
    .$if(projectId !== null, (query) => query.where('project_id', '=', projectId ?? ''))
    .$if(after !== null, (query) => query.where(isAfter))
    .orderBy('project_id')
    .orderBy('id')
    .$if(page !== null, (query) => query.limit(page?.limit ?? 0));
  const deleted = db
    .selectFrom('deleted_servers')
    .select(['id', 'project_id', 'name', 'flavor', 'launched_at', 'deleted_at'])
    .where('launched_at', '<', period.stop)
    .where('deleted_at', '>', period.start)
    .$if(projectId !== null, (query) => query.where('project_id', '=', projectId ?? ''))
    .$if(after !== null, (query) => query.where(isAfter))
    .orderBy('project_id')
    .orderBy('id')
    .$if(page !== null, (query) => query.limit(page?.limit ?? 0));
  const used = [
    ...(await live.execute()).map((row) => ({ ...row, deleted_at: null })),
    ...(await deleted.execute()).map((row) => ({ ...row, vm_state: 'terminated' })),
  ].map((row): UsedServer => ({
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    flavor: JSON.parse(row.flavor) as FlavorCopy,
    launchedAt: row.launched_at ?? 0,
    deletedAt: row.deleted_at,
    vmState: row.vm_state,
  }));
  const order = (one: UsedServer): string => `${one.projectId}\0${one.id}`;
  const sorted = used.toSorted((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
  return page === null ? sorted : sorted.slice(0, page.limit);
}

/** Where a page begins; a marker that names nothing begins after nothing that exists. */
async function whereIs(db: Db, marker: string): Promise<{ id: string; project_id: string }> {
  const [live, deleted] = [
    await db.selectFrom('servers').select(['id', 'project_id']).where('id', '=', marker).executeTakeFirst(),
    await db
      .selectFrom('deleted_servers')
      .select(['id', 'project_id'])
      .where('id', '=', marker)
      .executeTakeFirst(),
  ];
  const found = live ?? deleted;
  if (found === undefined) throw badRequest(`Marker ${marker} could not be found.`);
  return found;
}

/** Time of the period in which the server was there, in hours. */
export function hoursIn(server: Pick<UsedServer, 'launchedAt' | 'deletedAt'>, period: Period): number {
  const from = Math.max(server.launchedAt, period.start);
  const to = Math.min(server.deletedAt ?? period.stop, period.stop);
  return Math.max(0, to - from) / HOUR_MS;
}

export function projectUsages(servers: readonly UsedServer[], period: Period, now: number): ProjectUsage[] {
  const byProject = new Map<string, ProjectUsage>();
  for (const server of servers) {
    const hours = hoursIn(server, period);
    const localGib = server.flavor.diskGib + server.flavor.ephemeralGib;
    const usage = byProject.get(server.projectId) ?? {
      tenant_id: server.projectId,
      server_usages: [],
      total_hours: 0,
      total_vcpus_usage: 0,
      total_memory_mb_usage: 0,
      total_local_gb_usage: 0,
      start: stamp(period.start),
      stop: stamp(period.stop),
    };
    byProject.set(server.projectId, usage);
    usage.total_hours += hours;
    usage.total_vcpus_usage += hours * server.flavor.vcpus;
    usage.total_memory_mb_usage += hours * server.flavor.memoryMib;
    usage.total_local_gb_usage += hours * localGib;
    usage.server_usages.push({
      instance_id: server.id,
      name: server.name,
      tenant_id: server.projectId,
      flavor: server.flavor.name,
      vcpus: server.flavor.vcpus,
      memory_mb: server.flavor.memoryMib,
      local_gb: localGib,
      hours,
      started_at: stamp(server.launchedAt),
      ended_at: server.deletedAt === null ? null : stamp(server.deletedAt),
      state: server.deletedAt === null ? server.vmState : 'terminated',
      uptime: Math.max(0, Math.floor(((server.deletedAt ?? now) - server.launchedAt) / 1000)),
    });
  }
  return [...byProject.values()];
}
