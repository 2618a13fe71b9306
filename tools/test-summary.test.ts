// ./test must not call a run green that did not run: every way a stage can vanish counts as a failure.
import { describe, expect, it } from 'vitest';
import { summarize, type Stage } from './test-summary.ts';

const outcome = (message: string) => ({ file: 'src/a.test.ts', name: 'a server boots', message });
const check = (exit: number | undefined): Stage => ({
  name: 'lint',
  exit,
  reason: undefined,
  seconds: 1,
  tests: undefined,
});
const run = (tests: Stage['tests'], exit = 0): Stage => ({
  name: 'unit',
  exit,
  reason: undefined,
  seconds: 1,
  tests,
});

const counts = (...stages: Stage[]): number[] => {
  const { passed, failed, skipped } = summarize(stages);
  return [passed, failed.length, skipped.length];
};

describe('the summary', () => {
  it('counts a check as one and a test stage by its tests', () => {
    expect(counts(check(0), run({ passed: 7, failed: [], skipped: [outcome('no KVM here')] }))).toEqual([
      8, 0, 1,
    ]);
    expect(counts(check(1), run({ passed: 7, failed: [outcome('boom')], skipped: [] }, 1))).toEqual([
      7, 2, 0,
    ]);
  });

  it('prints the reason of a skip, and fails a skip without one', () => {
    const summary = summarize([
      run({ passed: 1, failed: [], skipped: [outcome('no KVM here'), outcome('')] }),
    ]);
    expect(summary.skipped.map(({ text }) => text)).toEqual(['src/a.test.ts | a server boots | no KVM here']);
    expect(summary.failed.map(({ text }) => text)).toEqual([
      expect.stringContaining('skipped without a reason'),
    ]);
  });

  it.each([
    ['was refused', { ...run(undefined, 1), reason: 'needs root' }],
    ['never ended', check(undefined)],
    ['left no results', run(undefined, 0)],
    ['found no tests', run({ passed: 0, failed: [], skipped: [] })],
    ['passed all tests and then crashed', run({ passed: 3, failed: [], skipped: [] }, 1)],
  ])('fails a stage that %s', (_what, stage) => {
    expect(summarize([stage]).failed).toHaveLength(1);
  });

  it('gives each stage a line with its time', () => {
    expect(summarize([check(0)]).perStage).toEqual(['lint     1 passed, 0 failed, 0 skipped (1.0 s)']);
  });
});
