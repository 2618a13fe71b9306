// A vitest reporter that leaves one small file per stage for tools/test-summary.ts. vitest's own JSON reporter drops the
// notes given to ctx.skip(), and a skip without its reason is what ./test must not hide.
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { TestCase, TestModule } from 'vitest/node';

export type Outcome = { file: string; name: string; message: string };

export type StageResults = { passed: number; failed: Outcome[]; skipped: Outcome[] };

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

const outcome = (test: TestCase, message: string): Outcome => ({
  file: relative(process.cwd(), test.module.moduleId),
  name: test.fullName,
  message,
});

// A file that cannot be loaded, or a hook outside any test that throws, is a failure although no test failed.
const loadFailures = (module: TestModule): Outcome[] => {
  const suites = [...module.children.allSuites()];
  return [...module.errors(), ...suites.flatMap((suite) => suite.errors())].map((error) => ({
    file: relative(process.cwd(), module.moduleId),
    name: '(file)',
    message: firstLine(error.message),
  }));
};

export const collect = (
  modules: ReadonlyArray<TestModule>,
  unhandled: ReadonlyArray<{ message: string }>,
): StageResults => {
  const results: StageResults = { passed: 0, failed: [], skipped: [] };
  for (const module of modules) {
    results.failed.push(...loadFailures(module));
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === 'passed') results.passed += 1;
      else if (result.state === 'failed') {
        results.failed.push(outcome(test, firstLine(result.errors[0]?.message ?? 'failed')));
      } else if (result.state === 'skipped') results.skipped.push(outcome(test, result.note ?? ''));
      else results.failed.push(outcome(test, 'never finished'));
    }
  }
  for (const error of unhandled) {
    results.failed.push({ file: '', name: '(outside any test)', message: firstLine(error.message) });
  }
  return results;
};

/** Writes DIRECTORY/STAGE.tests.json at the end of the run; both come from ./test. */
export const resultsReporter = (directory: string, stage: string) => ({
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<{ message: string }>): void {
    writeFileSync(join(directory, `${stage}.tests.json`), JSON.stringify(collect(modules, unhandled)));
  },
});
