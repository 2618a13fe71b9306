// What operators said of network agents. The agents themselves are what each host does; they need no rows.
import type { Migration } from '../../../kernel/db/index.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    /** Hosts that serve a network no DHCP: an operator took it from their DHCP agent. */
    dhcp_exclusions: { network_id: string; host_id: string };
    network_agents: { id: string; host_id: string; description: string; admin_state_up: number };
  }
}

export const agentMigration: Migration = {
  id: 'network-0021-agents',
  async up(db) {
    await db.schema
      .createTable('network_agents')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('host_id', 'text', (c) => c.notNull())
      .addColumn('description', 'text', (c) => c.notNull())
      .addColumn('admin_state_up', 'bigint', (c) => c.notNull())
      .execute();
    await db.schema
      .alterTable('routers')
      .addColumn('unscheduled', 'bigint', (c) => c.notNull().defaultTo(0))
      .execute();
    await db.schema
      .createTable('dhcp_exclusions')
      .addColumn('network_id', 'text', (c) => c.notNull())
      .addColumn('host_id', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('dhcp_exclusions_pk', ['network_id', 'host_id'])
      .execute();
  },
};
