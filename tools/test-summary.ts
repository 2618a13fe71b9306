// Sums up the files that the stages of ./test left in a directory, and decides whether the whole run passed.
// usage: node tools/test-summary.ts DIRECTORY STAGE...   (stages in the order in which they are printed)
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Type, type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

const ExitFile = Type.Object({ exit: Type.Integer(), reason: Type.Optional(Type.String()) });
const TimeFile = Type.Object({ seconds: Type.Number() });
const Outcome = Type.Object({ file: Type.String(), name: Type.String(), message: Type.String() });
const TestsFile = Type.Object({
  passed: Type.Integer(),
  failed: Type.Array(Outcome),
  skipped: Type.Array(Outcome),
});

export type Stage = {
  name: string;
  /** Exit code of the stage's command; undefined if it never got to an end. */
  exit: number | undefined;
  /** Why the stage was refused, when it was not run at all. */
  reason: string | undefined;
  seconds: number;
  tests: Static<typeof TestsFile> | undefined;
};

type Line = { stage: string; text: string };

export type Summary = { passed: number; failed: Line[]; skipped: Line[]; perStage: string[] };

const testStages = new Set(['unit', 'slice', 'sim', 'real', 'clients', 'console', 'peers']);

const describe = (outcome: Static<typeof Outcome>): string =>
  [outcome.file, outcome.name, outcome.message].filter((part) => part !== '').join(' | ');

/** Failures of one stage. A stage of tests that ran none is a failure too: tests must not vanish in silence. */
const failuresOf = (stage: Stage): string[] => {
  if (stage.reason !== undefined) return [stage.reason];
  if (stage.exit === undefined) return ['did not finish'];
  if (!testStages.has(stage.name)) return stage.exit === 0 ? [] : [`exit code ${stage.exit}`];
  if (stage.tests === undefined) return [`vitest ended without results, exit code ${stage.exit}`];
  const failures = stage.tests.failed.map(describe);
  for (const skip of stage.tests.skipped) {
    if (skip.message === '')
      failures.push(`${describe(skip)} | skipped without a reason: use ctx.skip('why')`);
  }
  if (stage.tests.passed + stage.tests.failed.length + stage.tests.skipped.length === 0)
    failures.push('found no tests');
  if (failures.length === 0 && stage.exit !== 0)
    failures.push(`all tests passed, yet vitest ended with ${stage.exit}`);
  return failures;
};

export const summarize = (stages: Stage[]): Summary => {
  const summary: Summary = { passed: 0, failed: [], skipped: [], perStage: [] };
  for (const stage of stages) {
    const failures = failuresOf(stage);
    const skips = (stage.tests?.skipped ?? []).filter((skip) => skip.message !== '').map(describe);
    const passed = testStages.has(stage.name) ? (stage.tests?.passed ?? 0) : failures.length === 0 ? 1 : 0;
    summary.passed += passed;
    summary.failed.push(...failures.map((text) => ({ stage: stage.name, text })));
    summary.skipped.push(...skips.map((text) => ({ stage: stage.name, text })));
    summary.perStage.push(
      `${stage.name.padEnd(8)} ${counts(passed, failures.length, skips.length)} (${stage.seconds.toFixed(1)} s)`,
    );
  }
  return summary;
};

const counts = (passed: number, failed: number, skipped: number): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

const read = <S extends TSchema>(schema: S, path: string): Static<S> | undefined =>
  existsSync(path) ? Compile(schema).Parse(JSON.parse(readFileSync(path, 'utf8'))) : undefined;

export const readStages = (directory: string, names: string[]): Stage[] =>
  names.flatMap((name) => {
    const time = read(TimeFile, join(directory, `${name}.time.json`));
    if (time === undefined) return [];
    const end = read(ExitFile, join(directory, `${name}.exit.json`));
    const tests = read(TestsFile, join(directory, `${name}.tests.json`));
    return [{ name, exit: end?.exit, reason: end?.reason, seconds: time.seconds, tests }];
  });

if (import.meta.main) {
  const [directory = '', ...names] = process.argv.slice(2);
  const summary = summarize(readStages(directory, names));
  for (const { stage, text } of summary.skipped) console.log(`skipped  ${stage}: ${text}`);
  for (const { stage, text } of summary.failed) console.log(`FAILED   ${stage}: ${text}`);
  for (const line of summary.perStage) console.log(line);
  console.log(counts(summary.passed, summary.failed.length, summary.skipped.length));
  process.exitCode = summary.failed.length === 0 && summary.perStage.length > 0 ? 0 : 1;
}
