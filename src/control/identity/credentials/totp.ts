// One-time passwords by time: RFC 6238 with its defaults (SHA-1, 30 seconds, 6 digits), as authenticator apps have them.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Platform } from '../../../kernel/platform.ts';
import type { Identity } from '../identity.ts';

const STEP_MS = 30_000;
/** A password is still good in the interval after its own: clocks differ, and people type slowly. */
const STEPS_BACK = 1;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** Bytes of a seed. */
const LEAST_SEED = 10;

/** null: not base32 (RFC 4648), or too short to be a seed. */
export function seedOf(text: string): Buffer | null {
  const digits = text.replace(/[\s-]/g, '').replace(/=+$/, '').toUpperCase();
  let bits = '';
  for (const digit of digits) {
    const value = ALPHABET.indexOf(digit);
    if (value < 0) return null;
    bits += value.toString(2).padStart(5, '0');
  }
  const bytes = bits.match(/.{8}/g) ?? [];
  return bytes.length < LEAST_SEED ? null : Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}

/** RFC 4226, section 5.3. */
export function passcodeAt(seed: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', seed).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 0xf;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
}

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** Whether the password is of one of the user's seeds and now; a password is good once. */
export async function proveTotp(
  identity: Pick<Identity, 'vault'>,
  platform: Platform,
  userId: string,
  passcode: string,
): Promise<boolean> {
  const rows = await platform.db.read
    .selectFrom('credentials')
    .selectAll()
    .where('user_id', '=', userId)
    .where('type', '=', 'totp')
    .execute();
  const now = Math.floor(platform.clock.now() / STEP_MS);
  for (const row of rows) {
    const seed = seedOf(identity.vault.open(row.blob, row.id));
    if (seed === null) continue;
    for (let step = now; step >= now - STEPS_BACK; step--) {
      if (!/^[0-9]{6}$/.test(passcode) || !same(passcodeAt(seed, step), passcode)) continue;
      const { numUpdatedRows } = await platform.db.tx((tx) =>
        tx
          .updateTable('credentials')
          .set({ last_step: step })
          .where('id', '=', row.id)
          .where('last_step', '<', step)
          .executeTakeFirstOrThrow(),
      );
      return numUpdatedRows > 0n;
    }
  }
  return false;
}
