// Floating IPs: addresses of an external network that a router maps to a port's fixed address.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type FloatingIpRow = StandardColumns & {
  floating_network_id: string;
  floating_ip_address: string;
  /** The port that holds the address on the external network. */
  floating_port_id: string;
  /** null: not associated. */
  fixed_port_id: string | null;
  fixed_ip_address: string | null;
  router_id: string | null;
  /** 'ACTIVE' once its router has it, else 'DOWN'. */
  status: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    floating_ips: FloatingIpRow;
  }
}

export const floatingIpMigration: Migration = {
  id: 'network-0008-floating-ips',
  async up(db) {
    await standardTable(
      db.schema.createTable('floating_ips') as never,
      ['floating_network_id', 'floating_ip_address', 'floating_port_id', 'status'],
      [],
    )
      .addColumn('fixed_port_id' as never, 'text')
      .addColumn('fixed_ip_address' as never, 'text')
      .addColumn('router_id' as never, 'text')
      .execute();
    await db.schema
      .createIndex('floating_ips_fixed')
      .on('floating_ips')
      .columns(['fixed_port_id', 'fixed_ip_address'])
      .unique()
      .execute();
    await db.schema.createIndex('floating_ips_router').on('floating_ips').column('router_id').execute();
    await db.schema.createIndex('floating_ips_project').on('floating_ips').column('project_id').execute();
    await db.schema
      .createIndex('floating_ips_address')
      .on('floating_ips')
      .column('floating_ip_address')
      .execute();
  },
};
