// Usage comes in pages of servers.
import type { Usage } from './api.ts';

const added = (a: Usage, b: Usage): Usage => ({
  tenant_id: a.tenant_id,
  total_hours: a.total_hours + b.total_hours,
  total_vcpus_usage: a.total_vcpus_usage + b.total_vcpus_usage,
  total_memory_mb_usage: a.total_memory_mb_usage + b.total_memory_mb_usage,
  total_local_gb_usage: a.total_local_gb_usage + b.total_local_gb_usage,
});

/** Pages are of servers: what a project had may be in several. */
export function joined(usages: readonly Usage[]): Usage[] {
  const byProject = new Map<string, Usage>();
  for (const usage of usages) {
    const before = byProject.get(usage.tenant_id);
    byProject.set(usage.tenant_id, before === undefined ? usage : added(before, usage));
  }
  return [...byProject.values()];
}
