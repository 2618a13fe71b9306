// Remote consoles over HTTP: api-ref "Server consoles (servers, os-remote-consoles, os-console-auth-tokens)" and, up
// to 2.5, the actions of "Servers - run an action". Beside Nova's types there is `shell` with protocol `serial`: a
// shell of its own in a container. The address that is answered opens one WebSocket (proxy.ts).
import { Type } from 'typebox';
import { badRequest, CloudError } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { strict } from '../../../kernel/schema.ts';
import { CONSOLE_PATH } from './proxy.ts';
import { createConsole, serverOfToken } from './service.ts';

const ids = { server_id: 'server' } as const;
const ACTION = '/v2.1/servers/:server_id/action';

/** Types of the API by protocol, those that no hypervisor here has among them. mks since 2.8. */
const typesOf: Readonly<Record<string, readonly string[]>> = {
  vnc: ['novnc', 'xvpvnc'],
  serial: ['serial', 'shell'],
  spice: ['spice-html5'],
  rdp: ['rdp-html5'],
  mks: ['webmks'],
};
const MKS_SINCE = 8;

const oneOf = (names: readonly string[]) => Type.Union(names.map((name) => Type.Literal(name)));

/**
 * novnc: a page with the WebSocket's own address in `path`, as noVNC and its clients read it. The others: the
 * WebSocket itself.
 */
function urlOf(platform: Platform, type: string, token: string): string {
  if (type === 'novnc')
    return `${platform.publicUrl}${CONSOLE_PATH}?path=${encodeURIComponent(`${CONSOLE_PATH.slice(1)}?token=${token}`)}`;
  return `${platform.publicUrl.replace(/^http/, 'ws')}${CONSOLE_PATH}?token=${token}`;
}

/** The older action of one type. */
const action = (name: string, types: readonly string[]): Route =>
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: name,
    policy: 'compute:servers:remote-console',
    summary: `Open a console of type ${types.join(' or ')}`,
    until: '2.5',
    body: strict({ type: oneOf(types) }),
    async handler({ ctx, params, body }) {
      const token = await createConsole(ctx, params.server_id, body.type);
      return { body: { console: { type: body.type, url: urlOf(ctx.platform, body.type, token) } } };
    },
  });

export const consoleRoutes: Route[] = [
  route({
    method: 'POST',
    path: '/v2.1/servers/:server_id/remote-consoles',
    ids,
    policy: 'compute:servers:remote-console',
    summary: 'Open a console: novnc and serial of virtual machines, shell of containers',
    since: '2.6',
    body: strict({
      remote_console: strict({
        protocol: oneOf(Object.keys(typesOf)),
        type: oneOf(Object.values(typesOf).flat()),
      }),
    }),
    async handler({ ctx, params, body }) {
      const { protocol, type } = body.remote_console;
      if (protocol === 'mks' && ctx.microversion < MKS_SINCE)
        throw badRequest('Invalid input for field/attribute protocol. Value: mks. It is known from 2.8 on.');
      if (typesOf[protocol]?.includes(type) !== true)
        throw badRequest(
          `Invalid console type ${type}: protocol ${protocol} has ${typesOf[protocol]?.join(' and ')}.`,
        );
      const token = await createConsole(ctx, params.server_id, type);
      return { body: { remote_console: { protocol, type, url: urlOf(ctx.platform, type, token) } } };
    },
  }),
  action('os-getVNCConsole', ['novnc', 'xvpvnc']),
  action('os-getSerialConsole', ['serial']),
  action('os-getSPICEConsole', ['spice-html5']),
  action('os-getRDPConsole', ['rdp-html5']),
  route({
    method: 'GET',
    path: '/v2.1/os-console-auth-tokens/:console_token',
    ids: { console_token: 'none' },
    secretPath: true,
    policy: 'compute:console-auth-tokens',
    summary: 'Show what a console token leads to; it is not used up by that',
    async handler({ ctx, params }) {
      // Before, only consoles of a type that Nova no longer has were shown.
      if (ctx.microversion < 31)
        throw badRequest('Up to microversion 2.30 only rdp-html5 consoles are shown; ask with 2.31.');
      const serverId = await serverOfToken(ctx.platform, params.console_token);
      if (serverId === null) throw new CloudError(404, 'TokenNotFound', 'Token not found');
      const { hostname, port, protocol } = new URL(ctx.platform.publicUrl);
      return {
        body: {
          console: {
            instance_uuid: serverId,
            // Guests' consoles have no address of their own: the way to them leads through here.
            host: hostname,
            port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
            internal_access_path: null,
          },
        },
      };
    },
  }),
];
