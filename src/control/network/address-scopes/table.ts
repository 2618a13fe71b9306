// Address scopes: subnet pools of one scope never overlap, so that their subnets can be routed to each other as they are.
import type { Migration } from '../../../kernel/db/index.ts';
import { standardTable, type StandardColumns } from '../rows.ts';

export type AddressScopeRow = StandardColumns & { name: string; ip_version: number };

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    address_scopes: AddressScopeRow;
  }
}

export const addressScopeMigration: Migration = {
  id: 'network-0023-address-scopes',
  async up(db) {
    await standardTable(db.schema.createTable('address_scopes') as never, ['name'], ['ip_version']).execute();
    await db.schema.createIndex('address_scopes_project').on('address_scopes').column('project_id').execute();
    await db.schema
      .alterTable('subnet_pools')
      .addColumn('address_scope_id', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
    await db.schema.createIndex('subnet_pools_scope').on('subnet_pools').column('address_scope_id').execute();
  },
};
