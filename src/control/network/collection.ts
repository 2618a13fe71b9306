// The routes that every Neutron resource has: list, create (also in bulk), show, update, delete and tags.
import { sql, type SelectQueryBuilder, type SqlBool } from 'kysely';
import { Type, type Static, type TObject } from 'typebox';
import type { Tables } from '../../kernel/db/index.ts';
import { badRequest, notFound } from '../../kernel/errors.ts';
import type { Route } from '../../kernel/http/route.ts';
import type { Ctx } from '../../kernel/platform.ts';
import type { Actor } from '../../kernel/policy.ts';
import { strict, text } from '../../kernel/schema.ts';
import { listPage, pick, querySchema, refuseUnknownFilters, type ListSpec } from './listing.ts';
import { chunks, type Queries } from './rows.ts';
import { tagRoutes } from './tags.ts';

export type Collection<
  T extends keyof Tables,
  Row extends { id: string; project_id: string },
  C extends TObject,
  U extends TObject,
> = {
  /** e.g. 'network' and '/v2.0/networks'; the id's path parameter is `<singular>_id`. */
  singular: string;
  path: string;
  /** Name of the resource kind for ids: 'security-group', 'floating-ip' ... */
  kind: string;
  list: ListSpec;
  create: C;
  update: U | null;
  /** What the actor may see. */
  rows(db: Queries, actor: Actor): SelectQueryBuilder<Tables, T, Row>;
  /** Rows to JSON, with a fixed number of queries. */
  views(db: Queries, ctx: Ctx, rows: readonly Row[]): Promise<object[]>;
  /** Creates all or none; returns their ids in order. */
  make(ctx: Ctx, inputs: Static<C>[]): Promise<string[]>;
  change?(ctx: Ctx, id: string, input: Static<U>): Promise<void>;
  remove(ctx: Ctx, id: string): Promise<void>;
  /** Called before a list is read, e.g. to make what exists by default. */
  beforeList?(ctx: Ctx): Promise<void>;
  tags: boolean;
};

export function collectionRoutes<
  T extends keyof Tables,
  Row extends { id: string; project_id: string },
  C extends TObject,
  U extends TObject,
>(of: Collection<T, Row, C, U>): Route[] {
  const { singular, path, kind, list } = of;
  const param = `${singular}_id`;
  const one = `${path}/:${param}`;
  const ids = { [param]: kind };
  const fieldsOnly = Type.Object({ fields: Type.Optional(Type.Array(text(64), { maxItems: 100 })) });

  /** In the order of `ids`; what is gone meanwhile is left out. */
  const viewsOf = async (ctx: Ctx, ids: readonly string[]): Promise<object[]> => {
    const db = ctx.platform.db.read;
    const rows = new Map<string, Row>();
    for (const part of chunks(ids)) {
      const found = (await of
        .rows(db, ctx.actor)
        .where(sql<SqlBool>`${sql.ref(`${list.table}.id`)} in (${sql.join(part)})`)
        .execute()) as Row[];
      for (const row of found) rows.set(row.id, row);
    }
    return of.views(
      db,
      ctx,
      ids.flatMap((id) => rows.get(id) ?? []),
    );
  };
  const viewOf = async (ctx: Ctx, id: string): Promise<object> => {
    const [view] = await viewsOf(ctx, [id]);
    if (view === undefined) throw notFound(list.noun, id);
    return view;
  };
  const query = querySchema(list);
  const known = Object.keys(query.properties);
  const params = (call: { params: Record<string, string> }): string => call.params[param] ?? '';

  const routes: Route[] = [
    {
      method: 'GET',
      path,
      policy: `get_${singular}`,
      summary: `List ${list.plural}`,
      ids: {},
      query,
      async handler({ ctx, rawQuery }) {
        refuseUnknownFilters(known, rawQuery);
        await of.beforeList?.(ctx);
        const db = ctx.platform.db.read;
        const { rows, links } = await listPage(
          list,
          of.rows(db, ctx.actor),
          rawQuery,
          `${ctx.platform.publicUrl}/network${path}`,
          ctx.actor,
        );
        const views = (await of.views(db, ctx, rows as Row[])).map((view) => pick(view, rawQuery));
        return {
          body: { [list.plural]: views, ...(links.length > 0 ? { [`${list.plural}_links`]: links } : {}) },
        };
      },
    },
    {
      method: 'POST',
      path,
      policy: `create_${singular}`,
      summary: `Create one or several ${list.plural}`,
      ids: {},
      status: 201,
      body: strict({
        [singular]: Type.Optional(of.create),
        [list.plural]: Type.Optional(Type.Array(of.create, { minItems: 1, maxItems: 200 })),
      }),
      async handler({ ctx, body }) {
        const { [singular]: single, [list.plural]: several } = body as Record<string, unknown>;
        if ((single === undefined) === (several === undefined))
          throw badRequest(
            `Invalid input for body. It must hold exactly one of '${singular}' and '${list.plural}'.`,
          );
        const made = await of.make(ctx, (several ?? [single]) as Static<C>[]);
        const views = await viewsOf(ctx, made);
        return { body: several === undefined ? { [singular]: views[0] } : { [list.plural]: views } };
      },
    },
    {
      method: 'GET',
      path: one,
      policy: `get_${singular}`,
      summary: `Show a ${singular}`,
      ids,
      query: fieldsOnly,
      handler: async (call) => ({
        body: { [singular]: pick(await viewOf(call.ctx, params(call)), call.rawQuery) },
      }),
    },
    {
      method: 'DELETE',
      path: one,
      policy: `delete_${singular}`,
      summary: `Delete a ${singular}`,
      ids,
      status: 204,
      async handler(call) {
        await of.remove(call.ctx, params(call));
        return {};
      },
    },
  ];
  const { update, change } = of;
  if (update !== null && change !== undefined)
    routes.push({
      method: 'PUT',
      path: one,
      policy: `update_${singular}`,
      summary: `Change a ${singular}`,
      ids,
      body: strict({ [singular]: update }),
      async handler(call) {
        const id = params(call);
        await change(call.ctx, id, (call.body as Record<string, unknown>)[singular] as Static<U>);
        return { body: { [singular]: await viewOf(call.ctx, id) } };
      },
    });
  if (!of.tags) return routes;
  const find = async (db: Queries, actor: Actor, id: string): Promise<Row | undefined> =>
    (await of
      .rows(db, actor)
      .where(sql<SqlBool>`${sql.ref(`${list.table}.id`)} = ${id}`)
      .executeTakeFirst()) as Row | undefined;
  return [...routes, ...tagRoutes({ singular, kind, noun: list.noun, find }, one, param)];
}
