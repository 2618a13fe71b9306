// What clients ask before they do anything: the versions of the API, how images may be imported and where they are kept.
import { route, type Route } from '../../kernel/http/route.ts';
import { badRequest } from '../../kernel/errors.ts';
import { projectOf, rules, type Policies } from '../../kernel/policy.ts';
import { usageOf } from './images/limits.ts';
import { STORE } from './images/wire.ts';

export const discoveryPolicies: Policies = {
  'image:discover': { description: 'Read version documents', anyOf: [rules.anyone] },
  'image:info': {
    description: 'Read how images may be imported and where they are kept',
    anyOf: [rules.authenticated],
  },
  'image:info:usage': {
    description: 'Read the limits of the project and what it uses',
    anyOf: [rules.admin, rules.projectReader],
  },
  'image:info:stores-detail': { description: 'Read the details of the stores', anyOf: [rules.admin] },
};

/** Newest first. What is not offered of a version (2.14: the cache of the API hosts) ends the list. */
const VERSIONS = ['13', '12', '11', '10', '9', '8', '7', '6', '5', '4', '3', '2', '1', '0'];

export function discoveryRoutes(importMethods: readonly string[]): readonly Route[] {
  const info = (path: '/v2/info/import' | '/v2/info/stores', summary: string, body: object): Route =>
    route({ method: 'GET', path, policy: 'image:info', summary, handler: async () => ({ body }) });
  return [
    info('/v2/info/import', 'How images may be imported', {
      'import-methods': {
        description: 'Import methods available.',
        type: 'array',
        value: importMethods,
      },
    }),
    info('/v2/info/stores', 'The stores of image contents', { stores: [{ id: STORE, default: 'true' }] }),
    route({
      method: 'GET',
      path: '/v2/info/stores/detail',
      policy: 'image:info:stores-detail',
      summary: 'The stores of image contents, for operators',
      handler: async () => ({
        body: { stores: [{ id: STORE, default: 'true', type: 'file', weight: 0, properties: {} }] },
      }),
    }),
    route({
      method: 'GET',
      path: '/v2/info/usage',
      policy: 'image:info:usage',
      summary: 'The limits of the project and what it uses',
      async handler({ ctx }) {
        const project = projectOf(ctx.actor);
        if (project === '')
          throw badRequest('Limits are those of a project: send a token that is scoped to one.');
        return { body: { usage: await usageOf(ctx.platform, ctx.platform.db.read, project) } };
      },
    }),
    ...(['', '/versions', '/v2'] as const).map((path) =>
      route({
        method: 'GET',
        path: path === '' ? '/' : path,
        policy: 'image:discover',
        summary: 'Versions',
        // Glance answers the choice of versions with 300, as its clients expect.
        status: path === '/versions' ? 200 : 300,
        handler: async ({ ctx }) => ({
          body: {
            versions: VERSIONS.map((minor, at) => ({
              id: `v2.${minor}`,
              status: at === 0 ? 'CURRENT' : 'SUPPORTED',
              links: [{ rel: 'self', href: `${ctx.platform.publicUrl}/image/v2/` }],
            })),
          },
        }),
      }),
    ),
  ];
}
