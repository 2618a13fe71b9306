// Role assignments: a user or a group holds a role on a project, a domain or the system, or on all projects below
// a project or in a domain.
import { sql } from 'kysely';
import type { Migration } from '../../../kernel/db/index.ts';

export type ActorKind = 'user' | 'group';
export type ScopeKind = 'project' | 'domain' | 'system';

export type AssignmentRow = {
  actor_kind: ActorKind;
  actor_id: string;
  scope_kind: ScopeKind;
  /** '' for the system. */
  scope_id: string;
  role_id: string;
  /** 1: not on the scope itself, but on the projects below it (OS-INHERIT). */
  inherited: number;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    role_assignments: AssignmentRow;
  }
}

export const assignmentMigrations: Migration[] = [
  {
    id: 'identity-0006-assignments',
    async up(db) {
      await db.schema
        .createTable('role_assignments')
        .addColumn('actor_kind', 'text', (c) => c.notNull())
        .addColumn('actor_id', 'text', (c) => c.notNull())
        .addColumn('scope_kind', 'text', (c) => c.notNull())
        .addColumn('scope_id', 'text', (c) => c.notNull())
        .addColumn('role_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('role_assignments_pk', [
          'actor_kind',
          'actor_id',
          'scope_kind',
          'scope_id',
          'role_id',
        ])
        .execute();
      await db.schema
        .createIndex('role_assignments_scope')
        .on('role_assignments')
        .columns(['scope_kind', 'scope_id'])
        .execute();
      await db.schema.createIndex('role_assignments_role').on('role_assignments').column('role_id').execute();
    },
  },
  {
    // The key grows by a column, which only a new table can do.
    id: 'identity-0012-inherited-assignments',
    async up(db) {
      await db.schema
        .createTable('role_assignments_next')
        .addColumn('actor_kind', 'text', (c) => c.notNull())
        .addColumn('actor_id', 'text', (c) => c.notNull())
        .addColumn('scope_kind', 'text', (c) => c.notNull())
        .addColumn('scope_id', 'text', (c) => c.notNull())
        .addColumn('role_id', 'text', (c) => c.notNull())
        .addColumn('inherited', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('role_assignments_key', [
          'actor_kind',
          'actor_id',
          'scope_kind',
          'scope_id',
          'role_id',
          'inherited',
        ])
        .execute();
      await sql`insert into role_assignments_next select actor_kind, actor_id, scope_kind, scope_id, role_id, 0 from role_assignments`.execute(
        db,
      );
      await db.schema.dropTable('role_assignments').execute();
      await db.schema.alterTable('role_assignments_next').renameTo('role_assignments').execute();
      await db.schema
        .createIndex('role_assignments_scope')
        .on('role_assignments')
        .columns(['scope_kind', 'scope_id'])
        .execute();
      await db.schema.createIndex('role_assignments_role').on('role_assignments').column('role_id').execute();
    },
  },
];
