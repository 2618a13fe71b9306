// Which policy holds for what: binding and unbinding, and the limits that follow.
import { sql } from 'kysely';
import type { Tx } from '../../../kernel/db/index.ts';
import { CloudError, forbidden } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import type { Filter } from '../listing.ts';
import { granted, SHARED, visible } from '../rbac/visible.ts';
import { chunks, type Queries } from '../rows.ts';
import type { QosPolicyRow, QosRuleRow } from './table.ts';

export type Bound = 'network' | 'port' | 'floatingip';

export const visiblePolicies = (db: Queries, actor: Actor) =>
  db.selectFrom('qos_policies').selectAll('qos_policies').where(visible('qos_policies', actor));

export async function readablePolicy(db: Queries, actor: Actor, id: string): Promise<QosPolicyRow> {
  const row = await visiblePolicies(db, actor).where('qos_policies.id', '=', id).executeTakeFirst();
  if (row === undefined)
    throw new CloudError(404, 'QosPolicyNotFound', `QoS policy ${id} could not be found.`);
  return row;
}

/** Object -> its own policy. */
export async function policiesOf(db: Queries, ids: readonly string[]): Promise<Map<string, string>> {
  const out = new Map<string, string>();
  for (const part of chunks([...new Set(ids)]))
    for (const row of await db
      .selectFrom('qos_bindings')
      .selectAll()
      .where('object_id', 'in', part)
      .execute())
      out.set(row.object_id, row.qos_policy_id);
  return out;
}

/** What ports, networks and floating IPs show: their own policy, and that of their network. */
export const shownPolicies = (
  policies: ReadonlyMap<string, string>,
  id: string,
  networkId: string,
): { qos_policy_id: string | null; qos_network_policy_id: string | null } => ({
  qos_policy_id: policies.get(id) ?? null,
  qos_network_policy_id: policies.get(networkId) ?? null,
});

export const policyFilter = (table: string): Filter => ({
  by: 'custom',
  ref: 'qos-policy',
  where: (values) =>
    sql`exists (select 1 from qos_bindings q where q.object_id = ${sql.ref(`${table}.id`)} and q.qos_policy_id in (${sql.join(values)}))`,
});

/** A policy that an operator put on a tenant's object is not the tenant's to take away (Neutron's rule). */
async function refuseRemoval(tx: Tx, actor: Actor, policyId: string): Promise<void> {
  if (isAdmin(actor)) return;
  const own = await tx
    .selectFrom('qos_policies')
    .select('id')
    .where('id', '=', policyId)
    .where((eb) =>
      eb.or([eb('project_id', '=', projectOf(actor)), granted('qos_policies.id', projectOf(actor), SHARED)]),
    )
    .executeTakeFirst();
  if (own === undefined)
    throw forbidden(
      `Failed to remove provided policy ${policyId} because you are not authorized.`,
      'PolicyRemoveAuthorizationError',
    );
}

/** `policyId` undefined: stays as it is. What hosts are told follows. */
export async function bindPolicy(
  tx: Tx,
  ctx: Ctx,
  type: Bound,
  objectId: string,
  policyId: string | null | undefined,
): Promise<void> {
  if (policyId === undefined) return;
  const before = (await policiesOf(tx, [objectId])).get(objectId) ?? null;
  if (before === policyId) return;
  if (policyId !== null) await readablePolicy(tx, ctx.actor, policyId);
  if (before !== null) await refuseRemoval(tx, ctx.actor, before);
  await tx.deleteFrom('qos_bindings').where('object_id', '=', objectId).execute();
  if (policyId !== null)
    await tx
      .insertInto('qos_bindings')
      .values({ object_id: objectId, object_type: type, qos_policy_id: policyId })
      .execute();
  await ctx.platform.work.enqueue(tx, 'qos', [objectId]);
}

/** With the objects themselves. */
export async function unbindAll(tx: Tx, objectIds: readonly string[]): Promise<void> {
  for (const part of chunks(objectIds))
    await tx.deleteFrom('qos_bindings').where('object_id', 'in', part).execute();
}

/** What new networks of the project get; null: nothing. */
export async function defaultPolicyOf(tx: Tx, projectId: string): Promise<string | null> {
  const row = await tx
    .selectFrom('qos_policies')
    .select('id')
    .where('project_id', '=', projectId)
    .where('is_default', '=', 1)
    .executeTakeFirst();
  return row?.id ?? null;
}

/** Fields of item bodies; kbit/s and kbit. */
export type Limits = {
  egressKbps?: number;
  egressBurstKb?: number;
  ingressKbps?: number;
  ingressBurstKb?: number;
  dscpMark?: number;
};

export function limitsFrom(rules: readonly QosRuleRow[]): Limits {
  const limits: Limits = {};
  for (const rule of rules) {
    if (rule.type === 'dscp_marking') limits.dscpMark = rule.dscp_mark;
    else if (rule.max_kbps > 0) {
      const side = rule.direction === 'ingress' ? 'ingress' : 'egress';
      limits[`${side}Kbps`] = rule.max_kbps;
      if (rule.max_burst_kbps > 0) limits[`${side}BurstKb`] = rule.max_burst_kbps;
    }
  }
  return limits;
}

/** Object -> the limits of its own policy, else of its network's; objects without any are not in it. */
export async function limitsOf(
  db: Queries,
  objects: readonly { id: string; networkId: string }[],
): Promise<Map<string, Limits>> {
  const policies = await policiesOf(
    db,
    objects.flatMap(({ id, networkId }) => [id, networkId]),
  );
  const rules: QosRuleRow[] = [];
  for (const part of chunks([...new Set(policies.values())]))
    rules.push(
      ...(await db
        .selectFrom('qos_rules')
        .selectAll()
        .where('qos_policy_id', 'in', part)
        .orderBy('id')
        .execute()),
    );
  const rulesOf = Map.groupBy(rules, (rule) => rule.qos_policy_id);
  return new Map(
    objects.flatMap(({ id, networkId }) => {
      const of = rulesOf.get(policies.get(id) ?? policies.get(networkId) ?? '');
      return of === undefined ? [] : [[id, limitsFrom(of)] as const];
    }),
  );
}

/** Changed policies, networks, ports or floating IPs: what they hold for is compiled again. */
export const compileQos =
  (platform: Platform) =>
  async (tx: Tx, ids: string[]): Promise<void> => {
    const bound = await tx.selectFrom('qos_bindings').selectAll().where('qos_policy_id', 'in', ids).execute();
    const all = [...new Set([...ids, ...bound.map((row) => row.object_id)])];
    const ports = new Set<string>();
    const routers = new Set<string>();
    for (const part of chunks(all)) {
      for (const row of await tx
        .selectFrom('ports')
        .select('id')
        .where('server_id', '!=', '')
        .where((eb) => eb.or([eb('id', 'in', part), eb('network_id', 'in', part)]))
        .execute())
        ports.add(row.id);
      for (const row of await tx
        .selectFrom('floating_ips')
        .select('router_id')
        .where((eb) => eb.or([eb('id', 'in', part), eb('floating_network_id', 'in', part)]))
        .where('router_id', 'is not', null)
        .execute())
        if (row.router_id !== null) routers.add(row.router_id);
    }
    await platform.work.enqueue(tx, 'port', [...ports]);
    await platform.work.enqueue(tx, 'router', [...routers]);
  };
