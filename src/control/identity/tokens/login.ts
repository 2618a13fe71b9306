// Credentials in, token out. Every failure that has to do with who somebody is says the same, so that
// nobody learns which users, domains or projects exist.
import { badRequest, unauthorized } from '../../../kernel/errors.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { Scope } from '../../../kernel/policy.ts';
import { rolesOf, type ApplicationCredentialRow } from '../application-credentials/table.ts';
import { effectiveRoles, type Role } from '../assignments/effective.ts';
import type { DomainRow } from '../domains/table.ts';
import type { Identity, Rows } from '../identity.ts';
import type { ProjectRow } from '../projects/table.ts';
import type { UserRow } from '../users/table.ts';
import type { Claims } from './codec.ts';
import { failuresOf, isLockedOut, noteLogin } from '../users/lockout.ts';
import type {
  AuthBody,
  CredentialRef,
  DomainRef,
  PasswordRef,
  ProjectRef,
  ScopeRef,
  UserRef,
} from './schema.ts';

const refused = () => unauthorized('The request you have made requires authentication.');

async function domainBy(
  rows: Rows,
  ref: DomainRef | undefined,
  field: string,
): Promise<DomainRow | undefined> {
  if (ref === undefined || (ref.id === undefined) === (ref.name === undefined))
    throw badRequest(`Invalid input for ${field}. It must name a domain by id or by name.`);
  const found = rows.selectFrom('domains').selectAll();
  return (
    ref.id === undefined ? found.where('name', '=', ref.name ?? '') : found.where('id', '=', ref.id)
  ).executeTakeFirst();
}

async function userBy(rows: Rows, ref: UserRef): Promise<UserRow | undefined> {
  const found = rows.selectFrom('users').selectAll();
  if (ref.id !== undefined) return found.where('id', '=', ref.id).executeTakeFirst();
  if (ref.name === undefined)
    throw badRequest(
      'Invalid input for identity.password.user. It must name the user by id, or by name and domain.',
    );
  const domain = await domainBy(rows, ref.domain, 'identity.password.user.domain');
  return domain === undefined
    ? undefined
    : found.where('domain_id', '=', domain.id).where('name', '=', ref.name).executeTakeFirst();
}

type Who = {
  userId: string;
  methods: readonly string[];
  parent: Claims | null;
  /** Narrows what the token gives. */
  credential: ApplicationCredentialRow | null;
};

/** By password; too many wrong ones lock the user out for a while, also with the right one. */
async function byPassword(identity: Identity, platform: Platform, ref: PasswordRef): Promise<Who> {
  const rows = platform.db.read;
  const user = await userBy(rows, ref);
  const right = await identity.passwords.verify(ref.password, user?.password_hash ?? null);
  if (user === undefined) throw refused();
  // Read again: of guesses that came all at once, those that were still verified when the lock fell do not count.
  if (isLockedOut(identity, platform, await failuresOf(rows, user.id))) throw refused();
  await noteLogin(identity, platform, user.id, right);
  if (!right) throw refused();
  return { userId: user.id, methods: ['password'], parent: null, credential: null };
}

async function byCredential(identity: Identity, platform: Platform, ref: CredentialRef): Promise<Who> {
  const rows = platform.db.read;
  let found = rows.selectFrom('application_credentials').selectAll();
  if (ref.id !== undefined) found = found.where('id', '=', ref.id);
  else {
    if (ref.name === undefined || ref.user === undefined)
      throw badRequest(
        'Invalid input for identity.application_credential. It must name the credential by id, or by name and user.',
      );
    const user = await userBy(rows, ref.user);
    found = found.where('name', '=', ref.name).where('user_id', '=', user?.id ?? '');
  }
  const row = await found.executeTakeFirst();
  const right = await identity.passwords.verify(ref.secret, row?.secret_hash ?? null);
  if (!right || row === undefined) throw refused();
  return { userId: row.user_id, methods: ['application_credential'], parent: null, credential: row };
}

