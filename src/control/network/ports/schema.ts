// What users may say of a port, how ports are listed, and how they look.
import { sql } from 'kysely';
import { Type, type Static } from 'typebox';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { notFound } from '../../../kernel/errors.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import { standardFilters, standardSort, type ListSpec } from '../listing.ts';
import { policiesOf, policyFilter, shownPolicies } from '../qos/bindings.ts';
import { chunks, tagsOf, type Queries } from '../rows.ts';
import { extraDhcpOpts, optionViews } from './dhcp-options.ts';
import type { PortRow } from './table.ts';

const mac = Type.String({ pattern: '^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$' });
const fixedIps = Type.Array(
  strict({ subnet_id: Type.Optional(idOf('subnet')), ip_address: Type.Optional(text(45)) }),
  { maxItems: 64 },
);
const changeable = {
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  admin_state_up: Type.Optional(Type.Boolean()),
  mac_address: Type.Optional(mac),
  fixed_ips: Type.Optional(fixedIps),
  device_id: Type.Optional(text()),
  device_owner: Type.Optional(text()),
  security_groups: Type.Optional(nullable(Type.Array(idOf('security-group'), { maxItems: 64 }))),
  port_security_enabled: Type.Optional(Type.Boolean()),
  allowed_address_pairs: Type.Optional(
    nullable(Type.Array(strict({ ip_address: text(49), mac_address: Type.Optional(mac) }), { maxItems: 64 })),
  ),
  qos_policy_id: Type.Optional(nullable(idOf('qos-policy'))),
  'binding:host_id': Type.Optional(nullable(text())),
  'binding:profile': Type.Optional(
    nullable(Type.Record(Type.String({ maxLength: 64 }), text(), { maxProperties: 32 })),
  ),
  'binding:vnic_type': Type.Optional(Type.Literal('normal')),
  extra_dhcp_opts: Type.Optional(extraDhcpOpts),
};
export const portUpdate = strict(changeable);
export const portCreate = strict({
  ...changeable,
  network_id: idOf('network'),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});
export type PortUpdate = Static<typeof portUpdate>;
export type PortCreate = Static<typeof portCreate>;

/** `fixed_ips=ip_address=10.0.0.3` and `subnet_id=`, `ip_address_substr=`; all of one request must hold of one address. */
function fixedIpsFilter(values: string[]) {
  const conditions = values.slice(0, 20).map((value) => {
    const at = value.indexOf('=');
    const [key, wanted] = [value.slice(0, at), value.slice(at + 1)];
    if (key === 'subnet_id') return sql`a.subnet_id = ${wanted}`;
    if (key === 'ip_address_substr')
      return sql`a.ip_address like ${`%${wanted.replace(/[^0-9a-fA-F:.]/g, '')}%`}`;
    return sql`a.ip_address = ${key === 'ip_address' ? wanted : value}`;
  });
  const groups = Map.groupBy(conditions.entries(), ([at]) => (values[at] ?? '').split('=')[0]);
  const all = [...groups.values()].map(
    (same) =>
      sql`(${sql.join(
        same.map(([, condition]) => condition),
        sql` or `,
      )})`,
  );
  return sql<boolean>`exists (select 1 from ip_allocations a where a.port_id = ports.id and ${sql.join(all, sql` and `)})`;
}

