// Compute: servers and what they are made of. The table of contents of the service.
import type { Migration } from '../../kernel/db/index.ts';
import { novaFault } from '../../kernel/http/faults.ts';
import type { Service } from '../../kernel/http/route.ts';
import type { Platform } from '../../kernel/platform.ts';
import { aggregateMigrations, aggregateRoutes } from './aggregates/routes.ts';
import { availabilityZoneRoutes } from './availability-zones/routes.ts';
import { consoleSockets } from './consoles/proxy.ts';
import { consoleRoutes } from './consoles/routes.ts';
import { consoleMigrations } from './consoles/table.ts';
import type { ComputeDeps } from './deps.ts';
import { externalEventRoutes } from './server-external-events/routes.ts';
import { bootstrapFlavors } from './flavors/service.ts';
import { flavorRoutes } from './flavors/routes.ts';
import { flavorMigrations } from './flavors/table.ts';
import { floatingIpRoutes } from './floating-ips/routes.ts';
import { hostRoutes } from './hosts/routes.ts';
import { hypervisorRoutes } from './hypervisors/routes.ts';
import { keypairRoutes } from './keypairs/routes.ts';
import { keypairMigrations } from './keypairs/table.ts';
import { COMPUTE_PREFIX } from './links.ts';
import { networkRoutes } from './networks/routes.ts';
import { computePolicies } from './policy.ts';
import { quotaRoutes } from './quotas/routes.ts';
import { removedRoutes } from './removed/routes.ts';
import { serverGroupRoutes } from './server-groups/routes.ts';
import { groupMigrations } from './server-groups/service.ts';
import { createBackupRoute } from './servers/backup.ts';
import { serverImageWork } from './servers/create-image.ts';
import { deferredDeleteRoutes } from './servers/deferred-delete.ts';
import { dryRunRoute } from './servers/dry-run.ts';
import { deletedServerMigration } from './servers/deleted.ts';
import { guestPasswordMigration, guestPasswordRoutes, guestPasswordSaid } from './servers/guest-password.ts';
import { historyRoutes } from './servers/history-routes.ts';
import { imageMetadataRoutes } from './images/metadata-routes.ts';
import { imageRoutes } from './images/routes.ts';
import { guestActionRoutes } from './servers/guest-actions.ts';
import { migrationRoutes } from './servers/migration-routes.ts';
import { interfaceRoutes } from './servers/interfaces.ts';
import { serverPartRoutes } from './servers/parts-routes.ts';
import { portsChanged, serverReports, serverWork } from './servers/reconcile.ts';
import { diagnosticsRoutes } from './servers/diagnostics.ts';
import { rescueRoutes } from './servers/rescue.ts';
import { resizeRoutes } from './servers/resize.ts';
import { serverRoutes } from './servers/routes.ts';
import { shelveRoutes } from './servers/shelve.ts';
import { serverMigrationMigrations } from './servers/server-migrations.ts';
import { findServer } from './servers/store.ts';
import { serverMigrations, WORK_SERVER_IMAGE } from './servers/table.ts';
import { volumeAttachmentRoutes, volumeExtended, volumesChanged } from './servers/volume-attachments.ts';
import { createServerEncoder } from './servers/wire.ts';
import { securityGroupRoutes } from './security-groups/routes.ts';
import { serviceRoutes } from './services/routes.ts';
import { usageRoutes } from './usage/routes.ts';
import { MAX_VERSION, MIN_VERSION, versionRoutes } from './versions.ts';
import { volumeProxyRoutes } from './volumes/routes.ts';

export type { ComputeDeps } from './deps.ts';

export type ComputeService = {
  service: Service;
  /** Makes the public flavors of a new cloud. Repeatable. */
  bootstrap(): Promise<void>;
};

const migrations: readonly Migration[] = [
  ...flavorMigrations,
  ...keypairMigrations,
  ...serverMigrations,
  ...serverMigrationMigrations,
  ...groupMigrations,
  ...aggregateMigrations,
  deletedServerMigration,
  guestPasswordMigration,
  ...consoleMigrations,
];

/** Nova's defaults; -1 where another service counts. */
export const computeQuotas = {
  instances: 10,
  cores: 20,
  /** MiB. */
  ram: 51_200,
  key_pairs: 100,
  metadata_items: 128,
  injected_files: 5,
  injected_file_content_bytes: 10_240,
  injected_file_path_bytes: 255,
  server_groups: 10,
  server_group_members: 10,
} as const;

export function createComputeService(platform: Platform, deps: ComputeDeps): ComputeService {
  const encoder = createServerEncoder();
  deps.hosts.onReports('server', serverReports(platform, deps));
  deps.hosts.onGuestPassword(guestPasswordSaid(platform));
  deps.network.onServerPortsChanged(portsChanged(platform, deps));
  deps.volumes.onServerNamed(async (tx, ctx, id) => void (await findServer(tx, ctx, id)));
  deps.volumes.onServerVolumesChanged(volumesChanged(platform, deps));
  deps.volumes.onServerVolumeExtended(volumeExtended(platform));
  return {
    service: {
      name: 'compute',
      type: 'compute',
      prefix: COMPUTE_PREFIX,
      fault: novaFault,
      formerly: { path: '/v2', now: '/v2.1' },
      microversions: {
        type: 'compute',
        min: MIN_VERSION,
        max: MAX_VERSION,
        legacyHeader: 'x-openstack-nova-api-version',
        default: MIN_VERSION,
      },
      policies: computePolicies,
      routes: [
        ...versionRoutes,
        ...serverRoutes(deps, encoder),
        dryRunRoute(deps),
        ...serverPartRoutes,
        ...resizeRoutes(deps),
        ...shelveRoutes(deps),
        createBackupRoute(deps),
        ...migrationRoutes,
        ...historyRoutes,
        ...guestPasswordRoutes,
        ...deferredDeleteRoutes(deps),
        ...interfaceRoutes(deps),
        ...rescueRoutes(deps),
        ...guestActionRoutes(deps),
        ...consoleRoutes,
        ...diagnosticsRoutes(deps),
        ...volumeAttachmentRoutes(deps),
        ...flavorRoutes,
        ...keypairRoutes,
        ...serverGroupRoutes,
        ...securityGroupRoutes(deps),
        ...imageRoutes(deps),
        ...imageMetadataRoutes(deps),
        ...aggregateRoutes,
        ...hypervisorRoutes(deps),
        ...serviceRoutes,
        ...availabilityZoneRoutes,
        ...quotaRoutes,
        ...usageRoutes,
        ...externalEventRoutes(deps),
        ...hostRoutes,
        ...networkRoutes(deps),
        ...floatingIpRoutes(deps),
        ...volumeProxyRoutes(deps),
        ...removedRoutes,
      ],
      migrations,
      sockets: consoleSockets(platform, deps),
      work: { server: serverWork(platform, deps), [WORK_SERVER_IMAGE]: serverImageWork(platform, deps) },
      quotas: computeQuotas,
    },
    bootstrap: () => bootstrapFlavors(platform),
  };
}
