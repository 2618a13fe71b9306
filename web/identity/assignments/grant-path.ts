// Addresses of role assignments.
import type { Assignment } from './api.ts';

/** Where a role is given, e.g. /projects/ID/users/ID/roles/ID; below OS-INHERIT for what projects inherit. */
export function grantPath({ role, user, group, scope }: Assignment): string {
  const place =
    scope.project === undefined
      ? scope.domain === undefined
        ? 'system'
        : `domains/${scope.domain.id}`
      : `projects/${scope.project.id}`;
  const who = user === undefined ? `groups/${group?.id ?? ''}` : `users/${user.id}`;
  const inherited = scope['OS-INHERIT:inherited_to'] !== undefined;
  return `/identity/v3/${inherited ? 'OS-INHERIT/' : ''}${place}/${who}/roles/${role.id}${inherited ? '/inherited_to_projects' : ''}`;
}
