// The verbs of networks: layer-2 segments.
import { sql } from 'kysely';
import type { Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { nextCounter, type Tx } from '../../../kernel/db/index.ts';
import { conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import type { Collection } from '../collection.ts';
import { adminOnly, claimQuota, invalidInput, ownedBy, ownerOf } from '../faults.ts';
import { deleteUnusedFloatingIps } from '../floating-ips/association.ts';
import { deletePorts } from '../ports/insert.ts';
import { bindPolicy, defaultPolicyOf, unbindAll } from '../qos/bindings.ts';
import { refuseWhileUsed, shareWithEverybody, unshare } from '../rbac/sharing.ts';
import { EVERYBODY, EXTERNAL, SHARED } from '../rbac/visible.ts';
import { deleteObject } from '../removal.ts';
import { deleteTags, flag, newRow, touched } from '../rows.ts';
import {
  forOperators,
  MAX_SEGMENT,
  networkCreate,
  networkList,
  networkUpdate,
  networkViews,
  PHYSICAL_NETWORK,
  readableNetwork,
  visibleNetworks,
} from './schema.ts';
import { checkedHints } from '../zones/zones.ts';
import type { NetworkRow } from './table.ts';

/** Tenant networks leave 50 bytes for a VXLAN header, so that they may span hosts. */
const TENANT_MTU = 1450;
const EXTERNAL_MTU = 1500;

const writableNetwork = async (tx: Tx, ctx: Ctx, id: string, rule: string): Promise<NetworkRow> =>
  ownedBy(ctx, await readableNetwork(tx, ctx.actor, id), rule);

function checkProvider(input: Static<typeof networkCreate>): void {
  const type = input['provider:network_type'];
  const physical = input['provider:physical_network'] ?? undefined;
  const external = input['router:external'] === true;
  if (type !== undefined && type !== (external ? 'flat' : 'vxlan'))
    throw invalidInput(
      `'provider:network_type' ${type} is not supported here: external networks are flat, all others are vxlan`,
    );
  if (physical !== undefined && (!external || physical !== PHYSICAL_NETWORK))
    throw invalidInput(
      `'provider:physical_network' ${physical} is unknown: only external networks name one, and it is ${PHYSICAL_NETWORK}`,
    );
  if (external && typeof input['provider:segmentation_id'] === 'number')
    throw invalidInput(`'provider:segmentation_id' cannot be set on a flat network`);
}

async function newSegment(tx: Tx, asked: number | null | undefined): Promise<number> {
  if (typeof asked === 'number') {
    if (
      (await tx.selectFrom('networks').select('id').where('segment', '=', asked).executeTakeFirst()) !==
      undefined
    )
      throw conflict(`Unable to create the network. The tunnel ID ${asked} is in use.`, 'TunnelIdInUse');
    return asked;
  }
  for (;;) {
    const segment = await nextCounter(tx, 'network-segment');
    if (segment > MAX_SEGMENT)
      throw conflict(
        'Unable to create the network. No tenant network is available for allocation.',
        'NoNetworkAvailable',
      );
    if (
      (await tx.selectFrom('networks').select('id').where('segment', '=', segment).executeTakeFirst()) ===
      undefined
    )
      return segment;
  }
}

export async function insertNetwork(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  input: Static<typeof networkCreate>,
): Promise<string> {
  const external = input['router:external'] === true;
  const row: NetworkRow = {
    ...newRow(ctx, projectId, input.description),
    name: input.name ?? '',
    admin_state_up: flag(input.admin_state_up ?? true),
    status: 'ACTIVE',
    external: flag(external),
    is_default: flag(external && input.is_default === true),
    port_security_enabled: flag(input.port_security_enabled ?? true),
    mtu: input.mtu ?? (external ? EXTERNAL_MTU : TENANT_MTU),
    segment: await newSegment(tx, input['provider:segmentation_id']),
    error: '',
    zone_hints: await checkedHints(tx, input.availability_zone_hints),
  };
  if (row.is_default === 1) await refuseSecondDefault(tx, row.id);
  await tx.insertInto('networks').values(row).execute();
  const policyId =
    input.qos_policy_id === undefined ? await defaultPolicyOf(tx, projectId) : input.qos_policy_id;
  if (policyId !== null) await bindPolicy(tx, ctx, 'network', row.id, policyId);
  if (input.shared === true) await shareWithEverybody(tx, ctx, 'network', row);
  if (external) await shareWithEverybody(tx, ctx, 'network', row, EXTERNAL);
  await ctx.platform.work.enqueue(tx, 'network', [row.id]);
  await audit(tx, ctx, 'network', row.id);
  return row.id;
}

async function make(ctx: Ctx, inputs: Static<typeof networkCreate>[]): Promise<string[]> {
  const owners = inputs.map((input) => {
    adminOnly(ctx, 'create_network', input, forOperators);
    checkProvider(input);
    return ownerOf(ctx, 'create_network', input);
  });
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, input] of inputs.entries()) {
        const owner = owners[at] ?? '';
        await claimQuota(tx, ctx, owner, { network: 1 });
        ids.push(await insertNetwork(tx, ctx, owner, input));
      }
      return ids;
    },
    { locks: owners.map(quotaLock) },
  );
}

