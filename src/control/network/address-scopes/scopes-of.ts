// Which address scope a network's subnets are of.
import { chunks, type Queries } from '../rows.ts';

/** Network -> the scope of its subnets, by IP version; networks of no scope are left out. */
export async function scopesOf(
  db: Queries,
  networkIds: readonly string[],
): Promise<Map<string, { 4?: string; 6?: string }>> {
  const out = new Map<string, { 4?: string; 6?: string }>();
  for (const part of chunks(networkIds)) {
    const found = await db
      .selectFrom('subnets as s')
      .innerJoin('subnet_pools as p', 'p.id', 's.subnetpool_id')
      .select(['s.network_id', 's.ip_version', 'p.address_scope_id'])
      .where('s.network_id', 'in', part)
      .where('p.address_scope_id', '!=', '')
      .execute();
    for (const row of found)
      out.set(row.network_id, {
        ...out.get(row.network_id),
        [row.ip_version === 6 ? 6 : 4]: row.address_scope_id,
      });
  }
  return out;
}
