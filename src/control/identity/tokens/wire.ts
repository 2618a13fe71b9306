// What a token says, as Keystone shows it.
import { isoMicros } from '../../../kernel/clock.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { catalogFor, type CatalogEntry } from '../catalog/catalog.ts';
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

/** `entries` null: without the catalog. */
export function tokenView(
  platform: Platform,
  claims: Claims,
  entries: readonly CatalogEntry[] | null,
): object {
  const { user } = claims;
  const isScoped = claims.scope.type !== 'unscoped';
  return {
    token: {
      methods: claims.methods,
      user: {
        id: user.id,
        name: user.name,
        domain: { id: user.domainId, name: user.domainName },
        password_expires_at: null,
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
            },
          }),
      ...(isScoped && entries !== null ? { catalog: catalogFor(platform, entries, claims.scope) } : {}),
    },
  };
}
