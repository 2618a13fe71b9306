// Keys are what OpenSSH reads: by their structure, and by ssh-keygen itself where it is.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ALGORITHMS, generatePair } from './generate.ts';
import { openSshPair, type PrivateJwk } from './openssh.ts';

/** RFC 8032 7.1, test 1. */
const RFC8032: PrivateJwk = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex').toString(
    'base64url',
  ),
  x: Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex').toString(
    'base64url',
  ),
};

const contentOf = (pem: string): Buffer => Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');

function reader(bytes: Buffer) {
  let at = 0;
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  const uint32 = (): number => take(4).readUInt32BE();
  return { take, uint32, string: () => take(uint32()), rest: () => bytes.subarray(at) };
}

describe('the file of a private key', () => {
  const pair = openSshPair(RFC8032, 'somebody', 0xdeadbeef);

  test('has the parts of openssh-key-v1 in their order', () => {
    const file = reader(contentOf(pair.privateKey));
    expect(file.take(15).toString()).toBe('openssh-key-v1\0');
    expect([file.string(), file.string(), file.string()].map(String)).toEqual(['none', 'none', '']);
    expect(file.uint32()).toBe(1);
    const open = reader(file.string());
    expect(String(open.string())).toBe('ssh-ed25519');
    expect(open.string().toString('base64url')).toBe(RFC8032.x);
    const secret = file.string();
    expect(file.rest()).toHaveLength(0);
    expect(secret.length % 8).toBe(0);
    const inner = reader(secret);
    expect([inner.uint32(), inner.uint32()]).toEqual([0xdeadbeef, 0xdeadbeef]);
    expect(String(inner.string())).toBe('ssh-ed25519');
    expect(inner.string().toString('base64url')).toBe(RFC8032.x);
    const both = inner.string();
    expect(both.subarray(0, 32).toString('base64url')).toBe(RFC8032.d);
    expect(both.subarray(32).toString('base64url')).toBe(RFC8032.x);
    expect(String(inner.string())).toBe('somebody');
    expect([...inner.rest()]).toEqual([1, 2, 3, 4, 5, 6, 7].slice(0, inner.rest().length));
  });

  test('is PEM with lines that end where OpenSSH ends them', () => {
    const lines = pair.privateKey.split('\n');
    expect(lines[0]).toBe('-----BEGIN OPENSSH PRIVATE KEY-----');
    expect(lines.at(-2)).toBe('-----END OPENSSH PRIVATE KEY-----');
    expect(lines.at(-1)).toBe('');
    expect(lines.slice(1, -3).every((line) => line.length === 70)).toBe(true);
  });

  test('numbers have no needless zeros, and one where their first bit is set', () => {
    const jwk = (n: string): PrivateJwk => {
      const rest = { e: 'AQAB', d: 'AQ', p: 'AQ', q: 'AQ', qi: 'AQ' };
      return { kty: 'RSA', n: Buffer.from(n, 'hex').toString('base64url'), ...rest };
    };
    const modulus = (n: string): string => {
      const blob = reader(Buffer.from(openSshPair(jwk(n), '', 0).publicKey.split(' ')[1] ?? '', 'base64'));
      blob.string();
      blob.string();
      return blob.string().toString('hex');
    };
    expect(modulus('000012')).toBe('12');
    expect(modulus('0080')).toBe('0080');
    expect(modulus('ff01')).toBe('00ff01');
  });

  test('what is no key of OpenSSH is refused', () => {
    expect(() => openSshPair({ kty: 'OKP', crv: 'X25519', x: '', d: '' }, '', 0)).toThrow('X25519');
    expect(() => openSshPair({ kty: 'RSA', n: 'AQ' }, '', 0)).toThrow('no e');
  });
});

describe('ssh-keygen', () => {
  const dir = mkdtempSync(join(tmpdir(), 'strata-keys-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const keygen = (args: string[], input?: string) => {
    const { status, stdout, stderr } = spawnSync('ssh-keygen', args, {
      encoding: 'utf8',
      ...(input === undefined ? {} : { input }),
    });
    return { status, stdout: stdout.trim(), stderr };
  };

  test.for(ALGORITHMS)(
    'reads a new %s key, finds the same public key in it, and signs with it',
    async (algorithm, { skip }) => {
      skip(spawnSync('ssh-keygen', ['-?']).error !== undefined, 'ssh-keygen is not installed here');
      // Some keys have numbers with leading zeros, or with their first bit set.
      for (let round = 0; round < (algorithm === 'rsa' ? 1 : 8); round += 1) {
        const pair = await generatePair(algorithm, 'me@here');
        const file = join(dir, `${algorithm}-${round}`);
        writeFileSync(file, pair.privateKey, { mode: 0o600 });
        expect(keygen(['-y', '-f', file])).toEqual({ status: 0, stdout: pair.publicKey, stderr: '' });
        const signed = keygen(['-Y', 'sign', '-n', 'test', '-f', file], 'content');
        expect(signed.status).toBe(0);
        writeFileSync(`${file}.sig`, `${signed.stdout}\n`);
        const checked = keygen(['-Y', 'check-novalidate', '-n', 'test', '-s', `${file}.sig`], 'content');
        expect(checked.stdout).toMatch(/^Good "test" signature/);
      }
    },
  );
});
