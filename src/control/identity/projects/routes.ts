// Projects over HTTP: /v3/projects and their tags.
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { Type, type Static } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { text } from '../../../kernel/schema.ts';
import { collectionRoutes } from '../collection.ts';
import type { Identity } from '../identity.ts';
import { listedDomain, may } from '../policy.ts';
import { flag } from '../wire.ts';
import { createProjectBody, projectFilters, tagsBody, updateProjectBody } from './schema.ts';
import {
  asProject,
  changeTags,
  createProject,
  deleteProject,
  projectFor,
  projectOrDomainFor,
  projectTags,
  projectTree,
  projectView,
  updateProject,
} from './service.ts';
import type { ProjectRow } from './table.ts';

const TAG = /^[^,/]{1,255}$/;
const tagOf = (value: string): string => {
  if (!TAG.test(value))
    throw badRequest('Invalid input for tag. It must be 1 to 255 characters without comma and slash.');
  return value;
};
const list = (value: string | undefined): string[] =>
  value === undefined ? [] : value.split(',').filter((one) => one !== '');

/** Tags are one JSON column: compared here, because text comparison differs between the engines. */
function tagFilter(asked: Static<typeof projectFilters>): ((row: ProjectRow) => boolean) | null {
  const named = (['tags', 'tags-any', 'not-tags', 'not-tags-any'] as const).map((name) => list(asked[name]));
  if (named.every((tags) => tags.length === 0)) return null;
  const [all = [], any = [], notAll = [], notAny = []] = named;
  return (row) => {
    const own = new Set(projectTags(row));
    const has = (tag: string): boolean => own.has(tag);
    return (
      all.every(has) &&
      (any.length === 0 || any.some(has)) &&
      (notAll.length === 0 || !notAll.every(has)) &&
      !notAny.some(has)
    );
  };
}

const treeQuery = Type.Object({
  parents_as_list: Type.Optional(text()),
  parents_as_ids: Type.Optional(text()),
  subtree_as_list: Type.Optional(text()),
  subtree_as_ids: Type.Optional(text()),
});

type Ids = { [id: string]: Ids | null };
/** {"child": {"grandchild": null}}, as the API reference nests them. */
const nestDown = (rows: readonly ProjectRow[], id: string): Ids | null => {
  const children = rows.filter((row) => row.parent_id === id);
  return children.length === 0
    ? null
    : Object.fromEntries(children.map((row) => [row.id, nestDown(rows, row.id)]));
};

async function treeOf(ctx: Ctx, row: ProjectRow, asked: Record<string, unknown>): Promise<object> {
  const { read } = ctx.platform.db;
  const on = (name: string): boolean => flag(asked[name] as string | undefined);
  for (const way of ['parents', 'subtree'])
    if (on(`${way}_as_list`) && on(`${way}_as_ids`))
      throw badRequest(`Invalid query. It must not hold both ${way}_as_list and ${way}_as_ids.`);
  const readable = (one: ProjectRow): boolean =>
    may(ctx.actor, 'identity:get_project', { projectId: one.id, domainId: one.domain_id });
  const tree: Record<string, unknown> = {};
  if (on('parents_as_list') || on('parents_as_ids')) {
    const parents = (await projectTree.ancestors(read, row)).filter(readable);
    tree['parents'] = on('parents_as_list')
      ? parents.map((one) => ({ project: projectView(ctx.platform, one) }))
      : parents.reduceRight<Ids | null>((above, one) => ({ [one.id]: above }), null);
  }
  if (on('subtree_as_list') || on('subtree_as_ids')) {
    const below = (await projectTree.descendants(read, row.id)).filter(readable);
    tree['subtree'] = on('subtree_as_list')
      ? below.map((one) => ({ project: projectView(ctx.platform, one) }))
      : nestDown(below, row.id);
  }
  return tree;
}

