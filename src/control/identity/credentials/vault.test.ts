// Secrets at rest: what is in the database gives nothing away, and nothing in it can be moved or changed.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import fc from 'fast-check';
import { systemClock } from '../../../kernel/clock.ts';
import { openVault } from './vault.ts';

const dir = mkdtempSync(join(tmpdir(), 'strata-vault-'));
afterAll(() => rmSync(dir, { recursive: true }));

it('opens what it sealed, in every process, with keys that only the owner reads', () => {
  const vault = openVault(join(dir, 'a'), systemClock);
  const sealed = vault.seal('{"secret": "ü"}', 'row-1');
  expect(sealed).not.toContain('secret');
  expect(openVault(join(dir, 'a'), systemClock).open(sealed, 'row-1')).toBe('{"secret": "ü"}');
  const [file = ''] = readdirSync(join(dir, 'a'));
  expect(statSync(join(dir, 'a', file)).mode & 0o777).toBe(0o600);
});

it('never seals the same twice alike', () => {
  const vault = openVault(join(dir, 'a'), systemClock);
  expect(vault.seal('x', 'row')).not.toBe(vault.seal('x', 'row'));
});

it('opens nothing that was moved to another row, changed, or sealed by somebody else', () => {
  const vault = openVault(join(dir, 'a'), systemClock);
  const sealed = vault.seal('the secret', 'row-1');
  expect(() => vault.open(sealed, 'row-2')).toThrow();
  expect(() => openVault(join(dir, 'b'), systemClock).open(sealed, 'row-1')).toThrow(/gone/);
  const [id = '', content = ''] = sealed.split('.');
  const bytes = Buffer.from(content, 'base64url');
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: bytes.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (at, flip) => {
        const other = Buffer.from(bytes);
        other[at] = (other[at] ?? 0) ^ flip;
        expect(() => vault.open(`${id}.${other.toString('base64url')}`, 'row-1')).toThrow();
      },
    ),
  );
});
