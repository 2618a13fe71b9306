// What an operator may set about identity: read from identity.yaml in the data dir, checked, with Keystone's
// defaults. The names are ours; docs/operate says which option of keystone.conf each one is.
import { readFileSync } from 'node:fs';
import { Type, type Static } from 'typebox';
import { parse } from 'yaml';
import { checker, integer, nullable, prose, strict } from '../../kernel/schema.ts';

const passwordRules = {
  /** Wrong passwords in a row after which a user is locked out, and for how long. */
  lockoutAttempts: integer(1, 1000),
  lockoutSeconds: integer(1, 86_400),
  /** A user's new password differs from this many of the last ones, the present one included. */
  uniqueLast: integer(0, 24),
  /** Days before a password that the user chose may be changed again; 0: none. */
  minimumAgeDays: integer(0, 365),
  /** Days after which a password has to be changed; 0: never. */
  expiresDays: integer(0, 3650),
  /** What a password has to match; null: anything. */
  regex: nullable(Type.String({ maxLength: 1000 })),
  regexDescription: prose(1000),
  /** A password that somebody else set has to be changed before it is good for a token. */
  changeUponFirstUse: Type.Boolean(),
  /** Days without a login after which an account is closed; 0: never. */
  disableInactiveDays: integer(0, 3650),
  /** Wrong passwords a minute, by user and address of the client, before the answer is 429. */
  failuresAMinute: integer(1, 100_000),
};
const rules = strict(passwordRules);
export type PasswordRules = Static<typeof rules>;

export const PASSWORD_RULES: PasswordRules = {
  lockoutAttempts: 10,
  lockoutSeconds: 30,
  uniqueLast: 2,
  minimumAgeDays: 0,
  expiresDays: 0,
  regex: null,
  regexDescription: '',
  changeUponFirstUse: false,
  disableInactiveDays: 0,
  failuresAMinute: 30,
};

const file = strict({
  tokenTtlSeconds: Type.Optional(integer(60, 86_400)),
  /** Days after which a new key signs the tokens; the old ones are kept as long as tokens of theirs are good. */
  signingKeyDays: Type.Optional(integer(1, 365)),
  passwords: Type.Optional(Type.Partial(rules, { additionalProperties: false })),
});
export type Settings = Static<typeof file>;
const check = checker(file);

/** What `path` says; nothing when it does not exist. Throws, naming the field, when it says something else. */
export function readSettings(path: string): Settings {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    const settings = check(parse(text) ?? {}, 0, 'settings');
    if (typeof settings.passwords?.regex === 'string') new RegExp(settings.passwords.regex, 'u').test('');
    return settings;
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
