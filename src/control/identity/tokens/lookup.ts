// What a request for a token names: users, projects and domains, by id, or by name and domain.
import { badRequest, unauthorized, type CloudError } from '../../../kernel/errors.ts';
import type { DomainRow } from '../domains/table.ts';
import type { Rows } from '../identity.ts';
import type { ProjectRow } from '../projects/table.ts';
import type { UserRow } from '../users/table.ts';
import type { DomainRef, ProjectRef, UserRef } from './schema.ts';

/** Every failure that has to do with who somebody is says this. */
export const refused = (): CloudError => unauthorized('The request you have made requires authentication.');

export async function domainBy(
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

export async function userBy(rows: Rows, ref: UserRef, method: string): Promise<UserRow | undefined> {
  const found = rows.selectFrom('users').selectAll();
  if (ref.id !== undefined) return found.where('id', '=', ref.id).executeTakeFirst();
  if (ref.name === undefined)
    throw badRequest(
      `Invalid input for identity.${method}.user. It must name the user by id, or by name and domain.`,
    );
  const domain = await domainBy(rows, ref.domain, `identity.${method}.user.domain`);
  return domain === undefined
    ? undefined
    : found.where('domain_id', '=', domain.id).where('name', '=', ref.name).executeTakeFirst();
}

export async function projectBy(rows: Rows, ref: ProjectRef): Promise<ProjectRow | undefined> {
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

/** The user and the domain, both enabled; undefined otherwise. */
export async function activeUser(
  rows: Rows,
  userId: string,
): Promise<{ user: UserRow; domain: DomainRow } | undefined> {
  const user = await rows.selectFrom('users').selectAll().where('id', '=', userId).executeTakeFirst();
  if (user === undefined || user.enabled === 0) return undefined;
  const domain = await rows
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', user.domain_id)
    .executeTakeFirst();
  return domain === undefined || domain.enabled === 0 ? undefined : { user, domain };
}
