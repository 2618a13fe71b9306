// QoS policies, their rules, and what they are bound to: networks, ports and floating IPs.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type QosPolicyRow = StandardColumns & {
  name: string;
  /** 1: new networks of the project get it; at most one a project. */
  is_default: number;
};

export type QosRuleRow = {
  id: string;
  qos_policy_id: string;
  /** 'bandwidth_limit' or 'dscp_marking'. */
  type: string;
  /** Of a bandwidth limit, as the guest sees it: 'ingress' or 'egress'; '' otherwise. */
  direction: string;
  /** kbit/s; 0: no limit. */
  max_kbps: number;
  /** kbit; 0: what suits the rate. */
  max_burst_kbps: number;
  /** Of a DSCP marking; else 0. */
  dscp_mark: number;
  created_at: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    qos_policies: QosPolicyRow;
    qos_rules: QosRuleRow;
    /** One policy an object: a network's holds for its ports, and for floating IPs of it, that have none of their own. */
    qos_bindings: {
      object_id: string;
      object_type: 'network' | 'port' | 'floatingip';
      qos_policy_id: string;
    };
  }
}

export const qosMigration: Migration = {
  id: 'network-0021-qos',
  async up(db) {
    await standardTable(db.schema.createTable('qos_policies') as never, ['name'], ['is_default']).execute();
    await db.schema.createIndex('qos_policies_project').on('qos_policies').column('project_id').execute();
    await db.schema
      .createTable('qos_rules')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('qos_policy_id', 'text', (c) => c.notNull())
      .addColumn('type', 'text', (c) => c.notNull())
      .addColumn('direction', 'text', (c) => c.notNull())
      .addColumn('max_kbps', 'bigint', (c) => c.notNull())
      .addColumn('max_burst_kbps', 'bigint', (c) => c.notNull())
      .addColumn('dscp_mark', 'bigint', (c) => c.notNull())
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .execute();
    await db.schema
      .createIndex('qos_rules_policy')
      .on('qos_rules')
      .columns(['qos_policy_id', 'type', 'direction'])
      .unique()
      .execute();
    await db.schema
      .createTable('qos_bindings')
      .addColumn('object_id', 'text', (c) => c.primaryKey())
      .addColumn('object_type', 'text', (c) => c.notNull())
      .addColumn('qos_policy_id', 'text', (c) => c.notNull())
      .execute();
    await db.schema.createIndex('qos_bindings_policy').on('qos_bindings').column('qos_policy_id').execute();
  },
};
