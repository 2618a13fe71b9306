// What the parts of this service share: made once by index.ts, handed to each resource's routes.
import type { Reader } from '../../kernel/db/index.ts';
import type { CatalogEntry } from './catalog/catalog.ts';
import type { Revocations } from './tokens/revocations.ts';
import type { Tokens } from './tokens/tokens.ts';
import type { Passwords } from './users/password-hash.ts';

export type Identity = {
  tokens: Tokens;
  revocations: Revocations;
  passwords: Passwords;
  catalog: readonly CatalogEntry[];
  rules: PasswordRules;
};

export type PasswordRules = {
  /** Wrong passwords in a row after which a user is locked out, and for how long. */
  lockoutAttempts: number;
  lockoutSeconds: number;
  /** A user's new password differs from this many of the last ones, the present one included. */
  uniqueLast: number;
};
export const PASSWORD_RULES: PasswordRules = { lockoutAttempts: 10, lockoutSeconds: 30, uniqueLast: 2 };

/** A transaction or the committed rows: for look-ups that both need. */
export type Rows = Pick<Reader, 'selectFrom'>;

/** The domain that the installation begins with; its id is the customary one. */
export const DEFAULT_DOMAIN = 'default';

/** The most ids in one `in (...)`. */
export const IDS_A_QUERY = 500;

export function chunks<T>(list: readonly T[], size = IDS_A_QUERY): T[][] {
  const out: T[][] = [];
  for (let at = 0; at < list.length; at += size) out.push(list.slice(at, at + size));
  return out;
}
