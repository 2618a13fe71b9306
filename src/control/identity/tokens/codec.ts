// Tokens on the wire: a JWS (RFC 7515, compact) with ES256 and nothing left to choose. There is exactly one
// string for a token: every other spelling of it, even one that a lenient decoder would accept, is no token.
import { sign, verify } from 'node:crypto';
import type { Scope } from '../../../kernel/policy.ts';
import type { KeyRing } from './keys.ts';

export type Claims = {
  user: { id: string; name: string; domainId: string; domainName: string };
  scope: Scope;
  /** Effective: with those of groups and those implied. */
  roles: readonly { id: string; name: string }[];
  methods: readonly string[];
  auditId: string;
  /** Audit id of the token that the first of this chain of rescopings was; its own where it is the first. */
  chainId: string;
  /** Milliseconds since the epoch. */
  issuedAt: number;
  expiresAt: number;
  /** The last revocation event that was known before the rows were read from which the token was made. */
  sequence: number;
  /** The application credential that it comes of. */
  credential?: { id: string; name: string; unrestricted: boolean };
};

/** Positional, because it travels in a header with every request. */
type Payload = [
  user: [string, string, string, string],
  scope: ['p', string, string, string, string] | ['d', string, string] | ['s'] | [],
  roles: [string, string][],
  methods: readonly string[],
  auditId: string,
  chainId: string,
  issuedAt: number,
  expiresAt: number,
  sequence: number,
  credential?: [id: string, name: string, unrestricted: boolean],
];

const packScope = (scope: Scope): Payload[1] => {
  if (scope.type === 'project') return ['p', scope.id, scope.name, scope.domainId, scope.domainName];
  if (scope.type === 'domain') return ['d', scope.id, scope.name];
  return scope.type === 'system' ? ['s'] : [];
};

const unpackScope = (packed: Payload[1]): Scope => {
  if (packed[0] === 'p')
    return { type: 'project', id: packed[1], name: packed[2], domainId: packed[3], domainName: packed[4] };
  if (packed[0] === 'd') return { type: 'domain', id: packed[1], name: packed[2] };
  return packed[0] === 's' ? { type: 'system' } : { type: 'unscoped' };
};

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n; // of P-256's group
const HALF_ORDER = ORDER >> 1n;
const sOf = (signature: Buffer): bigint => BigInt(`0x${signature.toString('hex', 32)}`);

/** (r, s) and (r, n - s) verify alike; only the one with the smaller s is ours. */
function canonical(signature: Buffer): Buffer {
  const s = sOf(signature);
  if (s <= HALF_ORDER) return signature;
  return Buffer.concat([
    signature.subarray(0, 32),
    Buffer.from((ORDER - s).toString(16).padStart(64, '0'), 'hex'),
  ]);
}

const SIGNATURE_LENGTH = 86; // 64 bytes in base64url
const BASE64URL = /^[A-Za-z0-9_-]+$/;

export function encodeToken(keys: KeyRing, claims: Claims): string {
  const { user } = claims;
  const payload: Payload = [
    [user.id, user.name, user.domainId, user.domainName],
    packScope(claims.scope),
    claims.roles.map((role) => [role.id, role.name]),
    claims.methods,
    claims.auditId,
    claims.chainId,
    claims.issuedAt,
    claims.expiresAt,
    claims.sequence,
  ];
  const { credential } = claims;
  if (credential !== undefined) payload.push([credential.id, credential.name, credential.unrestricted]);
  const key = keys.signing();
  // A JWS of claims is a JSON object, so that foreign tools can show what a token says.
  const signed = `${key.header}.${Buffer.from(JSON.stringify({ strata: payload, exp: Math.floor(claims.expiresAt / 1000) })).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${canonical(signature).toString('base64url')}`;
}

/** What the token says, null where it is not one of ours. Says nothing about expiry and revocation. */
export function decodeToken(keys: KeyRing, token: string): Claims | null {
  const first = token.indexOf('.');
  const last = token.lastIndexOf('.');
  if (first < 0 || last === first || token.length - last - 1 !== SIGNATURE_LENGTH) return null;
  const body = token.slice(first + 1, last);
  const signaturePart = token.slice(last + 1);
  if (!BASE64URL.test(body) || !BASE64URL.test(signaturePart)) return null;
  const key = keys.byHeader(token.slice(0, first));
  if (key === undefined) return null;
  const bytes = Buffer.from(body, 'base64url');
  const signature = Buffer.from(signaturePart, 'base64url');
  if (bytes.toString('base64url') !== body || signature.toString('base64url') !== signaturePart) return null;
  if (signature.length !== 64 || sOf(signature) > HALF_ORDER) return null;
  const signed = Buffer.from(token.slice(0, last));
  if (!verify('sha256', signed, { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, signature)) return null;
  // Signed by us, hence of our shape.
  const { strata } = JSON.parse(bytes.toString('utf8')) as { strata: Payload };
  const [
    [id, name, domainId, domainName],
    scope,
    roles,
    methods,
    auditId,
    chainId,
    issuedAt,
    expiresAt,
    sequence,
    credential,
  ] = strata;
  return {
    user: { id, name, domainId, domainName },
    scope: unpackScope(scope),
    roles: roles.map(([roleId, roleName]) => ({ id: roleId, name: roleName })),
    methods,
    auditId,
    chainId,
    issuedAt,
    expiresAt,
    sequence,
    ...(credential === undefined
      ? {}
      : { credential: { id: credential[0], name: credential[1], unrestricted: credential[2] } }),
  };
}
