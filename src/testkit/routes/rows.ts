// What the database holds, as text to compare: of one tenant, or in numbers.
import { sql } from 'kysely';
import type { Database } from '../../kernel/db/index.ts';
import type { Tenant } from './fixtures.ts';

/** Bookkeeping that a refused request may touch. */
const BOOKKEEPING = new Set(['audit', 'counters', 'work', 'schema_migrations']);

export async function tableNames(db: Database): Promise<string[]> {
  const schema =
    db.engine === 'postgres'
      ? sql<{
          name: string;
        }>`select table_name as name from information_schema.tables where table_schema = current_schema()`
      : sql<{
          name: string;
        }>`select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`;
  return (await schema.execute(db.read)).rows
    .map((row) => row.name)
    .filter((name) => !BOOKKEEPING.has(name))
    .sort();
}

export async function allRows(
  db: Database,
  tables: readonly string[],
): Promise<Map<string, Record<string, unknown>[]>> {
  const out = new Map<string, Record<string, unknown>[]>();
  for (const table of tables)
    out.set(
      table,
      (await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(db.read)).rows,
    );
  return out;
}

/** Every row that names the tenant or one of its objects, in a stable order. */
export async function tenantRows(
  db: Database,
  tables: readonly string[],
  tenant: Tenant,
  shared: ReadonlySet<string>,
): Promise<string> {
  const marks = [
    tenant.marker,
    tenant.projectId,
    ...Object.values(tenant.users),
    ...Object.entries(tenant.ids).flatMap(([kind, id]) => (shared.has(kind) ? [] : [id])),
  ];
  const found = new RegExp(
    [...new Set(marks)].map((mark) => mark.replace(/[^A-Za-z0-9-]/g, '\\$&')).join('|'),
  );
  const lines: string[] = [];
  for (const [table, rows] of await allRows(db, tables))
    for (const row of rows) {
      const text = JSON.stringify(row);
      if (found.test(text)) lines.push(`${table} ${text}`);
    }
  return lines.sort().join('\n');
}

/** Rows a table, in one query. */
export async function rowCounts(db: Database, tables: readonly string[]): Promise<Record<string, number>> {
  const parts = tables.map(
    (table) => sql`select ${sql.lit(table)} as name, count(*) as n from ${sql.table(table)}`,
  );
  const { rows } = await sql<{ name: string; n: number }>`${sql.join(parts, sql` union all `)}`.execute(
    db.read,
  );
  return Object.fromEntries(rows.map((row) => [row.name, Number(row.n)]));
}
