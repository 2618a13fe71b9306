// The routes that every resource of this service has: list with filters and pages, create, show, change, delete.
import { sql, type SelectQueryBuilder, type SqlBool } from 'kysely';
import { Type, type Static, type TObject, type TSchema } from 'typebox';
import type { Tables } from '../../kernel/db/index.ts';
import type { Route } from '../../kernel/http/route.ts';
import { applyPage, type SortKey } from '../../kernel/paging.ts';
import type { Ctx, Platform } from '../../kernel/platform.ts';
import { idOf, integer, text } from '../../kernel/schema.ts';
import type { Rows } from './identity.ts';
import type { PolicyName } from './policy.ts';
import { byName, collection, markerRow } from './wire.ts';

type Found<T extends keyof Tables, Row> = SelectQueryBuilder<Tables, T, Row>;

export type Collection<
  T extends keyof Tables,
  Row extends { id: string },
  Q extends TObject,
  C extends TObject,
  U extends TObject,
> = {
  /** e.g. 'user' and 'users': the keys of the documents; policies are `identity:list_users`, `identity:get_user` ... */
  singular: string;
  plural: string;
  /** e.g. '/v3/users'; the id's path parameter is `<singular>_id`. */
  path: string;
  /** Of the ids, e.g. 'user'. */
  kind: string;
  /** Where the policies have another noun than `singular` and `plural`. */
  policyNouns?: readonly [singular: string, plural: string];
  /** false: there is no column name_key to filter and to sort by. */
  named: boolean;
  /** Besides the name, limit and marker. */
  filters: Q;
  /** What the actor may see. */
  rows(ctx: Ctx): Found<T, Row>;
  filter(rows: Found<T, Row>, asked: Static<Q>, ctx: Ctx): Found<T, Row>;
  /** A filter that the database cannot express. */
  keep?(asked: Static<Q>): ((row: Row) => boolean) | null;
  /** What the list has besides the stored rows, before them. */
  builtIn?(ctx: Ctx, asked: Static<Q> & { name?: string }): Promise<Row[]>;
  find(rows: Rows, ctx: Ctx, id: string): Promise<Row>;
  view(platform: Platform, row: Row): object;
  /** More of a single object, as its query asks. */
  details?: { query: TObject; of(ctx: Ctx, row: Row, asked: Record<string, unknown>): Promise<object> };
  create: { body: C; make(ctx: Ctx, input: Static<C>): Promise<Row> };
  update: { body: U; change(ctx: Ctx, id: string, input: Static<U>): Promise<Row> };
  remove(ctx: Ctx, id: string): Promise<void>;
};

/** `name__contains` and the rest: how Keystone compares inexactly. Names here never differ by case alone, so neither do these. */
const COMPARISONS: Readonly<Record<string, (part: string) => string>> = Object.fromEntries(
  [
    ['contains', (part: string) => `%${part}%`] as const,
    ['startswith', (part: string) => `${part}%`] as const,
    ['endswith', (part: string) => `%${part}`] as const,
  ].flatMap(([name, pattern]) => [
    [`name__${name}`, pattern],
    [`name__i${name}`, pattern],
  ]),
);
const nameFilters = {
  name: Type.Optional(text()),
  ...Object.fromEntries(Object.keys(COMPARISONS).map((name) => [name, Type.Optional(text())])),
};

function byNames<T extends keyof Tables, Row>(
  rows: Found<T, Row>,
  asked: Record<string, string | undefined>,
): Found<T, Row> {
  let out = rows;
  if (asked['name'] !== undefined) out = out.where(sql<SqlBool>`${sql.ref('name')} = ${asked['name']}`);
  for (const [name, pattern] of Object.entries(COMPARISONS)) {
    const part = asked[name]?.toLowerCase().replace(/[\\%_]/g, '\\$&');
    if (part !== undefined)
      out = out.where(sql<SqlBool>`${sql.ref('name_key')} like ${pattern(part)} escape '\\'`);
  }
  return out;
}

