// Interfaces of servers: api-ref "Port interfaces". The network service knows which ports a server has; what is attached
// or detached reaches a guest that runs at once, and one that does not with its next start.
import { Type, type Static, type TSchema } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, since, strict, text } from '../../../kernel/schema.ts';
import type { PortRequest, ServerPort } from '../../network/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { refuseLocked, wrongState } from './lifecycle.ts';
import { tag } from './schema.ts';
import { stateOf } from './status.ts';
import { findServer, recordAction } from './store.ts';
import type { ServerRow } from './table.ts';
import { portsOf } from './wire.ts';

const ids = { server_id: 'server' } as const;
const both = { ...ids, port_id: 'port' } as const;
const PATH = '/v2.1/servers/:server_id/os-interface';
const CHANGEABLE = ['active', 'paused', 'stopped'];

const attachment = strict({
  net_id: Type.Optional(idOf('network')),
  port_id: Type.Optional(idOf('port')),
  fixed_ips: Type.Optional(Type.Array(strict({ ip_address: text(45, 1) }), { minItems: 1, maxItems: 1 })),
  tag: since('2.49', Type.Optional(tag)),
});

async function view(ctx: Ctx, deps: ComputeDeps, serverId: string, ports: readonly ServerPort[]) {
  const states = await deps.network.interfaces.states(ctx.platform.db.read, serverId);
  return ports.map((port) => ({
    port_id: port.portId,
    net_id: port.networkId,
    mac_addr: port.mac,
    port_state: states.get(port.portId)?.status ?? 'DOWN',
    fixed_ips: port.fixedIps.map((ip) => ({ subnet_id: ip.subnetId, ip_address: ip.ipAddress })),
    ...(ctx.microversion >= 70 ? { tag: port.tag ?? null } : {}),
  }));
}

function requestOf({
  net_id,
  port_id,
  fixed_ips,
  tag: name,
}: Static<typeof attachment>): PortRequest | 'auto' {
  if (net_id !== undefined && port_id !== undefined)
    throw badRequest('Must not input both network_id and port_id: name one of them.');
  if (fixed_ips !== undefined && net_id === undefined)
    throw badRequest('Must input network_id when request IP address: fixed_ips need net_id.');
  const called = name === undefined ? {} : { tag: name };
  if (port_id !== undefined) return { portId: port_id, ...called };
  if (net_id !== undefined)
    return { networkId: net_id, fixedIp: fixed_ips?.[0]?.ip_address ?? null, ...called };
  if (name !== undefined)
    throw badRequest('Invalid input for field/attribute tag. A tagged interface needs net_id or port_id.');
  return 'auto';
}

/** As Nova answers: what the request names and is in use is its fault; what is not there is not found. */
const inNovasWords =
  (request: PortRequest | 'auto') =>
  (error: unknown): never => {
    if (!(error instanceof CloudError)) throw error;
    if (error.code === 'PortNotFound' && request !== 'auto' && 'portId' in request)
      throw notFound('Port', request.portId);
    if (error.code === 'NetworkNotFound' && request !== 'auto' && 'networkId' in request)
      throw notFound('Network', request.networkId);
    if (error.code === 'PortInUse' || error.code === 'NetworkAmbiguous')
      throw badRequest(error.publicMessage, error.code);
    throw error;
  };

async function changeable(
  tx: Tx,
  ctx: Ctx,
  serverId: string,
  verb: string,
): Promise<ServerRow & { host_id: string }> {
  const row = await findServer(tx, ctx, serverId);
  refuseLocked(ctx, row);
  const { vmState, taskState } = stateOf(row);
  if (!CHANGEABLE.includes(vmState)) throw wrongState(verb, row, 'vm_state', vmState);
  if (taskState !== null) throw wrongState(verb, row, 'task_state', taskState);
  if (row.host_id === null)
    throw conflict(
      `Cannot '${verb}' instance ${row.id}: it was never placed on a host. Delete it and create it again.`,
    );
  return { ...row, host_id: row.host_id };
}

const staying = (row: ServerRow): ServerPort[] => portsOf(row).filter((port) => port.leaving !== true);

