// External events over HTTP: api-ref "Create external events". Other services tell Nova by them what happened to a
// server's ports and volumes. Here they are parts of the same program and have said so already: an event is checked
// and answered as Nova does, the server's ports are read again, and nothing else is left to do.
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { idOf, nullable, since, strict, text } from '../../../kernel/schema.ts';
import type { ComputeDeps } from '../deps.ts';
import { portsChanged } from '../servers/reconcile.ts';

const names = [
  Type.Literal('network-changed'),
  Type.Literal('network-vif-plugged'),
  Type.Literal('network-vif-unplugged'),
  Type.Literal('network-vif-deleted'),
  since('2.51', Type.Literal('volume-extended')),
  since('2.76', Type.Literal('power-update')),
  since('2.82', Type.Literal('accelerator-request-bound')),
  since('2.93', Type.Literal('volume-reimaged')),
];
const MAX_EVENTS = 1000;

export const externalEventRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'POST',
    path: '/v2.1/os-server-external-events',
    policy: 'compute:server-external-events',
    summary: 'Tell of what happened to servers',
    body: strict({
      events: Type.Array(
        strict({
          name: Type.Union(names),
          server_uuid: idOf('server'),
          status: Type.Optional(
            Type.Union([Type.Literal('completed'), Type.Literal('failed'), Type.Literal('in-progress')]),
          ),
          tag: Type.Optional(nullable(text(255))),
        }),
        { minItems: 1, maxItems: MAX_EVENTS },
      ),
    }),
    async handler({ ctx, body }) {
      const known = await ctx.platform.db.tx(async (tx) => {
        const asked = [...new Set(body.events.map((one) => one.server_uuid))];
        const found = new Map<string, string | null>();
        for (let at = 0; at < asked.length; at += 500)
          for (const row of await tx
            .selectFrom('servers')
            .select(['id', 'host_id'])
            .where('id', 'in', asked.slice(at, at + 500))
            .execute())
            found.set(row.id, row.host_id);
        await portsChanged(ctx.platform, deps)(tx, [...found.keys()]);
        return found;
      });
      const events = body.events.map((one) => {
        const host = known.get(one.server_uuid);
        const untold = one.name === 'volume-extended' && (one.tag ?? '') === '';
        const code = host === undefined ? 404 : untold ? 400 : host === null ? 422 : 200;
        return { ...one, status: code === 200 ? 'completed' : 'failed', code };
      });
      const done = events.filter((one) => one.code === 200).length;
      return { status: done === events.length ? 200 : 207, body: { events } };
    },
  }),
];
