// The routes of a Neutron resource that lives below another one: /floatingips/:id/port_forwardings,
// /qos/policies/:id/bandwidth_limit_rules.
import { sql, type SelectQueryBuilder, type SqlBool } from 'kysely';
import { Type, type Static, type TObject } from 'typebox';
import type { Tables } from '../../kernel/db/index.ts';
import { notFound } from '../../kernel/errors.ts';
import type { Route } from '../../kernel/http/route.ts';
import type { Ctx } from '../../kernel/platform.ts';
import type { Actor } from '../../kernel/policy.ts';
import { strict, text } from '../../kernel/schema.ts';
import { listPage, pick, querySchema, type ListSpec } from './listing.ts';
import type { Queries } from './rows.ts';

export type Nested<
  T extends keyof Tables,
  Row extends { id: string },
  C extends TObject,
  U extends TObject,
> = {
  parent: { path: string; param: string; kind: string };
  /** e.g. 'port_forwarding' and its path segment 'port_forwardings'; the id's path parameter is `param`. */
  singular: string;
  plural: string;
  param: string;
  kind: string;
  /** Policies are `<verb>_<policy>`. */
  policy: string;
  list: ListSpec;
  create: C;
  update: U;
  /** Throws 404 when the actor may not see the parent; its children otherwise. */
  rows(db: Queries, actor: Actor, parentId: string): Promise<SelectQueryBuilder<Tables, T, Row>>;
  view(row: Row): object;
  make(ctx: Ctx, parentId: string, input: Static<C>): Promise<string>;
  change(ctx: Ctx, parentId: string, id: string, input: Static<U>): Promise<void>;
  remove(ctx: Ctx, parentId: string, id: string): Promise<void>;
};

/** The child with this id, or 404. */
export async function childRow<T extends keyof Tables, Row extends { id: string }>(
  of: Pick<Nested<T, Row, TObject, TObject>, 'rows' | 'list'>,
  db: Queries,
  actor: Actor,
  parentId: string,
  id: string,
): Promise<Row> {
  const query = await of.rows(db, actor, parentId);
  const row = (await query
    .where(sql<SqlBool>`${sql.ref(`${of.list.table}.id`)} = ${id}`)
    .executeTakeFirst()) as Row | undefined;
  if (row === undefined) throw notFound(of.list.noun, id);
  return row;
}

export function nestedRoutes<
  T extends keyof Tables,
  Row extends { id: string },
  C extends TObject,
  U extends TObject,
>(of: Nested<T, Row, C, U>): Route[] {
  const path = `${of.parent.path}/:${of.parent.param}/${of.plural}`;
  const one = `${path}/:${of.param}`;
  const parentIds = { [of.parent.param]: of.parent.kind };
  const ids = { ...parentIds, [of.param]: of.kind };
  const parentOf = (call: { params: Record<string, string> }): string => call.params[of.parent.param] ?? '';
  const idOf = (call: { params: Record<string, string> }): string => call.params[of.param] ?? '';
  const answer = async (ctx: Ctx, parentId: string, id: string): Promise<object> => ({
    [of.singular]: of.view(await childRow(of, ctx.platform.db.read, ctx.actor, parentId, id)),
  });
  const given = (call: { body: unknown }): unknown => (call.body as Record<string, unknown>)[of.singular];
  return [
    {
      method: 'GET',
      path,
      policy: `get_${of.policy}`,
      summary: `List ${of.list.plural}`,
      ids: parentIds,
      query: querySchema(of.list),
      async handler(call) {
        const { ctx, rawQuery } = call;
        const base = `${ctx.platform.publicUrl}/network${path.replace(`:${of.parent.param}`, parentOf(call))}`;
        const query = await of.rows(ctx.platform.db.read, ctx.actor, parentOf(call));
        const { rows, links } = await listPage(of.list, query, rawQuery, base, ctx.actor);
        return {
          body: {
            [of.plural]: (rows as Row[]).map((row) => pick(of.view(row), rawQuery)),
            ...(links.length > 0 ? { [`${of.plural}_links`]: links } : {}),
          },
        };
      },
    },
    {
      method: 'POST',
      path,
      policy: `create_${of.policy}`,
      summary: `Create a ${of.singular}`,
      ids: parentIds,
      status: 201,
      body: strict({ [of.singular]: of.create }),
      async handler(call) {
        const id = await of.make(call.ctx, parentOf(call), given(call) as Static<C>);
        return { body: await answer(call.ctx, parentOf(call), id) };
      },
    },
    {
      method: 'GET',
      path: one,
      policy: `get_${of.policy}`,
      summary: `Show a ${of.singular}`,
      ids,
      query: Type.Object({ fields: Type.Optional(Type.Array(text(64), { maxItems: 100 })) }),
      async handler(call) {
        const row = await childRow(of, call.ctx.platform.db.read, call.ctx.actor, parentOf(call), idOf(call));
        return { body: { [of.singular]: pick(of.view(row), call.rawQuery) } };
      },
    },
    {
      method: 'PUT',
      path: one,
      policy: `update_${of.policy}`,
      summary: `Change a ${of.singular}`,
      ids,
      body: strict({ [of.singular]: of.update }),
      async handler(call) {
        await of.change(call.ctx, parentOf(call), idOf(call), given(call) as Static<U>);
        return { body: await answer(call.ctx, parentOf(call), idOf(call)) };
      },
    },
    {
      method: 'DELETE',
      path: one,
      policy: `delete_${of.policy}`,
      summary: `Delete a ${of.singular}`,
      ids,
      status: 204,
      async handler(call) {
        await of.remove(call.ctx, parentOf(call), idOf(call));
        return {};
      },
    },
  ];
}
