// Where volumes are kept and what can be asked of it: api-ref "Back-end storage pools", "Capabilities for storage back ends".
import { Type } from 'typebox';
import { notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { text } from '../../../kernel/schema.ts';
import { BACKEND, BACKEND_FACTS, OVERSUBSCRIPTION, provisionedByHost } from '../volumes/backend.ts';
import { poolOf } from '../volumes/wire.ts';
import { keepers } from './table.ts';

export const poolRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/scheduler-stats/get_pools',
    policy: 'volume:pools',
    summary: 'Show where volumes are kept',
    query: Type.Object({ detail: Type.Optional(text(10)), name: Type.Optional(text(255)) }),
    async handler({ ctx, query }) {
      const detail = /^true$/i.test(query.detail ?? '');
      const hosts = await keepers(ctx.platform.db.read, ctx.platform.clock.now());
      const provisioned = await provisionedByHost(ctx.platform.db.read);
      const pools = hosts
        .filter((host) => query.name === undefined || poolOf(host.hostname) === query.name)
        .map((host) => ({
          name: poolOf(host.hostname),
          ...(detail
            ? {
                capabilities: {
                  ...BACKEND_FACTS,
                  pool_name: BACKEND,
                  volume_backend_name: BACKEND,
                  driver_version: '1.0',
                  backend_state: host.up ? 'up' : 'down',
                  total_capacity_gb: host.totalGib,
                  free_capacity_gb: host.totalGib,
                  allocated_capacity_gb: provisioned.get(host.id) ?? 0,
                  provisioned_capacity_gb: provisioned.get(host.id) ?? 0,
                  max_over_subscription_ratio: OVERSUBSCRIPTION,
                  reserved_percentage: 0,
                  thin_provisioning_support: true,
                  thick_provisioning_support: false,
                  online_extend_support: true,
                },
              }
            : {}),
        }));
      return { body: { pools } };
    },
  }),
  route({
    method: 'GET',
    path: '/capabilities/:host_name',
    ids: { host_name: 'none' },
    policy: 'volume:pools',
    summary: 'Show what a backend can do',
    async handler({ ctx, params }) {
      const hosts = await keepers(ctx.platform.db.read, ctx.platform.clock.now());
      const host = hosts.find(
        (one) => poolOf(one.hostname) === params.host_name || `${one.hostname}@file` === params.host_name,
      );
      if (host === undefined) throw notFound('Backend', params.host_name);
      return {
        body: {
          namespace: `OS::Storage::Capabilities::${poolOf(host.hostname)}`,
          vendor_name: BACKEND_FACTS.vendor_name,
          volume_backend_name: BACKEND,
          pool_name: BACKEND,
          driver_version: '1.0',
          storage_protocol: BACKEND_FACTS.storage_protocol,
          display_name: 'Files on the host',
          description: 'Volumes as chains of qcow2 files: snapshots and clones in constant time.',
          visibility: 'public',
          replication_targets: [],
          properties: {
            thin_provisioning: {
              title: 'Thin Provisioning',
              description: 'Volumes take disk as they are written.',
              type: 'boolean',
            },
            qos: {
              title: 'QoS',
              description: 'Front-end limits of bytes and operations a second, kept by the hypervisor.',
              type: 'boolean',
            },
          },
        },
      };
    },
  }),
];
