// The routes that every Neutron resource has: list, create (also in bulk), show, update, delete and tags.
import { sql, type SelectQueryBuilder, type SqlBool } from 'kysely';
import { Type, type Static, type TObject } from 'typebox';
import { audit } from '../../kernel/audit.ts';
import type { Tables, Tx } from '../../kernel/db/index.ts';
import { badRequest, CloudError, notFound } from '../../kernel/errors.ts';
import type { Method, Route } from '../../kernel/http/route.ts';
import type { Ctx } from '../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../kernel/policy.ts';
import { strict, text } from '../../kernel/schema.ts';
import { disallowed } from './faults.ts';
import { listPage, pick, querySchema, type ListSpec } from './listing.ts';
import { tagsOf, type Queries } from './rows.ts';

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

const idWhere = (spec: ListSpec, id: string) => sql<SqlBool>`${sql.ref(`${spec.table}.id`)} = ${id}`;

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

  const viewOf = async (ctx: Ctx, id: string): Promise<object> => {
    const db = ctx.platform.db.read;
    const row = (await of.rows(db, ctx.actor).where(idWhere(list, id)).executeTakeFirst()) as Row | undefined;
    const view = row === undefined ? undefined : (await of.views(db, ctx, [row]))[0];
    if (view === undefined) throw notFound(list.noun, id);
    return view;
  };
  const params = (call: { params: Record<string, string> }): string => call.params[param] ?? '';

  const routes: Route[] = [
    {
      method: 'GET',
      path,
      policy: `get_${singular}`,
      summary: `List ${list.plural}`,
      ids: {},
      query: querySchema(list),
      async handler({ ctx, rawQuery }) {
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
        const views = [];
        for (const id of made) views.push(await viewOf(ctx, id));
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
  return of.tags ? [...routes, ...tagRoutes(of, one, param)] : routes;
}

const tagText = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\x00-\\x1f\\x7f,/]+$' });
const MAX_TAGS = 50;

function tagRoutes<
  T extends keyof Tables,
  Row extends { id: string; project_id: string },
  C extends TObject,
  U extends TObject,
>(of: Collection<T, Row, C, U>, one: string, param: string): Route[] {
  const ids = { [param]: of.kind };
  const missing = (tag: string) => new CloudError(404, 'TagNotFound', `Tag ${tag} could not be found.`);
  const read = async (ctx: Ctx, db: Queries, id: string, write: boolean): Promise<string[]> => {
    const row = (await of.rows(db, ctx.actor).where(idWhere(of.list, id)).executeTakeFirst()) as
      | Row
      | undefined;
    if (row === undefined) throw notFound(of.list.noun, id);
    if (write && !isAdmin(ctx.actor) && row.project_id !== projectOf(ctx.actor))
      throw disallowed(`update_${of.singular}:tags`);
    return (await tagsOf(db, [id])).get(id) ?? [];
  };
  const edit = (ctx: Ctx, id: string, next: (tags: string[]) => string[]): Promise<string[]> =>
    ctx.platform.db.tx(async (tx: Tx) => {
      const wanted = [...new Set(next(await read(ctx, tx, id, true)))].sort();
      if (wanted.length > MAX_TAGS)
        throw badRequest(
          `Invalid input for tags. It must have at most ${MAX_TAGS} tags, not ${wanted.length}.`,
        );
      await tx.deleteFrom('network_tags').where('object_id', '=', id).execute();
      if (wanted.length > 0)
        await tx
          .insertInto('network_tags')
          .values(wanted.map((tag) => ({ object_id: id, tag })))
          .execute();
      await audit(tx, ctx, of.kind, id);
      return wanted;
    });
  const route = (
    method: Method,
    path: string,
    status: number,
    more: Pick<Route, 'handler'> & Partial<Route>,
  ): Route => ({
    method,
    path,
    status,
    policy: `${method === 'GET' ? 'get' : 'update'}_${of.singular}`,
    summary: `Tags of a ${of.singular}`,
    ids: path === one + '/tags' ? ids : { ...ids, tag: 'none' },
    ...more,
  });
  const id = (call: { params: Record<string, string> }): string => call.params[param] ?? '';
  const tag = (call: { params: Record<string, string> }): string => {
    const value = call.params['tag'] ?? '';
    if (value.length > 255 || value.includes(','))
      throw badRequest(
        `Invalid input for tag. Value: ${value.slice(0, 60)}. It must have at most 255 characters and no comma.`,
      );
    return value;
  };
  return [
    route('GET', `${one}/tags`, 200, {
      handler: async (call) => ({
        body: { tags: await read(call.ctx, call.ctx.platform.db.read, id(call), false) },
      }),
    }),
    route('PUT', `${one}/tags`, 200, {
      body: strict({ tags: Type.Array(tagText, { maxItems: MAX_TAGS }) }),
      handler: async (call) => ({
        body: { tags: await edit(call.ctx, id(call), () => (call.body as { tags: string[] }).tags) },
      }),
    }),
    route('DELETE', `${one}/tags`, 204, {
      async handler(call) {
        await edit(call.ctx, id(call), () => []);
        return {};
      },
    }),
    route('GET', `${one}/tags/:tag`, 204, {
      async handler(call) {
        if (!(await read(call.ctx, call.ctx.platform.db.read, id(call), false)).includes(tag(call)))
          throw missing(tag(call));
        return {};
      },
    }),
    route('PUT', `${one}/tags/:tag`, 201, {
      async handler(call) {
        await edit(call.ctx, id(call), (tags) => [...tags, tag(call)]);
        return {};
      },
    }),
    route('DELETE', `${one}/tags/:tag`, 204, {
      async handler(call) {
        await edit(call.ctx, id(call), (tags) => {
          if (!tags.includes(tag(call))) throw missing(tag(call));
          return tags.filter((other) => other !== tag(call));
        });
        return {};
      },
    }),
  ];
}
