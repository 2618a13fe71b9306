// Subnet pools: address space of a project, of which subnets take pieces that never overlap.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type SubnetPoolRow = StandardColumns & {
  name: string;
  ip_version: number;
  /** JSON list of canonical CIDRs, ordered, none touching another. */
  prefixes: string;
  min_prefixlen: number;
  max_prefixlen: number;
  default_prefixlen: number;
  /** What one project may take: IPv4 addresses, or IPv6 /64 networks; -1: no limit. */
  default_quota: number;
  /** The one that subnets without a CIDR take from when they ask for the default. */
  is_default: number;
  /** '' : of no scope. */
  address_scope_id: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    subnet_pools: SubnetPoolRow;
  }
}

export const subnetPoolMigration: Migration = {
  id: 'network-0010-subnet-pools',
  async up(db) {
    await standardTable(
      db.schema.createTable('subnet_pools') as never,
      ['name', 'prefixes'],
      [
        'ip_version',
        'min_prefixlen',
        'max_prefixlen',
        'default_prefixlen',
        'default_quota',
        'shared',
        'is_default',
      ],
    ).execute();
    await db.schema.createIndex('subnet_pools_project').on('subnet_pools').column('project_id').execute();
    await db.schema
      .alterTable('subnets')
      .addColumn('subnetpool_id', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
    await db.schema.createIndex('subnets_pool').on('subnets').column('subnetpool_id').execute();
  },
};
