// What a token is good for: the roles of a user on a project, a domain or the system, or those of an application
// credential or a trust, which are never more than their maker has at that moment.
import { badRequest, forbidden, unauthorized } from '../../../kernel/errors.ts';
import type { AccessRule } from '../../../kernel/access-rules.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { Scope } from '../../../kernel/policy.ts';
import { accessRulesOf } from '../application-credentials/access-rules.ts';
import { rolesOf, type ApplicationCredentialRow } from '../application-credentials/table.ts';
import { effectiveRoles, globalRoles, impliedRoles, type Role } from '../assignments/effective.ts';
import type { DomainRow } from '../domains/table.ts';
import type { Rows } from '../identity.ts';
import type { ProjectRow } from '../projects/table.ts';
import { consume, liveTrust, sourceOf } from '../trusts/use.ts';
import type { UserRow } from '../users/table.ts';
import type { Claims } from './codec.ts';
import { activeUser, domainBy, projectBy, refused } from './lookup.ts';
import type { ScopeRef } from './schema.ts';

export type Scoped = {
  scope: Scope;
  roles: Role[];
  /** Whose token it is, where that is not who asks. */
  user?: UserRow;
  /** Milliseconds since the epoch: it ends then, if not before. */
  until?: number;
} & Pick<Claims, 'credential' | 'accessRules' | 'trust'>;

const unscoped: Scoped = { scope: { type: 'unscoped' }, roles: [] };

export async function onProject(
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

async function onDomain(rows: Rows, userId: string, domain: DomainRow | undefined): Promise<Scoped | null> {
  if (domain === undefined || domain.enabled === 0) return null;
  const roles = await effectiveRoles(rows, userId, 'domain', domain.id);
  return roles.length === 0 ? null : { scope: { type: 'domain', id: domain.id, name: domain.name }, roles };
}

/** What the user is entitled to on the scope asked for; 401 when it is nothing. */
export async function resolveScope(platform: Platform, user: UserRow, asked: ScopeRef): Promise<Scoped> {
  const rows = platform.db.read;
  if (asked === undefined) {
    if (user.default_project_id === null) return unscoped;
    return (
      (await onProject(rows, user.id, await projectBy(rows, { id: user.default_project_id }))) ?? unscoped
    );
  }
  if (asked === 'unscoped') return unscoped;
  if (Object.keys(asked).length !== 1)
    throw badRequest(
      'Invalid input for scope. It must be exactly one of project, domain, system, OS-TRUST:trust or unscoped.',
    );
  if (asked.unscoped !== undefined) return unscoped;
  const trust = asked['OS-TRUST:trust'];
  if (trust !== undefined) return scopeOfTrust(platform, user, trust.id);
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
export async function scopeOfCredential(
  platform: Platform,
  credential: ApplicationCredentialRow,
  asked: ScopeRef,
): Promise<Scoped> {
  const rows = platform.db.read;
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
  const accessRules: readonly AccessRule[] | null = await accessRulesOf(rows, credential);
  return {
    scope: scoped.scope,
    roles,
    ...(credential.expires_at === null ? {} : { until: credential.expires_at / 1000 }),
    ...(accessRules === null ? {} : { accessRules }),
    credential: {
      id: credential.id,
      name: credential.name,
      unrestricted: credential.unrestricted === 1,
    },
  };
}

/** What a trust gives its trustee: its roles, all of which their source must still have. Uses it up by one. */
async function scopeOfTrust(platform: Platform, trustee: UserRow, trustId: string): Promise<Scoped> {
  const rows = platform.db.read;
  const trust = await liveTrust(rows, trustId, platform.clock.now());
  // One answer, so that nobody learns of trusts between others.
  if (trust === null || trust.trustee_user_id !== trustee.id) throw refused();
  const sourceId = await sourceOf(rows, trust);
  const trustor = await activeUser(rows, trust.trustor_user_id);
  const source = sourceId === null ? undefined : await activeUser(rows, sourceId);
  if (trustor === undefined || source === undefined || sourceId === null)
    throw forbidden(`Trust ${trust.id}: the trustor, or who trusted that one, is disabled or gone.`);
  const scoped = await onProject(rows, sourceId, await projectBy(rows, { id: trust.project_id }));
  const given = JSON.parse(trust.roles) as string[];
  const held = new Set(scoped?.roles.map((role) => role.id));
  if (scoped === null || !given.every((id) => held.has(id)))
    throw forbidden(
      `Trust ${trust.id}: the trustor no longer has all of its roles on project ${trust.project_id}.`,
    );
  const expand = await impliedRoles(rows);
  const roles = await globalRoles(rows, [...new Set(given.flatMap((id) => [...expand(id)]))]);
  await consume(platform, trust);
  return {
    scope: scoped.scope,
    roles,
    user: trust.impersonation === 1 ? trustor.user : trustee,
    ...(trust.expires_at === null ? {} : { until: trust.expires_at / 1000 }),
    trust: {
      id: trust.id,
      impersonation: trust.impersonation === 1,
      trustorId: trust.trustor_user_id,
      trusteeId: trust.trustee_user_id,
      sourceId,
    },
  };
}
