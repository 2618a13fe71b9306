// What Nova once had and has taken away: the reference still knows the addresses and answers 410, so that a client
// reads that the resource is gone and not that it asked wrongly.
import { CloudError } from '../../../kernel/errors.ts';
import { type Method, route, type Route } from '../../../kernel/http/route.ts';
import { nothing } from '../links.ts';

const READ = ['GET'] as const;
const LIST = ['GET', 'POST'] as const;
const ONE = ['GET', 'PUT', 'DELETE'] as const;

const gone: readonly (readonly [path: string, methods: readonly Method[]])[] = [
  ['/v2.1/os-agents', LIST],
  ['/v2.1/os-agents/:key', ['PUT', 'DELETE']],
  ['/v2.1/os-cells', LIST],
  ['/v2.1/os-cells/:key', ONE],
  ['/v2.1/os-cells/:key/capacities', READ],
  ['/v2.1/os-certificates', ['POST']],
  ['/v2.1/os-certificates/:key', READ],
  ['/v2.1/os-cloudpipe', LIST],
  ['/v2.1/os-cloudpipe/:key', ['PUT']],
  ['/v2.1/os-fixed-ips/:key', READ],
  ['/v2.1/os-fixed-ips/:key/action', ['POST']],
  ['/v2.1/os-floating-ip-dns', READ],
  ['/v2.1/os-floating-ip-dns/:key', ['PUT', 'DELETE']],
  ['/v2.1/os-floating-ips-bulk', READ],
  ['/v2.1/os-floating-ips-bulk/:key', ['GET', 'PUT']],
  ['/v2.1/os-fping', READ],
  ['/v2.1/os-fping/:key', READ],
  ['/v2.1/os-networks', ['POST']],
  ['/v2.1/os-networks/:key', ['DELETE']],
  ['/v2.1/os-networks/:key/action', ['POST']],
  ['/v2.1/os-security-group-default-rules', LIST],
  ['/v2.1/os-security-group-default-rules/:key', ['GET', 'DELETE']],
  ['/v2.1/os-tenant-networks', ['POST']],
  ['/v2.1/os-tenant-networks/:key', ['DELETE']],
];

const refuse = async (): Promise<never> => {
  throw new CloudError(410, 'Gone', 'The resource that was once here has been removed from the Compute API.');
};

const summary = 'Removed from the Compute API: 410';
const policy = 'compute:removed';

export const removedRoutes: Route[] = [
  ...gone.flatMap(([path, methods]) =>
    methods.map((method): Route =>
      path.includes(':key')
        ? route({ method, path: path as '/:key', ids: { key: 'none' }, policy, summary, handler: refuse })
        : route({ method, path: path as '/', policy, summary, handler: refuse }),
    ),
  ),
  route({
    method: 'GET',
    path: '/v2.1/servers/:server_id/os-virtual-interfaces',
    // Nobody looks whether there is such a server.
    ids: { server_id: 'none' },
    policy,
    summary,
    handler: refuse,
  }),
  // Of a hypervisor that Nova no longer drives.
  ...['resetNetwork', 'injectNetworkInfo'].map((action) =>
    route({
      method: 'POST',
      path: '/v2.1/servers/:server_id/action',
      ids: { server_id: 'none' },
      action,
      policy: 'compute:servers:reset-state',
      summary,
      body: nothing,
      handler: refuse,
    }),
  ),
];
