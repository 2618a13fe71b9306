// The pipeline, the same for every verb: request id, authenticate, policy, microversion, parse and validate,
// handler, encode. Authentication comes before the body is parsed; a target's ownership is checked by the
// service against what is stored.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { isAllowed } from '../access-rules.ts';
import { badRequest, CloudError, forbidden, notFound, unauthorized } from '../errors.ts';
import type { Ctx, Platform } from '../platform.ts';
import { type Actor, allows, anonymous, type Policy } from '../policy.ts';
import { type Check, checker, coerceQuery, minorOf } from '../schema.ts';
import type { Telemetry } from '../telemetry.ts';
import { asCloudError } from './escaped-errors.ts';
import { keystoneFault, type Fault } from './faults.ts';
import { parseJson } from './json-body.ts';
import type { Pages } from './pages.ts';
import type { Reply, Route, Service } from './route.ts';
import { socketsOf } from './sockets.ts';

export type HttpOptions = {
  platform: Platform;
  services: readonly Service[];
  /** The actor of a token; throws 401 when it is missing or not valid. */
  authenticate(headers: FastifyRequest['headers']): Actor | Promise<Actor>;
  telemetry: Telemetry;
  /** PEM; absent: plain HTTP. */
  tls?: { cert: string; key: string };
  /** What a browser is shown at the addresses that no service has; absent: nothing. */
  pages?: Pages;
  /** Bytes of a JSON body; default 1 MiB. */
  bodyLimit?: number;
};

type Compiled = Route & { check: Check<never> | null; checkQuery: Check<never> | null; rule: Policy };

/** An address of the pages' files, as opposed to one of a page. */
const isFile = /^\/assets\//;

/** How long requests under way may take to end when the server closes, in milliseconds. */
const CLOSE_GRACE_MS = 2_000;

const requestIds = new WeakMap<FastifyRequest, string>();
function requestIdOf(request: FastifyRequest): string {
  let id = requestIds.get(request);
  if (id === undefined) {
    id = `req-${randomUUID()}`;
    requestIds.set(request, id);
  }
  return id;
}

// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x1f\x7f]/;

function negotiate(service: Service, headers: FastifyRequest['headers']): number {
  const versions = service.microversions;
  if (versions === undefined) return 0;
  const generic = String(headers['openstack-api-version'] ?? '')
    .split(',')
    .map((part) => part.trim().split(/\s+/))
    .find(([type]) => type === versions.type)?.[1];
  const legacy = versions.legacyHeader === undefined ? undefined : headers[versions.legacyHeader];
  const asked = generic ?? (Array.isArray(legacy) ? legacy[0] : legacy) ?? versions.default;
  if (asked === 'latest') return minorOf(versions.max);
  if (!/^\d{1,3}\.\d{1,5}$/.test(asked))
    throw badRequest(
      `Invalid API version ${asked.slice(0, 40)}: it must be MAJOR.MINOR or 'latest'.`,
      'InvalidVersion',
    );
  const [major] = versions.min.split('.');
  const minor = minorOf(asked);
  if (!asked.startsWith(`${major}.`) || minor < minorOf(versions.min) || minor > minorOf(versions.max))
    throw new CloudError(
      406,
      'VersionNotFound',
      `Version ${asked} is not supported by the API. Minimum is ${versions.min} and maximum is ${versions.max}.`,
    );
  return minor;
}

const served = (route: Route, minor: number): boolean =>
  !(route.since !== undefined && minor < minorOf(route.since)) &&
  !(route.until !== undefined && minor > minorOf(route.until));

/** The same address below the service's own prefix: one route serves all the names of a service. */
function ownUrl(services: readonly Service[], asked: string): string {
  const url = asked.replace(/^\/{2,}/, '/');
  for (const { prefix, aliases } of services)
    for (const alias of aliases ?? [])
      if (url.startsWith(alias) && /^[/?]|^$/.test(url.slice(alias.length, alias.length + 1)))
        return prefix + url.slice(alias.length);
  return url;
}

type RouteConfig = { label?: string; shownPath?: string };
const configOf = (request: FastifyRequest): RouteConfig => request.routeOptions.config as RouteConfig;
/** The path as logs may hold it. */
const shownPath = (request: FastifyRequest): string | undefined =>
  configOf(request).shownPath ?? request.url.split('?')[0];

/** The address of today for one of an older version of an API; that one knows no microversions. */
function currentUrl(services: readonly Service[], request: IncomingMessage): string {
  const url = ownUrl(services, request.url ?? '/');
  const service = services.find(
    ({ prefix, formerly }) => formerly !== undefined && url.startsWith(`${prefix}${formerly.path}/`),
  );
  if (service?.formerly === undefined) return url;
  const rest = url.slice(service.prefix.length + service.formerly.path.length);
  if (rest === '/') return url;
  delete request.headers['openstack-api-version'];
  if (service.microversions?.legacyHeader !== undefined)
    delete request.headers[service.microversions.legacyHeader];
  return `${service.prefix}${service.formerly.now}${rest}`;
}

