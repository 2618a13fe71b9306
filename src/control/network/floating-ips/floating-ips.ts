// Floating IPs: schemas, visibility, JSON and verbs.
import { sql } from 'kysely';
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { adminOnly, claimQuota, ownerOf } from '../faults.ts';
import { standardFilters, standardSort, type ListSpec } from '../listing.ts';
import { readableNetwork } from '../networks/schema.ts';
import type { PortForwardingRow } from '../port-forwardings/table.ts';
import { inFloatingIp } from '../port-forwardings/wire.ts';
import { deletePorts, insertPort, subnetsOf, takeFixedIps } from '../ports/insert.ts';
import { bindPolicy, policiesOf, policyFilter, shownPolicies, unbindAll } from '../qos/bindings.ts';
import type { ServersChanged } from '../ports/ports.ts';
import { deleteObject } from '../removal.ts';
import { chunks, newRow, tagsOf, touched, type Queries } from '../rows.ts';
import { subnetsLock } from '../subnets/subnets.ts';
import { associate, inUseByForwarding, notAssociated } from './association.ts';
import { readableFloatingIp, visibleFloatingIps } from './read.ts';
import type { FloatingIpRow } from './table.ts';

export const FLOATING_OWNER = 'network:floatingip';

const changeable = {
  port_id: Type.Optional(nullable(idOf('port'))),
  fixed_ip_address: Type.Optional(nullable(text(45))),
  description: Type.Optional(text()),
  qos_policy_id: Type.Optional(nullable(idOf('qos-policy'))),
};
const floatingUpdate = strict(changeable);
const floatingCreate = strict({
  ...changeable,
  floating_network_id: idOf('network'),
  floating_ip_address: Type.Optional(nullable(text(45))),
  subnet_id: Type.Optional(nullable(idOf('subnet'))),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});

const list: ListSpec = {
  noun: 'Floating IP',
  plural: 'floatingips',
  table: 'floating_ips',
  filters: {
    ...standardFilters('floating_ips'),
    id: { by: 'text', column: 'floating_ips.id', ref: 'floating-ip' },
    floating_network_id: { by: 'text', column: 'floating_ips.floating_network_id', ref: 'network' },
    floating_ip_address: { by: 'text', column: 'floating_ips.floating_ip_address' },
    port_id: {
      by: 'custom',
      ref: 'port',
      where: (values) => sql`coalesce(floating_ips.fixed_port_id, '') in (${sql.join(values)})`,
    },
    fixed_ip_address: { by: 'text', column: 'floating_ips.fixed_ip_address' },
    router_id: {
      by: 'custom',
      ref: 'router',
      where: (values) => sql`coalesce(floating_ips.router_id, '') in (${sql.join(values)})`,
    },
    status: { by: 'text', column: 'floating_ips.status' },
    qos_policy_id: policyFilter('floating_ips'),
  },
  sortable: {
    ...standardSort,
    floating_ip_address: 'floating_ip_address',
    floating_network_id: 'floating_network_id',
    status: 'status',
  },
};

type PortDetails = {
  name: string;
  network_id: string;
  mac_address: string;
  admin_state_up: number;
  status: string;
  device_id: string;
  device_owner: string;
};

