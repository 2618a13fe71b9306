// Version discovery, and what block storage says of itself: extensions, zones, filters.
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { VOLUME_PREFIX } from '../routing.ts';
import { keepers } from '../services/table.ts';

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
  ['Backups', 'backups'],
  ['AvailabilityZones', 'os-availability-zone'],
  ['ExtendedSnapshotAttributes', 'os-extended-snapshot-attributes'],
  ['Capabilities', 'capabilities'],
  ['Hosts', 'os-hosts'],
  ['QosSpecs', 'qos-specs'],
  ['QuotaClasses', 'os-quota-class-sets'],
  ['Quotas', 'os-quota-sets'],
  ['SchedulerStats', 'scheduler-stats'],
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
      const zones = Map.groupBy(
        await keepers(ctx.platform.db.read, ctx.platform.clock.now()),
        (host) => host.zone,
      );
      return {
        body: {
          availabilityZoneInfo: [...zones].map(([zoneName, hosts]) => ({
            zoneName,
            zoneState: { available: hosts.some((host) => host.taking && host.up) },
          })),
        },
      };
    },
  }),
];
