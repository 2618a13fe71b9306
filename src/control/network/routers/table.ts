// Routers. Their interfaces and gateways are ports with device_id = the router's id.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type RouterRow = StandardColumns & {
  name: string;
  admin_state_up: number;
  /** 'ACTIVE'; 'ERROR' while its host cannot make it. */
  status: string;
  /** '' : no external gateway. */
  external_network_id: string;
  gateway_port_id: string;
  enable_snat: number;
  /** JSON: [{destination, nexthop}]. */
  routes: string;
  /** The host that has its namespace; '' : none yet. */
  host_id: string;
  /** 1: an operator took it off its host; it waits until one gives it to another. */
  unscheduled: number;
  /** JSON list of availability zones; one of them takes the router. */
  zone_hints: string;
  error: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    routers: RouterRow;
  }
}

export const routerMigration: Migration = {
  id: 'network-0007-routers',
  async up(db) {
    await standardTable(
      db.schema.createTable('routers') as never,
      ['name', 'status', 'external_network_id', 'gateway_port_id', 'routes', 'host_id', 'error'],
      ['admin_state_up', 'enable_snat'],
    ).execute();
    await db.schema.createIndex('routers_project').on('routers').column('project_id').execute();
    await db.schema.createIndex('routers_external').on('routers').column('external_network_id').execute();
    await db.schema.createIndex('routers_host').on('routers').column('host_id').execute();
  },
};
