// Names of tests, the table of known failures, and the configuration file.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ini } from './config.ts';
import { bareName, knownFailures, serviceOf } from './known.ts';

test('a name is known without the brackets that change between releases, and by its service', () => {
  expect(bareName('tempest.api.compute.a.B.test_c[id-1,smoke]')).toBe('tempest.api.compute.a.B.test_c');
  expect(serviceOf('tempest.api.object_storage.a.B.test_c')).toBe('object_storage');
  expect(serviceOf('setUpClass (tempest.api.volume.a.B)')).toBe('volume');
  expect(serviceOf('process-returncode')).toBe('other');
});

test('rows of the table are read, its head and other tables are not', () => {
  const table =
    '| test | reason |\n| --- | --- |\n| `tempest.api.x.Y.test_z` | not built, see #3 |\n| `shelve` | no |\n';
  expect([...knownFailures(table)]).toEqual([['tempest.api.x.Y.test_z', 'not built, see #3']]);
});

test('each row of the committed table has a reason', () => {
  const docs = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'develop', 'peers.md'), 'utf8');
  for (const [name, reason] of knownFailures(docs)) expect([name, reason.length > 10]).toEqual([name, true]);
});

test('sections and values are written as oslo.config reads them', () => {
  expect(ini({ auth: { use_dynamic_credentials: true }, volume: { volume_size: 1 } })).toBe(
    '[auth]\nuse_dynamic_credentials = true\n\n[volume]\nvolume_size = 1\n',
  );
});