const noSchemas = () => () => {
  throw new Error('Schemas are not given to the framework: see kernel/schema.ts');
};

export function createHttpServer(options: HttpOptions): FastifyInstance {
  const { platform, telemetry } = options;
  const log = platform.log.child({ part: 'http' });
  const sockets = socketsOf(options.services);
  const base = {
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: options.bodyLimit ?? 1024 * 1024,
    genReqId: () => '',
    forceCloseConnections: 'idle',
    http: sockets.serverOptions,
    rewriteUrl: (request: IncomingMessage) => currentUrl(options.services, request),
    // What the router itself refuses (an address with a broken escape, a parameter that is too long) looks like the rest.
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
      void fail(request, reply, error, faultOf(request.url)),
    // Schemas are checked here (schema.ts), so that the framework's two compilers need not be loaded at all.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 2000 },
  } as const;
  const app: FastifyInstance =
    options.tls === undefined
      ? fastify(base)
      : (fastify({
          ...base,
          https: { ...base.http, cert: options.tls.cert, key: options.tls.key, minVersion: 'TLSv1.2' },
        }) as unknown as FastifyInstance);

  sockets.register(app);

  // What is sent to an address that does not exist is not read: the answer is 404 whatever it is.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    done(null);
  });

  // Declared as functions: the framework is given them before it exists.
  function serviceOf(url: string): Service | undefined {
    const path = (url.split('?')[0] ?? '').replace(/\/{2,}/g, '/');
    return options.services.find(
      (service) =>
        service.prefix !== '' && (path === service.prefix || path.startsWith(`${service.prefix}/`)),
    );
  }
  function faultOf(url: string): Fault {
    return serviceOf(url)?.fault ?? keystoneFault;
  }

  function fail(request: FastifyRequest, reply: FastifyReply, thrown: unknown, fault: Fault): FastifyReply {
    const error = asCloudError(thrown);
    const requestId = requestIdOf(request);
    if (error.status >= 500 && error.status !== 501) {
      const cause =
        error.cause instanceof Error
          ? error.cause.stack
          : error.cause === undefined
            ? undefined
            : String(error.cause);
      log.error(
        {
          requestId,
          method: request.method,
          path: shownPath(request),
          status: error.status,
          detail: error.detail,
          cause,
        },
        error.publicMessage,
      );
    }
    const { contentType, body } = fault(error, requestId);
    return reply
      .code(error.status)
      .headers({ ...error.headers, 'x-openstack-request-id': requestId, 'content-type': contentType })
      .send(body);
  }

  /** `hasItems`: the same address with one more segment is the address of one object. */
  const serve = (service: Service, candidates: readonly Compiled[], hasItems: boolean) => {
    const isPublic = candidates.every((route) => route.rule.anyOf.some((rule) => rule.who === 'anyone'));
    const versions = service.microversions;
    return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const requestId = requestIdOf(request);
      reply.header('x-openstack-request-id', requestId);
      try {
        const actor = isPublic ? anonymous : await options.authenticate(request.headers);
        if (
          actor.accessRules !== undefined &&
          !isAllowed(actor.accessRules, service, request.method, request.url.split('?')[0] ?? '')
        )
          throw unauthorized('The access rules of the application credential do not allow this request.');
        const microversion = negotiate(service, request.headers);
        if (versions !== undefined) {
          const shown = `${versions.min.split('.')[0]}.${microversion}`;
          reply.header('openstack-api-version', `${versions.type} ${shown}`);
          if (versions.legacyHeader === undefined) reply.header('vary', 'OpenStack-API-Version');
          else
            reply
              .header(versions.legacyHeader, shown)
              .header('vary', 'OpenStack-API-Version, X-OpenStack-Nova-API-Version')
              .header('x-compute-request-id', requestId);
        }
        let route = candidates[0];
        let body: unknown;
        if (route?.action !== undefined) {
          const parsed = parseJson(request.body);
          if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
            throw badRequest('Malformed request body: it must be a JSON object that names an action.');
          const names = Object.keys(parsed);
          if (names.length !== 1)
            throw badRequest('Malformed request body: it must name exactly one action.');
          route = candidates.find((one) => one.action === names[0] && served(one, microversion));
          if (route === undefined)
            throw badRequest(`There is no such action: ${String(names[0]).slice(0, 60)}`);
          body = (parsed as Record<string, unknown>)[names[0] ?? ''];
        } else if (route !== undefined && !served(route, microversion)) {
          throw new CloudError(
            404,
            'NotFound',
            `This resource is not known at microversion ${versions?.min.split('.')[0]}.${microversion}; it is at ${route.since ?? route.until}.`,
          );
        }
        // `/servers/` names the server whose id is empty, not all of them.
        if (
          route === undefined ||
          (hasItems && route.trailingSlash !== true && (request.url.split('?')[0] ?? '').endsWith('/'))
        )
          throw notFound('Resource', request.url);
        if (!allows(route.rule, actor, null))
          throw forbidden(`Policy does not allow ${route.policy} to be performed by this user.`);
        const params = request.params as Record<string, string>;
        for (const [name, value] of Object.entries(params))
          if (CONTROL.test(value)) throw notFound(route.ids[name] ?? 'Resource', '');
        const rawQuery = request.query as Record<string, string | string[]>;
        for (const value of Object.values(rawQuery))
          if (String(value).includes('\0')) throw badRequest('Malformed query: it contains a NUL character.');
        const query =
          route.checkQuery === null
            ? {}
            : (route.checkQuery(
                coerceQuery(route.query as never, rawQuery),
                microversion,
                'query parameters',
              ) as Record<string, unknown>);
        if (route.streams !== true && route.action === undefined && route.check !== null)
          body = parseJson(request.body);
        if (route.check !== null) body = route.check(body, microversion, 'body') as unknown;
        const ifMatch = request.headers['if-match'];
        const ctx: Ctx = {
          platform,
          actor,
          requestId,
          microversion,
          action: route.policy,
          ...(ifMatch === undefined ? {} : { ifMatch }),
        };
        const result = await route.handler({
          ctx,
          params,
          query,
          body,
          rawQuery,
          headers: request.headers,
          address: request.ip,
          stream: ((route.streams === true ? request.body : null) ?? request.raw) as Readable,
        });
        return send(request, reply, route, result);
      } catch (error) {
        return fail(request, reply, error, service.fault);
      }
    };
  };

  const send = (request: FastifyRequest, reply: FastifyReply, route: Route, result: Reply): FastifyReply => {
    reply.code(result.status ?? route.status ?? 200);
    if (result.headers !== undefined) reply.headers(result.headers);
    const { body } = result;
    if (body === undefined) return reply.send();
    if (!reply.hasHeader('content-type')) reply.header('content-type', 'application/json');
    if (body instanceof Readable && request.method === 'HEAD') {
      body.destroy();
      return reply.send();
    }
    if (typeof body === 'string' || Buffer.isBuffer(body) || body instanceof Readable)
      return reply.send(body);
    return reply.send(JSON.stringify(body));
  };

  for (const service of options.services) {
    const groups = new Map<string, Compiled[]>();
    for (const route of service.routes) {
      const rule = service.policies[route.policy];
      if (rule === undefined)
        throw new Error(`${route.method} ${service.prefix}${route.path}: no policy is named ${route.policy}`);
      const key = `${route.method} ${route.path.replace(/:[a-z_]+/g, ':')}`;
      const group = groups.get(key) ?? [];
      if (group.length > 0 && (route.action === undefined || group[0]?.action === undefined))
        throw new Error(`${key} is defined twice in ${service.name}`);
      group.push({
        ...route,
        rule,
        check: route.body === undefined ? null : (checker(route.body) as Check<never>),
        checkQuery: route.query === undefined ? null : (checker(route.query) as Check<never>),
      });
      groups.set(key, group);
    }
    for (const streaming of [false, true]) {
      void app.register(async (scope) => {
        scope.removeAllContentTypeParsers();
        if (streaming) scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
        else
          scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, payload, done) =>
            done(null, payload),
          );
        scope.setErrorHandler((error, request, reply) => fail(request, reply, error, service.fault));
        for (const group of groups.values()) {
          const first = group[0];
          if (first === undefined || (first.streams === true) !== streaming) continue;
          const place = first.path.replace(/:[a-z_]+/g, ':');
          const headToo = first.method === 'GET' && !groups.has(`HEAD ${place}`);
          scope.route({
            method: headToo ? ['GET', 'HEAD'] : [first.method],
            url: service.prefix + first.path,
            handler: serve(service, group, groups.has(`${first.method} ${place}/:`)),
            config: {
              label: `${service.name} ${first.method} ${first.path}`,
              ...(first.secretPath === true ? { shownPath: service.prefix + first.path } : {}),
            },
          });
        }
      });
    }
  }

  // Requests under way may end, but an upload of hours does not keep the process from stopping.
  let hardClose: NodeJS.Timeout | undefined;
  app.addHook('preClose', (done) => {
    hardClose = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
    done();
  });
  app.addHook('onClose', (_instance, done) => {
    clearTimeout(hardClose);
    done();
  });
  app.setErrorHandler((error, request, reply) => fail(request, reply, error, faultOf(request.url)));
  app.setNotFoundHandler(async (request, reply) => {
    const page =
      request.method === 'GET' && serviceOf(request.url) === undefined && !isFile.test(request.url)
        ? await options.pages?.page(request.headers.accept)
        : null;
    if (page !== null && page !== undefined) return reply.headers(page.headers ?? {}).send(page.body);
    return fail(
      request,
      reply,
      new CloudError(404, 'NotFound', 'The resource could not be found.'),
      faultOf(request.url),
    );
  });
  options.pages?.register(app);
  app.addHook('onResponse', (request, reply, done) => {
    const label = configOf(request).label ?? 'other';
    telemetry.request(label, reply.statusCode, reply.elapsedTime / 1000);
    log.debug(
      {
        requestId: requestIdOf(request),
        method: request.method,
        path: shownPath(request),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
    done();
  });
  return app;
}
