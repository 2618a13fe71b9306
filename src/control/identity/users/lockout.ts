// Guessing passwords: after some wrong ones in a row a user cannot log in by password for a while. The while is short,
// because who can make guesses can also lock others out.
import type { Platform } from '../../../kernel/platform.ts';
import type { Identity, Rows } from '../identity.ts';
import type { UserRow } from './table.ts';

export type Failures = { failed_logins: number; failed_at: number };

export const failuresOf = async (rows: Rows, userId: string): Promise<Failures> =>
  (await rows
    .selectFrom('users')
    .select(['failed_logins', 'failed_at'])
    .where('id', '=', userId)
    .executeTakeFirst()) ?? { failed_logins: 0, failed_at: 0 };

export const isLockedOut = (
  { rules }: Pick<Identity, 'rules'>,
  { clock }: Pick<Platform, 'clock'>,
  { failed_logins, failed_at }: Failures,
): boolean => failed_logins >= rules.lockoutAttempts && clock.now() < failed_at + rules.lockoutSeconds * 1000;

/** Counts a wrong password; a right one, or the end of the lock, begins anew. Without wrong ones nothing is written. */
export async function noteLogin(
  identity: Identity,
  platform: Platform,
  userId: string,
  right: boolean,
): Promise<void> {
  const before = await failuresOf(platform.db.read, userId);
  if (right && before.failed_logins === 0) return;
  const over = before.failed_logins >= identity.rules.lockoutAttempts;
  await platform.db.tx((tx) =>
    tx
      .updateTable('users')
      .set((eb) => ({
        failed_logins: right ? 0 : over ? 1 : eb('failed_logins', '+', 1),
        failed_at: right ? 0 : platform.clock.now(),
      }))
      .where('id', '=', userId)
      .execute(),
  );
}

/** Writes down that the user was here, once a day, where accounts that nobody uses are closed. */
export async function noteActivity(
  identity: Pick<Identity, 'rules'>,
  platform: Platform,
  user: Pick<UserRow, 'id' | 'last_active_at'>,
): Promise<void> {
  const now = platform.clock.now();
  if (identity.rules.disableInactiveDays === 0 || now - user.last_active_at < 86_400_000) return;
  await platform.db.tx((tx) =>
    tx.updateTable('users').set({ last_active_at: now }).where('id', '=', user.id).execute(),
  );
}
