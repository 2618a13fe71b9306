// The OpenAPI document, made from the route table itself, so that it cannot say something else than what is served.
import type { Route, Service } from './route.ts';

type Operation = Record<string, unknown>;

function operation(service: Service, routes: readonly Route[]): Operation {
  const first = routes[0];
  if (first === undefined) return {};
  const bodies = routes
    .filter((route) => route.body !== undefined)
    .map((route) =>
      route.action === undefined
        ? route.body
        : {
            type: 'object',
            required: [route.action],
            properties: { [route.action]: route.body },
            additionalProperties: false,
          },
    );
  const query = Object.entries(first.query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }));
  const path = Object.entries(first.ids).map(([name, resource]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    'x-resource': resource,
  }));
  return {
    operationId: [service.name, first.method.toLowerCase(), ...first.path.split(/[^A-Za-z0-9_]+/)]
      .filter((part) => part !== '')
      .join('_'),
    tags: [service.name],
    summary: routes.map((route) => route.summary).join(' · '),
    'x-policy': [...new Set(routes.map((route) => route.policy))],
    ...(first.since === undefined ? {} : { 'x-since': first.since }),
    parameters: [...path, ...query],
    ...(bodies.length === 0
      ? {}
      : {
          requestBody: {
            content: { 'application/json': { schema: bodies.length === 1 ? bodies[0] : { oneOf: bodies } } },
          },
        }),
    responses: {
      [String(first.status ?? 200)]: { description: 'Success' },
      default: { description: `A fault in the format of the ${service.name} service` },
    },
  };
}

export function openApiDocument(services: readonly Service[], publicUrl: string, version: string): object {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const service of services) {
    const groups = Map.groupBy(service.routes, (route) => `${route.method} ${route.path}`);
    for (const routes of groups.values()) {
      const first = routes[0];
      if (first === undefined) continue;
      const path = service.prefix + first.path.replace(/:([a-z_]+)/g, '{$1}');
      (paths[path] ??= {})[first.method.toLowerCase()] = operation(service, routes);
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Strata', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: publicUrl }],
    components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
    security: [{ token: [] }],
    paths,
  };
}
