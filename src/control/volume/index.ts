// Block storage: volumes, their snapshots, and who uses them. The table of contents of the service.
import type { Tx } from '../../kernel/db/index.ts';
import { novaFault } from '../../kernel/http/faults.ts';
import type { Service } from '../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../kernel/platform.ts';
import { attachmentRoutes } from './attachments/routes.ts';
import { serverVolumes, type ServerVolumes } from './attachments/servers.ts';
import { attachmentLimits, attachmentMigrations } from './attachments/table.ts';
import { dropItem, type VolumeDeps } from './deps.ts';
import { volumesForCompute, type VolumesForCompute } from './for-compute.ts';
import { discoveryRoutes, MAX_VERSION, MIN_VERSION, versionRoutes } from './discovery/routes.ts';
import type { BackupObjects } from './backups/objects.ts';
import { backupRoutes } from './backups/routes.ts';
import { backupWork } from './backups/run.ts';
import { WORK_BACKUP } from './backups/store.ts';
import { backupMigrations } from './backups/table.ts';
import { groupRoutes } from './groups/routes.ts';
import { groupSnapshotRoutes } from './groups/snapshot-routes.ts';
import { groupMigrations } from './groups/table.ts';
import { groupTypeRoutes } from './groups/type-routes.ts';
import { messageMigrations, messageRoutes } from './messages/messages.ts';
import { volumePolicies } from './policy.ts';
import { quotaRoutes, volumeQuotas } from './quotas/routes.ts';
import {
  snapshotReports,
  snapshotWork,
  volumeReports,
  volumeWork,
  type VolumeExtended,
} from './reconcile.ts';
import { underProject, VOLUME_PREFIX } from './routing.ts';
import { poolRoutes } from './services/pools.ts';
import { serviceRoutes } from './services/routes.ts';
import { serviceMigrations } from './services/table.ts';
import { snapshotRoutes } from './snapshots/routes.ts';
import { snapshotColumns, snapshotMigrations } from './snapshots/table.ts';
import { transferMigrations, transferRoutes } from './transfers/transfers.ts';
import { qosRoutes } from './types/qos-routes.ts';
import { typeRoutes } from './types/routes.ts';
import { bootstrapTypes } from './types/store.ts';
import { typeMigrations } from './types/table.ts';
import { volumeActionRoutes } from './volumes/action-routes.ts';
import { createVolumeIn, type NewVolume } from './volumes/create.ts';
import { volumeMetadataRoutes, volumeRoutes } from './volumes/routes.ts';
import { findVolume } from './volumes/store.ts';
import { volumeMigrations, type Db, type VolumeRow } from './volumes/table.ts';
import { uploadMigrations, uploadWork, WORK_UPLOAD } from './volumes/upload.ts';

export type { AttachingServer, AttachRequest, ServerAttachment } from './attachments/servers.ts';
export type { SeenSnapshot, SeenVolume } from './for-compute.ts';
export { fileObjects, type BackupObjects } from './backups/objects.ts';
export type { NewVolume } from './volumes/create.ts';

/** What compute does with volumes; all of it in the caller's transaction, but for `forClients`. */
export type VolumeApi = Omit<ServerVolumes, 'attachNew'> & {
  /** The volume API for clients that ask compute. */
  forClients: VolumesForCompute;
  /** Makes a volume for a server that is being made, and attaches it. */
  createFor(
    tx: Tx,
    ctx: Ctx,
    wanted: NewVolume,
    server: Parameters<ServerVolumes['attach']>[2],
    request: Omit<Parameters<ServerVolumes['attach']>[3], 'volumeId'>,
  ): Promise<string>;
  /** 404 when the actor may not see it. */
  find(
    db: Db,
    ctx: Ctx,
    volumeId: string,
  ): Promise<
    Pick<
      VolumeRow,
      'id' | 'size_gib' | 'bootable' | 'host_id' | 'host_name' | 'zone' | 'image_metadata' | 'status'
    >
  >;
  /** Registers who knows the servers that clients name; once, at start. */
  onServerNamed(check: VolumeDeps['requireServer']): void;
  /** Registers who is told, in the transaction, of servers whose volumes are not as they were; once, at start. */
  onServerVolumesChanged(handler: (tx: Tx, serverIds: string[]) => Promise<void>): void;
  /** Registers who is told, in the transaction, that a guest has seen the new size of its volume; once, at start. */
  onServerVolumeExtended(handler: VolumeExtended): void;
};

