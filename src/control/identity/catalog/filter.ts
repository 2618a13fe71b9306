// Which endpoints a project sees (OS-EP-FILTER): those given to it, alone or by groups that fit; all where none is given.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import type { Method, Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import { collectionRoutes } from '../collection.ts';
import type { Identity, Rows } from '../identity.ts';
import { projectFor, projectView } from '../projects/service.ts';
import { collection } from '../wire.ts';
import { fitsGroup } from './catalog.ts';
import { endpointFor, regionFor, serviceFor } from './service.ts';
import type { EndpointGroupRow } from './table.ts';
import { endpointGroupView, endpointView } from './views.ts';

const EXT = '/v3/OS-EP-FILTER';

const filters = strict({
  service_id: Type.Optional(idOf('catalog-service')),
  region_id: Type.Optional(idOf('region')),
  interface: Type.Optional(
    Type.Union([Type.Literal('public'), Type.Literal('internal'), Type.Literal('admin')]),
  ),
  enabled: Type.Optional(Type.Boolean()),
});
const description = Type.Optional(nullable(prose(4000)));
const createBody = strict({ endpoint_group: strict({ name: text(255, 1), description, filters }) });
const updateBody = strict({
  endpoint_group: strict({
    name: Type.Optional(text(255, 1)),
    description,
    filters: Type.Optional(filters),
  }),
});

async function groupFor(rows: Rows, _: Ctx, id: string): Promise<EndpointGroupRow> {
  const row = await rows.selectFrom('endpoint_groups').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Endpoint Group', id);
  return row;
}

/** What a group is about exists. */
async function requireFilters(identity: Identity, rows: Rows, asked: Static<typeof filters>): Promise<void> {
  if (Object.keys(asked).length === 0)
    throw badRequest(
      'Invalid input for field filters. It must name at least one of service_id, region_id, interface and enabled.',
    );
  if (asked.service_id !== undefined) await serviceFor(identity, rows, asked.service_id);
  if (asked.region_id !== undefined) await regionFor(identity, rows, asked.region_id);
}

const groupRoutes = (identity: Identity): Route[] =>
  collectionRoutes({
    singular: 'endpoint_group',
    plural: 'endpoint_groups',
    path: `${EXT}/endpoint_groups`,
    kind: 'endpoint-group',
    named: false,
    filters: Type.Object({ name: Type.Optional(text()) }),
    rows: (ctx) => ctx.platform.db.read.selectFrom('endpoint_groups').selectAll(),
    filter: (rows, asked) => (asked.name === undefined ? rows : rows.where('name', '=', asked.name)),
    find: groupFor,
    view: endpointGroupView,
    create: {
      body: createBody,
      make: (ctx, { endpoint_group: body }) =>
        ctx.platform.db.tx(async (tx) => {
          await requireFilters(identity, tx, body.filters);
          const row: EndpointGroupRow = {
            id: ctx.platform.ids.hex(),
            name: body.name,
            description: body.description ?? '',
            filters: JSON.stringify(body.filters),
          };
          await tx.insertInto('endpoint_groups').values(row).execute();
          await audit(tx, ctx, 'endpoint-group', row.id);
          identity.catalog.changed(tx);
          return row;
        }),
    },
    update: {
      body: updateBody,
      change: (ctx, id, { endpoint_group: body }) =>
        ctx.platform.db.tx(async (tx) => {
          const row = await groupFor(tx, ctx, id);
          if (body.filters !== undefined) await requireFilters(identity, tx, body.filters);
          const changed: EndpointGroupRow = {
            ...row,
            name: body.name ?? row.name,
            description: body.description === undefined ? row.description : (body.description ?? ''),
            filters: body.filters === undefined ? row.filters : JSON.stringify(body.filters),
          };
          await tx.updateTable('endpoint_groups').set(changed).where('id', '=', id).execute();
          await audit(tx, ctx, 'endpoint-group', id);
          identity.catalog.changed(tx);
          return changed;
        }),
    },
    remove: (ctx, id) =>
      ctx.platform.db.tx(async (tx) => {
        await groupFor(tx, ctx, id);
        await tx.deleteFrom('project_endpoint_groups').where('endpoint_group_id', '=', id).execute();
        await tx.deleteFrom('endpoint_groups').where('id', '=', id).execute();
        await audit(tx, ctx, 'endpoint-group', id);
        identity.catalog.changed(tx);
      }),
  });

