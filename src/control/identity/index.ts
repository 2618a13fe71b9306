// The identity service: Keystone's v3 API. Tokens are signed and verified here without a database read; every
// other service knows only the Actor that `authenticate` makes of a token.
import type { IncomingHttpHeaders } from 'node:http';
import { unauthorized } from '../../kernel/errors.ts';
import { keystoneFault } from '../../kernel/http/faults.ts';
import type { Service } from '../../kernel/http/route.ts';
import type { Actor } from '../../kernel/policy.ts';
import type { Platform } from '../../kernel/platform.ts';
import { applicationCredentialRoutes } from './application-credentials/routes.ts';
import { applicationCredentialMigrations } from './application-credentials/table.ts';
import { grantRoutes } from './assignments/grants.ts';
import { assignmentListRoutes } from './assignments/listing.ts';
import { assignmentMigrations } from './assignments/table.ts';
import { bootstrap, type Bootstrapped } from './bootstrap.ts';
import type { CatalogEntry } from './catalog/catalog.ts';
import { catalogRoutes } from './catalog/routes.ts';
import { discoveryRoutes } from './discovery.ts';
import { domainRoutes } from './domains/routes.ts';
import { domainMigrations } from './domains/table.ts';
import { groupRoutes } from './groups/routes.ts';
import { groupMigrations } from './groups/table.ts';
import { PASSWORD_RULES, type Identity, type PasswordRules } from './identity.ts';
import { policies } from './policy.ts';
import { projectRoutes } from './projects/routes.ts';
import { projectMigrations } from './projects/table.ts';
import { roleRoutes } from './roles/routes.ts';
import { roleMigrations } from './roles/table.ts';
import { openKeyRing } from './tokens/keys.ts';
import { createRevocations } from './tokens/revocations.ts';
import { tokenRoutes } from './tokens/routes.ts';
import { tokenMigrations } from './tokens/table.ts';
import { createTokens } from './tokens/tokens.ts';
import { createPasswords } from './users/password-hash.ts';
import { userRoutes } from './users/routes.ts';
import { userMigrations } from './users/table.ts';
import { PREFIX } from './wire.ts';

export type { Bootstrapped } from './bootstrap.ts';
export type { CatalogEntry } from './catalog/catalog.ts';

export type IdentityOptions = {
  /** What the catalog lists; `path` is below the public URL and may hold `%(project_id)s`. */
  catalog: readonly CatalogEntry[];
  /** Folder of the signing keys, made with mode 0700; replicas share it. */
  keyDir: string;
  /** Seconds that a token lives; default one hour. */
  tokenTtlSeconds?: number;
  passwordRules?: Partial<PasswordRules>;
  /** log2 of scrypt's N; default 15 (32 MiB and some 60 ms a hash). */
  passwordCost?: number;
};

export type IdentityService = {
  service: Service;
  /** The actor of X-Auth-Token; 401 when it is missing, malformed, expired or revoked. No other header counts. */
  authenticate(headers: IncomingHttpHeaders): Actor | Promise<Actor>;
  /**
   * After the migrations, at every start: makes what an installation begins with where it is missing, and
   * loads the revocations. Passwords of users that exist stay.
   */
  bootstrap(passwords: { admin: string; demo: string }): Promise<Bootstrapped>;
  /** A new signing key; the old ones verify until their tokens have expired. */
  rotateKeys(): void;
  /** Ends timers and subscriptions. */
  close(): void;
};

export async function createIdentityService(
  platform: Platform,
  options: IdentityOptions,
): Promise<IdentityService> {
  const ttlMs = (options.tokenTtlSeconds ?? 3600) * 1000;
  const keys = openKeyRing(options.keyDir, platform.clock, ttlMs);
  const revocations = createRevocations(
    platform.db,
    platform.clock,
    platform.log.child({ part: 'identity' }),
    ttlMs,
  );
  const tokens = createTokens(keys, revocations, platform.clock, ttlMs);
  const passwords = createPasswords(options.passwordCost);
  const identity: Identity = {
    tokens,
    revocations,
    passwords,
    catalog: options.catalog,
    rules: { ...PASSWORD_RULES, ...options.passwordRules },
  };

  const actorOf = (token: string | string[] | undefined): Actor => {
    const valid = typeof token === 'string' ? tokens.validate(token) : null;
    if (valid === null) throw unauthorized('The request you have made requires authentication.');
    return valid.actor;
  };

  return {
    service: {
      name: 'identity',
      type: 'identity',
      prefix: PREFIX,
      fault: keystoneFault,
      policies,
      routes: [
        ...discoveryRoutes,
        ...tokenRoutes(identity),
        ...domainRoutes(identity),
        ...projectRoutes(identity),
        ...userRoutes(identity),
        ...applicationCredentialRoutes(identity),
        ...groupRoutes(identity),
        ...roleRoutes(identity),
        ...grantRoutes(identity),
        ...assignmentListRoutes,
        ...catalogRoutes(identity),
      ],
      migrations: [
        ...domainMigrations,
        ...projectMigrations,
        ...userMigrations,
        ...groupMigrations,
        ...roleMigrations,
        ...assignmentMigrations,
        ...tokenMigrations,
        ...applicationCredentialMigrations,
      ],
      work: {},
    },
    authenticate(headers) {
      const token = headers['x-auth-token'];
      // A process that has not read the revocations yet judges no token.
      return revocations.loaded() ? actorOf(token) : revocations.load().then(() => actorOf(token));
    },
    async bootstrap(plain) {
      await revocations.load();
      return bootstrap(platform, passwords, plain);
    },
    rotateKeys: () => keys.rotate(),
    close: () => revocations.close(),
  };
}
