// The identity service: Keystone's v3 API. Tokens are signed and verified here without a database read; every
// other service knows only the Actor that `authenticate` makes of a token.
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { unauthorized } from '../../kernel/errors.ts';
import { keystoneFault } from '../../kernel/http/faults.ts';
import type { Route, Service } from '../../kernel/http/route.ts';
import type { Actor, Rights } from '../../kernel/policy.ts';
import type { Platform } from '../../kernel/platform.ts';
import { accessRuleMigrations, accessRuleRoutes } from './application-credentials/access-rules.ts';
import { applicationCredentialRoutes } from './application-credentials/routes.ts';
import { applicationCredentialMigrations } from './application-credentials/table.ts';
import { grantRoutes } from './assignments/grants.ts';
import { assignmentListRoutes } from './assignments/listing.ts';
import { assignmentMigrations } from './assignments/table.ts';
import { bootstrap, type Bootstrapped } from './bootstrap.ts';
import { createCatalog, type CatalogEntry } from './catalog/catalog.ts';
import { endpointFilterRoutes } from './catalog/filter.ts';
import { catalogRoutes } from './catalog/routes.ts';
import { catalogMigrations } from './catalog/table.ts';
import { ec2Routes } from './credentials/ec2.ts';
import { credentialRoutes } from './credentials/routes.ts';
import { credentialMigrations } from './credentials/table.ts';
import { openVault } from './credentials/vault.ts';
import { discoveryRoutes } from './discovery.ts';
import { domainConfigMigrations, domainConfigRoutes } from './domains/config.ts';
import { domainRoutes } from './domains/routes.ts';
import { domainMigrations } from './domains/table.ts';
import { groupRoutes } from './groups/routes.ts';
import { groupMigrations } from './groups/table.ts';
import type { Identity } from './identity.ts';
import { PASSWORD_RULES, type PasswordRules } from './settings.ts';
import { unifiedLimitRoutes } from './limits/routes.ts';
import { policyMigrations, policyRoutes } from './policies/policies.ts';
import { policies } from './policy.ts';
import { projectRoutes } from './projects/routes.ts';
import { projectMigrations } from './projects/table.ts';
import { roleRoutes } from './roles/routes.ts';
import { roleMigrations } from './roles/table.ts';
import { openSealed, seal } from './tokens/codec.ts';
import { openKeyRing } from './tokens/keys.ts';
import { revokeEventRoutes } from './tokens/revoke-events.ts';
import { createRevocations } from './tokens/revocations.ts';
import { tokenRoutes } from './tokens/routes.ts';
import { tokenMigrations } from './tokens/table.ts';
import { createTokens } from './tokens/tokens.ts';
import { trustRoutes } from './trusts/routes.ts';
import { trustMigrations } from './trusts/table.ts';
import { createAttempts } from './users/attempts.ts';
import { createPasswords } from './users/password-hash.ts';
import { userRoutes } from './users/routes.ts';
import { userMigrations } from './users/table.ts';
import { PREFIX } from './wire.ts';

export type { Bootstrapped } from './bootstrap.ts';
export type { CatalogEntry } from './catalog/catalog.ts';
export { accountNames, type AccountNames } from './names.ts';

export type IdentityOptions = {
  /** What the catalog lists; `path` is below the public URL and may hold `%(project_id)s`. */
  catalog: readonly CatalogEntry[];
  /** Resource of the quotas -> type of its service; default: none. */
  countedBy?: () => Readonly<Record<string, string>>;
  /** Folder of the signing keys, made with mode 0700; replicas share it. */
  keyDir: string;
  /** Seconds that a token lives; default one hour. */
  tokenTtlSeconds?: number;
  /** Days after which a new key signs the tokens; default 30. */
  signingKeyDays?: number;
  passwordRules?: Partial<PasswordRules>;
  /** log2 of scrypt's N; default 15 (32 MiB and some 60 ms a hash). */
  passwordCost?: number;
};

export type IdentityService = {
  service: Service;
  /** The actor of X-Auth-Token; 401 when it is missing, malformed, expired or revoked. No other header counts. */
  authenticate(headers: IncomingHttpHeaders): Actor | Promise<Actor>;
  /** false: what an actor's token stood on was taken away since. */
  stillHolds(rights: Rights): boolean;
  /**
   * After the migrations, at every start: makes what an installation begins with where it is missing, and
   * loads the revocations. Passwords of users that exist stay.
   */
  bootstrap(passwords: { admin: string; demo: string }): Promise<Bootstrapped>;
  /** Ends timers and subscriptions. */
  close(): void;
};

