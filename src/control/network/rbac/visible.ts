// Who may see and use an object that can be shared: its own project, and whom an RBAC policy names. This is the
// one place that decides it; lists, single objects and what refers to them all ask here.
import { sql, type RawBuilder, type SqlBool } from 'kysely';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { chunks, type Queries } from '../rows.ts';

export const SHARED = 'access_as_shared';
export const EXTERNAL = 'access_as_external';
export const EVERYBODY = '*';

/** A policy lets the project use the object in column `ref`; `action` null: in whatever way. */
export const granted = (ref: string, projectId: string, action: string | null): RawBuilder<SqlBool> =>
  sql<SqlBool>`exists (select 1 from network_rbac r where r.object_id = ${sql.ref(ref)} and r.target in (${projectId}, ${EVERYBODY})${
    action === null ? sql`` : sql` and r.action = ${action}`
  })`;

/** Rows of `table` that the actor may read. */
export const visible = (table: string, actor: Actor): RawBuilder<SqlBool> =>
  isAdmin(actor)
    ? sql<SqlBool>`1 = 1`
    : sql<SqlBool>`(${sql.ref(`${table}.project_id`)} = ${projectOf(actor)} or ${granted(`${table}.id`, projectOf(actor), null)})`;

/** Those of `ids` that a policy lets the project use by this action. */
export async function grantedTo(
  db: Queries,
  ids: readonly string[],
  projectId: string,
  action: string,
): Promise<Set<string>> {
  const out = new Set<string>();
  for (const part of chunks(ids)) {
    const rows = await db
      .selectFrom('network_rbac')
      .select('object_id')
      .where('object_id', 'in', part)
      .where('target', 'in', [projectId, EVERYBODY])
      .where('action', '=', action)
      .execute();
    for (const row of rows) out.add(row.object_id);
  }
  return out;
}
/** What the API shows as `shared`: it depends on who asks. */
export const sharedWith = (db: Queries, ids: readonly string[], projectId: string): Promise<Set<string>> =>
  grantedTo(db, ids, projectId, SHARED);

/** `shared=true|false` as a filter: shared with the project that asks. */
export const sharedFilter = (table: string, wanted: boolean, actor: Actor): RawBuilder<SqlBool> =>
  wanted
    ? granted(`${table}.id`, projectOf(actor), SHARED)
    : sql<SqlBool>`not ${granted(`${table}.id`, projectOf(actor), SHARED)}`;
