// The services of block storage and the hosts that keep volumes: api-ref "Services", "Hosts", "Clusters". For operators.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';
import { stamp } from '../routing.ts';
import { decide, keepers, type Keeper } from './table.ts';

const policy = 'volume:services';
/** The host that the parts which keep no volumes report: they live in the control plane. */
const CONTROL = 'control';

const backendOf = (host: Keeper): string => `${host.hostname}@file`;
const all = (ctx: Ctx): Promise<Keeper[]> => keepers(ctx.platform.db.read, ctx.platform.clock.now());

/** The control plane is what answers here: its parts are up as long as somebody hears this. */
const controlServices = ['cinder-scheduler', 'cinder-backup'] as const;

async function serviceViews(ctx: Ctx) {
  const hosts = await all(ctx);
  const cluster = ctx.microversion >= 7 ? { cluster: null } : {};
  return [
    ...controlServices.map((binary) => ({
      binary,
      host: CONTROL,
      zone: 'nova',
      status: 'enabled',
      state: 'up',
      updated_at: stamp(ctx.platform.clock.now()),
      disabled_reason: null,
      ...cluster,
    })),
    ...hosts.map((host) => ({
      binary: 'cinder-volume',
      host: backendOf(host),
      zone: host.zone,
      status: host.taking ? 'enabled' : 'disabled',
      state: host.up ? 'up' : 'down',
      updated_at: stamp(host.heardAt),
      disabled_reason: host.takingReason,
      replication_status: 'disabled',
      active_backend_id: null,
      frozen: host.frozen,
      ...cluster,
      ...(ctx.microversion >= 49 ? { backend_state: host.up ? 'up' : 'down' } : {}),
    })),
  ];
}

async function setService(
  ctx: Ctx,
  asked: { host: string; binary: string; reason: string | null },
  enabled: boolean,
): Promise<object> {
  const host = (await all(ctx)).find((one) => one.hostname === asked.host || backendOf(one) === asked.host);
  if (asked.host === CONTROL && controlServices.some((one) => one === asked.binary))
    throw badRequest(
      `Invalid input received: ${asked.binary} is part of the control plane and cannot be disabled.`,
    );
  if (host === undefined || asked.binary !== 'cinder-volume')
    throw notFound('Service', `${asked.binary} on ${asked.host}`);
  await ctx.platform.db.tx(async (tx) => {
    await decide(tx, { host_id: host.id, disabled: enabled ? 0 : 1, reason: asked.reason, frozen: 0 });
    await audit(tx, ctx, 'host', host.id);
  });
  return {
    host: asked.host,
    service: asked.binary,
    binary: asked.binary,
    disabled: !enabled,
    status: enabled ? 'enabled' : 'disabled',
    ...(enabled ? { disabled_reason: null } : {}),
    ...(!enabled && asked.reason !== null ? { disabled_reason: asked.reason } : {}),
  };
}

/** A frozen backend keeps what it has and takes nothing new. */
async function freeze(ctx: Ctx, name: string, frozen: boolean): Promise<void> {
  const host = (await all(ctx)).find((one) => backendOf(one) === name || one.hostname === name);
  if (host === undefined)
    throw badRequest(
      `Invalid input received: Host ${name} does not run cinder-volume. GET os-services names those that do.`,
    );
  await ctx.platform.db.tx(async (tx) => {
    await decide(tx, {
      host_id: host.id,
      disabled: frozen ? 1 : 0,
      reason: frozen ? 'frozen' : null,
      frozen: frozen ? 1 : 0,
    });
    await audit(tx, ctx, 'host', host.id);
  });
}

