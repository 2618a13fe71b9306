// Floating IPs below the compute API, where Nova had them before there was Neutron: api-ref "Floating IPs
// (os-floating-ips) (DEPRECATED)" and "Floating IP pools", gone from 2.36 on; the actions of servers from 2.44 on.
import { Type } from 'typebox';
import { route, type Route } from '../../../kernel/http/route.ts';
import { nullable, strict, text } from '../../../kernel/schema.ts';
import type { PooledAddress } from '../../network/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { asNova } from '../network-errors.ts';
import { findServer } from '../servers/store.ts';

const UNTIL = '2.35';
const ids = { floating_ip_id: 'floating-ip' } as const;
const ADDRESSES = '/v2.1/os-floating-ips';
const ACTION = '/v2.1/servers/:server_id/action';

const view = (one: PooledAddress): object => ({
  id: one.id,
  ip: one.address,
  fixed_ip: one.fixedAddress,
  instance_id: one.serverId,
  pool: one.pool,
});

const address = Type.Union([
  Type.String({ format: 'ipv4', maxLength: 15 }),
  Type.String({ format: 'ipv6', maxLength: 45 }),
]);

export const floatingIpRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'GET',
    path: '/v2.1/os-floating-ip-pools',
    policy: 'compute:floating-ips:list',
    summary: 'List the pools of floating IPs: the external networks',
    until: UNTIL,
    handler: async ({ ctx }) => ({
      body: {
        floating_ip_pools: (await deps.network.floatingIps.pools(ctx)).map(({ name }) => ({ name })),
      },
    }),
  }),
  route({
    method: 'GET',
    path: ADDRESSES,
    policy: 'compute:floating-ips:list',
    summary: 'List floating IPs',
    until: UNTIL,
    handler: async ({ ctx }) => ({
      body: { floating_ips: (await deps.network.floatingIps.list(ctx)).map(view) },
    }),
  }),
  route({
    method: 'POST',
    path: ADDRESSES,
    policy: 'compute:floating-ips:manage',
    summary: 'Allocate a floating IP',
    until: UNTIL,
    body: nullable(strict({ pool: Type.Optional(nullable(text(255))) })),
    handler: async ({ ctx, body }) => ({
      body: {
        floating_ip: view(
          await asNova(
            deps.network.floatingIps.allocate(ctx, body?.pool === '' ? null : (body?.pool ?? null)),
          ),
        ),
      },
    }),
  }),
  route({
    method: 'GET',
    path: `${ADDRESSES}/:floating_ip_id`,
    ids,
    policy: 'compute:floating-ips:list',
    summary: 'Show a floating IP',
    until: UNTIL,
    handler: async ({ ctx, params }) => ({
      body: { floating_ip: view(await deps.network.floatingIps.show(ctx, params.floating_ip_id)) },
    }),
  }),
  route({
    method: 'DELETE',
    path: `${ADDRESSES}/:floating_ip_id`,
    ids,
    policy: 'compute:floating-ips:manage',
    summary: 'Give a floating IP back',
    until: UNTIL,
    status: 202,
    async handler({ ctx, params }) {
      await deps.network.floatingIps.remove(ctx, params.floating_ip_id);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids: { server_id: 'server' },
    action: 'addFloatingIp',
    policy: 'compute:floating-ips:manage',
    summary: 'Put a floating IP on a server',
    until: '2.43',
    status: 202,
    body: strict({ address, fixed_address: Type.Optional(address) }),
    async handler({ ctx, params, body }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      await asNova(
        deps.network.floatingIps.associate(
          ctx,
          { id: row.id, projectId: row.project_id },
          body.address,
          body.fixed_address ?? null,
        ),
      );
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids: { server_id: 'server' },
    action: 'removeFloatingIp',
    policy: 'compute:floating-ips:manage',
    summary: 'Take a floating IP from a server',
    until: '2.43',
    status: 202,
    body: strict({ address }),
    async handler({ ctx, params, body }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      await deps.network.floatingIps.dissociate(ctx, { id: row.id, projectId: row.project_id }, body.address);
      return {};
    },
  }),
];
