// The verbs on projects, each one transaction. The owner of a project is its domain.
import type { Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { createDomain, deleteDomain, domainFor, domainOfToken, updateDomain } from '../domains/service.ts';
import type { DomainRow } from '../domains/table.ts';
import type { Identity, Rows } from '../identity.ts';
import { forgetOrphans } from '../application-credentials/table.ts';
import { may, permit, requireReadable } from '../policy.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import {
  extraOf,
  extraView,
  immutableNow,
  keyOf,
  optionsView,
  requireMutable,
  requireSameId,
  uniquely,
  urlOf,
} from '../wire.ts';
import { changedProject, newProject, type createProjectBody, type updateProjectBody } from './schema.ts';
import type { ProjectRow } from './table.ts';

/** As Keystone's max_project_tree_depth: the domain is the first level. */
const MAX_DEPTH = 5;

export const projectTags = (row: ProjectRow): string[] => JSON.parse(row.tags) as string[];

export const projectView = (platform: Platform, row: ProjectRow): object => ({
  ...extraView(row),
  id: row.id,
  name: row.name,
  domain_id: row.domain_id === '' ? null : row.domain_id,
  parent_id: row.parent_id === '' ? null : row.parent_id,
  is_domain: row.domain_id === '',
  description: row.description,
  enabled: row.enabled === 1,
  tags: projectTags(row),
  options: optionsView(row),
  links: { self: urlOf(platform, `/v3/projects/${row.id}`) },
});

/** The row, if the actor may read it: 404 otherwise. */
export async function projectFor(rows: Rows, ctx: Ctx, id: string): Promise<ProjectRow> {
  const row = await rows.selectFrom('projects').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Project', id);
  requireReadable(ctx, 'identity:get_project', { projectId: row.id, domainId: row.domain_id }, 'Project', id);
  return row;
}

/** A domain as some clients show it: a project of no domain. */
export const asProject = (row: DomainRow): ProjectRow => ({
  ...row,
  domain_id: '',
  parent_id: '',
  tags: '[]',
});

/** The same, and domains too. */
export async function projectOrDomainFor(rows: Rows, ctx: Ctx, id: string): Promise<ProjectRow> {
  const domain = await rows.selectFrom('domains').selectAll().where('id', '=', id).executeTakeFirst();
  if (domain === undefined || !may(ctx.actor, 'identity:get_domain', { domainId: id }))
    return projectFor(rows, ctx, id);
  return asProject(domain);
}

/** From the parent up to the root of the tree. */
async function ancestors(rows: Rows, project: Pick<ProjectRow, 'parent_id'>): Promise<ProjectRow[]> {
  const out: ProjectRow[] = [];
  for (let id = project.parent_id; out.length <= MAX_DEPTH;) {
    const row = await rows.selectFrom('projects').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) break;
    out.push(row);
    id = row.parent_id;
  }
  return out;
}

/** From the children down, level by level. */
async function descendants(rows: Rows, id: string): Promise<ProjectRow[]> {
  const out: ProjectRow[] = [];
  for (let level = [id]; level.length > 0;) {
    const next = await rows
      .selectFrom('projects')
      .selectAll()
      .where('parent_id', 'in', level.slice(0, 500))
      .execute();
    out.push(...next);
    level = [...level.slice(500), ...next.map((row) => row.id)];
  }
  return out;
}

