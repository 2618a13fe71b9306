// Addresses of endpoints: what may be filled in is known, so that no address is a format string of something else.
import { badRequest } from '../../../kernel/errors.ts';
import type { Scope } from '../../../kernel/policy.ts';

const PLACE = /[%$]\(([^()]*)\)s/g;
const PROJECT = ['project_id', 'tenant_id'];

/** null: it needs a project and there is none. */
export function urlFor(url: string, scope: Scope, userId: string): string | null {
  const projectId = scope.type === 'project' ? scope.id : null;
  if (projectId === null && PROJECT.some((name) => url.includes(`(${name})s`))) return null;
  return url.replace(PLACE, (whole, name: string) =>
    PROJECT.includes(name) ? (projectId ?? '') : name === 'user_id' ? userId : whole,
  );
}

export function requireUrl(url: string): void {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s<>"\\^`{|}]+$/i.test(url))
    throw badRequest(`Invalid input for field url. Value: ${url.slice(0, 100)}. It must be an address.`);
  const rest = url.replace(PLACE, (whole, name: string) =>
    [...PROJECT, 'user_id'].includes(name) ? '' : whole,
  );
  if (/[%$]\(/.test(rest))
    throw badRequest(
      `Invalid input for field url. Value: ${url.slice(0, 100)}. It may hold %(project_id)s, %(tenant_id)s and %(user_id)s, and nothing else to be filled in.`,
    );
}
