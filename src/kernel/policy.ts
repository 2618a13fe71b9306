// Policies as data, with OpenStack's default roles and scopes. A rule names who may; the target is always
// what is stored, never what a request body says.
import type { AccessRule } from './access-rules.ts';

export type Role = 'admin' | 'manager' | 'member' | 'reader' | 'service';

export type Scope =
  | { type: 'project'; id: string; name: string; domainId: string; domainName: string }
  | { type: 'domain'; id: string; name: string }
  | { type: 'system' }
  | { type: 'unscoped' };

/** What a token stands on: an event about one of these with a higher number takes the rights away. Only identity reads it. */
export type Rights = { subjects: readonly string[]; sequence: number };

/** Who asks, as the token says; `anonymous` on routes that need no token. */
export type Actor = {
  userId: string;
  userName: string;
  userDomainId: string;
  userDomainName: string;
  scope: Scope;
  /** Role names with what they imply: admin > manager > member > reader. */
  roles: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** The token's audit id; '' for anonymous. */
  auditId: string;
  /** false: the token comes of a credential or a trust whose rights must not be handed on. */
  mayDelegate?: false;
  /** The trust, or the application credential, that the token comes of. */
  trustId?: string;
  credentialId?: string;
  /** For what lasts longer than the request, e.g. a console; absent: cannot be taken away. */
  rights?: Rights;
  /** Nothing but these requests is allowed; absent: no such limit. */
  accessRules?: readonly AccessRule[];
};

export const anonymous: Actor = {
  userId: '',
  userName: '',
  userDomainId: '',
  userDomainName: '',
  scope: { type: 'unscoped' },
  roles: new Set(),
  expiresAt: 0,
  auditId: '',
};

/** What a decision is about: the stored owner of the object. Absent fields do not match. */
export type Target = { projectId?: string | null; domainId?: string | null; userId?: string | null };

export type Rule =
  | { who: 'anyone' } // no token needed
  | { who: 'authenticated' } // any valid token, even unscoped
  | { who: 'owner' } // the target's user
  | {
      who: 'role';
      role: Role;
      /** 'any': whatever the scope. */
      scope: 'project' | 'domain' | 'system' | 'any';
      /** true: the target must lie in the token's own project or domain. */
      own: boolean;
    };

/** Allowed when any of the rules says so; nothing is allowed by default. */
export type Policy = { description: string; anyOf: readonly Rule[] };
export type Policies = Readonly<Record<string, Policy>>;

const role = (name: Role, scope: 'project' | 'domain' | 'system' | 'any', own: boolean): Rule => ({
  who: 'role',
  role: name,
  scope,
  own,
});
/** The vocabulary of the secure-RBAC defaults. */
export const rules = {
  anyone: { who: 'anyone' },
  authenticated: { who: 'authenticated' },
  owner: { who: 'owner' },
  admin: role('admin', 'any', false),
  service: role('service', 'any', false),
  systemReader: role('reader', 'system', false),
  projectReader: role('reader', 'project', true),
  projectMember: role('member', 'project', true),
  projectManager: role('manager', 'project', true),
  domainReader: role('reader', 'domain', true),
  domainManager: role('manager', 'domain', true),
} as const satisfies Record<string, Rule>;

function inOwnScope(scope: Scope, target: Target): boolean {
  if (scope.type === 'project') return target.projectId === scope.id;
  if (scope.type === 'domain') return target.domainId === scope.id;
  return false;
}

function holds(rule: Rule, actor: Actor, target: Target | null): boolean {
  if (rule.who === 'anyone') return true;
  if (actor.userId === '') return false;
  if (rule.who === 'authenticated') return true;
  if (rule.who === 'owner') return target === null || target.userId === actor.userId;
  if (rule.scope !== 'any' && rule.scope !== actor.scope.type) return false;
  if (actor.scope.type === 'unscoped' || !actor.roles.has(rule.role)) return false;
  return !rule.own || target === null || inOwnScope(actor.scope, target);
}

/** `target: null` asks whether the actor could be allowed for any target at all. */
export const allows = (policy: Policy, actor: Actor, target: Target | null): boolean =>
  policy.anyOf.some((rule) => holds(rule, actor, target));

/** Operators: the admin role on any scope, as Nova and Neutron define it. */
export const isAdmin = (actor: Actor): boolean => actor.scope.type !== 'unscoped' && actor.roles.has('admin');
/** The project a request works in; '' when the token is not scoped to one. */
export const projectOf = (actor: Actor): string => (actor.scope.type === 'project' ? actor.scope.id : '');

const implied: Readonly<Record<string, readonly string[]>> = {
  admin: ['manager', 'member', 'reader'],
  manager: ['member', 'reader'],
  member: ['reader'],
};
export const withImpliedRoles = (names: readonly string[]): ReadonlySet<string> =>
  new Set(names.flatMap((name) => [name, ...(implied[name] ?? [])]));

/** Operators see everything, everybody else what belongs to the project of their token. */
export const canSee = (actor: Actor, projectId: string | null): boolean =>
  isAdmin(actor) || (projectId !== null && projectId !== '' && projectOf(actor) === projectId);
