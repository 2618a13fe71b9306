// Names of tests, the table of known failures, and the configuration file.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ini } from './config.ts';
import { bareName, knownFailures, reasonOf, serviceOf } from './known.ts';

test('a name is known without the brackets that change between releases, and by its service', () => {
  expect(bareName('tempest.api.compute.a.B.test_c[id-1,smoke]')).toBe('tempest.api.compute.a.B.test_c');
  expect(serviceOf('tempest.api.object_storage.a.B.test_c')).toBe('object_storage');
  expect(serviceOf('setUpClass (tempest.api.volume.a.B)')).toBe('volume');
  expect(serviceOf('process-returncode')).toBe('other');
});

test('rows of the tables are read, heads and other tables are not', () => {
  const tables = [
    '| test | reason |\n| --- | --- |\n| `tempest.api.x.Y.test_z` | not built, see #3 |\n| `shelve` | no |\n',
    '| test | outcome | reason |\n| --- | --- | --- |\n| `tempest.api.x.V.*` | skipped | one host |\n',
  ].join('\n');
  const { required, wide } = knownFailures(tables);
  expect(required).toEqual([{ name: 'tempest.api.x.Y.test_z', reason: 'not built, see #3' }]);
  expect(wide).toEqual([{ name: 'tempest.api.x.V.*', reason: 'one host' }]);
});

test('a star stands for any text, everything else for itself', () => {
  const known = [{ name: 'tempest.api.x.V.*', reason: 'one host' }];
  expect(reasonOf(known, 'tempest.api.x.V.test_a')).toBe('one host');
  expect(reasonOf(known, 'tempest-api.x.V.test_a')).toBeUndefined();
  expect(reasonOf(known, 'tempest.api.x.VW.test_a')).toBeUndefined();
});

test('each row of the committed tables has a reason', () => {
  const docs = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'develop', 'peers.md'), 'utf8');
  const { required, wide } = knownFailures(docs);
  for (const { name, reason } of [...required, ...wide])
    expect([name, reason.length > 10]).toEqual([name, true]);
});

test('sections and values are written as oslo.config reads them', () => {
  expect(ini({ auth: { use_dynamic_credentials: true }, volume: { volume_size: 1 } })).toBe(
    '[auth]\nuse_dynamic_credentials = true\n\n[volume]\nvolume_size = 1\n',
  );
});
