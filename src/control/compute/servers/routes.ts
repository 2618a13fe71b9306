// Servers over HTTP: api-ref "Servers", "Servers - run an action".
import { Type } from 'typebox';
import { badRequest, conflict, unavailable } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { since, strict, text } from '../../../kernel/schema.ts';
import type { ComputeDeps } from '../deps.ts';
import { isSet, linksOf, nothing } from '../links.ts';
import { createServers } from './create.ts';
import { updateServer } from './describe.ts';
import { changePower, deleteServer, powerVerbs, resetState, setLock } from './lifecycle.ts';
import { encodeShown, listServers, viewFor } from './list.ts';
import { newPassword } from './password.ts';
import { createImageRoute } from './create-image.ts';
import { rebuildRoute } from './rebuild.ts';
import { createBody, listQuery, updateBody } from './schema.ts';
import { findServer } from './store.ts';
import { groupNames, joinObjects, portsOf, type ServerEncoder, updatedView } from './wire.ts';

const ids = { server_id: 'server' } as const;
const ACTION = '/v2.1/servers/:server_id/action';

/** Most that one console request returns: the reference's clients show it as it is. */
const MAX_CONSOLE_LINES = 100_000;

export function serverRoutes(deps: ComputeDeps, encoder: ServerEncoder): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v2.1/servers',
      policy: 'compute:servers:list',
      summary: 'List servers',
      query: listQuery,
      handler: ({ ctx, query, rawQuery }) => listServers(ctx, encoder, false, query, rawQuery),
    }),
    route({
      method: 'GET',
      path: '/v2.1/servers/detail',
      policy: 'compute:servers:list',
      summary: 'List servers with details',
      query: listQuery,
      handler: ({ ctx, query, rawQuery }) => listServers(ctx, encoder, true, query, rawQuery),
    }),
    route({
      method: 'POST',
      path: '/v2.1/servers',
      policy: 'compute:servers:create',
      summary: 'Create servers',
      body: createBody,
      status: 202,
      async handler({ ctx, body }) {
        const servers = await createServers(ctx, deps, body);
        const [first] = servers;
        if (first === undefined) throw badRequest('min_count must be at least 1.');
        if (isSet(body.server.return_reservation_id))
          return { body: { reservation_id: first.reservation_id } };
        const links = linksOf(ctx.platform.publicUrl, 'servers', first.id);
        const groups = groupNames(portsOf(first));
        return {
          headers: { location: links[0]?.href ?? '' },
          body: {
            server: {
              id: first.id,
              links,
              'OS-DCF:diskConfig': first.disk_config,
              security_groups:
                groups.length > 0 ? groups : (body.server.security_groups ?? [{ name: 'default' }]),
              adminPass: body.server.adminPass ?? newPassword(),
            },
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/v2.1/servers/:server_id',
      ids,
      policy: 'compute:servers:show',
      summary: 'Show a server',
      async handler({ ctx, params }) {
        const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
        return { body: joinObjects('{"server":', [await encodeShown(ctx, encoder, row)], '}') };
      },
    }),
    route({
      method: 'PUT',
      path: '/v2.1/servers/:server_id',
      ids,
      policy: 'compute:servers:update',
      summary: 'Rename or describe a server',
      body: updateBody,
      async handler({ ctx, params, body }) {
        const row = await updateServer(ctx, params.server_id, body.server);
        if (ctx.microversion >= 75)
          return { body: joinObjects('{"server":', [await encodeShown(ctx, encoder, row)], '}') };
        return { body: { server: updatedView(row, viewFor(ctx)) } };
      },
    }),
    route({
      method: 'DELETE',
      path: '/v2.1/servers/:server_id',
      ids,
      policy: 'compute:servers:delete',
      summary: 'Delete a server',
      status: 204,
      async handler({ ctx, params }) {
        await deleteServer(ctx, deps, params.server_id);
        return {};
      },
    }),
    ...actionRoutes(deps),
    rebuildRoute(deps, encoder),
    createImageRoute(deps),
  ];
}

const powerRoute = (action: string, policy: string, summary: string, verb: keyof typeof powerVerbs): Route =>
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action,
    policy,
    summary,
    body: nothing,
    status: 202,
    async handler({ ctx, params }) {
      await changePower(ctx, params.server_id, powerVerbs[verb]);
      return {};
    },
  });

