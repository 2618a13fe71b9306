// Domains over HTTP. Only operators make and remove them; what is in a domain goes with it.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage } from '../../../kernel/paging.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { prose, strict, text } from '../../../kernel/schema.ts';
import { chunks, DEFAULT_DOMAIN, type Identity, type Rows } from '../identity.ts';
import { forgetOrphans } from '../application-credentials/table.ts';
import { listedDomain, permit, requireReadable } from '../policy.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import {
  byName,
  collection,
  keyOf,
  listQuery,
  markerRow,
  nameOf,
  noOptions,
  uniquely,
  urlOf,
} from '../wire.ts';
import type { DomainRow } from './table.ts';

const fields = { name: nameOf(64), description: prose(4000), enabled: Type.Boolean() };
const createBody = strict({
  domain: strict({
    ...Type.Partial(strict(fields)).properties,
    name: fields.name,
    options: noOptions,
    tags: Type.Optional(Type.Array(text(255, 1), { maxItems: 0 })),
  }),
});
const updateBody = strict({
  domain: strict({ ...Type.Partial(strict(fields)).properties, options: noOptions }),
});
const query = listQuery('domain', { name: Type.Optional(text()), enabled: Type.Optional(Type.Boolean()) });

export const domainView = (platform: Platform, row: DomainRow): object => ({
  id: row.id,
  name: row.name,
  description: row.description,
  enabled: row.enabled === 1,
  tags: [],
  options: {},
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

/** Where a new object goes when the body does not say: the domain of the token. */
export function domainOfToken(ctx: Ctx): string {
  const { scope } = ctx.actor;
  if (scope.type === 'domain') return scope.id;
  return scope.type === 'project' ? scope.domainId : DEFAULT_DOMAIN;
}

async function create(ctx: Ctx, { domain: body }: Static<typeof createBody>): Promise<DomainRow> {
  const row: DomainRow = {
    id: ctx.platform.ids.hex(),
    name: body.name,
    name_key: keyOf(body.name),
    description: body.description ?? '',
    enabled: body.enabled === false ? 0 : 1,
  };
  const work = ctx.platform.db.tx(async (tx) => {
    await tx.insertInto('domains').values(row).execute();
    await audit(tx, ctx, 'domain', row.id);
    return row;
  });
  return uniquely('domain', body.name, work);
}

async function update(
  identity: Identity,
  ctx: Ctx,
  id: string,
  { domain: body }: Static<typeof updateBody>,
): Promise<DomainRow> {
  const work = ctx.platform.db.tx(async (tx) => {
    const row = await domainFor(tx, ctx, id);
    permit(ctx, { domainId: id });
    if (id === DEFAULT_DOMAIN && body.enabled === false)
      throw forbidden('The default domain cannot be disabled: the operators log in there.');
    const changed: DomainRow = {
      ...row,
      name: body.name ?? row.name,
      name_key: keyOf(body.name ?? row.name),
      description: body.description ?? row.description,
      enabled: Number(body.enabled ?? row.enabled === 1),
    };
    await tx.updateTable('domains').set(changed).where('id', '=', id).execute();
    if (row.enabled === 1 && changed.enabled === 0)
      await identity.revocations.revoke(tx, [subjects.domain(id)]);
    await audit(tx, ctx, 'domain', id);
    return changed;
  }, revoking);
  return uniquely('domain', body.name ?? '', work);
}

async function remove(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await domainFor(tx, ctx, id);
    permit(ctx, { domainId: id });
    if (id === DEFAULT_DOMAIN)
      throw forbidden('The default domain cannot be deleted: the operators log in there.');
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
    await forgetOrphans(tx);
    await tx.deleteFrom('domains').where('id', '=', id).execute();
    await identity.revocations.revoke(tx, [subjects.domain(id)]);
    await audit(tx, ctx, 'domain', id);
  }, revoking);
}

export const domainRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: '/v3/domains',
    policy: 'identity:list_domains',
    summary: 'List domains',
    query,
    async handler({ ctx, query: asked, rawQuery }) {
      const only = listedDomain(ctx.actor);
      let rows = ctx.platform.db.read.selectFrom('domains').selectAll();
      if (only !== null) rows = rows.where('id', '=', only);
      const visible = rows;
      if (asked.name !== undefined) rows = rows.where('name', '=', asked.name);
      if (asked.enabled !== undefined) rows = rows.where('enabled', '=', Number(asked.enabled));
      const marker = await markerRow(asked.marker, (id) => visible.where('id', '=', id).executeTakeFirst());
      const limit = asked.limit ?? null;
      return collection(
        ctx,
        '/v3/domains',
        'domains',
        await applyPage(rows, byName, marker, limit).execute(),
        domainView,
        { limit, rawQuery },
      );
    },
  }),
  route({
    method: 'POST',
    path: '/v3/domains',
    policy: 'identity:create_domain',
    summary: 'Create a domain',
    body: createBody,
    status: 201,
    handler: async ({ ctx, body }) => ({
      body: { domain: domainView(ctx.platform, await create(ctx, body)) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v3/domains/:domain_id',
    policy: 'identity:get_domain',
    summary: 'Show a domain',
    ids: { domain_id: 'domain' },
    handler: async ({ ctx, params }) => ({
      body: {
        domain: domainView(ctx.platform, await domainFor(ctx.platform.db.read, ctx, params.domain_id)),
      },
    }),
  }),
  route({
    method: 'PATCH',
    path: '/v3/domains/:domain_id',
    policy: 'identity:update_domain',
    summary: 'Change a domain',
    ids: { domain_id: 'domain' },
    body: updateBody,
    handler: async ({ ctx, params, body }) => ({
      body: { domain: domainView(ctx.platform, await update(identity, ctx, params.domain_id, body)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/v3/domains/:domain_id',
    policy: 'identity:delete_domain',
    summary: 'Delete a disabled domain and all in it',
    ids: { domain_id: 'domain' },
    status: 204,
    async handler({ ctx, params }) {
      await remove(identity, ctx, params.domain_id);
      return {};
    },
  }),
];
