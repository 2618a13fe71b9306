// The verbs on domains. Only operators make and remove them; what is in a domain goes with it.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { prose, strict, text } from '../../../kernel/schema.ts';
import { chunks, DEFAULT_DOMAIN, type Identity, type Rows } from '../identity.ts';
import { forgetOrphans } from '../application-credentials/table.ts';
import { permit, requireReadable } from '../policy.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import {
  extraOf,
  extraView,
  immutableNow,
  keyOf,
  nameOf,
  objectOptions,
  open,
  optionsView,
  requireMutable,
  requireSameId,
  uniquely,
  urlOf,
} from '../wire.ts';
import type { DomainRow } from './table.ts';

const fields = { name: nameOf(64), description: prose(4000), enabled: Type.Boolean() };
const noTags = Type.Optional(Type.Array(text(255, 1), { maxItems: 0 }));
const create = open({
  ...Type.Partial(strict(fields)).properties,
  name: fields.name,
  options: objectOptions,
  tags: noTags,
  explicit_domain_id: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$', 'x-ref': 'none' })),
});
export const createDomainBody = strict({ domain: create });
const update = open({
  ...Type.Partial(strict(fields)).properties,
  options: objectOptions,
  tags: noTags,
});
export const updateDomainBody = strict({ domain: update });

export const domainView = (platform: Platform, row: DomainRow): object => ({
  ...extraView(row),
  id: row.id,
  name: row.name,
  description: row.description,
  enabled: row.enabled === 1,
  tags: [],
  options: optionsView(row),
  links: { self: urlOf(platform, `/v3/domains/${row.id}`) },
});

/** The row, if the actor may read it: 404 otherwise. */
export async function domainFor(rows: Rows, ctx: Ctx, id: string): Promise<DomainRow> {
  const row = await rows.selectFrom('domains').selectAll().where('id', '=', id).executeTakeFirst();
  const { scope } = ctx.actor;
  const projectId = scope.type === 'project' && scope.domainId === id ? scope.id : null;
  if (row === undefined) throw notFound('Domain', id);
  requireReadable(ctx, 'identity:get_domain', { domainId: id, projectId }, 'Domain', id);
  return row;
}

/** Domains and projects share one space of ids: some clients show domains as projects. */
async function isTaken(rows: Rows, id: string): Promise<boolean> {
  const [domain, project] = [
    await rows.selectFrom('domains').select('id').where('id', '=', id).executeTakeFirst(),
    await rows.selectFrom('projects').select('id').where('id', '=', id).executeTakeFirst(),
  ];
  return domain !== undefined || project !== undefined;
}

/** Where a new object goes when the body does not say: the domain of the token. */
export function domainOfToken(ctx: Ctx): string {
  const { scope } = ctx.actor;
  if (scope.type === 'domain') return scope.id;
  return scope.type === 'project' ? scope.domainId : DEFAULT_DOMAIN;
}

export async function createDomain(
  ctx: Ctx,
  { domain: body }: Static<typeof createDomainBody>,
): Promise<DomainRow> {
  const row: DomainRow = {
    id: body.explicit_domain_id ?? ctx.platform.ids.hex(),
    name: body.name,
    name_key: keyOf(body.name),
    description: body.description ?? '',
    enabled: body.enabled === false ? 0 : 1,
    immutable: immutableNow(body.options, 0),
    extra: extraOf(body, create),
  };
  const work = ctx.platform.db.tx(async (tx) => {
    if (await isTaken(tx, row.id))
      throw conflict(`Conflict occurred attempting to store domain - Duplicate ID, ${row.id}.`);
    await tx.insertInto('domains').values(row).execute();
    await audit(tx, ctx, 'domain', row.id);
    return row;
  });
  return uniquely('domain', body.name, work);
}

