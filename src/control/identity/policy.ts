// Who may do what: Keystone's secure-RBAC defaults with the domain manager of 2024.2. The operator is an
// admin on any scope; a reader of the system or of a domain reads it; a domain's manager runs its users,
// groups and projects and hands out the roles in `delegable`.
import { forbidden, notFound } from '../../kernel/errors.ts';
import {
  allows,
  isAdmin,
  rules,
  type Actor,
  type Policy,
  type Rule,
  type Target,
} from '../../kernel/policy.ts';
import type { Ctx } from '../../kernel/platform.ts';

const {
  admin,
  anyone,
  authenticated,
  domainManager,
  domainReader,
  owner,
  projectReader,
  service,
  systemReader,
} = rules;

const policy = (description: string, ...anyOf: Rule[]): Policy => ({ description, anyOf });
const readers = [admin, systemReader, domainReader];
const operators = [admin, systemReader];
const managers = [admin, domainManager];

export const policies = {
  'identity:discovery': policy('Show the versions', anyone),
  'identity:authenticate': policy('Exchange credentials for a token', anyone),
  'identity:validate_token': policy('Show a token', authenticated),
  'identity:revoke_token': policy('Revoke a token', authenticated),
  'identity:get_auth': policy('Show what the own token gives and could give', authenticated),

  'identity:list_domains': policy('List domains', ...readers),
  'identity:get_domain': policy('Show a domain', ...readers, projectReader),
  'identity:create_domain': policy('Create a domain', admin),
  'identity:update_domain': policy('Change a domain', admin),
  'identity:delete_domain': policy('Delete a disabled domain and all in it', admin),

  'identity:get_domain_config': policy('Show the configuration of a domain', ...operators),
  'identity:get_domain_config_default': policy('Show the defaults of domain configuration', ...operators),
  'identity:create_domain_config': policy('Set the configuration of a domain', admin),
  'identity:update_domain_config': policy('Change the configuration of a domain', admin),
  'identity:delete_domain_config': policy('Delete the configuration of a domain', admin),
  'identity:get_security_compliance_domain_config': policy(
    'Show what a password has to be like',
    authenticated,
  ),
  'identity:list_projects': policy('List projects', ...readers),
  'identity:get_project': policy('Show a project', ...readers, projectReader),
  'identity:create_project': policy('Create a project', ...managers),
  'identity:update_project': policy('Change a project', ...managers),
  'identity:delete_project': policy('Delete a project', ...managers),
  'identity:list_user_projects': policy('List the projects that a user can work in', ...readers, owner),

  'identity:list_users': policy('List users', ...readers),
  'identity:get_user': policy('Show a user', ...readers, owner),
  'identity:create_user': policy('Create a user', ...managers),
  'identity:update_user': policy('Change a user', ...managers),
  'identity:delete_user': policy('Delete a user', ...managers),
  // With the old password, which says who it is.
  'identity:change_password': policy('Change the own password', anyone),

  'identity:list_application_credentials': policy('List application credentials', ...readers, owner),
  'identity:get_application_credential': policy('Show an application credential', ...readers, owner),
  'identity:create_application_credential': policy('Create an application credential', owner),
  'identity:delete_application_credential': policy('Delete an application credential', admin, owner),

  'identity:list_access_rules': policy('List the access rules of a user', ...readers, owner),
  'identity:get_access_rule': policy('Show an access rule', ...readers, owner),
  'identity:delete_access_rule': policy('Delete an access rule', admin, owner),
  // Keystone lets a system's reader see these; here nobody who only reads gets secrets.
  'identity:list_credentials': policy('List credentials', admin, owner),
  'identity:get_credential': policy('Show a credential and its secret', admin, owner),
  'identity:create_credential': policy('Create a credential', admin, owner),
  'identity:update_credential': policy('Change a credential', admin, owner),
  'identity:delete_credential': policy('Delete a credential', admin, owner),
  'identity:exchange_signature': policy('Exchange a signature for a token', admin, service),
  'identity:list_trusts': policy('List trusts', admin, systemReader, owner),
  'identity:get_trust': policy('Show a trust', admin, systemReader, owner),
  'identity:create_trust': policy('Create a trust', owner),
  'identity:delete_trust': policy('Delete a trust', admin, owner),
  'identity:list_revoke_events': policy('List revocation events', admin, service),
  'identity:list_groups': policy('List groups', ...readers),
  'identity:get_group': policy('Show a group', ...readers),
  'identity:create_group': policy('Create a group', ...managers),
  'identity:update_group': policy('Change a group', ...managers),
  'identity:delete_group': policy('Delete a group', ...managers),
  'identity:list_groups_for_user': policy('List the groups of a user', ...readers, owner),
  'identity:list_users_in_group': policy('List the members of a group', ...readers),
  'identity:check_user_in_group': policy('Check whether a user is in a group', ...readers),
  'identity:add_user_to_group': policy('Put a user into a group', ...managers),
  'identity:remove_user_from_group': policy('Take a user out of a group', ...managers),

  'identity:list_roles': policy('List roles', ...operators, domainManager),
  'identity:get_role': policy('Show a role', ...operators, domainManager),
  'identity:create_role': policy('Create a role', admin),
  'identity:update_role': policy('Change a role', admin),
  'identity:delete_role': policy('Delete a role', admin),
  'identity:get_implied_role': policy('Show which roles a role implies', ...operators),
  'identity:create_implied_role': policy('Make a role imply another', admin),
  'identity:delete_implied_role': policy('Make a role no longer imply another', admin),

  'identity:list_grants': policy('List the roles of a user or group on a project or domain', ...readers),
  'identity:check_grant': policy('Check a role of a user or group on a project or domain', ...readers),
  'identity:create_grant': policy('Give a role on a project or domain', ...managers),
  'identity:revoke_grant': policy('Take a role on a project or domain', ...managers),
  'identity:list_system_grants': policy('List the roles of a user or group on the system', ...operators),
  'identity:check_system_grant': policy('Check a role of a user or group on the system', ...operators),
  'identity:create_system_grant': policy('Give a role on the system', admin),
  'identity:revoke_system_grant': policy('Take a role on the system', admin),
  'identity:list_role_assignments': policy('List role assignments', ...readers),

  'identity:list_regions': policy('List regions', authenticated),
  'identity:get_region': policy('Show a region', authenticated),
  'identity:create_region': policy('Create a region', admin),
  'identity:update_region': policy('Change a region', admin),
  'identity:delete_region': policy('Delete a region', admin),
  'identity:list_services': policy('List services', ...operators),
  'identity:get_service': policy('Show a service', ...operators),
  'identity:create_service': policy('Create a service', admin),
  'identity:update_service': policy('Change a service', admin),
  'identity:delete_service': policy('Delete a service', admin),
  'identity:list_endpoints': policy('List endpoints', ...operators),
  'identity:get_endpoint': policy('Show an endpoint', ...operators),
  'identity:create_endpoint': policy('Create an endpoint', admin),
  'identity:update_endpoint': policy('Change an endpoint', admin),
  'identity:delete_endpoint': policy('Delete an endpoint', admin),
  'identity:list_endpoint_groups': policy('List endpoint groups', ...operators),
  'identity:get_endpoint_group': policy('Show an endpoint group', ...operators),
  'identity:create_endpoint_group': policy('Create an endpoint group', admin),
  'identity:update_endpoint_group': policy('Change an endpoint group', admin),
  'identity:delete_endpoint_group': policy('Delete an endpoint group', admin),
  'identity:get_endpoint_filter': policy('Show which endpoints a project sees', ...operators),
  'identity:change_endpoint_filter': policy('Choose which endpoints a project sees', admin),
  'identity:get_limit_model': policy('Show how limits depend on each other', authenticated),
  'identity:list_registered_limits': policy('List registered limits', authenticated),
  'identity:get_registered_limit': policy('Show a registered limit', authenticated),
  'identity:create_registered_limits': policy('Register limits', admin),
  'identity:update_registered_limit': policy('Change a registered limit', admin),
  'identity:delete_registered_limit': policy('Delete a registered limit', admin),
  'identity:list_limits': policy('List limits', ...readers, projectReader),
  'identity:get_limit': policy('Show a limit', ...readers, projectReader),
  'identity:create_limits': policy('Create limits', admin),
  'identity:update_limit': policy('Change a limit', admin),
  'identity:delete_limit': policy('Delete a limit', admin),
  'identity:list_policies': policy('List policy documents', ...operators),
  'identity:get_policy': policy('Show a policy document', ...operators),
  'identity:create_policy': policy('Create a policy document', admin),
  'identity:update_policy': policy('Change a policy document', admin),
  'identity:delete_policy': policy('Delete a policy document', admin),
  'identity:validate_foreign_token': policy(
    "Show or revoke somebody else's token",
    admin,
    service,
    systemReader,
  ),
} as const satisfies Record<string, Policy>;

