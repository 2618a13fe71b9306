// The control plane: the explicit list of services, wired by plain function calls. Any number of these may run
// over one database; this process also holds the control end of the agents' link.
import type { FastifyInstance } from 'fastify';
import { auditMigrations } from '../kernel/audit.ts';
import type { Clock } from '../kernel/clock.ts';
import { migrate, type Database } from '../kernel/db/index.ts';
import { pagesOf } from '../kernel/http/pages.ts';
import { createHttpServer } from '../kernel/http/server.ts';
import type { Service } from '../kernel/http/route.ts';
import type { Ids, Rng } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import type { Platform } from '../kernel/platform.ts';
import { createQuotas, quotaMigrations } from '../kernel/quota.ts';
import { createTelemetry } from '../kernel/telemetry.ts';
import { createWorkQueue, workMigrations } from '../kernel/work.ts';
import type { Link } from '../protocol/link.ts';
import { createAuditService } from './audit/index.ts';
import { createComputeService, type ComputeService } from './compute/index.ts';
import { createHostService, hostMigrations, type HostService } from './host/index.ts';
import {
  createIdentityService,
  type IdentityOptions,
  type IdentityService,
  type Settings,
} from './identity/index.ts';
import { createImageService, type ContentStore, type ImageService } from './image/index.ts';
import { createNetworkService, type NetworkService } from './network/index.ts';
import { createPlacementService } from './placement/index.ts';
import { createRootService } from './root/index.ts';

import { createVolumeService, type BackupObjects, type VolumeService } from './volume/index.ts';

export type ControlOptions = {
  db: Database;
  clock: Clock;
  ids: Ids;
  rng: Rng;
  log: Log;
  publicUrl: string;
  region: string;
  version: string;
  /** Folder of the token signing keys, and of those that seal credentials. */
  keyDir: string;
  /** What the operator set about logins and passwords; default: nothing. */
  identity?: Settings;
  /** Folder of image contents. */
  imageDir: string;
  /** Where users may have images downloaded from; absent: nowhere. */
  imagesFrom?: readonly string[];
  /** Where backups of volumes are kept. */
  backups: BackupObjects;
  /** Where contents are kept in place of that folder; absent: there. */
  contents?: ContentStore;
  passwords: { admin: string; demo: string };
  /** The external network `public`: its range and the address of the host in it. */
  external: { cidr: string; gateway: string };
  tls?: { cert: string; key: string };
  /** Folder of the built web console; absent: browsers are answered like everybody. */
  consoleDir?: string;
};

export type Control = {
  platform: Platform;
  services: readonly Service[];
  hosts: HostService;
  identity: IdentityService;
  images: ImageService;
  network: NetworkService;
  compute: ComputeService;
  volumes: VolumeService;
  link: Link;
  /** The project `admin`, owner of what the cloud starts with. */
  adminProjectId: string;
  http: FastifyInstance;
  /** Ends requests and reconciliation; the database stays open. */
  stop(): Promise<void>;
};

/** What the catalog shows: one entry a service that is there. */
const catalog = [
  { type: 'identity', name: 'keystone', path: '/identity' },
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'image', name: 'glance', path: '/image' },
  { type: 'network', name: 'neutron', path: '/network' },
  // The official type, and the one that clients have asked for since before there was one.
  { type: 'block-storage', name: 'cinder', path: '/volume/v3/%(project_id)s' },
  { type: 'volumev3', name: 'cinderv3', path: '/volume/v3/%(project_id)s' },
  { type: 'placement', name: 'placement', path: '/placement' },
  // Of Strata's own: no OpenStack service has this type.
  { type: 'audit', name: 'strata-audit', path: '/audit' },
] as const;

const identityOptions = ({ passwords, ...settings }: Settings): Partial<IdentityOptions> => ({
  ...settings,
  ...(passwords === undefined ? {} : { passwordRules: passwords }),
});

export async function createControl(options: ControlOptions): Promise<Control> {
  const { db, clock, ids, rng, log } = options;
  const quotaDefaults: Record<string, number> = {};
  const platform: Platform = {
    db,
    clock,
    ids,
    rng,
    log,
    work: createWorkQueue({ db, clock, log }),
    quotas: createQuotas(quotaDefaults),
    publicUrl: options.publicUrl,
    region: options.region,
  };
  const telemetry = createTelemetry();
  // Images are read by agents through the hosts' link, and hosts are needed by nobody but network and compute.
  const hosts = createHostService(platform, { openImage: (id) => images.api.open(id) });
  const identity = await createIdentityService(platform, {
    catalog,
    keyDir: options.keyDir,
    // The services are made below; by the first request they are there.
    countedBy: () =>
      Object.fromEntries(
        services.flatMap((service) =>
          Object.keys(service.quotas ?? {}).map((resource) => [resource, service.type]),
        ),
      ),
    ...identityOptions(options.identity ?? {}),
  });
  const images = await createImageService(platform, {
    dir: options.imageDir,
    ...(options.imagesFrom === undefined ? {} : { downloadFrom: options.imagesFrom }),
    ...(options.contents === undefined ? {} : { files: options.contents }),
  });
  const network = createNetworkService(platform, { hosts });
  const placement = createPlacementService(platform);
  const volumes = createVolumeService(platform, {
    hosts,
    images: images.api,
    backups: options.backups,
  });
  const compute = createComputeService(platform, {
    hosts,
    images: images.api,
    network: network.api,
    volumes: volumes.api,
    placement: placement.api,
    stillHolds: identity.stillHolds,
  });
  const apis = [
    identity.service,
    compute.service,
    images.service,
    network.service,
    volumes.service,
    placement.service,
    createAuditService(),
  ];
  const console = options.consoleDir === undefined ? {} : { pages: pagesOf(options.consoleDir) };
  const services = [
    ...apis,
    createRootService(platform, { services: apis, telemetry, version: options.version, ...console }),
  ];
  for (const service of services) Object.assign(quotaDefaults, service.quotas);

  await migrate(db, clock.now(), [
    ...workMigrations,
    ...quotaMigrations,
    ...auditMigrations,
    ...hostMigrations,
    ...services.flatMap((service) => service.migrations),
  ]);
  const { adminProjectId } = await identity.bootstrap(options.passwords);
  await network.bootstrap({
    externalCidr: options.external.cidr,
    externalGateway: options.external.gateway,
    projectId: adminProjectId,
  });
  await images.bootstrap(adminProjectId);
  await volumes.bootstrap();
  await compute.bootstrap();
  platform.work.start(Object.assign({}, ...services.map((service) => service.work)));
  const http = createHttpServer({
    platform,
    services,
    telemetry,
    authenticate: identity.authenticate,
    ...console,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  await http.ready();
  return {
    platform,
    services,
    hosts,
    identity,
    images,
    network,
    compute,
    volumes,
    link: hosts.link,
    adminProjectId,
    http,
    async stop() {
      await http.close();
      await platform.work.stop();
      identity.close();
    },
  };
}