async function hostView(ctx: Ctx, name: string) {
  const host = (await all(ctx)).find((one) => backendOf(one) === name && one.taking);
  if (host === undefined) throw notFound('Host', name);
  const db = ctx.platform.db.read;
  const sums = async (table: 'volumes' | 'volume_snapshots') =>
    new Map(
      (
        await db
          .selectFrom(table as 'volumes')
          .select((eb) => [
            'project_id',
            eb.fn.countAll<number>().as('n'),
            eb.fn.sum<number>('size_gib').as('gib'),
          ])
          .where('host_id', '=', host.id)
          .groupBy('project_id')
          .execute()
      ).map((row) => [row.project_id, { n: Number(row.n), gib: Number(row.gib) }]),
    );
  const volumes = await sums('volumes');
  const snapshots = await sums('volume_snapshots');
  const total = (of: Map<string, { n: number; gib: number }>, key: 'n' | 'gib'): number =>
    [...of.values()].reduce((sum, one) => sum + one[key], 0);
  const line = (project: string, v: { n: number; gib: number }, s: { n: number; gib: number }) => ({
    resource: {
      host: name,
      project,
      volume_count: String(v.n),
      total_volume_gb: String(v.gib),
      snapshot_count: String(s.n),
      total_snapshot_gb: String(s.gib),
    },
  });
  const none = { n: 0, gib: 0 };
  return {
    host: [
      line(
        '(total)',
        { n: total(volumes, 'n'), gib: total(volumes, 'gib') },
        { n: total(snapshots, 'n'), gib: total(snapshots, 'gib') },
      ),
      ...[...new Set([...volumes.keys(), ...snapshots.keys()])]
        .toSorted()
        .map((project) => line(project, volumes.get(project) ?? none, snapshots.get(project) ?? none)),
    ],
  };
}

export const serviceRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/os-services',
    policy,
    summary: 'List the services of block storage',
    query: Type.Object({ host: Type.Optional(text(255)), binary: Type.Optional(text(255)) }),
    handler: async ({ ctx, query }) => ({
      body: {
        services: (await serviceViews(ctx)).filter(
          (one) =>
            (query.binary === undefined || one.binary === query.binary) &&
            (query.host === undefined || one.host === query.host || one.host.split('@')[0] === query.host),
        ),
      },
    }),
  }),
  ...(['enable', 'disable', 'disable-log-reason'] as const).map((verb) =>
    route({
      method: 'PUT',
      path: `/os-services/${verb}`,
      policy,
      summary: verb === 'enable' ? 'Enable a service' : 'Disable a service',
      body: strict({
        host: text(255, 1),
        binary: Type.Optional(text(255)),
        service: Type.Optional(text(255)),
        disabled_reason: Type.Optional(text(255)),
      }),
      async handler({ ctx, body }) {
        if (verb === 'disable-log-reason' && (body.disabled_reason ?? '') === '')
          throw badRequest('Disabled reason contains invalid characters or is too long or missing.');
        return {
          body: await setService(
            ctx,
            {
              host: body.host,
              binary: body.binary ?? body.service ?? 'cinder-volume',
              reason: body.disabled_reason ?? null,
            },
            verb === 'enable',
          ),
        };
      },
    }),
  ),
  ...(['freeze', 'thaw'] as const).map((verb) =>
    route({
      method: 'PUT',
      path: `/os-services/${verb}`,
      policy,
      summary:
        verb === 'freeze' ? 'Let a backend take nothing new' : 'Let a frozen backend take volumes again',
      body: strict({ host: text(255, 1) }),
      async handler({ ctx, body }) {
        await freeze(ctx, body.host, verb === 'freeze');
        return {};
      },
    }),
  ),
  route({
    method: 'GET',
    path: '/os-hosts',
    policy,
    summary: 'List the hosts of block storage',
    query: Type.Object({ zone: Type.Optional(text(255)) }),
    handler: async ({ ctx, query }) => ({
      body: {
        hosts: (await serviceViews(ctx))
          .filter((one) => query.zone === undefined || one.zone === query.zone)
          .map((one) => ({
            host_name: one.host,
            service: one.binary,
            zone: one.zone,
            'service-status': one.state === 'up' ? 'available' : 'unavailable',
            'service-state': one.status,
            'last-update': one.updated_at,
          })),
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/os-hosts/:host_name',
    ids: { host_name: 'none' },
    policy,
    summary: 'Show what a host keeps, by project',
    handler: async ({ ctx, params }) => ({ body: await hostView(ctx, params.host_name) }),
  }),
  ...([false, true] as const).map((detail) =>
    route({
      method: 'GET',
      path: detail ? '/clusters/detail' : '/clusters',
      policy,
      summary: 'List clusters of volume services: there are none, each host keeps its own volumes',
      since: '3.7',
      handler: async () => ({ body: { clusters: [] } }),
    }),
  ),
];