/** Where a new project goes: its domain, and its parent in it. */
async function placeOf(
  tx: Tx,
  ctx: Ctx,
  asked: { domain_id?: string | null; parent_id?: string | null },
): Promise<{ domainId: string; parentId: string }> {
  const parentId = asked.parent_id ?? null;
  const parentIsDomain =
    parentId === null ||
    parentId === asked.domain_id ||
    (await tx.selectFrom('domains').select('id').where('id', '=', parentId).executeTakeFirst()) !== undefined;
  if (parentIsDomain) {
    const domainId = asked.domain_id ?? parentId ?? domainOfToken(ctx);
    if (parentId !== null && parentId !== domainId)
      throw badRequest(
        `Invalid input for field parent_id. Value: ${parentId}. It must lie in domain ${domainId}.`,
      );
    await domainFor(tx, ctx, domainId);
    return { domainId, parentId: domainId };
  }
  const parent = await projectFor(tx, ctx, parentId);
  if (asked.domain_id !== undefined && asked.domain_id !== null && asked.domain_id !== parent.domain_id) {
    await domainFor(tx, ctx, asked.domain_id);
    throw badRequest(
      `Invalid input for field parent_id. Value: ${parentId}. It must lie in domain ${asked.domain_id}.`,
    );
  }
  if (parent.enabled === 0)
    throw forbidden(`Project ${parent.id} is disabled: no project can be created below it.`);
  const depth = (await ancestors(tx, parent)).length + 3;
  if (depth > MAX_DEPTH)
    throw forbidden(
      `Project ${parent.id} is too deep in its tree: at most ${MAX_DEPTH} levels, of which the domain is the first.`,
    );
  return { domainId: parent.domain_id, parentId: parent.id };
}

export async function createProject(
  ctx: Ctx,
  { project: body }: Static<typeof createProjectBody>,
): Promise<ProjectRow> {
  if (body.is_domain === true) {
    if (!may(ctx.actor, 'identity:create_domain', null))
      throw forbidden('You are not authorized to perform the requested action: identity:create_domain.');
    if ((body.domain_id ?? null) !== null || (body.parent_id ?? null) !== null)
      throw badRequest('Invalid input for field is_domain. A domain has neither a domain nor a parent.');
    const { name, enabled, options } = body;
    return asProject(
      await createDomain(ctx, {
        domain: {
          name,
          description: body.description ?? '',
          ...(enabled === undefined ? {} : { enabled }),
          ...(options === undefined ? {} : { options }),
        },
      }),
    );
  }
  const id = ctx.platform.ids.hex();
  const work = ctx.platform.db.tx(async (tx) => {
    const { domainId, parentId } = await placeOf(tx, ctx, body);
    permit(ctx, { domainId });
    const row: ProjectRow = {
      id,
      domain_id: domainId,
      parent_id: parentId,
      name: body.name,
      name_key: keyOf(body.name),
      description: body.description ?? '',
      enabled: Number(body.enabled ?? true),
      tags: JSON.stringify(body.tags ?? []),
      immutable: immutableNow(body.options, 0),
      extra: extraOf(body, newProject),
    };
    await tx.insertInto('projects').values(row).execute();
    await audit(tx, ctx, 'project', id);
    return row;
  });
  return uniquely('project', body.name, work);
}

export async function updateProject(
  identity: Identity,
  ctx: Ctx,
  id: string,
  { project: body }: Static<typeof updateProjectBody>,
): Promise<ProjectRow> {
  if ((await projectOrDomainFor(ctx.platform.db.read, ctx, id)).domain_id === '')
    return updateAsDomain(identity, ctx, id, body);
  const work = ctx.platform.db.tx(async (tx) => {
    const row = await projectFor(tx, ctx, id);
    permit(ctx, { domainId: row.domain_id });
    requireSameId(body, id);
    requireMutable('project', row, body.options);
    if (body.is_domain === true) throw badRequest('Invalid input for field is_domain. It cannot be changed.');
    if ((body.domain_id ?? row.domain_id) !== row.domain_id)
      throw badRequest('Invalid input for field domain_id. The domain of a project cannot be changed.');
    if ((body.parent_id ?? row.parent_id) !== row.parent_id)
      throw forbidden('The parent of a project cannot be changed.');
    const enabled = Number(body.enabled ?? row.enabled === 1);
    if (row.enabled === 1 && enabled === 0) {
      if ((await descendants(tx, id)).some((child) => child.enabled === 1))
        throw forbidden(`Project ${id} cannot be disabled: there are enabled projects below it.`);
      await identity.revocations.revoke(tx, [subjects.project(id)]);
    }
    if (
      row.enabled === 0 &&
      enabled === 1 &&
      (await ancestors(tx, row)).some((parent) => parent.enabled === 0)
    )
      throw forbidden(`Project ${id} cannot be enabled: a project above it is disabled.`);
    const changed: ProjectRow = {
      ...row,
      name: body.name ?? row.name,
      name_key: keyOf(body.name ?? row.name),
      description: body.description === undefined ? row.description : (body.description ?? ''),
      enabled,
      tags: body.tags === undefined ? row.tags : JSON.stringify(body.tags),
      immutable: immutableNow(body.options, row.immutable),
      extra: extraOf(body, changedProject, row.extra),
    };
    await tx.updateTable('projects').set(changed).where('id', '=', id).execute();
    await audit(tx, ctx, 'project', id);
    return changed;
  }, revoking);
  return uniquely('project', body.name ?? '', work);
}