const actionRoutes = (deps: ComputeDeps): Route[] => [
  powerRoute('os-start', 'compute:servers:start', 'Start a server', 'start'),
  powerRoute('os-stop', 'compute:servers:stop', 'Stop a server', 'stop'),
  powerRoute('pause', 'compute:servers:pause', 'Pause a server', 'pause'),
  powerRoute('unpause', 'compute:servers:unpause', 'Unpause a server', 'unpause'),
  powerRoute('suspend', 'compute:servers:suspend', 'Suspend a server', 'suspend'),
  powerRoute('resume', 'compute:servers:resume', 'Resume a server', 'resume'),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'reboot',
    policy: 'compute:servers:reboot',
    summary: 'Reboot a server',
    status: 202,
    body: strict({ type: Type.String({ pattern: '^(?:[Ss][Oo][Ff][Tt]|[Hh][Aa][Rr][Dd])$' }) }),
    async handler({ ctx, params, body }) {
      await changePower(
        ctx,
        params.server_id,
        body.type.toUpperCase() === 'HARD' ? powerVerbs.hardReboot : powerVerbs.softReboot,
      );
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'lock',
    policy: 'compute:servers:lock',
    summary: 'Lock a server',
    status: 202,
    body: Type.Union([nothing, since('2.73', strict({ locked_reason: Type.Optional(text(255, 1)) }))]),
    async handler({ ctx, params, body }) {
      const reason =
        body !== null && 'locked_reason' in body ? (body.locked_reason as string | undefined) : undefined;
      await setLock(ctx, params.server_id, { reason: reason ?? null });
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'unlock',
    policy: 'compute:servers:unlock',
    summary: 'Unlock a server',
    status: 202,
    body: nothing,
    async handler({ ctx, params }) {
      await setLock(ctx, params.server_id, null);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'os-resetState',
    policy: 'compute:servers:reset-state',
    summary: 'Clear or set the fault of a server',
    status: 202,
    body: strict({ state: Type.Union([Type.Literal('active'), Type.Literal('error')]) }),
    async handler({ ctx, params, body }) {
      await resetState(ctx, params.server_id, body.state);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'os-getConsoleOutput',
    policy: 'compute:servers:console-output',
    summary: 'Show the console log',
    body: strict({
      length: Type.Optional(
        Type.Union([
          Type.Integer({ minimum: -1, maximum: 2_147_483_647 }),
          Type.String({ pattern: '^-?[0-9]{1,9}$' }),
          Type.Null(),
        ]),
      ),
    }),
    async handler({ ctx, params, body }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      const length = body.length === undefined || body.length === null ? null : Number(body.length);
      if (length !== null && length < -1)
        throw badRequest(
          `Invalid input for field/attribute length. Value: ${length}. It must be -1 or more.`,
        );
      if (row.host_id === null || row.observed_power === null)
        throw conflict(`Instance ${row.id} is not ready: it has no console yet.`);
      const host = deps.hosts.queries(row.host_id);
      if (host === null)
        throw unavailable(`The host of instance ${row.id} is not connected; try again when it is back.`);
      const lines = length === null || length === -1 ? null : Math.min(length, MAX_CONSOLE_LINES);
      const output = lines === 0 ? '' : await host.consoleLog(row.id, lines);
      // As Nova counts them: what follows the last line break is a line too, were it empty.
      return { body: { output: lines === null ? output : output.split('\n').slice(-lines).join('\n') } };
    },
  }),
];
