// The switches of single users, as Keystone's resource options: stored as JSON, null takes one back.
import { Type, type Static } from 'typebox';
import { nullable, strict, text } from '../../../kernel/schema.ts';

const flag = Type.Optional(nullable(Type.Boolean()));

export const userOptions = strict({
  ignore_change_password_upon_first_use: flag,
  ignore_password_expiry: flag,
  ignore_lockout_failure_attempts: flag,
  lock_password: flag,
  ignore_user_inactivity: flag,
  multi_factor_auth_enabled: flag,
  /** Alternatives, each a list of methods that together are enough. */
  multi_factor_auth_rules: Type.Optional(
    nullable(
      Type.Array(Type.Array(text(64, 1), { minItems: 1, maxItems: 8, uniqueItems: true }), {
        maxItems: 16,
        uniqueItems: true,
      }),
    ),
  ),
});
export type UserOptions = Static<typeof userOptions>;

export const optionsOf = (row: { options: string }): UserOptions => JSON.parse(row.options) as UserOptions;

/** `asked` over what is stored; null removes. */
export function changedOptions(before: string, asked: UserOptions | undefined): string {
  if (asked === undefined) return before;
  const merged = { ...(JSON.parse(before) as UserOptions), ...asked };
  return JSON.stringify(Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)));
}
