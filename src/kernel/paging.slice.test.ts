// Paging: the pages put together are the whole list, whatever the sort keys, directions and page size.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sql } from 'kysely';
import { migrate, type Database } from './db/index.ts';
import { applyPage, cutPage, nextLink, parseSort, type SortKey } from './paging.ts';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../testkit/database.ts';

const columns = { name: 'name', size: 'size', group: 'kind', id: 'id' };

onBothEngines('paging', (engine) => {
  let test: TestDatabase;
  let db: Database;
  beforeEach(async () => {
    test = await openTestDatabase(engine);
    db = test.db;
    await migrate(db, 1, []);
    await db.tx((tx) =>
      tx.schema
        .createTable('things')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text')
        .addColumn('size', 'bigint')
        .addColumn('kind', 'text')
        .execute(),
    );
  });
  afterEach(() => test.remove());

  it('yields the full sorted list, page by page', async () => {
    const row = fc.record({
      name: fc.constantFrom('a', 'B', 'b', 'ä', ''),
      size: fc.integer({ min: -2, max: 2 }),
      kind: fc.constantFrom('x', 'y'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 25 }),
        fc.array(fc.constantFrom(...Object.keys(columns)), { maxLength: 4 }),
        fc.array(fc.constantFrom('asc', 'desc'), { maxLength: 4 }),
        fc.integer({ min: 1, max: 7 }),
        async (rows, keys, directions, limit) => {
          await db.tx(async (tx) => {
            await sql`delete from things`.execute(tx);
            for (const [at, { name, size, kind }] of rows.entries())
              await sql`insert into things (id, name, size, kind) values (${`id-${(at * 7) % 31}`}, ${name}, ${size}, ${kind})`.execute(
                tx,
              );
          });
          const sort = parseSort(columns, keys, directions, [{ column: 'name', direction: 'desc' }]);
          const query = () => db.read.selectFrom('things' as never).selectAll();
          const list = (marker: Record<string, unknown> | null, of: number | null) =>
            applyPage(query(), sort, marker, of).execute() as Promise<Record<string, unknown>[]>;
          const whole = await list(null, null);
          const pages: Record<string, unknown>[] = [];
          for (let marker: Record<string, unknown> | null = null; ;) {
            const page: { rows: Record<string, unknown>[]; more: boolean } = cutPage(
              await list(marker, limit),
              limit,
            );
            pages.push(...page.rows);
            expect(page.rows.length).toBeLessThanOrEqual(limit);
            if (!page.more) break;
            marker = page.rows.at(-1) ?? null;
          }
          expect(pages).toEqual(whole);
          expect(whole.length).toBe(rows.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes a key that is named a thousand times once', async () => {
    const sort = parseSort(
      columns,
      Array.from({ length: 1500 }, (_, at) => (at % 2 === 1 ? 'size' : 'name')).concat('name'),
      ['asc'],
      [],
    );
    expect(sort.map((key: SortKey) => key.column)).toEqual(['name', 'size', 'id']);
    await applyPage(
      db.read.selectFrom('things' as never).selectAll(),
      sort,
      { id: 'a', name: 'b', size: 1 },
      3,
    ).execute();
  });

  it('names an unknown key or direction, and is not fooled by the keys of Object', () => {
    for (const key of ['nope', 'constructor', '__proto__'])
      expect(() => parseSort(columns, [key], [], [])).toThrow(`Value: ${key}`);
    expect(() => parseSort(columns, ['name'], ['sideways'], [])).toThrow('It must be asc or desc');
  });

  it('keeps the query of the request in the link to the next page', () => {
    expect(nextLink('/v2/x', { limit: '2', marker: 'old', tag: ['a b', 'c&d'] }, 'new')).toBe(
      '/v2/x?limit=2&tag=a+b&tag=c%26d&marker=new',
    );
  });
});
