// What a password may be, and for how long: strength, history, least age, expiry, change upon first use. The rules are
// Keystone's [security_compliance]; who is exempt says so in the options of the user.
import { badRequest } from '../../../kernel/errors.ts';
import type { PasswordRules } from '../settings.ts';
import type { Passwords } from './password-hash.ts';
import { optionsOf } from './options.ts';
import type { UserRow } from './table.ts';

const DAY_MS = 86_400_000;

export function requireStrength(rules: PasswordRules, password: string): void {
  if (rules.regex === null || new RegExp(rules.regex, 'u').test(password)) return;
  throw badRequest(
    `Password validation error: The password does not match the requirements: ${rules.regexDescription}`,
  );
}

type Exempt = Pick<UserRow, 'options'>;

/** Milliseconds since the epoch; null: never. A password that somebody else has set may have to be changed at once. */
export function expiryOf(
  rules: PasswordRules,
  user: Exempt,
  now: number,
  by: 'operator' | 'user',
): number | null {
  const options = optionsOf(user);
  if (by === 'operator' && rules.changeUponFirstUse && options.ignore_change_password_upon_first_use !== true)
    return now;
  return rules.expiresDays === 0 || options.ignore_password_expiry === true
    ? null
    : now + rules.expiresDays * DAY_MS;
}

export const isExpired = (user: Pick<UserRow, 'options' | 'password_expires_at'>, now: number): boolean =>
  user.password_expires_at !== null &&
  user.password_expires_at <= now &&
  optionsOf(user).ignore_password_expiry !== true;

/** Nobody who has not been here for that long comes in again before an operator enables the account. */
export const isForgotten = (
  rules: PasswordRules,
  user: Pick<UserRow, 'options' | 'last_active_at'>,
  now: number,
): boolean =>
  rules.disableInactiveDays > 0 &&
  optionsOf(user).ignore_user_inactivity !== true &&
  user.last_active_at > 0 &&
  user.last_active_at + rules.disableInactiveDays * DAY_MS < now;

/** Refuses what the user may not choose now; the old password has been proven before. */
export async function requireChangeable(
  rules: PasswordRules,
  passwords: Passwords,
  user: UserRow,
  password: string,
  now: number,
): Promise<void> {
  if (optionsOf(user).lock_password === true)
    throw badRequest(
      'You cannot change your password at this time: the option lock_password of your account forbids it. An administrator can reset it.',
    );
  const until = user.password_created_at + rules.minimumAgeDays * DAY_MS;
  if (user.password_by_self === 1 && now < until && !isExpired(user, now))
    throw badRequest(
      `You cannot change your password at this time: a password must be ${rules.minimumAgeDays} days old before it is changed again. It can be from ${new Date(until).toISOString()} on.`,
    );
  requireStrength(rules, password);
  const old = JSON.parse(user.old_passwords) as string[];
  for (const hash of [user.password_hash, ...old].slice(0, rules.uniqueLast))
    if (await passwords.verify(password, hash))
      throw badRequest(
        `Password validation error: The new password cannot be identical to a previous password. The total number of unique passwords, the present one included, is ${rules.uniqueLast}.`,
      );
}
