// One vitest project per stage of ./test; the ending of a file's name decides to which stage it belongs.
import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { resultsReporter } from './tools/test-results.ts';

const seconds = 1000;
const results = process.env['STRATA_TEST_RESULTS'];
const stage = process.env['STRATA_TEST_STAGE'];
const special = ['slice', 'sim', 'real', 'client', 'console'];

const project = (name: string, include: string[], timeout: number, options: { serial?: boolean } = {}) => ({
  test: {
    name,
    include,
    exclude: [
      ...configDefaults.exclude,
      ...(name === 'unit' ? special.map((ending) => `**/*.${ending}.test.ts`) : []),
    ],
    pool: 'forks' as const,
    testTimeout: timeout,
    hookTimeout: timeout,
    // Real guests share the machine's memory and two cores: one file at a time.
    fileParallelism: options.serial !== true,
  },
});

export default defineConfig({
  test: {
    // All cores: the tests are CPU-bound, and nothing else runs meanwhile.
    maxWorkers: availableParallelism(),
    reporters:
      results !== undefined && stage !== undefined
        ? ['default', resultsReporter(results, stage)]
        : ['default'],
    projects: [
      project('unit', ['{src,web,tools,tests}/**/*.test.ts'], 20 * seconds),
      project('slice', ['{src,tests}/**/*.slice.test.ts'], 60 * seconds),
      project('sim', ['{src,tests}/**/*.sim.test.ts'], 600 * seconds),
      project('real', ['{src,tests}/**/*.real.test.ts'], 180 * seconds, { serial: true }),
      project('console', ['tests/console/**/*.console.test.ts'], 300 * seconds, { serial: true }),
      project('clients', ['tests/clients/**/*.client.test.ts'], 600 * seconds, { serial: true }),
    ],
  },
});
