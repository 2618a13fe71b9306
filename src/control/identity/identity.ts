// What the parts of this service share: made once by index.ts, handed to each resource's routes.
import type { Reader } from '../../kernel/db/index.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { Vault } from './credentials/vault.ts';
import type { Claims } from './tokens/codec.ts';
import type { Revocations } from './tokens/revocations.ts';
import type { Tokens } from './tokens/tokens.ts';
import type { PasswordRules } from './settings.ts';
import type { Attempts } from './users/attempts.ts';
import type { Passwords } from './users/password-hash.ts';

export type Identity = {
  tokens: Tokens;
  revocations: Revocations;
  passwords: Passwords;
  attempts: Attempts;
  vault: Vault;
  catalog: Catalog;
  rules: PasswordRules;
  /** The catalog that belongs into a token. */
  catalogOf(claims: Claims): Promise<object[]>;
  /** Of the services in the catalog. */
  serviceTypes(): Promise<string[]>;
  /** What the services of this cloud count, and the type of the service that does. */
  countedBy(): Readonly<Record<string, string>>;
  /** A statement of ours that comes back later, such as a receipt. */
  seal(content: object, expiresAt: number): string;
  open(text: string): Record<string, unknown> | null;
};

/** A transaction or the committed rows: for look-ups that both need. */
export type Rows = Pick<Reader, 'selectFrom' | 'withRecursive'>;

/** The domain that the installation begins with; its id is the customary one. */
export const DEFAULT_DOMAIN = 'default';

/** The most ids in one `in (...)`. */
export const IDS_A_QUERY = 500;

export function chunks<T>(list: readonly T[], size = IDS_A_QUERY): T[][] {
  const out: T[][] = [];
  for (let at = 0; at < list.length; at += size) out.push(list.slice(at, at + size));
  return out;
}
