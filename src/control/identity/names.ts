// Names of users and projects, for services that keep their ids.
import type { Reader } from '../../kernel/db/index.ts';

export type AccountNames = { users: ReadonlyMap<string, string>; projects: ReadonlyMap<string, string> };

const BATCH = 500;

async function namesOf(
  db: Pick<Reader, 'selectFrom'>,
  table: 'users' | 'projects',
  ids: readonly string[],
): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const unique = [...new Set(ids)].filter((id) => id !== '');
  for (let at = 0; at < unique.length; at += BATCH) {
    const rows = await db
      .selectFrom(table)
      .select(['id', 'name'])
      .where('id', 'in', unique.slice(at, at + BATCH))
      .execute();
    for (const row of rows) names.set(row.id, row.name);
  }
  return names;
}

/** What is deleted has no name any more. */
export const accountNames = async (
  db: Pick<Reader, 'selectFrom'>,
  of: { users: readonly string[]; projects: readonly string[] },
): Promise<AccountNames> => ({
  users: await namesOf(db, 'users', of.users),
  projects: await namesOf(db, 'projects', of.projects),
});