export type PolicyName = keyof typeof policies;

export const may = (actor: Actor, name: PolicyName, target: Target | null): boolean =>
  allows(policies[name], actor, target);

/** Refuses with 404 what the actor may not even read. */
export function requireReadable(ctx: Ctx, name: PolicyName, target: Target, kind: string, id: string): void {
  if (!may(ctx.actor, name, target)) throw notFound(kind, id);
}

/** Refuses with 403 what the actor may read but not do: the policy of the route, on the stored target. */
export function permit(ctx: Ctx, target: Target): void {
  if (!may(ctx.actor, ctx.action as PolicyName, target))
    throw forbidden(`You are not authorized to perform the requested action: ${ctx.action}.`);
}

/** Refuses with 403 what must not be done with a token that gives a part of somebody's rights: make, see or end others. */
export function requireFree(ctx: Ctx): void {
  if (ctx.actor.mayDelegate === false)
    throw forbidden(
      `You are not authorized to perform the requested action: ${ctx.action}. A token of a trust, of an EC2 credential, or of an application credential that is restricted, cannot manage credentials and trusts.`,
    );
}

/** The domain that lists are limited to; null: none. A route's policy let the actor in before. */
export function listedDomain(actor: Actor): string | null {
  if (isAdmin(actor) || actor.scope.type === 'system') return null;
  return actor.scope.type === 'domain' ? actor.scope.id : '';
}

const delegable: ReadonlySet<string> = new Set(['manager', 'member', 'reader']);
/** The roles that the manager of a domain may give and take. A domain's own role of such a name may imply anything. */
export const isDelegable = (role: { name: string; domain_id: string }): boolean =>
  role.domain_id === '' && delegable.has(role.name);