const byId: readonly SortKey[] = [{ column: 'id', direction: 'asc' }];

export function collectionRoutes<
  T extends keyof Tables,
  Row extends { id: string },
  Q extends TObject,
  C extends TObject,
  U extends TObject,
>(of: Collection<T, Row, Q, C, U>): Route[] {
  const { singular, plural, path, kind } = of;
  const param = `${singular}_id`;
  const one = { path: `${path}/:${param}`, ids: { [param]: kind } };
  const [noun, nouns] = of.policyNouns ?? [singular, plural];
  const policy = (verb: string, what: string): PolicyName => `identity:${verb}_${what}` as PolicyName;
  const query = Type.Object({
    ...of.filters.properties,
    ...(of.named ? nameFilters : {}),
    limit: Type.Optional(integer(1, 1000)),
    marker: Type.Optional(idOf(kind)),
  }) as TObject<Record<string, TSchema>>;
  const view = (ctx: Ctx, row: Row): object => of.view(ctx.platform, row);

  return [
    {
      method: 'GET',
      path,
      policy: policy('list', nouns),
      summary: `List ${plural}`,
      ids: {},
      query,
      async handler({ ctx, query: given, rawQuery }) {
        const asked = given as Static<Q> & { limit?: number; marker?: string };
        const limit = asked.limit ?? null;
        const visible = of.rows(ctx);
        const builtIn = (await of.builtIn?.(ctx, asked)) ?? [];
        const marker =
          builtIn.find((row) => row.id === asked.marker) ??
          (await markerRow(asked.marker, (id) =>
            visible.where(sql<SqlBool>`${sql.ref('id')} = ${id}`).executeTakeFirst(),
          ));
        const first = builtIn.slice(builtIn.findIndex((row) => row.id === asked.marker) + 1);
        const isStored = marker !== null && !builtIn.some((row) => row.id === asked.marker);
        const keep = of.keep?.(asked) ?? null;
        const named = byNames(of.filter(visible, asked, ctx), asked as Record<string, string | undefined>);
        const found = (await applyPage(
          named,
          of.named ? byName : byId,
          isStored ? (marker as Record<string, unknown>) : null,
          keep === null ? limit : null,
        ).execute()) as Row[];
        const all = [...(isStored ? [] : first), ...(keep === null ? found : found.filter(keep))];
        const rows = limit === null ? all : all.slice(0, limit + 1);
        return collection(ctx, path, plural, rows, of.view, { limit, rawQuery });
      },
    },
    {
      method: 'POST',
      path,
      policy: policy('create', noun),
      summary: `Create a ${singular}`,
      ids: {},
      status: 201,
      body: of.create.body,
      handler: async ({ ctx, body }) => ({
        body: { [singular]: view(ctx, await of.create.make(ctx, body as Static<C>)) },
      }),
    },
    {
      ...one,
      method: 'GET',
      policy: policy('get', noun),
      summary: `Show a ${singular}`,
      ...(of.details === undefined ? {} : { query: of.details.query }),
      async handler({ ctx, params, query: asked }) {
        const row = await of.find(ctx.platform.db.read, ctx, params[param] ?? '');
        return { body: { [singular]: { ...view(ctx, row), ...(await of.details?.of(ctx, row, asked)) } } };
      },
    },
    {
      ...one,
      method: 'PATCH',
      policy: policy('update', noun),
      summary: `Change a ${singular}`,
      body: of.update.body,
      handler: async ({ ctx, params, body }) => ({
        body: { [singular]: view(ctx, await of.update.change(ctx, params[param] ?? '', body as Static<U>)) },
      }),
    },
    {
      ...one,
      method: 'DELETE',
      policy: policy('delete', noun),
      summary: `Delete a ${singular}`,
      status: 204,
      async handler({ ctx, params }) {
        await of.remove(ctx, params[param] ?? '');
        return {};
      },
    },
  ];
}
