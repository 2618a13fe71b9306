// What can be shared by an RBAC policy: how each kind is found, and who uses it by which action.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Actor } from '../../../kernel/policy.ts';
import type { Queries } from '../rows.ts';
import { EXTERNAL, SHARED, visible } from './visible.ts';

/** Something that uses a shared object, and the project that it belongs to. */
export type Use = { what: string; id: string; project_id: string };
type Kind = {
  /** As users know it. */
  noun: string;
  /** Of an object that the actor may read. */
  owner(db: Queries, actor: Actor, id: string): Promise<{ project_id: string } | undefined>;
  /** Action -> what uses the object so, the owner's own things included. */
  uses: Readonly<Record<string, (tx: Tx, id: string) => Promise<Use[]>>>;
};

const as = (what: string, rows: readonly { id: string; project_id: string }[]): Use[] =>
  rows.map(({ id, project_id }) => ({ what, id, project_id }));

/** By the name of the API's object_type. */
export const shareables = {
  network: {
    noun: 'Network',
    owner: (db, actor, id) =>
      db
        .selectFrom('networks')
        .select('project_id')
        .where('id', '=', id)
        .where(visible('networks', actor))
        .executeTakeFirst(),
    uses: {
      [SHARED]: async (tx, id) =>
        as(
          'port',
          await tx.selectFrom('ports').select(['id', 'project_id']).where('network_id', '=', id).execute(),
        ),
      [EXTERNAL]: async (tx, id) => [
        ...as(
          'router',
          await tx
            .selectFrom('routers')
            .select(['id', 'project_id'])
            .where('external_network_id', '=', id)
            .execute(),
        ),
        ...as(
          'floating IP',
          await tx
            .selectFrom('floating_ips')
            .select(['id', 'project_id'])
            .where('floating_network_id', '=', id)
            .execute(),
        ),
      ],
    },
  },
  security_group: {
    noun: 'Security Group',
    owner: (db, actor, id) =>
      db
        .selectFrom('security_groups')
        .select('project_id')
        .where('id', '=', id)
        .where(visible('security_groups', actor))
        .executeTakeFirst(),
    uses: {
      [SHARED]: async (tx, id) => [
        ...as(
          'port',
          await tx
            .selectFrom('port_security_groups as m')
            .innerJoin('ports as p', 'p.id', 'm.port_id')
            .select(['p.id', 'p.project_id'])
            .where('m.security_group_id', '=', id)
            .execute(),
        ),
        ...as(
          'security group rule',
          await tx
            .selectFrom('security_group_rules')
            .select(['id', 'project_id'])
            .where('remote_group_id', '=', id)
            .execute(),
        ),
      ],
    },
  },
  qos_policy: {
    noun: 'QoS policy',
    owner: (db, actor, id) =>
      db
        .selectFrom('qos_policies')
        .select('project_id')
        .where('id', '=', id)
        .where(visible('qos_policies', actor))
        .executeTakeFirst(),
    uses: {
      [SHARED]: async (tx, id) => {
        const bound = tx.selectFrom('qos_bindings').select('object_id').where('qos_policy_id', '=', id);
        const columns = ['id', 'project_id'] as const;
        const networks = tx.selectFrom('networks').select(columns).where('id', 'in', bound);
        const ports = tx.selectFrom('ports').select(columns).where('id', 'in', bound);
        const addresses = tx.selectFrom('floating_ips').select(columns).where('id', 'in', bound);
        return [
          ...as('network', await networks.execute()),
          ...as('port', await ports.execute()),
          ...as('floating IP', await addresses.execute()),
        ];
      },
    },
  },
  address_scope: {
    noun: 'Address scope',
    owner: (db, actor, id) =>
      db
        .selectFrom('address_scopes')
        .select('project_id')
        .where('id', '=', id)
        .where(visible('address_scopes', actor))
        .executeTakeFirst(),
    uses: {
      [SHARED]: async (tx, id) =>
        as(
          'subnet pool',
          await tx
            .selectFrom('subnet_pools')
            .select(['id', 'project_id'])
            .where('address_scope_id', '=', id)
            .execute(),
        ),
    },
  },
  subnetpool: {
    noun: 'Subnet Pool',
    owner: (db, actor, id) =>
      db
        .selectFrom('subnet_pools')
        .select('project_id')
        .where('id', '=', id)
        .where(visible('subnet_pools', actor))
        .executeTakeFirst(),
    uses: {
      [SHARED]: async (tx, id) =>
        as(
          'subnet',
          await tx
            .selectFrom('subnets')
            .select(['id', 'project_id'])
            .where('subnetpool_id', '=', id)
            .execute(),
        ),
    },
  },
} as const satisfies Record<string, Kind>;
export type Shareable = keyof typeof shareables;
export const kindOf = (type: Shareable): Kind => shareables[type];
