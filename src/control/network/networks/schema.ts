// What users may say of a network, who sees it, how networks are listed, and how they look.
import { sql } from 'kysely';
import { Type } from 'typebox';
import { isoSeconds } from '../../../kernel/clock.ts';
import { notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { idOf, integer, nullable, strict, text } from '../../../kernel/schema.ts';
import { scopesOf } from '../address-scopes/scopes-of.ts';
import { standardFilters, standardSort, truth, whole, type ListSpec } from '../listing.ts';
import { policiesOf, policyFilter } from '../qos/bindings.ts';
import { sharedFilter, sharedWith, visible } from '../rbac/visible.ts';
import { chunks, tagsOf, type Queries } from '../rows.ts';
import { zoneHints, zoneOfHosts } from '../zones/zones.ts';
import type { NetworkRow } from './table.ts';

export const PHYSICAL_NETWORK = 'public';
export const MAX_SEGMENT = 16_777_215;

const changeable = {
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  admin_state_up: Type.Optional(Type.Boolean()),
  shared: Type.Optional(Type.Boolean()),
  'router:external': Type.Optional(Type.Boolean()),
  is_default: Type.Optional(Type.Boolean()),
  port_security_enabled: Type.Optional(Type.Boolean()),
  mtu: Type.Optional(integer(576, 9216)),
  qos_policy_id: Type.Optional(nullable(idOf('qos-policy'))),
};
export const networkUpdate = strict(changeable);
export const networkCreate = strict({
  ...changeable,
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
  'provider:network_type': Type.Optional(text(32)),
  'provider:physical_network': Type.Optional(nullable(text(64))),
  'provider:segmentation_id': Type.Optional(nullable(integer(1, MAX_SEGMENT))),
  availability_zone_hints: Type.Optional(zoneHints),
});
export const forOperators = [
  'shared',
  'router:external',
  'is_default',
  'provider:network_type',
  'provider:physical_network',
  'provider:segmentation_id',
];

const ofScope = (version: number) => (values: string[]) =>
  sql<boolean>`exists (select 1 from subnets s join subnet_pools p on p.id = s.subnetpool_id
    where s.network_id = networks.id and s.ip_version = ${version} and p.address_scope_id in (${sql.join(values)}))`;

export const networkList: ListSpec = {
  noun: 'Network',
  plural: 'networks',
  table: 'networks',
  filters: {
    ...standardFilters('networks'),
    id: { by: 'text', column: 'networks.id', ref: 'network' },
    name: { by: 'text', column: 'networks.name' },
    status: { by: 'text', column: 'networks.status' },
    admin_state_up: { by: 'boolean', column: 'networks.admin_state_up' },
    shared: {
      by: 'custom',
      where: (values, actor) => sharedFilter('networks', truth('shared', values.at(-1) ?? '') === 1, actor),
    },
    'router:external': { by: 'boolean', column: 'networks.external' },
    is_default: { by: 'boolean', column: 'networks.is_default' },
    port_security_enabled: { by: 'boolean', column: 'networks.port_security_enabled' },
    ipv4_address_scope: { by: 'custom', ref: 'address-scope', where: ofScope(4) },
    ipv6_address_scope: { by: 'custom', ref: 'address-scope', where: ofScope(6) },
    mtu: { by: 'integer', column: 'networks.mtu' },
    // As the view says: tenant networks are vxlan and have a segment, external ones are flat on one link.
    'provider:network_type': {
      by: 'custom',
      where: (values) =>
        sql`case when networks.external = 1 then 'flat' else 'vxlan' end in (${sql.join(values)})`,
    },
    'provider:physical_network': {
      by: 'custom',
      where: (values) =>
        sql`case when networks.external = 1 then cast(${PHYSICAL_NETWORK} as text) else '' end in (${sql.join(values)})`,
    },
    'provider:segmentation_id': {
      by: 'custom',
      where: (values) =>
        sql`networks.external = 0 and networks.segment in (${sql.join(values.map((one) => whole('provider:segmentation_id', one)))})`,
    },
    qos_policy_id: policyFilter('networks'),
  },
  sortable: {
    ...standardSort,
    name: 'name',
    status: 'status',
    admin_state_up: 'admin_state_up',
    mtu: 'mtu',
  },
};

/** Own networks, and what is shared with the project or external for it. */
export const visibleNetworks = (db: Queries, actor: Actor) =>
  db.selectFrom('networks').selectAll('networks').where(visible('networks', actor));

export async function readableNetwork(db: Queries, actor: Actor, id: string): Promise<NetworkRow> {
  const row = await visibleNetworks(db, actor).where('networks.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Network', id);
  return row;
}

export const networkView = (
  row: NetworkRow,
  subnetIds: readonly string[],
  tags: readonly string[],
  shared: boolean,
  qosPolicyId: string | null,
  scopes: { 4?: string; 6?: string },
  zones: readonly string[],
  forOperator: boolean,
): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  description: row.description,
  admin_state_up: row.admin_state_up === 1,
  status: row.status,
  subnets: subnetIds,
  shared,
  'router:external': row.external === 1,
  port_security_enabled: row.port_security_enabled === 1,
  mtu: row.mtu,
  qos_policy_id: qosPolicyId,
  availability_zone_hints: JSON.parse(row.zone_hints) as unknown,
  availability_zones: zones,
  ipv4_address_scope: scopes[4] ?? null,
  ipv6_address_scope: scopes[6] ?? null,
  ...(row.external === 1 ? { is_default: row.is_default === 1 } : {}),
  ...(forOperator
    ? {
        'provider:network_type': row.external === 1 ? 'flat' : 'vxlan',
        'provider:physical_network': row.external === 1 ? PHYSICAL_NETWORK : null,
        'provider:segmentation_id': row.external === 1 ? null : row.segment,
      }
    : {}),
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

export async function networkViews(db: Queries, ctx: Ctx, rows: readonly NetworkRow[]): Promise<object[]> {
  const subnets = new Map<string, string[]>();
  for (const part of chunks(rows.map((row) => row.id)))
    for (const subnet of await db
      .selectFrom('subnets')
      .select(['id', 'network_id'])
      .where('network_id', 'in', part)
      .orderBy('created_at')
      .orderBy('id')
      .execute())
      subnets.set(subnet.network_id, [...(subnets.get(subnet.network_id) ?? []), subnet.id]);
  const tags = await tagsOf(
    db,
    rows.map((row) => row.id),
  );
  const policies = await policiesOf(
    db,
    rows.map((row) => row.id),
  );
  const shared = await sharedWith(
    db,
    rows.map((row) => row.id),
    projectOf(ctx.actor),
  );
  // DHCP is served wherever a guest may be.
  const zones = [...new Set((await zoneOfHosts(db)).values())].sort();
  const scopes = await scopesOf(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) =>
    networkView(
      row,
      subnets.get(row.id) ?? [],
      tags.get(row.id) ?? [],
      shared.has(row.id),
      policies.get(row.id) ?? null,
      scopes.get(row.id) ?? {},
      zones,
      isAdmin(ctx.actor),
    ),
  );
}
