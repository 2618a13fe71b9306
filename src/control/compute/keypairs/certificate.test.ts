// X.509 key pairs: what is made can be imported, and what is no certificate is refused.
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { newCertificate, parseCertificate, typeOfKey } from './certificate.ts';

test('a made certificate belongs to its key, and importing it gives the same fingerprint', async () => {
  const made = await newCertificate('a1b2');
  expect(typeOfKey(made.publicKey)).toBe('x509');
  expect(new X509Certificate(made.publicKey).checkPrivateKey(createPrivateKey(made.privateKey))).toBe(true);
  expect(parseCertificate(`  ${made.publicKey}`)).toEqual({
    publicKey: made.publicKey.trim(),
    fingerprint: made.fingerprint,
  });
});

test('what is no certificate, or more than one, is refused', async () => {
  const { publicKey } = await newCertificate('a1b2');
  for (const text of [
    '',
    'ssh-rsa AAAA',
    '-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----',
    publicKey + publicKey,
  ])
    expect(() => parseCertificate(text)).toThrow('X.509 certificate');
  expect(typeOfKey('ssh-ed25519 AAAA')).toBe('ssh');
});
