// The spelling of a token: one string, and nothing near it.
import { createHmac, createPrivateKey, sign } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { decodeToken, encodeToken, seal, type Claims } from './codec.ts';
import { openKeyRing } from './keys.ts';

const dir = mkdtempSync(join(tmpdir(), 'strata-keys-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const keys = openKeyRing(join(dir, 'keys'), systemClock, 3_600_000);

const claims: Claims = {
  user: { id: 'a'.repeat(32), name: 'alice', domainId: 'default', domainName: 'Default' },
  scope: { type: 'project', id: 'b'.repeat(32), name: 'web', domainId: 'default', domainName: 'Default' },
  roles: ['admin', 'manager', 'member', 'reader'].map((name, at) => ({ id: String(at).repeat(32), name })),
  methods: ['password'],
  auditId: 'x'.repeat(22),
  chainId: 'x'.repeat(22),
  issuedAt: 1_800_000_000_000,
  expiresAt: 1_800_003_600_000,
  sequence: 7,
};

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 });
const id = fc.uuid().map((text) => text.replaceAll('-', ''));
const anyClaims: fc.Arbitrary<Claims> = fc.record({
  user: fc.record({ id, name, domainId: id, domainName: name }),
  scope: fc.oneof(
    fc.record({ type: fc.constant('project' as const), id, name, domainId: id, domainName: name }),
    fc.record({ type: fc.constant('domain' as const), id, name }),
    fc.constant({ type: 'system' as const }),
    fc.constant({ type: 'unscoped' as const }),
  ),
  roles: fc.array(fc.record({ id, name }), { maxLength: 6 }),
  methods: fc.array(fc.constantFrom('password', 'token'), { maxLength: 2 }),
  auditId: id,
  chainId: id,
  issuedAt: fc.nat(),
  expiresAt: fc.nat(),
  sequence: fc.nat(),
});

describe('a token', () => {
  it('says what it was given, whatever that is', () => {
    fc.assert(
      fc.property(anyClaims, (some) => void expect(decodeToken(keys, encodeToken(keys, some))).toEqual(some)),
      { numRuns: 200 },
    );
  });

  it('fits comfortably in a header', () => {
    expect(encodeToken(keys, claims).length).toBeLessThan(1200);
  });

  it('is no token any more when any one of its bytes is another', () => {
    const token = encodeToken(keys, claims);
    const others = 'AQgw_-.= 1%\n\u0000é';
    for (let at = 0; at < token.length; at++)
      for (const other of others) {
        if (other === token[at]) continue;
        expect(
          decodeToken(keys, token.slice(0, at) + other + token.slice(at + 1)),
          `byte ${at} as ${JSON.stringify(other)}`,
        ).toBeNull();
      }
  });

  it('is no token any more when bytes are inserted, removed, doubled or padded', () => {
    const token = encodeToken(keys, claims);
    for (let at = 0; at <= token.length; at++) {
      expect(
        decodeToken(keys, token.slice(0, at) + token.slice(at + 1)) === null || at === token.length,
      ).toBe(true);
      for (const more of ['A', '=', ' ', '.', '\r\n'])
        expect(decodeToken(keys, token.slice(0, at) + more + token.slice(at))).toBeNull();
    }
    for (const near of [
      `${token}=`,
      `${token}==`,
      ` ${token}`,
      `${token}\n`,
      `${token}.`,
      `${token}, ${token}`,
      token.replaceAll('_', '/'),
      '',
      '.',
      '..',
      '...',
    ])
      if (near !== token) expect(decodeToken(keys, near)).toBeNull();
  });

  it('has one signature only: the twin (r, n - s), which verifies as well, is refused', () => {
    const token = encodeToken(keys, claims);
    const cut = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(cut + 1), 'base64url');
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = order - BigInt(`0x${signature.subarray(32).toString('hex')}`);
    const twin = Buffer.concat([
      signature.subarray(0, 32),
      Buffer.from(s.toString(16).padStart(64, '0'), 'hex'),
    ]);
    expect(decodeToken(keys, `${token.slice(0, cut)}.${twin.toString('base64url')}`)).toBeNull();
  });

  it('cannot be forged with another algorithm, an empty signature or a foreign key', () => {
    const [header = '', payload = ''] = encodeToken(keys, claims).split('.');
    const head = (fields: object): string => Buffer.from(JSON.stringify(fields)).toString('base64url');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const publicPem = keys.signing().publicKey.export({ type: 'spki', format: 'pem' });
    const hmac = (first: string): string =>
      createHmac('sha256', publicPem).update(`${first}.${payload}`).digest('base64url');
    for (const first of [
      head({ alg: 'none', kid, typ: 'JWT' }),
      head({ alg: 'HS256', kid, typ: 'JWT' }),
      head({ typ: 'JWT', alg: 'ES256', kid }),
      head({ alg: 'ES256', kid, typ: 'JWT', jwk: {} }),
    ]) {
      expect(decodeToken(keys, `${first}.${payload}.`)).toBeNull();
      expect(decodeToken(keys, `${first}.${payload}.${hmac(first)}`)).toBeNull();
      expect(decodeToken(keys, `${first}.${payload}.${hmac(first)}${hmac(first)}`)).toBeNull();
    }
    const foreign = openKeyRing(join(dir, 'foreign'), systemClock, 1000).signing();
    const forged = sign('sha256', Buffer.from(`${header}.${payload}`), {
      key: foreign.privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    expect(decodeToken(keys, `${header}.${payload}.${forged.toString('base64url')}`)).toBeNull();
  });

  it('is not what else is sealed with the same keys', () => {
    expect(decodeToken(keys, seal(keys, { receipt: ['u', ['password']] }, Date.now() + 60_000))).toBeNull();
  });

  it('is never made of noise', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (noise) => void expect(decodeToken(keys, noise)).toBeNull()),
    );
  });
});