export async function updateDomain(
  identity: Identity,
  ctx: Ctx,
  id: string,
  { domain: body }: Static<typeof updateDomainBody>,
): Promise<DomainRow> {
  const work = ctx.platform.db.tx(async (tx) => {
    const row = await domainFor(tx, ctx, id);
    permit(ctx, { domainId: id });
    requireSameId(body, id);
    requireMutable('domain', row, body.options);
    if (id === DEFAULT_DOMAIN && body.enabled === false)
      throw forbidden('The default domain cannot be disabled: the operators log in there.');
    const changed: DomainRow = {
      ...row,
      name: body.name ?? row.name,
      name_key: keyOf(body.name ?? row.name),
      description: body.description ?? row.description,
      enabled: Number(body.enabled ?? row.enabled === 1),
      immutable: immutableNow(body.options, row.immutable),
      extra: extraOf(body, update, row.extra),
    };
    await tx.updateTable('domains').set(changed).where('id', '=', id).execute();
    if (row.enabled === 1 && changed.enabled === 0)
      await identity.revocations.revoke(tx, [subjects.domain(id)]);
    await audit(tx, ctx, 'domain', id);
    return changed;
  }, revoking);
  return uniquely('domain', body.name ?? '', work);
}

async function forgetRolesOf(tx: Tx, domainId: string): Promise<void> {
  const own = tx.selectFrom('roles').select('id').where('domain_id', '=', domainId);
  await tx.deleteFrom('role_assignments').where('role_id', 'in', own).execute();
  await tx.deleteFrom('implied_roles').where('prior_id', 'in', own).execute();
  await tx.deleteFrom('roles').where('domain_id', '=', domainId).execute();
}

export async function deleteDomain(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await domainFor(tx, ctx, id);
    permit(ctx, { domainId: id });
    if (id === DEFAULT_DOMAIN)
      throw forbidden('The default domain cannot be deleted: the operators log in there.');
    requireMutable('domain', row);
    if (row.enabled === 1)
      throw forbidden(`Domain ${id} is enabled: a domain must be disabled before it can be deleted.`);
    const idsIn = async (table: 'users' | 'groups' | 'projects'): Promise<string[]> =>
      (await tx.selectFrom(table).select('id').where('domain_id', '=', id).execute()).map((one) => one.id);
    const [users, groups, projects] = [await idsIn('users'), await idsIn('groups'), await idsIn('projects')];
    // A group here may have members of another domain, whose tokens rest on its roles.
    for (const some of chunks(groups)) {
      const members = await tx
        .selectFrom('group_members')
        .select('user_id')
        .distinct()
        .where('group_id', 'in', some)
        .execute();
      await identity.revocations.revoke(
        tx,
        members.map((member) => subjects.user(member.user_id)),
      );
      await tx.deleteFrom('group_members').where('group_id', 'in', some).execute();
      await tx
        .deleteFrom('role_assignments')
        .where('actor_kind', '=', 'group')
        .where('actor_id', 'in', some)
        .execute();
    }
    for (const some of chunks(users)) {
      await tx.deleteFrom('group_members').where('user_id', 'in', some).execute();
      await tx
        .deleteFrom('role_assignments')
        .where('actor_kind', '=', 'user')
        .where('actor_id', 'in', some)
        .execute();
    }
    for (const some of chunks(projects)) {
      await tx
        .deleteFrom('role_assignments')
        .where('scope_kind', '=', 'project')
        .where('scope_id', 'in', some)
        .execute();
      await tx
        .updateTable('users')
        .set({ default_project_id: null })
        .where('default_project_id', 'in', some)
        .execute();
    }
    await tx
      .deleteFrom('role_assignments')
      .where('scope_kind', '=', 'domain')
      .where('scope_id', '=', id)
      .execute();
    for (const table of ['users', 'groups', 'projects'] as const)
      await tx.deleteFrom(table).where('domain_id', '=', id).execute();
    await forgetRolesOf(tx, id);
    await tx.deleteFrom('domain_options').where('domain_id', '=', id).execute();
    await forgetOrphans(tx);
    await tx.deleteFrom('domains').where('id', '=', id).execute();
    await identity.revocations.revoke(tx, [subjects.domain(id)]);
    await audit(tx, ctx, 'domain', id);
  }, revoking);
}
