// A table belongs to the folder that declares it: a service that wants another's rows asks that service.
import type { Source, Violation } from './source.ts';

/** The owner a path stands for: kernel, control/<service>, or the first folder below src. */
const ownerOf = (path: string): string => {
  const [, layer = '', service, ...rest] = path.split('/');
  return layer === 'control' && service !== undefined && rest.length > 0 ? `control/${service}` : layer;
};

// Tests and the testkit look at any table, to see what really was stored.
const isExempt = (path: string): boolean =>
  !path.startsWith('src/') || path.startsWith('src/testkit/') || path.endsWith('.test.ts');

export const checkTables = (sources: readonly Source[]): Violation[] => {
  const owners = new Map<string, string>();
  const violations: Violation[] = [];
  for (const { path, declaredTables } of sources) {
    for (const { table, line } of declaredTables) {
      const other = owners.get(table);
      if (other !== undefined && other !== ownerOf(path)) {
        violations.push({
          file: path,
          line,
          rule: 'tables',
          message: `table ${table} is already declared by ${other}`,
        });
      } else owners.set(table, ownerOf(path));
    }
  }
  for (const { path, usedTables } of sources) {
    if (isExempt(path)) continue;
    for (const { table, line } of usedTables) {
      const owner = owners.get(table);
      if (owner === undefined || owner === ownerOf(path)) continue;
      violations.push({
        file: path,
        line,
        rule: 'tables',
        message: `table ${table} belongs to ${owner}: ask it through a function`,
      });
    }
  }
  return violations;
};