/** A token proves who made it, and no more than it gives itself. */
async function byToken(identity: Identity, rows: Rows, token: string): Promise<Who> {
  const valid = identity.tokens.validate(token);
  if (valid === null) throw refused();
  const { claims } = valid;
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

/** Each method that the body names must prove the same user. */
async function prove(identity: Identity, platform: Platform, asked: AuthBody['identity']): Promise<Who> {
  const proven: Who[] = [];
  for (const method of asked.methods) {
    const missing = () =>
      badRequest(`Invalid input for identity. '${method}' is a required property of the method ${method}.`);
    if (method === 'password') {
      if (asked.password === undefined) throw missing();
      proven.push(await byPassword(identity, platform, asked.password.user));
    } else if (method === 'token') {
      if (asked.token === undefined) throw missing();
      proven.push(await byToken(identity, platform.db.read, asked.token.id));
    } else if (method === 'application_credential') {
      if (asked.application_credential === undefined) throw missing();
      proven.push(await byCredential(identity, platform, asked.application_credential));
    } else throw unauthorized('Attempted to authenticate with an unsupported method.');
  }
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

type Scoped = { scope: Scope; roles: Role[] };
const unscoped: Scoped = { scope: { type: 'unscoped' }, roles: [] };

async function onProject(
  rows: Rows,
  userId: string,
  project: ProjectRow | undefined,
): Promise<Scoped | null> {
  if (project === undefined || project.enabled === 0) return null;
  const domain = await rows
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', project.domain_id)
    .executeTakeFirst();
  if (domain === undefined || domain.enabled === 0) return null;
  const roles = await effectiveRoles(rows, userId, 'project', project.id);
  const scope: Scope = {
    type: 'project',
    id: project.id,
    name: project.name,
    domainId: domain.id,
    domainName: domain.name,
  };
  return roles.length === 0 ? null : { scope, roles };
}

async function projectBy(rows: Rows, ref: ProjectRef): Promise<ProjectRow | undefined> {
  const found = rows.selectFrom('projects').selectAll();
  if (ref.id !== undefined) return found.where('id', '=', ref.id).executeTakeFirst();
  if (ref.name === undefined)
    throw badRequest(
      'Invalid input for scope.project. It must name the project by id, or by name and domain.',
    );
  const domain = await domainBy(rows, ref.domain, 'scope.project.domain');
  return domain === undefined
    ? undefined
    : found.where('domain_id', '=', domain.id).where('name', '=', ref.name).executeTakeFirst();
}

async function onDomain(rows: Rows, userId: string, domain: DomainRow | undefined): Promise<Scoped | null> {
  if (domain === undefined || domain.enabled === 0) return null;
  const roles = await effectiveRoles(rows, userId, 'domain', domain.id);
  return roles.length === 0 ? null : { scope: { type: 'domain', id: domain.id, name: domain.name }, roles };
}

/** What the user is entitled to on the scope asked for; 401 when it is nothing. */
async function resolveScope(rows: Rows, user: UserRow, asked: ScopeRef): Promise<Scoped> {
  if (asked === undefined) {
    if (user.default_project_id === null) return unscoped;
    return (
      (await onProject(rows, user.id, await projectBy(rows, { id: user.default_project_id }))) ?? unscoped
    );
  }
  if (asked === 'unscoped') return unscoped;
  if (Object.keys(asked).length !== 1)
    throw badRequest(
      'Invalid input for scope. It must be exactly one of project, domain, system or unscoped.',
    );
  if (asked.unscoped !== undefined) return unscoped;
  let scoped: Scoped | null;
  if (asked.project !== undefined)
    scoped = await onProject(rows, user.id, await projectBy(rows, asked.project));
  else if (asked.domain !== undefined)
    scoped = await onDomain(rows, user.id, await domainBy(rows, asked.domain, 'scope.domain'));
  else {
    const roles = await effectiveRoles(rows, user.id, 'system', '');
    scoped = roles.length === 0 ? null : { scope: { type: 'system' }, roles };
  }
  if (scoped === null) throw refused();
  return scoped;
}

/** A credential has its scope: its project, with those of its roles that the user still has there. */
async function scopeOfCredential(
  rows: Rows,
  platform: Platform,
  credential: ApplicationCredentialRow,
  asked: ScopeRef,
): Promise<Scoped> {
  if (credential.expires_at !== null && credential.expires_at <= platform.clock.now() * 1000) throw refused();
  const project = await projectBy(rows, { id: credential.project_id });
  const scoped = await onProject(rows, credential.user_id, project);
  if (scoped === null) throw refused();
  if (asked !== undefined) {
    const named =
      typeof asked === 'object' && asked.project !== undefined
        ? await projectBy(rows, asked.project)
        : undefined;
    if (named?.id !== credential.project_id)
      throw unauthorized('Application credentials cannot request a scope.');
  }
  const roles = await rolesOf(rows, credential);
  if (roles.length === 0) throw refused();
  return { scope: scoped.scope, roles };
}

export async function login(
  identity: Identity,
  platform: Platform,
  body: AuthBody,
): Promise<{ token: string; claims: Claims }> {
  const rows = platform.db.read;
  if (!identity.revocations.loaded()) await identity.revocations.load();
  // First of all: what changes while the rest is read must revoke what comes of it.
  const sequence = await identity.revocations.sequence(rows);
  const who = await prove(identity, platform, body.identity);
  const user = await rows.selectFrom('users').selectAll().where('id', '=', who.userId).executeTakeFirst();
  if (user === undefined || user.enabled === 0) throw refused();
  const domain = await rows
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', user.domain_id)
    .executeTakeFirst();
  if (domain === undefined || domain.enabled === 0) throw refused();
  const { credential } = who;
  const scoped =
    credential === null
      ? await resolveScope(rows, user, body.scope)
      : await scopeOfCredential(rows, platform, credential, body.scope);
  return identity.tokens.issue(
    {
      user: { id: user.id, name: user.name, domainId: domain.id, domainName: domain.name },
      ...scoped,
      methods: who.methods,
      sequence,
      ...(credential === null
        ? {}
        : {
            credential: {
              id: credential.id,
              name: credential.name,
              unrestricted: credential.unrestricted === 1,
            },
          }),
    },
    who.parent,
    credential === null || credential.expires_at === null ? undefined : credential.expires_at / 1000,
  );
}
