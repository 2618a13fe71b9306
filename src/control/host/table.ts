// Hosts (their inventory and what is claimed on them) and the desired state compiled for them: items, and
// which host is to have which item.
import type { Migration } from '../../kernel/db/index.ts';

declare module '../../kernel/db/index.ts' {
  interface Tables {
    hosts: {
      id: string;
      hostname: string;
      /** JSON of HostFacts. */
      facts: string;
      /** Physical resources. */
      vcpus: number;
      memory_mib: number;
      disk_gib: number;
      /** What is claimed; the allocation ratios are applied when claiming. */
      used_vcpus: number;
      used_memory_mib: number;
      used_disk_gib: number;
      servers: number;
      /** 0: the operator disabled scheduling to it. */
      enabled: number;
      disabled_reason: string;
      zone: string;
      registered_at: number;
      /** Milliseconds since the epoch of the last sign of life. */
      seen_at: number;
      /** 1: an operator says that it is down, whatever it says itself. */
      forced_down: number;
      /** From the counter 'host-revision': what changed since a snapshot was taken. */
      revision: number;
    };
    /** Number of the last report that was heard of each host. */
    host_reports: { host_id: string; sequence: number };
    items: {
      kind: string;
      id: string;
      /** Grows with each change of the body. */
      generation: number;
      /** From the counter 'item-revision'. */
      revision: number;
      body: string;
    };
    host_items: {
      host_id: string;
      kind: string;
      id: string;
      /** 1: must exist on the host; 0: must go, the row stays until the host reports it gone. */
      wanted: number;
      revision: number;
      /** What the host last reported. */
      applied_generation: number;
      state: string;
      error: string | null;
    };
  }
}

export const hostMigrations: Migration[] = [
  {
    id: 'host-0001',
    async up(db) {
      let hosts = db.schema
        .createTable('hosts')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('hostname', 'text', (c) => c.notNull().unique())
        .addColumn('facts', 'text', (c) => c.notNull())
        .addColumn('disabled_reason', 'text', (c) => c.notNull())
        .addColumn('zone', 'text', (c) => c.notNull());
      for (const column of [
        'vcpus',
        'memory_mib',
        'disk_gib',
        'used_vcpus',
        'used_memory_mib',
        'used_disk_gib',
        'servers',
        'enabled',
        'registered_at',
        'seen_at',
        'revision',
      ])
        hosts = hosts.addColumn(column, 'bigint', (c) => c.notNull());
      await hosts.execute();
      await db.schema.createIndex('hosts_revision').on('hosts').column('revision').execute();
      await db.schema
        .createTable('items')
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('generation', 'bigint', (c) => c.notNull())
        .addColumn('revision', 'bigint', (c) => c.notNull())
        .addColumn('body', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('items_pk', ['kind', 'id'])
        .execute();
      await db.schema
        .createTable('host_items')
        .addColumn('host_id', 'text', (c) => c.notNull())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('wanted', 'bigint', (c) => c.notNull())
        .addColumn('revision', 'bigint', (c) => c.notNull())
        .addColumn('applied_generation', 'bigint', (c) => c.notNull())
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('error', 'text')
        .addPrimaryKeyConstraint('host_items_pk', ['host_id', 'kind', 'id'])
        .execute();
      await db.schema.createIndex('host_items_item').on('host_items').columns(['kind', 'id']).execute();
    },
  },
  {
    id: 'host-0002',
    async up(db) {
      await db.schema
        .createTable('host_reports')
        .addColumn('host_id', 'text', (c) => c.primaryKey())
        .addColumn('sequence', 'bigint', (c) => c.notNull())
        .execute();
    },
  },
  {
    id: 'host-0101-forced-down',
    async up(db) {
      await db.schema
        .alterTable('hosts')
        .addColumn('forced_down', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
    },
  },
];