async function attach(
  ctx: Ctx,
  deps: ComputeDeps,
  serverId: string,
  request: PortRequest | 'auto',
): Promise<ServerPort> {
  const { project_id: projectId } = await findServer(ctx.platform.db.read, ctx, serverId);
  return ctx.platform.db.tx(
    async (tx) => {
      const row = await changeable(tx, ctx, serverId, 'attach_interface');
      // The network namespace of a container is made with its first port, before its first process.
      if (row.type === 'container' && staying(row).length === 0)
        throw conflict(
          `Cannot 'attach_interface' instance ${row.id}: a container that was made without a network cannot get its first interface. Create it anew on a network.`,
        );
      const server = { id: row.id, projectId: row.project_id, hostname: row.hostname, hostId: row.host_id };
      const port = await deps.network.interfaces
        .attach(tx, ctx, { ...server, type: row.type === 'vm' ? 'vm' : 'container' }, request)
        .catch(inNovasWords(request));
      await recordAction(tx, ctx, row, 'attach_interface', { done: true });
      await audit(tx, ctx, 'server', row.id);
      return port;
    },
    { locks: [quotaLock(projectId)] },
  );
}

async function detach(ctx: Ctx, deps: ComputeDeps, serverId: string, portId: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await changeable(tx, ctx, serverId, 'detach_interface');
    if (row.type === 'container' && staying(row).every((port) => port.portId === portId))
      throw conflict(
        `Cannot 'detach_interface' instance ${row.id}: a container keeps its last interface. Attach another one first.`,
      );
    await deps.network.interfaces.detach(tx, row.id, portId);
    await recordAction(tx, ctx, row, 'detach_interface');
    await audit(tx, ctx, 'server', row.id);
  });
}

/** Up to 2.43, as the reference: later clients change the port itself. */
const fixedIpRoute = <T extends TSchema>(
  action: string,
  summary: string,
  body: T,
  work: (tx: Tx, ctx: Ctx, row: ServerRow, body: Static<T>) => Promise<void>,
): Route =>
  route({
    method: 'POST',
    path: '/v2.1/servers/:server_id/action',
    ids,
    action,
    policy: 'compute:servers:interfaces',
    summary,
    until: '2.43',
    body,
    status: 202,
    async handler({ ctx, params, body: asked }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await changeable(tx, ctx, params.server_id, action);
        await work(tx, ctx, row, asked);
        await recordAction(tx, ctx, row, action, { done: true });
        await audit(tx, ctx, 'server', row.id);
      });
      return {};
    },
  });

export const interfaceRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy: 'compute:servers:show',
    summary: 'List the interfaces of a server',
    async handler({ ctx, params }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      return { body: { interfaceAttachments: await view(ctx, deps, row.id, portsOf(row)) } };
    },
  }),
  route({
    method: 'GET',
    path: `${PATH}/:port_id`,
    ids: both,
    policy: 'compute:servers:show',
    summary: 'Show an interface of a server',
    async handler({ ctx, params }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      const port = portsOf(row).find((one) => one.portId === params.port_id);
      if (port === undefined) throw notFound('Port', params.port_id);
      const [interfaceAttachment] = await view(ctx, deps, row.id, [port]);
      return { body: { interfaceAttachment } };
    },
  }),
  route({
    method: 'POST',
    path: PATH,
    ids,
    policy: 'compute:servers:interfaces',
    summary: 'Attach an interface to a server',
    body: Type.Union([Type.Null(), strict({ interfaceAttachment: Type.Optional(attachment) })]),
    async handler({ ctx, params, body }) {
      const port = await attach(ctx, deps, params.server_id, requestOf(body?.interfaceAttachment ?? {}));
      const [interfaceAttachment] = await view(ctx, deps, params.server_id, [port]);
      return { body: { interfaceAttachment } };
    },
  }),
  route({
    method: 'DELETE',
    path: `${PATH}/:port_id`,
    ids: both,
    policy: 'compute:servers:interfaces',
    summary: 'Detach an interface from a server',
    status: 202,
    async handler({ ctx, params }) {
      await detach(ctx, deps, params.server_id, params.port_id);
      return {};
    },
  }),
  fixedIpRoute(
    'addFixedIp',
    'Give a server another address',
    strict({ networkId: idOf('network') }),
    (tx, ctx, row, body) => deps.network.interfaces.addFixedIp(tx, ctx, row.id, body.networkId),
  ),
  fixedIpRoute(
    'removeFixedIp',
    'Take an address away from a server',
    strict({ address: text(45, 1) }),
    (tx, ctx, row, body) => deps.network.interfaces.removeFixedIp(tx, ctx, row.id, body.address),
  ),
];
