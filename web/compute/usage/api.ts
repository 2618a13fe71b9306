// What servers had of the cloud in a period: api-ref Compute, "Usage reports".
import { api } from '../../kit/api.ts';
import { joined } from './joined.ts';

export type ServerUsage = {
  instance_id: string;
  name: string;
  flavor: string;
  vcpus: number;
  memory_mb: number;
  local_gb: number;
  hours: number;
  /** ISO 8601 */
  started_at: string;
  ended_at: string | null;
  state: string;
};

export type Usage = {
  tenant_id: string;
  total_hours: number;
  total_vcpus_usage: number;
  /** MiB times hours */
  total_memory_mb_usage: number;
  /** GiB times hours */
  total_local_gb_usage: number;
  server_usages?: ServerUsage[];
};

type Page = { tenant_usages: Usage[]; tenant_usages_links?: { rel: string; href: string }[] };
type OnePage = { tenant_usage: Partial<Usage>; tenant_usage_links?: { rel: string; href: string }[] };

const PATH = '/compute/v2.1/os-simple-tenant-usage';
const markerOf = (links: { href: string }[] | undefined): string | null =>
  links?.[0] === undefined ? null : new URL(links[0].href, location.href).searchParams.get('marker');

/** Of all projects; for operators. */
export const usageQuery = (period: { start: string; end: string }) => ({
  queryKey: ['usage', period],
  queryFn: async (): Promise<Usage[]> => {
    const found: Usage[] = [];
    for (let marker: string | null | undefined; marker !== null;) {
      const page: Page = await api.get(PATH, { ...period, ...(marker === undefined ? {} : { marker }) });
      found.push(...page.tenant_usages);
      marker = markerOf(page.tenant_usages_links);
    }
    return joined(found);
  },
});

/** The servers of one project, deleted ones included. */
export const serverUsageQuery = (projectId: string, period: { start: string; end: string }) => ({
  queryKey: ['usage', period, projectId],
  queryFn: async (): Promise<ServerUsage[]> => {
    const found: ServerUsage[] = [];
    for (let marker: string | null | undefined; marker !== null;) {
      const page: OnePage = await api.get(`${PATH}/${projectId}`, {
        ...period,
        ...(marker === undefined ? {} : { marker }),
      });
      found.push(...(page.tenant_usage.server_usages ?? []));
      marker = markerOf(page.tenant_usage_links);
    }
    return found;
  },
});
