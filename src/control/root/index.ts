// What answers at the top of the listening address: health, the OpenAPI document, figures for operators.
import { route, type Service } from '../../kernel/http/route.ts';
import { keystoneFault } from '../../kernel/http/faults.ts';
import { openApiDocument } from '../../kernel/http/openapi.ts';
import type { Pages } from '../../kernel/http/pages.ts';
import type { Platform } from '../../kernel/platform.ts';
import { rules } from '../../kernel/policy.ts';
import type { Telemetry } from '../../kernel/telemetry.ts';

export function createRootService(
  platform: Platform,
  deps: {
    services: readonly Service[];
    telemetry: Telemetry;
    version: string;
    /** The web console, where it is built. */
    pages?: Pages;
  },
): Service {
  let document: string | null = null;
  return {
    name: 'root',
    type: 'root',
    prefix: '',
    fault: keystoneFault,
    policies: {
      'root:health': { description: 'Read whether the cloud is ready', anyOf: [rules.anyone] },
      'root:docs': { description: 'Read the OpenAPI document', anyOf: [rules.anyone] },
      'root:metrics': { description: 'Read Prometheus figures', anyOf: [rules.admin, rules.systemReader] },
    },
    migrations: [],
    work: {},
    routes: [
      route({
        method: 'GET',
        path: '/',
        policy: 'root:health',
        summary: 'Where the services are; a browser is shown the web console',
        handler: async ({ headers }) =>
          (await deps.pages?.page(String(headers['accept'] ?? ''))) ?? {
            headers: { vary: 'Accept' },
            body: {
              name: 'strata',
              version: deps.version,
              region: platform.region,
              services: Object.fromEntries(
                deps.services.map((service) => [service.name, platform.publicUrl + service.prefix]),
              ),
              documentation: `${platform.publicUrl}/docs`,
            },
          },
      }),
      route({
        method: 'GET',
        path: '/healthz',
        policy: 'root:health',
        summary: 'Ready when the database answers',
        async handler() {
          await platform.db.ping();
          return { body: { status: 'ok' } };
        },
      }),
      route({
        method: 'GET',
        path: '/docs',
        policy: 'root:docs',
        summary: 'The OpenAPI document',
        handler: async () => ({
          body: (document ??= JSON.stringify(
            openApiDocument(deps.services, platform.publicUrl, deps.version),
          )),
        }),
      }),
      route({
        method: 'GET',
        path: '/metrics',
        policy: 'root:metrics',
        summary: 'Figures in the Prometheus text format',
        async handler() {
          const { contentType, text } = await deps.telemetry.expose();
          return { headers: { 'content-type': contentType }, body: text };
        },
      }),
    ],
  };
}
