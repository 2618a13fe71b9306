// The kinds of caller that policies tell apart, as the pipeline sees them.
import { anonymous, withImpliedRoles, type Actor, type Scope } from '../../kernel/policy.ts';

const project: Scope = { type: 'project', id: 'p', name: 'p', domainId: 'default', domainName: 'Default' };
const actor = (scope: Scope, ...roles: string[]): Actor => ({
  userId: 'u',
  userName: 'u',
  userDomainId: 'default',
  userDomainName: 'Default',
  scope,
  roles: withImpliedRoles(roles),
  expiresAt: Number.MAX_SAFE_INTEGER,
  auditId: 'a',
});

export const actors = {
  anonymous,
  unscoped: actor({ type: 'unscoped' }),
  reader: actor(project, 'reader'),
  member: actor(project, 'member'),
  manager: actor(project, 'manager'),
  admin: actor(project, 'admin'),
  'system-reader': actor({ type: 'system' }, 'reader'),
  'domain-manager': actor({ type: 'domain', id: 'default', name: 'Default' }, 'manager'),
} as const satisfies Record<string, Actor>;
