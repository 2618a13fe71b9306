// What users paste as a public key.
import { expect, test } from 'vitest';
import { openSshPair } from './openssh.ts';
import { fileNameOf, nameFrom, readPublicKey } from './public-key.ts';

const pair = openSshPair({ kty: 'OKP', crv: 'Ed25519', x: 'AQID', d: 'BAUG' }, 'me@laptop home', 7);

test('a public key is taken as it stands, with the name its user gave it', () => {
  expect(readPublicKey(` ${pair.publicKey}\n`)).toEqual({
    ok: true,
    type: 'ssh',
    text: pair.publicKey,
    comment: 'me@laptop home',
  });
});

test('a private key goes nowhere', () => {
  expect(readPublicKey(pair.privateKey)).toEqual({ ok: false, why: 'private' });
  expect(readPublicKey('PuTTY-User-Key-File-3: ssh-ed25519')).toEqual({ ok: false, why: 'private' });
});

test.each([
  ['', 'empty'],
  [`${pair.publicKey}\n${pair.publicKey}`, 'lines'],
  ['ssh-foo AAAA me', 'kind'],
  [pair.publicKey.replace('ssh-ed25519 ', 'ssh-rsa '), 'damaged'],
  ['ssh-ed25519 AAA', 'damaged'],
  ['ssh-ed25519', 'damaged'],
])('%j is refused because it is %s', (text, why) => {
  expect(readPublicKey(text)).toEqual({ ok: false, why });
});

test('a certificate is one', () => {
  expect(readPublicKey('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----')).toMatchObject({
    ok: true,
    type: 'x509',
  });
});

test('names are such as the API and a file system take', () => {
  expect(nameFrom('me@laptop/höme')).toBe('me@laptop-h-me');
  expect(fileNameOf('my key @ home')).toBe('my-key-home.pem');
});
