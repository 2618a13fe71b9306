// Security groups and their rules.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type SecurityGroupRow = StandardColumns & {
  name: string;
  stateful: number;
  /** The project whose default group this is; null: an ordinary group. Unique. */
  default_of: string | null;
};

export type SecurityGroupRuleRow = StandardColumns & {
  security_group_id: string;
  direction: string;
  ethertype: string;
  /** As the API shows it: a name or number; null: any. */
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  /** null: as remote_ip_prefix. */
  given_prefix: string | null;
  remote_group_id: string | null;
  /** What the rule allows, normalized: unique in its group. */
  digest: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    security_groups: SecurityGroupRow;
    security_group_rules: SecurityGroupRuleRow;
  }
}

export const securityGroupMigration: Migration = {
  id: 'network-0006-security-groups',
  async up(db) {
    await standardTable(db.schema.createTable('security_groups') as never, ['name'], ['stateful'])
      .addColumn('default_of' as never, 'text')
      .execute();
    await db.schema
      .createIndex('security_groups_default')
      .on('security_groups')
      .column('default_of')
      .unique()
      .execute();
    await db.schema
      .createIndex('security_groups_project')
      .on('security_groups')
      .column('project_id')
      .execute();
    await standardTable(
      db.schema.createTable('security_group_rules') as never,
      ['security_group_id', 'direction', 'ethertype', 'digest'],
      [],
    )
      .addColumn('protocol' as never, 'text')
      .addColumn('port_range_min' as never, 'bigint')
      .addColumn('port_range_max' as never, 'bigint')
      .addColumn('remote_ip_prefix' as never, 'text')
      .addColumn('remote_group_id' as never, 'text')
      .execute();
    await db.schema
      .createIndex('security_group_rules_digest')
      .on('security_group_rules')
      .columns(['security_group_id', 'digest'])
      .unique()
      .execute();
    await db.schema
      .createIndex('security_group_rules_remote')
      .on('security_group_rules')
      .column('remote_group_id')
      .execute();
    await db.schema
      .createIndex('security_group_rules_project')
      .on('security_group_rules')
      .column('project_id')
      .execute();
  },
};

export const givenPrefixMigration: Migration = {
  id: 'network-0101-given-prefix',
  async up(db) {
    await db.schema.alterTable('security_group_rules').addColumn('given_prefix', 'text').execute();
  },
};
