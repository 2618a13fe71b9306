// Projects over HTTP: /v3/projects and their tags.
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage } from '../../../kernel/paging.ts';
import { text } from '../../../kernel/schema.ts';
import type { Identity } from '../identity.ts';
import { listedDomain, may } from '../policy.ts';
import { byName, collection, flag, markerRow } from '../wire.ts';
import { createProjectBody, projectQuery, tagsBody, updateProjectBody } from './schema.ts';
import {
  changeTags,
  createProject,
  deleteProject,
  projectFor,
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
function tagFilter(all: readonly string[], any: readonly string[]): ((row: ProjectRow) => boolean) | null {
  if (all.length === 0 && any.length === 0) return null;
  return (row) => {
    const tags = projectTags(row);
    return (
      all.every((tag) => tags.includes(tag)) && (any.length === 0 || any.some((tag) => tags.includes(tag)))
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

export const projectRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: '/v3/projects',
    policy: 'identity:list_projects',
    summary: 'List projects',
    query: projectQuery,
    async handler({ ctx, query: asked, rawQuery }) {
      // Domains that act as projects are not offered, so there is none to list.
      if (asked.is_domain === true) return collection(ctx, '/v3/projects', 'projects', [], projectView);
      const only = listedDomain(ctx.actor);
      let rows = ctx.platform.db.read.selectFrom('projects').selectAll();
      if (only !== null) rows = rows.where('domain_id', '=', only);
      const visible = rows;
      if (asked.name !== undefined) rows = rows.where('name', '=', asked.name);
      if (asked.domain_id !== undefined) rows = rows.where('domain_id', '=', asked.domain_id);
      if (asked.parent_id !== undefined) rows = rows.where('parent_id', '=', asked.parent_id);
      if (asked.enabled !== undefined) rows = rows.where('enabled', '=', Number(asked.enabled));
      const marker = await markerRow(asked.marker, (id) => visible.where('id', '=', id).executeTakeFirst());
      const limit = asked.limit ?? null;
      const tagged = tagFilter(list(asked.tags), list(asked['tags-any']));
      const found = await applyPage(rows, byName, marker, tagged === null ? limit : null).execute();
      const fitting =
        tagged === null ? found : found.filter(tagged).slice(0, limit === null ? undefined : limit + 1);
      return collection(ctx, '/v3/projects', 'projects', fitting, projectView, { limit, rawQuery });
    },
  }),
  route({
    method: 'POST',
    path: '/v3/projects',
    policy: 'identity:create_project',
    summary: 'Create a project',
    body: createProjectBody,
    status: 201,
    handler: async ({ ctx, body }) => ({
      body: { project: projectView(ctx.platform, await createProject(ctx, body)) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v3/projects/:project_id',
    policy: 'identity:get_project',
    summary: 'Show a project',
    ids: { project_id: 'project' },
    query: treeQuery,
    async handler({ ctx, params, query: asked }) {
      const { read } = ctx.platform.db;
      const row = await projectFor(read, ctx, params.project_id);
      const readable = (one: ProjectRow): boolean =>
        may(ctx.actor, 'identity:get_project', { projectId: one.id, domainId: one.domain_id });
      const tree: Record<string, unknown> = {};
      if (flag(asked.parents_as_list) || flag(asked.parents_as_ids)) {
        const parents = (await projectTree.ancestors(read, row)).filter(readable);
        tree['parents'] = flag(asked.parents_as_list)
          ? parents.map((one) => ({ project: projectView(ctx.platform, one) }))
          : parents.reduceRight<Ids | null>((above, one) => ({ [one.id]: above }), null);
      }
      if (flag(asked.subtree_as_list) || flag(asked.subtree_as_ids)) {
        const below = (await projectTree.descendants(read, row.id)).filter(readable);
        tree['subtree'] = flag(asked.subtree_as_list)
          ? below.map((one) => ({ project: projectView(ctx.platform, one) }))
          : nestDown(below, row.id);
      }
      return { body: { project: { ...projectView(ctx.platform, row), ...tree } } };
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/projects/:project_id',
    policy: 'identity:update_project',
    summary: 'Change a project',
    ids: { project_id: 'project' },
    body: updateProjectBody,
    handler: async ({ ctx, params, body }) => ({
      body: {
        project: projectView(ctx.platform, await updateProject(identity, ctx, params.project_id, body)),
      },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/v3/projects/:project_id',
    policy: 'identity:delete_project',
    summary: 'Delete a project',
    ids: { project_id: 'project' },
    status: 204,
    async handler({ ctx, params }) {
      await deleteProject(identity, ctx, params.project_id);
      return {};
    },
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