describe('the key ring', () => {
  it('keeps its keys to the owner and refuses one that others can read', () => {
    const folder = join(dir, 'modes');
    openKeyRing(folder, systemClock, 1000);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const [file = ''] = readdirSync(folder);
    expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    expect(createPrivateKey(readFileSync(join(folder, file))).asymmetricKeyType).toBe('ec');
    chmodSync(join(folder, file), 0o644);
    expect(() => openKeyRing(folder, systemClock, 1000)).toThrow(/readable by its owner only/);
  });

  it('signs with the newest key, verifies with the older ones, and forgets them when their tokens are over', () => {
    let now = 1_000_000;
    const clock = { now: () => now, timer: () => () => {} };
    const ring = openKeyRing(join(dir, 'rotation'), clock, 1000);
    const replica = openKeyRing(join(dir, 'rotation'), clock, 1000);
    const old = encodeToken(ring, claims);
    now += 10_000;
    ring.rotate();
    expect(encodeToken(ring, claims).split('.')[0], 'not before every replica can have seen it').toBe(
      old.split('.')[0],
    );
    now += 60_000;
    const late = encodeToken(replica, claims);
    const fresh = encodeToken(ring, claims);
    expect(late.split('.')[0], 'a replica takes it up by itself').toBe(fresh.split('.')[0]);
    expect(fresh.split('.')[0]).not.toBe(old.split('.')[0]);
    expect(decodeToken(ring, old)).toEqual(claims);
    expect(decodeToken(replica, fresh), 'a replica finds the new key by itself').toEqual(claims);
    now += 30_000;
    ring.rotate();
    expect(decodeToken(ring, old), 'somebody may have signed with it until just now').toEqual(claims);
    now += 60_000;
    ring.rotate();
    expect(decodeToken(ring, old)).toBeNull();
    expect(decodeToken(ring, fresh)).toEqual(claims);
  });
});