export { readSettings, type Settings } from './settings.ts';

const DAY_MS = 86_400_000;
const SIGNING_KEY_DAYS = 30;
/** How often somebody looks whether a new signing key is due. */
const ROTATION_CHECK_MS = 3_600_000;

/** For the operator: a new signing key now, whether the cloud runs or not. Running processes take it up by themselves. */
export function rotateSigningKeys(keyDir: string, clock: Clock, tokenTtlSeconds = 3600): void {
  openKeyRing(keyDir, clock, tokenTtlSeconds * 1000).rotate();
}

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
  const rules = { ...PASSWORD_RULES, ...options.passwordRules };
  const catalog = createCatalog(platform, options.catalog);
  const identity: Identity = {
    tokens,
    revocations,
    passwords,
    attempts: createAttempts(platform.clock, rules.failuresAMinute),
    vault: openVault(join(options.keyDir, 'credentials'), platform.clock),
    catalog,
    rules,
    catalogOf: (claims) => catalog.of(claims.scope, claims.user.id),
    serviceTypes: async () => (await catalog.services()).map((service) => service.type),
    countedBy: options.countedBy ?? (() => ({})),
    seal: (content, expiresAt) => seal(keys, content, expiresAt),
    open: (text) => openSealed(keys, text),
  };

  const actorOf = (token: string | string[] | undefined): Actor => {
    const valid = typeof token === 'string' ? tokens.validate(token) : null;
    if (valid === null) throw unauthorized('The request you have made requires authentication.');
    return valid.actor;
  };

  const routes: Route[] = [
    ...discoveryRoutes(() => routes),
    ...tokenRoutes(identity),
    ...revokeEventRoutes,
    ...domainRoutes(identity),
    ...domainConfigRoutes(identity),
    ...projectRoutes(identity),
    ...userRoutes(identity),
    ...applicationCredentialRoutes(identity),
    ...accessRuleRoutes,
    ...ec2Routes(identity),
    ...credentialRoutes(identity),
    ...trustRoutes(identity),
    ...groupRoutes(identity),
    ...roleRoutes(identity),
    ...grantRoutes(identity),
    ...assignmentListRoutes,
    ...catalogRoutes(identity),
    ...endpointFilterRoutes(identity),
    ...policyRoutes,
    ...unifiedLimitRoutes(identity),
  ];
  const maxKeyAgeMs = (options.signingKeyDays ?? SIGNING_KEY_DAYS) * DAY_MS;
  let cancelRotation = (): void => {};
  const rotateWhenDue = (): void => {
    try {
      if (keys.newestCreatedAt() + maxKeyAgeMs <= platform.clock.now()) keys.rotate();
    } catch (error) {
      platform.log.error(
        { error: String(error) },
        'a new signing key could not be made; the present one goes on, and it is tried again within the hour',
      );
    }
    cancelRotation = platform.clock.timer(ROTATION_CHECK_MS, rotateWhenDue);
  };
  return {
    service: {
      name: 'identity',
      type: 'identity',
      prefix: PREFIX,
      fault: keystoneFault,
      policies,
      routes,
      migrations: [
        ...domainMigrations,
        ...projectMigrations,
        ...userMigrations,
        ...groupMigrations,
        ...roleMigrations,
        ...assignmentMigrations,
        ...tokenMigrations,
        ...applicationCredentialMigrations,
        ...credentialMigrations,
        ...accessRuleMigrations,
        ...trustMigrations,
        ...catalogMigrations,
        ...policyMigrations,
        ...domainConfigMigrations,
      ],
      work: {},
    },
    authenticate(headers) {
      const token = headers['x-auth-token'];
      // A process that has not read the revocations yet judges no token.
      return revocations.loaded() ? actorOf(token) : revocations.load().then(() => actorOf(token));
    },
    stillHolds: ({ subjects, sequence }) => !revocations.isRevoked(subjects, sequence),
    async bootstrap(plain) {
      await revocations.load();
      cancelRotation();
      rotateWhenDue();
      return bootstrap(platform, passwords, plain);
    },
    close() {
      cancelRotation();
      catalog.close();
      revocations.close();
    },
  };
}
