// Availability zones of networks and routers: those of the hosts, which operators name by aggregates.
import { Type } from 'typebox';
import { notFound } from '../../../kernel/errors.ts';
import type { Migration } from '../../../kernel/db/index.ts';
import { text } from '../../../kernel/schema.ts';
import { enabledHosts } from '../../host/index.ts';
import type { Queries } from '../rows.ts';

export const zoneMigration: Migration = {
  id: 'network-0024-zone-hints',
  async up(db) {
    for (const table of ['networks', 'routers'])
      await db.schema
        .alterTable(table)
        .addColumn('zone_hints', 'text', (c) => c.notNull().defaultTo('[]'))
        .execute();
  },
};

export const zoneHints = Type.Array(text(), { maxItems: 8 });

/** Host -> its zone, of the hosts that take work. */
export const zoneOfHosts = async (db: Queries): Promise<Map<string, string>> =>
  new Map((await enabledHosts(db)).map((host) => [host.id, host.zone]));

/** As they are kept; 404 names the zone that is not there. */
export async function checkedHints(db: Queries, asked: readonly string[] | undefined): Promise<string> {
  const wanted = [...new Set(asked ?? [])];
  if (wanted.length === 0) return '[]';
  const known = new Set((await zoneOfHosts(db)).values());
  const missing = wanted.find((zone) => !known.has(zone));
  if (missing !== undefined) throw notFound('Availability Zone', missing);
  return JSON.stringify(wanted);
}