type Params = Record<string, string>;
type Link = {
  path: string;
  ids: Record<string, string>;
  what: string;
  /** Both ends exist. */
  require(rows: Rows, ctx: Ctx, params: Params): Promise<void>;
  has(rows: Rows, params: Params): Promise<boolean>;
  put(ctx: Ctx, params: Params): Promise<void>;
  drop(ctx: Ctx, params: Params): Promise<void>;
};

const of = (params: Params, name: string): string => params[name] ?? '';

/** Check, give and take: the same for a project's endpoints and its groups. */
function linkRoutes({ path, ids, what, require, has, put, drop }: Link): Route[] {
  const route = (
    method: Method,
    policy: string,
    summary: string,
    handler: Route['handler'],
    status = 204,
  ): Route => ({ method, path, ids, policy, summary, handler, status });
  const check: Route['handler'] = async ({ ctx, params }) => {
    const { read } = ctx.platform.db;
    await require(read, ctx, params);
    if (!(await has(read, params))) throw notFound('Association', what);
    return {};
  };
  return [
    route('GET', 'identity:get_endpoint_filter', `Check ${what}`, check),
    route('HEAD', 'identity:get_endpoint_filter', `Check ${what}`, check),
    route('PUT', 'identity:change_endpoint_filter', `Give ${what}`, async ({ ctx, params }) => {
      await require(ctx.platform.db.read, ctx, params);
      await put(ctx, params);
      return {};
    }),
    route('DELETE', 'identity:change_endpoint_filter', `Take ${what}`, async ({ ctx, params }) => {
      await require(ctx.platform.db.read, ctx, params);
      if (!(await has(ctx.platform.db.read, params))) throw notFound('Association', what);
      await drop(ctx, params);
      return {};
    }),
  ];
}

const endpointLinks = (identity: Identity): Route[] =>
  linkRoutes({
    path: `${EXT}/projects/:project_id/endpoints/:endpoint_id`,
    ids: { project_id: 'project', endpoint_id: 'endpoint' },
    what: 'an endpoint of a project',
    async require(rows, ctx, params) {
      await projectFor(rows, ctx, of(params, 'project_id'));
      await endpointFor(identity, rows, of(params, 'endpoint_id'));
    },
    has: async (rows, params) =>
      (await rows
        .selectFrom('project_endpoints')
        .select('project_id')
        .where('project_id', '=', of(params, 'project_id'))
        .where('endpoint_id', '=', of(params, 'endpoint_id'))
        .executeTakeFirst()) !== undefined,
    put: (ctx, params) =>
      ctx.platform.db.tx(async (tx) => {
        await tx
          .insertInto('project_endpoints')
          .values({ project_id: of(params, 'project_id'), endpoint_id: of(params, 'endpoint_id') })
          .onConflict((oc) => oc.doNothing())
          .execute();
        await audit(tx, ctx, 'project', of(params, 'project_id'));
        identity.catalog.changed(tx);
      }),
    drop: (ctx, params) =>
      ctx.platform.db.tx(async (tx) => {
        await tx
          .deleteFrom('project_endpoints')
          .where('project_id', '=', of(params, 'project_id'))
          .where('endpoint_id', '=', of(params, 'endpoint_id'))
          .execute();
        await audit(tx, ctx, 'project', of(params, 'project_id'));
        identity.catalog.changed(tx);
      }),
  });

const groupLinks = (identity: Identity): Route[] =>
  linkRoutes({
    path: `${EXT}/endpoint_groups/:endpoint_group_id/projects/:project_id`,
    ids: { endpoint_group_id: 'endpoint-group', project_id: 'project' },
    what: 'an endpoint group of a project',
    async require(rows, ctx, params) {
      await groupFor(rows, ctx, of(params, 'endpoint_group_id'));
      await projectFor(rows, ctx, of(params, 'project_id'));
    },
    has: async (rows, params) =>
      (await rows
        .selectFrom('project_endpoint_groups')
        .select('project_id')
        .where('project_id', '=', of(params, 'project_id'))
        .where('endpoint_group_id', '=', of(params, 'endpoint_group_id'))
        .executeTakeFirst()) !== undefined,
    put: (ctx, params) =>
      ctx.platform.db.tx(async (tx) => {
        await tx
          .insertInto('project_endpoint_groups')
          .values({
            project_id: of(params, 'project_id'),
            endpoint_group_id: of(params, 'endpoint_group_id'),
          })
          .onConflict((oc) => oc.doNothing())
          .execute();
        await audit(tx, ctx, 'project', of(params, 'project_id'));
        identity.catalog.changed(tx);
      }),
    drop: (ctx, params) =>
      ctx.platform.db.tx(async (tx) => {
        await tx
          .deleteFrom('project_endpoint_groups')
          .where('project_id', '=', of(params, 'project_id'))
          .where('endpoint_group_id', '=', of(params, 'endpoint_group_id'))
          .execute();
        await audit(tx, ctx, 'project', of(params, 'project_id'));
        identity.catalog.changed(tx);
      }),
  });

