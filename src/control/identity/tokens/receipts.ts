// Multi-factor authentication: who has proven some of the methods that its rules ask for gets a receipt instead of a
// token, and comes back with it and the rest (api-ref "Multi-Factor Authentication", header Openstack-Auth-Receipt).
import { isoMicros } from '../../../kernel/clock.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { DomainRow } from '../domains/table.ts';
import type { Identity } from '../identity.ts';
import { optionsOf } from '../users/options.ts';
import type { UserRow } from '../users/table.ts';
import { refused } from './lookup.ts';
import { subjects } from './revocations.ts';

const LIFETIME_MS = 300_000;
const METHODS: ReadonlySet<string> = new Set(['password', 'totp', 'token', 'application_credential']);

/** The alternatives of which one has to be fulfilled; empty: any method will do. Rules with unknown methods do not count. */
export function rulesOf(user: Pick<UserRow, 'options'>): readonly (readonly string[])[] {
  const { multi_factor_auth_enabled, multi_factor_auth_rules } = optionsOf(user);
  if (multi_factor_auth_enabled === false) return [];
  return (multi_factor_auth_rules ?? []).filter((rule) => rule.every((method) => METHODS.has(method)));
}

export const isEnough = (rules: readonly (readonly string[])[], methods: readonly string[]): boolean =>
  rules.length === 0 || rules.some((rule) => rule.every((method) => methods.includes(method)));

type Receipt = [userId: string, methods: readonly string[], expiresAt: number, sequence: number];

/** What the receipt proves; 401 when it is not ours, over, of somebody else, or older than a change of the password. */
export function methodsOf(
  identity: Identity,
  platform: Platform,
  receipt: string | string[] | undefined,
  userId: string,
): readonly string[] {
  if (receipt === undefined) return [];
  const opened = typeof receipt === 'string' && receipt.length < 4_000 ? identity.open(receipt) : null;
  const found = opened?.['receipt'] as Receipt | undefined;
  if (found === undefined) throw refused();
  const [owner, methods, expiresAt, sequence] = found;
  if (
    owner !== userId ||
    expiresAt <= platform.clock.now() ||
    identity.revocations.isRevoked([subjects.user(owner)], sequence)
  )
    throw refused();
  return methods;
}

/** The answer to who has proven something, but not enough. */
export function receiptReply(
  identity: Identity,
  platform: Platform,
  { user, domain }: { user: UserRow; domain: DomainRow },
  methods: readonly string[],
  sequence: number,
): { status: number; headers: Record<string, string>; body: object } {
  const now = platform.clock.now();
  const content: Receipt = [user.id, methods, now + LIFETIME_MS, sequence];
  return {
    status: 401,
    headers: {
      'openstack-auth-receipt': identity.seal({ receipt: content }, now + LIFETIME_MS),
      'cache-control': 'no-store',
    },
    body: {
      receipt: {
        methods,
        user: { id: user.id, name: user.name, domain: { id: domain.id, name: domain.name } },
        issued_at: isoMicros(now),
        expires_at: isoMicros(now + LIFETIME_MS),
      },
      required_auth_methods: rulesOf(user),
    },
  };
}
