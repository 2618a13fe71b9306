// Version discovery, and what block storage says of itself: extensions, zones, services, pools.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';
import { HOST_DOWN_MS, listHosts, setHostEnabled, type HostRecord } from '../../host/index.ts';
import { stamp, VOLUME_PREFIX } from '../routing.ts';
import { poolOf } from '../volumes/wire.ts';

export const MIN_VERSION = '3.0';
/** The last one whose changes to the resources that exist here are honoured; groups, clusters and workers are absent. */
export const MAX_VERSION = '3.70';

const versions = (ctx: Ctx) => [
  {
    id: 'v3.0',
    status: 'CURRENT',
    version: MAX_VERSION,
    min_version: MIN_VERSION,
    updated: '2023-08-31T00:00:00Z',
    links: [
      { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
      { rel: 'self', href: `${ctx.platform.publicUrl}${VOLUME_PREFIX}/v3/` },
    ],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
  },
];

export const versionRoutes: Route[] = (['/', '/v3'] as const).map((path) =>
  route({
    method: 'GET',
    path,
    policy: 'volume:versions',
    summary: 'List the API versions',
    // Cinder answers the choice of versions with 300, as its clients expect.
    status: path === '/' ? 300 : 200,
    handler: async ({ ctx }) => ({ body: { versions: versions(ctx) } }),
  }),
);

const extensions = [
  ['AdminActions', 'os-admin-actions'],
  ['AvailabilityZones', 'os-availability-zone'],
  ['ExtendedSnapshotAttributes', 'os-extended-snapshot-attributes'],
  ['QosSpecs', 'qos-specs'],
  ['Quotas', 'os-quota-sets'],
  ['SchedulerHints', 'OS-SCH-HNT'],
  ['Services', 'os-services'],
  ['SnapshotActions', 'os-snapshot-actions'],
  ['TypesExtraSpecs', 'os-types-extra-specs'],
  ['TypesManage', 'os-types-manage'],
  ['UsedLimits', 'os-used-limits'],
  ['VolumeActions', 'os-volume-actions'],
  ['VolumeHostAttribute', 'os-vol-host-attr'],
  ['VolumeImageMetadata', 'os-vol-image-meta'],
  ['VolumeMigStatusAttribute', 'os-vol-mig-status-attr'],
  ['VolumeTenantAttribute', 'os-vol-tenant-attr'],
  ['VolumeTransfer', 'os-volume-transfer'],
  ['VolumeTypeAccess', 'os-volume-type-access'],
] as const;

const isUp = (ctx: Ctx, host: HostRecord): boolean => ctx.platform.clock.now() - host.seenAt <= HOST_DOWN_MS;
const keepers = async (ctx: Ctx): Promise<HostRecord[]> =>
  (await listHosts(ctx.platform.db.read)).filter((host) => host.facts.volumes !== undefined);

async function setService(
  ctx: Ctx,
  asked: { host: string; binary: string; reason: string | null },
  enabled: boolean,
): Promise<object> {
  const host = (await keepers(ctx)).find(
    (one) => one.hostname === asked.host || `${one.hostname}@file` === asked.host,
  );
  if (host === undefined || asked.binary !== 'cinder-volume')
    throw notFound('Service', `${asked.binary} on ${asked.host}`);
  await ctx.platform.db.tx(async (tx) => {
    await setHostEnabled(tx, host.id, enabled, asked.reason ?? '');
    await audit(tx, ctx, 'host', host.id);
  });
  return {
    host: asked.host,
    service: asked.binary,
    binary: asked.binary,
    disabled: !enabled,
    status: enabled ? 'enabled' : 'disabled',
    ...(enabled ? { disabled_reason: null } : { disabled_reason: asked.reason }),
  };
}

export const discoveryRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/extensions',
    policy: 'volume:extensions',
    summary: 'List extensions',
    handler: async () => ({
      body: {
        extensions: extensions.map(([name, alias]) => ({
          name,
          alias,
          description: name,
          links: [],
          updated: '2013-01-01T00:00:00+00:00',
        })),
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/os-availability-zone',
    policy: 'volume:zones',
    summary: 'List availability zones',
    async handler({ ctx }) {
      const zones = Map.groupBy(await keepers(ctx), (host) => host.zone);
      return {
        body: {
          availabilityZoneInfo: [...zones].map(([zoneName, hosts]) => ({
            zoneName,
            zoneState: { available: hosts.some((host) => host.enabled && isUp(ctx, host)) },
          })),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/os-services',
    policy: 'volume:services',
    summary: 'List the services of block storage',
    query: Type.Object({ host: Type.Optional(text(255)), binary: Type.Optional(text(255)) }),
    async handler({ ctx, query }) {
      const now = stamp(ctx.platform.clock.now());
      const control = {
        binary: 'cinder-scheduler',
        host: 'control',
        zone: 'nova',
        status: 'enabled',
        state: 'up',
        updated_at: now,
        disabled_reason: null,
      };
      const all = [
        control,
        ...(await keepers(ctx)).map((host) => ({
          binary: 'cinder-volume',
          host: `${host.hostname}@file`,
          zone: host.zone,
          status: host.enabled ? 'enabled' : 'disabled',
          state: isUp(ctx, host) ? 'up' : 'down',
          updated_at: stamp(host.heardAt),
          disabled_reason: host.disabledReason === '' ? null : host.disabledReason,
          replication_status: 'disabled',
          active_backend_id: null,
          frozen: false,
          ...(ctx.microversion >= 49 ? { backend_state: isUp(ctx, host) ? 'up' : 'down' } : {}),
        })),
      ];
      const wanted = all.filter(
        (one) =>
          (query.binary === undefined || one.binary === query.binary) &&
          (query.host === undefined || one.host === query.host || one.host.split('@')[0] === query.host),
      );
      return { body: { services: wanted } };
    },
  }),
  ...(['enable', 'disable', 'disable-log-reason'] as const).map((verb) =>
    route({
      method: 'PUT',
      path: `/os-services/${verb}`,
      policy: 'volume:services',
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
  route({
    method: 'GET',
    path: '/scheduler-stats/get_pools',
    policy: 'volume:pools',
    summary: 'Show where volumes are kept',
    query: Type.Object({ detail: Type.Optional(text(10)) }),
    async handler({ ctx, query }) {
      const detail = /^true$/i.test(query.detail ?? '');
      const pools = (await keepers(ctx)).map((host) => ({
        name: poolOf(host.hostname),
        ...(detail
          ? {
              capabilities: {
                pool_name: 'file',
                volume_backend_name: 'file',
                storage_protocol: 'file',
                driver_version: '1.0',
                vendor_name: 'Strata',
                total_capacity_gb: host.facts.volumes?.totalGib ?? 0,
                free_capacity_gb: host.facts.volumes?.totalGib ?? 0,
                reserved_percentage: 0,
                thin_provisioning_support: true,
                multiattach: false,
                online_extend_support: true,
                QoS_support: false,
              },
            }
          : {}),
      }));
      return { body: { pools } };
    },
  }),
];
