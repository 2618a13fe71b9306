// The methods by which somebody proves who it is: password, one-time password, application credential, token.
import { badRequest, forbidden, notFound, unauthorized } from '../../../kernel/errors.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { ApplicationCredentialRow } from '../application-credentials/table.ts';
import { proveTotp } from '../credentials/totp.ts';
import type { Identity, Rows } from '../identity.ts';
import { failuresOf, isLockedOut, noteLogin } from '../users/lockout.ts';
import { optionsOf } from '../users/options.ts';
import { isExpired } from '../users/passwords.ts';
import type { UserRow } from '../users/table.ts';
import type { Claims } from './codec.ts';
import { refused, userBy } from './lookup.ts';
import type { AuthBody, CredentialRef, UserRef } from './schema.ts';

export type Who = {
  userId: string;
  methods: readonly string[];
  parent: Claims | null;
  /** Narrows what the token gives. */
  credential: ApplicationCredentialRow | null;
};

const nameOf = (ref: UserRef): string =>
  ref.id ?? `${ref.domain?.id ?? ref.domain?.name ?? ''}/${ref.name?.toLowerCase() ?? ''}`;

/**
 * One guess at a secret of a user: counted by address and by user, and refused while either count is too high. `test`
 * gets undefined for an unknown user, so that it can take its time all the same.
 */
async function guess(
  identity: Identity,
  platform: Platform,
  address: string,
  ref: UserRef,
  method: string,
  test: (user: UserRow | undefined) => Promise<boolean>,
): Promise<UserRow> {
  const rows = platform.db.read;
  identity.attempts.require(nameOf(ref), address);
  const user = await userBy(rows, ref, method);
  const right = await test(user);
  if (!right) identity.attempts.failed(nameOf(ref), address);
  if (user === undefined) throw refused();
  if (optionsOf(user).ignore_lockout_failure_attempts !== true) {
    // Read again: of guesses that came all at once, those that were still verified when the lock fell do not count.
    if (isLockedOut(identity, platform, await failuresOf(rows, user.id))) throw refused();
    await noteLogin(identity, platform, user.id, right);
  }
  if (!right) throw refused();
  return user;
}

/** Says nothing about expiry. */
export const provePassword = (
  identity: Identity,
  platform: Platform,
  address: string,
  ref: UserRef & { password: string },
): Promise<UserRow> =>
  guess(identity, platform, address, ref, 'password', (user) =>
    identity.passwords.verify(ref.password, user?.password_hash ?? null),
  );

const by = (userId: string, method: string): Who => ({
  userId,
  methods: [method],
  parent: null,
  credential: null,
});

async function byCredential(identity: Identity, platform: Platform, ref: CredentialRef): Promise<Who> {
  const rows = platform.db.read;
  let found = rows.selectFrom('application_credentials').selectAll();
  if (ref.id !== undefined) found = found.where('id', '=', ref.id);
  else {
    if (ref.name === undefined || ref.user === undefined)
      throw badRequest(
        'Invalid input for identity.application_credential. It must name the credential by id, or by name and user.',
      );
    const user = await userBy(rows, ref.user, 'application_credential');
    found = found.where('name', '=', ref.name).where('user_id', '=', user?.id ?? '');
  }
  const row = await found.executeTakeFirst();
  const right = await identity.passwords.verify(ref.secret, row?.secret_hash ?? null);
  if (!right || row === undefined) throw refused();
  return { ...by(row.user_id, 'application_credential'), credential: row };
}

/** A token proves who made it, and no more than it gives itself. */
async function byToken(identity: Identity, rows: Rows, token: string): Promise<Who> {
  const valid = identity.tokens.validate(token);
  // As Keystone: an unknown token is not found, whatever it is asked for.
  if (valid === null) throw notFound('Token', 'in identity.token.id');
  const { claims } = valid;
  // The user of such a token may be somebody else than who holds it.
  if (claims.trust !== undefined)
    throw forbidden('A token of a trust cannot be exchanged for another one: ask for the trust again.');
  // The key is for one project, whatever else its user has.
  if (claims.methods.includes('ec2credential'))
    throw forbidden('A token of an EC2 credential cannot be exchanged for another one: sign again.');
  const credential =
    claims.credential === undefined
      ? null
      : await rows
          .selectFrom('application_credentials')
          .selectAll()
          .where('id', '=', claims.credential.id)
          .executeTakeFirst();
  if (credential === undefined) throw refused();
  return {
    userId: claims.user.id,
    methods: [...new Set([...claims.methods, 'token'])],
    parent: claims,
    credential,
  };
}

async function proveOne(
  identity: Identity,
  platform: Platform,
  address: string,
  asked: AuthBody['identity'],
  method: string,
): Promise<Who> {
  const missing = () =>
    badRequest(`Invalid input for identity. '${method}' is a required property of the method ${method}.`);
  if (method === 'password') {
    if (asked.password === undefined) throw missing();
    const user = await provePassword(identity, platform, address, asked.password.user);
    if (isExpired(user, platform.clock.now()))
      throw unauthorized(`The password is expired and needs to be changed for user: ${user.id}.`);
    return by(user.id, method);
  }
  if (method === 'totp') {
    if (asked.totp === undefined) throw missing();
    const { passcode, ...ref } = asked.totp.user;
    const user = await guess(identity, platform, address, ref, method, (found) =>
      found === undefined ? Promise.resolve(false) : proveTotp(identity, platform, found.id, passcode),
    );
    return by(user.id, method);
  }
  if (method === 'token') {
    if (asked.token === undefined) throw missing();
    return byToken(identity, platform.db.read, asked.token.id);
  }
  if (method === 'application_credential') {
    if (asked.application_credential === undefined) throw missing();
    return byCredential(identity, platform, asked.application_credential);
  }
  throw unauthorized('Attempted to authenticate with an unsupported method.');
}

/** Each method that the body names must prove the same user. */
export async function prove(
  identity: Identity,
  platform: Platform,
  address: string,
  asked: AuthBody['identity'],
): Promise<Who> {
  const proven: Who[] = [];
  for (const method of asked.methods) proven.push(await proveOne(identity, platform, address, asked, method));
  const [first] = proven;
  if (first === undefined || proven.some((one) => one.userId !== first.userId)) throw refused();
  const credentials = proven.flatMap((one) => one.credential ?? []);
  if (credentials.some((one) => one.id !== credentials[0]?.id)) throw refused();
  return {
    userId: first.userId,
    methods: [...new Set(proven.flatMap((one) => one.methods))],
    // A token among the proofs is the parent: its expiry and its chain hold for what comes of it.
    parent: proven.find((one) => one.parent !== null)?.parent ?? null,
    credential: credentials[0] ?? null,
  };
}