async function change(ctx: Ctx, id: string, input: Static<typeof networkUpdate>): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await writableNetwork(tx, ctx, id, 'update_network');
    adminOnly(ctx, 'update_network', input, forOperators);
    await bindPolicy(tx, ctx, 'network', id, input.qos_policy_id);
    if (input['router:external'] === true) await makeExternal(tx, ctx, id, EVERYBODY);
    if (input['router:external'] === false && row.external === 1) {
      await refuseExternalUse(tx, row);
      await unshare(tx, ctx, id, { action: EXTERNAL });
    }
    if (input.is_default === true) await refuseSecondDefault(tx, id);
    if (input.shared === true) await shareWithEverybody(tx, ctx, 'network', row);
    if (input.shared === false) await unshareNetwork(tx, ctx, row);
    await tx
      .updateTable('networks')
      .set({
        name: input.name ?? row.name,
        description: input.description ?? row.description,
        admin_state_up: flag(input.admin_state_up ?? row.admin_state_up === 1),
        external: flag(input['router:external'] ?? row.external === 1),
        port_security_enabled: flag(input.port_security_enabled ?? row.port_security_enabled === 1),
        mtu: input.mtu ?? row.mtu,
        is_default: flag(input.is_default ?? row.is_default === 1),
        ...touched(ctx, row),
      })
      .where('id', '=', id)
      .execute();
    await ctx.platform.work.enqueue(tx, 'network', [id]);
    await audit(tx, ctx, 'network', id);
  });
}

/** `shared: false` takes it back from everybody; policies for single projects stay. */
async function unshareNetwork(tx: Tx, ctx: Ctx, row: NetworkRow): Promise<void> {
  const grant = { type: 'network', objectId: row.id, action: SHARED, target: EVERYBODY } as const;
  await refuseWhileUsed(tx, grant, row.project_id, (by) =>
    conflict(
      `Unable to reconfigure sharing settings for network ${row.id}. Multiple projects are using it: ${by}.`,
      'InvalidSharedSetting',
    ),
  );
  await unshare(tx, ctx, row.id, { action: SHARED, target: EVERYBODY });
}

/** From now on router gateways and floating IPs come from it; `target`: whom to tell so (a policy is the caller's otherwise). */
export async function makeExternal(
  tx: Tx,
  ctx: Ctx,
  id: string,
  target: string | null = null,
): Promise<void> {
  const row = await readableNetwork(tx, ctx.actor, id);
  if (target === EVERYBODY) await shareWithEverybody(tx, ctx, 'network', row, EXTERNAL);
  if (row.external === 1) return;
  const used = await portOn(tx, id, 'not in', ['network:dhcp', ...EXTERNAL_OWNERS]);
  if (used !== undefined)
    throw conflict(
      `Network ${id} cannot become external while it has ports (e.g. ${used.id}).`,
      'ExternalNetworkInUse',
    );
  await tx.updateTable('networks').set({ external: 1 }).where('id', '=', id).execute();
  await ctx.platform.work.enqueue(tx, 'network', [id]);
}

