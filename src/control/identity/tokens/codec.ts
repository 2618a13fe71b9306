// Tokens on the wire: a JWS (RFC 7515, compact) with ES256 and nothing left to choose. There is exactly one
// string for a token: every other spelling of it, even one that a lenient decoder would accept, is no token.
import { sign, verify } from 'node:crypto';
import type { AccessRule } from '../../../kernel/access-rules.ts';
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
  /** Nothing but these requests: from the application credential. */
  accessRules?: readonly AccessRule[];
  /** The trust that it comes of. */
  trust?: TrustClaim;
  /** When the password has to be changed; milliseconds since the epoch. */
  passwordExpiresAt?: number;
};

export type TrustClaim = {
  id: string;
  impersonation: boolean;
  trustorId: string;
  trusteeId: string;
  /** Whose rights they are: the trustor of the first trust, where this one was handed on. */
  sourceId: string;
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
  credential?: [id: string, name: string, unrestricted: boolean] | null,
  more?: {
    rules?: [service: string, method: string, path: string][];
    trust?: [id: string, impersonation: boolean, trustorId: string, trusteeId: string, sourceId: string];
    password?: number;
  },
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

/** A JWS of `content`, good until `expiresAt`, in the only spelling that `openSealed` takes. */
export function seal(keys: KeyRing, content: object, expiresAt: number): string {
  const key = keys.signing();
  // A JWS of claims is a JSON object, so that foreign tools can show what it says.
  const body = JSON.stringify({ ...content, exp: Math.floor(expiresAt / 1000) });
  const signed = `${key.header}.${Buffer.from(body).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${canonical(signature).toString('base64url')}`;
}

/** What was sealed, null where it is not ours. Says nothing about expiry and revocation. */
export function openSealed(keys: KeyRing, text: string): Record<string, unknown> | null {
  const first = text.indexOf('.');
  const last = text.lastIndexOf('.');
  if (first < 0 || last === first || text.length - last - 1 !== SIGNATURE_LENGTH) return null;
  const body = text.slice(first + 1, last);
  const signaturePart = text.slice(last + 1);
  if (!BASE64URL.test(body) || !BASE64URL.test(signaturePart)) return null;
  const key = keys.byHeader(text.slice(0, first));
  if (key === undefined) return null;
  const bytes = Buffer.from(body, 'base64url');
  const signature = Buffer.from(signaturePart, 'base64url');
  if (bytes.toString('base64url') !== body || signature.toString('base64url') !== signaturePart) return null;
  if (signature.length !== 64 || sOf(signature) > HALF_ORDER) return null;
  const signed = Buffer.from(text.slice(0, last));
  if (!verify('sha256', signed, { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, signature)) return null;
  // Signed by us, hence of our shape.
  return JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
}

export function encodeToken(keys: KeyRing, claims: Claims): string {
  const { user, credential, trust, accessRules, passwordExpiresAt } = claims;
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
    credential === undefined ? null : [credential.id, credential.name, credential.unrestricted],
    {
      ...(accessRules === undefined
        ? {}
        : {
            rules: accessRules.map((rule): [string, string, string] => [
              rule.service,
              rule.method,
              rule.path,
            ]),
          }),
      ...(trust === undefined
        ? {}
        : { trust: [trust.id, trust.impersonation, trust.trustorId, trust.trusteeId, trust.sourceId] }),
      ...(passwordExpiresAt === undefined ? {} : { password: passwordExpiresAt }),
    },
  ];
  return seal(keys, { strata: payload }, claims.expiresAt);
}

/** What the token says, null where it is not one of ours. Says nothing about expiry and revocation. */
export function decodeToken(keys: KeyRing, token: string): Claims | null {
  const opened = openSealed(keys, token) as { strata?: Payload } | null;
  // What else is sealed with these keys, such as a receipt, is no token.
  if (opened?.strata === undefined) return null;
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
    more,
  ] = opened.strata;
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
    ...(credential === undefined || credential === null
      ? {}
      : { credential: { id: credential[0], name: credential[1], unrestricted: credential[2] } }),
    ...(more?.rules === undefined
      ? {}
      : { accessRules: more.rules.map(([service, method, path]) => ({ service, method, path })) }),
    ...(more?.trust === undefined
      ? {}
      : {
          trust: {
            id: more.trust[0],
            impersonation: more.trust[1],
            trustorId: more.trust[2],
            trusteeId: more.trust[3],
            sourceId: more.trust[4],
          },
        }),
    ...(more?.password === undefined ? {} : { passwordExpiresAt: more.password }),
  };
}
