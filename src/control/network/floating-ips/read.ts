// Which floating IPs an actor sees: the own ones; operators all.
import { notFound } from '../../../kernel/errors.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import type { Queries } from '../rows.ts';
import type { FloatingIpRow } from './table.ts';

export const visibleFloatingIps = (db: Queries, actor: Actor) =>
  db
    .selectFrom('floating_ips')
    .selectAll('floating_ips')
    .$if(!isAdmin(actor), (query) => query.where('floating_ips.project_id', '=', projectOf(actor)));

export async function readableFloatingIp(db: Queries, actor: Actor, id: string): Promise<FloatingIpRow> {
  const row = await visibleFloatingIps(db, actor).where('floating_ips.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Floating IP', id);
  return row;
}
