// Public keys: what is accepted, and that ssh-keygen's own fingerprint is ours.
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newKeyPair, parsePublicKey } from './key.ts';

const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0/Hks4gH/sQO2wMDKMnpWGJ7rTWIxwZrTn9kvMNH1u user@host';

test('a valid line is accepted with its MD5 fingerprint', () => {
  const { publicKey, fingerprint } = parsePublicKey(`  ${ED25519}\n`);
  expect(publicKey).toBe(ED25519);
  expect(fingerprint).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
});

test('what is no complete key of a known type is refused', () => {
  for (const bad of [
    '',
    'hello',
    'ssh-rsa',
    'ssh-rsa !!!',
    'ssh-foo AAAA',
    'constructor AAAA',
    'ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ0/Hks4gH/sQO2wMDKMnpWGJ7rTWIxwZrTn9kvMNH1u',
    `${ED25519.slice(0, 60)}`,
  ])
    expect(() => parsePublicKey(bad)).toThrow('Keypair data is invalid');
});

test('a generated pair belongs together and reads back', async () => {
  const pair = await newKeyPair();
  expect(parsePublicKey(pair.publicKey).fingerprint).toBe(pair.fingerprint);
  const modulus = createPublicKey(createPrivateKey(pair.privateKey)).export({ format: 'jwk' }).n ?? '';
  expect(
    Buffer.from(pair.publicKey.split(' ')[1] ?? '', 'base64').includes(Buffer.from(modulus, 'base64url')),
  ).toBe(true);
});

const sshKeygen = ((): boolean => {
  try {
    execFileSync('ssh-keygen', ['-?'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== 'ENOENT';
  }
})();
test.skipIf(!sshKeygen)(
  'ssh-keygen agrees about fingerprint and type (skipped where ssh-keygen is not installed)',
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'strata-key-'));
    try {
      for (const type of ['rsa', 'ecdsa', 'ed25519']) {
        const file = join(dir, type);
        execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file]);
        const said = execFileSync('ssh-keygen', ['-l', '-E', 'md5', '-f', `${file}.pub`]).toString();
        expect(said).toContain(parsePublicKey(readFileSync(`${file}.pub`, 'utf8')).fingerprint);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
);
