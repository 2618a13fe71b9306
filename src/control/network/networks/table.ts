// Networks: layer-2 segments.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type NetworkRow = StandardColumns & {
  name: string;
  admin_state_up: number;
  /** 'ACTIVE'; 'ERROR' while a host cannot make it. */
  status: string;
  /** 1: floating IPs and router gateways come from it. */
  external: number;
  /** 1: the external network that automatic topologies are connected to; one in the cloud. */
  is_default: number;
  /** JSON list of availability zones, as asked for. */
  zone_hints: string;
  /** Default of its ports. */
  port_security_enabled: number;
  /** Bytes. */
  mtu: number;
  /** Unique in the cloud. */
  segment: number;
  /** Public message of the last failure on a host; '' when there is none. */
  error: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    networks: NetworkRow;
  }
}

export const networkMigration: Migration = {
  id: 'network-0002-networks',
  async up(db) {
    await standardTable(
      db.schema.createTable('networks') as never,
      ['name', 'status', 'error'],
      ['admin_state_up', 'shared', 'external', 'port_security_enabled', 'mtu', 'segment'],
    ).execute();
    await db.schema.createIndex('networks_segment').on('networks').column('segment').unique().execute();
    await db.schema.createIndex('networks_project').on('networks').column('project_id').execute();
  },
};