async function refuseSecondDefault(tx: Tx, id: string): Promise<void> {
  const other = await tx
    .selectFrom('networks')
    .select('id')
    .where('is_default', '=', 1)
    .where('id', '!=', id)
    .executeTakeFirst();
  if (other !== undefined)
    throw conflict(`A default external network already exists: ${other.id}.`, 'DefaultExternalNetworkExists');
}

async function refuseExternalUse(tx: Tx, row: NetworkRow): Promise<void> {
  if ((await portOn(tx, row.id, 'in', EXTERNAL_OWNERS)) !== undefined)
    throw conflict(
      `External network ${row.id} cannot be updated to be made non-external, since it has existing gateway or floating IP ports.`,
      'ExternalNetworkInUse',
    );
}

const EXTERNAL_OWNERS = ['network:router_gateway', 'network:floatingip'];
const portOn = (tx: Tx, networkId: string, relation: 'in' | 'not in', owners: string[]) =>
  tx
    .selectFrom('ports')
    .select('id')
    .where('network_id', '=', networkId)
    .where('device_owner', relation, owners)
    .executeTakeFirst();

const remove = (ctx: Ctx, id: string): Promise<void> =>
  ctx.platform.db.tx((tx) => removeNetwork(tx, ctx, id));

/** With its subnets and DHCP port; 409 while anybody else has a port on it. */
export async function removeNetwork(tx: Tx, ctx: Ctx, id: string): Promise<void> {
  const row = await writableNetwork(tx, ctx, id, 'delete_network');
  if (row.external === 1) await deleteUnusedFloatingIps(tx, ctx, id);
  const ports = await tx
    .selectFrom('ports')
    .select(['id', 'device_owner'])
    .where('network_id', '=', id)
    .orderBy(sql`case when device_owner = 'network:dhcp' then 1 else 0 end`)
    .limit(4)
    .execute();
  const used = ports.filter((port) => port.device_owner !== 'network:dhcp');
  if (used.length > 0)
    throw conflict(
      `Unable to complete operation on network ${id}. There are one or more ports still in use on the network, id for these ports is: ${used.map((port) => port.id).join(',')}.`,
      'NetworkInUse',
    );
  const subnets = await tx
    .selectFrom('subnets')
    .select(['id', 'project_id'])
    .where('network_id', '=', id)
    .execute();
  await deletePorts(
    tx,
    ctx,
    ports.map((port) => port.id),
  );
  for (const subnet of subnets) {
    await tx.deleteFrom('free_addresses').where('subnet_id', '=', subnet.id).execute();
    await tx.deleteFrom('subnets').where('id', '=', subnet.id).execute();
    await deleteTags(tx, subnet.id);
    await ctx.platform.quotas.release(tx, subnet.project_id, { subnet: 1 });
  }
  await tx.deleteFrom('dhcp_exclusions').where('network_id', '=', id).execute();
  await deleteObject(tx, ctx, { table: 'networks', kind: 'network', quota: 'network' }, row);
  await unbindAll(tx, [id]);
  await ctx.platform.work.enqueue(tx, 'network', [id]);
}

export const networks: Collection<'networks', NetworkRow, typeof networkCreate, typeof networkUpdate> = {
  singular: 'network',
  path: '/v2.0/networks',
  kind: 'network',
  list: networkList,
  create: networkCreate,
  update: networkUpdate,
  rows: visibleNetworks,
  views: networkViews,
  make,
  change,
  remove,
  tags: true,
};

/** The cloud's external network, made at the first start. */
export async function ensurePublicNetwork(tx: Tx, ctx: Ctx, projectId: string): Promise<string> {
  const existing = await tx
    .selectFrom('networks')
    .select('id')
    .where('external', '=', 1)
    .where('name', '=', 'public')
    .executeTakeFirst();
  if (existing !== undefined) return existing.id;
  await claimQuota(tx, ctx, projectId, { network: 1 });
  return insertNetwork(tx, ctx, projectId, { name: 'public', 'router:external': true, is_default: true });
}
