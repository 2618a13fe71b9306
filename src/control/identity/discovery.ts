// Version discovery: what clients ask first, without a token.
import { route, type Route } from '../../kernel/http/route.ts';
import type { Platform } from '../../kernel/platform.ts';
import { jsonHome } from './json-home.ts';
import { urlOf } from './wire.ts';

const v3 = (platform: Platform): object => ({
  id: 'v3.14',
  status: 'stable',
  updated: '2020-04-07T00:00:00Z',
  links: [{ rel: 'self', href: urlOf(platform, '/v3/') }],
  'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
});

/** `routes` are all of the service, for JSON home. */
export const discoveryRoutes = (routes: () => readonly Route[]): Route[] => [
  route({
    method: 'GET',
    path: '/',
    policy: 'identity:discovery',
    summary: 'List the versions',
    status: 300,
    handler: async ({ ctx }) => ({
      headers: { vary: 'X-Auth-Token', location: urlOf(ctx.platform, '/v3/') },
      body: { versions: { values: [v3(ctx.platform)] } },
    }),
  }),
  route({
    method: 'GET',
    path: '/v3',
    policy: 'identity:discovery',
    summary: 'Show version 3',
    handler: async ({ ctx, headers }) =>
      /\bapplication\/json-home\b/.test(String(headers['accept'] ?? ''))
        ? {
            headers: { vary: 'X-Auth-Token, Accept', 'content-type': 'application/json-home' },
            body: JSON.stringify(jsonHome(routes())),
          }
        : { headers: { vary: 'X-Auth-Token, Accept' }, body: { version: v3(ctx.platform) } },
  }),
];