export type VolumeService = {
  service: Service;
  api: VolumeApi;
  /** Makes the default type of a new cloud. Repeatable. */
  bootstrap(): Promise<void>;
};

export function createVolumeService(
  platform: Platform,
  given: Omit<VolumeDeps, 'requireServer' | 'serversChanged'> & { backups: BackupObjects },
): VolumeService {
  let requireServer: VolumeDeps['requireServer'] = async () => {};
  const deps: VolumeDeps = {
    ...given,
    requireServer: (tx, ctx, id) => requireServer(tx, ctx, id),
    serversChanged: (tx, ids) => changed(tx, ids),
  };
  const { backups } = given;
  let extended: VolumeExtended = async () => {};
  let changed: (tx: Tx, serverIds: string[]) => Promise<void> = async () => {};
  const servers = serverVolumes(platform, {
    changed: (tx, ids) => changed(tx, ids),
    drop: dropItem(deps, 'volume'),
  });
  deps.hosts.onReports(
    'volume',
    volumeReports(platform, (...about) => extended(...about)),
  );
  deps.hosts.onReports('snapshot', snapshotReports(platform));
  const { attachNew, ...api } = servers;
  return {
    api: {
      ...api,
      forClients: volumesForCompute(deps),
      async createFor(tx, ctx, wanted, server, request) {
        const volume = await createVolumeIn(tx, ctx, deps, wanted);
        await attachNew(tx, volume, server, { ...request, volumeId: volume.id });
        return volume.id;
      },
      find: findVolume,
      onServerNamed: (check) => void (requireServer = check),
      onServerVolumesChanged: (handler) => void (changed = handler),
      onServerVolumeExtended: (handler) => void (extended = handler),
    },
    bootstrap: () => bootstrapTypes(platform),
    service: {
      name: 'volume',
      type: 'block-storage',
      typeAliases: ['volumev3', 'volumev2', 'volume'],
      prefix: VOLUME_PREFIX,
      fault: novaFault,
      microversions: { type: 'volume', min: MIN_VERSION, max: MAX_VERSION, default: MIN_VERSION },
      policies: volumePolicies,
      routes: [
        ...versionRoutes,
        ...[
          ...volumeRoutes(deps),
          ...volumeMetadataRoutes,
          ...volumeActionRoutes(deps),
          ...snapshotRoutes(deps),
          ...backupRoutes(deps, backups),
          ...attachmentRoutes(deps),
          ...typeRoutes,
          ...qosRoutes,
          ...transferRoutes,
          ...quotaRoutes,
          ...discoveryRoutes,
          ...serviceRoutes,
          ...poolRoutes,
          ...messageRoutes,
          ...groupTypeRoutes,
          ...groupRoutes(deps),
          ...groupSnapshotRoutes(deps),
        ].flatMap(underProject),
      ],
      migrations: [
        ...volumeMigrations,
        ...attachmentMigrations,
        ...snapshotMigrations,
        ...typeMigrations,
        ...transferMigrations,
        ...uploadMigrations,
        ...serviceMigrations,
        ...messageMigrations,
        ...snapshotColumns,
        ...backupMigrations,
        ...groupMigrations,
        ...attachmentLimits,
      ],
      work: {
        volume: volumeWork(deps),
        snapshot: snapshotWork(deps),
        [WORK_BACKUP]: backupWork(platform, deps, backups),
        [WORK_UPLOAD]: uploadWork(platform, deps),
      },
      quotas: volumeQuotas,
    },
  };
}