const listRoutes = (identity: Identity): Route[] => {
  const list = (
    path: string,
    ids: Record<string, string>,
    summary: string,
    handler: Route['handler'],
  ): Route => ({ method: 'GET', path, ids, policy: 'identity:get_endpoint_filter', summary, handler });
  return [
    list(
      `${EXT}/projects/:project_id/endpoints`,
      { project_id: 'project' },
      'List the endpoints given to a project',
      async ({ ctx, params }) => {
        const { read } = ctx.platform.db;
        const { id } = await projectFor(read, ctx, of(params, 'project_id'));
        const own = await read
          .selectFrom('project_endpoints')
          .selectAll()
          .where('project_id', '=', id)
          .execute();
        const groups = await groupsOf(read, id);
        const found = (await identity.catalog.endpoints()).filter(
          (one) =>
            own.some((row) => row.endpoint_id === one.id) || groups.some((group) => fitsGroup(one, group)),
        );
        return collection(ctx, `${EXT}/projects/${id}/endpoints`, 'endpoints', found, endpointView);
      },
    ),
    list(
      `${EXT}/projects/:project_id/endpoint_groups`,
      { project_id: 'project' },
      'List the endpoint groups of a project',
      async ({ ctx, params }) => {
        const { read } = ctx.platform.db;
        const { id } = await projectFor(read, ctx, of(params, 'project_id'));
        const path = `${EXT}/projects/${id}/endpoint_groups`;
        return collection(ctx, path, 'endpoint_groups', await groupsOf(read, id), endpointGroupView);
      },
    ),
    list(
      `${EXT}/endpoints/:endpoint_id/projects`,
      { endpoint_id: 'endpoint' },
      'List the projects that an endpoint is given to',
      async ({ ctx, params }) => {
        const { read } = ctx.platform.db;
        const { id } = await endpointFor(identity, read, of(params, 'endpoint_id'));
        const rows = await read
          .selectFrom('projects')
          .selectAll()
          .where(
            'id',
            'in',
            read.selectFrom('project_endpoints').select('project_id').where('endpoint_id', '=', id),
          )
          .orderBy('name_key')
          .execute();
        return collection(ctx, `${EXT}/endpoints/${id}/projects`, 'projects', rows, projectView);
      },
    ),
    list(
      `${EXT}/endpoint_groups/:endpoint_group_id/projects`,
      { endpoint_group_id: 'endpoint-group' },
      'List the projects of an endpoint group',
      async ({ ctx, params }) => {
        const { read } = ctx.platform.db;
        const { id } = await groupFor(read, ctx, of(params, 'endpoint_group_id'));
        const rows = await read
          .selectFrom('projects')
          .selectAll()
          .where(
            'id',
            'in',
            read
              .selectFrom('project_endpoint_groups')
              .select('project_id')
              .where('endpoint_group_id', '=', id),
          )
          .orderBy('name_key')
          .execute();
        return collection(ctx, `${EXT}/endpoint_groups/${id}/projects`, 'projects', rows, projectView);
      },
    ),
    list(
      `${EXT}/endpoint_groups/:endpoint_group_id/endpoints`,
      { endpoint_group_id: 'endpoint-group' },
      'List the endpoints that an endpoint group is about',
      async ({ ctx, params }) => {
        const group = await groupFor(ctx.platform.db.read, ctx, of(params, 'endpoint_group_id'));
        const found = (await identity.catalog.endpoints()).filter((one) => fitsGroup(one, group));
        return collection(
          ctx,
          `${EXT}/endpoint_groups/${group.id}/endpoints`,
          'endpoints',
          found,
          endpointView,
        );
      },
    ),
  ];
};

const groupsOf = (rows: Rows, projectId: string): Promise<EndpointGroupRow[]> =>
  rows
    .selectFrom('endpoint_groups')
    .selectAll()
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('project_endpoint_groups')
        .select('endpoint_group_id')
        .where('project_id', '=', projectId),
    )
    .orderBy('name')
    .execute();

export const endpointFilterRoutes = (identity: Identity): Route[] => [
  ...groupRoutes(identity),
  ...endpointLinks(identity),
  ...groupLinks(identity),
  ...listRoutes(identity),
];
