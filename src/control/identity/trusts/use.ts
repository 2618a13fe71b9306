// Trusts at the moment of a login: is it good, whose rights are they, and one use less.
import { forbidden } from '../../../kernel/errors.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { Rows } from '../identity.ts';
import type { TrustRow } from './table.ts';

/** As Keystone's max_redelegation_count. */
export const MAX_REDELEGATION = 3;

export const isLive = (trust: TrustRow, now: number): boolean =>
  (trust.expires_at === null || trust.expires_at > now * 1000) &&
  (trust.remaining_uses === null || trust.remaining_uses > 0);

/** null: there is none, it has expired, or it is used up. */
export async function liveTrust(rows: Rows, id: string, now: number): Promise<TrustRow | null> {
  const trust = await rows.selectFrom('trusts').selectAll().where('id', '=', id).executeTakeFirst();
  return trust !== undefined && isLive(trust, now) ? trust : null;
}

/** The trustor of the first trust of the chain; null when the chain is broken. */
export async function sourceOf(rows: Rows, trust: TrustRow): Promise<string | null> {
  let first = trust;
  for (let depth = 0; first.redelegated_trust_id !== null; depth++) {
    const parent = await rows
      .selectFrom('trusts')
      .selectAll()
      .where('id', '=', first.redelegated_trust_id)
      .executeTakeFirst();
    if (parent === undefined || depth > MAX_REDELEGATION) return null;
    first = parent;
  }
  return first.trustor_user_id;
}

/** Of logins that come at once, no more succeed than there are uses. */
export async function consume(platform: Platform, trust: TrustRow): Promise<void> {
  if (trust.remaining_uses === null) return;
  const { numUpdatedRows } = await platform.db.tx((tx) =>
    tx
      .updateTable('trusts')
      .set((eb) => ({ remaining_uses: eb('remaining_uses', '-', 1) }))
      .where('id', '=', trust.id)
      .where('remaining_uses', '>', 0)
      .executeTakeFirstOrThrow(),
  );
  if (numUpdatedRows === 0n) throw forbidden(`No remaining uses for trust: ${trust.id}`);
}
