// Ports: interfaces on a network, with their addresses and security groups.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type PortRow = StandardColumns & {
  name: string;
  network_id: string;
  mac_address: string;
  admin_state_up: number;
  /** 'ACTIVE' once its host (or its router's) says so, else 'DOWN'. */
  status: string;
  device_id: string;
  device_owner: string;
  port_security_enabled: number;
  /** JSON: [{ip_address, mac_address}]. */
  allowed_address_pairs: string;
  /** The server that has it; only the compute service writes it. '' : none. */
  server_id: string;
  /** 1: made for the server, and deleted with it. */
  server_made: number;
  /** Order among the server's interfaces. */
  server_position: number;
  /** What the server's user calls this interface, told to the guest; null: nothing. */
  server_tag: string | null;
  /** Not null: the server gives it back. From this generation of the server's item on it has it no more; 0: not compiled yet. */
  leave_generation: number | null;
  /** 'tap', 'netns', or '' without a server. */
  plug: string;
  /** The guest's host name, for DHCP. */
  hostname: string;
  /** Id of the host that the port is bound to; '' : none. */
  host_id: string;
  /** binding:* as operators set them. */
  binding_host: string;
  binding_profile: string;
  /** JSON list of DhcpOption. */
  extra_dhcp_opts: string;
  /** Public message of the last failure on its host; '' when there is none. */
  error: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    ports: PortRow;
    port_security_groups: { port_id: string; security_group_id: string };
  }
}

export const portMigration: Migration = {
  id: 'network-0005-ports',
  async up(db) {
    await standardTable(
      db.schema.createTable('ports') as never,
      [
        'name',
        'network_id',
        'mac_address',
        'status',
        'device_id',
        'device_owner',
        'allowed_address_pairs',
        'server_id',
        'plug',
        'hostname',
        'host_id',
        'binding_host',
        'binding_profile',
        'error',
      ],
      ['admin_state_up', 'port_security_enabled', 'server_made', 'server_position'],
    ).execute();
    await db.schema
      .createIndex('ports_mac')
      .on('ports')
      .columns(['network_id', 'mac_address'])
      .unique()
      .execute();
    await db.schema.createIndex('ports_project').on('ports').column('project_id').execute();
    await db.schema.createIndex('ports_device').on('ports').columns(['device_id', 'device_owner']).execute();
    await db.schema
      .createIndex('ports_server')
      .on('ports')
      .columns(['server_id', 'server_position'])
      .execute();
    await db.schema.createIndex('ports_host').on('ports').columns(['host_id', 'network_id']).execute();
    await db.schema
      .createTable('port_security_groups')
      .addColumn('port_id', 'text', (c) => c.notNull())
      .addColumn('security_group_id', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('port_security_groups_pk', ['port_id', 'security_group_id'])
      .execute();
    await db.schema
      .createIndex('port_security_groups_group')
      .on('port_security_groups')
      .columns(['security_group_id', 'port_id'])
      .execute();
  },
};

export const serverInterfaceMigration: Migration = {
  id: 'network-0011-server-interfaces',
  async up(db) {
    await db.schema.alterTable('ports').addColumn('server_tag', 'text').execute();
    await db.schema.alterTable('ports').addColumn('leave_generation', 'bigint').execute();
  },
};
