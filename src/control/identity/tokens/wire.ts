// What a token says, as Keystone shows it.
import { isoMicros } from '../../../kernel/clock.ts';
import type { Claims } from './codec.ts';

function scopeView({ scope }: Claims): object {
  if (scope.type === 'project')
    return {
      is_domain: false,
      project: { id: scope.id, name: scope.name, domain: { id: scope.domainId, name: scope.domainName } },
    };
  if (scope.type === 'domain') return { domain: { id: scope.id, name: scope.name } };
  return scope.type === 'system' ? { system: { all: true } } : {};
}

/** `catalog` null: without it. */
export function tokenView(claims: Claims, catalog: readonly object[] | null): object {
  const { user } = claims;
  const isScoped = claims.scope.type !== 'unscoped';
  return {
    token: {
      methods: claims.methods,
      user: {
        id: user.id,
        name: user.name,
        domain: { id: user.domainId, name: user.domainName },
        password_expires_at:
          claims.passwordExpiresAt === undefined ? null : isoMicros(claims.passwordExpiresAt),
      },
      audit_ids: claims.auditId === claims.chainId ? [claims.auditId] : [claims.auditId, claims.chainId],
      issued_at: isoMicros(claims.issuedAt),
      expires_at: isoMicros(claims.expiresAt),
      ...scopeView(claims),
      ...(isScoped ? { roles: claims.roles } : {}),
      ...(claims.credential === undefined
        ? {}
        : {
            application_credential: {
              id: claims.credential.id,
              name: claims.credential.name,
              restricted: !claims.credential.unrestricted,
              ...(claims.accessRules === undefined ? {} : { access_rules: claims.accessRules }),
            },
          }),
      ...(claims.trust === undefined
        ? {}
        : {
            'OS-TRUST:trust': {
              id: claims.trust.id,
              impersonation: claims.trust.impersonation,
              trustor_user: { id: claims.trust.trustorId },
              trustee_user: { id: claims.trust.trusteeId },
            },
          }),
      ...(isScoped && catalog !== null ? { catalog } : {}),
    },
  };
}