export const floatingIpView = (
  row: FloatingIpRow,
  port: PortDetails | undefined,
  tags: readonly string[],
  forwardings: readonly PortForwardingRow[],
  qos: object,
): object => ({
  id: row.id,
  tenant_id: row.project_id,
  project_id: row.project_id,
  description: row.description,
  floating_network_id: row.floating_network_id,
  floating_ip_address: row.floating_ip_address,
  port_id: row.fixed_port_id,
  fixed_ip_address: row.fixed_ip_address,
  router_id: row.router_id,
  status: row.status,
  port_details: port === undefined ? null : { ...port, admin_state_up: port.admin_state_up === 1 },
  port_forwardings: forwardings.map(inFloatingIp),
  ...qos,
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

async function views(db: Queries, _ctx: Ctx, found: readonly FloatingIpRow[]): Promise<object[]> {
  const ports = new Map<string, PortDetails>();
  for (const part of chunks(found.flatMap((row) => row.fixed_port_id ?? [])))
    for (const { id, ...details } of await db
      .selectFrom('ports')
      .select([
        'id',
        'name',
        'network_id',
        'mac_address',
        'admin_state_up',
        'status',
        'device_id',
        'device_owner',
      ])
      .where('id', 'in', part)
      .execute())
      ports.set(id, details);
  const tags = await tagsOf(
    db,
    found.map((row) => row.id),
  );
  const policies = await policiesOf(
    db,
    found.flatMap((row) => [row.id, row.floating_network_id]),
  );
  const forwardings: PortForwardingRow[] = [];
  for (const part of chunks(found.map((row) => row.id)))
    forwardings.push(
      ...(await db
        .selectFrom('port_forwardings')
        .selectAll()
        .where('floating_ip_id', 'in', part)
        .orderBy('created_at')
        .orderBy('id')
        .execute()),
    );
  const forwardingsOf = Map.groupBy(forwardings, (row) => row.floating_ip_id);
  return found.map((row) =>
    floatingIpView(
      row,
      ports.get(row.fixed_port_id ?? ''),
      tags.get(row.id) ?? [],
      forwardingsOf.get(row.id) ?? [],
      shownPolicies(policies, row.id, row.floating_network_id),
    ),
  );
}

async function insertOne(
  tx: Tx,
  ctx: Ctx,
  owner: string,
  input: Static<typeof floatingCreate>,
): Promise<{ id: string; serverId: string }> {
  const network = await readableNetwork(tx, ctx.actor, input.floating_network_id);
  if (network.external === 0)
    throw badRequest(`Bad floatingip request: Network ${network.id} is not a valid external network.`);
  const base = newRow(ctx, owner, input.description);
  // The port belongs to the cloud, so that a tenant cannot touch it through the port API.
  const port = await insertPort(tx, ctx, {
    project_id: '',
    network_id: network.id,
    device_id: base.id,
    device_owner: FLOATING_OWNER,
    port_security_enabled: 0,
    status: 'N/A',
  });
  const subnets = (await subnetsOf(tx, [network.id])).filter((subnet) => subnet.ip_version === 4);
  if (subnets.length === 0)
    throw badRequest(`Bad floatingip request: Network ${network.id} does not contain any IPv4 subnet.`);
  const { subnet_id: subnetId = null, floating_ip_address: wanted = null, port_id: portId = null } = input;
  const wish = {
    ...(subnetId === null ? {} : { subnet_id: subnetId }),
    ...(wanted === null ? {} : { ip_address: wanted }),
  };
  await takeFixedIps(tx, port, subnets, Object.keys(wish).length === 0 ? undefined : [wish]);
  const { ip_address: address } = await tx
    .selectFrom('ip_allocations')
    .select('ip_address')
    .where('port_id', '=', port.id)
    .executeTakeFirstOrThrow();
  const row = {
    ...base,
    floating_network_id: network.id,
    floating_ip_address: address,
    floating_port_id: port.id,
  };
  const { serverId, ...association } =
    portId === null
      ? notAssociated
      : await associate(tx, ctx, row, portId, input.fixed_ip_address ?? undefined);
  await tx
    .insertInto('floating_ips')
    .values({ ...row, ...association })
    .execute();
  await bindPolicy(tx, ctx, 'floatingip', row.id, input.qos_policy_id);
  if (association.router_id !== null) await ctx.platform.work.enqueue(tx, 'router', [association.router_id]);
  return { id: row.id, serverId };
}

const makeWith =
  (serversChanged: ServersChanged) =>
  async (ctx: Ctx, inputs: Static<typeof floatingCreate>[]): Promise<string[]> => {
    const owners = inputs.map((input) => {
      if (typeof input.floating_ip_address === 'string')
        adminOnly(ctx, 'create_floatingip', input, ['floating_ip_address']);
      return ownerOf(ctx, 'create_floatingip', input);
    });
    return ctx.platform.db.tx(
      async (tx) => {
        const ids: string[] = [];
        for (const [at, input] of inputs.entries()) {
          await claimQuota(tx, ctx, owners[at] ?? '', { floatingip: 1 });
          const made = await insertOne(tx, ctx, owners[at] ?? '', input);
          if (made.serverId !== '') await serversChanged(tx, [made.serverId]);
          await audit(tx, ctx, 'floating-ip', made.id);
          ids.push(made.id);
        }
        return ids;
      },
      { locks: [...owners.map(quotaLock), ...inputs.map((input) => subnetsLock(input.floating_network_id))] },
    );
  };

const serverOf = async (tx: Tx, portId: string | null): Promise<string> =>
  portId === null
    ? ''
    : ((await tx.selectFrom('ports').select('server_id').where('id', '=', portId).executeTakeFirst())
        ?.server_id ?? '');

const changeWith =
  (serversChanged: ServersChanged) =>
  async (ctx: Ctx, id: string, input: Static<typeof floatingUpdate>): Promise<void> => {
    await ctx.platform.db.tx(async (tx) => {
      const row = await readableFloatingIp(tx, ctx.actor, id);
      await bindPolicy(tx, ctx, 'floatingip', id, input.qos_policy_id);
      const onlyText =
        (input.port_id === undefined && input.fixed_ip_address === undefined) ||
        // It is associated with nothing, and what its ports lead to stays.
        (row.fixed_port_id === null && input.port_id === null && typeof input.fixed_ip_address !== 'string');
      const portId = input.port_id === undefined ? row.fixed_port_id : input.port_id;
      if (portId === null && typeof input.fixed_ip_address === 'string')
        throw badRequest('Bad floatingip request: fixed_ip_address cannot be specified without a port_id.');
      if (onlyText)
        await tx
          .updateTable('floating_ips')
          .set({ description: input.description ?? row.description, ...touched(ctx, row) })
          .where('id', '=', id)
          .execute();
      else {
        const { serverId, ...association } =
          portId === null
            ? notAssociated
            : await associate(tx, ctx, row, portId, input.fixed_ip_address ?? undefined);
        const same =
          association.fixed_port_id === row.fixed_port_id &&
          association.fixed_ip_address === row.fixed_ip_address &&
          association.router_id === row.router_id;
        const servers = new Set(
          [serverId, await serverOf(tx, row.fixed_port_id)].filter((one) => one !== ''),
        );
        await tx
          .updateTable('floating_ips')
          .set({
            ...association,
            status: same ? row.status : association.status,
            description: input.description ?? row.description,
            ...touched(ctx, row),
          })
          .where('id', '=', id)
          .execute();
        await ctx.platform.work.enqueue(
          tx,
          'router',
          [row.router_id, association.router_id].flatMap((one) => one ?? []),
        );
        if (servers.size > 0 && !same) await serversChanged(tx, [...servers]);
      }
      await audit(tx, ctx, 'floating-ip', id);
    });
  };

const removeWith =
  (serversChanged: ServersChanged) =>
  async (ctx: Ctx, id: string): Promise<void> => {
    await ctx.platform.db.tx(async (tx) => {
      const row = await readableFloatingIp(tx, ctx.actor, id);
      const forwarding = await tx
        .selectFrom('port_forwardings')
        .select('id')
        .where('floating_ip_id', '=', id)
        .executeTakeFirst();
      if (forwarding !== undefined) throw inUseByForwarding(id, forwarding.id);
      const serverId = await serverOf(tx, row.fixed_port_id);
      const kind = { table: 'floating_ips', kind: 'floating-ip', quota: 'floatingip' } as const;
      await deleteObject(tx, ctx, kind, row);
      await unbindAll(tx, [id]);
      await deletePorts(tx, ctx, [row.floating_port_id]);
      if (row.router_id !== null) await ctx.platform.work.enqueue(tx, 'router', [row.router_id]);
      if (serverId !== '') await serversChanged(tx, [serverId]);
    });
  };

export const floatingIps = (
  serversChanged: ServersChanged,
): Collection<'floating_ips', FloatingIpRow, typeof floatingCreate, typeof floatingUpdate> => ({
  singular: 'floatingip',
  path: '/v2.0/floatingips',
  kind: 'floating-ip',
  list,
  create: floatingCreate,
  update: floatingUpdate,
  rows: visibleFloatingIps,
  views,
  make: makeWith(serversChanged),
  change: changeWith(serversChanged),
  remove: removeWith(serversChanged),
  tags: true,
});
