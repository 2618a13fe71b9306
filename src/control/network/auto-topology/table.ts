// The networks that projects got without asking for more than a network ("get me a network").
import type { Migration } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    auto_topologies: { project_id: string; network_id: string; router_id: string };
  }
}

export const autoTopologyMigration: Migration = {
  id: 'network-0022-auto-topologies',
  async up(db) {
    await db.schema
      .createTable('auto_topologies')
      .addColumn('project_id', 'text', (c) => c.primaryKey())
      .addColumn('network_id', 'text', (c) => c.notNull())
      .addColumn('router_id', 'text', (c) => c.notNull())
      .execute();
    await db.schema
      .alterTable('networks')
      .addColumn('is_default', 'bigint', (c) => c.notNull().defaultTo(0))
      .execute();
  },
};
