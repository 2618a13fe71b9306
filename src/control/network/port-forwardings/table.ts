// Port forwardings: ports of a floating IP that lead to ports of servers, several servers behind one address.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type PortForwardingRow = StandardColumns & {
  floating_ip_id: string;
  internal_port_id: string;
  internal_ip_address: string;
  /** 'tcp' or 'udp'. */
  protocol: string;
  /** Both ends included; equal for a single port. */
  external_first: number;
  external_last: number;
  internal_first: number;
  internal_last: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    port_forwardings: PortForwardingRow;
  }
}

export const portForwardingMigration: Migration = {
  id: 'network-0020-port-forwardings',
  async up(db) {
    await standardTable(
      db.schema.createTable('port_forwardings') as never,
      ['floating_ip_id', 'internal_port_id', 'internal_ip_address', 'protocol'],
      ['external_first', 'external_last', 'internal_first', 'internal_last'],
    ).execute();
    await db.schema
      .createIndex('port_forwardings_address')
      .on('port_forwardings')
      .columns(['floating_ip_id', 'protocol', 'external_first'])
      .unique()
      .execute();
    await db.schema
      .createIndex('port_forwardings_port')
      .on('port_forwardings')
      .column('internal_port_id')
      .execute();
  },
};