function requireDomainRights(ctx: Ctx, action: 'identity:update_domain' | 'identity:delete_domain'): void {
  if (!may(ctx.actor, action, null))
    throw forbidden(`You are not authorized to perform the requested action: ${action}.`);
}

async function updateAsDomain(
  identity: Identity,
  ctx: Ctx,
  id: string,
  body: Static<typeof changedProject>,
): Promise<ProjectRow> {
  requireDomainRights(ctx, 'identity:update_domain');
  requireSameId(body, id);
  const { name, description, enabled, options } = body;
  const domain = {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description: description ?? '' }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(options === undefined ? {} : { options }),
  };
  return asProject(
    await updateDomain(identity, { ...ctx, action: 'identity:update_domain' }, id, { domain }),
  );
}

export async function deleteProject(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  if ((await projectOrDomainFor(ctx.platform.db.read, ctx, id)).domain_id === '') {
    requireDomainRights(ctx, 'identity:delete_domain');
    return deleteDomain(identity, { ...ctx, action: 'identity:delete_domain' }, id);
  }
  await ctx.platform.db.tx(async (tx) => {
    const row = await projectFor(tx, ctx, id);
    permit(ctx, { domainId: row.domain_id });
    requireMutable('project', row);
    const child = await tx.selectFrom('projects').select('id').where('parent_id', '=', id).executeTakeFirst();
    if (child !== undefined)
      throw forbidden(
        `Project ${id} cannot be deleted: there are projects below it, for example ${child.id}.`,
      );
    // Roles that are inherited from here: those below are gone already, so that no token rests on them.
    await tx
      .deleteFrom('role_assignments')
      .where('scope_kind', '=', 'project')
      .where('scope_id', '=', id)
      .execute();
    await tx
      .updateTable('users')
      .set({ default_project_id: null })
      .where('default_project_id', '=', id)
      .execute();
    await tx.deleteFrom('projects').where('id', '=', id).execute();
    await forgetOrphans(tx);
    await identity.revocations.revoke(tx, [subjects.project(id)]);
    await audit(tx, ctx, 'project', id);
  }, revoking);
}

/** `change` gets the present tags and returns the new ones. */
export async function changeTags(
  ctx: Ctx,
  id: string,
  change: (tags: string[]) => string[],
): Promise<string[]> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await projectFor(tx, ctx, id);
    permit(ctx, { domainId: row.domain_id });
    const tags = [...new Set(change(projectTags(row)))];
    if (tags.length > 80) throw badRequest('Invalid input for tags. A project has at most 80 tags.');
    await tx
      .updateTable('projects')
      .set({ tags: JSON.stringify(tags) })
      .where('id', '=', id)
      .execute();
    await audit(tx, ctx, 'project', id);
    return tags;
  });
}

/** For `?parents_as_list` and `?subtree_as_list`: those of the tree that the actor may read. */
export const projectTree = { ancestors, descendants };
