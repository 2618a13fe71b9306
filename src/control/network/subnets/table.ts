// Subnets: the address ranges of a network.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type SubnetRow = StandardColumns & {
  name: string;
  network_id: string;
  ip_version: number;
  /** Canonical. */
  cidr: string;
  /** '' : none. */
  gateway_ip: string;
  enable_dhcp: number;
  /** JSON lists, as the API shows them. */
  allocation_pools: string;
  dns_nameservers: string;
  host_routes: string;
  /** '' : not set. */
  ipv6_ra_mode: string;
  ipv6_address_mode: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    subnets: SubnetRow;
  }
}

export const subnetMigration: Migration = {
  id: 'network-0003-subnets',
  async up(db) {
    await standardTable(
      db.schema.createTable('subnets') as never,
      [
        'name',
        'network_id',
        'cidr',
        'gateway_ip',
        'allocation_pools',
        'dns_nameservers',
        'host_routes',
        'ipv6_ra_mode',
        'ipv6_address_mode',
      ],
      ['ip_version', 'enable_dhcp'],
    ).execute();
    await db.schema.createIndex('subnets_network').on('subnets').column('network_id').execute();
    await db.schema.createIndex('subnets_project').on('subnets').column('project_id').execute();
  },
};