export const projectRoutes = (identity: Identity): Route[] => [
  ...collectionRoutes({
    singular: 'project',
    plural: 'projects',
    path: '/v3/projects',
    kind: 'project',
    named: true,
    filters: projectFilters,
    rows(ctx) {
      const only = listedDomain(ctx.actor);
      const rows = ctx.platform.db.read.selectFrom('projects').selectAll();
      return only === null ? rows : rows.where('domain_id', '=', only);
    },
    async builtIn(ctx, asked) {
      if (asked.is_domain !== true || asked.domain_id !== undefined || asked.parent_id !== undefined)
        return [];
      const only = listedDomain(ctx.actor);
      let rows = ctx.platform.db.read.selectFrom('domains').selectAll();
      if (only !== null) rows = rows.where('id', '=', only);
      if (asked.name !== undefined) rows = rows.where('name', '=', asked.name);
      if (asked.enabled !== undefined) rows = rows.where('enabled', '=', Number(asked.enabled));
      return (await rows.orderBy('name_key').execute()).map(asProject);
    },
    filter(rows, asked) {
      let out = rows;
      // Domains are not among the rows of projects.
      if (asked.is_domain === true) out = out.where('id', '=', '');
      if (asked.domain_id !== undefined) out = out.where('domain_id', '=', asked.domain_id);
      if (asked.parent_id !== undefined) out = out.where('parent_id', '=', asked.parent_id);
      if (asked.enabled !== undefined) out = out.where('enabled', '=', Number(asked.enabled));
      return out;
    },
    keep: tagFilter,
    find: projectOrDomainFor,
    view: projectView,
    details: { query: treeQuery, of: treeOf },
    create: { body: createProjectBody, make: createProject },
    update: { body: updateProjectBody, change: (ctx, id, body) => updateProject(identity, ctx, id, body) },
    remove: (ctx, id) => deleteProject(identity, ctx, id),
  }),
  route({
    method: 'GET',
    path: '/v3/projects/:project_id/tags',
    policy: 'identity:get_project',
    summary: 'List the tags of a project',
    ids: { project_id: 'project' },
    handler: async ({ ctx, params }) => ({
      body: { tags: projectTags(await projectFor(ctx.platform.db.read, ctx, params.project_id)) },
    }),
  }),
  route({
    method: 'PUT',
    path: '/v3/projects/:project_id/tags',
    policy: 'identity:update_project',
    summary: 'Replace the tags of a project',
    ids: { project_id: 'project' },
    body: tagsBody,
    handler: async ({ ctx, params, body }) => ({
      body: { tags: await changeTags(ctx, params.project_id, () => body.tags) },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/v3/projects/:project_id/tags',
    policy: 'identity:update_project',
    summary: 'Remove all tags of a project',
    ids: { project_id: 'project' },
    status: 204,
    async handler({ ctx, params }) {
      await changeTags(ctx, params.project_id, () => []);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/v3/projects/:project_id/tags/:tag',
    policy: 'identity:get_project',
    summary: 'Check a tag of a project',
    ids: { project_id: 'project', tag: 'none' },
    status: 204,
    async handler({ ctx, params }) {
      const row = await projectFor(ctx.platform.db.read, ctx, params.project_id);
      if (!projectTags(row).includes(params.tag)) throw notFound('Project tag', params.tag);
      return {};
    },
  }),
  route({
    method: 'PUT',
    path: '/v3/projects/:project_id/tags/:tag',
    policy: 'identity:update_project',
    summary: 'Add a tag to a project',
    ids: { project_id: 'project', tag: 'none' },
    status: 201,
    async handler({ ctx, params }) {
      const tag = tagOf(params.tag);
      await changeTags(ctx, params.project_id, (tags) => [...tags, tag]);
      return {};
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/projects/:project_id/tags/:tag',
    policy: 'identity:update_project',
    summary: 'Remove a tag of a project',
    ids: { project_id: 'project', tag: 'none' },
    status: 204,
    async handler({ ctx, params }) {
      await changeTags(ctx, params.project_id, (tags) => {
        if (!tags.includes(params.tag)) throw notFound('Project tag', params.tag);
        return tags.filter((one) => one !== params.tag);
      });
      return {};
    },
  }),
];