export const portList: ListSpec = {
  noun: 'Port',
  plural: 'ports',
  table: 'ports',
  filters: {
    ...standardFilters('ports'),
    id: { by: 'text', column: 'ports.id', ref: 'port' },
    name: { by: 'text', column: 'ports.name' },
    network_id: { by: 'text', column: 'ports.network_id', ref: 'network' },
    mac_address: { by: 'text', column: 'ports.mac_address' },
    device_id: { by: 'text', column: 'ports.device_id' },
    device_owner: { by: 'text', column: 'ports.device_owner' },
    status: { by: 'text', column: 'ports.status' },
    admin_state_up: { by: 'boolean', column: 'ports.admin_state_up' },
    port_security_enabled: { by: 'boolean', column: 'ports.port_security_enabled' },
    'binding:host_id': { by: 'text', column: 'ports.binding_host' },
    'binding:vnic_type': {
      by: 'custom',
      where: (values) => (values.includes('normal') ? sql`1 = 1` : sql`1 = 0`),
    },
    fixed_ips: { by: 'custom', where: fixedIpsFilter },
    qos_policy_id: policyFilter('ports'),
    security_groups: {
      by: 'custom',
      ref: 'security-group',
      where: (values) =>
        sql`exists (select 1 from port_security_groups g where g.port_id = ports.id and g.security_group_id in (${sql.join(values)}))`,
    },
  },
  sortable: {
    ...standardSort,
    name: 'name',
    network_id: 'network_id',
    mac_address: 'mac_address',
    device_id: 'device_id',
    device_owner: 'device_owner',
    status: 'status',
    admin_state_up: 'admin_state_up',
  },
};

/** Own ports, and all ports of own networks. */
export const visiblePorts = (db: Queries, actor: Actor) =>
  db
    .selectFrom('ports')
    .selectAll('ports')
    .$if(!isAdmin(actor), (query) =>
      query.where((eb) =>
        eb.or([
          eb('ports.project_id', '=', projectOf(actor)),
          eb(
            'ports.network_id',
            'in',
            db
              .selectFrom('networks')
              .select('networks.id')
              .where('networks.project_id', '=', projectOf(actor)),
          ),
        ]),
      ),
    );

export async function readablePort(db: Queries, actor: Actor, id: string): Promise<PortRow> {
  const row = await visiblePorts(db, actor).where('ports.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Port', id);
  return row;
}

export type PortExtras = {
  fixedIps: readonly { subnet_id: string; ip_address: string }[];
  groups: readonly string[];
  tags: readonly string[];
  qos: { qos_policy_id: string | null; qos_network_policy_id: string | null };
};

export const portView = (row: PortRow, extras: PortExtras, forOperator: boolean): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  description: row.description,
  network_id: row.network_id,
  mac_address: row.mac_address,
  admin_state_up: row.admin_state_up === 1,
  status: row.status,
  device_id: row.device_id,
  device_owner: row.device_owner,
  fixed_ips: extras.fixedIps.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
  security_groups: extras.groups,
  port_security_enabled: row.port_security_enabled === 1,
  allowed_address_pairs: JSON.parse(row.allowed_address_pairs) as unknown,
  ...extras.qos,
  extra_dhcp_opts: optionViews(row),
  'binding:vnic_type': 'normal',
  ...(forOperator
    ? {
        'binding:host_id': row.binding_host,
        'binding:profile': JSON.parse(row.binding_profile) as unknown,
        'binding:vif_type':
          row.host_id === '' && !row.device_owner.startsWith('network:') ? 'unbound' : 'bridge',
        'binding:vif_details': {},
      }
    : {}),
  tags: extras.tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

export async function portViews(db: Queries, ctx: Ctx, rows: readonly PortRow[]): Promise<object[]> {
  const addresses = new Map<string, { subnet_id: string; ip_address: string }[]>();
  const groups = new Map<string, string[]>();
  for (const part of chunks(rows.map((row) => row.id))) {
    for (const row of await db
      .selectFrom('ip_allocations')
      .selectAll()
      .where('port_id', 'in', part)
      .orderBy('position')
      .execute())
      addresses.set(row.port_id, [...(addresses.get(row.port_id) ?? []), row]);
    for (const row of await db
      .selectFrom('port_security_groups')
      .selectAll()
      .where('port_id', 'in', part)
      .execute())
      groups.set(row.port_id, [...(groups.get(row.port_id) ?? []), row.security_group_id]);
  }
  const policies = await policiesOf(
    db,
    rows.flatMap((row) => [row.id, row.network_id]),
  );
  const tags = await tagsOf(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) =>
    portView(
      row,
      {
        fixedIps: addresses.get(row.id) ?? [],
        groups: groups.get(row.id) ?? [],
        tags: tags.get(row.id) ?? [],
        qos: shownPolicies(policies, row.id, row.network_id),
      },
      isAdmin(ctx.actor),
    ),
  );
}
