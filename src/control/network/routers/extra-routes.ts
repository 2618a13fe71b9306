// Extra routes of a router: adding to and taking from them without knowing the others.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';
import { touched } from '../rows.ts';
import { checkRoutes, type HostRoute } from '../subnets/rules.ts';
import { routesFor } from './next-hops.ts';
import { readableRouter, routers } from './routers.ts';

const asked = strict({
  router: strict({
    routes: Type.Array(strict({ destination: text(49), nexthop: text(49) }), { maxItems: 64 }),
  }),
});

const keyOf = (one: HostRoute): string => `${one.destination} ${one.nexthop}`;

/** Routes that are there already are added no second time, and those that are gone are no error. */
const edit =
  (join: (before: HostRoute[], given: HostRoute[]) => HostRoute[]) =>
  async ({ ctx, params, body }: { ctx: Ctx; params: { router_id: string }; body: Static<typeof asked> }) => {
    const id = params.router_id;
    await ctx.platform.db.tx(
      async (tx) => {
        const row = await readableRouter(tx, ctx.actor, id);
        const before = JSON.parse(row.routes) as HostRoute[];
        const routes = await routesFor(tx, row, join(before, checkRoutes(body.router.routes, 'routes')));
        await tx
          .updateTable('routers')
          .set({ routes, ...touched(ctx, row) })
          .where('id', '=', id)
          .execute();
        await ctx.platform.work.enqueue(tx, 'router', [id]);
        await audit(tx, ctx, 'router', id);
      },
      { locks: [`router:${id}`] },
    );
    const db = ctx.platform.db.read;
    const [view] = await routers.views(db, ctx, [await readableRouter(db, ctx.actor, id)]);
    return { body: { router: view ?? {} } };
  };

export const extraRouteRoutes: Route[] = [
  route({
    method: 'PUT',
    path: '/v2.0/routers/:router_id/add_extraroutes',
    policy: 'update_router',
    summary: 'Add extra routes to a router',
    ids: { router_id: 'router' },
    body: asked,
    handler: edit((before, given) => {
      const there = new Set(before.map(keyOf));
      return [...before, ...given.filter((one) => !there.has(keyOf(one)))];
    }),
  }),
  route({
    method: 'PUT',
    path: '/v2.0/routers/:router_id/remove_extraroutes',
    policy: 'update_router',
    summary: 'Take extra routes from a router',
    ids: { router_id: 'router' },
    body: asked,
    handler: edit((before, given) => {
      const gone = new Set(given.map(keyOf));
      return before.filter((one) => !gone.has(keyOf(one)));
    }),
  }),
];
