// Checks the rules that keep the tree readable; ./test fails when one is broken.
// usage: node tools/check-rules.ts   prints one line per violation: file:line rule message
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkCycles, checkLayers } from './rules/layers.ts';
import { readSource, type Violation } from './rules/source.ts';
import { checkStyle } from './rules/style.ts';
import { checkTables } from './rules/tables.ts';

/** Checks a whole tree, given as path -> text; the paths start at the repository's root. */
export const checkTree = (files: ReadonlyMap<string, string>): Violation[] => {
  const sources = [...files].map(([path, text]) => readSource(path, text));
  return [
    ...sources.flatMap(checkStyle),
    ...checkLayers(sources),
    ...checkCycles(sources),
    ...checkTables(sources),
  ].toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
};

export const readTree = (root: string): Map<string, string> => {
  const paths = globSync(['{src,tools,tests,bench}/**/*.ts', 'web/**/*.{ts,tsx}'], { cwd: root });
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
};

if (import.meta.main) {
  const files = readTree(join(import.meta.dirname, '..'));
  const violations = checkTree(files);
  for (const { file, line, rule, message } of violations) console.log(`${file}:${line} ${rule} ${message}`);
  console.log(`${files.size} files, ${violations.length} violations`);
  // A check that looked at nothing has not passed.
  process.exitCode = violations.length === 0 && files.size > 0 ? 0 : 1;
}
