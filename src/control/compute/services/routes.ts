// Compute services over HTTP: api-ref "Compute services". A host's agent is its nova-compute; scheduling and
// orchestration are parts of the control process that answers, and are up because it does.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';
import { setHostEnabled, setHostForcedDown } from '../../host/index.ts';
import { flag, isSet } from '../links.ts';
import { hostIdAt, isUp, numberedHosts, type NumberedHost } from '../hypervisors/routes.ts';

const stamp = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000');

/** The parts of the control process, as Nova names the services that do their work. */
export const controlServices = [
  { binary: 'nova-conductor', uuid: '00000000-0000-4000-8000-000000000001' },
  { binary: 'nova-scheduler', uuid: '00000000-0000-4000-8000-000000000002' },
] as const;

function hostService(ctx: Ctx, host: NumberedHost): Record<string, unknown> {
  return {
    id: hostIdAt(ctx, host),
    binary: 'nova-compute',
    host: host.hostname,
    zone: host.zone,
    status: host.enabled ? 'enabled' : 'disabled',
    state: isUp(ctx, host) ? 'up' : 'down',
    updated_at: stamp(host.heardAt),
    disabled_reason: host.enabled ? null : host.disabledReason,
    ...(ctx.microversion >= 11 ? { forced_down: host.forcedDown } : {}),
  };
}

function allServices(ctx: Ctx, hosts: readonly NumberedHost[]): Record<string, unknown>[] {
  const control = controlServices.map(({ binary, uuid }, at) => ({
    id: ctx.microversion >= 53 ? uuid : hosts.length + 1 + at,
    binary,
    host: 'control',
    zone: 'internal',
    status: 'enabled',
    state: 'up',
    updated_at: stamp(ctx.platform.clock.now()),
    disabled_reason: null,
    ...(ctx.microversion >= 11 ? { forced_down: false } : {}),
  }));
  return [...control, ...hosts.map((host) => hostService(ctx, host))];
}

type Change = { enabled?: { value: boolean; reason: string } | undefined; forcedDown?: boolean | undefined };

async function change(
  ctx: Ctx,
  find: (host: NumberedHost) => boolean,
  named: string,
  asked: Change,
): Promise<NumberedHost> {
  const host = (await numberedHosts(ctx)).find(find);
  if (host === undefined) throw notFound('Compute service', named);
  await ctx.platform.db.tx(async (tx) => {
    if (asked.enabled !== undefined)
      await setHostEnabled(tx, host.id, asked.enabled.value, asked.enabled.reason);
    if (asked.forcedDown !== undefined) await setHostForcedDown(tx, host.id, asked.forcedDown);
    await audit(tx, ctx, 'host', host.id);
  });
  return (await numberedHosts(ctx)).find((one) => one.id === host.id) ?? host;
}

const binaryAndHost = { host: text(255, 1), binary: text(255, 1) };
function checkBinary(binary: string, host: string): void {
  if (binary !== 'nova-compute') throw notFound('Compute service', `${binary} on ${host}`);
}

/** PUT /os-services/enable and its kin, known before 2.53. */
const legacy = (path: string, enabled: boolean, withReason: boolean): Route =>
  route({
    method: 'PUT',
    path,
    policy: 'compute:services',
    summary: `${enabled ? 'Enable' : 'Disable'} scheduling to a host`,
    until: '2.52',
    body: strict({ ...binaryAndHost, ...(withReason ? { disabled_reason: text(255, 1) } : {}) }),
    async handler({ ctx, body }) {
      checkBinary(body.binary, body.host);
      const reason = withReason ? String((body as { disabled_reason?: string }).disabled_reason ?? '') : '';
      await change(ctx, (host) => host.hostname === body.host, body.host, {
        enabled: { value: enabled, reason },
      });
      return { body: { service: { ...body, status: enabled ? 'enabled' : 'disabled' } } };
    },
  });

export const serviceRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.1/os-services',
    policy: 'compute:services',
    summary: 'List compute services',
    query: Type.Object({ host: Type.Optional(text(255)), binary: Type.Optional(text(255)) }),
    async handler({ ctx, query }) {
      const services = allServices(ctx, await numberedHosts(ctx));
      return {
        body: {
          services: services.filter(
            (one) =>
              (query.host === undefined || one['host'] === query.host) &&
              (query.binary === undefined || one['binary'] === query.binary),
          ),
        },
      };
    },
  }),
  legacy('/v2.1/os-services/enable', true, false),
  legacy('/v2.1/os-services/disable', false, false),
  legacy('/v2.1/os-services/disable-log-reason', false, true),
  route({
    method: 'PUT',
    path: '/v2.1/os-services/force-down',
    policy: 'compute:services',
    summary: 'Say that a host is down, or that it is not',
    since: '2.11',
    until: '2.52',
    body: strict({ ...binaryAndHost, forced_down: flag() }),
    async handler({ ctx, body }) {
      checkBinary(body.binary, body.host);
      const forcedDown = isSet(body.forced_down);
      await change(ctx, (host) => host.hostname === body.host, body.host, { forcedDown });
      return { body: { service: { host: body.host, binary: body.binary, forced_down: forcedDown } } };
    },
  }),
  route({
    method: 'PUT',
    path: '/v2.1/os-services/:service_id',
    ids: { service_id: 'host' },
    policy: 'compute:services',
    summary: 'Enable or disable scheduling to a host, or say that it is down',
    since: '2.53',
    body: strict({
      status: Type.Optional(Type.Union([Type.Literal('enabled'), Type.Literal('disabled')])),
      disabled_reason: Type.Optional(text(255, 1)),
      forced_down: Type.Optional(flag()),
    }),
    async handler({ ctx, params, body }) {
      if (body.status === undefined && body.forced_down === undefined)
        throw badRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.");
      if (body.status === undefined && body.disabled_reason !== undefined)
        throw badRequest("Specifying 'disabled_reason' requires that status is 'disabled'.");
      if (body.status === 'enabled' && body.disabled_reason !== undefined)
        throw badRequest("Specifying 'disabled_reason' when status is 'enabled' is invalid.");
      if (controlServices.some((one) => one.uuid === params.service_id))
        throw badRequest(
          'Updating a nova-conductor or nova-scheduler service is not supported: only nova-compute services can be disabled.',
        );
      const host = await change(ctx, (one) => one.id === params.service_id, params.service_id, {
        enabled:
          body.status === undefined
            ? undefined
            : { value: body.status === 'enabled', reason: body.disabled_reason ?? '' },
        forcedDown: body.forced_down === undefined ? undefined : isSet(body.forced_down),
      });
      return { body: { service: hostService(ctx, host) } };
    },
  }),
];
