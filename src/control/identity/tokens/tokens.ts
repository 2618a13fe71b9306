// Issuing and validating tokens. A validated token is remembered by its string, so that the next request
// with it costs a look-up, its expiry and its revocations, and no signature check.
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../../kernel/clock.ts';
import { CloudError } from '../../../kernel/errors.ts';
import type { Actor } from '../../../kernel/policy.ts';
import { decodeToken, encodeToken, type Claims } from './codec.ts';
import type { KeyRing } from './keys.ts';
import { EXPIRED_WINDOW_MS, subjectsOf, type Revocations } from './revocations.ts';

export type ValidToken = { claims: Claims; actor: Actor; subjects: readonly string[] };

export type Tokens = {
  /** A new chain, or the next link of `parent`'s: that keeps its expiry, whatever the lifetime is. */
  issue(
    claims: Omit<Claims, 'auditId' | 'chainId' | 'issuedAt' | 'expiresAt'>,
    parent: Claims | null,
    /** Milliseconds since the epoch; it expires then, if not before. */
    until?: number,
  ): { token: string; claims: Claims };
  /** null: malformed, not ours, expired or revoked. Needs loaded revocations. */
  validate(token: string): ValidToken | null;
  /** The same, and tokens that expired not long ago. */
  validateExpired(token: string): ValidToken | null;
};

const REMEMBERED = 5_000;
/** Servers and proxies take headers of 8 KiB. */
const MAX_LENGTH = 6_000;

/** Whoever holds a part of somebody's rights must not make of them what lasts longer or reaches farther. */
const mayDelegate = ({ credential, trust, accessRules, methods }: Claims): boolean =>
  trust === undefined &&
  accessRules === undefined &&
  !methods.includes('ec2credential') &&
  (credential === undefined || credential.unrestricted);

const actorOf = (claims: Claims, subjects: readonly string[]): Actor => ({
  userId: claims.user.id,
  userName: claims.user.name,
  userDomainId: claims.user.domainId,
  userDomainName: claims.user.domainName,
  scope: claims.scope,
  roles: new Set(claims.roles.map((role) => role.name)),
  expiresAt: claims.expiresAt,
  auditId: claims.auditId,
  rights: { subjects, sequence: claims.sequence },
  ...(mayDelegate(claims) ? {} : { mayDelegate: false }),
  ...(claims.trust === undefined ? {} : { trustId: claims.trust.id }),
  ...(claims.credential === undefined ? {} : { credentialId: claims.credential.id }),
  ...(claims.accessRules === undefined ? {} : { accessRules: claims.accessRules }),
});

export function createTokens(keys: KeyRing, revocations: Revocations, clock: Clock, ttlMs: number): Tokens {
  const remembered = new LRUCache<string, ValidToken>({ max: REMEMBERED });
  const validate = (token: string, graceMs: number): ValidToken | null => {
    let valid = remembered.get(token);
    if (valid === undefined) {
      if (token.length > MAX_LENGTH) return null;
      const claims = decodeToken(keys, token);
      if (claims === null) return null;
      const subjects = subjectsOf(claims);
      valid = { claims, actor: actorOf(claims, subjects), subjects };
      remembered.set(token, valid);
    }
    if (
      valid.claims.expiresAt + graceMs <= clock.now() ||
      revocations.isRevoked(valid.subjects, valid.claims.sequence)
    ) {
      remembered.delete(token);
      return null;
    }
    return valid;
  };
  return {
    issue(input, parent, until = Number.MAX_SAFE_INTEGER) {
      const auditId = randomBytes(16).toString('base64url');
      const issuedAt = clock.now();
      const claims: Claims = {
        ...input,
        auditId,
        chainId: parent === null ? auditId : parent.chainId,
        issuedAt,
        // Whole seconds, as Keystone's expiry has them.
        expiresAt: Math.floor(Math.min(parent?.expiresAt ?? issuedAt + ttlMs, until) / 1000) * 1000,
      };
      const token = encodeToken(keys, claims);
      if (token.length > MAX_LENGTH)
        throw new CloudError(
          403,
          'TokenTooLong',
          `A token with ${claims.roles.length} roles does not fit in a header; ask for fewer roles on this scope.`,
        );
      return { token, claims };
    },
    validate: (token) => validate(token, 0),
    validateExpired: (token) => validate(token, EXPIRED_WINDOW_MS),
  };
}
