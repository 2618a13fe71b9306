// What an operator may write into identity.yaml.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readSettings } from './settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'strata-settings-'));
afterAll(() => rmSync(dir, { recursive: true }));
const read = (text: string): unknown => {
  writeFileSync(join(dir, 'identity.yaml'), text);
  return readSettings(join(dir, 'identity.yaml'));
};

it('is nothing where there is no file, and what the file says where there is one', () => {
  expect(readSettings(join(dir, 'none.yaml'))).toEqual({});
  expect(read('')).toEqual({});
  expect(read('tokenTtlSeconds: 600\npasswords:\n  regex: "^.{8,}$"\n')).toEqual({
    tokenTtlSeconds: 600,
    passwords: { regex: '^.{8,}$' },
  });
});

it('refuses, by name, what it does not know and what makes no sense', () => {
  expect(() => read('paswords: {}')).toThrow(/identity\.yaml.*paswords/);
  expect(() => read('passwords: { lockoutAttempts: 0 }')).toThrow(/lockoutAttempts/);
  expect(() => read('passwords: { regex: "(" }')).toThrow(/identity\.yaml/);
});
