// RBAC policies: which object of one project another project, or everybody ('*'), may use, and as what.
import { sql } from 'kysely';
import type { Migration } from '../../../kernel/db/index.ts';
import { derivedId } from '../../../kernel/ids.ts';

export type RbacPolicyRow = {
  id: string;
  /** Who made it: the object's owner or an operator. */
  project_id: string;
  /** As the API names it: 'network', 'security_group' ... */
  object_type: string;
  object_id: string;
  action: string;
  /** A project's id, or '*'. */
  target: string;
  /** 1: somebody asked for it and paid with quota; 0: it came of `shared` or `router:external` of the object. */
  counted: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    network_rbac: RbacPolicyRow;
  }
}

export const rbacMigration: Migration = {
  id: 'network-0020-rbac',
  async up(db) {
    await db.schema
      .createTable('network_rbac')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('object_type', 'text', (c) => c.notNull())
      .addColumn('object_id', 'text', (c) => c.notNull())
      .addColumn('action', 'text', (c) => c.notNull())
      .addColumn('target', 'text', (c) => c.notNull())
      .addColumn('counted', 'bigint', (c) => c.notNull())
      .execute();
    await db.schema
      .createIndex('network_rbac_object')
      .on('network_rbac')
      .columns(['object_id', 'target', 'action'])
      .unique()
      .execute();
    await db.schema
      .createIndex('network_rbac_target')
      .on('network_rbac')
      .columns(['target', 'object_type'])
      .execute();
    await db.schema.createIndex('network_rbac_project').on('network_rbac').column('project_id').execute();
    // What was shared by a flag of its own is now shared by a policy with everybody.
    for (const [table, type, flag, action] of [
      ['networks', 'network', 'shared', 'access_as_shared'],
      ['networks', 'network', 'external', 'access_as_external'],
      ['subnet_pools', 'subnetpool', 'shared', 'access_as_shared'],
    ] as const) {
      const { rows } = await sql<{
        id: string;
        project_id: string;
      }>`select id, project_id from ${sql.table(table)} where ${sql.ref(flag)} = 1`.execute(db);
      for (const { id, project_id } of rows) {
        await sql`insert into network_rbac (id, project_id, object_type, object_id, action, target, counted)
          values (${derivedId(`${action} ${id}`)}, ${project_id}, ${type}, ${id}, ${action}, '*', 0)`.execute(
          db,
        );
      }
    }
    await db.schema.alterTable('networks').dropColumn('shared').execute();
    await db.schema.alterTable('subnet_pools').dropColumn('shared').execute();
  },
};
